//! Conditional requests: what a write demands of the current version, what a read demands of what it found.
//!
//! Source: RFC 9110 section 13.2.2 for the precedence, "Conditional requests" of the Amazon S3 user guide for the rest.

use http::HeaderMap;
use tidelock_core::{Time, decide::Precondition};

use super::{
    error::{Code, Error, Result},
    headers::text,
};
use crate::aws_common::time::{http_date, parse_http_date};

/// The conditions of PUT, DELETE, copy and CompleteMultipartUpload.
///
/// # Errors
/// `NotImplemented`, as S3 answers, for an `If-None-Match` other than `*`.
pub(crate) fn for_write(headers: &HeaderMap) -> Result<Precondition> {
    let absent = match text(headers, "if-none-match")? {
        None => false,
        Some("*") => true,
        Some(_) => return Err(Error::new(Code::NotImplemented).with("Header", "If-None-Match")),
    };
    let etags = text(headers, "if-match")?.map(|list| etags(list).map(str::to_owned).collect());
    Ok(Precondition { absent, etags })
}

/// The ETags of a list, without quotes and weakness marks.
fn etags(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(unquoted)
}

/// An ETag as it is compared: without quotes, whichever way the client wrote it.
pub(crate) fn unquoted(etag: &str) -> &str {
    let etag = etag.trim();
    etag.strip_prefix("W/").unwrap_or(etag).trim_matches('"')
}

/// The four conditions of a read.
#[derive(Debug, Default)]
pub(crate) struct ReadConditions<'a> {
    matches: Option<&'a str>,
    none_matches: Option<&'a str>,
    modified_since: Option<Time>,
    unmodified_since: Option<Time>,
}

impl<'a> ReadConditions<'a> {
    /// The conditions of GET and HEAD. Dates that cannot be read are ignored, as RFC 9110 demands.
    ///
    /// # Errors
    /// When a header is not text.
    pub(crate) fn of_get(headers: &'a HeaderMap) -> Result<ReadConditions<'a>> {
        Self::read(headers, "")
    }

    /// The conditions on the source of a copy.
    ///
    /// # Errors
    /// When a header is not text.
    pub(crate) fn of_copy_source(headers: &'a HeaderMap) -> Result<ReadConditions<'a>> {
        Self::read(headers, "x-amz-copy-source-")
    }

    fn read(headers: &'a HeaderMap, before: &str) -> Result<ReadConditions<'a>> {
        let get = |name: &str| text(headers, &format!("{before}{name}"));
        let date = |name: &str| Ok::<_, Error>(get(name)?.and_then(parse_http_date));
        Ok(ReadConditions {
            matches: get("if-match")?,
            none_matches: get("if-none-match")?,
            modified_since: date("if-modified-since")?,
            unmodified_since: date("if-unmodified-since")?,
        })
    }

    /// Holds the conditions against what was found.
    ///
    /// # Errors
    /// `PreconditionFailed`, or `NotModified`, which a GET answers with 304 and a copy with 412.
    pub(crate) fn check(&self, etag: &str, written: Time) -> Result<()> {
        let among = |list: &str| etags(list).any(|one| one == "*" || one == etag);
        let newer_than = |date: Time| written.0.div_euclid(1_000) > date.0.div_euclid(1_000);
        match (self.matches, self.unmodified_since) {
            (Some(list), _) if !among(list) => return Err(Error::precondition("If-Match")),
            (None, Some(date)) if newer_than(date) => return Err(Error::precondition("If-Unmodified-Since")),
            _ => {}
        }
        let unchanged = match (self.none_matches, self.modified_since) {
            (Some(list), _) => among(list),
            (None, Some(date)) => !newer_than(date),
            (None, None) => false,
        };
        if unchanged {
            return Err(Error::new(Code::NotModified)
                .with_header("etag", format!("\"{etag}\""))
                .with_header("last-modified", http_date(written)));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITTEN: Time = Time(1_795_248_000_500);
    const AT: &str = "Sat, 21 Nov 2026 08:00:00 GMT";
    const BEFORE: &str = "Sat, 21 Nov 2026 07:59:59 GMT";

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn reads_follow_the_precedence_of_rfc_9110() {
        let cases: &[(&[(&'static str, &str)], u16)] = &[
            (&[], 200),
            (&[("if-match", "\"e\"")], 200),
            (&[("if-match", "*")], 200),
            (&[("if-match", "x, e")], 200),
            (&[("if-match", "x")], 412),
            (&[("if-none-match", "\"e\"")], 304),
            (&[("if-none-match", "W/\"e\"")], 304),
            (&[("if-none-match", "x")], 200),
            (&[("if-modified-since", AT)], 304),
            (&[("if-modified-since", BEFORE)], 200),
            (&[("if-modified-since", "nonsense")], 200),
            (&[("if-unmodified-since", AT)], 200),
            (&[("if-unmodified-since", BEFORE)], 412),
            (&[("if-match", "e"), ("if-unmodified-since", BEFORE)], 200),
            (&[("if-none-match", "x"), ("if-modified-since", AT)], 200),
            (&[("if-none-match", "e"), ("if-modified-since", BEFORE)], 304),
            (&[("if-match", "x"), ("if-none-match", "e")], 412),
        ];
        for (pairs, status) in cases {
            let headers = headers(pairs);
            let outcome = ReadConditions::of_get(&headers).unwrap().check("e", WRITTEN);
            let got = outcome.map_or_else(|error| error.status.as_u16(), |()| 200);
            assert_eq!(got, *status, "{pairs:?}");
        }
    }

    #[test]
    fn a_write_may_demand_absence_or_an_etag() {
        let absent = for_write(&headers(&[("if-none-match", "*")])).unwrap();
        assert!(absent.absent && absent.etags.is_none());
        let etags = for_write(&headers(&[("if-match", "\"a\"")])).unwrap();
        assert_eq!(etags.etags, Some(vec!["a".to_owned()]));
        let error = for_write(&headers(&[("if-none-match", "\"a\"")])).unwrap_err();
        assert_eq!(error.code, "NotImplemented");
    }
}
