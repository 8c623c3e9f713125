//! AWS's own examples: the Signature Version 4 test suite (as in awslabs/aws-c-auth) and those of the S3 API reference.

use http::Request;
use http::request::Parts;
use tidelock_core::Time;
use tidelock_doors::aws_common::error::AuthError;
use tidelock_doors::aws_common::keys::{Key, Keyring};
use tidelock_doors::aws_common::payload::sha256;
use tidelock_doors::aws_common::sigv4::{Claim, PayloadForm};
use tidelock_service::Credential;

use crate::oracle::{EMPTY, ID, verify};

/// 2015-08-30T12:36:00Z, the moment of the suite.
const SUITE_NOW: Time = Time(1_440_938_160_000);
const SUITE_TOKEN: &str = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267";
const UNRESERVED: &str = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

struct Vector {
    name: &'static str,
    method: &'static str,
    target: String,
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
    header_signature: &'static str,
    query_signature: &'static str,
}

fn vector(
    name: &'static str,
    request: (&'static str, &str),
    headers: &'static [(&'static str, &'static str)],
    signatures: [&'static str; 2],
) -> Vector {
    let [header_signature, query_signature] = signatures;
    let (method, target) = (request.0, request.1.to_owned());
    Vector {
        name,
        method,
        target,
        headers,
        body: "",
        header_signature,
        query_signature,
    }
}

/// A table.
#[rustfmt::skip]
fn suite() -> Vec<Vector> {
    let vanilla = ["5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31", "e93c787ed7f371d5c6b165c1b38ede9550f4dce4144713e844b25b7192d3865d"];
    let mut vectors = vec![
        vector("get-vanilla", ("GET", "/"), &[], vanilla),
        vector("get-vanilla-empty-query-key", ("GET", "/?Param1=value1"), &[], ["a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb", "49096700cbbaa5753443850f40df10f904fc2fdb544dc9512203cc77c471a9de"]),
        vector("get-vanilla-query-order-encoded", ("GET", "/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1"), &[], ["371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac", "c5f1848ceec943ac2ca68ee720460c23aaae30a2300586597ada94c4a65e4787"]),
        vector("get-vanilla-query-order-key-case", ("GET", "/?Param2=value2&Param1=value1"), &[], ["b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500", "86012e2c9ad4d77369f5d81c11f75158aae4f895a085212cc6d3f923d300bed5"]),
        vector("get-vanilla-query-unreserved", ("GET", &format!("/?{UNRESERVED}={UNRESERVED}")), &[], ["9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197", "8e76a88a7433637b12778d5592799b29ad21ecd6cf6325051c21d86f0acda2bf"]),
        vector("get-vanilla-utf8-query", ("GET", "/?%E1%88%B4=bar"), &[], ["2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04", "0bdd809b1519ac4f0c1dc3540e2cc46bd0c7f778eda408b2ebf3b913d21ff600"]),
        vector("get-header-key-duplicate", ("GET", "/"), &[("my-header1", "value2"), ("my-header1", "value2"), ("my-header1", "value1")], ["c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea", "3349ee0b81b4b589da0ff28a395c3591e04de515651dd74f298fa992d1507a97"]),
        vector("get-header-value-order", ("GET", "/"), &[("my-header1", "value4"), ("my-header1", "value1"), ("my-header1", "value3"), ("my-header1", "value2")], ["08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01", "313720e71ca6202fdcfa9b20f88de01a4eb0638a83c833b1c184359a4eda864e"]),
        vector("get-header-value-trim", ("GET", "/"), &[("my-header1", " value1"), ("my-header2", " \"a   b   c\"")], ["acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736", "e7bb0fd515e125e1aec2ecc4c0c17484fb06f6846b927c35e46005dd3df3acd4"]),
        vector("get-relative-normalized", ("GET", "/example/.."), &[], vanilla),
        vector("get-relative-relative-normalized", ("GET", "/example1/example2/../.."), &[], vanilla),
        vector("get-slash-dot-slash-normalized", ("GET", "/./"), &[], vanilla),
        vector("get-slash-normalized", ("GET", "//"), &[], vanilla),
        vector("get-slash-pointless-dot-normalized", ("GET", "/./example"), &[], ["ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5", "35034b1a0bdd969f346975386daf8aedfd4976573b8348cf4f67eaa41c5857de"]),
        vector("get-slashes-normalized", ("GET", "//example//"), &[], ["9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84", "c1834e8fb0307243711f0f907f6ab7311ed300d87f13792d7ee4da89ab93e082"]),
        vector("get-unreserved", ("GET", &format!("/{UNRESERVED}")), &[], ["07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f", "95968482db1b9e0fadef6efc1bd24689f77c77d9ef56919c96a28cc92e0d6005"]),
        vector("post-vanilla", ("POST", "/"), &[], ["5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b", "2ce6e6d2e0cf2f9d1b55fafec88cd20574c31dc2e7631979f71ba2310083e95b"]),
        vector("post-vanilla-query", ("POST", "/?Param1=value1"), &[], ["28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11", "a9ef26247f293bffe40eeff86a0480ba8c14d31503b2e0c3399e3a16bf1a3682"]),
        vector("post-header-key-sort", ("POST", "/"), &[("my-header1", "value1")], ["c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c", "c09d07e0d55871f10f2a6d350d994acf6825a3cae70673d7def55616e6119dd7"]),
        vector("post-header-value-case", ("POST", "/"), &[("my-header1", "VALUE1")], ["cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d", "0698bc9e4f7f9139065ba2909c0e99da257e8e2a42492a097bcd46d792391fed"]),
    ];
    let form = [
        ("post-x-www-form-urlencoded", &[("content-type", "application/x-www-form-urlencoded"), ("content-length", "13")], ["d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b", "89a40deed0f26f9461242825a082d2222717248abc7ab41f552ad84a94ad46e9"]),
        ("post-x-www-form-urlencoded-parameters", &[("content-type", "application/x-www-form-urlencoded; charset=utf-8"), ("content-length", "13")], ["328d1b9eaadca9f5818ef05e8392801e091653bafec24fcab71e7344e7f51422", "0dbeb9b026c7b6675f266b8427efec9b4fa8b1f6ef1477d717aea231106eab4d"]),
    ];
    vectors.extend(form.map(|(name, headers, signatures)| Vector { body: "Param1=value1", ..vector(name, ("POST", "/"), headers, signatures) }));
    vectors
}

fn suite_credential() -> Credential {
    let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    Credential::of_operator(
        "AKIDEXAMPLE".into(),
        secret.into(),
        "arn:aws:iam::123456789012:root".into(),
        "123456789012".into(),
    )
}

fn suite_keyring() -> Keyring {
    Keyring::new([Key::from(suite_credential())])
}

fn suite_session_keyring() -> Keyring {
    Keyring::new([Key::from(Credential {
        token: Some(SUITE_TOKEN.to_owned().into()),
        expires: Some(SUITE_NOW.plus_ms(1)),
        ..suite_credential()
    })])
}

fn names(headers: &[(&str, &str)], more: &[&str]) -> Vec<String> {
    let mut names: Vec<String> = headers
        .iter()
        .map(|(name, _)| *name)
        .chain(more.iter().copied())
        .map(str::to_owned)
        .collect();
    names.sort();
    names.dedup();
    names
}

fn header_form(vector: &Vector, more: &[(&str, &str)]) -> Parts {
    let mut headers: Vec<(&str, &str)> = vector.headers.to_vec();
    headers.extend_from_slice(more);
    let signed = names(&headers, &["host", "x-amz-date"]).join(";");
    let mut request = Request::builder().method(vector.method).uri(&vector.target);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders={signed}, Signature={}",
        vector.header_signature
    );
    request = request
        .header("host", "example.amazonaws.com")
        .header("x-amz-date", "20150830T123600Z");
    request
        .header("authorization", authorization)
        .body(())
        .unwrap()
        .into_parts()
        .0
}

fn query_form(vector: &Vector, more: &str) -> Parts {
    let signed = names(vector.headers, &["host"]).join("%3B");
    let joint = if vector.target.contains('?') { '&' } else { '?' };
    let target = format!(
        "{}{joint}X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fservice%2Faws4_request\
         &X-Amz-Date=20150830T123600Z&X-Amz-SignedHeaders={signed}&X-Amz-Expires=3600{more}&X-Amz-Signature={}",
        vector.target, vector.query_signature
    );
    let mut request = Request::builder()
        .method(vector.method)
        .uri(target)
        .header("host", "example.amazonaws.com");
    for (name, value) in vector.headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn accept(name: &str, parts: &Parts, keyring: &Keyring, body: &str) {
    let claim = Claim::read(parts, keyring, "service", SUITE_NOW).unwrap();
    let verified = claim
        .verify(Some(sha256(body.as_bytes())))
        .unwrap_or_else(|error| panic!("{name}: {error:?}"));
    assert_eq!(verified.identity.access_key_id, "AKIDEXAMPLE");
}

#[test]
fn every_request_of_the_aws_test_suite_is_accepted_in_both_forms() {
    for vector in suite() {
        let hash = hex::encode(sha256(vector.body.as_bytes()));
        let with_hash = [("x-amz-content-sha256", hash.as_str())];
        let more = if vector.body.is_empty() {
            &[][..]
        } else {
            &with_hash[..]
        };
        accept(
            vector.name,
            &header_form(&vector, more),
            &suite_keyring(),
            vector.body,
        );
        accept(
            vector.name,
            &query_form(&vector, ""),
            &suite_keyring(),
            vector.body,
        );
    }
}

#[test]
fn session_token_of_the_aws_test_suite_is_accepted_in_both_forms() {
    let signatures = [
        "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8",
        "7ff2b50b376cb4d151970630573d6291dc128cc5c2a12ffb237f73cc53f67b6c",
    ];
    let vector = vector("get-vanilla-with-session-token", ("GET", "/"), &[], signatures);
    let header = header_form(&vector, &[("x-amz-security-token", SUITE_TOKEN)]);
    accept(vector.name, &header, &suite_session_keyring(), "");
    let query = query_form(&vector, &format!("&X-Amz-Security-Token={SUITE_TOKEN}"));
    accept(vector.name, &query, &suite_session_keyring(), "");
    for parts in [header, query] {
        let refused = Claim::read(&parts, &suite_keyring(), "service", SUITE_NOW).err();
        assert_eq!(refused, Some(AuthError::InvalidToken("AKIDEXAMPLE".into())));
    }
}

#[test]
fn path_sent_encoded_is_signed_encoded_twice_by_other_services_than_s3() {
    // `double-url-encode` of the suite as smithy-rs carries it.
    let target = "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-west-2%3A892717189312%3Afunction%3Amy-rusty-fun/invocations";
    let authorization = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20210511/us-east-2/lambda/aws4_request, \
         SignedHeaders=host;x-amz-date, Signature=4b93abbcc68be32bd64c18e2c71150660ab4c29bbd6c32a383a7517a88fc1804";
    let request = Request::post(target)
        .header("host", "lambda.us-east-2.amazonaws.com")
        .header("x-amz-date", "20210511T154045Z")
        .header("authorization", authorization);
    let parts = request.body(()).unwrap().into_parts().0;
    let claim = Claim::read(&parts, &suite_keyring(), "lambda", Time(1_620_747_645_000)).unwrap();
    assert!(claim.needs_body());
    claim.verify(Some(sha256(b""))).unwrap();
}

fn s3_example(method: &str, target: &str, headers: &[(&str, &str)], signature: &str) -> Parts {
    let signed = names(headers, &["host"]).join(";");
    let mut request = Request::builder()
        .method(method)
        .uri(target)
        .header("host", "examplebucket.s3.amazonaws.com");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={ID}/20130524/us-east-1/s3/aws4_request,SignedHeaders={signed},Signature={signature}"
    );
    request
        .header("authorization", authorization)
        .body(())
        .unwrap()
        .into_parts()
        .0
}

#[test]
fn header_examples_of_the_s3_api_reference_are_accepted() {
    let date = ("x-amz-date", "20130524T000000Z");
    let empty = ("x-amz-content-sha256", EMPTY);
    let put = [
        ("date", "Fri, 24 May 2013 00:00:00 GMT"),
        (
            "x-amz-content-sha256",
            "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
        ),
        date,
        ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
    ];
    for parts in [
        s3_example(
            "GET",
            "/test.txt",
            &[("range", "bytes=0-9"), empty, date],
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        s3_example(
            "PUT",
            "/test$file.text",
            &put,
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
        s3_example(
            "GET",
            "/?lifecycle",
            &[empty, date],
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        s3_example(
            "GET",
            "/?max-keys=2&prefix=J",
            &[empty, date],
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ] {
        let verified = verify(&parts).unwrap_or_else(|error| panic!("{}: {error:?}", parts.uri));
        assert_eq!(verified.identity.region, "us-east-1");
        assert!(matches!(verified.payload, PayloadForm::Sha256(_)));
    }
}

#[test]
fn presigned_example_of_the_s3_api_reference_is_accepted() {
    let target = "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
        &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z\
        &X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
        &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
    let request = Request::get(target).header("host", "examplebucket.s3.amazonaws.com");
    let verified = verify(&request.body(()).unwrap().into_parts().0).unwrap();
    assert!(matches!(verified.payload, PayloadForm::Unsigned));
}
