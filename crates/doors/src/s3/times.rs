//! The two forms in which S3 writes a time: the HTTP date of headers, the ISO 8601 of documents.

use jiff::{
    Timestamp,
    fmt::rfc2822::{DateTimeParser, DateTimePrinter},
};
use tidelock_core::Time;

fn timestamp(time: Time) -> Timestamp {
    Timestamp::from_millisecond(time.0).unwrap_or_default()
}

/// `Sat, 21 Nov 2026 08:00:00 GMT`.
pub(crate) fn http_date(time: Time) -> String {
    DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&timestamp(time))
        .unwrap_or_default()
}

/// `2026-11-21T08:00:00.000Z`.
pub(crate) fn iso(time: Time) -> String {
    format!("{:.3}", timestamp(time))
}

/// Reads an HTTP date.
pub(crate) fn parse_http_date(text: &str) -> Option<Time> {
    let time = DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Time(time.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_two_forms() {
        let time = Time(1_795_248_000_007);
        assert_eq!(http_date(time), "Sat, 21 Nov 2026 08:00:00 GMT");
        assert_eq!(iso(time), "2026-11-21T08:00:00.007Z");
        assert_eq!(parse_http_date(&http_date(time)), Some(Time(1_795_248_000_000)));
        assert_eq!(parse_http_date("yesterday"), None);
    }
}
