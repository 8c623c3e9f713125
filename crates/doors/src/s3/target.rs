//! Which bucket and key a request is about, and its query: from the raw request, decoded once, never normalised.

use std::net::IpAddr;

use http::request::Parts;
use percent_encoding::percent_decode_str;

use super::error::{Code, Error, Result};

/// What a request names: the service, a bucket, or a key in a bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) bucket: Option<String>,
    pub(crate) key: Option<String>,
}

impl Target {
    /// Reads the target from host and path. `hosts` are the names that this server is known by, besides `localhost`
    /// and any `s3.…`: below them, a further label is a bucket.
    ///
    /// # Errors
    /// `InvalidURI` when the path does not decode to UTF-8.
    pub(crate) fn of(parts: &Parts, hosts: &[String]) -> Result<Target> {
        let path = parts.uri.path();
        let path = path.strip_prefix('/').unwrap_or(path);
        let host = parts.headers.get(http::header::HOST);
        let host = host.and_then(|host| host.to_str().ok()).or(parts.uri.host());
        let bucket = host.and_then(|host| bucket_of_host(host, hosts));
        let (bucket, key) = match bucket {
            Some(bucket) => (bucket, path),
            None => path.split_once('/').unwrap_or((path, "")),
        };
        Ok(Target {
            bucket: decode(bucket)?,
            key: decode(key)?,
        })
    }

    /// The target as the log names it: `bucket/key`, or as much of it as there is.
    pub(crate) fn address(&self) -> String {
        let bucket = self.bucket.as_deref().unwrap_or_default();
        match &self.key {
            Some(key) => format!("{bucket}/{key}"),
            None => bucket.to_owned(),
        }
    }
}

fn decode(text: &str) -> Result<Option<String>> {
    let text = percent_decode_str(text)
        .decode_utf8()
        .map_err(|_| Error::new(Code::InvalidURI))?;
    Ok(Some(text.into_owned()).filter(|text| !text.is_empty()))
}

/// The bucket that a virtual-host style name carries: what stands before `.s3.…`, `.localhost` or one of `hosts`.
fn bucket_of_host<'a>(host: &'a str, hosts: &[String]) -> Option<&'a str> {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    if name.starts_with('[') || name.parse::<IpAddr>().is_ok() {
        return None;
    }
    let below = |base: &str| name.strip_suffix(base)?.strip_suffix('.');
    let known = hosts.iter().map(String::as_str).chain(["localhost"]);
    let front = known.clone().find_map(below);
    if front.is_none() && known.clone().any(|base| base == name) {
        return None;
    }
    // `s3.localhost` and `s3.eu-west-1.amazonaws.com` are the service itself.
    // A bucket may well be called `s3-state`.
    let service = |label: &str| label == "s3" || label.strip_prefix("s3-").is_some_and(is_region);
    let name = front.unwrap_or(name);
    let before = name
        .match_indices('.')
        .filter(|(at, _)| service(name[at + 1..].split('.').next().unwrap_or_default()))
        .map(|(at, _)| &name[..at])
        .next_back();
    match before {
        Some(bucket) => Some(bucket),
        None if service(name.split('.').next().unwrap_or_default()) => None,
        None => front,
    }
    .filter(|bucket| !bucket.is_empty())
}

/// Whether a label has the form of a region: `us-east-1`, `us-gov-west-1`.
fn is_region(label: &str) -> bool {
    let (place, number) = label.rsplit_once('-').unwrap_or_default();
    place.contains('-') && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// The parameters of a query, decoded, in their order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads a raw query.
    ///
    /// # Errors
    /// `InvalidURI` when a parameter does not decode to UTF-8.
    pub(crate) fn parse(raw: &str) -> Result<Query> {
        let decode = |text: &str| {
            let text = text.replace('+', " ");
            let text = percent_decode_str(&text).decode_utf8();
            text.map(|text| text.into_owned())
                .map_err(|_| Error::new(Code::InvalidURI))
        };
        let pairs = raw.split('&').filter(|pair| !pair.is_empty());
        pairs
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                Ok((decode(name)?, decode(value)?))
            })
            .collect::<Result<_>>()
            .map(Query)
    }

    /// The value of the first parameter of that name; empty for one without a value.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.pairs().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// As [`Query::get`], but `None` for an empty value.
    pub(crate) fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// Whether there is a parameter of that name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// All parameters.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// A number that S3 bounds by 0 and 2^31-1.
    ///
    /// # Errors
    /// `InvalidArgument` in S3's words when it is anything else.
    pub(crate) fn count(&self, name: &str) -> Result<Option<usize>> {
        let Some(text) = self.filled(name) else {
            return Ok(None);
        };
        let count = text.parse::<i32>().map_err(|_| {
            let message = format!("Provided {name} not an integer or within integer range");
            Error::argument(message, name, text)
        })?;
        usize::try_from(count).map(Some).map_err(|_| {
            let message = format!("Argument {name} must be an integer between 0 and 2147483647");
            Error::argument(message, name, text)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(host: &str, path: &str) -> (Option<String>, Option<String>) {
        let request = http::Request::get(path).header("host", host).body(()).unwrap();
        let target = Target::of(&request.into_parts().0, &["tide.example.org".to_owned()]).unwrap();
        (target.bucket, target.key)
    }

    fn owned(bucket: &str, key: &str) -> (Option<String>, Option<String>) {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        (some(bucket), some(key))
    }

    #[test]
    fn both_styles_name_the_same_object() {
        for (host, path, bucket, key) in [
            ("127.0.0.1:9470", "/b/k", "b", "k"),
            ("[::1]:9470", "/b/k", "b", "k"),
            ("localhost:9470", "/b/k", "b", "k"),
            ("tide.example.org", "/b/k", "b", "k"),
            ("other.example.org", "/b/k", "b", "k"),
            ("s3.localhost", "/b/k", "b", "k"),
            ("s3.eu-west-1.amazonaws.com", "/b/k", "b", "k"),
            ("s3-eu-west-1.amazonaws.com", "/b/k", "b", "k"),
            ("b.localhost:9470", "/k", "b", "k"),
            ("b.tide.example.org", "/k", "b", "k"),
            ("b.s3.tide.example.org", "/k", "b", "k"),
            ("b.c.s3.eu-west-1.localhost:9470", "/k", "b.c", "k"),
            ("b.c.s3.amazonaws.com", "/k/l", "b.c", "k/l"),
            ("s3-state.localhost:9470", "/k", "s3-state", "k"),
            ("s3-state.tide.example.org", "/k", "s3-state", "k"),
            ("b.s3-state.localhost", "/k", "b.s3-state", "k"),
            ("s3-eu-west-1.localhost", "/b/k", "b", "k"),
            ("b.s3-eu-west-1.amazonaws.com", "/k", "b", "k"),
            ("127.0.0.1", "/", "", ""),
            ("127.0.0.1", "/b", "b", ""),
            ("127.0.0.1", "/b/", "b", ""),
            ("b.localhost", "/", "b", ""),
        ] {
            assert_eq!(target(host, path), owned(bucket, key), "{host} {path}");
        }
    }

    #[test]
    fn keys_are_decoded_once_and_never_normalised() {
        for (path, key) in [
            ("/b//x//y/", "/x//y/"),
            ("/b/env%3A/dev/a%20b", "env:/dev/a b"),
            ("/b/env%253A/x", "env%3A/x"),
            ("/b/a+b", "a+b"),
            ("/b/./../x", "./../x"),
            ("/b/%C3%BC%2Fx", "ü/x"),
            ("/b/%", "%"),
        ] {
            assert_eq!(target("127.0.0.1", path), owned("b", key), "{path}");
        }
    }

    #[test]
    fn a_path_that_is_not_utf8_is_refused() {
        let request = http::Request::get("/b/%ff").body(()).unwrap();
        let error = Target::of(&request.into_parts().0, &[]).unwrap_err();
        assert_eq!(error.code, Code::InvalidURI.name());
    }

    #[test]
    fn a_query_keeps_what_it_says() {
        let query = Query::parse("delete&prefix=a%2Fb+c%2B&max-keys=7&x=&n=-1&m=x").unwrap();
        assert!(query.has("delete"));
        assert_eq!(query.get("prefix"), Some("a/b c+"));
        assert_eq!((query.get("x"), query.filled("x")), (Some(""), None));
        assert_eq!(query.count("max-keys").unwrap(), Some(7));
        assert_eq!(query.count("n").unwrap_err().code, "InvalidArgument");
        assert_eq!(query.count("m").unwrap_err().code, "InvalidArgument");
        assert!(Query::parse("a=%ff").is_err());
    }
}
