//! Posts a JSON document to a URL that somebody else watches: a chat room, a pager, a program.
//!
//! Such a URL is often a key in itself, so that no message shows more of it than the host.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Request, Uri,
    header::{CONTENT_TYPE, HOST, USER_AGENT},
};
use serde_json::Value;
use tidelock_core::limits::WEBHOOK_ANSWER_MS;
use tidelock_operator::{fault, tls};
use tokio::time;

use crate::{
    dial::{DialError, Way},
    exit::{Failure, Status},
};

/// Where to post. Shows its host alone.
#[derive(Clone)]
pub(crate) struct Webhook(Uri);

impl std::str::FromStr for Webhook {
    type Err = String;

    fn from_str(text: &str) -> Result<Webhook, String> {
        let wrong = || "it is not of the form https://HOST[:PORT]/PATH".to_owned();
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
        let is_host = uri
            .authority()
            .is_some_and(|authority| !authority.host().is_empty() && !authority.as_str().contains('@'));
        if is_web && is_host {
            Ok(Webhook(uri))
        } else {
            Err(wrong())
        }
    }
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Webhook({})", self.host())
    }
}

impl Webhook {
    fn host(&self) -> &str {
        self.0.host().unwrap_or_default()
    }

    /// Posts once. Redirects are not followed: a document goes to whom it was meant for, or nowhere.
    pub(crate) async fn post(&self, document: &Value) -> Result<(), Failure> {
        let limit = Duration::from_millis(WEBHOOK_ANSWER_MS);
        let posted = match time::timeout(limit, self.try_post(document)).await {
            Ok(posted) => posted,
            Err(_) => Err(format!("it took longer than {} s", limit.as_secs())),
        };
        posted.map_err(|why| {
            let message = format!("the webhook at {} did not take the message: {why}", self.host());
            Failure::new(Status::Failed, message)
        })
    }

    async fn try_post(&self, document: &Value) -> Result<(), String> {
        let scheme = self.0.scheme_str().unwrap_or_default();
        let authority = self.0.authority().map_or("", |authority| authority.as_str());
        let trust = || Ok(tls::client(None)?.with_no_client_auth());
        let way = Way::with_trust(&format!("{scheme}://{authority}"), None, trust);
        let way = way.map_err(|why| format!("{:#}", why.error))?;
        let (mut sender, _connection) = way.open().await.map_err(|why| match why {
            DialError::NoAnswer(why) | DialError::Untrusted(why) => why,
        })?;
        let request = Request::post(self.0.path_and_query().map_or("/", |path| path.as_str()))
            .header(HOST, authority)
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, concat!("tidelock/", env!("CARGO_PKG_VERSION")))
            .body(Full::new(Bytes::from(document.to_string())))
            .map_err(|why| why.to_string())?;
        let answer = sender.send_request(request).await;
        let status = answer.map_err(|why| fault::chain(&why))?.status();
        if status.is_success() {
            Ok(())
        } else {
            Err(format!("it answers {status}"))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::{
        io::{BufRead, BufReader, Read, Write},
        net::TcpListener,
        thread,
    };

    use serde_json::json;

    use super::*;

    fn post(url: &str) -> Result<(), Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let webhook: Webhook = url.parse().unwrap();
        runtime.unwrap().block_on(webhook.post(&json!({"text": "hello"})))
    }

    /// A server that gives this one answer; its first line and body of what it was asked.
    fn answering(answer: &'static str) -> (String, thread::JoinHandle<(String, Value)>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let served = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut first, mut length) = (String::new(), 0);
            reader.read_line(&mut first).unwrap();
            for line in reader.by_ref().lines() {
                let line = line.unwrap().to_ascii_lowercase();
                if line.is_empty() {
                    break;
                }
                if let Some(given) = line.strip_prefix("content-length: ") {
                    length = given.parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            (first.trim().to_owned(), serde_json::from_slice(&body).unwrap())
        });
        (url, served)
    }

    #[test]
    fn a_document_is_posted_with_path_and_query() {
        let (url, served) = answering("HTTP/1.1 204 No Content\r\n\r\n");
        post(&format!("{url}/services/T0/hush?x=1")).unwrap();
        let (line, body) = served.join().unwrap();
        assert_eq!(line, "POST /services/T0/hush?x=1 HTTP/1.1");
        assert_eq!(body["text"], "hello");
    }

    #[test]
    fn a_refusal_names_the_host_and_nothing_secret() {
        let (url, served) =
            answering("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n");
        let failure = post(&format!("{url}/services/T0/hush")).unwrap_err();
        served.join().unwrap();
        let message = failure.error.to_string();
        assert!(
            message.contains("127.0.0.1") && message.contains("302"),
            "{message}"
        );
        assert!(!message.contains("hush"), "{message}");
        let webhook: Webhook = format!("{url}/hush").parse().unwrap();
        assert_eq!(format!("{webhook:?}"), "Webhook(127.0.0.1)");
    }

    #[test]
    fn what_is_no_address_of_the_web_is_refused() {
        for text in [
            "",
            "hooks.example/x",
            "ftp://h/x",
            "http://",
            "https://user:hush@h/x",
            "/x",
        ] {
            assert!(text.parse::<Webhook>().is_err(), "{text}");
        }
    }
}
