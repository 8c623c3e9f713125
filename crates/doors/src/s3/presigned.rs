//! Presigned URLs may carry what would otherwise be headers: `x-amz-meta-…`, `x-amz-tagging` and so on, as signers
//! hoist them into the query.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::target::Query;

/// The parameters that are the signature's own.
const SIGNATURE: [&str; 8] = [
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-expires",
    "x-amz-signature",
    "x-amz-signedheaders",
    "x-amz-security-token",
    "x-amz-content-sha256",
];

/// Puts hoisted parameters back among the headers. A header that was sent as one counts more.
pub(crate) fn restore_hoisted(query: &Query, headers: &mut HeaderMap) {
    if !query.has("X-Amz-Signature") {
        return;
    }
    for (name, value) in query.pairs() {
        let name = name.to_ascii_lowercase();
        if !name.starts_with("x-amz-") || SIGNATURE.contains(&name.as_str()) || headers.contains_key(&name) {
            continue;
        }
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value.as_bytes())) {
            headers.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_presigned_query_speaks_for_headers() {
        let restored = |query: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-amz-acl", HeaderValue::from_static("private"));
            restore_hoisted(&Query::parse(query).unwrap(), &mut headers);
            headers
        };
        let headers =
            restored("x-amz-meta-a=b%20c&x-amz-acl=public-read&X-Amz-Date=1&X-Amz-Signature=s&prefix=p");
        assert_eq!(headers["x-amz-meta-a"], "b c");
        assert_eq!(headers["x-amz-acl"], "private");
        assert_eq!(headers.len(), 2);
        assert_eq!(restored("x-amz-meta-a=b").len(), 1);
    }
}
