//! The settings about TLS: what belongs together, and what contradicts itself.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::{
    args,
    exit::{Failure, Status},
    tls::{Certificate, Settings},
};

/// `tls = { cert = "FILE", key = "FILE", client_ca = "FILE" }` or `tls = { self_signed = true }`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    client_ca: Option<PathBuf>,
    #[serde(default)]
    self_signed: bool,
}

/// Whether connections are encrypted, and if not, whether somebody has said that this is meant.
#[derive(Debug, PartialEq)]
pub(crate) enum Transport {
    Tls(Settings),
    /// Without TLS, where nobody else can listen.
    Loopback,
    /// Without TLS, wherever.
    PlainHttp,
}

impl Table {
    /// A path in the file means the same wherever the command is started.
    pub(super) fn begin_at(&mut self, dir: &Path) {
        for path in [&mut self.cert, &mut self.key, &mut self.client_ca]
            .into_iter()
            .flatten()
        {
            *path = dir.join(&*path);
        }
    }
}

/// What was given and the file put together; a certificate that was given comes before the file's as a whole.
pub(super) fn transport(given: args::Tls, file: Option<Table>, plain: bool) -> Result<Transport, Failure> {
    let mut file = file.unwrap_or_default();
    let client_ca = given.tls_client_ca.or(file.client_ca.take());
    let given_any = given.tls_cert.is_some() || given.tls_key.is_some() || given.tls_self_signed;
    let (cert, key, self_signed) = match given_any {
        true => (given.tls_cert, given.tls_key, given.tls_self_signed),
        false => (file.cert, file.key, file.self_signed),
    };
    let usage = |message: &str| Err(Failure::new(Status::Usage, message));
    let plain = plain || given.plain_http;
    let certificate = match (cert, key, self_signed) {
        (None, None, false) if client_ca.is_some() => {
            return usage("--tls-client-ca needs a certificate of the server: --tls-cert and --tls-key");
        }
        (None, None, false) if plain => return Ok(Transport::PlainHttp),
        (None, None, false) => return Ok(Transport::Loopback),
        _ if plain => {
            return usage("--plain-http is about a server without TLS, and TLS is set: leave one out");
        }
        (None, None, true) => Certificate::SelfSigned,
        (Some(cert), Some(key), false) => Certificate::Files {
            cert: std::path::absolute(cert)?,
            key: std::path::absolute(key)?,
        },
        (_, _, true) => {
            return usage("--tls-self-signed makes a certificate: leave out --tls-cert and --tls-key");
        }
        (Some(_), None, _) => {
            return usage("--tls-cert needs --tls-key, the file with the certificate's key");
        }
        (None, Some(_), _) => return usage("--tls-key needs --tls-cert, the file with the certificate"),
    };
    Ok(Transport::Tls(Settings {
        certificate,
        client_ca: client_ca.map(std::path::absolute).transpose()?,
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn table(text: &str) -> Option<Table> {
        Some(toml::from_str(text).unwrap())
    }

    fn files(transport: &Transport) -> [Option<&Path>; 3] {
        match transport {
            Transport::Tls(Settings {
                certificate: Certificate::Files { cert, key },
                client_ca,
            }) => [Some(cert), Some(key), client_ca.as_deref()],
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_certificate_that_is_given_comes_before_the_files_as_a_whole() {
        let file = "cert = '/f/cert'\nkey = '/f/key'\nclient_ca = '/f/ca'";
        let of_file = transport(args::Tls::default(), table(file), false).unwrap();
        assert_eq!(
            files(&of_file),
            ["/f/cert", "/f/key", "/f/ca"].map(|path| Some(Path::new(path)))
        );
        let given = args::Tls {
            tls_cert: Some("/g/cert".into()),
            tls_key: Some("/g/key".into()),
            ..args::Tls::default()
        };
        let given = transport(given, table(file), false).unwrap();
        assert_eq!(
            files(&given),
            ["/g/cert", "/g/key", "/f/ca"].map(|path| Some(Path::new(path)))
        );
        let own = args::Tls {
            tls_self_signed: true,
            ..args::Tls::default()
        };
        let Transport::Tls(own) = transport(own, table(file), false).unwrap() else {
            panic!("TLS was asked for");
        };
        assert_eq!(own.certificate, Certificate::SelfSigned);
    }

    #[test]
    fn without_tls_it_is_said_whether_that_is_meant_beyond_loopback() {
        let nothing = || args::Tls::default();
        assert_eq!(transport(nothing(), None, false).unwrap(), Transport::Loopback);
        assert_eq!(transport(nothing(), None, true).unwrap(), Transport::PlainHttp);
        let given = args::Tls {
            plain_http: true,
            ..args::Tls::default()
        };
        assert_eq!(transport(given, None, false).unwrap(), Transport::PlainHttp);
    }

    #[test]
    fn half_of_a_pair_and_contradictions_are_refused() {
        for (text, plain, hint) in [
            ("cert = 'c'", false, "--tls-key"),
            ("key = 'k'", false, "--tls-cert"),
            ("client_ca = 'a'", false, "--tls-cert"),
            (
                "cert = 'c'\nkey = 'k'\nself_signed = true",
                false,
                "--tls-self-signed",
            ),
            ("self_signed = true", true, "--plain-http"),
        ] {
            let failure = transport(args::Tls::default(), table(text), plain).unwrap_err();
            assert_eq!(failure.status, Status::Usage, "{text}");
            assert!(
                failure.error.to_string().contains(hint),
                "{text}: {}",
                failure.error
            );
        }
    }
}
