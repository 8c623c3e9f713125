//! Which claims are taken, and how each refusal is said.

use std::time::{Duration, UNIX_EPOCH};

use aws_sigv4::http_request::SignableBody;
use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Request};
use proptest::prelude::*;
use tidelock_core::Time;
use tidelock_doors::aws_common::authorization::{Authorization, stated_credential};
use tidelock_doors::aws_common::error::{AuthError, Place};
use tidelock_doors::aws_common::payload::sha256;
use tidelock_doors::aws_common::sigv4::{Claim, PayloadForm};

use crate::oracle::{
    EMPTY, ID, NOW, SECRET, Signer, TEMPORARY_ID, TOKEN, TOKEN_END, keyring, verify, verify_at,
};

const MINUTE: i64 = 60_000;

pub(crate) fn get(target: &str) -> http::request::Builder {
    Request::get(format!("http://127.0.0.1:9470{target}"))
}

pub(crate) fn put() -> Parts {
    let request = Request::put("http://127.0.0.1:9470/tfstate/env%3A/a%20b//c.tfstate?versionId=&tagging")
        .header("content-type", "application/json")
        .header("x-amz-meta-Who", "someone")
        .header("if-none-match", "*");
    Signer {
        body: SignableBody::Bytes(b"{}"),
        ..Signer::default()
    }
    .sign(request)
}

pub(crate) fn presigned(seconds: u64) -> Parts {
    Signer {
        presigned_seconds: Some(seconds),
        body: SignableBody::UnsignedPayload,
        ..Signer::default()
    }
    .sign(get("/tfstate/a%20b?versionId=x&versionId=a"))
}

pub(crate) fn set(parts: &mut Parts, name: &'static str, value: &str) {
    parts.headers.insert(
        HeaderName::from_static(name),
        HeaderValue::from_str(value).unwrap(),
    );
}

pub(crate) fn edit_authorization(parts: &mut Parts, from: &str, to: &str) {
    let value = parts.headers["authorization"]
        .to_str()
        .unwrap()
        .replacen(from, to, 1);
    set(parts, "authorization", &value);
}

pub(crate) fn edit_target(parts: &mut Parts, from: &str, to: &str) {
    parts.uri = parts.uri.to_string().replacen(from, to, 1).parse().unwrap();
}

#[test]
fn identity_is_that_of_the_key() {
    let verified = verify(&put()).unwrap();
    assert_eq!(verified.identity.access_key_id, ID);
    assert_eq!(
        verified.identity.principal_arn,
        format!("arn:aws:iam::123456789012:user/{ID}")
    );
    assert_eq!(verified.identity.account_id, "123456789012");
    assert_eq!(
        (
            verified.identity.region.as_str(),
            verified.identity.service.as_str()
        ),
        ("eu-central-1", "s3")
    );
    assert!(matches!(verified.payload, PayloadForm::Sha256(hash) if hash == sha256(b"{}")));
    for parts in [put(), presigned(60)] {
        assert_eq!(stated_credential(&parts).unwrap().service, "s3");
    }
}

#[test]
fn request_without_a_signature_is_denied() {
    let parts = get("/tfstate").body(()).unwrap().into_parts().0;
    let error = verify(&parts).unwrap_err();
    assert_eq!(error, AuthError::MissingAuthentication);
    assert_eq!(
        (error.s3().status.as_u16(), error.s3().code),
        (403, "AccessDenied")
    );
    assert_eq!(
        (error.json().status.as_u16(), error.json().code),
        (400, "MissingAuthenticationTokenException")
    );
    assert_eq!(
        (error.query().status.as_u16(), error.query().code),
        (403, "MissingAuthenticationToken")
    );
    assert_eq!(stated_credential(&parts), None);
}

#[test]
fn signature_version_2_and_other_schemes_are_not_supported() {
    for value in [
        "AWS AKIAIOSFODNN7EXAMPLE:frJIUN8DYpKDtOLCwo//yllqDzg=",
        "Basic eDp5",
        "Bearer x",
        "",
    ] {
        let parts = get("/tfstate")
            .header("authorization", value)
            .body(())
            .unwrap()
            .into_parts()
            .0;
        let error = verify(&parts).unwrap_err();
        assert_eq!(error, AuthError::UnsupportedMechanism, "{value}");
        let said = error.s3();
        assert_eq!((said.status.as_u16(), said.code), (400, "InvalidRequest"));
        assert_eq!(
            said.message,
            "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
        );
    }
    let target = format!("/tfstate/k?AWSAccessKeyId={ID}&Expires=9999999999&Signature=x");
    let parts = get(&target).body(()).unwrap().into_parts().0;
    assert_eq!(verify(&parts).unwrap_err(), AuthError::UnsupportedMechanism);
}

#[test]
fn two_signatures_in_one_request_are_refused() {
    let mut parts = presigned(60);
    parts
        .headers
        .insert("authorization", put().headers["authorization"].clone());
    assert_eq!(verify(&parts).unwrap_err(), AuthError::SeveralMechanisms);
    let mut parts = put();
    let value = parts.headers["authorization"].clone();
    parts.headers.append("authorization", value);
    assert_eq!(verify(&parts).unwrap_err(), AuthError::SeveralMechanisms);
}

#[test]
fn unknown_access_key_is_named_as_each_service_names_it() {
    let mut parts = put();
    edit_authorization(&mut parts, ID, "AKIANOBODYNOBODYNOBO");
    let error = verify(&parts).unwrap_err();
    assert_eq!(error, AuthError::UnknownAccessKey("AKIANOBODYNOBODYNOBO".into()));
    assert_eq!(
        (error.s3().status.as_u16(), error.s3().code),
        (403, "InvalidAccessKeyId")
    );
    assert_eq!(error.json().code, "UnrecognizedClientException");
    assert_eq!(error.query().code, "InvalidClientTokenId");
}

#[test]
fn clock_may_be_off_by_fifteen_minutes_and_no_more() {
    for (off, good) in [
        (0, true),
        (15 * MINUTE, true),
        (-15 * MINUTE, true),
        (15 * MINUTE + 1, false),
    ] {
        for now in [NOW.plus_ms(off), NOW.plus_ms(-off)] {
            match verify_at(&put(), now) {
                Ok(_) => assert!(good, "{off}"),
                Err(error) => {
                    assert!(!good, "{off}");
                    assert_eq!(
                        error,
                        AuthError::Skewed {
                            date: NOW,
                            server: now
                        }
                    );
                }
            }
        }
    }
    let late = AuthError::Skewed {
        date: NOW,
        server: NOW.plus_ms(16 * MINUTE),
    };
    assert_eq!(
        (late.s3().status.as_u16(), late.s3().code),
        (403, "RequestTimeTooSkewed")
    );
    let details = [
        ("RequestTime", "20130524T000000Z".to_owned()),
        ("ServerTime", "2013-05-24T00:16:00Z".to_owned()),
        ("MaxAllowedSkewMilliseconds", "900000".to_owned()),
    ];
    assert_eq!(late.s3().details, details);
    assert_eq!(
        late.json().message,
        "Signature expired: 20130524T000000Z is now earlier than 20130524T000100Z (20130524T001600Z - 15 min.)"
    );
}

#[test]
fn presigned_url_lives_from_its_date_to_its_expiry() {
    for (off, expected) in [
        (0, None),
        (60_000, None),
        (60_001, Some("Request has expired")),
        (-15 * MINUTE, None),
        (-15 * MINUTE - 1, Some("Request is not yet valid")),
    ] {
        let refused = verify_at(&presigned(60), NOW.plus_ms(off))
            .err()
            .map(|error| error.s3().message);
        assert_eq!(refused.as_deref(), expected, "{off}");
    }
    let said = verify_at(&presigned(60), NOW.plus_ms(61_000)).unwrap_err().s3();
    assert_eq!((said.status.as_u16(), said.code), (403, "AccessDenied"));
    assert_eq!(said.details[1], ("Expires", "2013-05-24T00:01:00Z".to_owned()));
}

#[test]
fn presigned_url_must_state_a_life_of_one_second_to_one_week() {
    verify(&presigned(604_800)).unwrap();
    for expires in ["0", "-1", "604801", "", "x", "99999999999999999999"] {
        let mut parts = presigned(60);
        edit_target(
            &mut parts,
            "X-Amz-Expires=60",
            &format!("X-Amz-Expires={expires}"),
        );
        let error = verify(&parts).unwrap_err();
        assert!(
            matches!(
                error,
                AuthError::Malformed {
                    place: Place::Query,
                    ..
                }
            ),
            "{expires}: {error:?}"
        );
        assert_eq!(
            (error.s3().status.as_u16(), error.s3().code),
            (400, "AuthorizationQueryParametersError")
        );
    }
}

#[test]
fn presigned_url_needs_each_of_its_six_parameters_once() {
    let target = presigned(60).uri.to_string();
    let (_, query) = target.split_once('?').unwrap();
    for pair in query.split('&').filter(|pair| pair.starts_with("X-Amz-")) {
        let mut parts = presigned(60);
        edit_target(&mut parts, &format!("&{pair}"), "");
        let error = verify(&parts).unwrap_err();
        assert!(
            matches!(
                error,
                AuthError::Malformed {
                    place: Place::Query,
                    ..
                }
            ),
            "without {pair}: {error:?}"
        );
        let mut parts = presigned(60);
        edit_target(&mut parts, pair, &format!("{pair}&{pair}"));
        let error = verify(&parts).unwrap_err();
        assert!(
            matches!(
                error,
                AuthError::Malformed {
                    place: Place::Query,
                    ..
                }
            ),
            "twice {pair}: {error:?}"
        );
    }
}

#[test]
fn scope_must_be_of_the_service_and_the_day() {
    let parts = Signer {
        service: "dynamodb",
        ..Signer::default()
    }
    .sign(get("/"));
    let error = verify(&parts).unwrap_err();
    assert_eq!(
        error.s3().message,
        "The authorization header is malformed; incorrect service \"dynamodb\". This endpoint belongs to \"s3\"."
    );
    let mut parts = put();
    edit_authorization(&mut parts, "/20130524/", "/20120101/");
    assert_eq!(
        verify(&parts).unwrap_err().s3().message,
        "The authorization header is malformed; Invalid credential date \"20120101\". This date is not the same as \
         X-Amz-Date: \"20130524\"."
    );
    let mut parts = presigned(60);
    edit_target(&mut parts, "%2Faws4_request", "%2Faws5_request");
    assert_eq!(
        verify(&parts).unwrap_err().s3().message,
        "Error parsing the X-Amz-Credential parameter; incorrect terminal \"aws5_request\". This endpoint uses \
         \"aws4_request\"."
    );
}

#[test]
fn temporary_key_needs_its_token_and_ends_in_time() {
    let sign = |id, token| {
        Signer {
            id,
            token,
            ..Signer::default()
        }
        .sign(get("/tfstate"))
    };
    let presign = |id, token| {
        Signer {
            id,
            token,
            presigned_seconds: Some(600),
            body: SignableBody::UnsignedPayload,
            ..Signer::default()
        }
        .sign(get("/tfstate"))
    };
    for parts in [
        sign(TEMPORARY_ID, Some(TOKEN)),
        presign(TEMPORARY_ID, Some(TOKEN)),
    ] {
        verify(&parts).unwrap();
        let error = verify_at(&parts, TOKEN_END).unwrap_err();
        assert_eq!(
            (error.s3().status.as_u16(), error.s3().code),
            (400, "ExpiredToken")
        );
        assert_eq!(error.json().code, "ExpiredTokenException");
    }
    for (id, token) in [
        (TEMPORARY_ID, None),
        (TEMPORARY_ID, Some("other")),
        (ID, Some(TOKEN)),
    ] {
        for parts in [sign(id, token), presign(id, token)] {
            let error = verify(&parts).unwrap_err();
            assert_eq!(
                (error.s3().status.as_u16(), error.s3().code),
                (400, "InvalidToken")
            );
            assert_eq!(error.json().code, "UnrecognizedClientException");
        }
    }
}

#[test]
fn s3_request_must_state_its_payload() {
    let mut parts = put();
    parts.headers.remove("x-amz-content-sha256");
    assert_eq!(verify(&parts).unwrap_err(), AuthError::MissingContentSha256);
    for value in [
        "",
        "unsigned-payload",
        "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD",
        "E3B0",
        "00",
    ] {
        let mut parts = put();
        set(&mut parts, "x-amz-content-sha256", value);
        let error = verify(&parts).unwrap_err();
        assert_eq!(
            (error.clone(), error.s3().code),
            (AuthError::InvalidContentSha256, "InvalidArgument")
        );
    }
}

#[test]
fn date_header_serves_only_if_signed_and_alone() {
    let mut parts = put();
    parts.headers.remove("x-amz-date");
    assert_eq!(verify(&parts).unwrap_err(), AuthError::MissingDate);
    set(&mut parts, "date", "Fri, 24 May 2013 00:00:00 GMT");
    assert_eq!(verify(&parts).unwrap_err(), AuthError::MissingDate);
    let mut parts = put();
    parts
        .headers
        .append("x-amz-date", HeaderValue::from_static("20130524T000000Z"));
    assert_eq!(verify(&parts).unwrap_err(), AuthError::MissingDate);
}

#[test]
fn signed_date_header_stands_in_for_amz_date() {
    let canonical = format!(
        "GET\n/tfstate\n\ndate:Fri, 24 May 2013 00:00:00 GMT\nhost:h\nx-amz-content-sha256:{EMPTY}\n\n\
         date;host;x-amz-content-sha256\n{EMPTY}"
    );
    let hash = hex::encode(sha256(canonical.as_bytes()));
    let text = format!("AWS4-HMAC-SHA256\n20130524T000000Z\n20130524/r/s3/aws4_request\n{hash}");
    let key = generate_signing_key(
        SECRET,
        UNIX_EPOCH + Duration::from_millis(NOW.0 as u64),
        "r",
        "s3",
    );
    let signature = calculate_signature(key, text.as_bytes());
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={ID}/20130524/r/s3/aws4_request, SignedHeaders=date;host;x-amz-content-sha256, \
         Signature={signature}"
    );
    let request = Request::get("/tfstate")
        .header("host", "h")
        .header("x-amz-content-sha256", EMPTY);
    let request = request
        .header("date", "Fri, 24 May 2013 00:00:00 GMT")
        .header("authorization", authorization);
    verify(&request.body(()).unwrap().into_parts().0).unwrap();
}

#[test]
fn json_service_request_is_verified_with_the_hash_of_its_body() {
    let body = br#"{"TableName":"terraform-locks"}"#;
    let request = Request::post("http://127.0.0.1:9470/")
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-target", "DynamoDB_20120810.DescribeTable");
    let signer = Signer {
        service: "dynamodb",
        body: SignableBody::Bytes(body),
        ..Signer::default()
    };
    let parts = signer.sign(request);
    let claim = || Claim::read(&parts, &keyring(), "dynamodb", NOW).unwrap();
    assert!(claim().needs_body());
    let verified = claim().verify(Some(sha256(body))).unwrap();
    assert_eq!(verified.identity.service, "dynamodb");
    for hash in [Some(sha256(b"{}")), Some([0; 32]), None] {
        let error = claim().verify(hash).unwrap_err();
        assert_eq!(
            (error.json().status.as_u16(), error.json().code),
            (400, "InvalidSignatureException")
        );
        assert_eq!(
            (error.query().status.as_u16(), error.query().code),
            (403, "SignatureDoesNotMatch")
        );
    }
    let wrong_door = Claim::read(&parts, &keyring(), "sts", NOW).err().unwrap();
    assert_eq!(
        wrong_door.json().message,
        "Credential should be scoped to correct service: 'sts'. "
    );
}

#[test]
fn stated_hash_of_a_body_that_is_already_there_must_be_its_hash() {
    let parts = put();
    let claim = || Claim::read(&parts, &keyring(), "s3", NOW).unwrap();
    claim().verify(Some(sha256(b"{}"))).unwrap();
    assert!(matches!(
        claim().verify(Some(sha256(b"{} "))),
        Err(AuthError::SignatureMismatch { .. })
    ));
}

#[test]
fn malformed_authorization_headers_are_refused() {
    let good = put().headers["authorization"].to_str().unwrap().to_owned();
    Authorization::parse_header(good.as_bytes()).unwrap();
    let bends: [(&str, &str); 12] = [
        ("Signature=", "Signature=0"),
        ("Signature=", "signature="),
        (", Signature=", ", Signature=00, Signature="),
        ("/eu-central-1/", "/"),
        ("/eu-central-1/", "/eu/central-1/"),
        ("/eu-central-1/", "/eu central-1/"),
        ("/20130524/", "/2013052x/"),
        ("Credential=AKIA", "Credential=/AKIA"),
        ("content-type;host", "host;content-type"),
        ("content-type;host", "content-type;Host"),
        ("content-type;host", "content-type;;host"),
        ("content-type;host", "content-type;host;host"),
    ];
    for (from, to) in bends {
        let error = Authorization::parse_header(good.replacen(from, to, 1).as_bytes()).unwrap_err();
        assert_eq!(
            (error.s3().status.as_u16(), error.s3().code),
            (400, "AuthorizationHeaderMalformed"),
            "{to}"
        );
        assert_eq!(error.json().code, "IncompleteSignatureException");
    }
    for value in [
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 ",
        &good.replace("eu-central-1", &"x".repeat(9000)),
    ] {
        assert!(
            matches!(
                Authorization::parse_header(value.as_bytes()),
                Err(AuthError::Malformed { .. })
            ),
            "{value}"
        );
    }
}

#[test]
fn claim_is_good_for_any_region_and_with_repeated_spaces_in_headers() {
    let request = get("/tfstate")
        .header("x-amz-meta-note", "  a   b  ")
        .header("x-amz-meta-note", "c");
    let mut parts = Signer {
        region: "mars-north-7",
        ..Signer::default()
    }
    .sign(request);
    verify(&parts).unwrap();
    parts
        .headers
        .insert("x-amz-meta-note", HeaderValue::from_static("a b,c"));
    verify(&parts).unwrap();
}

#[test]
fn times_far_away_are_refused_without_overflow() {
    for now in [Time(i64::MIN), Time(i64::MAX), Time(0)] {
        let refused =
            [verify_at(&put(), now), verify_at(&presigned(60), now)].map(|result| result.unwrap_err().s3());
        assert!(
            refused.iter().all(|said| said.status.as_u16() == 403),
            "{refused:?}"
        );
    }
}

proptest! {
#[test]
    fn no_header_makes_the_parser_panic(value in prop::collection::vec(any::<u8>(), 0..200), tail in "[ -~]{0,120}") {
        let _ = Authorization::parse_header(&value);
        let _ = Authorization::parse_header(format!("AWS4-HMAC-SHA256 {tail}").as_bytes());
    }
}
