//! Bodies, keys and lengths that are too large, cut short, or not what was announced.

use std::{
    io::Write,
    net::{Shutdown, TcpStream},
};

use tidelock_testkit::{Client, Request};

use crate::World;

fn put(key: &str) -> Request {
    Request::new("PUT", &format!("/tfstate/{key}"), "body")
}

/// The bytes of the request with another length announced.
fn with_length(client: &Client, request: &Request, length: &str) -> Vec<u8> {
    let text = String::from_utf8(client.signed_bytes(request)).unwrap();
    let stated = format!("content-length: {}\r\n", request.body.len());
    assert!(text.contains(&stated));
    text.replacen(&stated, length, 1).into_bytes()
}

#[test]
fn an_object_beyond_the_limit_is_refused_before_it_is_sent() {
    let mut world = World::new();
    let unsigned = put("a").header("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
    for length in ["5368709121", "1073741824", "9223372036854775807"] {
        let bytes = with_length(&world.client, &unsigned, &format!("content-length: {length}\r\n"));
        world.refused_bytes(&bytes, 400, "EntityTooLarge");
    }
    world.nothing_happened();
}

#[test]
fn a_key_beyond_the_limit_is_refused() {
    let mut world = World::new();
    world.refused(&put(&"k".repeat(1_025)), 400, "KeyTooLongError");
    world.refused(&put(&"%C5%BC".repeat(513)), 400, "KeyTooLongError");
    world.nothing_happened();
}

#[test]
fn metadata_beyond_the_limit_is_refused() {
    let mut world = World::new();
    let request = put("a").header("x-amz-meta-large", &"m".repeat(2_049));
    world.refused(&request, 400, "MetadataTooLarge");
    world.nothing_happened();
}

#[test]
fn a_head_beyond_the_limit_is_refused() {
    let mut world = World::new();
    let long = format!("/tfstate/{}", "k".repeat(100_000));
    let signed = String::from_utf8(world.client.signed_bytes(&put("a"))).unwrap();
    for bytes in [
        signed.replacen("/tfstate/a", &long, 1).into_bytes(),
        world
            .client
            .signed_bytes(&put("a").header("x-large", &"h".repeat(200_000))),
        world
            .client
            .signed_bytes(&(0..5_000).fold(put("a"), |request, n| request.header(&format!("x-{n}"), "h"))),
    ] {
        // The server may hang up before it has read all of it; what counts is that it does not take it.
        if let Ok(response) = world.client.send_bytes(&bytes) {
            assert!((400..500).contains(&response.status), "{}", response.text());
        }
    }
    world.nothing_happened();
}

#[test]
fn an_item_or_a_request_beyond_the_limit_is_refused() {
    let mut world = World::new();
    for len in [401 << 10, 17 << 20] {
        let item = format!(
            r#"{{"LockID": {{"S": "a"}}, "large": {{"S": "{}"}}}}"#,
            "x".repeat(len)
        );
        let body = format!(r#"{{"TableName": "terraform-locks", "Item": {item}}}"#);
        let response = world.client.send(&Request::dynamodb("PutItem", body));
        assert!(
            (400..500).contains(&response.status) && !response.code().is_empty(),
            "{}",
            response.text()
        );
    }
    world.nothing_happened();
}

#[test]
fn a_body_cut_short_is_not_stored() {
    let mut world = World::new();
    let unsigned = put("a").header("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
    let large = Request {
        body: vec![b'x'; 1 << 20],
        ..put("b")
    };
    for request in [
        put("a"),
        unsigned,
        large,
        Request::new("POST", "/tfstate?delete=", "<Delete>"),
    ] {
        let longer = format!("content-length: {}\r\n", request.body.len() + 1);
        let text = String::from_utf8(world.client.signed_bytes(&request)).unwrap();
        let stated = format!("content-length: {}\r\n", request.body.len());
        let mut stream = TcpStream::connect(world.server.authority()).unwrap();
        stream
            .write_all(text.replacen(&stated, &longer, 1).as_bytes())
            .unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        let _ = std::io::Read::read_to_end(&mut stream, &mut answer);
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || answer.contains(" 400 "), "{answer}");
    }
    let state = Request::new("POST", "/state/tfstate/c", "{}");
    assert!(
        world
            .client
            .send_basic(&Request {
                method: "GET".into(),
                ..state
            })
            .status
            >= 204
    );
    world.nothing_happened();
}

#[test]
fn a_length_that_is_none_is_refused() {
    let mut world = World::new();
    for length in [
        "content-length: x\r\n",
        "content-length: -1\r\n",
        "content-length: 4\r\ncontent-length: 5\r\n",
        "content-length: 4, 5\r\n",
        "content-length: 99999999999999999999999\r\n",
    ] {
        let bytes = with_length(&world.client, &put("a"), length);
        let response = world.client.send_bytes(&bytes).unwrap();
        assert_eq!(response.status, 400, "{length}: {}", response.text());
    }
    let chunks = Request {
        body: b"4\r\nbody\r\n0\r\n\r\n".to_vec(),
        ..put("a")
    };
    let bytes = with_length(&world.client, &chunks, "transfer-encoding: chunked\r\n");
    world.refused_bytes(&bytes, 411, "MissingContentLength");
    world.nothing_happened();
}

#[test]
fn a_length_and_chunks_at_once_are_refused() {
    let mut world = World::new();
    let smuggled = "content-length: 4\r\ntransfer-encoding: chunked\r\n";
    let bytes = with_length(&world.client, &put("a"), smuggled);
    if let Ok(response) = world.client.send_bytes(&bytes) {
        assert!(response.status >= 400, "{}", response.text());
    }
    world.nothing_happened();
}

#[test]
fn a_digest_that_is_not_the_bodys_is_refused() {
    let mut world = World::new();
    let other = "1B2M2Y8AsgTpgAmY7PhCfg==";
    world.refused(&put("a").header("content-md5", other), 400, "BadDigest");
    world.refused(&put("a").header("content-md5", "no digest"), 400, "InvalidDigest");
    world.refused(
        &put("a").header("x-amz-checksum-crc32", "AAAAAA=="),
        400,
        "BadDigest",
    );
    world.refused(
        &put("a").header("x-amz-checksum-crc32", "no"),
        400,
        "InvalidRequest",
    );
    let two = put("a")
        .header("x-amz-checksum-crc32", "AAAAAA==")
        .header("x-amz-checksum-crc32c", "AAAAAA==");
    world.refused(&two, 400, "InvalidRequest");
    world.refused(
        &put("a").header("x-amz-sdk-checksum-algorithm", "MD4"),
        400,
        "InvalidRequest",
    );
    world.refused(
        &put("a").header("x-amz-content-sha256", "no hash"),
        400,
        "InvalidArgument",
    );
    world.nothing_happened();
}

/// An upload in chunks of AWS's own encoding, without signatures, with a trailer.
fn chunked(key: &str, encoded: &str, decoded_length: &str) -> Request {
    Request {
        body: encoded.as_bytes().to_vec(),
        ..put(key)
    }
    .header("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
    .header("content-encoding", "aws-chunked")
    .header("x-amz-decoded-content-length", decoded_length)
    .header("x-amz-trailer", "x-amz-checksum-crc32")
}

/// The trailer of `body`: its CRC32 by another implementation (zlib).
const RIGHT: &str = "4\r\nbody\r\n0\r\nx-amz-checksum-crc32:26gLsg==\r\n\r\n";

#[test]
fn a_chunked_upload_that_is_right_is_stored() {
    let mut world = World::new();
    let response = world.client.send(&chunked("right", RIGHT, "4"));
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(
        world
            .client
            .send(&Request::new("GET", "/tfstate/right", ""))
            .text(),
        "body"
    );
}

#[test]
fn a_chunked_upload_that_is_wrong_is_refused() {
    let mut world = World::new();
    world.refused(
        &chunked("a", &RIGHT.replace("26gLsg", "AAAAAA"), "4"),
        400,
        "BadDigest",
    );
    for (encoded, length) in [
        (RIGHT, "5"),
        (RIGHT, "3"),
        ("5\r\nbody\r\n0\r\nx-amz-checksum-crc32:26gLsg==\r\n\r\n", "4"),
        ("4\r\nbody\r\n", "4"),
        ("x\r\nbody\r\n0\r\n\r\n", "4"),
        ("ffffffffffffffffff\r\nbody\r\n0\r\n\r\n", "4"),
        ("4\r\nbody\r\n0\r\n\r\n", "4"),
        ("4\r\nbody\r\n0\r\nx-amz-checksum-sha1:26gLsg==\r\n\r\n", "4"),
        ("", "4"),
        (RIGHT, "x"),
    ] {
        let response = world.client.send(&chunked("a", encoded, length));
        let code = response.code();
        let codes = [
            "IncompleteBody",
            "InvalidRequest",
            "InvalidArgument",
            "MalformedTrailerError",
            "InvalidChunkSizeError",
            "BadDigest",
        ];
        assert!(
            response.status == 400 && codes.contains(&code.as_str()),
            "{encoded:?} {length}: {}",
            response.text()
        );
    }
    world.nothing_happened();
}

#[test]
fn a_refusal_reaches_a_client_that_is_still_sending() {
    let world = World::new();
    let large = Request {
        body: vec![b'x'; 4 << 20],
        ..put("a")
    };
    let state = Request {
        body: large.body.clone(),
        ..Request::new("POST", "/state/tfstate/a", "")
    };
    for _ in 0..10 {
        let refused = world.server.stranger().send(&large);
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (403, "InvalidAccessKeyId"),
            "{}",
            refused.text()
        );
        assert_eq!(world.server.stranger().send_basic(&state).status, 401);
    }
    world.nothing_happened();
}

/// Such a client may leave the body out: were the connection kept, its next request would be taken for that body.
#[test]
fn a_refusal_before_the_body_ends_the_connection_and_says_so() {
    let mut world = World::new();
    let refused = put(&"k".repeat(1_025)).header("expect", "100-continue");
    let text = String::from_utf8(world.client.signed_bytes(&refused)).unwrap();
    let head = text.strip_suffix("body").unwrap();
    let response = world.refused_bytes(head.as_bytes(), 400, "KeyTooLongError");
    assert_eq!(response.header("connection"), Some("close"));
    let read = world.client.send(&put("right"));
    assert_eq!(
        (read.status, read.header("connection")),
        (200, None),
        "{}",
        read.text()
    );
}

/// boto3 does that for every empty object, and would read the answer to its next PUT on that connection wrongly.
#[test]
fn an_answer_to_who_asks_whether_to_send_nothing_ends_the_connection_and_says_so() {
    let mut world = World::new();
    let empty = Request {
        body: Vec::new(),
        ..put("empty")
    };
    let written = world.client.send(&empty.header("expect", "100-continue"));
    assert_eq!(
        (written.status, written.header("connection")),
        (200, Some("close")),
        "{}",
        written.text()
    );
}
