//! The canonical request: the one text of a request that both sides sign.
//! Rules: "Create a signed AWS API request", AWS IAM user guide; S3's exceptions: its API reference.

use aws_lc_rs::digest;
use http::header::HOST;
use http::request::Parts;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

use super::authorization::query_pairs;

/// All but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// SHA-256 in hexadecimal.
pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes))
}

/// The canonical request, or the name of the signed header that is not there.
pub(super) fn request(
    parts: &Parts,
    s3: bool,
    signed_headers: &[String],
    payload_hash: &str,
) -> Result<Vec<u8>, String> {
    let path = if s3 {
        s3_path(parts.uri.path())
    } else {
        service_path(parts.uri.path())
    };
    let query = query(parts.uri.query().unwrap_or_default());
    let mut text = format!("{}\n{path}\n{query}\n", parts.method).into_bytes();
    for name in signed_headers {
        let value = header(parts, name).ok_or_else(|| name.clone())?;
        text.extend_from_slice(name.as_bytes());
        text.push(b':');
        text.extend_from_slice(&value);
        text.push(b'\n');
    }
    text.extend_from_slice(format!("\n{}\n{payload_hash}", signed_headers.join(";")).as_bytes());
    Ok(text)
}

/// S3 keys are what they are: every segment encoded once, none removed. Encoding what was decoded gives
/// clients that leave characters such as `(` bare in the request line the signature they made.
fn s3_path(path: &str) -> String {
    let encode = |segment: &str| {
        let decoded: Vec<u8> = percent_decode_str(segment).collect();
        percent_encode(&decoded, RESERVED).to_string()
    };
    path.split('/').map(encode).collect::<Vec<_>>().join("/")
}

/// Every other service: dot segments and empty ones removed, then the path as sent is encoded once more.
fn service_path(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            _ => segments.push(segment),
        }
    }
    if segments.is_empty() {
        return "/".to_owned();
    }
    let closing = if path.ends_with('/') { "/" } else { "" };
    let encoded: Vec<String> = segments
        .iter()
        .map(|s| percent_encode(s.as_bytes(), RESERVED).to_string())
        .collect();
    format!("/{}{closing}", encoded.join("/"))
}

fn query(query: &str) -> String {
    let mut pairs: Vec<(String, String)> = query_pairs(query)
        .filter(|(name, _)| name != b"X-Amz-Signature")
        .map(|(name, value)| {
            (
                percent_encode(&name, RESERVED).to_string(),
                percent_encode(&value, RESERVED).to_string(),
            )
        })
        .collect();
    pairs.sort_unstable();
    pairs
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect::<Vec<_>>()
        .join("&")
}

/// The value of a header as it is signed: trimmed, runs of spaces as one, repeated headers joined by commas.
/// Bytes, not text: two values that are no UTF-8 must not look the same.
fn header(parts: &Parts, name: &str) -> Option<Vec<u8>> {
    let values: Vec<Vec<u8>> = parts
        .headers
        .get_all(name)
        .iter()
        .map(|value| collapse(value.as_bytes()))
        .collect();
    if values.is_empty() && name == HOST.as_str() {
        return parts
            .uri
            .authority()
            .map(|authority| authority.as_str().as_bytes().to_vec());
    }
    (!values.is_empty()).then(|| values.join(&b','))
}

fn collapse(value: &[u8]) -> Vec<u8> {
    let words = value
        .split(|byte| matches!(byte, b' ' | b'\t'))
        .filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(&b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s3_path_is_encoded_once_and_never_normalised() {
        for (sent, signed) in [
            ("/", "/"),
            ("/a//b/../c/./", "/a//b/../c/./"),
            ("/env%3A/prod", "/env%3A/prod"),
            ("/env:/prod", "/env%3A/prod"),
            ("/a%20b(1)%7E", "/a%20b%281%29~"),
            ("/a+b", "/a%2Bb"),
            ("/a%2Fb", "/a%2Fb"),
            ("/%C3%A9", "/%C3%A9"),
            ("/100%", "/100%25"),
        ] {
            assert_eq!(s3_path(sent), signed, "{sent}");
        }
    }

    #[test]
    fn path_of_other_services_is_normalised_and_encoded_twice() {
        for (sent, signed) in [
            ("/", "/"),
            ("//", "/"),
            ("/./", "/"),
            ("/foo/..", "/"),
            ("/foo/bar/../..", "/"),
            ("//foo//", "/foo/"),
            ("/./foo", "/foo"),
            ("/a%20b", "/a%2520b"),
        ] {
            assert_eq!(service_path(sent), signed, "{sent}");
        }
    }

    #[test]
    fn query_is_sorted_by_encoded_name_then_value() {
        assert_eq!(query(""), "");
        assert_eq!(query("b=2&a=2&a=1&acl"), "a=1&a=2&acl=&b=2");
        assert_eq!(query("p=a+b&p=%2B&X-Amz-Signature=00"), "p=%2B&p=a%20b");
    }
}
