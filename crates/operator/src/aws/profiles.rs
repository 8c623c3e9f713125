//! AWS's shared config and credentials files, as far as a client reads them.

use std::{fmt, fs, io, path::PathBuf};

use zeroize::Zeroizing;

use super::environment::Environment;
use crate::ini;

/// Both files, read once. Has no contents in its `Debug`: they hold secrets.
#[derive(Clone)]
pub(crate) struct Profiles {
    config: Zeroizing<String>,
    credentials: Zeroizing<String>,
    /// Where they are, for messages.
    pub(crate) places: [PathBuf; 2],
}

impl Profiles {
    /// Reads the files that are named, else those of the environment; one that is not there is empty.
    pub(crate) fn read(
        environment: &Environment,
        config: &[PathBuf],
        credentials: &[PathBuf],
    ) -> Result<Profiles, (PathBuf, io::Error)> {
        let places = |named: &[PathBuf], variable: &str, usual: &str| match named {
            [] => vec![environment.path(environment.get(variable).unwrap_or(usual))],
            named => named.to_vec(),
        };
        let config = places(config, "AWS_CONFIG_FILE", "~/.aws/config");
        let credentials = places(credentials, "AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials");
        let last = |places: &[PathBuf]| places.last().cloned().unwrap_or_default();
        Ok(Profiles {
            places: [last(&config), last(&credentials)],
            config: read(&config)?,
            credentials: read(&credentials)?,
        })
    }

    /// Whether either file has the profile.
    pub(crate) fn has(&self, profile: &str) -> bool {
        ini::has(&self.config, &header(profile)) || ini::has(&self.credentials, profile)
    }

    /// A setting of the profile; the credentials file comes first, as in AWS's clients.
    pub(crate) fn get(&self, profile: &str, key: &str) -> Option<&str> {
        ini::value(&self.credentials, profile, key)
            .or_else(|| ini::value(&self.config, &header(profile), key))
    }

    /// A setting below a nested value of the profile, such as `addressing_style` below `s3`.
    pub(crate) fn nested(&self, profile: &str, outer: &str, key: &str) -> Option<&str> {
        ini::nested_value(&self.config, &header(profile), outer, key)
    }

    /// A setting of `[sso-session NAME]`.
    pub(crate) fn of_sso_session(&self, name: &str, key: &str) -> Option<&str> {
        ini::value(&self.config, &format!("sso-session {name}"), key)
    }

    /// The profile's endpoint of a service: of its `services` section, else of the profile itself.
    pub(crate) fn endpoint(&self, profile: &str, service: &str) -> Option<&str> {
        let services = self
            .get(profile, "services")
            .map(|name| format!("services {name}"));
        let of_service =
            services.and_then(|header| ini::nested_value(&self.config, &header, service, "endpoint_url"));
        of_service.or_else(|| self.get(profile, "endpoint_url"))
    }
}

/// The files as one text in which the last comes first: of two sections of a name the first counts.
fn read(places: &[PathBuf]) -> Result<Zeroizing<String>, (PathBuf, io::Error)> {
    let mut whole = Zeroizing::new(String::new());
    for path in places.iter().rev() {
        match fs::read_to_string(path).map(Zeroizing::new) {
            Ok(text) => {
                whole.push_str(&text);
                whole.push('\n');
            }
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => {}
            Err(fault) => return Err((path.clone(), fault)),
        }
    }
    Ok(whole)
}

impl fmt::Debug for Profiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Profiles").field(&self.places).finish()
    }
}

/// What the config file calls a profile.
fn header(name: &str) -> String {
    match name {
        "default" => "default".to_owned(),
        name => format!("profile {name}"),
    }
}
