//! What is wrong with a backend block, before anybody is asked anything.
//!
//! Source: `ConfigSchema` and `PrepareConfig` in `internal/backend/remote-state/s3/backend.go` of Terraform and OpenTofu;
//! what is removed and deprecated, as Terraform 1.11.4 says it at `init`.

use tidelock_core::diff::visible;

use crate::doctor::{
    facts::{Argument, Block, Program, Setup},
    finding::{Finding, Id},
};

/// The arguments of `backend "s3"` that are neither deprecated nor removed.
const KNOWN: [&str; 39] = [
    "access_key",
    "acl",
    "allowed_account_ids",
    "assume_role",
    "assume_role_with_web_identity",
    "bucket",
    "custom_ca_bundle",
    "dynamodb_table",
    "ec2_metadata_service_endpoint",
    "ec2_metadata_service_endpoint_mode",
    "encrypt",
    "endpoints",
    "forbidden_account_ids",
    "http_proxy",
    "https_proxy",
    "insecure",
    "key",
    "kms_key_id",
    "max_retries",
    "no_proxy",
    "profile",
    "region",
    "retry_mode",
    "secret_key",
    "shared_config_files",
    "shared_credentials_files",
    "skip_credentials_validation",
    "skip_metadata_api_check",
    "skip_region_validation",
    "skip_requesting_account_id",
    "skip_s3_checksum",
    "sse_customer_key",
    "sts_region",
    "token",
    "use_dualstack_endpoint",
    "use_fips_endpoint",
    "use_lockfile",
    "use_path_style",
    "workspace_key_prefix",
];

/// Arguments that newer ones take the place of, since 1.6.
const DEPRECATED: [(&str, &str); 6] = [
    ("endpoint", "endpoints = { s3 = … }"),
    ("dynamodb_endpoint", "endpoints = { dynamodb = … }"),
    ("iam_endpoint", "endpoints = { iam = … }"),
    ("sts_endpoint", "endpoints = { sts = … }"),
    ("shared_credentials_file", "shared_credentials_files = [ … ]"),
    ("force_path_style", "use_path_style = …"),
];

/// Arguments that Terraform 1.10 has taken out; OpenTofu still takes them.
const REMOVED: [(&str, &str); 8] = [
    ("role_arn", "assume_role = { role_arn = … }"),
    ("session_name", "assume_role = { session_name = … }"),
    ("external_id", "assume_role = { external_id = … }"),
    ("assume_role_duration_seconds", "assume_role = { duration = … }"),
    ("assume_role_policy", "assume_role = { policy = … }"),
    ("assume_role_policy_arns", "assume_role = { policy_arns = … }"),
    ("assume_role_tags", "assume_role = { tags = … }"),
    (
        "assume_role_transitive_tag_keys",
        "assume_role = { transitive_tag_keys = … }",
    ),
];

/// What must not be in a file.
const SECRET: [&str; 3] = ["secret_key", "sse_customer_key", "token"];

/// What switches off checks that AWS needs no rest from.
const SKIPS: [&str; 3] = [
    "skip_credentials_validation",
    "skip_requesting_account_id",
    "skip_s3_checksum",
];

pub(super) fn judge(setup: &Setup, block: &Block) -> Vec<Finding> {
    let mut found: Vec<Finding> = block
        .arguments
        .iter()
        .flat_map(|argument| argument_of(setup, block, argument))
        .collect();
    found.extend(locking(setup, block));
    found.extend(way(setup, block));
    found
}

fn argument_of(setup: &Setup, block: &Block, argument: &Argument) -> Vec<Finding> {
    let outer = argument.name.split('.').next().unwrap_or_default();
    let (name, at) = (visible(outer), visible(&argument.at));
    let is_known = KNOWN.contains(&outer);
    let replaced =
        |list: &[(&str, &'static str)]| list.iter().find(|(old, _)| *old == outer).map(|(_, new)| *new);
    let mut found = Vec::new();
    if let Some(new) = replaced(&DEPRECATED).filter(|_| since(block, 1, 6)) {
        let what = format!("{at}: {name} is deprecated");
        found.push(Finding::new(
            Id::ArgumentDeprecated,
            what,
            format!("write {new} in its place"),
        ));
    } else if let Some(new) = replaced(&REMOVED) {
        let mend = format!("write {new} in its place");
        let gone = block.program == Program::Terraform && since(block, 1, 10);
        found.push(match gone {
            true => Finding::new(
                Id::ArgumentRemoved,
                format!("{at}: Terraform 1.10 and newer know no {name}"),
                mend,
            ),
            false => Finding::new(
                Id::ArgumentDeprecated,
                format!("{at}: {name} is deprecated"),
                mend,
            ),
        });
    } else if !is_known && replaced(&DEPRECATED).is_none() {
        found.push(unknown(setup, &name, &at));
    }
    let may_compute = block.program == Program::OpenTofu && since(block, 1, 8);
    if argument.computed && !may_compute {
        let what = format!(
            "{at}: {name} is a variable or another expression, and a backend block takes plain values only"
        );
        let mend = format!(
            "take {name} out of the block, and give it to init: terraform init -backend-config={name}=VALUE"
        );
        found.push(Finding::new(Id::ArgumentComputed, what, mend));
    }
    found.extend(by_value(setup, argument, outer, &at));
    found
}

fn unknown(setup: &Setup, name: &str, at: &str) -> Finding {
    let what = format!("{at}: backend \"s3\" has no argument {name}, so init fails");
    let mend = match name {
        "versioning" => format!(
            "take it out; a bucket is versioned by {}",
            setup.tidelock("bootstrap")
        ),
        "lock_table" => "write dynamodb_table in its place".to_owned(),
        _ => "take it out".to_owned(),
    };
    Finding::new(Id::ArgumentUnknown, what, mend)
}

fn by_value(setup: &Setup, argument: &Argument, outer: &str, at: &str) -> Option<Finding> {
    let value = argument.value.as_deref().unwrap_or_default();
    if SECRET.contains(&outer) && !argument.computed {
        let what = format!("{at}: {outer} stands in the block, and so in version control and in .terraform");
        let mend = "take it out and give it by profile, by a role, or by the environment (AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_SSE_CUSTOMER_KEY); then make a new one";
        return Some(Finding::new(Id::SecretInBlock, what, mend));
    }
    if SKIPS.contains(&outer) && value == "true" && setup.endpoint.is_none() {
        let what = format!(
            "{at}: {outer} is for other stores than AWS; here it hides mistakes until the first write"
        );
        return Some(Finding::new(Id::ChecksSkipped, what, "take it out"));
    }
    if outer == "insecure" && value == "true" {
        let what = format!(
            "{at}: insecure switches off the check of certificates: anybody on the way can read and change states"
        );
        return Some(Finding::new(
            Id::TlsUnchecked,
            what,
            "take it out; trust an authority of your own by custom_ca_bundle",
        ));
    }
    if argument.name == "key" {
        return key(value, at);
    }
    None
}

fn key(key: &str, at: &str) -> Option<Finding> {
    let shown = visible(key);
    if key.starts_with('/') || key.ends_with('/') || key.contains("//") {
        let what =
            format!("{at}: key \"{shown}\" begins or ends with a slash or has two in a row, and init fails");
        return Some(Finding::new(Id::KeyInvalid, what, "write the key without them"));
    }
    let reads_as = match key {
        _ if key.ends_with(".tflock") => "the lock file of another state",
        _ if key.ends_with("-md5") => "the digest of another state in the lock table",
        _ if key.starts_with("env:/") => "a workspace of another state",
        _ => return None,
    };
    let what = format!("{at}: key \"{shown}\" reads as {reads_as}");
    Some(Finding::new(
        Id::KeyMisleading,
        what,
        "choose another key, and take the state along: terraform init -migrate-state",
    ))
}

fn locking(setup: &Setup, block: &Block) -> Vec<Finding> {
    let mut found = Vec::new();
    let at = visible(&block.at);
    let lock_file = setup.lock_file == Some(true);
    if !lock_file && setup.table.is_none() {
        let what = format!(
            "{at}: nothing locks the state, so two applies can run at once and lose each other's work"
        );
        found.push(Finding::new(
            Id::NoLock,
            what,
            "write use_lockfile = true into the block, then: terraform init -reconfigure",
        ));
    }
    let written = written(block);
    if setup.table.is_some() && block.program == Program::Terraform && since_known(block, 1, 11) {
        let what =
            format!("{at}: dynamodb_table is deprecated, and Terraform {written} warns of it at every init");
        found.push(Finding::new(
            Id::TableDeprecated,
            what,
            "tidelock migrate dynamodb-to-lockfile",
        ));
    }
    if lock_file && block.version.is_some() && !since_known(block, 1, 10) {
        let what =
            format!("{at}: use_lockfile needs version 1.10, and {written} is used here, which fails at init");
        found.push(Finding::new(
            Id::LockFileTooNew,
            what,
            "use dynamodb_table, or a newer version",
        ));
    }
    found
}

fn way(setup: &Setup, block: &Block) -> Vec<Finding> {
    let mut found = Vec::new();
    let at = visible(&block.at);
    if setup.region.is_none() {
        let what = format!(
            "{at}: no region, neither in the block nor in AWS_REGION nor in the profile, and init fails"
        );
        found.push(Finding::new(
            Id::RegionMissing,
            what,
            "write region = \"us-east-1\" into the block, or the bucket's own region",
        ));
    }
    if setup.table.is_some() && setup.endpoint.is_some() != block.dynamodb_endpoint.is_some() {
        let place = |endpoint: &Option<String>| endpoint.as_deref().map_or_else(|| "AWS".to_owned(), visible);
        let (states, locks) = (place(&setup.endpoint), place(&block.dynamodb_endpoint));
        let what = format!("{at}: states are at {states}, and their locks at {locks}");
        found.push(Finding::new(
            Id::EndpointsSplit,
            what,
            "name both: endpoints = { s3 = …, dynamodb = … }, or set AWS_ENDPOINT_URL",
        ));
    }
    if let Some(host) = block.bucket_host.as_ref().filter(|host| !host.exists) {
        let what = format!(
            "{at}: Terraform looks for the bucket at the host {}, which does not exist",
            visible(&host.name)
        );
        found.push(Finding::new(
            Id::PathStyleMissing,
            what,
            "write use_path_style = true into the block",
        ));
    }
    let plain = setup
        .endpoint
        .as_ref()
        .and_then(|endpoint| endpoint.strip_prefix("http://"));
    if let Some(host) = plain.filter(|host| !is_this_machine(host)) {
        let what = format!(
            "{at}: states go to {} unencrypted, with every secret in them",
            visible(host)
        );
        found.push(Finding::new(
            Id::EndpointPlain,
            what,
            "serve it with TLS, and write https:// into the endpoint",
        ));
    }
    found
}

fn is_this_machine(host: &str) -> bool {
    let host = host.trim_end_matches('/');
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let is_loopback = |address: std::net::IpAddr| address.is_loopback();
    name == "localhost" || name.ends_with(".localhost") || name.parse().is_ok_and(is_loopback)
}

/// Whether the program is that new; one that nobody knows is taken for new.
fn since(block: &Block, major: u32, minor: u32) -> bool {
    block.version.is_none_or(|version| version >= (major, minor))
}

fn since_known(block: &Block, major: u32, minor: u32) -> bool {
    block.version.is_some_and(|version| version >= (major, minor))
}

fn written(block: &Block) -> String {
    let (major, minor) = block.version.unwrap_or_default();
    format!("{major}.{minor}")
}
