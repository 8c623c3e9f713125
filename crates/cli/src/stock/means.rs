//! Whether a command is for a Tidelock server, or for a bucket and a table of any store: decided here and nowhere else.
//!
//! Who names one of the two gets that one. Else the endpoint decides, by who answers there: so the same command in the same
//! directory works before and after its state has moved to a server.

use std::{
    env,
    io::Write,
    path::{Path, PathBuf},
    slice::from_ref,
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Request,
    header::{HOST, SERVER},
};
use tidelock_core::limits::PROBE_MS;
use tidelock_operator::{
    backend::{self, Backend, BackendError, Kind},
    profile,
};
use tokio::time;

use super::{Found, find, wait};
use crate::{
    args::{Configuration, Place, Stock},
    config,
    dial::Way,
    endpoint::Endpoint,
    exit::{Failure, Status},
    running::Running,
    target::may_be_told,
};

/// What a command is for.
pub(crate) enum Means {
    /// A Tidelock server: the one that these arguments find.
    Server(Box<Configuration>),
    /// A bucket, and perhaps a table. Its `key` is that of the state that was named, or of the backend block.
    Stock(Box<Found>),
}

/// What the command line, the directory and the environment mean. `place` is what was named: `BUCKET/KEY` of a state, or
/// what the addresses of several begin with.
pub(crate) fn means(
    place: Option<&str>,
    configuration: Configuration,
    err: &mut dyn Write,
) -> Result<Means, Failure> {
    let server = &configuration.server.place;
    let names_server = server.data.is_some() || server.config.is_some();
    let names_stock = configuration.layout.is_named();
    if names_server && names_stock {
        let message = "--data and --config (TIDELOCK_DATA, TIDELOCK_CONFIG) name a Tidelock server; --bucket, --key, --table, \
                       --endpoint and --region a bucket and a table of any store: leave out the one or the other";
        return Err(Failure::new(Status::Usage, message));
    }
    if names_server || (!names_stock && is_of_server(place, &configuration)?) {
        return Ok(Means::Server(Box::new(configuration)));
    }
    let found = find(&stock(place, configuration)?, err)?;
    Ok(Means::Stock(Box::new(found)))
}

/// The same arguments, without those that only a server knows.
fn stock(place: Option<&str>, configuration: Configuration) -> Result<Stock, Failure> {
    let mut layout = configuration.layout;
    if let Some(place) = place {
        if layout.bucket.is_some() || layout.key.is_some() {
            let message = "the state is named twice: leave out BUCKET/KEY, or --bucket and --key";
            return Err(Failure::new(Status::Usage, message));
        }
        let (bucket, key) = place.split_once('/').unwrap_or((place, ""));
        layout.bucket = Some(bucket.to_owned());
        layout.key = Some(key.to_owned());
    }
    Ok(Stock {
        layout,
        profile: configuration.server.profile,
        backend_config: configuration.backend_config,
        chdir: configuration.chdir,
    })
}

/// Whether a Tidelock server is at the endpoint that would be asked.
fn is_of_server(place: Option<&str>, configuration: &Configuration) -> Result<bool, Failure> {
    if let Some(name) = &configuration.server.profile {
        let [config, credentials] = config::aws_files()?;
        let found = profile::find(name, from_ref(&config), from_ref(&credentials))?;
        return found
            .endpoint
            .map_or(Ok(false), |url| answers(url, found.ca_bundle));
    }
    match of_directory(place, configuration)? {
        Some(backend) if backend.kind == Kind::Http => Ok(true),
        // Whom the server's own commands would not tell the key is asked as any store is: by signed requests.
        Some(backend) => match &backend.endpoint {
            Some(url) if may_be_told(&backend, url) => answers(url.clone(), backend.ca_bundle.clone()),
            _ => Ok(false),
        },
        None => of_environment(place),
    }
}

/// The backend block in the directory, unless another bucket is named.
fn of_directory(place: Option<&str>, configuration: &Configuration) -> Result<Option<Backend>, Failure> {
    let dir = configuration.chdir.as_deref().unwrap_or(Path::new("."));
    let found = backend::find(dir, &configuration.backend_config, &|name| env::var(name).ok());
    let is_asked = configuration.chdir.is_some() || !configuration.backend_config.is_empty();
    match (found, place) {
        (Ok(found), None) => Ok(Some(found)),
        (Ok(found), Some(place)) => {
            let bucket = place.split('/').next();
            Ok(Some(found).filter(|found| bucket == Some(found.address.bucket())))
        }
        // Who has named a place may stand in any directory.
        (Err(_), Some(_)) => Ok(None),
        (Err(BackendError::None { .. } | BackendError::Other { .. }), None) if !is_asked => Ok(None),
        (Err(why), None) => Err(why.into()),
    }
}

/// Without a word about where: the endpoint of the environment; else the server on this machine; else AWS, if somebody
/// has a key for it and says which bucket.
fn of_environment(place: Option<&str>) -> Result<bool, Failure> {
    let is_set = |name: &&str| env::var_os(name).is_some_and(|value| !value.is_empty());
    let endpoint = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]
        .into_iter()
        .find(is_set);
    if let Some(url) = endpoint.and_then(|name| env::var(name).ok()) {
        return answers(url, None);
    }
    let has_key = [
        "AWS_ACCESS_KEY_ID",
        "AWS_PROFILE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    ]
    .iter()
    .any(is_set);
    if place.is_none() || !has_key {
        return Ok(true);
    }
    let here = Place {
        data: None,
        config: None,
    };
    Ok(Running::find(config::data_directory(here)?).is_ok())
}

/// Whether it is Tidelock that answers at an endpoint. Where nobody listens, its own commands say so best; who listens and does not
/// say who it is gets no secret from them.
fn answers(url: String, ca: Option<PathBuf>) -> Result<bool, Failure> {
    let way = Way::to(&Endpoint {
        ca,
        ..Endpoint::plain(url)
    })?;
    let limit = Duration::from_millis(PROBE_MS);
    wait(async {
        let asked = time::timeout(limit, server_of(&way)).await.map_err(|_| {
            let (seconds, authority) = (limit.as_secs(), way.authority());
            let message =
                format!("no answer from {authority} in {seconds} s; try again, or name another endpoint");
            Failure::new(Status::Failed, message)
        })?;
        Ok(asked.is_none_or(|server| server == b"Tidelock"))
    })
}

/// What a server calls itself, empty where it does not; `None` where nobody listens.
async fn server_of(way: &Way) -> Option<Vec<u8>> {
    let (mut sender, _connection) = way.open().await.ok()?;
    let request = Request::head("/")
        .header(HOST, way.authority())
        .body(Full::<Bytes>::default())
        .ok()?;
    let answer = sender.send_request(request).await.ok();
    let server = answer.as_ref().and_then(|answer| answer.headers().get(SERVER));
    Some(server.map_or_else(Vec::new, |server| server.as_bytes().to_vec()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::{io::Write as _, net::TcpListener, thread};

    use super::answers;

    #[test]
    fn who_listens_and_is_no_tidelock_gets_none_of_its_commands() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let talking = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(b"no HTTP\r\n\r\n").unwrap();
        });
        assert!(!answers(url.clone(), None).unwrap());
        talking.join().unwrap();
        assert!(answers(url, None).unwrap(), "nobody listens any more");
    }
}
