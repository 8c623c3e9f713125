//! Fetches the documents of OIDC issuers, from files and from the servers that these name.
//!
//! Nothing is kept between two fetches: they are an hour apart, and a certificate authority that the system has lost trust
//! in counts no longer.

use std::{
    fs::File,
    io::{self, Read},
    net::IpAddr,
    path::Path,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{
    Request, StatusCode, Uri,
    client::conn::http1,
    header::{ACCEPT, HOST, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use tidelock_core::limits::OIDC_DOCUMENT_BYTES_MAX;
use tidelock_operator::{fault, tls};
use tidelock_service::{KeyLocation, KeyReading, KeySource};
use tokio::task::{self, JoinSet};

use crate::dial::{DialError, Way};

/// The way to issuers. Servers are believed by the system's certificates, or those of `SSL_CERT_FILE`; without TLS only on
/// this machine.
pub(crate) struct Issuers;

impl KeySource for Issuers {
    fn read<'a>(&'a self, location: &'a KeyLocation) -> KeyReading<'a> {
        Box::pin(async move {
            match location {
                KeyLocation::Url(url) => get(url).await,
                KeyLocation::File(path) => {
                    let path = path.clone();
                    let read = task::spawn_blocking(move || read(&path)).await;
                    read.unwrap_or_else(|fault| Err(io::Error::other(fault)))
                        .map_err(|why| format!("the file cannot be read: {why}"))
                }
            }
        })
    }
}

fn read(path: &Path) -> io::Result<Bytes> {
    let mut bytes = Vec::new();
    let most = OIDC_DOCUMENT_BYTES_MAX as u64;
    File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > most {
        true => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("longer than {most} bytes"),
        )),
        false => Ok(bytes.into()),
    }
}

/// What is at a URL. Its caller bounds the time that this may take.
async fn get(url: &str) -> Result<Bytes, String> {
    let uri: Uri = url.parse().map_err(|_| "not a URL".to_owned())?;
    let (scheme, host) = (
        uri.scheme_str().unwrap_or_default(),
        uri.host().unwrap_or_default(),
    );
    if scheme != "https" && !(scheme == "http" && is_here(host)) {
        return Err("not an https URL".to_owned());
    }
    let authority = uri.authority().map(ToString::to_string).unwrap_or_default();
    let way = Way::with_trust(&format!("{scheme}://{authority}"), None, || {
        Ok(tls::client(None)?.with_no_client_auth())
    });
    let way = way.map_err(|why| format!("{:#}", why.error))?;
    let stream = way.connect().await.map_err(|why| match why {
        DialError::NoAnswer(why) | DialError::Untrusted(why) => why,
    })?;
    let opened = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = opened.map_err(|why| fault::chain(&why))?;
    // It ends with this future, also where that is given up.
    let mut connected = JoinSet::new();
    connected.spawn(connection);
    let request = Request::get(uri.path_and_query().map_or("/", |path| path.as_str()))
        .header(HOST, authority)
        .header(ACCEPT, "application/json")
        .header(USER_AGENT, concat!("tidelock/", env!("CARGO_PKG_VERSION")))
        .body(Empty::<Bytes>::new())
        .map_err(|why| why.to_string())?;
    let answer = sender.send_request(request).await;
    let (head, body) = answer.map_err(|why| fault::chain(&why))?.into_parts();
    if head.status != StatusCode::OK {
        return Err(format!("it answers {}", head.status));
    }
    let whole = Limited::new(body, OIDC_DOCUMENT_BYTES_MAX).collect().await;
    Ok(whole.map_err(|why| fault::chain(&*why))?.to_bytes())
}

/// Whether a host is this machine.
pub(crate) fn is_here(host: &str) -> bool {
    let ip: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    host == "localhost" || ip.is_some_and(|ip| ip.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::{io::Write, net::TcpListener, thread};

    use super::*;

    fn fetch(url: &str) -> Result<Bytes, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime
            .unwrap()
            .block_on(Issuers.read(&KeyLocation::Url(url.to_owned())))
    }

    /// A server that gives this one answer, and what it was asked.
    fn answering(answer: Vec<u8>) -> (String, thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/keys?v=1", listener.local_addr().unwrap());
        let asked = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4_096];
            let length = stream.read(&mut request).unwrap();
            // A client that has seen enough hangs up.
            let _ = stream.write_all(&answer);
            String::from_utf8_lossy(&request[..length]).into_owned()
        });
        (url, asked)
    }

    fn ok(body: &[u8]) -> Vec<u8> {
        let mut answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len()).into_bytes();
        answer.extend_from_slice(body);
        answer
    }

    #[test]
    fn a_document_on_this_machine_is_fetched_without_tls() {
        let (url, asked) = answering(ok(b"{\"keys\":[]}"));
        assert_eq!(fetch(&url).unwrap(), "{\"keys\":[]}");
        let asked = asked.join().unwrap();
        assert!(asked.starts_with("GET /keys?v=1 HTTP/1.1\r\n"), "{asked}");
        assert!(asked.contains("host: 127.0.0.1:"), "{asked}");
    }

    #[test]
    fn only_https_leads_beyond_this_machine() {
        for url in [
            "http://issuer.example/keys",
            "http://10.0.0.1/keys",
            "http://localhost.example/",
            "file:///etc/passwd",
            "ftp://127.0.0.1/",
            "127.0.0.1:80",
            "",
        ] {
            let why = fetch(url).unwrap_err();
            assert!(why.contains("URL"), "{url}: {why}");
        }
        assert!(is_here("localhost") && is_here("127.9.9.9") && is_here("[::1]"));
    }

    #[test]
    fn a_user_in_the_url_is_refused() {
        assert!(fetch("http://user:secret@127.0.0.1:1/").is_err_and(|why| !why.contains("refused")));
    }

    #[test]
    fn a_redirect_or_an_error_is_no_document() {
        for status in ["302 Found", "404 Not Found", "204 No Content"] {
            let answer =
                format!("HTTP/1.1 {status}\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n");
            let (url, _asked) = answering(answer.into_bytes());
            let why = fetch(&url).unwrap_err();
            assert!(why.contains(&status[..3]), "{why}");
        }
    }

    #[test]
    fn a_document_that_is_too_large_is_given_up() {
        let (url, _asked) = answering(ok(&vec![b' '; OIDC_DOCUMENT_BYTES_MAX + 1]));
        assert!(fetch(&url).is_err());
        let file = tempfile::NamedTempFile::new().unwrap();
        let read_file = || read(file.path());
        std::fs::write(file.path(), vec![b' '; OIDC_DOCUMENT_BYTES_MAX]).unwrap();
        assert_eq!(read_file().unwrap().len(), OIDC_DOCUMENT_BYTES_MAX);
        std::fs::write(file.path(), vec![b' '; OIDC_DOCUMENT_BYTES_MAX + 1]).unwrap();
        assert!(read_file().is_err());
    }
}
