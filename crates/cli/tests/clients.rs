//! boto3 and the AWS CLI, clients that nobody here wrote, against the binary: one test a file of `dev/python/tests`.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod common;

use std::path::{Path, PathBuf};

use tidelock_testkit::{Hermetic, Output, REGION, TestServer, python};

/// The file whose server has to speak TLS, because its bucket policy says so.
const WITH_TLS: &str = "test_platform.py";

macro_rules! files {
    ($($file:ident)*) => {
        $(#[test] fn $file() { run(concat!(stringify!($file), ".py")); })*

        #[test]
        fn every_file_of_python_tests_is_run() {
            let named = [$(concat!(stringify!($file), ".py")),*];
            let there = std::fs::read_dir(tests()).unwrap().map(|entry| entry.unwrap().file_name());
            for file in there.map(|name| name.into_string().unwrap()).filter(|name| name.starts_with("test_")) {
                assert!(named.contains(&file.as_str()), "{file} is run by no test here");
            }
        }
    };
}

files! {
    test_aws_cli
    test_buckets
    test_conditions
    test_dynamodb_expressions
    test_dynamodb_items
    test_dynamodb_tables
    test_history
    test_history_under_load
    test_iam
    test_identity
    test_kms
    test_listing
    test_multipart
    test_objects
    test_platform
    test_runs
    test_sts
    test_versions
    test_versions_as_moto
}

fn run(file: &str) {
    let Some(python) = python() else { return };
    let settings = match file {
        WITH_TLS => "tls = { self_signed = true }\n",
        _ => "",
    };
    let server = TestServer::start_with(env!("CARGO_BIN_EXE_tidelock"), settings);
    let hermetic = Hermetic::new();
    let mut pytest = hermetic.command(python, &hermetic.workdir("pytest"));
    pytest
        .args(["-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short"])
        .arg(tests().join(file))
        .env("AWS_ENDPOINT_URL", server.endpoint())
        .env("AWS_DEFAULT_REGION", REGION)
        .env("AWS_ACCESS_KEY_ID", &server.credentials().access_key_id)
        .env("AWS_SECRET_ACCESS_KEY", &server.credentials().secret_access_key);
    if file == WITH_TLS {
        pytest.env("AWS_CA_BUNDLE", server.ca());
    }
    let output = Output::of(pytest).succeeded();
    assert!(output.stdout.contains(" passed"), "{}", output.text());
}

fn tests() -> PathBuf {
    root().join("dev/python/tests")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}
