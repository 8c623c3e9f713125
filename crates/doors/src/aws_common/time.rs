//! The forms in which AWS's protocols write a time: `x-amz-date` (ISO 8601, basic) and `Date` (RFC 9110) of a signed
//! request, the HTTP date of headers, the ISO 8601 of documents.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::rfc2822::{DateTimeParser, DateTimePrinter};
use jiff::tz::TimeZone;
use tidelock_core::Time;

/// The time of a request, and the text of it that went into the signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AmzDate {
    /// `yyyyMMdd'T'HHmmss'Z'`.
    pub(crate) text: String,
    pub(crate) at: Time,
}

impl AmzDate {
    /// Reads `yyyyMMdd'T'HHmmss'Z'`, and nothing else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if bytes.len() != 16 || bytes[8] != b'T' || bytes[15] != b'Z' {
            return None;
        }
        let year = i16::try_from(digits(&bytes[0..4])?).ok()?;
        let [month, day, hour, minute, second] = [
            two_digits(&bytes[4..6])?,
            two_digits(&bytes[6..8])?,
            two_digits(&bytes[9..11])?,
            two_digits(&bytes[11..13])?,
            two_digits(&bytes[13..15])?,
        ];
        let civil = DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
        let at = Time(TimeZone::UTC.to_timestamp(civil).ok()?.as_millisecond());
        Some(Self {
            text: text.to_owned(),
            at,
        })
    }

    /// Reads a `Date` header: RFC 2822 as HTTP uses it, or the form of `x-amz-date`, which old signers put there.
    pub(crate) fn parse_http(text: &str) -> Option<Self> {
        if let Some(date) = Self::parse(text) {
            return Some(date);
        }
        let at = Time(jiff::fmt::rfc2822::parse(text).ok()?.timestamp().as_millisecond());
        Some(Self { text: amz(at), at })
    }

    /// `yyyyMMdd`: what the credential scope must begin with.
    pub(crate) fn day(&self) -> &str {
        &self.text[..8]
    }
}

fn digits(text: &[u8]) -> Option<u32> {
    text.iter().try_fold(0u32, |sum, byte| {
        byte.is_ascii_digit().then(|| sum * 10 + u32::from(byte - b'0'))
    })
}

fn two_digits(text: &[u8]) -> Option<i8> {
    i8::try_from(digits(text)?).ok()
}

/// `20130524T000000Z`.
pub(crate) fn amz(at: Time) -> String {
    timestamp(at).strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// `2013-05-24T00:00:00Z`, the form of times in S3's error documents.
pub(crate) fn iso(at: Time) -> String {
    timestamp(at).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// `2026-11-21T08:00:00.000Z`, the form of times in S3's other documents.
pub(crate) fn iso_millis(at: Time) -> String {
    format!("{:.3}", timestamp(at))
}

/// `21/Nov/2026:08:00:00 +0000`, as lines of access logs have it.
pub(crate) fn log_time(at: Time) -> String {
    timestamp(at).strftime("%d/%b/%Y:%H:%M:%S +0000").to_string()
}

/// Reads a time of ISO 8601 with its offset, as documents and headers carry it.
pub(crate) fn parse_iso(text: &str) -> Option<Time> {
    let at: Timestamp = text.parse().ok()?;
    Some(Time(at.as_millisecond()))
}

/// `Sat, 21 Nov 2026 08:00:00 GMT`.
pub(crate) fn http_date(at: Time) -> String {
    DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&timestamp(at))
        .unwrap_or_default()
}

/// Reads an HTTP date.
pub(crate) fn parse_http_date(text: &str) -> Option<Time> {
    let at = DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Time(at.as_millisecond()))
}

/// A time beyond the year 9999 is shown as the epoch: no clock shows one.
fn timestamp(at: Time) -> Timestamp {
    Timestamp::from_millisecond(at.0).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn amz_and_http_dates_of_one_moment_are_equal() {
        let amz = AmzDate::parse("20130524T000000Z").unwrap();
        assert_eq!(amz, AmzDate::parse_http("Fri, 24 May 2013 00:00:00 GMT").unwrap());
        assert_eq!(amz.day(), "20130524");
        assert_eq!(iso(amz.at), "2013-05-24T00:00:00Z");
    }

    #[test]
    fn anything_but_the_basic_form_is_refused() {
        for text in [
            "",
            "20130524T000000",
            "20130524T000000Z ",
            "20131324T000000Z",
            "20130230T000000Z",
            "20130524T250000Z",
            "+0130524T000000Z",
            "2013-05-24T00:00:00Z",
            "20130524t000000Z",
            "2013052éT00000Z",
        ] {
            assert_eq!(AmzDate::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_time_has_two_forms() {
        let time = Time(1_795_248_000_007);
        assert_eq!(http_date(time), "Sat, 21 Nov 2026 08:00:00 GMT");
        assert_eq!(log_time(time), "21/Nov/2026:08:00:00 +0000");
        assert_eq!(iso_millis(time), "2026-11-21T08:00:00.007Z");
        assert_eq!(parse_http_date(&http_date(time)), Some(Time(1_795_248_000_000)));
        assert_eq!(parse_http_date("yesterday"), None);
        assert_eq!(parse_iso(&iso_millis(time)), Some(time));
        assert_eq!(parse_iso("2026-11-21T08:00:00Z"), Some(Time(1_795_248_000_000)));
        assert_eq!(parse_iso("2026-11-21"), None);
    }
}
