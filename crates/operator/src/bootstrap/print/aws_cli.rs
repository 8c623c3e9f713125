//! As commands of the AWS CLI.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{Reached, comment, remarks, rules};
use crate::bootstrap::{Plan, Target};

/// A shell script. Everything but making the bucket and the table can be repeated; those are left out where they are.
#[must_use]
pub fn aws_cli(plan: &Plan, reached: &Reached) -> String {
    let target = &plan.target;
    let mut out = "#!/bin/sh\nset -eu\n".to_owned() + &comment(&remarks(plan));
    let region = quoted(&target.region);
    // Version 1 of the AWS CLI knows the second alone.
    let _ = writeln!(out, "export AWS_REGION={region} AWS_DEFAULT_REGION={region}");
    for (variable, url) in [
        ("AWS_ENDPOINT_URL_S3", &reached.s3),
        ("AWS_ENDPOINT_URL_DYNAMODB", &reached.dynamodb),
    ] {
        if let Some(url) = url {
            let _ = writeln!(out, "export {variable}={}", quoted(url));
        }
    }
    out += "\n";
    if plan.facts.bucket.is_some() {
        let _ = writeln!(out, "# the bucket {} is there", target.bucket.replace('\n', " "));
    } else {
        let place = match target.region.as_str() {
            "us-east-1" => String::new(),
            region => format!(
                " --create-bucket-configuration {}",
                quoted(&format!("LocationConstraint={region}"))
            ),
        };
        let _ = writeln!(
            out,
            "aws s3api create-bucket --bucket {}{place}",
            quoted(&target.bucket)
        );
    }
    for (command, option, value) in settings(target) {
        let _ = writeln!(
            out,
            "aws s3api {command} --bucket {} --{option} {}",
            quoted(&target.bucket),
            quoted(&value)
        );
    }
    table(plan, &mut out);
    out
}

/// The calls that set the bucket up, each with its option and that one's value.
fn settings(target: &Target) -> Vec<(&'static str, &'static str, String)> {
    let mut out = Vec::new();
    let mut add = |command, option, value: Value| out.push((command, option, value.to_string()));
    if target.public_access {
        let all = json!({
            "BlockPublicAcls": true, "IgnorePublicAcls": true, "BlockPublicPolicy": true, "RestrictPublicBuckets": true,
        });
        add(
            "put-public-access-block",
            "public-access-block-configuration",
            all,
        );
    }
    if let Some(owner) = &target.ownership {
        let rules = json!({ "Rules": [{ "ObjectOwnership": owner }] });
        add("put-bucket-ownership-controls", "ownership-controls", rules);
    }
    let on = json!({ "Status": "Enabled" });
    add("put-bucket-versioning", "versioning-configuration", on);
    if let Some(encryption) = &target.encryption {
        let mut by = json!({ "SSEAlgorithm": encryption.algorithm });
        if let Some(key) = &encryption.kms_key {
            by["KMSMasterKeyID"] = key.as_str().into();
        }
        let mut rule = json!({ "ApplyServerSideEncryptionByDefault": by });
        if encryption.bucket_key {
            rule["BucketKeyEnabled"] = true.into();
        }
        let option = "server-side-encryption-configuration";
        add("put-bucket-encryption", option, json!({ "Rules": [rule] }));
    }
    if let Some(policy) = &target.policy {
        let document = serde_json::from_str(policy).unwrap_or_else(|_| policy.as_str().into());
        add("put-bucket-policy", "policy", document);
    }
    if let Some(lifecycle) = target.lifecycle.as_ref().filter(|own| !own.rules.is_empty()) {
        let rules: Value = lifecycle.rules.iter().map(rules::api).collect();
        let (command, option) = ("put-bucket-lifecycle-configuration", "lifecycle-configuration");
        add(command, option, json!({ "Rules": rules }));
    }
    if !target.tags.is_empty() {
        let tag = |(key, value): (&String, &String)| json!({ "Key": key, "Value": value });
        let set: Value = target.tags.iter().map(tag).collect();
        add("put-bucket-tagging", "tagging", json!({ "TagSet": set }));
    }
    out
}

fn table(plan: &Plan, out: &mut String) {
    let Some(table) = &plan.target.table else { return };
    let name = quoted(&table.name);
    if plan.facts.table.is_some() {
        let _ = writeln!(out, "# the table {} is there", table.name.replace('\n', " "));
    } else {
        let mut wanted = json!({
            "AttributeDefinitions": [{ "AttributeName": "LockID", "AttributeType": "S" }],
            "KeySchema": [{ "AttributeName": "LockID", "KeyType": "HASH" }],
            "BillingMode": "PAY_PER_REQUEST",
        });
        if let Some(key) = &table.kms_key {
            wanted["SSESpecification"] = json!({ "Enabled": true, "SSEType": "KMS", "KMSMasterKeyId": key });
        }
        if !plan.target.tags.is_empty() {
            let tag = |(key, value): (&String, &String)| json!({ "Key": key, "Value": value });
            wanted["Tags"] = plan.target.tags.iter().map(tag).collect();
        }
        let input = quoted(&wanted.to_string());
        let _ = writeln!(
            out,
            "aws dynamodb create-table --table-name {name} --cli-input-json {input} > /dev/null"
        );
        let _ = writeln!(out, "aws dynamodb wait table-exists --table-name {name}");
    }
    if table.recovery {
        let _ = writeln!(
            out,
            "aws dynamodb update-continuous-backups --table-name {name} \
             --point-in-time-recovery-specification PointInTimeRecoveryEnabled=true > /dev/null"
        );
    }
}

/// A word of the shell.
fn quoted(text: &str) -> String {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "-_./:=@%+,".contains(char);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}
