//! Spans of time as people type them: `90s`, `5m`, `2h`, `30d`.

use std::time::Duration;

/// Reads a whole number and its unit; a bare number would be taken for minutes by some and for seconds by others.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let split = text.len() - text.bytes().rev().take_while(u8::is_ascii_alphabetic).count();
    let (number, unit) = text.split_at(split);
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return Err("write a number and s, m, h or d, such as 90s".to_owned()),
    };
    let number = number.parse::<u32>().map_err(|why| why.to_string())?;
    Ok(Duration::from_secs(u64::from(number) * seconds))
}

/// A span for people, in its two largest units: `45s`, `12m`, `2h 5m`, `3d 4h`.
pub(crate) fn written(ms: i64) -> String {
    let seconds = ms.max(0) / 1_000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m"),
        (0, _, _) => format!("{hours}h {}m", minutes % 60),
        _ => format!("{days}d {}h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_shows_what_matters_of_it() {
        for (seconds, text) in [
            (-5, "0s"),
            (45, "45s"),
            (725, "12m"),
            (7_500, "2h 5m"),
            (273_600, "3d 4h"),
        ] {
            assert_eq!(written(seconds * 1_000), text);
        }
    }

    #[test]
    fn a_number_needs_its_unit() {
        for (text, seconds) in [("90s", 90), ("5m", 300), ("2h", 7_200), ("30d", 2_592_000)] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)));
        }
        for text in ["", "s", "60", "1w", "1.5h", "-1s", "1 m", "99999999999s", "1é"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
