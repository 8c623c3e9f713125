//! Which bytes of a body a request wants.

use std::ops::Range;

use super::error::{Code, Error, Result};

/// Reads a `Range` header against a body of `size` bytes. `None` means all of it: also for a header that is not one
/// range of bytes, which S3 ignores as RFC 9110 allows.
///
/// # Errors
/// `InvalidRange` when the range lies beyond the end.
pub(crate) fn wanted(header: Option<&str>, size: u64) -> Result<Option<Range<u64>>> {
    let Some(header) = header else { return Ok(None) };
    let Some((first, last)) = header
        .strip_prefix("bytes=")
        .and_then(|spec| spec.split_once('-'))
    else {
        return Ok(None);
    };
    let number = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
        true if text.is_empty() => None,
        // Longer than any body: what does not fit is as good as the largest number.
        true => Some(text.parse().unwrap_or(u64::MAX)),
        false => None,
    };
    let range = match (number(first.trim()), number(last.trim())) {
        (Some(first), Some(last)) if first <= last => first..last.saturating_add(1).min(size),
        (Some(first), None) if last.trim().is_empty() => first..size,
        (None, Some(count)) if first.trim().is_empty() && count > 0 => size.saturating_sub(count)..size,
        (None, Some(0)) if first.trim().is_empty() => size..size,
        _ => return Ok(None),
    };
    if range.is_empty() {
        return Err(Error::new(Code::InvalidRange)
            .with("RangeRequested", header)
            .with("ActualObjectSize", size.to_string())
            .with_header("content-range", format!("bytes */{size}")));
    }
    Ok(Some(range))
}

/// Reads `x-amz-copy-source-range`, which is stricter: both ends, within the source.
///
/// # Errors
/// `InvalidArgument` in S3's words.
pub(crate) fn of_copy(header: &str, size: u64) -> Result<Range<u64>> {
    let ends = header
        .strip_prefix("bytes=")
        .and_then(|spec| spec.split_once('-'));
    let ends = ends.and_then(|(first, last)| Some((first.parse::<u64>().ok()?, last.parse::<u64>().ok()?)));
    match ends {
        Some((first, last)) if first <= last && last < size => Ok(first..last + 1),
        Some((first, last)) if first <= last => Err(Error::argument(
            format!("Range specified is not valid for source object of size: {size}"),
            "x-amz-copy-source-range",
            header,
        )),
        _ => Err(Error::argument(
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the \
             zero-based offsets of the first and last bytes to copy",
            "x-amz-copy-source-range",
            header,
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_cut_at_the_end_of_the_body() {
        for (header, range) in [
            ("bytes=0-5242879", Some(0..10)),
            ("bytes=0-0", Some(0..1)),
            ("bytes=3-", Some(3..10)),
            ("bytes=-4", Some(6..10)),
            ("bytes=-400", Some(0..10)),
            ("bytes=9-99999999999999999999999", Some(9..10)),
            ("bytes=5-4", None),
            ("bytes=0-1,3-4", None),
            ("bytes=a-b", None),
            ("items=0-1", None),
            ("bytes=-", None),
        ] {
            assert_eq!(wanted(Some(header), 10).unwrap(), range, "{header}");
        }
        for header in ["bytes=10-", "bytes=10-20", "bytes=-0"] {
            assert_eq!(
                wanted(Some(header), 10).unwrap_err().code,
                "InvalidRange",
                "{header}"
            );
        }
        assert_eq!(wanted(Some("bytes=0-"), 0).unwrap_err().code, "InvalidRange");
        assert_eq!(wanted(None, 10).unwrap(), None);
    }

    #[test]
    fn a_copied_range_lies_within_its_source() {
        assert_eq!(of_copy("bytes=0-9", 10).unwrap(), 0..10);
        for header in ["bytes=0-10", "bytes=3-", "bytes=-3", "bytes=4-3", "0-3"] {
            assert_eq!(
                of_copy(header, 10).unwrap_err().code,
                "InvalidArgument",
                "{header}"
            );
        }
    }
}
