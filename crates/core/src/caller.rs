//! Who is asking.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::{
    Time,
    limits::{RUN_ID_CHARS_MAX, RUN_ID_CHARS_MIN, SESSION_RENEWAL_MS},
};

/// The holder-to-be of a lock, the writer of a state: everything known of who sent a request.
///
/// One CI job is told from another by the run token, two people with one key by their source address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Caller {
    /// The principal's ARN.
    pub principal: String,
    /// The access key id that signed the request, or the user of HTTP basic authentication.
    pub access_key_id: String,
    /// The peer's IP address, without the port: a port changes with every connection.
    pub source: String,
    /// What `TF_APPEND_USER_AGENT` or `AWS_SDK_UA_APP_ID` put into the User-Agent, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_token: Option<String>,
    /// The session whose temporary key that is. Boxed because callers stand in many errors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<Box<Session>>,
}

/// What is known of a session beside its key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Session {
    /// Whose it is: the same in the session that a client takes when this one ends.
    pub of: String,
    /// When it began.
    pub issued: Time,
    /// When it ends.
    pub expires: Time,
}

impl Caller {
    /// Whether this is the one that is remembered as `earlier`: the same, or the same with its next session.
    ///
    /// A client whose session ends in the middle of a run takes another one, and with it another key. Two runs of one role and
    /// session name at one address have two keys, and are told apart by them for as long as neither had to do that.
    #[must_use]
    pub fn is(&self, earlier: &Caller) -> bool {
        self == earlier || self.succeeds(earlier)
    }

    /// Whether this one's session was taken because that of `earlier` was at its end, as far as can be seen.
    #[must_use]
    pub fn succeeds(&self, earlier: &Caller) -> bool {
        let (Some(now), Some(then)) = (&self.session, &earlier.session) else {
            return false;
        };
        now.of == then.of
            && self.source == earlier.source
            && self.run_token == earlier.run_token
            && now.issued >= then.expires.plus_ms(-SESSION_RENEWAL_MS)
            && self.access_key_id != earlier.access_key_id
    }

    /// What stays the same of it from session to session.
    #[must_use]
    pub fn lasting(&self) -> Cow<'_, Caller> {
        match &self.session {
            None => Cow::Borrowed(self),
            Some(session) => Cow::Owned(Caller {
                principal: String::new(),
                access_key_id: session.of.clone(),
                session: None,
                ..self.clone()
            }),
        }
    }
}

/// What stands before a run's ID in `TF_APPEND_USER_AGENT`, and in the user of HTTP basic authentication.
pub const RUN_WORD: &str = "tidelock-run/";

/// The same in `AWS_SDK_UA_APP_ID`, in which AWS's clients turn a slash into a hyphen.
pub const RUN_APP_WORD: &str = "tidelock-run-";

/// Whether `id` may name a run: letters, digits and hyphens, as a UUID is made of.
#[must_use]
pub fn is_run_id(id: &str) -> bool {
    (RUN_ID_CHARS_MIN..=RUN_ID_CHARS_MAX).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// The run that a run token names, as `tidelock run` wrote it: the innermost where one runs inside another.
#[must_use]
pub fn run_id(token: &str) -> Option<&str> {
    let words = || token.split_ascii_whitespace().rev();
    let own = words().find_map(|word| word.strip_prefix(RUN_WORD).filter(|id| is_run_id(id)));
    own.or_else(|| {
        words().find_map(|word| {
            let (_, id) = word.strip_prefix("app/")?.rsplit_once(RUN_APP_WORD)?;
            is_run_id(id).then_some(id)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123";

    #[test]
    fn the_word_of_a_run_is_found_among_others() {
        for token in [
            format!("tidelock-run/{ID}"),
            format!("ci/17 tidelock-run/{ID} https://ci.example/job/17"),
            format!("app/tidelock-run-{ID}"),
            format!("app/team-a.tidelock-run-{ID} attempt/2"),
            format!("app/tidelock-run-outer-outer-outer tidelock-run/outer-outer-outer tidelock-run/{ID}"),
        ] {
            assert_eq!(run_id(&token), Some(ID), "{token}");
        }
    }

    #[test]
    fn what_only_looks_like_the_word_of_a_run_is_none() {
        for token in [
            String::new(),
            "ci/17".to_owned(),
            "tidelock-run/".to_owned(),
            "tidelock-run/short".to_owned(),
            format!("x/tidelock-run/{ID}"),
            format!("tidelock-run-{ID}"),
            format!("tidelock-run/{ID}/x"),
            format!("tidelock-run/{}", "x".repeat(65)),
        ] {
            assert_eq!(run_id(&token), None, "{token}");
        }
    }
}
