//! Who asks: the chain of places where AWS's clients look for a key, in their order.
//!
//! Source: "Standardized credential providers" in the AWS SDKs and Tools Reference Guide.

use std::time::SystemTime;

use serde::de::DeserializeOwned;
use tokio::{process::Command, sync::Mutex};

use super::{
    credentials::{Credentials, Issued},
    http::Http,
    metadata,
    settings::Settings,
    sso,
    sts::{self, Role, Token},
};

/// Profiles that name one another as their source: more is a mistake.
const SOURCES_MAX: usize = 8;

/// The key of a client, found when it is first needed and found again before it ends.
#[derive(Debug)]
pub(crate) struct Identity {
    found: Mutex<Option<Credentials>>,
}

/// What every source needs.
#[derive(Clone, Copy)]
pub(super) struct Search<'a> {
    pub(super) settings: &'a Settings,
    pub(super) http: &'a Http,
}

/// Why no key was found, in a sentence.
#[derive(Debug, thiserror::Error)]
#[error("no key to sign with: {0}")]
pub(crate) struct NoKey(pub(crate) String);

type Found = Result<Option<Credentials>, NoKey>;

impl Identity {
    pub(crate) fn new() -> Identity {
        Identity {
            found: Mutex::new(None),
        }
    }

    /// The key to sign with now.
    pub(crate) async fn credentials(&self, settings: &Settings, http: &Http) -> Result<Credentials, NoKey> {
        let mut found = self.found.lock().await;
        if let Some(key) = found.as_ref().filter(|key| key.holds_at(SystemTime::now())) {
            return Ok(key.clone());
        }
        let search = Search { settings, http };
        let key = search.all().await?.ok_or_else(|| NoKey(search.advice()))?;
        Ok(found.insert(key).clone())
    }
}

impl Search<'_> {
    /// What the user has said comes first, and the roles that are to be assumed come last.
    async fn all(self) -> Found {
        let wanted = &self.settings.wanted;
        let mut found = match (&wanted.keys, &wanted.web_identity) {
            (Some(keys), _) => Some(Credentials::from(keys)),
            (None, Some(web)) => Some(sts::with_web_identity(self, &web.role, &web.token).await?),
            (None, None) => self.of_chain().await?,
        };
        for role in &wanted.roles {
            let Some(key) = found else { return Ok(None) };
            found = Some(sts::with_key(self, role, &key).await?);
        }
        Ok(found)
    }

    async fn of_chain(self) -> Found {
        let named = self.settings.wanted.profile.is_some();
        // Who names a profile means its key, whatever else is lying about.
        if !named {
            if let Some(key) = self.of_environment() {
                return Ok(Some(key));
            }
            if let Some(role) = self.web_identity_of_environment() {
                return sts::with_web_identity(self, &role.0, &role.1).await.map(Some);
            }
        }
        if let Some(key) = self.of_profile(&self.settings.profile, 0).await? {
            return Ok(Some(key));
        }
        match named {
            true => Ok(None),
            false => metadata::of_machine(self).await,
        }
    }

    fn advice(self) -> String {
        let [config, credentials] = &self.settings.profiles.places;
        let (config, credentials) = (config.display(), credentials.display());
        let profile = &self.settings.profile;
        format!(
            "neither AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY nor the profile {profile} of {config} and {credentials} has one"
        )
    }

    pub(super) fn of_environment(self) -> Option<Credentials> {
        let get = |name| self.settings.environment.get(name);
        let key = Credentials::lasting(get("AWS_ACCESS_KEY_ID")?, get("AWS_SECRET_ACCESS_KEY")?);
        Some(key.with_token(get("AWS_SESSION_TOKEN")))
    }

    fn web_identity_of_environment(self) -> Option<(Role, Token)> {
        let get = |name| self.settings.environment.get(name);
        let file = get("AWS_WEB_IDENTITY_TOKEN_FILE")?.to_owned();
        Some((
            Role::new(get("AWS_ROLE_ARN")?, get("AWS_ROLE_SESSION_NAME")),
            Token::File(file),
        ))
    }

    async fn of_profile(self, profile: &str, depth: usize) -> Found {
        let get = |key| self.settings.profiles.get(profile, key);
        if depth == SOURCES_MAX {
            return Err(NoKey(format!(
                "the profile {profile} is at the end of a ring of source_profile"
            )));
        }
        if let Some(arn) = get("role_arn") {
            let mut role = Role::new(arn, get("role_session_name"));
            role.external_id = get("external_id").map(str::to_owned);
            role.duration_seconds = get("duration_seconds").map(str::to_owned);
            if let Some(file) = get("web_identity_token_file") {
                return sts::with_web_identity(self, &role, &Token::File(file.to_owned()))
                    .await
                    .map(Some);
            }
            if get("mfa_serial").is_some() {
                return Err(NoKey(format!(
                    "the profile {profile} asks for a second factor; assume its role with the AWS CLI and pass the key on \
                     in the environment: eval \"$(aws configure export-credentials --profile {profile} --format env)\""
                )));
            }
            let source = self.source_of(profile, depth).await?;
            return sts::with_key(self, &role, &source).await.map(Some);
        }
        if let Some(key) = self.lasting_of(profile) {
            return Ok(Some(key));
        }
        if let Some(key) = sso::of_profile(self, profile).await? {
            return Ok(Some(key));
        }
        match get("credential_process") {
            Some(command) => of_process(command).await.map(Some),
            None => Ok(None),
        }
    }

    fn lasting_of(self, profile: &str) -> Option<Credentials> {
        let get = |key| self.settings.profiles.get(profile, key);
        let key = Credentials::lasting(get("aws_access_key_id")?, get("aws_secret_access_key")?);
        Some(key.with_token(get("aws_session_token")))
    }

    /// The key with which a profile's role is assumed.
    async fn source_of(self, profile: &str, depth: usize) -> Result<Credentials, NoKey> {
        let get = |key| self.settings.profiles.get(profile, key);
        let found = match (get("source_profile"), get("credential_source")) {
            // Its own lasting key, or else the profile would be its own source without an end.
            (Some(source), _) if source == profile => self.lasting_of(profile),
            (Some(source), _) => Box::pin(self.of_profile(source, depth + 1)).await?,
            (None, Some("Environment")) => self.of_environment(),
            (None, Some("EcsContainer")) => metadata::of_container(self).await?,
            (None, Some("Ec2InstanceMetadata")) => metadata::of_instance(self).await?,
            (None, Some(other)) => {
                return Err(NoKey(format!(
                    "the profile {profile} has credential_source = {other}, which is none"
                )));
            }
            (None, None) => self.lasting_of(profile),
        };
        found.ok_or_else(|| {
            NoKey(format!(
                "the source_profile or credential_source of the profile {profile} has none"
            ))
        })
    }
}

/// `credential_process`: a command that prints a key.
async fn of_process(command: &str) -> Result<Credentials, NoKey> {
    let output = Command::new("sh")
        .args(["-c", command])
        .kill_on_drop(true)
        .output()
        .await;
    let output = output.map_err(|why| NoKey(format!("credential_process cannot be run: {why}")))?;
    if !output.status.success() {
        return Err(NoKey(format!("credential_process failed ({})", output.status)));
    }
    issued("credential_process", &output.stdout)
}

/// Reads a key out of JSON. The text itself is never shown: it holds the secret.
pub(super) fn issued(who: &str, text: &[u8]) -> Result<Credentials, NoKey> {
    json::<Issued>(who, text).map(Credentials::from)
}

pub(super) fn json<T: DeserializeOwned>(who: &str, text: &[u8]) -> Result<T, NoKey> {
    serde_json::from_slice(text).map_err(|_| NoKey(format!("{who} did not answer as AWS describes")))
}
