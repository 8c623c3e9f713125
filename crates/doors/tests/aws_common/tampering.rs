//! A signature covers all that it names: any change to what was signed is found, whatever the request.

use aws_sigv4::http_request::SignableBody;
use http::HeaderValue;
use http::request::Parts;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use proptest::prelude::*;
use tidelock_doors::aws_common::error::AuthError;

use crate::claims::{edit_authorization, edit_target, get, presigned, put, set};
use crate::oracle::{Signer, verify};

const KEPT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// Every way of bending a request is one function.
type Bend = fn(&mut Parts);

#[test]
fn changing_any_signed_part_of_a_header_form_request_breaks_the_signature() {
    let bends: [(&str, Bend); 12] = [
        ("method", |parts| parts.method = http::Method::POST),
        ("path case", |parts| edit_target(parts, "c.tfstate", "C.tfstate")),
        ("path normalised", |parts| edit_target(parts, "//c", "/c")),
        ("slash encoded", |parts| edit_target(parts, "//c", "/%2Fc")),
        ("query value", |parts| {
            edit_target(parts, "versionId=", "versionId=1")
        }),
        ("query parameter gone", |parts| edit_target(parts, "&tagging", "")),
        ("query parameter added", |parts| {
            edit_target(parts, "&tagging", "&tagging&acl")
        }),
        ("host", |parts| set(parts, "host", "127.0.0.1:9471")),
        ("metadata", |parts| set(parts, "x-amz-meta-who", "another")),
        ("second value", |parts| {
            parts
                .headers
                .append("x-amz-meta-who", HeaderValue::from_static("another"));
        }),
        ("signed header gone", |parts| {
            parts.headers.remove("if-none-match");
        }),
        ("payload hash", |parts| {
            set(parts, "x-amz-content-sha256", "UNSIGNED-PAYLOAD")
        }),
    ];
    for (what, bend) in bends {
        let mut parts = put();
        bend(&mut parts);
        let error = verify(&parts).unwrap_err();
        assert_eq!(error.s3().code, "SignatureDoesNotMatch", "{what}: {error:?}");
    }
}

#[test]
fn every_flipped_digit_of_a_signature_breaks_it() {
    let parts = put();
    let value = parts.headers["authorization"].to_str().unwrap().to_owned();
    let start = value.len() - 64;
    for at in start..value.len() {
        let flipped = if value.as_bytes()[at] == b'0' { "1" } else { "0" };
        let mut bent = put();
        set(
            &mut bent,
            "authorization",
            &format!("{}{flipped}{}", &value[..at], &value[at + 1..]),
        );
        assert!(
            matches!(verify(&bent), Err(AuthError::SignatureMismatch { .. })),
            "digit {at}"
        );
    }
}

#[test]
fn changing_any_part_of_a_presigned_url_breaks_the_signature() {
    let bends: [(&str, Bend); 6] = [
        ("method", |parts| parts.method = http::Method::PUT),
        ("path", |parts| edit_target(parts, "a%20b", "a%20c")),
        ("query value", |parts| {
            edit_target(parts, "versionId=x", "versionId=y")
        }),
        ("expiry", |parts| {
            edit_target(parts, "X-Amz-Expires=60", "X-Amz-Expires=61")
        }),
        ("region", |parts| {
            edit_target(parts, "eu-central-1", "eu-central-2")
        }),
        ("host", |parts| set(parts, "host", "127.0.0.1:9471")),
    ];
    verify(&presigned(60)).unwrap();
    for (what, bend) in bends {
        let mut parts = presigned(60);
        bend(&mut parts);
        let error = verify(&parts).unwrap_err();
        assert_eq!(error.s3().code, "SignatureDoesNotMatch", "{what}: {error:?}");
    }
}

#[test]
fn unsigned_amz_headers_and_an_unsigned_host_are_refused() {
    let mut parts = put();
    set(&mut parts, "x-amz-acl", "public-read");
    assert_eq!(
        verify(&parts).unwrap_err(),
        AuthError::HeadersNotSigned(vec!["x-amz-acl".into()])
    );
    let mut parts = presigned(60);
    set(&mut parts, "x-amz-copy-source", "/other/key");
    assert_eq!(
        verify(&parts).unwrap_err(),
        AuthError::HeadersNotSigned(vec!["x-amz-copy-source".into()])
    );
    let mut parts = put();
    edit_authorization(&mut parts, "content-type;host;", "content-type;");
    let error = verify(&parts).unwrap_err();
    assert_eq!(error, AuthError::HeadersNotSigned(vec!["host".into()]));
    let said = error.s3();
    assert_eq!((said.status.as_u16(), said.code), (403, "AccessDenied"));
    assert_eq!(
        said.message,
        "There were headers present in the request which were not signed"
    );
    assert_eq!(said.details, [("HeadersNotSigned", "host".to_owned())]);
}

fn encode(bytes: &[u8]) -> String {
    percent_encode(bytes, KEPT).to_string()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn whatever_the_oracle_signs_is_accepted_and_one_change_refused(
        segments in prop::collection::vec(prop_oneof![Just(String::new()), "[ -~]{1,8}", "\\PC{1,6}", Just("env%3A".to_owned()), Just("..".to_owned())], 0..6),
        query in prop::collection::vec(("[a-zA-Z \u{e9}+-]{1,4}", "[ -~\u{1F600}]{0,6}"), 0..5),
        metadata in prop::collection::vec("[!-~]([ -~]{0,20}[!-~])?", 0..3),
        presign in any::<bool>(),
        flip in any::<prop::sample::Index>(),
    ) {
        let path: Vec<String> = segments.iter().map(|segment| encode(segment.as_bytes())).collect();
        let query: Vec<String> =
            query.iter().map(|(name, value)| format!("{}={}", encode(name.as_bytes()), encode(value.as_bytes()))).collect();
        let mark = if query.is_empty() { "" } else { "?" };
        let mut request = get(&format!("/bucket/{}{mark}{}", path.join("/"), query.join("&")));
        for (at, value) in metadata.iter().enumerate() {
            request = request.header(format!("x-amz-meta-{at}"), value);
        }
        let signer = match presign {
            true => Signer { presigned_seconds: Some(60), body: SignableBody::UnsignedPayload, ..Signer::default() },
            false => Signer::default(),
        };
        let mut parts = signer.sign(request);
        prop_assert!(verify(&parts).is_ok(), "{:?} {:?}", parts.uri, verify(&parts));

        let target = parts.uri.to_string();
        let end = target.find("X-Amz-Algorithm").unwrap_or(target.len());
        let letters: Vec<usize> = (0..end).filter(|at| target.as_bytes()[*at].is_ascii_lowercase()).collect();
        let at = *flip.get(&letters);
        let changed = if target.as_bytes()[at] == b'z' { "y" } else { "z" };
        parts.uri = format!("{}{changed}{}", &target[..at], &target[at + 1..]).parse().unwrap();
        prop_assert!(verify(&parts).is_err(), "{:?}", parts.uri);
    }
}
