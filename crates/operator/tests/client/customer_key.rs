//! Objects whose key the customer keeps (SSE-C): states, lock files and what was written before there was a key.

use std::{ffi::OsString, fs};

use tidelock_operator::{
    aws::{Access, Environment, Settings, Wanted},
    backend,
    layout::Layout,
};

use crate::{
    error,
    stub::{Stub, answer},
};

const KEY: &str = "x-amz-server-side-encryption-customer-key";

const BLOCK: &str = "terraform {\n  backend \"s3\" {\n    bucket = \"tfstate\"\n    key = \"k\"\n    region = \"eu-west-1\"\n\
    encrypt = true\n    sse_customer_key = \"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"\n  }\n}\n";

fn layout(stub: &Stub) -> Layout {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("main.tf"), BLOCK).unwrap();
    let backend = backend::find(dir.path(), &[], &|_| None).unwrap();
    let variables = [
        ("AWS_ACCESS_KEY_ID", "AKIATEST"),
        ("AWS_SECRET_ACCESS_KEY", "hush"),
        ("AWS_ENDPOINT_URL", stub.endpoint.as_str()),
        ("HOME", "/nonexistent"),
    ];
    let variables = variables.map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let settings = Settings::load(Environment::new(variables), Wanted::default()).unwrap();
    let mut layout = Layout::new(Access::new(settings).unwrap(), "tfstate".to_owned(), None).unwrap();
    layout.encryption = backend.encryption;
    layout
}

/// Which requests brought the key.
fn with_key(stub: &Stub) -> Vec<bool> {
    let asked = stub.asked();
    asked.iter().map(|asked| !asked.header(KEY).is_empty()).collect()
}

#[tokio::test]
async fn states_and_lock_files_are_read_with_the_customers_key() {
    let lock = "{\"ID\":\"i\",\"Operation\":\"o\",\"Info\":\"\",\"Who\":\"w\",\"Version\":\"1\",\"Created\":\"2026-11-21T00:00:00Z\",\"Path\":\"p\"}";
    let stub = Stub::start([
        answer(200, "ETag: \"e\"\r\n", "{}"),
        answer(200, "ETag: \"e\"\r\n", ""),
        answer(200, "ETag: \"e\"\r\n", lock),
    ]);
    let layout = layout(&stub);
    layout.read("k", None).await.unwrap();
    layout.head("k", None).await.unwrap();
    assert_eq!(layout.locks_of("k").await.unwrap()[0].id(), Some("i"));
    assert_eq!(with_key(&stub), [true; 3]);
}

#[tokio::test]
async fn what_was_written_without_a_key_is_read_without_one() {
    let stub = Stub::start([
        error(400, "InvalidRequest"),
        answer(200, "ETag: \"e\"\r\n", "{}"),
        error(404, "NoSuchKey"),
    ]);
    let layout = layout(&stub);
    assert_eq!(layout.read("k", None).await.unwrap().bytes, "{}");
    assert!(layout.lock_file("k").await.unwrap().is_none());
    assert_eq!(with_key(&stub), [true, false, true]);
}
