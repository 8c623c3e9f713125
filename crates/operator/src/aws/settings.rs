//! Which endpoint, region and profile a client uses: told first, then the environment, then the shared files.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use super::{
    environment::Environment,
    profiles::Profiles,
    sts::{Role, WebIdentity},
};
use crate::keys::Keys;

/// What the user has said on the command line or in a backend block; what is absent is looked for as AWS's clients do.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Such as `http://127.0.0.1:9000`, for every service that states are kept in.
    pub endpoint: Option<String>,
    /// The endpoint of one service, by its name in small letters, such as `s3`; comes before `endpoint`.
    pub endpoints: BTreeMap<String, String>,
    /// A profile of the shared files. With one, the keys and endpoints of the environment do not count: they are
    /// another's.
    pub profile: Option<String>,
    /// AWS's region.
    pub region: Option<String>,
    /// The key to begin with.
    pub keys: Option<Keys>,
    /// The token to begin with, where it is not a key.
    pub web_identity: Option<WebIdentity>,
    /// Roles to assume, each with the key of the one before.
    pub roles: Vec<Role>,
    /// The shared config files; later ones come before earlier ones. The usual one when empty.
    pub config_files: Vec<PathBuf>,
    /// The shared credentials files, likewise.
    pub credentials_files: Vec<PathBuf>,
    /// The certificates to trust.
    pub ca_bundle: Option<PathBuf>,
    /// Whether a bucket is named in the path and not in the host.
    pub path_style: Option<bool>,
}

/// Where a service is and how to find who asks.
#[derive(Clone, Debug)]
pub struct Settings {
    pub(crate) environment: Environment,
    pub(crate) profiles: Profiles,
    /// What the user has said.
    pub(crate) wanted: Wanted,
    pub(crate) profile: String,
    pub(crate) region: String,
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
        let profiles = Profiles::read(&environment, &wanted.config_files, &wanted.credentials_files)
            .map_err(|(path, source)| SettingsError::Read { path, source })?;
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
        let found = match wanted.profile {
            Some(_) => of_profile.or(of_environment),
            None => of_environment.or(of_profile),
        };
        let region = wanted
            .region
            .as_deref()
            .or(found)
            .unwrap_or("us-east-1")
            .to_owned();
        Ok(Settings {
            environment,
            profiles,
            wanted,
            profile,
            region,
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
        let of_service = self.wanted.endpoints.get(&service.to_ascii_lowercase());
        let told = of_service.or(self.wanted.endpoint.as_ref()).cloned();
        told.or_else(configured)
    }

    /// The endpoint of a service that keys come from. What was told for all services is not its.
    pub(crate) fn endpoint_or_aws(&self, service: &str) -> String {
        let told = self.wanted.endpoints.get(service).cloned();
        let configured = told.or_else(|| self.of_environment(service));
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
        if self.wanted.profile.is_some() || self.environment.is_true("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") {
            return None;
        }
        let of_service = self
            .environment
            .get(&format!("AWS_ENDPOINT_URL_{}", service.to_ascii_uppercase()));
        of_service
            .or_else(|| self.environment.get("AWS_ENDPOINT_URL"))
            .map(str::to_owned)
    }

    /// The region that a service's requests are signed for: IAM is one for all regions of a partition.
    ///
    /// Source: "AWS Identity and Access Management endpoints and quotas" in the AWS General Reference.
    pub(crate) fn region_of(&self, service: &str) -> &str {
        match service {
            "iam" if self.region.starts_with("cn-") => "cn-north-1",
            "iam" if self.region.starts_with("us-gov-") => "us-gov-west-1",
            "iam" => "us-east-1",
            _ => &self.region,
        }
    }

    /// AWS's own endpoint of a service in the region.
    pub(crate) fn endpoint_of_aws(&self, service: &str) -> String {
        let suffix = if self.region.starts_with("cn-") { ".cn" } else { "" };
        if service == "iam" {
            return match self.region.split('-').collect::<Vec<_>>()[..] {
                ["cn", ..] => "https://iam.cn-north-1.amazonaws.com.cn".to_owned(),
                ["us", "gov", ..] => "https://iam.us-gov.amazonaws.com".to_owned(),
                _ => "https://iam.amazonaws.com".to_owned(),
            };
        }
        format!("https://{service}.{}.amazonaws.com{suffix}", self.region)
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "profile {}, region {}", self.profile, self.region)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn iam_is_one_for_all_regions_of_a_partition() {
        for (region, endpoint, signed_for) in [
            ("eu-central-1", "https://iam.amazonaws.com", "us-east-1"),
            (
                "us-gov-east-1",
                "https://iam.us-gov.amazonaws.com",
                "us-gov-west-1",
            ),
            (
                "cn-northwest-1",
                "https://iam.cn-north-1.amazonaws.com.cn",
                "cn-north-1",
            ),
        ] {
            let wanted = Wanted {
                region: Some(region.to_owned()),
                ..Wanted::default()
            };
            let settings = Settings::load(Environment::new([]), wanted).unwrap();
            assert_eq!(settings.endpoint_of_aws("iam"), endpoint);
            assert_eq!(settings.region_of("iam"), signed_for);
            assert_eq!(settings.region_of("s3"), region);
        }
    }
}
