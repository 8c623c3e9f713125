//! Where a bucket is: below AWS's own name or another server's, in the host name or in the path.

use http::{Uri, uri::Authority};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::aws::{Settings, SettingsError};

/// What S3's canonical path keeps as it is.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// What a query's value keeps as it is.
const QUERY: &AsciiSet = &PATH.add(b'/');

/// A server that speaks S3.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    scheme: &'static str,
    authority: Authority,
    virtual_hosts: bool,
}

impl Endpoint {
    pub(super) fn of(settings: &Settings) -> Result<Endpoint, SettingsError> {
        let style = settings
            .profiles
            .nested(&settings.profile, "s3", "addressing_style");
        let told = settings.endpoint("s3");
        // Other servers than AWS know a bucket by its path always, and by its host only if somebody has set up DNS.
        let virtual_hosts = match (settings.wanted.path_style, style) {
            (Some(in_path), _) => !in_path,
            (None, Some("virtual")) => true,
            (None, Some("path")) => false,
            (None, _) => told.is_none(),
        };
        let url = told.unwrap_or_else(|| settings.endpoint_of_aws("s3"));
        let wrong = || SettingsError::Endpoint(url.clone());
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let scheme = match uri.scheme_str() {
            Some("http") => "http",
            Some("https") => "https",
            _ => return Err(wrong()),
        };
        let authority = uri
            .authority()
            .filter(|authority| !authority.as_str().contains('@'));
        let is_bare = matches!(uri.path(), "" | "/") && uri.query().is_none();
        let authority = authority.filter(|_| is_bare).ok_or_else(wrong)?.clone();
        Ok(Endpoint {
            scheme,
            authority,
            virtual_hosts,
        })
    }

    /// `https://HOST[:PORT]`.
    pub(super) fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.authority)
    }

    /// The URL of an object, or of the bucket where the key is empty; a query's names are given as they are written.
    pub(super) fn target(&self, bucket: &str, key: &str, query: &[(&str, &str)]) -> String {
        // A certificate for `*.s3.REGION.amazonaws.com` covers no further dot.
        let by_host = self.virtual_hosts && !(bucket.contains('.') && self.scheme == "https");
        let path = match by_host {
            true => key.to_owned(),
            false if key.is_empty() => bucket.to_owned(),
            false => format!("{bucket}/{key}"),
        };
        let host = if by_host {
            format!("{bucket}.")
        } else {
            String::new()
        };
        let path = utf8_percent_encode(&path, PATH);
        let mut target = format!("{}://{host}{}/{path}", self.scheme, self.authority);
        for (at, (name, value)) in query.iter().enumerate() {
            target.push(if at == 0 { '?' } else { '&' });
            target.push_str(name);
            target.push('=');
            target.extend(utf8_percent_encode(value, QUERY));
        }
        target
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::aws::{Environment, Wanted};

    fn endpoint(variables: &[(&str, &str)], told: Option<&str>) -> Result<Endpoint, SettingsError> {
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
        let wanted = Wanted {
            endpoint: told.map(str::to_owned),
            ..Wanted::default()
        };
        Endpoint::of(&Settings::load(Environment::new(variables), wanted)?)
    }

    #[test]
    fn a_bucket_of_aws_is_in_the_host_name_unless_a_dot_breaks_its_certificate() {
        let aws = endpoint(&[("AWS_REGION", "eu-central-1")], None).unwrap();
        assert_eq!(
            aws.target("tf", "a b/ü+%", &[("versionId", "x/y"), ("acl", "")]),
            "https://tf.s3.eu-central-1.amazonaws.com/a%20b/%C3%BC%2B%25?versionId=x%2Fy&acl="
        );
        assert_eq!(
            aws.target("t.f", "k", &[]),
            "https://s3.eu-central-1.amazonaws.com/t.f/k"
        );
        let china = endpoint(&[("AWS_REGION", "cn-north-1")], None).unwrap();
        assert_eq!(china.url(), "https://s3.cn-north-1.amazonaws.com.cn");
    }

    #[test]
    fn the_nearest_word_about_the_endpoint_counts_and_means_paths() {
        let general = ("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
        let of_s3 = ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:2/");
        let url = |variables: &[_], told| endpoint(variables, told).unwrap().target("tf", "k", &[]);
        assert_eq!(url(&[general], None), "http://127.0.0.1:1/tf/k");
        let bucket = endpoint(&[general], None).unwrap();
        assert_eq!(
            bucket.target("tf", "", &[("versions", "")]),
            "http://127.0.0.1:1/tf?versions="
        );
        assert_eq!(url(&[general, of_s3], None), "http://127.0.0.1:2/tf/k");
        assert_eq!(
            url(&[general, of_s3], Some("http://127.0.0.1:3")),
            "http://127.0.0.1:3/tf/k"
        );
        let ignored = ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true");
        assert_eq!(
            url(&[general, ignored], None),
            "https://tf.s3.us-east-1.amazonaws.com/k"
        );
    }

    #[test]
    fn what_is_no_url_of_a_host_is_refused() {
        for told in [
            "127.0.0.1:9000",
            "ftp://h",
            "http://u:p@h",
            "http://h/path",
            "http://h/?q",
            "http://",
        ] {
            let refused = endpoint(&[], Some(told));
            assert!(matches!(refused, Err(SettingsError::Endpoint(_))), "{told}");
        }
    }
}
