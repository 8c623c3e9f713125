//! From settings, variables and profiles to a server, a key and an address.

use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;
use tidelock_core::{Address, AddressError};

use super::{Backend, BackendError, Environment, Kind, Place, Settings, settings::without_user, workspace};
use crate::{
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
    let (bucket, key) = (need("bucket")?, need("key")?);
    let prefix = settings.given("workspace_key_prefix");
    let key = workspace::key(&workspace, prefix.as_deref(), &key);
    let address = Address::new(&bucket, &key).map_err(|why| bad_address(&at, why))?;

    let first = |names: &[&str]| names.iter().find_map(|name| environment(name));
    let files = files(settings, dir, environment);
    let named = settings.text("profile");
    let profile = named
        .clone()
        .or_else(|| first(&["AWS_PROFILE", "AWS_DEFAULT_PROFILE"]));
    let [config_files, credentials_files] = files;
    let found = profile::find(
        profile.as_deref().unwrap_or("default"),
        &config_files,
        &credentials_files,
    )?;
    let s3 = settings
        .text("endpoints.s3")
        .or_else(|| settings.text("endpoint"));
    let dynamodb = settings
        .text("endpoints.dynamodb")
        .or_else(|| settings.text("dynamodb_endpoint"));
    Ok(Backend {
        kind: Kind::S3,
        address,
        workspace,
        at,
        endpoint: s3
            .or_else(|| first(&["AWS_ENDPOINT_URL_S3", "AWS_S3_ENDPOINT", "AWS_ENDPOINT_URL"]))
            .or_else(|| found.endpoint.clone()),
        dynamodb_endpoint: dynamodb
            .or_else(|| first(&["AWS_ENDPOINT_URL_DYNAMODB", "AWS_DYNAMODB_ENDPOINT"])),
        region: settings
            .text("region")
            .or_else(|| first(&["AWS_REGION", "AWS_DEFAULT_REGION"]))
            .or_else(|| found.region.clone()),
        ca_bundle: settings
            .text("custom_ca_bundle")
            .map(PathBuf::from)
            .or_else(|| found.ca_bundle.clone()),
        keys: keys(settings, named.is_some(), found, environment),
        profile,
        config_files,
        credentials_files,
        table: settings.text("dynamodb_table"),
        lock_file: settings.text("use_lockfile").is_some_and(|given| given == "true"),
        notes: Vec::new(),
    })
}

/// The block's own key; else that of the profile, if the block names it; else the environment's; else the profile's.
fn keys(
    settings: &Settings,
    names_profile: bool,
    profile: Profile,
    environment: Environment<'_>,
) -> Option<Keys> {
    let of_block = Keys::of(
        settings.text("access_key"),
        settings.text("secret_key"),
        settings.text("token"),
    );
    let of_environment = || {
        Keys::of(
            environment("AWS_ACCESS_KEY_ID"),
            environment("AWS_SECRET_ACCESS_KEY"),
            environment("AWS_SESSION_TOKEN"),
        )
    };
    match of_block {
        Some(keys) => Some(keys),
        None if names_profile => profile.keys,
        None => of_environment().or(profile.keys),
    }
}

/// AWS's shared config files, and its credentials files.
fn files(settings: &Settings, dir: &Path, environment: Environment<'_>) -> [Vec<PathBuf>; 2] {
    let home = environment("HOME").map(PathBuf::from);
    let path = |given: String| match (given.strip_prefix("~/"), &home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => dir.join(given),
    };
    let usual = |name: &str| home.iter().map(|home| home.join(".aws").join(name)).collect();
    let chosen = |given: Option<Vec<String>>, variables: &[&str], name| {
        let given = given.or_else(|| Some(vec![variables.iter().find_map(|name| environment(name))?]));
        given.map_or_else(|| usual(name), |given| given.into_iter().map(path).collect())
    };
    let one = settings.text("shared_credentials_file").map(|file| vec![file]);
    [
        chosen(
            settings.list("shared_config_files"),
            &["AWS_SHARED_CONFIG_FILE", "AWS_CONFIG_FILE"],
            "config",
        ),
        chosen(
            settings.list("shared_credentials_files").or(one),
            &["AWS_SHARED_CREDENTIALS_FILE"],
            "credentials",
        ),
    ]
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
        address,
        workspace,
        at,
        endpoint: Some(found.endpoint),
        dynamodb_endpoint: None,
        region: None,
        profile: None,
        config_files: Vec::new(),
        credentials_files: Vec::new(),
        ca_bundle: None,
        keys: keys.or(found.keys),
        table: None,
        lock_file: false,
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
