//! A certificate for a first try: the server makes itself an authority, and has it sign.
//!
//! The authority stays, so that a client trusts it once; the certificate is made anew before it ends, or when the server
//! goes by another name.

use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::unix::fs::DirBuilderExt,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::{Span, Timestamp, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::{
    RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier},
    crypto::aws_lc_rs,
    pki_types::{PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
};
use tidelock_core::limits::{TLS_OWN_CA_DAYS, TLS_OWN_DAYS, TLS_OWN_RENEW_DAYS};
use tidelock_operator::files::{self as replacing, SECRET_MODE};
use zeroize::Zeroizing;

use super::files::{self, FileError, Files};

const CA: &str = "ca.pem";
const CA_KEY: &str = "ca.key";
const CERT: &str = "server.pem";
const KEY: &str = "server.key";

const DIRECTORY_MODE: u32 = 0o700;
/// Certificates are no secret.
const PUBLIC_MODE: u32 = 0o644;
const DAY_SECONDS: u64 = 24 * 60 * 60;

/// The files of the server's own authority and certificate.
pub(super) struct Own {
    dir: PathBuf,
    names: Vec<String>,
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub(super) enum OwnError {
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("{0}; without the directory that it is in, the server makes itself another authority")]
    Authority(#[from] FileError),
    #[error("cannot make a certificate: {0}")]
    Make(#[from] rcgen::Error),
}

/// The hosts that the certificate is for: this machine, and what the server listens on.
pub(super) fn names(listen: &str, ip: IpAddr) -> Vec<String> {
    let mut names = vec![
        "localhost".to_owned(),
        Ipv4Addr::LOCALHOST.to_string(),
        Ipv6Addr::LOCALHOST.to_string(),
    ];
    let host = listen.rsplit_once(':').map_or(listen, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    match ip.is_unspecified() {
        // Whoever comes from elsewhere knows the machine by its name.
        true => names.push(rustix::system::uname().nodename().to_string_lossy().into_owned()),
        false => names.extend([ip.to_string(), host]),
    }
    let mut known = Vec::new();
    for name in names {
        if ServerName::try_from(name.as_str()).is_ok() && !known.contains(&name) {
            known.push(name);
        }
    }
    known
}

impl Own {
    pub(super) fn new(dir: PathBuf, names: Vec<String>) -> Own {
        Own { dir, names }
    }

    pub(super) fn ca(&self) -> PathBuf {
        self.dir.join(CA)
    }

    pub(super) fn cert(&self) -> PathBuf {
        self.dir.join(CERT)
    }

    pub(super) fn key(&self) -> PathBuf {
        self.dir.join(KEY)
    }

    /// Makes what is not there, or will not do for long enough.
    pub(super) fn keep(&self, now: Timestamp) -> Result<(), OwnError> {
        let made = fs::DirBuilder::new()
            .recursive(true)
            .mode(DIRECTORY_MODE)
            .create(&self.dir);
        made.map_err(|source| OwnError::Write {
            path: self.dir.clone(),
            source,
        })?;
        if !self.ca().exists() || !self.dir.join(CA_KEY).exists() {
            self.make_authority(now)?;
        }
        if !self.will_do(now) {
            self.make_certificate(now)?;
        }
        Ok(())
    }

    /// Whether a client that trusts the authority takes the certificate for each of the names, and will for a while.
    fn will_do(&self, now: Timestamp) -> bool {
        let of_pair = Files {
            cert: self.cert(),
            key: self.key(),
            client_ca: None,
        };
        let (Ok(_), Ok(chain), Ok(authority)) = (
            of_pair.load(),
            files::certificates(&self.cert()),
            files::certificates(&self.ca()),
        ) else {
            return false;
        };
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(authority);
        let provider = Arc::new(aws_lc_rs::default_provider());
        let Ok(client) = WebPkiServerVerifier::builder_with_provider(roots.into(), provider).build() else {
            return false;
        };
        let seconds = u64::try_from(now.as_second()).unwrap_or_default() + TLS_OWN_RENEW_DAYS * DAY_SECONDS;
        let then = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        self.names.iter().all(|name| {
            let name = ServerName::try_from(name.as_str());
            name.is_ok_and(|name| {
                client
                    .verify_server_cert(&chain[0], &[], &name, &[], then)
                    .is_ok()
            })
        })
    }

    fn make_authority(&self, now: Timestamp) -> Result<(), OwnError> {
        let key = KeyPair::generate()?;
        let mut params = authority(&key);
        set_validity(&mut params, now, TLS_OWN_CA_DAYS);
        let cert = params.self_signed(&key)?;
        self.write(CA_KEY, "PRIVATE KEY", key.serialized_der(), SECRET_MODE)?;
        self.write(CA, "CERTIFICATE", cert.der(), PUBLIC_MODE)?;
        tracing::info!(
            "made an authority for certificates of this server: {}",
            self.ca().display()
        );
        Ok(())
    }

    fn make_certificate(&self, now: Timestamp) -> Result<(), OwnError> {
        let path = self.dir.join(CA_KEY);
        let pem = files::read(&path)?;
        let nothing = || FileError::Nothing {
            path: path.clone(),
            what: "private key",
        };
        let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| nothing())?;
        let authority_key = KeyPair::try_from(&key)?;
        let issuer = Issuer::new(authority(&authority_key), authority_key);
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(self.names.clone())?;
        params.distinguished_name = named("Tidelock");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        set_validity(&mut params, now, TLS_OWN_DAYS);
        let cert = params.signed_by(&key, &issuer)?;
        self.write(KEY, "PRIVATE KEY", key.serialized_der(), SECRET_MODE)?;
        self.write(CERT, "CERTIFICATE", cert.der(), PUBLIC_MODE)?;
        tracing::info!(
            "made a certificate for {}, good for {TLS_OWN_DAYS} days: {}",
            self.names.join(", "),
            self.cert().display()
        );
        Ok(())
    }

    fn write(&self, name: &str, what: &str, der: &[u8], mode: u32) -> Result<(), OwnError> {
        let path = self.dir.join(name);
        let written = replacing::replace(&path, pem(what, der).as_bytes(), mode);
        written.map_err(|source| OwnError::Write { path, source })
    }
}

/// What the authority says of itself; the same each time for the same key, whose hash tells it from others.
fn authority(key: &KeyPair) -> CertificateParams {
    let mut params = CertificateParams::default();
    let id = params.key_identifier(key);
    params.distinguished_name = named(&format!("Tidelock authority {}", hex::encode(&id[..4])));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn named(name: &str) -> DistinguishedName {
    let mut named = DistinguishedName::new();
    named.push(DnType::CommonName, name);
    named
}

/// So many days from now, and from the day before for clocks that are behind.
fn set_validity(params: &mut CertificateParams, now: Timestamp, days: i64) {
    let today = now.to_zoned(TimeZone::UTC).date();
    let at = |days: i64| {
        let date = today.saturating_add(Span::new().days(days));
        date_time_ymd(
            date.year().into(),
            date.month().cast_unsigned(),
            date.day().cast_unsigned(),
        )
    };
    (params.not_before, params.not_after) = (at(-1), at(days));
}

/// RFC 7468.
fn pem(what: &str, der: &[u8]) -> Zeroizing<String> {
    let base64 = Zeroizing::new(STANDARD.encode(der));
    let mut text = Zeroizing::new(String::with_capacity(base64.len() * 2 + 128));
    text.push_str(&format!("-----BEGIN {what}-----\n"));
    for line in base64.as_bytes().chunks(64) {
        text.extend(line.iter().map(|byte| char::from(*byte)));
        text.push('\n');
    }
    text.push_str(&format!("-----END {what}-----\n"));
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn own(dir: &tempfile::TempDir, names: &[&str]) -> Own {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        Own::new(dir.path().join("tls"), names)
    }

    fn days(days: i64) -> Timestamp {
        let start: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
        start + jiff::SignedDuration::from_hours(24 * days)
    }

    #[test]
    fn a_certificate_is_made_anew_before_it_ends_and_the_authority_stays() {
        let dir = tempfile::tempdir().unwrap();
        let own = own(&dir, &["localhost", "127.0.0.1", "::1"]);
        let at = |day: i64| {
            own.keep(days(day)).unwrap();
            assert!(own.will_do(days(day)));
            (fs::read(own.ca()).unwrap(), fs::read(own.cert()).unwrap())
        };
        let first = at(0);
        assert_eq!(at(300), first);
        let renewed = at(TLS_OWN_DAYS - 29);
        assert_eq!(renewed.0, first.0, "clients trust it already");
        assert_ne!(renewed.1, first.1);
        assert_eq!(at(2 * 365).0, first.0, "also after a pause that was too long");
    }

    #[test]
    fn a_certificate_is_made_anew_when_the_server_goes_by_another_name() {
        let dir = tempfile::tempdir().unwrap();
        own(&dir, &["localhost"]).keep(days(0)).unwrap();
        let first = fs::read(own(&dir, &[]).cert()).unwrap();
        own(&dir, &["localhost", "state.example.com"])
            .keep(days(0))
            .unwrap();
        let second = fs::read(own(&dir, &[]).cert()).unwrap();
        assert_ne!(second, first);
        own(&dir, &["localhost"]).keep(days(0)).unwrap();
        assert_eq!(
            fs::read(own(&dir, &[]).cert()).unwrap(),
            second,
            "more names do no harm"
        );
    }

    #[test]
    fn an_authority_that_lost_its_key_or_certificate_is_replaced() {
        for lost in [CA, CA_KEY] {
            let dir = tempfile::tempdir().unwrap();
            let own = own(&dir, &["localhost"]);
            own.keep(days(0)).unwrap();
            fs::remove_file(own.dir.join(lost)).unwrap();
            own.keep(days(0)).unwrap();
            assert!(own.will_do(days(0)));
        }
    }

    #[test]
    fn the_certificate_is_for_this_machine_and_for_what_the_server_listens_on() {
        let here = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let of = |listen: &str, ip: &str| names(listen, ip.parse().unwrap());
        assert_eq!(of("127.0.0.1:9470", "127.0.0.1"), here);
        assert_eq!(of("[::1]:9470", "::1"), here);
        assert_eq!(of("localhost:9470", "127.0.0.1"), here);
        assert_eq!(of("10.1.2.3:9470", "10.1.2.3")[3..], ["10.1.2.3"]);
        let named = of("state.example.com:9470", "10.1.2.3");
        assert_eq!(named[3..], ["10.1.2.3", "state.example.com"]);
        let anywhere = of("0.0.0.0:9470", "0.0.0.0");
        assert!(!anywhere.contains(&"0.0.0.0".to_owned()), "{anywhere:?}");
    }
}
