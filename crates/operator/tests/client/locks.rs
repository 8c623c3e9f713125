//! Locks in a store that answers badly: what is asked of it, and what is told of what stays.

use std::fs;

use tidelock_operator::{
    backend,
    layout::{Layout, TakeError, Want},
};

use crate::{
    error,
    stub::{Stub, answer, layout},
};

const KEY: &str = "x-amz-server-side-encryption-customer-key";
const INFO: &str = r#"{"ID":"a","Operation":"OperationTypeApply","Who":"ann@ci"}"#;

pub(crate) fn want() -> Want {
    Want {
        id: "11111111".to_owned(),
        operation: "rollback".to_owned(),
        who: "ann@desk".to_owned(),
        info: String::new(),
        created: "2026-11-21T00:00:03Z".to_owned(),
    }
}

fn lock() -> String {
    answer(200, "ETag: \"lock\"\r\n", INFO)
}

fn none() -> String {
    error(404, "NoSuchKey")
}

/// As a backend block with `sse_customer_key` has it.
fn with_customer_key(stub: &Stub) -> Layout {
    let dir = tempfile::tempdir().unwrap();
    let block = r#"terraform {
  backend "s3" {
    bucket           = "tfstate"
    key              = "k"
    region           = "eu-west-1"
    encrypt          = true
    sse_customer_key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
  }
}
"#;
    fs::write(dir.path().join("main.tf"), block).unwrap();
    let backend = backend::find(dir.path(), &[], &|_| None).unwrap();
    Layout {
        encryption: backend.encryption,
        ..layout(stub, None)
    }
}

#[tokio::test]
async fn a_lock_file_under_the_customers_key_is_read_with_it_and_one_without_as_it_is() {
    let stub = Stub::start([lock(), error(400, "InvalidRequest"), lock()]);
    let layout = with_customer_key(&stub);
    for _ in 0..2 {
        let found = layout.lock_file("k").await.unwrap().unwrap();
        assert_eq!(found.id(), Some("a"));
    }
    let sent = stub.asked();
    let keys: Vec<bool> = sent.iter().map(|asked| !asked.header(KEY).is_empty()).collect();
    assert_eq!(keys, [true, true, false]);
}

#[tokio::test]
async fn a_lock_that_was_not_reached_is_not_asked_for_in_the_table() {
    let stub = Stub::start([none(), answer(200, "", "{}"), error(403, "AccessDenied"), none()]);
    let refused = layout(&stub, Some("locks")).take("k", &want()).await;
    let told = refused.unwrap_err().to_string();
    assert!(told.contains("AccessDenied") && !told.contains("left"), "{told}");
    let lines: Vec<String> = stub.asked().into_iter().map(|asked| asked.line).collect();
    let path = "/tfstate/k.tflock HTTP/1.1";
    let expected = [
        format!("GET {path}"),
        "POST / HTTP/1.1".to_owned(),
        format!("PUT {path}"),
        format!("GET {path}"),
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn a_lock_file_that_stays_when_the_table_is_locked_is_told() {
    let taken = r#"{"__type":"ConditionalCheckFailedException","message":"The conditional request failed"}"#;
    let item = r#"{"Item":{"LockID":{"S":"tfstate/k"},"Info":{"S":"{\"ID\":\"b\"}"}}}"#;
    let stub = Stub::start([
        none(),
        answer(200, "", "{}"),
        answer(200, "ETag: \"lock\"\r\n", ""),
        answer(400, "", taken),
        answer(200, "", item),
        error(403, "AccessDenied"),
        answer(400, "", taken),
    ]);
    let why = layout(&stub, Some("locks")).take("k", &want()).await.unwrap_err();
    assert!(matches!(why, TakeError::Call(_)), "{why}");
    let told = why.to_string();
    assert!(
        told.starts_with("it is locked; and the lock 11111111 on tfstate/k at http://127.0.0.1:"),
        "{told}"
    );
    assert_eq!(stub.asked().len(), 7);
}

#[tokio::test]
async fn a_lock_file_that_changed_hands_is_not_deleted() {
    let other = answer(200, "ETag: \"lock\"\r\n", &INFO.replace("\"a\"", "\"b\""));
    let stub = Stub::start([lock(), other]);
    let layout = layout(&stub, None);
    let seen = layout.lock_file("k").await.unwrap().unwrap();
    assert!(!layout.free(&seen).await.unwrap());
    assert_eq!(stub.asked().len(), 2);
}

#[tokio::test]
async fn a_store_without_conditional_deletions_is_looked_at_right_before() {
    let stub = Stub::start([lock(), lock(), error(501, "NotImplemented"), answer(200, "", "")]);
    let layout = layout(&stub, None);
    let seen = layout.lock_file("k").await.unwrap().unwrap();
    assert!(layout.free(&seen).await.unwrap());
    let sent: Vec<String> = stub
        .asked()
        .iter()
        .map(|asked| asked.header("if-match").to_owned())
        .collect();
    assert_eq!(sent, ["", "", "\"lock\"", ""]);
}
