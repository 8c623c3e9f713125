//! From settings, variables and profiles to a server, a key and an address.

use std::path::Path;

use percent_encoding::percent_decode_str;
use tidelock_core::{Address, AddressError};

use super::{
    Backend, BackendError, Encryption, Environment, Kind, Place, Settings, endpoints, paths::Paths, roles,
    settings::without_user, workspace,
};
use crate::{
    aws::Wanted,
    keys::Keys,
    profile::{self, Profile},
};

/// What the path of a state begins with at the door of `backend "http"`.
const STATE: &str = "state/";

/// As `backend "s3"` finds its way.
///
/// Source: `Configure` in `internal/backend/remote-state/s3/backend.go` of Terraform; where that leaves it to AWS's SDK for
/// Go, the order of `config/resolve_credentials.go` and of "Service-specific endpoints" in the SDKs and Tools Reference Guide.
pub(super) fn over_s3(
    settings: &Settings,
    dir: &Path,
    workspace: String,
    at: Place,
    environment: Environment<'_>,
) -> Result<Backend, BackendError> {
    let need = |name| {
        let at = at.clone();
        settings.text(name).ok_or(BackendError::Missing { name, at })
    };
    let (bucket, written) = (need("bucket")?, need("key")?);
    let prefix = settings.given("workspace_key_prefix");
    let key = workspace::key(&workspace, prefix.as_deref(), &written);
    let address = Address::new(&bucket, &key).map_err(|why| bad_address(&at, why))?;

    let first = |names: &[&str]| names.iter().find_map(|name| environment(name));
    let paths = Paths { dir, environment };
    let [config_files, credentials_files] = paths.of_aws(settings);
    let named = settings.text("profile");
    let profile = named
        .clone()
        .or_else(|| first(&["AWS_PROFILE", "AWS_DEFAULT_PROFILE"]));
    let found = profile::find(
        profile.as_deref().unwrap_or("default"),
        &config_files,
        &credentials_files,
    )?;
    let apart_from_block = endpoints::found(&Settings::default(), environment, &found);
    let wanted = Wanted {
        profile: named,
        config_files,
        credentials_files,
        ..wanted(settings, &paths, &found)?
    };
    Ok(Backend {
        kind: Kind::S3,
        address,
        workspace,
        at,
        key: written,
        workspace_prefix: prefix.unwrap_or_else(|| workspace::PREFIX.to_owned()),
        endpoint: wanted.endpoints.get("s3").cloned(),
        region: wanted.region.clone(),
        ca_bundle: wanted.ca_bundle.clone(),
        keys_are_meant: wanted.keys.is_some() || wanted.endpoints.get("s3") == apart_from_block.get("s3"),
        keys: keys(&wanted, found, environment),
        profile,
        table: settings.text("dynamodb_table"),
        lock_file: settings.is_true("use_lockfile"),
        encryption: Encryption::of(settings, environment),
        wanted,
        arguments: Vec::new(),
        notes: settings.unfollowed().collect(),
    })
}

/// All of it but the profile and its files, which `found` comes from.
fn wanted(settings: &Settings, paths: &Paths<'_>, found: &Profile) -> Result<Wanted, BackendError> {
    let first = |names: &[&str]| names.iter().find_map(|name| (paths.environment)(name));
    let region = settings
        .text("region")
        .or_else(|| first(&["AWS_REGION", "AWS_DEFAULT_REGION"]));
    let bundle = settings
        .text("custom_ca_bundle")
        .or_else(|| first(&["AWS_CA_BUNDLE"]));
    let bundle = bundle.map(|bundle| paths.expanded(&bundle));
    let path_style = settings
        .text("use_path_style")
        .or_else(|| settings.text("force_path_style"));
    Ok(Wanted {
        endpoints: endpoints::found(settings, paths.environment, found),
        region: region.or_else(|| found.region.clone()),
        keys: keys_of_block(settings)?,
        web_identity: roles::with_web_identity(settings, paths)?,
        roles: roles::assumed(settings)?.into_iter().collect(),
        ca_bundle: bundle.or_else(|| found.ca_bundle.clone()),
        path_style: path_style.map(|text| text == "true"),
        ..Wanted::default()
    })
}

/// The key in the block itself.
fn keys_of_block(settings: &Settings) -> Result<Option<Keys>, BackendError> {
    let halves = ["access_key", "secret_key"];
    let keys = Keys::of(
        settings.text("access_key"),
        settings.text("secret_key"),
        settings.text("token"),
    );
    match halves
        .iter()
        .find_map(|half| settings.place(half).filter(|_| settings.text(half).is_some()))
    {
        Some(at) if keys.is_none() => Err(BackendError::HalfKey { at: at.clone() }),
        _ => Ok(keys),
    }
}

/// The block's own key; else that of the profile, if the block names it; else the environment's; else the profile's.
fn keys(wanted: &Wanted, profile: Profile, environment: Environment<'_>) -> Option<Keys> {
    let of_environment = || {
        Keys::of(
            environment("AWS_ACCESS_KEY_ID"),
            environment("AWS_SECRET_ACCESS_KEY"),
            environment("AWS_SESSION_TOKEN"),
        )
    };
    match (&wanted.keys, &wanted.profile) {
        (Some(keys), _) => Some(keys.clone()),
        (None, Some(_)) => profile.keys,
        (None, None) => of_environment().or(profile.keys),
    }
}

/// As `backend "http"` finds its way.
///
/// Source: `internal/backend/remote-state/http/backend.go` of Terraform; user and password in a URL are Go's `net/http`.
pub(super) fn over_http(
    settings: &Settings,
    workspace: String,
    at: Place,
    environment: Environment<'_>,
) -> Result<Backend, BackendError> {
    if workspace != workspace::DEFAULT {
        return Err(BackendError::NoWorkspaces { name: workspace, at });
    }
    let (url, written) = match (settings.text("address"), environment("TF_HTTP_ADDRESS")) {
        (Some(url), _) => (url, settings.place("address").unwrap_or(&at).clone()),
        (None, Some(url)) => (url, Place::named("TF_HTTP_ADDRESS")),
        (None, None) => return Err(BackendError::Missing { name: "address", at }),
    };
    let found = state_url(&url).ok_or_else(|| BackendError::NoStateUrl {
        url: without_user(&url),
        at: written.clone(),
    })?;
    let address = Address::parse(&found.name).map_err(|why| bad_address(&written, why))?;
    let given = |name, variable: &str| settings.text(name).or_else(|| environment(variable));
    let keys = Keys::of(
        given("username", "TF_HTTP_USERNAME"),
        given("password", "TF_HTTP_PASSWORD"),
        None,
    );
    Ok(Backend {
        kind: Kind::Http,
        key: address.key().to_owned(),
        address,
        workspace,
        at,
        workspace_prefix: String::new(),
        endpoint: Some(found.endpoint),
        region: None,
        profile: None,
        ca_bundle: None,
        keys: keys.or(found.keys),
        // Terraform itself tells them there.
        keys_are_meant: true,
        table: None,
        lock_file: false,
        encryption: Encryption::default(),
        wanted: Wanted::default(),
        arguments: Vec::new(),
        notes: Vec::new(),
    })
}

fn bad_address(at: &Place, why: AddressError) -> BackendError {
    let at = at.clone();
    BackendError::Address { at, why }
}

struct StateUrl {
    endpoint: String,
    name: String,
    keys: Option<Keys>,
}

/// `http://[USER:PASSWORD@]HOST:PORT/state/BUCKET/KEY`.
fn state_url(url: &str) -> Option<StateUrl> {
    let (scheme, rest) = url.split_once("://")?;
    let (authority, path) = rest.split_once('/')?;
    let path = path.split(['?', '#']).next()?;
    let decoded = |text: &str| percent_decode_str(text).decode_utf8().ok().map(String::from);
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = user.split_once(':').unwrap_or((user, ""));
    Some(StateUrl {
        endpoint: format!("{scheme}://{host}"),
        name: decoded(path.strip_prefix(STATE)?)?,
        keys: Keys::of(decoded(user), decoded(password), None),
    })
}
