//! Multipart uploads.

use crate::server::{Answer, Server};

const PART: usize = 5 * 1_024 * 1_024;

async fn begin(server: &Server, path: &str) -> String {
    let begun = server.post(&format!("{path}?uploads")).ok().await;
    begun.element("UploadId").unwrap().to_owned()
}

fn completion(parts: &[(u32, &Answer)]) -> String {
    let one = |(number, part): &(u32, &Answer)| {
        let etag = part.header("etag").replace('"', "&#34;");
        format!("<Part><ETag>{etag}</ETag><PartNumber>{number}</PartNumber></Part>")
    };
    let parts: String = parts.iter().map(one).collect();
    format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>")
}

#[tokio::test]
async fn parts_in_any_order_make_one_object() {
    let server = Server::with_versions("tfstate").await;
    let id = begin(&server, "/tfstate/big%20one").await;
    let put = |number: u32, body: Vec<u8>| {
        let path = format!("/tfstate/big%20one?partNumber={number}&uploadId={id}");
        server.put(&path).body(body).ok()
    };
    let last = put(3, vec![3; 10]).await;
    let first = put(1, vec![1; PART]).await;
    let second = put(2, vec![2; PART]).await;
    let listed = server
        .get(&format!("/tfstate/big%20one?uploadId={id}&max-parts=2"))
        .ok()
        .await;
    assert_eq!(listed.elements("PartNumber"), ["1", "2"]);
    assert_eq!(
        (
            listed.element("IsTruncated"),
            listed.element("NextPartNumberMarker")
        ),
        (Some("true"), Some("2"))
    );
    let uploads = server.get("/tfstate?uploads").ok().await;
    assert_eq!(uploads.elements("Key"), ["big one"]);
    let complete = || {
        let xml = completion(&[(1, &first), (2, &second), (3, &last)]);
        server
            .post(&format!("/tfstate/big%20one?uploadId={id}"))
            .body(xml)
            .ok()
    };
    let completed = complete().await;
    assert!(completed.element("ETag").unwrap().ends_with("-3&quot;"));
    assert_eq!(completed.element("Key"), Some("big one"));
    // The answer may be lost: the same completion again has the same answer.
    let again = complete().await;
    assert_eq!(
        again.header("x-amz-version-id"),
        completed.header("x-amz-version-id")
    );
    let get = server.get("/tfstate/big%20one").ok().await;
    assert!(get.body == [vec![1; PART], vec![2; PART], vec![3; 10]].concat());
    let part = server.get("/tfstate/big%20one?partNumber=3").ok().await;
    assert_eq!(
        (part.status.as_u16(), part.header("x-amz-mp-parts-count")),
        (206, "3")
    );
    assert_eq!(part.body, vec![3; 10]);
    server
        .get("/tfstate/big%20one?partNumber=4")
        .refused(416, "InvalidPartNumber")
        .await;
}

#[tokio::test]
async fn a_completion_must_name_what_was_uploaded() {
    let server = Server::with_bucket("tfstate").await;
    let id = begin(&server, "/tfstate/k").await;
    let put = |number: u32| {
        server
            .put(&format!("/tfstate/k?partNumber={number}&uploadId={id}"))
            .body("small")
    };
    let one = put(1).ok().await;
    let two = put(2).ok().await;
    let complete = |xml: String| server.post(&format!("/tfstate/k?uploadId={id}")).body(xml);
    complete(completion(&[(2, &two), (1, &one)]))
        .refused(400, "InvalidPartOrder")
        .await;
    complete(completion(&[(1, &one), (2, &two)]))
        .refused(400, "EntityTooSmall")
        .await;
    complete(completion(&[(1, &one), (7, &two)]))
        .refused(400, "InvalidPart")
        .await;
    complete("<CompleteMultipartUpload/>".to_owned())
        .refused(400, "MalformedXML")
        .await;
    let wrong = completion(&[(1, &one)]).replace("&#34;", "x");
    complete(wrong).refused(400, "InvalidPart").await;
    complete(completion(&[(1, &one)]))
        .header("x-amz-mp-object-size", "9")
        .refused(400, "BadDigest")
        .await;
    let nowhere = server.put("/tfstate/k?partNumber=1&uploadId=none").body("x");
    nowhere.refused(404, "NoSuchUpload").await;
    for number in ["0", "10001", "x"] {
        let path = format!("/tfstate/k?partNumber={number}&uploadId={id}");
        server.put(&path).body("x").refused(400, "InvalidArgument").await;
    }
    server.get("/tfstate/k").refused(404, "NoSuchKey").await;
    assert_eq!(
        server
            .delete(&format!("/tfstate/k?uploadId={id}"))
            .ok()
            .await
            .status
            .as_u16(),
        204
    );
    complete(completion(&[(1, &one)]))
        .refused(404, "NoSuchUpload")
        .await;
}

#[tokio::test]
async fn a_completion_holds_its_conditions() {
    let server = Server::with_bucket("tfstate").await;
    let id = begin(&server, "/tfstate/k").await;
    let part = server
        .put(&format!("/tfstate/k?partNumber=1&uploadId={id}"))
        .body("x")
        .ok()
        .await;
    server.put("/tfstate/k").body("first").ok().await;
    let complete = server
        .post(&format!("/tfstate/k?uploadId={id}"))
        .body(completion(&[(1, &part)]));
    complete
        .header("if-none-match", "*")
        .refused(412, "PreconditionFailed")
        .await;
    assert_eq!(server.get("/tfstate/k").ok().await.text(), "first");
}

#[tokio::test]
async fn checksums_of_parts_make_that_of_the_object() {
    let server = Server::with_bucket("tfstate").await;
    // hello world, in CRC32, by itself and as the only part of a composite.
    let sum = "DUoRhQ==";
    for (kind, whole) in [
        ("FULL_OBJECT", sum.to_owned()),
        ("COMPOSITE", "skHFmA==-1".to_owned()),
    ] {
        let begun = server
            .post("/tfstate/k?uploads")
            .header("x-amz-checksum-algorithm", "CRC32")
            .header("x-amz-checksum-type", kind);
        let begun = begun.ok().await;
        assert_eq!(begun.header("x-amz-checksum-type"), kind);
        let id = begun.element("UploadId").unwrap();
        let path = format!("/tfstate/k?partNumber=1&uploadId={id}");
        let sha = server.put(&path).body("hello world");
        let sha = sha.header(
            "x-amz-checksum-sha256",
            "uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek=",
        );
        sha.refused(400, "InvalidRequest").await;
        let part = server
            .put(&path)
            .body("hello world")
            .header("x-amz-checksum-crc32", sum)
            .ok()
            .await;
        let xml = completion(&[(1, &part)]);
        let complete = |xml: String| server.post(&format!("/tfstate/k?uploadId={id}")).body(xml);
        let wrong = xml.replace("</ETag>", "</ETag><ChecksumCRC32>AAAAAA==</ChecksumCRC32>");
        complete(wrong).refused(400, "BadDigest").await;
        let right = xml.replace("</ETag>", "</ETag><ChecksumCRC32>DUoRhQ==</ChecksumCRC32>");
        if kind == "FULL_OBJECT" {
            complete(right.clone())
                .header("x-amz-checksum-crc32", "AAAAAA==")
                .refused(400, "BadDigest")
                .await;
        }
        let completed = complete(right).ok().await;
        let got = completed.element("ChecksumCRC32").unwrap();
        assert_eq!(completed.element("ChecksumType"), Some(kind));
        if kind == "FULL_OBJECT" {
            assert_eq!(got, whole);
        } else {
            assert!(got.ends_with("-1"), "{got}");
        }
    }
}

#[tokio::test]
async fn a_part_may_be_copied() {
    let server = Server::with_bucket("tfstate").await;
    server.put("/tfstate/source").body("0123456789").ok().await;
    let id = begin(&server, "/tfstate/k").await;
    let path = format!("/tfstate/k?partNumber=1&uploadId={id}");
    let copy = |range: &str| {
        let call = server.put(&path).header("x-amz-copy-source", "/tfstate/source");
        call.header("x-amz-copy-source-range", range)
    };
    copy("bytes=5-10").refused(400, "InvalidArgument").await;
    let part = copy("bytes=2-4").ok().await;
    let etag = part.element("ETag").unwrap();
    let xml = format!(
        "<CompleteMultipartUpload><Part><ETag>{etag}</ETag><PartNumber>1</PartNumber></Part></CompleteMultipartUpload>"
    );
    server
        .post(&format!("/tfstate/k?uploadId={id}"))
        .body(xml)
        .ok()
        .await;
    assert_eq!(server.get("/tfstate/k").ok().await.text(), "234");
}

#[tokio::test]
async fn uploads_are_listed_by_prefix_and_page() {
    let server = Server::with_bucket("tfstate").await;
    for key in ["a/1", "a/2", "b"] {
        begin(&server, &format!("/tfstate/{key}")).await;
    }
    let folded = server
        .get("/tfstate?uploads&delimiter=%2F&max-uploads=1")
        .ok()
        .await;
    assert_eq!(folded.elements("Prefix"), ["", "a/"]);
    assert_eq!(
        (folded.element("IsTruncated"), folded.element("NextKeyMarker")),
        (Some("true"), Some("a/"))
    );
    let rest = server
        .get("/tfstate?uploads&delimiter=%2F&max-uploads=1&key-marker=a%2F")
        .ok()
        .await;
    assert_eq!(
        (rest.elements("Key"), rest.element("IsTruncated")),
        (vec!["b"], Some("false"))
    );
    let page = server
        .get("/tfstate?uploads&max-uploads=2&prefix=a%2F")
        .ok()
        .await;
    assert_eq!(
        (page.elements("Key"), page.element("IsTruncated")),
        (vec!["a/1", "a/2"], Some("false"))
    );
}
