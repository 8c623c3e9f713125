//! No request without the secret may be taken for signed, and no refusal may carry the secret: this is the first code
//! that reads what a stranger sends. The input is a request: its target in the first line, then one header a line.
#![no_main]

use std::sync::LazyLock;

use http::{HeaderName, HeaderValue, Request, Uri, request::Parts};
use libfuzzer_sys::fuzz_target;
use tidelock_core::Time;
use tidelock_doors::aws_common::{
    authorization::{Authorization, stated_credential},
    keys::{Key, Keyring},
    sigv4::Claim,
};

const SECRET: &str = "fuzz-secret-that-appears-nowhere-else";
/// 2026-11-21T09:00:00Z, the time of the seeds.
const NOW: Time = Time(1_795_251_600_000);

static KEYRING: LazyLock<Keyring> = LazyLock::new(|| {
    let principal = "arn:aws:iam::000000000000:root".to_owned();
    Keyring::new([Key::of_operator(
        "AKIAFUZZ".to_owned(),
        SECRET.to_owned(),
        principal,
        "000000000000".to_owned(),
    )])
});

fuzz_target!(|input: &[u8]| {
    header_keeps_its_meaning(input);
    let Some(parts) = request(input) else { return };
    let stated = stated_credential(&parts);
    for expected in ["s3", "dynamodb"] {
        let verified = Claim::read(&parts, &KEYRING, expected, NOW).and_then(|claim| {
            assert_eq!(
                stated.as_ref().map(|credential| credential.service.as_str()),
                Some(expected),
                "a claim for another service was read"
            );
            claim.verify(Some([0; 32]))
        });
        let error = verified.expect_err("nobody here knows the secret");
        assert!(!format!("{error} {error:?}").contains(SECRET));
    }
});

/// What was read, written out in the canonical form, must read the same.
fn header_keeps_its_meaning(value: &[u8]) {
    let Ok(read) = Authorization::parse_header(value) else {
        return;
    };
    let credential = &read.credential;
    let signature: String = read.signature.iter().map(|byte| format!("{byte:02x}")).collect();
    let text = format!(
        "AWS4-HMAC-SHA256 Credential={}/{}/{}/{}/aws4_request, SignedHeaders={}, Signature={signature}",
        credential.access_key_id,
        credential.day,
        credential.region,
        credential.service,
        read.signed_headers.join(";"),
    );
    assert_eq!(
        Authorization::parse_header(text.as_bytes()).expect("the canonical form"),
        read
    );
}

fn request(input: &[u8]) -> Option<Parts> {
    let mut lines = input.split(|byte| *byte == b'\n');
    let mut request = Request::new(());
    *request.uri_mut() = Uri::try_from(lines.next()?).ok()?;
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?;
        request.headers_mut().append(name, value);
    }
    Some(request.into_parts().0)
}
