//! `KEY.tflock` is a view of the lock.

use base64::{Engine, engine::general_purpose::STANDARD};
use md5::{Digest, Md5};

use crate::server::{Call, Server};

fn info(id: &str) -> String {
    format!(
        r#"{{"ID":"{id}","Operation":"OperationTypeApply","Info":"","Who":"ann@ci","Version":"1.11.4","Created":"2026-11-21T08:00:00Z","Path":"tfstate/app"}}"#
    )
}

fn take(server: &Server, id: &str) -> Call {
    let call = server.put("/tfstate/app.tflock").header("if-none-match", "*");
    call.header("content-type", "application/json").body(info(id))
}

#[tokio::test]
async fn one_id_holds_and_the_other_is_told_who() {
    let server = Server::with_versions("tfstate").await;
    let taken = take(&server, "one").ok().await;
    assert_eq!(
        taken.header("etag"),
        format!("\"{}\"", hex::encode(Md5::digest(info("one"))))
    );
    // The answer may have been lost: the same ID succeeds again.
    take(&server, "one").ok().await;
    let refused = take(&server, "two").refused(412, "PreconditionFailed").await;
    let message = refused.element("Message").unwrap();
    assert!(
        message.starts_with("At least one of the pre-conditions you specified did not hold"),
        "{message}"
    );
    for part in ["ann@ci", "one", "OperationTypeApply", " since 20"] {
        assert!(message.contains(part), "{message}");
    }
    let get = server.get("/tfstate/app.tflock").ok().await;
    assert_eq!(
        (get.text(), get.header("etag")),
        (info("one").as_str(), taken.header("etag"))
    );
    assert!(get.header("last-modified").ends_with("GMT"));
    let head = server.head("/tfstate/app.tflock").ok().await;
    assert_eq!(head.header("content-length"), info("one").len().to_string());
}

#[tokio::test]
async fn what_a_holder_says_of_itself_cannot_make_the_refusal_of_others_unreadable() {
    let server = Server::with_versions("tfstate").await;
    let odd = info("one").replace("ann@ci", "ann\\u001b[31m");
    server.put("/tfstate/app.tflock").body(odd).ok().await;
    let refused = take(&server, "two").refused(412, "PreconditionFailed").await;
    assert!(
        refused.text().contains("ann\\u001b[31m") && !refused.text().contains("&#x1b;"),
        "{}",
        refused.text()
    );
}

#[tokio::test]
async fn an_unconditional_put_does_not_break_a_lock() {
    let server = Server::with_bucket("tfstate").await;
    take(&server, "one").ok().await;
    let put = server.put("/tfstate/app.tflock").body(info("two"));
    put.refused(412, "PreconditionFailed").await;
}

#[tokio::test]
async fn a_delete_frees_and_leaves_nothing_behind() {
    let server = Server::with_versions("tfstate").await;
    take(&server, "one").ok().await;
    let listed = server.get("/tfstate?list-type=2").ok().await;
    assert_eq!(listed.elements("Key"), ["app.tflock"]);
    assert_eq!(
        listed.element("Size"),
        Some(info("one").len().to_string().as_str())
    );
    let deleted = server.delete("/tfstate/app.tflock").ok().await;
    assert_eq!(
        (deleted.status.as_u16(), deleted.header("x-amz-delete-marker")),
        (204, "")
    );
    server.get("/tfstate/app.tflock").refused(404, "NoSuchKey").await;
    assert_eq!(
        server.head("/tfstate/app.tflock").send().await.status.as_u16(),
        404
    );
    assert!(
        server
            .get("/tfstate?versions")
            .ok()
            .await
            .elements("Key")
            .is_empty()
    );
    assert_eq!(
        server.delete("/tfstate/app.tflock").ok().await.status.as_u16(),
        204
    );
    take(&server, "two").ok().await;
}

#[tokio::test]
async fn a_batch_delete_frees_too() {
    let server = Server::with_bucket("tfstate").await;
    take(&server, "one").ok().await;
    let xml = "<Delete><Object><Key>app.tflock</Key></Object></Delete>";
    let batch = server.post("/tfstate?delete").body(xml);
    batch
        .header("content-md5", STANDARD.encode(Md5::digest(xml)))
        .ok()
        .await;
    take(&server, "two").ok().await;
}

#[tokio::test]
async fn only_a_lock_info_is_taken_and_nothing_else_is_done_to_it() {
    let server = Server::with_bucket("tfstate").await;
    for body in ["", "{}", "hello", r#"{"ID":""}"#] {
        let put = server.put("/tfstate/app.tflock").body(body);
        let refused = put.refused(400, "InvalidRequest").await;
        assert!(
            refused.element("Message").unwrap().contains("lock info"),
            "{}",
            refused.text()
        );
    }
    let large = server.put("/tfstate/app.tflock").body(vec![b' '; 17 * 1_024]);
    large.refused(400, "EntityTooLarge").await;
    server
        .post("/tfstate/app.tflock?uploads")
        .refused(400, "InvalidRequest")
        .await;
    let tags = "<Tagging><TagSet/></Tagging>";
    server
        .put("/tfstate/app.tflock?tagging")
        .body(tags)
        .refused(400, "InvalidRequest")
        .await;
    server.put("/tfstate/x").body("1").ok().await;
    let copy = server
        .put("/tfstate/app.tflock")
        .header("x-amz-copy-source", "tfstate/x");
    copy.refused(400, "InvalidRequest").await;
    let nowhere = server.put("/none/app.tflock").body(info("one"));
    nowhere.refused(404, "NoSuchBucket").await;
}

#[tokio::test]
async fn a_lock_is_read_without_the_customers_key() {
    let server = Server::with_bucket("tfstate").await;
    let before = "x-amz-server-side-encryption-customer";
    let put = take(&server, "one")
        .header(&format!("{before}-algorithm"), "AES256")
        .header(&format!("{before}-key"), STANDARD.encode([7; 32]))
        .header(
            &format!("{before}-key-md5"),
            STANDARD.encode(Md5::digest([7; 32])),
        );
    put.ok().await;
    assert_eq!(server.get("/tfstate/app.tflock").ok().await.text(), info("one"));
    let with_key = server
        .get("/tfstate/app.tflock")
        .header(&format!("{before}-algorithm"), "AES256")
        .header(&format!("{before}-key"), STANDARD.encode([7; 32]))
        .header(
            &format!("{before}-key-md5"),
            STANDARD.encode(Md5::digest([7; 32])),
        );
    assert_eq!(with_key.ok().await.text(), info("one"));
}

#[tokio::test]
async fn a_retried_delete_leaves_the_next_holder_alone() {
    let server = Server::with_versions("tfstate").await;
    let delete = |call: &str| {
        let delete = server.delete("/tfstate/app.tflock");
        delete.header("amz-sdk-invocation-id", call)
    };
    take(&server, "one").ok().await;
    delete("8d4b2f0e-1").ok().await;
    take(&server, "two").ok().await;
    // The answer was lost, and somebody else was quicker than the retry.
    delete("8d4b2f0e-1").ok().await;
    take(&server, "three").refused(412, "PreconditionFailed").await;
    delete("8d4b2f0e-2").ok().await;
    take(&server, "three").ok().await;
}

#[tokio::test]
async fn a_conditional_delete_frees_only_the_lock_it_names() {
    let server = Server::with_bucket("tfstate").await;
    let etag = |id: &str| format!("\"{}\"", hex::encode(Md5::digest(info(id))));
    let delete = |id: &str| server.delete("/tfstate/app.tflock").header("if-match", etag(id));
    delete("one").refused(404, "NoSuchKey").await;
    take(&server, "one").ok().await;
    delete("other").refused(412, "PreconditionFailed").await;
    take(&server, "two").refused(412, "PreconditionFailed").await;
    delete("one").ok().await;
    take(&server, "two").ok().await;
}
