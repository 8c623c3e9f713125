//! As resources of the AWS provider for Terraform, with `import` blocks for what is there.

use std::fmt::Write as _;

use serde_json::Value;

use super::{comment, remarks, rules};
use crate::bootstrap::{Plan, Target};

/// A file for Terraform 1.5 or newer and version 5 or newer of the AWS provider. Once it is imported, nothing is left to change but
/// what the plan would change.
#[must_use]
pub fn hcl(plan: &Plan) -> String {
    let target = &plan.target;
    let mut blocks = vec![
        HEAD.to_owned() + &comment(&remarks(plan)),
        "terraform {\n  required_version = \">= 1.5\"\n\n  required_providers {\n    aws = {\n      \
         source  = \"hashicorp/aws\"\n      version = \">= 5.0\"\n    }\n  }\n}\n"
            .to_owned(),
        format!("provider \"aws\" {{\n  region = {}\n}}\n", quoted(&target.region)),
    ];
    blocks.push(bucket(target));
    blocks.extend(settings(plan));
    if let Some(table) = &target.table {
        blocks.push(dynamodb(target, table));
    }
    blocks.extend(imports(plan));
    aligned(&blocks.join("\n"))
}

/// As `terraform fmt` has it: the values of arguments on lines that follow each other stand below each other.
fn aligned(text: &str) -> String {
    let (mut out, mut run) = (String::new(), Vec::new());
    for line in text.lines() {
        if let Some(argument) = argument(line) {
            run.push(argument);
            continue;
        }
        flush(&mut run, &mut out);
        out += line;
        out.push('\n');
    }
    flush(&mut run, &mut out);
    out
}

/// The name, with the space before it, and the value of an argument that ends on its line.
fn argument(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(" = ")?;
    let (name, word) = (name.trim_end(), name.trim());
    let is_quoted = word.starts_with('"') && word.ends_with('"') && word.matches('"').count() == 2;
    let is_name = word
        .chars()
        .all(|char| char.is_ascii_alphanumeric() || char == '_');
    ((is_quoted || is_name) && !value.ends_with('{')).then_some((name, value))
}

fn flush(run: &mut Vec<(&str, &str)>, out: &mut String) {
    let names = run.iter().map(|(name, _)| name.chars().count());
    let width = names.max().unwrap_or_default();
    for (name, value) in run.drain(..) {
        let _ = writeln!(out, "{name:width$} = {value}");
    }
}

const HEAD: &str = "\
# A bucket for Terraform's states. Apply it from a configuration whose own state is elsewhere: a bucket cannot keep the state
# that makes it. `terraform plan` shows what is imported, and what would still change.
";

fn bucket(target: &Target) -> String {
    let mut out = format!(
        "resource \"aws_s3_bucket\" \"state\" {{\n  bucket = {}\n{}",
        quoted(&target.bucket),
        tags(target)
    );
    out += "\n  lifecycle {\n    prevent_destroy = true\n  }\n}\n";
    out
}

fn tags(target: &Target) -> String {
    if target.tags.is_empty() {
        return String::new();
    }
    let mut out = "\n  tags = {\n".to_owned();
    for (key, value) in &target.tags {
        let _ = writeln!(out, "    {} = {}", quoted(key), quoted(value));
    }
    out + "  }\n"
}

/// One resource for each setting of the bucket.
fn settings(plan: &Plan) -> Vec<String> {
    let target = &plan.target;
    let mut out = vec![resource(
        "aws_s3_bucket_versioning",
        "\n  versioning_configuration {\n    status = \"Enabled\"\n  }\n",
    )];
    if let Some(encryption) = &target.encryption {
        let mut rule = String::new();
        if encryption.bucket_key {
            rule += "    bucket_key_enabled = true\n\n";
        }
        let _ = write!(
            rule,
            "    apply_server_side_encryption_by_default {{\n      sse_algorithm = {}\n",
            quoted(&encryption.algorithm)
        );
        if let Some(key) = &encryption.kms_key {
            let _ = writeln!(rule, "      kms_master_key_id = {}", quoted(key));
        }
        rule += "    }\n";
        let rule = format!("\n  rule {{\n{rule}  }}\n");
        out.push(resource(
            "aws_s3_bucket_server_side_encryption_configuration",
            &rule,
        ));
    }
    if target.public_access {
        let all = [
            "block_public_acls",
            "block_public_policy",
            "ignore_public_acls",
            "restrict_public_buckets",
        ];
        let all: String = all.iter().map(|name| format!("  {name} = true\n")).collect();
        out.push(resource("aws_s3_bucket_public_access_block", &all));
    }
    if let Some(owner) = &target.ownership {
        let rule = format!("\n  rule {{\n    object_ownership = {}\n  }}\n", quoted(owner));
        out.push(resource("aws_s3_bucket_ownership_controls", &rule));
    }
    if let Some(policy) = &target.policy {
        let depends = match target.public_access {
            true => "  depends_on = [aws_s3_bucket_public_access_block.state]\n",
            false => "",
        };
        out.push(resource(
            "aws_s3_bucket_policy",
            &format!("{depends}  policy = <<-POLICY\n{}  POLICY\n", heredoc(policy)),
        ));
    }
    if let Some(lifecycle) = target.lifecycle.as_ref().filter(|own| !own.rules.is_empty()) {
        let mut rules = "  depends_on = [aws_s3_bucket_versioning.state]\n".to_owned();
        if let Some(size) = &lifecycle.transition_size {
            let _ = writeln!(
                rules,
                "  transition_default_minimum_object_size = {}",
                quoted(size)
            );
        }
        for rule in &lifecycle.rules {
            block("rule", &rules::hcl(rule), 1, &mut rules);
        }
        out.push(resource("aws_s3_bucket_lifecycle_configuration", &rules));
    }
    out
}

fn resource(kind: &str, body: &str) -> String {
    format!("resource \"{kind}\" \"state\" {{\n  bucket = aws_s3_bucket.state.id\n{body}}}\n")
}

fn dynamodb(target: &Target, table: &crate::bootstrap::TableTarget) -> String {
    let mut out = format!(
        "resource \"aws_dynamodb_table\" \"locks\" {{\n  name         = {}\n  billing_mode = \"PAY_PER_REQUEST\"\n  \
         hash_key     = \"LockID\"\n",
        quoted(&table.name)
    );
    if table.deletion_protected {
        out += "  deletion_protection_enabled = true\n";
    }
    out += &tags(target);
    out += "\n  attribute {\n    name = \"LockID\"\n    type = \"S\"\n  }\n";
    if let Some(key) = &table.kms_key {
        let _ = write!(
            out,
            "\n  server_side_encryption {{\n    enabled     = true\n    kms_key_arn = {}\n  }}\n",
            quoted(key)
        );
    }
    if table.recovery {
        out += "\n  point_in_time_recovery {\n    enabled = true\n  }\n";
    }
    out + "}\n"
}

fn imports(plan: &Plan) -> Vec<String> {
    let (facts, target) = (&plan.facts, &plan.target);
    let has_bucket = facts.bucket.is_some();
    let parts = [
        (has_bucket, "aws_s3_bucket.state"),
        (has_bucket, "aws_s3_bucket_versioning.state"),
        (
            facts.has_encryption() && target.encryption.is_some(),
            "aws_s3_bucket_server_side_encryption_configuration.state",
        ),
        (
            facts.has_public_access_block(),
            "aws_s3_bucket_public_access_block.state",
        ),
        (facts.has_ownership(), "aws_s3_bucket_ownership_controls.state"),
        (facts.has_policy(), "aws_s3_bucket_policy.state"),
        (
            facts.has_lifecycle(),
            "aws_s3_bucket_lifecycle_configuration.state",
        ),
    ];
    let import = |to: &str, id: &str| format!("import {{\n  to = {to}\n  id = {}\n}}\n", quoted(id));
    let there = parts.iter().filter(|(is_there, _)| *is_there);
    let mut out: Vec<String> = there.map(|(_, to)| import(to, &target.bucket)).collect();
    if let (Some(_), Some(table)) = (&facts.table, &target.table) {
        out.push(import("aws_dynamodb_table.locks", &table.name));
    }
    out
}

/// A JSON object as a block: objects in it are blocks, lists are blocks that are repeated, all else are arguments.
fn block(name: &str, value: &Value, depth: usize, out: &mut String) {
    let pad = "  ".repeat(depth);
    let Some(object) = value.as_object() else { return };
    if let Some(Value::Object(map)) = object.get(rules::MAP) {
        let _ = writeln!(out, "{pad}{name} = {{");
        for (key, value) in map {
            let _ = writeln!(
                out,
                "{pad}  {} = {}",
                quoted(key),
                quoted(value.as_str().unwrap_or_default())
            );
        }
        let _ = writeln!(out, "{pad}}}");
        return;
    }
    let _ = writeln!(out, "\n{pad}{name} {{");
    let is_argument = |value: &Value| !value.is_object() && !value.is_array();
    for (key, value) in object.iter().filter(|(_, value)| is_argument(value)) {
        let text = value.as_str().map_or_else(|| value.to_string(), quoted);
        let _ = writeln!(out, "{pad}  {} = {text}", snake(key));
    }
    for (key, value) in object {
        match value {
            Value::Object(_) => block(&snake(key), value, depth + 1, out),
            Value::Array(several) => {
                let one = snake(key.trim_end_matches('s'));
                several
                    .iter()
                    .for_each(|value| block(&one, value, depth + 1, out));
            }
            _ => {}
        }
    }
    let _ = writeln!(out, "{pad}}}");
}

/// `NoncurrentDays` as `noncurrent_days`.
fn snake(name: &str) -> String {
    let mut out = String::new();
    for char in name.chars() {
        if char.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(char.to_ascii_lowercase());
    }
    out
}

/// A string of HCL: as JSON's, and without templates.
pub(super) fn quoted(text: &str) -> String {
    let json = Value::from(text).to_string();
    json.replace("${", "$${").replace("%{", "%%{")
}

/// A policy as lines of a heredoc: nothing in it begins a template or ends it.
fn heredoc(policy: &str) -> String {
    let document: Value = serde_json::from_str(policy).unwrap_or_else(|_| policy.into());
    let text = format!("{document:#}").replace("${", "$${").replace("%{", "%%{");
    text.lines().map(|line| format!("    {line}\n")).collect()
}
