//! What no client should send: each has the error S3 gives, and nothing is stored.

use http::Method;

use crate::server::Server;

#[tokio::test]
async fn unknown_operations_are_named() {
    let server = Server::with_bucket("tfstate").await;
    for (method, path, status, code) in [
        (Method::PATCH, "/tfstate/k", 405, "MethodNotAllowed"),
        (Method::POST, "/", 405, "MethodNotAllowed"),
        (
            Method::POST,
            "/tfstate/k?select&select-type=2",
            501,
            "NotImplemented",
        ),
        (Method::GET, "/tfstate/k?torrent", 501, "NotImplemented"),
        (Method::GET, "/tfstate/%FF", 400, "InvalidURI"),
        (Method::GET, "/tfstate/k?versionId=", 400, "InvalidArgument"),
        (Method::GET, "/TFSTATE/k", 400, "InvalidBucketName"),
    ] {
        server.call(method, path).refused(status, code).await;
    }
}

#[tokio::test]
async fn keys_end_at_1024_bytes() {
    let server = Server::with_bucket("tfstate").await;
    server
        .put(&format!("/tfstate/{}", "k".repeat(1_024)))
        .body("1")
        .ok()
        .await;
    let long = server.put(&format!("/tfstate/{}", "k".repeat(1_025))).body("1");
    long.refused(400, "KeyTooLongError").await;
}

#[tokio::test]
async fn documents_that_are_none_are_malformed() {
    let server = Server::with_bucket("tfstate").await;
    server.put("/tfstate/k").body("1").ok().await;
    for body in [
        "",
        "<",
        "<Tagging>",
        "<Other/>",
        "<!DOCTYPE Tagging [<!ENTITY e \"x\">]><Tagging><TagSet>&e;</TagSet></Tagging>",
    ] {
        server
            .put("/tfstate/k?tagging")
            .body(body)
            .refused(400, "MalformedXML")
            .await;
    }
    let large = server
        .put("/tfstate/k?tagging")
        .body(vec![b'<'; 5 * 1_024 * 1_024]);
    large.refused(400, "EntityTooLarge").await;
}

#[tokio::test]
async fn a_body_that_is_not_the_one_signed_is_not_stored() {
    let server = Server::with_bucket("tfstate").await;
    let put = server
        .put("/tfstate/k")
        .header("x-amz-decoded-content-length", "nonsense");
    put.body("1").ok().await;
    let none = server
        .put("/tfstate/other")
        .header("content-md5", "nonsense")
        .body("1");
    none.refused(400, "InvalidDigest").await;
    server.get("/tfstate/other").refused(404, "NoSuchKey").await;
}

#[tokio::test]
async fn a_refusal_of_the_signature_is_s3s_own() {
    let server = Server::with_bucket("tfstate").await;
    let address = server.listen().await;
    let answer = crate::foreign::raw(
        address,
        "GET /tfstate/k HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n",
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 403 Forbidden"), "{answer}");
    assert!(
        answer.contains("<Error><Code>AccessDenied</Code><Message>Access Denied</Message>"),
        "{answer}"
    );
    assert!(answer.contains("<Resource>/tfstate/k</Resource>"), "{answer}");
}
