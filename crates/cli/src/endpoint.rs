//! Where a server is, and whom to trust there: what it leaves in its data directory for the commands beside it.

use std::{fmt, path::PathBuf};

/// How a client of this machine gets to a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// Such as `https://state.example.com:9470`.
    pub(crate) url: String,
    /// `HOST:PORT` to connect to, where the name in the URL may lead elsewhere.
    pub(crate) connect: Option<String>,
    /// The authority that signs its certificate, when it is the server's own.
    pub(crate) ca: Option<PathBuf>,
}

impl Endpoint {
    /// One without TLS, or of which no more is known.
    pub(crate) fn plain(url: String) -> Endpoint {
        Endpoint {
            url,
            connect: None,
            ca: None,
        }
    }

    /// What its `Display` has written.
    pub(crate) fn parse(text: &str) -> Endpoint {
        let mut lines = text.lines();
        let url = lines.next().unwrap_or_default().trim().to_owned();
        let mut endpoint = Endpoint::plain(url);
        for line in lines {
            match line.split_once(' ') {
                Some(("connect", address)) => endpoint.connect = Some(address.to_owned()),
                Some(("ca", path)) => endpoint.ca = Some(path.into()),
                _ => {}
            }
        }
        endpoint
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.url)?;
        if let Some(address) = &self.connect {
            writeln!(f, "connect {address}")?;
        }
        match &self.ca {
            Some(path) => writeln!(f, "ca {}", path.display()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let plain = Endpoint::plain("http://127.0.0.1:9470".to_owned());
        assert_eq!(
            plain.to_string(),
            "http://127.0.0.1:9470\n",
            "as before there was TLS"
        );
        let secure = Endpoint {
            url: "https://state.example.com:9470".to_owned(),
            connect: Some("127.0.0.1:9470".to_owned()),
            ca: Some("/var/lib/my tidelock/tls/ca.pem".into()),
        };
        for endpoint in [plain, secure] {
            assert_eq!(Endpoint::parse(&endpoint.to_string()), endpoint);
        }
    }
}
