//! What a policy learns of the connection: a bucket that denies whoever comes without TLS.

use serde_json::json;
use tidelock_testkit::{BUCKET, Client, Hermetic, Request};

use crate::{
    common::{Serving, command, credentials},
    wire::{ask, connect},
};

#[test]
fn a_tls_only_bucket_policy_lets_tls_in_and_nothing_else() {
    let hermetic = Hermetic::new();
    let data = hermetic.workdir("place").join("data");
    let place = data.to_str().unwrap();
    let serve = |more: &[&str]| {
        let arguments = [&["serve", "--listen", "127.0.0.1:0", "--data", place], more].concat();
        Serving::of(command(&hermetic, &arguments), place)
    };
    let policy = json!({"Version": "2012-10-17", "Statement": {"Sid": "TlsOnly", "Effect": "Deny", "Principal": "*",
        "Action": "s3:*", "Resource": [format!("arn:aws:s3:::{BUCKET}"), format!("arn:aws:s3:::{BUCKET}/*")],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}}}});
    let get = || Request::new("GET", &format!("/{BUCKET}/a"), "");

    let secure = serve(&["--tls-self-signed"]);
    let client = Client::new(secure.authority(), credentials(&data));
    let mut stream = connect(secure.authority(), &data.join("tls/ca.pem"), None).unwrap();
    for (request, status) in [
        (Request::new("PUT", &format!("/{BUCKET}/a"), "x"), 200),
        (
            Request::new("PUT", &format!("/{BUCKET}?policy"), policy.to_string()),
            204,
        ),
        (get(), 200),
    ] {
        let answer = ask(&mut stream, &client.signed_bytes(&request)).unwrap();
        assert_eq!(answer.status, status, "{}", answer.text());
    }
    drop(stream);
    assert_eq!(secure.stop().0, 0);

    let plain = serve(&[]);
    let mut client = Client::new(plain.authority(), credentials(&data));
    for forwarded in [None, Some("https")] {
        let request = match forwarded {
            None => get(),
            Some(proto) => get().header("x-forwarded-proto", proto),
        };
        let answer = client.send(&request);
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (403, "AccessDenied"),
            "{}",
            answer.text()
        );
    }
}
