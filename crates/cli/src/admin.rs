//! A client of the server's admin door, for the commands of operators: one request a connection, JSON in and out.

use std::{env, io, path::PathBuf, slice::from_ref, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Body, Incoming},
    client::conn::http1::{self, SendRequest},
    header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue},
};
use hyper_util::rt::TokioIo;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tidelock_core::{diff::visible, limits::OBJECT_BYTES_MAX};
use tidelock_operator::{fault, profile};
use tokio::{runtime, task::JoinHandle, time};
use zeroize::Zeroizing;

use crate::{
    args::{Place, Server},
    config,
    credentials::Credentials,
    dial::{self, DialError, Way},
    endpoint::Endpoint,
    exit::{Failure, Status},
    running::Running,
    shell,
};

/// What a path keeps as it is.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// How long an answer may take. None waits for a lock; the largest is a state out of quarantine.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);

/// How long a download may stand still: before a backup begins, the server copies its whole store.
const SILENCE_LIMIT: Duration = Duration::from_secs(15 * 60);

/// A server's admin door, and the key that opens it.
pub(crate) struct Admin {
    way: Way,
    pub(crate) credentials: Credentials,
    /// How the server was named, for whoever types the next command; with a space before it, where there is something.
    pub(crate) again: String,
}

/// Why there is no answer to use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdminError {
    /// Whether the request was carried out is not known.
    #[error(
        "no answer from the server at {authority}: {why}; is it running? `tidelock serve` starts one, --data, --profile or \
         AWS_ENDPOINT_URL name another"
    )]
    NoAnswer { authority: String, why: String },
    #[error(
        "what answers at {authority} cannot prove to be that server: {why}; AWS_CA_BUNDLE names a file with the \
         certificate of whom to trust, which for a server with --tls-self-signed is tls/ca.pem in its data directory"
    )]
    Untrusted { authority: String, why: String },
    #[error(
        "the server at {authority} lets in clients with a certificate only: TIDELOCK_CLIENT_CERT and TIDELOCK_CLIENT_KEY \
         name the files with it and its key"
    )]
    Certificate { authority: String },
    /// The server's own sentence.
    #[error("{message}")]
    Refused { status: StatusCode, message: String },
    #[error(
        "the server at {authority} does not take the access key {access_key_id} with this secret; \
         `tidelock env`, on the server's machine, prints the right pair"
    )]
    Key {
        authority: String,
        access_key_id: String,
    },
    /// What came could not be put where it should go.
    #[error("what the server sends cannot be written: {0}")]
    NotTaken(io::Error),
    #[error(
        "what answers at {authority} is no Tidelock; correct AWS_ENDPOINT_URL, \
         or name the server's data directory with --data"
    )]
    Foreign { authority: String },
}

impl Admin {
    /// The server that an operator's command is for.
    pub(crate) fn of(server: Server) -> Result<Admin, Failure> {
        let again = server.again();
        let admin = match server.profile {
            Some(name) => Admin::of_profile(&name),
            None => Admin::find(server.place),
        }?;
        Ok(Admin {
            again: again
                .iter()
                .map(|word| format!(" {}", shell::quoted(word)))
                .collect(),
            ..admin
        })
    }

    /// The server that a data directory names, where one is given; else that of `AWS_ENDPOINT_URL`,
    /// `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, as `tidelock env` sets them; else that of the default directory.
    pub(crate) fn find(place: Place) -> Result<Admin, Failure> {
        let given = place.data.is_some() || place.config.is_some();
        if !given && let Some((endpoint, credentials)) = of_environment() {
            return Admin::at(&Endpoint::plain(endpoint), credentials);
        }
        let data: PathBuf = config::data_directory(place)?;
        let running = Running::find(data).map_err(|failure| match given {
            true => failure,
            false => elsewhere(failure),
        })?;
        Admin::at(&running.endpoint, running.credentials)
    }

    /// The server and the key of an AWS profile, as `tidelock profile` writes it.
    pub(crate) fn of_profile(name: &str) -> Result<Admin, Failure> {
        let [config, credentials] = config::aws_files()?;
        let missing = || {
            let (config, credentials) = (config.display(), credentials.display());
            let message = format!(
                "no profile {name} with an endpoint_url and a key in {config} and {credentials}; \
                 `tidelock profile --name {name}` writes one, beside the server"
            );
            Failure::new(Status::Usage, message)
        };
        let found = profile::find(name, from_ref(&config), from_ref(&credentials))?;
        let (url, keys) = found.endpoint.zip(found.keys).ok_or_else(missing)?;
        let endpoint = Endpoint {
            ca: found.ca_bundle,
            ..Endpoint::plain(url)
        };
        Admin::at(&endpoint, keys.into())
    }

    /// The server at an endpoint of the form `http://HOST:PORT` or `https://HOST:PORT`.
    pub(crate) fn at(endpoint: &Endpoint, credentials: Credentials) -> Result<Admin, Failure> {
        Ok(Admin {
            way: Way::to(endpoint)?,
            credentials,
            again: String::new(),
        })
    }

    /// Whether `url` is of this server.
    pub(crate) fn serves(&self, url: &str) -> bool {
        self.way.leads_to(url)
    }

    /// Asks and waits, for commands that do one thing after another; the answer is JSON.
    pub(crate) fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<T, Failure> {
        let answer = self.fetch(method, path, body)?;
        serde_json::from_slice(&answer).map_err(|_| self.foreign().into())
    }

    /// The same, for commands that wait for something else beside.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, AdminError> {
        let answer = self.send(Method::GET, path, None).await?;
        serde_json::from_slice(&answer).map_err(|_| self.foreign())
    }

    /// The same, of an answer that may be anything.
    pub(crate) fn fetch(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Bytes, Failure> {
        let waiting = runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(waiting.block_on(self.send(method, path, body))?)
    }

    /// Sends one request; the body of an answer that is none of refusal.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Bytes, AdminError> {
        let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        self.send_bytes(method, path, body).await
    }

    /// The same of a body that is no JSON object of ours: a state.
    pub(crate) async fn send_bytes(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Bytes, AdminError> {
        let request = self.request(method, path, body);
        match time::timeout(ANSWER_LIMIT, self.exchange(request)).await {
            Ok(answered) => self.judge(answered?),
            Err(_) => Err(self.no_answer(format!("it took longer than {} s", ANSWER_LIMIT.as_secs()))),
        }
    }

    /// Fetches something large: `take` gets it piece by piece, with the length of all of it.
    pub(crate) async fn download(
        &self,
        path: &str,
        mut take: impl FnMut(Bytes, u64) -> io::Result<()>,
    ) -> Result<(), AdminError> {
        let request = self.request(Method::GET, path, Bytes::new());
        let silent = || self.no_answer(format!("nothing came for {} s", SILENCE_LIMIT.as_secs()));
        let (mut sender, connection) = self.connect().await?;
        let answered = time::timeout(SILENCE_LIMIT, sender.send_request(request)).await;
        let answer = answered.map_err(|_| silent())?;
        let (head, mut body) = answer
            .map_err(|why| self.no_answer(fault::chain(&why)))?
            .into_parts();
        if !head.status.is_success() {
            let whole = self.whole(body).await?;
            self.judge((Response::from_parts(head, ()), whole))?;
            return Err(self.foreign());
        }
        let all = body.size_hint().exact().unwrap_or_default();
        while let Some(frame) = time::timeout(SILENCE_LIMIT, body.frame())
            .await
            .map_err(|_| silent())?
        {
            let frame = frame.map_err(|why| self.no_answer(fault::chain(&why)))?;
            if let Ok(piece) = frame.into_data() {
                take(piece, all).map_err(AdminError::NotTaken)?;
            }
        }
        connection.abort();
        Ok(())
    }

    fn request(&self, method: Method, path: &str, body: Bytes) -> Request<Full<Bytes>> {
        let (id, secret) = (
            &self.credentials.access_key_id,
            &*self.credentials.secret_access_key,
        );
        let pair = Zeroizing::new(format!("{id}:{secret}"));
        let basic = Zeroizing::new(format!("Basic {}", STANDARD.encode(&*pair)));
        let mut authorization = HeaderValue::from_str(&basic).expect("Base64 is visible ASCII");
        authorization.set_sensitive(true);
        Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, self.way.authority())
            .header(AUTHORIZATION, authorization)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .expect("the path is percent-encoded, and an authority is a header value")
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<(Response<()>, Bytes), AdminError> {
        let (mut sender, connection) = self.connect().await?;
        let answered = sender.send_request(request).await;
        let (head, body) = answered
            .map_err(|why| self.no_answer(fault::chain(&why)))?
            .into_parts();
        let whole = self.whole(body).await?;
        connection.abort();
        Ok((Response::from_parts(head, ()), whole))
    }

    async fn connect(&self) -> Result<(SendRequest<Full<Bytes>>, JoinHandle<hyper::Result<()>>), AdminError> {
        let stream = self.way.connect().await.map_err(|why| match why {
            DialError::NoAnswer(why) => self.no_answer(why),
            DialError::Untrusted(why) => AdminError::Untrusted {
                authority: self.way.authority().to_owned(),
                why,
            },
        })?;
        let connected = http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = connected.map_err(|why| self.no_answer(fault::chain(&why)))?;
        // What goes wrong with the connection, the request learns.
        Ok((sender, tokio::spawn(connection)))
    }

    async fn whole(&self, body: Incoming) -> Result<Bytes, AdminError> {
        let whole = Limited::new(body, OBJECT_BYTES_MAX as usize).collect().await;
        Ok(whole
            .map_err(|why| self.no_answer(fault::chain(&*why)))?
            .to_bytes())
    }

    fn judge(&self, (head, body): (Response<()>, Bytes)) -> Result<Bytes, AdminError> {
        let status = head.status();
        if status.is_success() {
            return Ok(body);
        }
        if status == StatusCode::UNAUTHORIZED {
            return Err(AdminError::Key {
                authority: self.way.authority().to_owned(),
                access_key_id: self.credentials.access_key_id.clone(),
            });
        }
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        let message = answer["error"].as_str().map(visible);
        let message = message.ok_or_else(|| self.foreign())?;
        Err(AdminError::Refused { status, message })
    }

    fn no_answer(&self, why: String) -> AdminError {
        let authority = self.way.authority().to_owned();
        match why.contains(dial::CERTIFICATE_REQUIRED) {
            true => AdminError::Certificate { authority },
            false => AdminError::NoAnswer { authority, why },
        }
    }

    fn foreign(&self) -> AdminError {
        AdminError::Foreign {
            authority: self.way.authority().to_owned(),
        }
    }
}

impl From<AdminError> for Failure {
    fn from(error: AdminError) -> Failure {
        let status = match error {
            AdminError::NoAnswer { .. } | AdminError::Foreign { .. } => Status::NotRunning,
            AdminError::Key { .. } | AdminError::Untrusted { .. } | AdminError::Certificate { .. } => {
                Status::Usage
            }
            AdminError::NotTaken(fault) => return fault.into(),
            AdminError::Refused { status, .. } => match status {
                StatusCode::BAD_REQUEST => Status::Usage,
                StatusCode::NOT_FOUND | StatusCode::CONFLICT => Status::Refused,
                _ => Status::Failed,
            },
        };
        Failure {
            status,
            error: error.into(),
        }
    }
}

/// Who has named no server may mean another than one here, and should not be sent to start a second, empty one.
fn elsewhere(missing: Failure) -> Failure {
    let message = format!(
        "{}\n\nor name the one that is running: --data DIR or `eval \"$(tidelock env --data DIR)\"` on its machine, else \
         --profile NAME, or\nAWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, all three\n\nFor states in AWS or \
         another S3: --bucket BUCKET, with the commands that `tidelock --help` lists for them",
        missing.error
    );
    Failure::new(missing.status, message)
}

/// `/admin/WHAT/NAME`, whatever is in the name.
pub(crate) fn path(what: &str, name: &str) -> String {
    format!("/admin/{what}/{}", utf8_percent_encode(name, PATH))
}

/// The path with a query of these pairs.
pub(crate) fn with_query(path: &str, pairs: &[(&str, &str)]) -> String {
    let pairs = pairs
        .iter()
        .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, PATH)));
    format!("{path}?{}", pairs.collect::<Vec<_>>().join("&"))
}

/// `/state/ADDRESS`: the state itself, at the door of `backend "http"`.
pub(crate) fn state_path(address: &str) -> String {
    format!("/state/{}", utf8_percent_encode(address, PATH))
}

/// The server and the key that AWS clients would use, when the environment names both.
fn of_environment() -> Option<(String, Credentials)> {
    let variable = |name| env::var(name).ok().filter(|value| !value.is_empty());
    let credentials = Credentials {
        access_key_id: variable("AWS_ACCESS_KEY_ID")?,
        secret_access_key: Zeroizing::new(variable("AWS_SECRET_ACCESS_KEY")?),
    };
    Some((variable("AWS_ENDPOINT_URL")?, credentials))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_address_fits_into_a_path() {
        assert_eq!(
            path("locks", "tfstate/a b/ü?#%.tfstate"),
            "/admin/locks/tfstate/a%20b/%C3%BC%3F%23%25.tfstate"
        );
    }
}
