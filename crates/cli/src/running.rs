//! Finding the server that runs on a data directory, for the commands that point clients at it.

use std::{
    net::{TcpStream, ToSocketAddrs},
    path::PathBuf,
    time::Duration,
};

use crate::{
    args::Place,
    config,
    credentials::Credentials,
    data_dir::DataDir,
    endpoint::Endpoint,
    exit::{Failure, Status},
    shell,
};

/// A server on this machine answers within microseconds; one that does not is gone.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// A running server, as its data directory describes it.
pub(crate) struct Running {
    pub(crate) endpoint: Endpoint,
    pub(crate) credentials: Credentials,
}

impl Running {
    /// Finds it on the directory that is named, else on the default one, which may not be the one that is meant.
    pub(crate) fn of(place: Place) -> Result<Self, Failure> {
        let is_named = place.data.is_some() || place.config.is_some();
        Running::find(config::data_directory(place)?).map_err(|failure| match failure.status {
            Status::NotRunning if !is_named => {
                let hint = "or name the directory of the one that is running: --data DIR";
                Failure::new(failure.status, format!("{}\n\n{hint}", failure.error))
            }
            _ => failure,
        })
    }

    /// Finds it, or says what to type.
    pub(crate) fn find(data: PathBuf) -> Result<Self, Failure> {
        let start = format!(
            "start one in another terminal:\n\n  {} serve --data {}",
            shell::own_name(),
            shell::quoted(&data.to_string_lossy())
        );
        let missing = |why: String| Failure::new(Status::NotRunning, format!("{why}; {start}"));
        let place = data.display().to_string();
        let data = DataDir::at(data);
        let (Some(endpoint), Some(credentials)) = (data.endpoint()?, data.credentials()?) else {
            return Err(missing(format!("no server is running on {place}")));
        };
        if !answers(&endpoint) {
            return Err(missing(format!(
                "no server answers at {}, where the last one on {place} was",
                endpoint.url
            )));
        }
        Ok(Self {
            endpoint,
            credentials,
        })
    }
}

fn answers(endpoint: &Endpoint) -> bool {
    let address = match &endpoint.connect {
        Some(address) => address,
        None => endpoint.url.trim_start_matches("http://"),
    };
    let addresses = address.to_socket_addrs().into_iter().flatten();
    addresses
        .into_iter()
        .any(|address| TcpStream::connect_timeout(&address, CONNECT_TIMEOUT).is_ok())
}
