//! What is wrong with a backend, in plain words, and the command that mends it.
//!
//! Seen first ([`facts`], gathered by [`gather`] and [`directories`]), judged after ([`judge`]): the judging asks nobody, so
//! that every finding has a fixture. Nothing is changed, save that a scratch key is written and removed.

mod directories;
mod facts;
mod finding;
mod gather;
mod judge;

use std::{ops::ControlFlow, path::Path, sync::Arc};

pub use finding::{Finding, Id, Level};

use facts::{Block, BucketHost, Fact, Setup};

use crate::{
    backend::{Backend, BackendError},
    layout::Layout,
};

/// What an examination is told of while it goes on; `Break` ends it.
pub type Tell<'a> = dyn FnMut(Event) -> ControlFlow<()> + 'a;

/// Something that an examination has to say.
#[derive(Debug)]
pub enum Event {
    /// Something is wrong.
    Finding(Finding),
    /// Something could not be looked at: what, and why.
    Skipped(String),
    /// What it is looking at now.
    Progress(String),
}

/// How to look.
#[derive(Clone, Debug)]
pub struct Options {
    /// From which age on a lock counts as stale, in milliseconds.
    pub stale_ms: i64,
    /// Now, in milliseconds since 1970.
    pub now_ms: i64,
    /// What the scratch key is called after, so that no two examinations share one.
    pub nonce: String,
    /// Whether nothing at all may be written.
    pub read_only: bool,
    /// Whether only the one state is looked at, and not all of the bucket.
    pub one_state: bool,
}

/// A backend to be examined.
#[derive(Debug)]
pub struct Patient {
    layout: Arc<Layout>,
    setup: Setup,
    options: Options,
}

impl Patient {
    /// `flags` are the words that make another command mean the same place: empty where it finds it by itself.
    #[must_use]
    pub fn new(
        layout: Layout,
        key: Option<String>,
        backend: Option<&Backend>,
        flags: String,
        options: Options,
    ) -> Patient {
        let endpoint = layout.access.settings.endpoint("s3");
        let setup = Setup {
            bucket: layout.bucket.clone(),
            key,
            table: layout.table.clone(),
            lock_file: backend.map(|backend| backend.lock_file),
            region: match backend {
                Some(backend) => backend.region.clone(),
                None => Some(layout.access.region().to_owned()),
            },
            endpoint,
            dynamodb_endpoint: layout.access.settings.endpoint("dynamodb"),
            profile: layout.access.settings.wanted.profile.clone(),
            flags,
            kms_key: layout.encryption.kms_key.clone(),
        };
        Patient {
            layout: Arc::new(layout),
            setup,
            options,
        }
    }

    /// Looks at the files alone: the block of the directory, and those of the repository around it. `version` is that of the
    /// program that is installed.
    ///
    /// # Errors
    /// [`BackendError`].
    pub async fn look_at_files(
        &self,
        dir: &Path,
        version: Option<(u32, u32)>,
    ) -> Result<Vec<Finding>, BackendError> {
        let Some(mut block) = directories::block(dir, version)? else {
            return Ok(Vec::new());
        };
        block.dynamodb_endpoint = self.layout.access.settings.endpoint("dynamodb");
        block.bucket_host = self.bucket_host(&block).await;
        let mut found = judge::judge(&self.setup, &Fact::Block(block));
        let others = directories::others(dir).map(Fact::Others);
        found.extend(others.iter().flat_map(|others| judge::judge(&self.setup, others)));
        Ok(found)
    }

    /// The host at which AWS's SDK for Go looks for the bucket: unless the endpoint is an address, or it is told otherwise.
    async fn bucket_host(&self, block: &Block) -> Option<BucketHost> {
        let is_by_path = |name: &str| name == "use_path_style" || name == "force_path_style";
        let told = block.arguments.iter().find(|argument| is_by_path(&argument.name));
        if told.is_some_and(|told| told.value.as_deref() == Some("true")) || self.setup.bucket.contains('.') {
            return None;
        }
        let uri: http::Uri = self.setup.endpoint.as_ref()?.parse().ok()?;
        let host = uri.host().filter(|host| !host.starts_with('['))?;
        if host.parse::<std::net::IpAddr>().is_ok() {
            return None;
        }
        let name = format!("{}.{host}", self.setup.bucket);
        let exists = tokio::net::lookup_host((name.as_str(), 443)).await.is_ok();
        Some(BucketHost { name, exists })
    }

    /// Looks at everything else, and tells what it finds as it finds it.
    pub async fn examine(&self, tell: &mut Tell<'_>) -> ControlFlow<()> {
        gather::Examination {
            layout: &self.layout,
            setup: &self.setup,
            options: &self.options,
            tell,
            no_digests: false,
        }
        .run()
        .await
    }
}

/// What is wrong in the files of a directory whose backend cannot be found for it.
///
/// # Errors
/// [`BackendError`], where not even the block can be read.
pub fn look_at_block(dir: &Path, version: Option<(u32, u32)>) -> Result<Vec<Finding>, BackendError> {
    let Some(block) = directories::block(dir, version)? else {
        return Ok(Vec::new());
    };
    let value = |name: &str| {
        let argument = block.arguments.iter().find(|argument| argument.name == name);
        argument.and_then(|argument| argument.value.clone())
    };
    let is_set = |name: &str| block.arguments.iter().any(|argument| argument.name == name);
    // What a file or a variable may add is not known here, so that what is missing is no finding.
    let setup = Setup {
        bucket: value("bucket").unwrap_or_default(),
        key: value("key"),
        table: value("dynamodb_table"),
        lock_file: Some(is_set("use_lockfile") || !is_set("dynamodb_table")),
        region: Some(value("region").unwrap_or_default()),
        endpoint: value("endpoints.s3").or_else(|| value("endpoint")),
        // What is not written may be in the environment, and no split.
        dynamodb_endpoint: value("endpoints.s3").or_else(|| value("endpoint")),
        profile: value("profile"),
        flags: String::new(),
        kms_key: value("kms_key_id"),
    };
    let block = Block {
        dynamodb_endpoint: setup.dynamodb_endpoint.clone(),
        ..block
    };
    Ok(judge::judge(&setup, &Fact::Block(block)))
}
