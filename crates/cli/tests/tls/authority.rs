//! An authority of the test's own, and certificates that it signs.

use std::{
    fs,
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};

/// Signs, and keeps its files in a directory.
pub(crate) struct Authority {
    dir: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, as files.
#[derive(Clone)]
pub(crate) struct Pair {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
}

impl Authority {
    pub(crate) fn new(dir: &Path, name: &str) -> Authority {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let dir = dir.join(name);
        fs::create_dir_all(&dir).unwrap();
        let cert = params.self_signed(&key).unwrap();
        fs::write(dir.join("ca.pem"), pem("CERTIFICATE", cert.der())).unwrap();
        let issuer = Issuer::new(params, key);
        Authority { dir, issuer }
    }

    pub(crate) fn ca(&self) -> PathBuf {
        self.dir.join("ca.pem")
    }

    /// A pair for these hosts, good for servers and clients.
    pub(crate) fn sign(&self, file: &str, hosts: &[&str]) -> Pair {
        let key = KeyPair::generate().unwrap();
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut params = CertificateParams::new(hosts).unwrap();
        params.distinguished_name.push(DnType::CommonName, file);
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        let pair = Pair {
            cert: self.dir.join(format!("{file}.pem")),
            key: self.dir.join(format!("{file}.key")),
        };
        fs::write(&pair.cert, pem("CERTIFICATE", cert.der())).unwrap();
        fs::write(&pair.key, pem("PRIVATE KEY", key.serialized_der())).unwrap();
        pair
    }
}

impl Pair {
    /// The settings of a server that shows it.
    pub(crate) fn settings(&self, client_ca: Option<&Path>) -> String {
        let client_ca = client_ca.map(|ca| format!(", client_ca = {ca:?}"));
        format!(
            "tls = {{ cert = {:?}, key = {:?}{} }}\n",
            self.cert,
            self.key,
            client_ca.unwrap_or_default()
        )
    }

    /// Puts this one in the place of another, the certificate first.
    pub(crate) fn replace(&self, other: &Pair) {
        for (from, to) in [(&self.cert, &other.cert), (&self.key, &other.key)] {
            let beside = to.with_extension("new");
            fs::copy(from, &beside).unwrap();
            fs::rename(&beside, to).unwrap();
        }
    }
}

fn pem(what: &str, der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    let lines = base64
        .as_bytes()
        .chunks(64)
        .map(|line| str::from_utf8(line).unwrap());
    let lines: Vec<&str> = lines.collect();
    format!(
        "-----BEGIN {what}-----\n{}\n-----END {what}-----\n",
        lines.join("\n")
    )
}
