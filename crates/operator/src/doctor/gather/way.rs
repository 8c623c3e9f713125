//! Whether the store is reached at all, as whom, and what its clock shows.

use std::{
    ops::ControlFlow,
    time::{SystemTime, UNIX_EPOCH},
};

use http::{HeaderMap, Method, header};

use super::{Examination, is_denied, query, refusal};
use crate::{
    aws::Why,
    doctor::facts::{Bucket, Caller, Clock, Fact},
    s3::{self, Probe},
};

/// Codes by which the key is refused, and not the request.
const BAD_KEYS: [&str; 9] = [
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "InvalidToken",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
    "UnrecognizedClientException",
];

impl Examination<'_, '_> {
    /// Whether it makes sense to go on.
    pub(super) async fn way(&mut self) -> ControlFlow<(), bool> {
        let probe = Probe {
            name: "ListObjectsV2",
            method: Method::GET,
            bucket: &self.setup.bucket,
            query: vec![
                ("list-type", "2"),
                ("max-keys", "1"),
                ("prefix", self.setup.key.as_deref().unwrap_or_default()),
            ],
            ..Probe::default()
        };
        let answer = self.layout.s3.probe(probe).await;
        let date = answer.as_ref().ok().and_then(|answer| ahead_ms(&answer.headers));
        let ahead_ms = date.unwrap_or_else(|| self.layout.access.ahead_ms());
        self.judge(&Fact::Clock(Clock { ahead_ms }))?;
        if let Err(error) = &answer
            && let Some(fact) = in_the_way(error)
        {
            self.judge(&fact)?;
            return ControlFlow::Continue(false);
        }
        let form = [("Action", "GetCallerIdentity"), ("Version", "2011-06-15")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let caller = query::form(self.layout, "sts", &form).await;
        if let Some(root) = self.seen("who asks (sts:GetCallerIdentity)", caller)? {
            let arn = root
                .child("GetCallerIdentityResult")
                .and_then(|result| result.text_of("Arn"));
            self.judge(&Fact::Caller(Caller::Known(arn.unwrap_or_default().to_owned())))?;
        }
        ControlFlow::Continue(true)
    }
}

/// What keeps everything else from being looked at; a key that may not list may do other things.
fn in_the_way(error: &s3::Error) -> Option<Fact> {
    let missing = |elsewhere: Option<String>| {
        Fact::Bucket(Bucket {
            missing: elsewhere.is_none(),
            elsewhere,
            ..Bucket::default()
        })
    };
    match &error.why {
        Why::Unsigned(why) => Some(Fact::Caller(Caller::NoKey(why.clone()))),
        Why::NoAnswer { .. } | Why::Foreign { .. } => Some(Fact::Caller(Caller::Silent(error.to_string()))),
        Why::Region(region) => Some(missing(Some(region.clone()))),
        Why::Refused { code, .. } if code == "NoSuchBucket" || code == "404" => Some(missing(None)),
        Why::Refused { code, .. } if is_denied(Some(code)) => None,
        Why::Refused { code, .. } if BAD_KEYS.contains(&code.as_str()) => {
            Some(Fact::Caller(Caller::Refused(refusal(error).unwrap_or_default())))
        }
        Why::Refused { status, .. } => Some(Fact::Caller(match status {
            400..500 => Caller::Refused(refusal(error).unwrap_or_default()),
            _ => Caller::Silent(error.to_string()),
        })),
    }
}

/// What the server's clock is ahead of ours.
fn ahead_ms(headers: &HeaderMap) -> Option<i64> {
    let date = headers.get(header::DATE)?.to_str().ok()?;
    let theirs = jiff::fmt::rfc2822::parse(date).ok()?.timestamp().as_millisecond();
    let ours = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_millis();
    Some(theirs.saturating_sub(i64::try_from(ours).ok()?))
}
