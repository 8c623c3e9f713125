//! `TF_CLI_ARGS_init`: what it gives to `init` counts until `init` has run.

use super::{Project, S3};

const EMPTY: &str = "backend \"s3\" {}";

#[test]
fn what_the_variable_gives_to_init_completes_the_block() {
    let project = Project::block(EMPTY)
        .set(
            "TF_CLI_ARGS_init",
            "-reconfigure -backend-config=bucket=states -backend-config 'more.tfbackend'",
        )
        .set("TF_CLI_ARGS", "-no-color --backend-config=\"region=eu-1\"");
    project.write("more.tfbackend", "key = \"from a file\"\nregion = \"x\"\n");
    let found = project.find();
    assert_eq!(found.address.to_string(), "states/from a file");
    assert_eq!(found.region.as_deref(), Some("eu-1"));
    let found = project.config("key=mine").find();
    assert_eq!(found.address.to_string(), "states/mine");
}

#[test]
fn after_init_the_variable_no_longer_counts() {
    let project = Project::block(EMPTY)
        .recorded("s3", r#"{"bucket": "states", "key": "recorded"}"#)
        .set("TF_CLI_ARGS_init", "-backend-config=key=other");
    assert_eq!(project.address(), "states/recorded");
}

#[test]
fn a_variable_that_cannot_be_taken_apart_is_named() {
    let fault = Project::block(S3)
        .set("TF_CLI_ARGS_init", "-backend-config='key=hush")
        .fault();
    assert!(
        fault.starts_with("TF_CLI_ARGS_init: a quote that is not closed"),
        "{fault}"
    );
    let fault = Project::block(S3)
        .set("TF_CLI_ARGS_init", "-backend-config=no-such-file")
        .fault();
    assert!(
        fault.starts_with("TF_CLI_ARGS_init -backend-config: there is no file"),
        "{fault}"
    );
}
