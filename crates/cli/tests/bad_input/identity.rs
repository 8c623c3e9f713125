//! Requests that are not what was signed, or not signed as they must be.

use std::time::{Duration, SystemTime};

use tidelock_testkit::Request;

use crate::World;

/// Signs the request, lets `tamper` at what would go over the wire, and gives that.
fn tampered(world: &World, request: &Request, tamper: impl Fn(String) -> String) -> Vec<u8> {
    let bytes = String::from_utf8(world.client.signed_bytes(request)).unwrap();
    let changed = tamper(bytes.clone());
    assert_ne!(bytes, changed, "the test changes something");
    changed.into_bytes()
}

fn put() -> Request {
    Request::new("PUT", "/tfstate/a?x-id=PutObject", "body").header("x-amz-meta-who", "me")
}

#[test]
fn what_was_changed_after_signing_is_refused() {
    let mut world = World::new();
    let changes: [(&str, &str); 6] = [
        ("/tfstate/a?", "/tfstate/b?"),
        ("x-id=PutObject", "x-id=Other"),
        ("PUT /", "POST /"),
        ("x-amz-meta-who: me", "x-amz-meta-who: you"),
        ("host: 127.0.0.1", "host: localhost"),
        ("/us-east-1/", "/us-west-2/"),
    ];
    for (from, to) in changes {
        let bytes = tampered(&world, &put(), |text| text.replacen(from, to, 1));
        world.refused_bytes(&bytes, 403, "SignatureDoesNotMatch");
    }
    world.nothing_happened();
}

#[test]
fn a_body_that_is_not_the_signed_one_is_refused() {
    let mut world = World::new();
    let bytes = tampered(&world, &put(), |text| {
        text.replace("\r\n\r\nbody", "\r\n\r\nlies")
    });
    world.refused_bytes(&bytes, 400, "XAmzContentSHA256Mismatch");
    let item = Request::dynamodb(
        "PutItem",
        r#"{"TableName":"terraform-locks","Item":{"LockID":{"S":"a"}}}"#,
    );
    let bytes = tampered(&world, &item, |text| text.replace(r#""S":"a""#, r#""S":"b""#));
    world.refused_bytes(&bytes, 400, "InvalidSignatureException");
    world.nothing_happened();
}

#[test]
fn a_header_of_amazons_that_is_not_signed_is_refused() {
    let mut world = World::new();
    let unsigned = |text: String| text.replacen("host:", "x-amz-acl: private\r\nhost:", 1);
    let bytes = tampered(&world, &put(), unsigned);
    world.refused_bytes(&bytes, 403, "AccessDenied");
    world.nothing_happened();
}

#[test]
fn a_header_sent_twice_is_not_the_signed_one() {
    let mut world = World::new();
    let twice = |text: String| {
        text.replacen(
            "x-amz-meta-who: me",
            "x-amz-meta-who: me\r\nx-amz-meta-who: you",
            1,
        )
    };
    let bytes = tampered(&world, &put(), twice);
    world.refused_bytes(&bytes, 403, "SignatureDoesNotMatch");
    world.nothing_happened();
}

#[test]
fn an_authorization_that_is_none_is_refused() {
    let mut world = World::new();
    let authority = world.server.authority().to_owned();
    let mut send = |header: &str, status: u16, code: &str| {
        let text =
            format!("PUT /tfstate/a HTTP/1.1\r\nhost: {authority}\r\n{header}content-length: 1\r\n\r\na");
        world.refused_bytes(text.as_bytes(), status, code);
    };
    send("", 403, "AccessDenied");
    send(
        "authorization: AWS AKIAIOSFODNN7EXAMPLE:frJIUN8DYpKDtOLCwo//yllqDzg=\r\n",
        400,
        "InvalidRequest",
    );
    for value in [
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=",
        "AWS4-HMAC-SHA256 Credential=a/b/c, SignedHeaders=host, Signature=0",
        "AWS4-HMAC-SHA256 SignedHeaders=host, Signature=00",
        "AWS4-HMAC-SHA256 Credential=AKIA/20261121/us-east-1/s3/aws4_request, Credential=B/20261121/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00",
    ] {
        send(
            &format!("authorization: {value}\r\n"),
            400,
            "AuthorizationHeaderMalformed",
        );
    }
    for value in ["AWS4-ECDSA-P256-SHA256 Credential=a", "Bearer token"] {
        send(&format!("authorization: {value}\r\n"), 400, "InvalidRequest");
    }
    world.nothing_happened();
}

#[test]
fn a_clock_a_quarter_of_an_hour_off_is_refused_and_the_answer_tells_the_time() {
    let mut world = World::new();
    let quarter = Duration::from_secs(15 * 60 + 5);
    for time in [SystemTime::now() - quarter, SystemTime::now() + quarter] {
        let response = world.refused(&Request { time, ..put() }, 403, "RequestTimeTooSkewed");
        assert!(
            response.header("date").is_some(),
            "clients mend their clocks by it"
        );
        assert!(response.text().contains("<ServerTime>"), "{}", response.text());
    }
    world.nothing_happened();
}

#[test]
fn a_signature_for_another_service_opens_no_door() {
    let mut world = World::new();
    let request = Request {
        service: "execute-api",
        ..put()
    };
    let response = world.client.send(&request);
    assert!((400..500).contains(&response.status), "{}", response.text());
    let item = Request::dynamodb(
        "PutItem",
        r#"{"TableName":"terraform-locks","Item":{"LockID":{"S":"a"}}}"#,
    );
    let response = world.client.send(&Request {
        service: "s3",
        ..item
    });
    assert!((400..500).contains(&response.status), "{}", response.text());
    world.nothing_happened();
}

#[test]
fn no_secret_is_ever_logged() {
    let mut world = World::new();
    let secret = world.server.credentials().secret_access_key.clone();
    let _ = world.client.send(&put());
    let _ = world
        .client
        .send_basic(&Request::new("GET", "/state/tfstate/a", ""));
    let bytes = tampered(&world, &put(), |text| {
        text.replacen("/tfstate/a?", "/tfstate/b?", 1)
    });
    let signature = String::from_utf8_lossy(&bytes)
        .split("Signature=")
        .nth(1)
        .unwrap()[..64]
        .to_owned();
    world.refused_bytes(&bytes, 403, "SignatureDoesNotMatch");
    let log = world.server.log();
    assert!(log.contains("tfstate"), "there is a line a request: {log}");
    assert!(!log.contains(&secret) && !log.contains(&signature), "{log}");
}
