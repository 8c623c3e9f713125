//! What `init` recorded: it is what Terraform works with, as long as the configuration agrees.

use super::{Project, S3};

const CONFIG: &str = r#"{"bucket": "states", "key": "net/a.tfstate", "region": "eu-1", "access_key": "A", "secret_key": "hush", "use_lockfile": true,
    "endpoints": {"s3": "http://recorded:1", "iam": null}, "shared_config_files": ["a", "b"], "dynamodb_table": null}"#;

#[test]
fn what_init_recorded_completes_a_partial_block() {
    let found = Project::block("backend \"s3\" {\n  region = \"eu-1\"\n}")
        .recorded("s3", CONFIG)
        .find();
    assert_eq!(found.address.to_string(), "states/net/a.tfstate");
    assert_eq!(found.endpoint.as_deref(), Some("http://recorded:1"));
    assert_eq!(found.region.as_deref(), Some("eu-1"));
    assert!(found.lock_file && found.table.is_none() && found.notes.is_empty());
}

#[test]
fn a_recorded_text_is_no_template() {
    let project =
        Project::block("backend \"s3\" {}").recorded("s3", r#"{"bucket": "states", "key": "a$${b}${c}"}"#);
    assert_eq!(project.address(), "states/a$${b}${c}");
}

#[test]
fn the_record_is_looked_for_in_the_data_directory_of_the_variable() {
    let project = Project::block("backend \"s3\" {}").set("TF_DATA_DIR", "elsewhere/data");
    assert!(project.fault().contains("has no bucket"));
    let record = format!(r#"{{"backend": {{"type": "s3", "config": {CONFIG}}}}}"#);
    project.write("elsewhere/data/terraform.tfstate", &record);
    assert_eq!(project.address(), "states/net/a.tfstate");
}

#[test]
fn a_block_that_agrees_with_the_record_is_fine() {
    let block = "backend \"s3\" {\n bucket = \"states\"\n use_lockfile = \"true\"\n endpoints = { s3 = \"http://recorded:1\" }\n \
                 shared_config_files = [\"b\", \"a\"]\n secret_key = \"hush\"\n max_retries = 9\n dynamodb_table = null\n}";
    let project = Project::block(block)
        .recorded("s3", CONFIG)
        .config("key=net/a.tfstate");
    assert_eq!(project.address(), "states/net/a.tfstate");
}

#[test]
fn a_block_that_was_changed_after_init_is_refused_with_both_places() {
    let project = Project::block(&S3.replace("states", "others")).recorded("s3", CONFIG);
    assert_eq!(
        project.fault(),
        "main.tf:3 sets bucket to \"others\", but init recorded \"states\" in .terraform/terraform.tfstate, and Terraform would \
         refuse to go on; run `terraform init -reconfigure`, or -migrate-state to take the state along, or name the state: BUCKET/KEY, or --bucket and --key"
    );
    for (given, expected) in [
        (
            "key=b",
            "--backend-config key sets key to \"b\", but init recorded \"net/a.tfstate\" in ",
        ),
        (
            "workspace_key_prefix=w",
            "prefix to \"w\", but init recorded none in ",
        ),
        (
            "use_lockfile=false",
            "use_lockfile to \"false\", but init recorded \"true\" in ",
        ),
        (
            "endpoints={s3=\"http://me:hush@b:1/x\"}",
            "endpoints.s3 to \"http://b:1/x\", but init recorded \"http://recorded:1\" in ",
        ),
        (
            "shared_config_files=[\"a\"]",
            "files to [a], but init recorded [a, b] in ",
        ),
        (
            "secret_key=hush2",
            "sets secret_key, but init recorded another in .terraform/",
        ),
    ] {
        let fault = Project::block(S3).recorded("s3", CONFIG).config(given).fault();
        assert!(fault.contains(expected) && !fault.contains("hush"), "{fault}");
    }
}

#[test]
fn a_block_of_another_kind_than_the_record_is_refused() {
    let fault = Project::block("backend \"http\" {}")
        .recorded("s3", CONFIG)
        .fault();
    assert!(
        fault.starts_with(
            "main.tf:2 has backend \"http\", but init recorded \"s3\" in .terraform/terraform.tfstate; run"
        ),
        "{fault}"
    );
}

#[test]
fn a_record_without_a_block_is_refused() {
    let fault = Project::with(&[("main.tf", "locals {}\n")])
        .recorded("s3", CONFIG)
        .fault();
    assert!(
        fault.starts_with("init recorded backend \"s3\" in .terraform/terraform.tfstate"),
        "{fault}"
    );
}

#[test]
fn a_record_that_init_did_not_write_is_refused_and_an_empty_one_is_none() {
    let project = Project::block(S3);
    project.write(".terraform/terraform.tfstate", "{\n\"hush\"");
    assert_eq!(project.fault(), ".terraform/terraform.tfstate:2: this is no JSON");
    for empty in [
        "{}",
        "[]",
        "null",
        r#"{"backend": null}"#,
        r#"{"backend": {"type": ""}}"#,
    ] {
        project.write(".terraform/terraform.tfstate", empty);
        assert_eq!(project.address(), "states/net/a.tfstate", "{empty}");
    }
}

#[test]
fn a_computed_setting_is_taken_from_the_record_and_said() {
    for block in [
        "backend \"s3\" {\n  bucket = var.bucket\n  key = \"net/a.tfstate\"\n}",
        "backend \"s3\" {\n  bucket = \"${local.team}-states\"\n}",
        "backend \"s3\" {\n  bucket = format(\"x\")\n}",
    ] {
        let project = Project::block(block);
        let fault = project.fault();
        assert!(fault.starts_with("main.tf:3: bucket is computed"), "{fault}");
        let found = project.recorded("s3", CONFIG).find();
        assert_eq!(found.address.to_string(), "states/net/a.tfstate");
        assert_eq!(found.notes.len(), 1);
        assert!(found.notes[0].contains("main.tf:3: bucket is computed; taken as init recorded it in "));
    }
}

#[test]
fn a_computed_setting_matters_only_where_it_is_read_and_not_given() {
    let fault = Project::block(&format!("{}\nendpoints = var.e\n}}", S3.trim_end_matches('}'))).fault();
    assert!(fault.contains("endpoints is computed"), "{fault}");
    let project = Project::block(&format!(
        "{}\nmax_retries = var.m\nretry_mode = var.r\n}}",
        S3.trim_end_matches('}')
    ));
    assert_eq!(project.address(), "states/net/a.tfstate");
    let project =
        Project::block("backend \"s3\" {\n bucket = var.b\n key = \"k\"\n}").config("bucket=states");
    assert_eq!(project.address(), "states/k");
    let json = r#"{"terraform": {"backend": {"s3": {"bucket": "${var.b}", "key": "k"}}}}"#;
    let fault = Project::with(&[("main.tf.json", json)]).fault();
    assert!(fault.starts_with("main.tf.json: bucket is computed"), "{fault}");
}
