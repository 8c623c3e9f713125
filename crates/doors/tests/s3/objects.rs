//! Objects: write, read, conditions, ranges, headers, copy, tags.

use base64::{Engine, engine::general_purpose::STANDARD};
use md5::{Digest, Md5};

use crate::server::Server;

#[tokio::test]
async fn what_was_put_comes_back_with_what_was_said_of_it() {
    let server = Server::with_bucket("tfstate").await;
    let put = server
        .put("/tfstate/env%3A/dev//a%20b/%C3%BC")
        .header("content-type", "application/json")
        .header("cache-control", "no-store")
        .header("x-amz-meta-who", "ann")
        .header("x-amz-tagging", "a=1&b=2")
        .header("x-amz-server-side-encryption", "AES256")
        .body("{}")
        .ok()
        .await;
    assert_eq!(put.header("etag"), "\"99914b932bd37a50b983c5e7c90ae93b\"");
    assert_eq!(put.header("x-amz-server-side-encryption"), "AES256");
    assert_eq!(put.header("x-amz-version-id"), "");
    let get = server.get("/tfstate/env%3A/dev//a%20b/%C3%BC").ok().await;
    assert_eq!((get.status.as_u16(), get.text()), (200, "{}"));
    for (name, value) in [
        ("content-type", "application/json"),
        ("content-length", "2"),
        ("cache-control", "no-store"),
        ("x-amz-meta-who", "ann"),
        ("x-amz-tagging-count", "2"),
        ("x-amz-server-side-encryption", "AES256"),
        ("etag", "\"99914b932bd37a50b983c5e7c90ae93b\""),
        ("accept-ranges", "bytes"),
        ("x-amz-bucket-region", "eu-central-1"),
    ] {
        assert_eq!(get.header(name), value, "{name}");
    }
    assert!(get.header("last-modified").ends_with(" GMT"));
    assert_eq!(get.header("x-amz-request-id").len(), 16);
    let head = server.head("/tfstate/env%3A/dev//a%20b/%C3%BC").ok().await;
    assert_eq!((head.header("content-length"), head.text()), ("2", ""));
    // Every slash counts.
    server
        .get("/tfstate/env%3A/dev/a%20b/%C3%BC")
        .refused(404, "NoSuchKey")
        .await;
}

#[tokio::test]
async fn heads_of_nothing_are_bare() {
    let server = Server::with_bucket("tfstate").await;
    for path in ["/tfstate/none", "/none/none", "/none"] {
        let head = server.head(path).send().await;
        assert_eq!((head.status.as_u16(), head.text()), (404, ""), "{path}");
    }
    let get = server.get("/tfstate/none").refused(404, "NoSuchKey").await;
    assert_eq!(get.element("Key"), Some("none"));
    assert_eq!(get.element("Resource"), Some("/tfstate/none"));
    assert_eq!(get.header("content-type"), "application/xml");
    assert_eq!(get.element("RequestId"), Some(get.header("x-amz-request-id")));
    server.get("/none/none").refused(404, "NoSuchBucket").await;
}

#[tokio::test]
async fn ranges_are_parts_even_of_small_bodies() {
    let server = Server::with_bucket("tfstate").await;
    let body: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    server.put("/tfstate/k").body(body.clone()).ok().await;
    for (range, from, to) in [
        ("bytes=0-5242879", 0, 3_000_000),
        ("bytes=1-1", 1, 2),
        ("bytes=1000000-2500000", 1_000_000, 2_500_001),
        ("bytes=-10", 2_999_990, 3_000_000),
    ] {
        let get = server.get("/tfstate/k").header("range", range).ok().await;
        assert_eq!(get.status.as_u16(), 206, "{range}");
        assert_eq!(
            get.header("content-range"),
            format!("bytes {from}-{}/3000000", to - 1)
        );
        assert_eq!(get.header("content-length"), (to - from).to_string());
        assert!(get.body == body[from..to], "{range}");
    }
    let beyond = server.get("/tfstate/k").header("range", "bytes=3000000-");
    let beyond = beyond.refused(416, "InvalidRange").await;
    assert_eq!(beyond.element("ActualObjectSize"), Some("3000000"));
    assert!(server.get("/tfstate/k").ok().await.body == body);
}

#[tokio::test]
async fn a_checksum_is_checked_kept_and_never_shown_on_a_part() {
    let server = Server::with_bucket("tfstate").await;
    let put = server.put("/tfstate/k").body("hello world");
    let put = put.header("x-amz-checksum-crc32", "DUoRhQ==").ok().await;
    assert_eq!(put.header("x-amz-checksum-crc32"), "DUoRhQ==");
    let get = server
        .get("/tfstate/k")
        .header("x-amz-checksum-mode", "ENABLED")
        .ok()
        .await;
    assert_eq!(get.header("x-amz-checksum-crc32"), "DUoRhQ==");
    assert_eq!(get.header("x-amz-checksum-type"), "FULL_OBJECT");
    assert_eq!(
        server.get("/tfstate/k").ok().await.header("x-amz-checksum-crc32"),
        ""
    );
    let part = server
        .get("/tfstate/k")
        .header("x-amz-checksum-mode", "ENABLED")
        .header("range", "bytes=0-100");
    assert_eq!(part.ok().await.header("x-amz-checksum-crc32"), "");
    let wrong = server.put("/tfstate/other").body("hello");
    wrong
        .header("x-amz-checksum-crc32", "DUoRhQ==")
        .refused(400, "BadDigest")
        .await;
    let wrong = server.put("/tfstate/other").body("hello");
    wrong
        .header("content-md5", STANDARD.encode(Md5::digest("x")))
        .refused(400, "BadDigest")
        .await;
    server.get("/tfstate/other").refused(404, "NoSuchKey").await;
}

#[tokio::test]
async fn writes_and_deletes_hold_their_conditions() {
    let server = Server::with_bucket("tfstate").await;
    let put = |body: &'static str| server.put("/tfstate/k").body(body);
    put("0")
        .header("if-match", "\"x\"")
        .refused(404, "NoSuchKey")
        .await;
    let first = put("1").header("if-none-match", "*").ok().await;
    let again = put("2")
        .header("if-none-match", "*")
        .refused(412, "PreconditionFailed")
        .await;
    assert_eq!(again.element("Condition"), Some("If-None-Match"));
    put("2")
        .header("if-match", "\"x\"")
        .refused(412, "PreconditionFailed")
        .await;
    put("2").header("if-match", first.header("etag")).ok().await;
    put("3")
        .header("if-none-match", "\"x\"")
        .refused(501, "NotImplemented")
        .await;
    let delete = server
        .delete("/tfstate/k")
        .header("if-match", first.header("etag"));
    delete.refused(412, "PreconditionFailed").await;
    assert_eq!(server.get("/tfstate/k").ok().await.text(), "2");
    server.delete("/tfstate/k").header("if-match", "*").ok().await;
    assert_eq!(server.delete("/tfstate/k").ok().await.status.as_u16(), 204);
}

#[tokio::test]
async fn reads_hold_their_conditions() {
    let server = Server::with_bucket("tfstate").await;
    let put = server.put("/tfstate/k").body("1").ok().await;
    let etag = put.header("etag");
    let same = server
        .get("/tfstate/k")
        .header("if-none-match", etag)
        .send()
        .await;
    assert_eq!((same.status.as_u16(), same.text()), (304, ""));
    assert_eq!(same.header("etag"), etag);
    let other = server.get("/tfstate/k").header("if-match", "\"x\"");
    other.refused(412, "PreconditionFailed").await;
    let since = server
        .get("/tfstate/k")
        .ok()
        .await
        .header("last-modified")
        .to_owned();
    let head = server
        .head("/tfstate/k")
        .header("if-modified-since", since)
        .send()
        .await;
    assert_eq!(head.status.as_u16(), 304);
}

#[tokio::test]
async fn a_reader_may_override_response_headers() {
    let server = Server::with_bucket("tfstate").await;
    server.put("/tfstate/k").body("1").ok().await;
    let path = "/tfstate/k?response-content-type=text%2Fplain&response-content-disposition=attachment%3B%20filename%3D%22a%20b%22";
    let get = server.get(path).ok().await;
    assert_eq!(get.header("content-type"), "text/plain");
    assert_eq!(get.header("content-disposition"), "attachment; filename=\"a b\"");
    assert_eq!(
        server.get("/tfstate/k").ok().await.header("content-type"),
        "binary/octet-stream"
    );
}

#[tokio::test]
async fn a_body_under_a_customers_key_is_read_with_that_key_only() {
    let server = Server::with_bucket("tfstate").await;
    let before = "x-amz-server-side-encryption-customer";
    let with_key = |call: crate::server::Call, byte: u8| {
        call.header(&format!("{before}-algorithm"), "AES256")
            .header(&format!("{before}-key"), STANDARD.encode([byte; 32]))
            .header(
                &format!("{before}-key-md5"),
                STANDARD.encode(Md5::digest([byte; 32])),
            )
    };
    let put = with_key(server.put("/tfstate/k").body("secret"), 7).ok().await;
    assert_eq!(put.header(&format!("{before}-algorithm")), "AES256");
    assert_eq!(
        put.header(&format!("{before}-key-md5")),
        STANDARD.encode(Md5::digest([7; 32]))
    );
    assert_eq!(with_key(server.get("/tfstate/k"), 7).ok().await.text(), "secret");
    with_key(server.get("/tfstate/k"), 8)
        .refused(403, "AccessDenied")
        .await;
    server.get("/tfstate/k").refused(400, "InvalidRequest").await;
}

#[tokio::test]
async fn copies_keep_or_replace_what_is_said() {
    let server = Server::with_bucket("tfstate").await;
    let put = server.put("/tfstate/a%20b").body("body");
    let put = put
        .header("x-amz-meta-a", "1")
        .header("x-amz-tagging", "t=1")
        .ok()
        .await;
    let copy = |to: &str| server.put(to).header("x-amz-copy-source", "/tfstate/a%20b");
    let copied = copy("/tfstate/c1").ok().await;
    assert_eq!(
        copied.element("ETag"),
        Some(put.header("etag").replace('"', "&quot;").as_str())
    );
    let get = server.get("/tfstate/c1").ok().await;
    assert_eq!(
        (
            get.text(),
            get.header("x-amz-meta-a"),
            get.header("x-amz-tagging-count")
        ),
        ("body", "1", "1")
    );
    copy("/tfstate/c2")
        .header("x-amz-metadata-directive", "REPLACE")
        .header("x-amz-meta-b", "2")
        .header("x-amz-tagging-directive", "REPLACE")
        .ok()
        .await;
    let get = server.get("/tfstate/c2").ok().await;
    assert_eq!(
        (get.header("x-amz-meta-a"), get.header("x-amz-meta-b")),
        ("", "2")
    );
    assert_eq!(get.header("x-amz-tagging-count"), "");
    copy("/tfstate/a%20b").refused(400, "InvalidRequest").await;
    copy("/tfstate/a%20b")
        .header("x-amz-metadata-directive", "REPLACE")
        .ok()
        .await;
    copy("/tfstate/c3")
        .header("x-amz-copy-source-if-none-match", put.header("etag"))
        .refused(412, "PreconditionFailed")
        .await;
    copy("/tfstate/c1")
        .header("if-none-match", "*")
        .refused(412, "PreconditionFailed")
        .await;
    let missing = server
        .put("/tfstate/c4")
        .header("x-amz-copy-source", "tfstate/none");
    missing.refused(404, "NoSuchKey").await;
}

#[tokio::test]
async fn tags_are_set_read_and_removed() {
    let server = Server::with_bucket("tfstate").await;
    server.put("/tfstate/k").body("1").ok().await;
    let tags = "<Tagging><TagSet><Tag><Key>a</Key><Value>x &amp; y</Value></Tag></TagSet></Tagging>";
    server.put("/tfstate/k?tagging").body(tags).ok().await;
    let get = server.get("/tfstate/k?tagging").ok().await;
    assert_eq!(
        (get.element("Key"), get.element("Value")),
        (Some("a"), Some("x &amp; y"))
    );
    assert_eq!(
        server.delete("/tfstate/k?tagging").ok().await.status.as_u16(),
        204
    );
    assert_eq!(server.get("/tfstate/k?tagging").ok().await.element("Tag"), None);
    let twice =
        "<Tagging><TagSet><Tag><Key>a</Key><Value/></Tag><Tag><Key>a</Key><Value/></Tag></TagSet></Tagging>";
    server
        .put("/tfstate/k?tagging")
        .body(twice)
        .refused(400, "InvalidTag")
        .await;
}

#[tokio::test]
async fn attributes_are_told_on_request() {
    let server = Server::with_bucket("tfstate").await;
    let put = server.put("/tfstate/k").body("hello world");
    put.header("x-amz-checksum-crc32", "DUoRhQ==").ok().await;
    let get = server.get("/tfstate/k?attributes");
    let get = get
        .header("x-amz-object-attributes", "ETag,Checksum,ObjectSize,StorageClass")
        .ok()
        .await;
    assert_eq!(get.element("ETag"), Some("5eb63bbbe01eeed093cb22bb8f5acdc3"));
    assert_eq!(get.element("ChecksumCRC32"), Some("DUoRhQ=="));
    assert_eq!(
        (get.element("ObjectSize"), get.element("StorageClass")),
        (Some("11"), Some("STANDARD"))
    );
}

#[tokio::test]
async fn a_batch_deletes_each_key_by_itself() {
    let server = Server::with_bucket("tfstate").await;
    for key in ["a", "b%20%26", "c"] {
        server.put(&format!("/tfstate/{key}")).body("1").ok().await;
    }
    let xml = "<Delete><Object><Key>a</Key></Object><Object><Key>b &amp;</Key></Object><Object><Key>none</Key></Object>\
               <Object><Key>c</Key><ETag>\"x\"</ETag></Object></Delete>";
    let batch = |xml: &str| server.post("/tfstate?delete").body(xml.to_owned());
    batch(xml).refused(400, "InvalidRequest").await;
    let md5 = STANDARD.encode(Md5::digest(xml));
    let answer = batch(xml).header("content-md5", md5).ok().await;
    assert_eq!(answer.elements("Deleted").len(), 3);
    assert_eq!(answer.element("Code"), Some("PreconditionFailed"));
    server.get("/tfstate/b%20%26").refused(404, "NoSuchKey").await;
    server.get("/tfstate/c").ok().await;
    let quiet = "<Delete><Quiet>true</Quiet><Object><Key>c</Key></Object></Delete>";
    let answer = batch(quiet)
        .header("content-md5", STANDARD.encode(Md5::digest(quiet)))
        .ok()
        .await;
    assert!(answer.elements("Deleted").is_empty());
    server.get("/tfstate/c").refused(404, "NoSuchKey").await;
}

#[tokio::test]
async fn both_styles_name_the_same_object() {
    let server = Server::with_bucket("tfstate").await;
    server.put("/tfstate/a/b").body("1").ok().await;
    for host in [
        "tfstate.localhost:9470",
        "tfstate.s3.localhost",
        "tfstate.s3.eu-central-1.amazonaws.com",
    ] {
        let get = server.get("/a/b").header("host", host).ok().await;
        assert_eq!(get.text(), "1", "{host}");
        let list = server.get("/?list-type=2").header("host", host).ok().await;
        assert_eq!(list.elements("Key"), ["a/b"], "{host}");
    }
}

#[tokio::test]
async fn a_presigned_url_carries_in_its_query_what_would_be_a_header() {
    let server = Server::with_bucket("tfstate").await;
    let path = "/tfstate/k?x-amz-meta-who=ann&x-amz-tagging=a%3Db";
    server.put(path).body("1").presigned().ok().await;
    let head = server.head("/tfstate/k").ok().await;
    assert_eq!(
        (head.header("x-amz-meta-who"), head.header("x-amz-tagging-count")),
        ("ann", "1")
    );
    server.put(path).body("1").ok().await;
    assert_eq!(server.head("/tfstate/k").ok().await.header("x-amz-meta-who"), "");
}
