//! As a template of CloudFormation, with the commands that import what is there.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{comment, remarks, rules};
use crate::bootstrap::{Plan, Target};

/// A template in YAML. What it has in it is kept when its stack is deleted.
#[must_use]
pub fn cloudformation(plan: &Plan) -> String {
    let mut lines = vec!["A bucket for Terraform's states.".to_owned()];
    lines.extend(remarks(plan));
    lines.extend(imports(plan));
    let mut out = comment(&lines) + "AWSTemplateFormatVersion: \"2010-09-09\"\nResources:\n";
    let mut add = |name: &str, kind: &str, properties: Value| {
        let _ = write!(
            out,
            "  {name}:\n    Type: {kind}\n    DeletionPolicy: Retain\n    UpdateReplacePolicy: Retain\n    Properties:\n"
        );
        yaml(&properties, 3, &mut out);
    };
    add("State", "AWS::S3::Bucket", bucket(&plan.target));
    if let Some(policy) = &plan.target.policy {
        let document: Value = serde_json::from_str(policy).unwrap_or_else(|_| policy.as_str().into());
        let properties = json!({ "Bucket": plan.target.bucket, "PolicyDocument": document });
        add("StatePolicy", "AWS::S3::BucketPolicy", properties);
    }
    if let Some(properties) = table(&plan.target) {
        add("Locks", "AWS::DynamoDB::Table", properties);
    }
    out
}

fn bucket(target: &Target) -> Value {
    let mut out = json!({
        "BucketName": target.bucket,
        "VersioningConfiguration": { "Status": "Enabled" },
    });
    if let Some(encryption) = &target.encryption {
        let mut by = json!({ "SSEAlgorithm": encryption.algorithm });
        if let Some(key) = &encryption.kms_key {
            by["KMSMasterKeyID"] = key.as_str().into();
        }
        let mut rule = json!({ "ServerSideEncryptionByDefault": by });
        if encryption.bucket_key {
            rule["BucketKeyEnabled"] = true.into();
        }
        out["BucketEncryption"] = json!({ "ServerSideEncryptionConfiguration": [rule] });
    }
    if target.public_access {
        out["PublicAccessBlockConfiguration"] = json!({
            "BlockPublicAcls": true, "IgnorePublicAcls": true, "BlockPublicPolicy": true, "RestrictPublicBuckets": true,
        });
    }
    if let Some(owner) = &target.ownership {
        out["OwnershipControls"] = json!({ "Rules": [{ "ObjectOwnership": owner }] });
    }
    if let Some(lifecycle) = target.lifecycle.as_ref().filter(|own| !own.rules.is_empty()) {
        let rules: Value = lifecycle.rules.iter().map(rules::cloudformation).collect();
        out["LifecycleConfiguration"] = json!({ "Rules": rules });
        if let Some(size) = &lifecycle.transition_size {
            out["LifecycleConfiguration"]["TransitionDefaultMinimumObjectSize"] = size.as_str().into();
        }
    }
    tagged(&mut out, target);
    out
}

fn table(target: &Target) -> Option<Value> {
    let table = target.table.as_ref()?;
    let mut out = json!({
        "TableName": table.name,
        "AttributeDefinitions": [{ "AttributeName": "LockID", "AttributeType": "S" }],
        "KeySchema": [{ "AttributeName": "LockID", "KeyType": "HASH" }],
        "BillingMode": "PAY_PER_REQUEST",
    });
    if table.deletion_protected {
        out["DeletionProtectionEnabled"] = true.into();
    }
    if let Some(key) = &table.kms_key {
        out["SSESpecification"] = json!({ "SSEEnabled": true, "SSEType": "KMS", "KMSMasterKeyId": key });
    }
    if table.recovery {
        out["PointInTimeRecoverySpecification"] = json!({ "PointInTimeRecoveryEnabled": true });
    }
    tagged(&mut out, target);
    Some(out)
}

fn tagged(out: &mut Value, target: &Target) {
    if !target.tags.is_empty() {
        let tag = |(key, value): (&String, &String)| json!({ "Key": key, "Value": value });
        out["Tags"] = target.tags.iter().map(tag).collect();
    }
}

/// The commands that take into a new stack what is there; nothing where nothing is.
fn imports(plan: &Plan) -> Vec<String> {
    let target = &plan.target;
    let mut there = Vec::new();
    let mut add = |kind: &str, name: &str, id: Value| {
        there.push(json!({ "ResourceType": kind, "LogicalResourceId": name, "ResourceIdentifier": id }));
    };
    if plan.facts.bucket.is_some() {
        add("AWS::S3::Bucket", "State", json!({ "BucketName": target.bucket }));
    }
    if plan.facts.has_policy() {
        add(
            "AWS::S3::BucketPolicy",
            "StatePolicy",
            json!({ "Bucket": target.bucket }),
        );
    }
    if let (Some(_), Some(table)) = (&plan.facts.table, &target.table) {
        add(
            "AWS::DynamoDB::Table",
            "Locks",
            json!({ "TableName": table.name }),
        );
    }
    if there.is_empty() {
        return Vec::new();
    }
    let there = Value::from(there).to_string().replace('\'', "");
    vec![
        "What is there already is imported first, with a template that has in it only what is imported:".to_owned(),
        "  aws cloudformation create-change-set --stack-name terraform-state --change-set-name import \\".to_owned(),
        "    --change-set-type IMPORT --template-body file://state.yaml \\".to_owned(),
        format!("    --resources-to-import '{there}'"),
        "  aws cloudformation wait change-set-create-complete --stack-name terraform-state --change-set-name import"
            .to_owned(),
        "  aws cloudformation execute-change-set --stack-name terraform-state --change-set-name import".to_owned(),
    ]
}

/// A value in YAML's block style; strings are quoted as in JSON, which YAML reads too.
fn yaml(value: &Value, depth: usize, out: &mut String) {
    let pad = "  ".repeat(depth);
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                let _ = write!(out, "{pad}{}:", Value::from(key.as_str()));
                nested(value, depth + 1, out);
            }
        }
        Value::Array(several) => {
            for value in several {
                let _ = write!(out, "{pad}-");
                nested(value, depth + 1, out);
            }
        }
        leaf => {
            let _ = writeln!(out, "{pad}{leaf}");
        }
    }
}

fn nested(value: &Value, depth: usize, out: &mut String) {
    let is_empty = value.as_object().is_some_and(serde_json::Map::is_empty)
        || value.as_array().is_some_and(Vec::is_empty);
    match value {
        Value::Object(_) | Value::Array(_) if !is_empty => {
            out.push('\n');
            yaml(value, depth, out);
        }
        leaf => {
            let _ = writeln!(out, " {leaf}");
        }
    }
}
