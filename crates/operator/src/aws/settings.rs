//! Which endpoint, region and profile a client uses: told first, then the environment, then the shared files.

use std::{fmt, path::PathBuf};

use super::{environment::Environment, profiles::Profiles};

/// What the user has said on the command line.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Such as `http://127.0.0.1:9000`; the service's own when absent.
    pub endpoint: Option<String>,
    /// A profile of the shared files. With one, the keys and endpoints of the environment do not count: they are
    /// another's.
    pub profile: Option<String>,
}

/// Where a service is and how to find who asks.
#[derive(Debug)]
pub struct Settings {
    pub(crate) environment: Environment,
    pub(crate) profiles: Profiles,
    /// The profile that the user named, not one that is merely there.
    pub(crate) named: Option<String>,
    pub(crate) profile: String,
    pub(crate) region: String,
    told: Option<String>,
}

/// Why there are no settings to use.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A shared file is there and cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Neither file has the profile that was asked for.
    #[error("there is no profile {name} in {} or {}", files[0].display(), files[1].display())]
    NoProfile {
        /// The profile.
        name: String,
        /// The config file and the credentials file.
        files: [PathBuf; 2],
    },
    /// An endpoint that is no URL of a host.
    #[error("the endpoint {0} is not of the form https://HOST[:PORT]")]
    Endpoint(String),
    /// The certificates of TLS cannot be used.
    #[error("no certificates to check TLS with: {0}")]
    Certificates(String),
}

impl Settings {
    /// Puts together what was told, the environment and the shared files.
    ///
    /// # Errors
    /// When a file cannot be read, or does not have the profile that was asked for.
    pub fn load(environment: Environment, wanted: Wanted) -> Result<Settings, SettingsError> {
        let profiles =
            Profiles::read(&environment).map_err(|(path, source)| SettingsError::Read { path, source })?;
        let of_environment = environment
            .get("AWS_PROFILE")
            .or(environment.get("AWS_DEFAULT_PROFILE"));
        let asked = wanted.profile.as_deref().or(of_environment).map(str::to_owned);
        if let Some(name) = asked.as_ref().filter(|name| !profiles.has(name)) {
            return Err(SettingsError::NoProfile {
                name: name.clone(),
                files: profiles.places.clone(),
            });
        }
        let profile = asked.unwrap_or_else(|| "default".to_owned());
        let of_environment = environment
            .get("AWS_REGION")
            .or(environment.get("AWS_DEFAULT_REGION"));
        let of_profile = profiles.get(&profile, "region");
        let region = match wanted.profile {
            Some(_) => of_profile.or(of_environment),
            None => of_environment.or(of_profile),
        };
        let region = region.unwrap_or("us-east-1").to_owned();
        Ok(Settings {
            environment,
            profiles,
            named: wanted.profile,
            profile,
            region,
            told: wanted.endpoint,
        })
    }

    /// The region.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The endpoint of a service that is not AWS's own: `service` is its name in variables and files, such as `S3`.
    #[must_use]
    pub fn endpoint(&self, service: &str) -> Option<String> {
        let ignored = self.environment.is_true("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
        let of_profile = || {
            self.profiles
                .endpoint(&self.profile, &service.to_ascii_lowercase())
        };
        let configured = || {
            let of_environment = self.of_environment(service);
            of_environment.or_else(|| of_profile().filter(|_| !ignored).map(str::to_owned))
        };
        self.told.clone().or_else(configured)
    }

    /// The endpoint of a service that keys come from. What was told on the command line is not its.
    pub(crate) fn endpoint_or_aws(&self, service: &str) -> String {
        let configured = self.of_environment(service);
        let ignored = self.environment.is_true("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
        let of_profile = || self.profiles.endpoint(&self.profile, service).map(str::to_owned);
        let endpoint = configured.or_else(|| of_profile().filter(|_| !ignored));
        endpoint.map_or_else(
            || self.endpoint_of_aws(service),
            |url| url.trim_end_matches('/').to_owned(),
        )
    }

    /// What `AWS_ENDPOINT_URL_SERVICE` or `AWS_ENDPOINT_URL` says, unless a profile was named.
    fn of_environment(&self, service: &str) -> Option<String> {
        if self.named.is_some() || self.environment.is_true("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") {
            return None;
        }
        let of_service = self
            .environment
            .get(&format!("AWS_ENDPOINT_URL_{}", service.to_ascii_uppercase()));
        of_service
            .or_else(|| self.environment.get("AWS_ENDPOINT_URL"))
            .map(str::to_owned)
    }

    /// AWS's own endpoint of a service in the region.
    pub(crate) fn endpoint_of_aws(&self, service: &str) -> String {
        let suffix = if self.region.starts_with("cn-") { ".cn" } else { "" };
        format!("https://{service}.{}.amazonaws.com{suffix}", self.region)
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "profile {}, region {}", self.profile, self.region)
    }
}
