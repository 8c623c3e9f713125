//! AWS's shared config and credentials files, as far as a client reads them.

use std::{fmt, fs, io, path::PathBuf};

use zeroize::Zeroizing;

use super::environment::Environment;
use crate::ini;

/// Both files, read once. Has no contents in its `Debug`: they hold secrets.
pub(crate) struct Profiles {
    config: Zeroizing<String>,
    credentials: Zeroizing<String>,
    /// Where they are, for messages.
    pub(crate) places: [PathBuf; 2],
}

impl Profiles {
    /// Reads the files that the environment names; one that is not there is empty.
    pub(crate) fn read(environment: &Environment) -> Result<Profiles, (PathBuf, io::Error)> {
        let place =
            |variable: &str, default: &str| environment.path(environment.get(variable).unwrap_or(default));
        let places = [
            place("AWS_CONFIG_FILE", "~/.aws/config"),
            place("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
        ];
        let read = |path: &PathBuf| match fs::read_to_string(path) {
            Ok(text) => Ok(Zeroizing::new(text)),
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => Ok(Zeroizing::default()),
            Err(fault) => Err((path.clone(), fault)),
        };
        Ok(Profiles {
            config: read(&places[0])?,
            credentials: read(&places[1])?,
            places,
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
