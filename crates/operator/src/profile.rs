//! The AWS profile that sends a backend here while the AWS provider keeps its real account.
//!
//! `AWS_ENDPOINT_URL` redirects every client in the shell, the provider too. A profile with a `services` section
//! redirects only who asks for that profile: `backend "s3" { profile = "tidelock" }`.

use std::{
    collections::BTreeMap,
    fmt, fs, io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

use tidelock_core::limits::AWS_FILE_BYTES_MAX;

use crate::{
    files,
    ini::{self, Change, Refusal, Section},
    keys::Keys,
};

/// The services a Terraform backend speaks to, by their identifiers in AWS's `services` section.
const SERVICES: [&str; 3] = ["s3", "dynamodb", "sts"];

/// Those whose endpoints are read from a profile: a KMS key and a role's rights are looked up there too.
const READ: [&str; 5] = ["dynamodb", "iam", "kms", "s3", "sts"];

/// Any region is accepted by the server; a client insists on having one.
const REGION: &str = "us-east-1";

/// What the profile should say.
pub struct Wanted<'a> {
    /// Name of the profile and of its `services` section.
    pub name: &'a str,
    /// Such as `http://127.0.0.1:9470`.
    pub endpoint: &'a str,
    /// The file with the certificates to trust there, when they are not the system's.
    pub ca_bundle: Option<&'a Path>,
    /// The access key id.
    pub access_key_id: &'a str,
    /// The secret access key; goes into the credentials file and nowhere else.
    pub secret_access_key: &'a str,
    /// AWS's shared config file, usually `~/.aws/config`.
    pub config: &'a Path,
    /// AWS's shared credentials file, usually `~/.aws/credentials`.
    pub credentials: &'a Path,
    /// Replace sections of the same name that this command did not write.
    pub force: bool,
}

/// What [`apply`] will do, file by file. Holds the new contents, which it shows to nobody.
#[derive(Debug)]
pub struct Plan {
    /// The files, in the order in which they are written.
    pub files: Vec<FilePlan>,
}

/// What happens to one file.
pub struct FilePlan {
    /// The file.
    pub path: PathBuf,
    /// Whether the file is made.
    pub creates: bool,
    /// Whether its mode is narrowed to 0600, because it holds a secret and others can read it.
    pub tightens: bool,
    /// Headers of the sections it should have, and what that takes.
    pub sections: Vec<(String, Change)>,
    before: String,
    after: String,
    mode: u32,
}

impl FilePlan {
    /// Whether applying it changes anything.
    pub fn is_needed(&self) -> bool {
        self.tightens || self.before != self.after
    }
}

impl fmt::Debug for FilePlan {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The contents hold secret keys, ours and the user's others.
        out.debug_struct("FilePlan")
            .field("path", &self.path)
            .field("sections", &self.sections)
            .finish_non_exhaustive()
    }
}

/// Why the profile cannot be written. Nothing has been changed, save where it says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// The name would need quoting that not every tool understands.
    #[error("'{0}' cannot name a profile: use letters, digits and . _ - only")]
    Name(String),
    /// The user has a section of that name.
    #[error(
        "{}:{line}: [{header}] is there already and was not written by tidelock; \
         choose another name with --name, or replace that section with --force", path.display()
    )]
    NotOurs {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// The section's header.
        header: String,
    },
    /// The section is there twice.
    #[error("{}:{second}: [{header}] is there twice (first on line {first}); remove one of them", path.display())]
    Twice {
        /// The file.
        path: PathBuf,
        /// Line of the first.
        first: usize,
        /// Line of the second.
        second: usize,
        /// The section's header.
        header: String,
    },
    /// The file cannot be read, or is not text.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Somebody wrote to the file after it was inspected.
    #[error("{} was changed by something else in the meantime; run the command again", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be written; files before it in the plan have been.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What a profile says about S3. The key's secret is not in its `Debug`.
#[derive(Debug, Default)]
pub struct Profile {
    /// S3's endpoint, such as `http://127.0.0.1:9470`.
    pub endpoint: Option<String>,
    /// The endpoint of each service that a backend may ask, by its name in the `services` section.
    pub endpoints: BTreeMap<&'static str, String>,
    /// A file with certificates to trust.
    pub ca_bundle: Option<PathBuf>,
    /// AWS's region.
    pub region: Option<String>,
    /// A key that is written down, and not one that a role or SSO would give.
    pub keys: Option<Keys>,
}

/// Reads the profile `name`, whoever wrote it; of several files the last one that says something counts. A file that
/// is not there says nothing.
///
/// # Errors
/// When a file is there and cannot be read.
pub fn find(name: &str, config: &[PathBuf], credentials: &[PathBuf]) -> Result<Profile, ProfileError> {
    let mut profile = Profile::default();
    for path in config.iter().rev() {
        let config = read(path)?.unwrap_or_default();
        let header = header(name);
        let value = |key: &str| ini::value(&config, &header, key);
        let services = value("services").map(|services| format!("services {services}"));
        for service in READ {
            let of_service = services
                .as_deref()
                .and_then(|services| ini::nested_value(&config, services, service, "endpoint_url"))
                .or_else(|| value("endpoint_url"));
            if let Some(endpoint) = of_service {
                profile
                    .endpoints
                    .entry(service)
                    .or_insert_with(|| endpoint.to_owned());
            }
        }
        profile.ca_bundle = profile
            .ca_bundle
            .or_else(|| value("ca_bundle").map(PathBuf::from));
        profile.region = profile.region.or_else(|| value("region").map(str::to_owned));
        profile.keys = profile.keys.or_else(|| keys(&config, &header));
    }
    for path in credentials {
        let credentials = read(path)?.unwrap_or_default();
        profile.keys = keys(&credentials, name).or(profile.keys);
    }
    profile.endpoint = profile.endpoints.get("s3").cloned();
    Ok(profile)
}

/// The key in the section of this header.
fn keys(text: &str, header: &str) -> Option<Keys> {
    let value = |key: &str| ini::value(text, header, key).map(str::to_owned);
    Keys::of(
        value("aws_access_key_id"),
        value("aws_secret_access_key"),
        value("aws_session_token"),
    )
}

/// Reads both files and works out what must change in them; changes nothing.
///
/// # Errors
/// When a section of that name is someone else's or there twice, or a file cannot be read.
pub fn inspect(wanted: &Wanted<'_>) -> Result<Plan, ProfileError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if wanted.name.is_empty() || !wanted.name.chars().all(plain) {
        return Err(ProfileError::Name(wanted.name.to_owned()));
    }
    // Keys first: a profile without its keys would fail, keys without a profile only wait for it.
    let credentials = inspect_file(
        wanted.credentials,
        &[credentials_section(wanted)],
        true,
        wanted.force,
    )?;
    let sections = [profile_section(wanted), services_section(wanted)];
    let config = inspect_file(wanted.config, &sections, false, wanted.force)?;
    Ok(Plan {
        files: vec![credentials, config],
    })
}

/// Does what the plan says: each file is replaced as a whole, or left alone when it is as wanted.
///
/// # Errors
/// When a file was changed since it was inspected, or cannot be written.
pub fn apply(plan: &Plan) -> Result<(), ProfileError> {
    for file in plan.files.iter().filter(|file| file.is_needed()) {
        if read(&file.path)?.unwrap_or_default() != file.before {
            return Err(ProfileError::Changed {
                path: file.path.clone(),
            });
        }
        let written = make_parent(&file.path)
            .and_then(|()| files::replace(&file.path, file.after.as_bytes(), file.mode));
        written.map_err(|source| ProfileError::Write {
            path: file.path.clone(),
            source,
        })?;
    }
    Ok(())
}

fn credentials_section(wanted: &Wanted<'_>) -> Section {
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    Section {
        header: wanted.name.to_owned(),
        entries: vec![
            pair("aws_access_key_id", wanted.access_key_id),
            pair("aws_secret_access_key", wanted.secret_access_key),
        ],
    }
}

/// What the config file calls a profile.
fn header(name: &str) -> String {
    match name {
        "default" => "default".to_owned(),
        name => format!("profile {name}"),
    }
}

fn profile_section(wanted: &Wanted<'_>) -> Section {
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let mut entries = vec![pair("region", REGION), pair("services", wanted.name)];
    if let Some(bundle) = wanted.ca_bundle {
        entries.push(pair("ca_bundle", &bundle.to_string_lossy()));
    }
    Section {
        header: header(wanted.name),
        entries,
    }
}

fn services_section(wanted: &Wanted<'_>) -> Section {
    let nested = format!("\n  endpoint_url = {}", wanted.endpoint);
    Section {
        header: format!("services {}", wanted.name),
        entries: SERVICES
            .iter()
            .map(|&service| (service.to_owned(), nested.clone()))
            .collect(),
    }
}

fn inspect_file(
    path: &Path,
    wanted: &[Section],
    secret: bool,
    force: bool,
) -> Result<FilePlan, ProfileError> {
    let found = read(path)?;
    let fault = |source| ProfileError::Read {
        path: path.to_owned(),
        source,
    };
    let mode = match &found {
        Some(_) => fs::metadata(path).map_err(fault)?.permissions().mode() & 0o777,
        None => files::SECRET_MODE,
    };
    let tightens = secret && mode & 0o077 != 0;
    let creates = found.is_none();
    let before = found.unwrap_or_default();
    let (mut after, mut sections) = (before.clone(), Vec::new());
    for section in wanted {
        let (text, change) =
            ini::edit(&after, section, force).map_err(|refusal| refused(path, section, refusal))?;
        after = text;
        sections.push((section.header.clone(), change));
    }
    let mode = if secret { files::SECRET_MODE } else { mode };
    Ok(FilePlan {
        path: path.to_owned(),
        creates,
        tightens,
        sections,
        before,
        after,
        mode,
    })
}

fn refused(path: &Path, section: &Section, refusal: Refusal) -> ProfileError {
    let (path, header) = (path.to_owned(), section.header.clone());
    match refusal {
        Refusal::NotOurs { line } => ProfileError::NotOurs { path, line, header },
        Refusal::Twice { first, second } => ProfileError::Twice {
            path,
            first,
            second,
            header,
        },
    }
}

/// `None` when there is no such file.
fn read(path: &Path) -> Result<Option<String>, ProfileError> {
    files::read_text(path, AWS_FILE_BYTES_MAX).map_err(|source| ProfileError::Read {
        path: path.to_owned(),
        source,
    })
}

fn make_parent(path: &Path) -> io::Result<()> {
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => fs::DirBuilder::new().recursive(true).mode(0o700).create(parent),
        None => Ok(()),
    }
}
