//! What a policy is about: the states of a backend block, how they are locked and sealed, and their ARNs.

use super::Sample;
use crate::backend::{Backend, workspace_key};

/// A bucket, the states in it that one backend block means, and what guards them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// The bucket.
    pub bucket: String,
    /// The key of the default workspace's state.
    pub key: String,
    /// What the keys of other workspaces begin with (`workspace_key_prefix`), usually `env:`.
    pub workspace_prefix: String,
    /// The workspaces that are meant.
    pub workspaces: Workspaces,
    /// Whether states are locked by a file beside them (`use_lockfile`).
    pub lock_file: bool,
    /// The lock table (`dynamodb_table`).
    pub table: Option<String>,
    /// The KMS key that states are sealed under: its ARN, its ID, or an alias.
    pub kms_key: Option<String>,
    /// Whether what is written gets a canned ACL (`acl`).
    pub acl: bool,
    /// AWS's region; any where none is known.
    pub region: Option<String>,
    /// The account of the table and the key; any where none is known.
    pub account: Option<String>,
}

/// Which workspaces somebody works in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Workspaces {
    /// The default one and any other.
    #[default]
    Any,
    /// These; `default` is one like the others.
    Only(Vec<String>),
}

/// A workspace that stands for any, where a request is needed and no pattern.
const SOME_WORKSPACE: &str = "some-workspace";

/// No workspace has such a name, so that it is found again in a key.
const ANY: &str = "\u{1}";

/// The keys of states that a pattern means.
#[derive(Clone, Debug)]
pub(super) struct States {
    /// As a policy has it, `*` being any workspace.
    pub(super) pattern: String,
    /// One of them.
    pub(super) sample: String,
    /// Whether it is of another workspace than the default one.
    pub(super) is_workspace: bool,
}

impl Subject {
    /// What a `backend "s3"` block means, with any workspace.
    #[must_use]
    pub fn of(backend: &Backend) -> Subject {
        let role = backend.wanted.roles.last().map(|role| role.arn.as_str());
        let web = backend
            .wanted
            .web_identity
            .as_ref()
            .map(|web| web.role.arn.as_str());
        Subject {
            bucket: backend.address.bucket().to_owned(),
            key: backend.key.clone(),
            workspace_prefix: backend.workspace_prefix.clone(),
            workspaces: Workspaces::Any,
            lock_file: backend.lock_file,
            table: backend.table.clone(),
            // Without `encrypt` Terraform names no key.
            kms_key: backend
                .encryption
                .kms_key
                .clone()
                .filter(|_| backend.encryption.encrypt),
            acl: backend.encryption.acl.is_some(),
            region: backend.region.clone(),
            account: role.or(web).and_then(account_of),
        }
    }

    /// The keys of all states that are meant.
    pub(super) fn states(&self) -> Vec<States> {
        let named = |name: &str| {
            let key = workspace_key(name, Some(&self.workspace_prefix), &self.key);
            States {
                pattern: escaped(&key).replace(ANY, "*"),
                sample: key.replace(ANY, SOME_WORKSPACE),
                is_workspace: name != "default",
            }
        };
        match &self.workspaces {
            Workspaces::Any => vec![named("default"), named(ANY)],
            Workspaces::Only(names) => names.iter().map(|name| named(name)).collect(),
        }
    }

    /// With which prefix Terraform lists the workspaces.
    pub(super) fn workspaces_prefix(&self) -> String {
        match self.workspace_prefix.as_str() {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        }
    }

    /// `aws`, or that of China, of the US government or of an isolated one.
    pub(super) fn partition(&self) -> &'static str {
        let region = self.region.as_deref().unwrap_or_default();
        let known = [
            ("cn-", "aws-cn"),
            ("us-gov-", "aws-us-gov"),
            ("us-iso-", "aws-iso"),
            ("us-isob-", "aws-iso-b"),
            ("us-isof-", "aws-iso-f"),
            ("eu-isoe-", "aws-iso-e"),
            ("eusc-", "aws-eusc"),
        ];
        let found = known.iter().find(|(prefix, _)| region.starts_with(prefix));
        found.map_or("aws", |(_, partition)| partition)
    }

    pub(super) fn bucket_arn(&self) -> String {
        format!("arn:{}:s3:::{}", self.partition(), self.bucket)
    }

    /// The ARN of objects by the pattern, or the sample, of their key.
    pub(super) fn object_arn(&self, key: &str) -> String {
        format!("{}/{key}", self.bucket_arn())
    }

    pub(super) fn table_arn(&self, table: &str) -> String {
        match table.starts_with("arn:") {
            true => escaped(table),
            false => self.arn("dynamodb", &format!("table/{}", escaped(table))),
        }
    }

    /// The key's ARN, and the alias that the block has in its place: an alias is not what a policy can be about.
    pub(super) fn kms_arn(&self, key: &str) -> (String, Option<String>) {
        let resource = match key.starts_with("arn:") {
            true => key.splitn(6, ':').nth(5).unwrap_or_default(),
            false => key,
        };
        if resource.starts_with("alias/") {
            let any = match key.strip_suffix(resource) {
                Some(head) if !head.is_empty() => format!("{head}key/*"),
                _ => self.arn("kms", "key/*"),
            };
            return (any, Some(resource.to_owned()));
        }
        match key.starts_with("arn:") {
            true => (escaped(key), None),
            false => (self.arn("kms", &format!("key/{}", escaped(key))), None),
        }
    }

    fn arn(&self, service: &str, resource: &str) -> String {
        let any = |text: &Option<String>| text.as_deref().map_or("*".to_owned(), escaped);
        let (region, account) = (any(&self.region), any(&self.account));
        format!("arn:{}:{service}:{region}:{account}:{resource}", self.partition())
    }

    /// The endpoints by whose name KMS sees that S3 asks it.
    pub(super) fn s3_endpoints(&self) -> Vec<String> {
        let region = self.region.as_deref().map_or("*".to_owned(), escaped);
        let plain = format!("s3.{region}.amazonaws.com");
        match self.partition() {
            "aws-cn" => vec![format!("{plain}.cn"), plain],
            _ => vec![plain],
        }
    }
}

/// The account in an ARN.
pub(super) fn account_of(arn: &str) -> Option<String> {
    let account = arn.split(':').nth(4)?;
    let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    is_account.then(|| account.to_owned())
}

/// The text as a policy writes what has no wildcards and variables in it.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '*' | '?' => escaped.extend(["${", &c.to_string(), "}"]),
            '$' => escaped.push_str("${$}"),
            c => escaped.push(c),
        }
    }
    escaped
}

impl Sample {
    /// One of the ARNs or values that a pattern of ours stands for, as a request has it.
    pub(super) fn concrete(pattern: &str) -> String {
        let part = |(at, part): (usize, &str)| match (at, part) {
            (3, "*") => "some-region".to_owned(),
            (4, "*") => ACCOUNT.to_owned(),
            (_, part) => part.replace("/*", "/some-key").replace(".*.", ".some-region."),
        };
        let parts: Vec<String> = pattern.split(':').enumerate().map(part).collect();
        let text = parts.join(":");
        text.replace("${*}", "*")
            .replace("${?}", "?")
            .replace("${$}", "$")
    }
}

/// The account of requests where none is known.
pub(super) const ACCOUNT: &str = "000000000000";
