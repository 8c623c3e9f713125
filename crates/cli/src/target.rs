//! Which state a command is about, and the server that has it: as named, or as the configuration at hand says.

use std::{env, io::Write, path::PathBuf};

use hyper::Uri;
use tidelock_core::{Address, diff::visible};
use tidelock_operator::backend::{self, Backend, BackendError};

use crate::{
    admin::Admin,
    args::{Configuration, Server},
    endpoint::Endpoint,
    exit::{Failure, Status},
    fetch::is_here,
};

/// A state, and the admin door of the server that has it.
pub(crate) struct Target {
    pub(crate) admin: Admin,
    pub(crate) address: Address,
}

/// The state at `address`; where none is given, that of the backend block in the directory. What is worth knowing about
/// how it was found goes to `err`.
pub(crate) fn find(
    address: Option<&str>,
    configuration: Configuration,
    err: &mut dyn Write,
) -> Result<Target, Failure> {
    if let Some(named) = address {
        return named_by(named, configuration);
    }
    let dir = configuration.chdir.unwrap_or_else(|| PathBuf::from("."));
    let found = backend::find(&dir, &configuration.backend_config, &variable)?;
    for note in &found.notes {
        writeln!(err, "note: {note}")?;
    }
    Ok(Target {
        address: found.address.clone(),
        admin: server_of(found, configuration.server)?,
    })
}

/// The directory is not looked at, so whatever is in it does no harm.
fn named_by(named: &str, configuration: Configuration) -> Result<Target, Failure> {
    if configuration.chdir.is_some() || !configuration.backend_config.is_empty() {
        let message = "--chdir and --backend-config say where to find the state's address; leave them out, or the address";
        return Err(Failure::new(Status::Usage, message));
    }
    let address = address(named)?;
    Ok(Target {
        admin: Admin::of(configuration.server)?,
        address,
    })
}

/// An address as somebody has typed it.
pub(crate) fn address(named: &str) -> Result<Address, Failure> {
    Address::parse(named).map_err(|fault| {
        let fault = match named.starts_with("s3://") {
            true => "an address is written BUCKET/KEY, without s3://".to_owned(),
            false => fault.to_string(),
        };
        let message = format!("'{}' names no state: {fault}", visible(named));
        Failure::new(Status::Usage, message)
    })
}

/// The server that commands about many states are for: the one that is named; else the one of the backend block in the
/// directory, where there is one; else the one that any command would find.
pub(crate) fn server(configuration: Configuration) -> Result<Admin, Failure> {
    let dir = configuration.chdir.unwrap_or_else(|| PathBuf::from("."));
    match backend::find(&dir, &configuration.backend_config, &variable) {
        Ok(found) => server_of(found, configuration.server),
        Err(_) => Admin::of(configuration.server),
    }
}

/// The server that is named; else the one that the backend names; else the one that any command would find.
fn server_of(found: Backend, server: Server) -> Result<Admin, Failure> {
    let is_named = server.profile.is_some() || server.place.data.is_some() || server.place.config.is_some();
    let Some(endpoint) = found.endpoint.clone().filter(|_| !is_named) else {
        return Admin::of(server);
    };
    if let Some(keys) = found.keys.clone() {
        if !may_be_told(&found, &endpoint) {
            let message = format!(
                "the backend at {} names {endpoint} and no key for it: the secret of the key {} is not told there. If that is your \
                 Tidelock, set AWS_ENDPOINT_URL to it too, or name it with --profile or --data",
                found.at, keys.access_key_id
            );
            return Err(Failure::new(Status::Usage, message));
        }
        let endpoint = Endpoint {
            ca: found.ca_bundle,
            ..Endpoint::plain(endpoint)
        };
        return Admin::at(&endpoint, keys.into());
    }
    // A server on this machine has its key beside it.
    Admin::of(server)
        .ok()
        .filter(|admin| admin.serves(&endpoint))
        .ok_or_else(|| {
            let message = format!(
                "the backend at {} is served by {endpoint}, but names no key for it: set AWS_ACCESS_KEY_ID and \
                 AWS_SECRET_ACCESS_KEY (`tidelock env` prints them), or name the server with --profile or --data",
                found.at
            );
            Failure::new(Status::Usage, message)
        })
}

/// Whether a server at the endpoint of the backend may be told the secret of its key, as HTTP basic authentication does.
pub(crate) fn may_be_told(found: &Backend, endpoint: &str) -> bool {
    let host = endpoint.parse::<Uri>();
    found.keys_are_meant || host.is_ok_and(|uri| uri.host().is_some_and(is_here))
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok()
}

impl From<BackendError> for Failure {
    fn from(error: BackendError) -> Failure {
        let status = match error {
            BackendError::Read { .. } | BackendError::Profile(_) => Status::Failed,
            _ => Status::Usage,
        };
        // It says itself what it comes from.
        Failure::new(status, error)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use super::*;
    use crate::args::{Layout, Place};

    const KEYS: &str = "access_key = \"AKIAX\"\nsecret_key = \"hush\"";

    /// A directory whose backend is served at port 1, and these settings beside.
    fn directory(more: &str) -> (tempfile::TempDir, Backend) {
        let dir = tempfile::tempdir().unwrap();
        let block = format!(
            "terraform {{\n backend \"s3\" {{\n bucket = \"states\"\n key = \"k\"\n endpoint = \"http://127.0.0.1:1\"\n{more}\n}}\n}}\n"
        );
        fs::write(dir.path().join("main.tf"), block).unwrap();
        let found = backend::find(dir.path(), &[], &|_| None).unwrap();
        (dir, found)
    }

    fn server(data: Option<PathBuf>) -> Server {
        Server {
            place: Place { data, config: None },
            profile: None,
        }
    }

    fn configuration(chdir: Option<PathBuf>, backend_config: &[&str]) -> Configuration {
        Configuration {
            server: server(None),
            layout: Layout::default(),
            backend_config: backend_config.iter().map(|&given| given.to_owned()).collect(),
            chdir,
        }
    }

    #[test]
    fn the_server_is_the_one_that_the_backend_names() {
        let (_dir, found) = directory(KEYS);
        let admin = server_of(found, server(None)).unwrap();
        assert!(admin.serves("http://127.0.0.1:1/"));
        assert_eq!(admin.credentials.access_key_id, "AKIAX");
    }

    #[test]
    fn a_server_that_is_named_comes_before_the_backends() {
        let (dir, found) = directory(KEYS);
        let failure = server_of(found, server(Some(dir.path().join("data"))))
            .err()
            .unwrap();
        assert!(failure.error.to_string().contains("data"), "{}", failure.error);
    }

    #[test]
    fn a_server_without_a_key_is_refused_with_the_place_of_the_block() {
        let (dir, found) = directory("");
        let failure = server_of(found, server(None)).err().unwrap();
        let message = failure.error.to_string();
        assert_eq!(failure.status, Status::Usage);
        let place = dir.path().join("main.tf").display().to_string();
        assert!(
            message.contains(&place) && message.contains("names no key"),
            "{message}"
        );
    }

    #[test]
    fn a_block_does_not_say_to_whom_the_secret_of_a_key_from_elsewhere_is_told() {
        let keys = |name: &str| match name {
            "AWS_ACCESS_KEY_ID" => Some("AKIAELSEWHERE".to_owned()),
            "AWS_SECRET_ACCESS_KEY" => Some("hush".to_owned()),
            _ => None,
        };
        let (dir, _) = directory("");
        let found = |block: &str| {
            let file = dir.path().join("main.tf");
            let text = fs::read_to_string(&file).unwrap();
            fs::write(&file, text.replace("http://127.0.0.1:1", block)).unwrap();
            backend::find(dir.path(), &[], &keys).unwrap()
        };
        let here = server_of(found("http://127.0.0.1:1"), server(None)).unwrap();
        assert_eq!(here.credentials.access_key_id, "AKIAELSEWHERE");
        let failure = server_of(found("http://states.example:1"), server(None))
            .err()
            .unwrap();
        let message = failure.error.to_string();
        assert!(
            message.contains("is not told there") && !message.contains("hush"),
            "{message}"
        );
    }

    #[test]
    fn an_address_that_is_typed_leaves_the_directory_alone() {
        for configuration in [
            configuration(Some(".".into()), &[]),
            configuration(None, &["key=k"]),
        ] {
            let failure = find(Some("states/k"), configuration, &mut Vec::new())
                .err()
                .unwrap();
            assert_eq!(failure.status, Status::Usage);
            assert!(
                failure.error.to_string().contains("leave them out"),
                "{}",
                failure.error
            );
        }
        let failure = find(Some("no-slash"), configuration(None, &[]), &mut Vec::new())
            .err()
            .unwrap();
        assert!(
            failure.error.to_string().contains("'no-slash' names no state"),
            "{}",
            failure.error
        );
    }

    #[test]
    fn a_directory_without_a_backend_is_a_usage_fault() {
        let dir = tempfile::tempdir().unwrap();
        let configuration = configuration(Some(dir.path().to_owned()), &[]);
        let failure = find(None, configuration, &mut Vec::new()).err().unwrap();
        assert_eq!(failure.status, Status::Usage);
        assert!(
            failure.error.to_string().contains("no backend block in"),
            "{}",
            failure.error
        );
    }
}
