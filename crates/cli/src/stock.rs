//! The bucket and the table that a command works on: as named, or as the backend block at hand says.

mod means;

use std::{env, future::Future, io::Write, path::PathBuf};

use tidelock_core::diff::visible;
use tidelock_operator::{
    aws::{Access, Environment, Settings, Wanted},
    backend::{self, Backend, BackendError, Kind},
    layout::{self, Layout},
};
use tokio::runtime;

use crate::{
    args,
    exit::{Failure, Status},
};

pub(crate) use means::{Means, means};

/// What a command works on.
pub(crate) struct Found {
    /// The bucket and its table.
    pub(crate) layout: Layout,
    /// The state that is meant, where one is.
    pub(crate) key: Option<String>,
    /// The backend that it was found in; `None` where flags said it all.
    pub(crate) backend: Option<Backend>,
}

/// What is named; the rest from the backend block in the directory, if there is one. What is worth knowing about how it was
/// found goes to `err`.
pub(crate) fn find(stock: &args::Stock, err: &mut dyn Write) -> Result<Found, Failure> {
    let named = &stock.layout;
    let dir = stock.chdir.clone().unwrap_or_else(|| PathBuf::from("."));
    let found = match backend::find(&dir, &stock.backend_config, &|name| env::var(name).ok()) {
        Ok(backend) => Some(backend),
        // Who names the bucket needs no configuration, and may stand in a directory of another one.
        Err(BackendError::None { .. } | BackendError::Other { .. }) if named.bucket.is_some() => None,
        Err(why) => {
            // A profile that is named and not there is what is wrong first.
            if stock.profile.is_some() {
                access(stock, None)?;
            }
            return Err(why.into());
        }
    };
    let found = found.filter(|found| {
        let bucket = named.bucket.as_deref();
        found.kind == Kind::S3 && bucket.is_none_or(|bucket| bucket == found.address.bucket())
    });
    let Some(bucket) = named.bucket.clone().or_else(|| {
        let address = found.as_ref().map(|found| &found.address);
        address.map(|address| address.bucket().to_owned())
    }) else {
        let message = "the backend is no bucket: this works on backend \"s3\"; name one with --bucket";
        return Err(Failure::new(Status::Usage, message));
    };
    let backend = found;
    for note in backend.iter().flat_map(|found| &found.notes) {
        writeln!(err, "note: {note}")?;
    }
    let access = access(stock, backend.as_ref())?;
    let of_backend = |get: fn(&Backend) -> Option<String>| backend.as_ref().and_then(get);
    let table = named
        .table
        .clone()
        .or_else(|| of_backend(|found| found.table.clone()));
    let key = named
        .key
        .clone()
        .or_else(|| of_backend(|found| Some(found.address.key().to_owned())));
    let mut layout = Layout::new(access, bucket, table)?;
    layout.encryption = backend
        .as_ref()
        .map(|found| found.encryption.clone())
        .unwrap_or_default();
    Ok(Found { layout, key, backend })
}

/// How the services are reached: as the backend says, and over it what is named.
fn access(stock: &args::Stock, backend: Option<&Backend>) -> Result<std::sync::Arc<Access>, Failure> {
    let mut wanted = backend.map_or_else(Wanted::default, |found| found.wanted.clone());
    let named = &stock.layout;
    if let Some(endpoint) = &named.endpoint {
        wanted.endpoints.remove("s3");
        wanted.endpoints.remove("dynamodb");
        wanted.endpoint = Some(endpoint.clone());
    }
    wanted.region = named.region.clone().or(wanted.region);
    if let Some(profile) = &stock.profile {
        // Another profile is somebody else, at the place that the backend names.
        wanted.profile = Some(profile.clone());
        (wanted.keys, wanted.web_identity, wanted.roles) = (None, None, Vec::new());
    }
    let settings = Settings::load(Environment::new(env::vars_os()), wanted)?;
    Ok(Access::new(settings)?)
}

/// Runs what waits for the services.
pub(crate) fn wait<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(work)
}

/// What to look at where a bucket or a table is not there: AWS looks for a table in one region only, and says no more.
fn next(error: &layout::Error) -> Option<&'static str> {
    match error {
        layout::Error::DynamoDb(error) if error.code() == Some("ResourceNotFoundException") => {
            Some("; is --table right, and --region (or AWS_REGION)? `tidelock bootstrap` makes one")
        }
        layout::Error::S3(error) if error.code() == Some("NoSuchBucket") => {
            Some("; is --bucket right? `tidelock bootstrap` makes one")
        }
        _ => None,
    }
}

impl From<layout::Error> for Failure {
    fn from(error: layout::Error) -> Failure {
        let next = next(&error).unwrap_or_default();
        Failure::new(Status::Failed, format!("{}{next}", visible(&error.to_string())))
    }
}
