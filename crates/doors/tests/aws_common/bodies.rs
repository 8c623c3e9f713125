//! Plain bodies: length, hash, MD5 and checksum, each held to what the headers said.

use std::convert::Infallible;
use std::future::Future;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::Frame;
use http_body_util::{Full, StreamBody};
use tidelock_doors::aws_common::checksum::{Algorithm, Checksum};
use tidelock_doors::aws_common::payload::{
    self, Body, PayloadError, Rules, collect, sha256, stored_content_encoding,
};
use tidelock_doors::aws_common::sigv4::PayloadForm;

pub(crate) const RULES: Rules = Rules {
    max_bytes: 1 << 20,
    checksum_is_of_body: true,
};

pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
        .block_on(future)
}

pub(crate) fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&str, &str)| {
        (
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_str(value).unwrap(),
        )
    };
    pairs.iter().map(pair).collect()
}

pub(crate) fn frames(pieces: Vec<Vec<u8>>) -> impl http_body::Body<Data = Bytes, Error = Infallible> {
    StreamBody::new(stream::iter(
        pieces
            .into_iter()
            .map(|piece| Ok(Frame::data(Bytes::from(piece)))),
    ))
}

fn read(pairs: &[(&str, &str)], form: PayloadForm, body: &'static [u8]) -> Result<Body, PayloadError> {
    let mut headers = headers(pairs);
    headers
        .entry("content-length")
        .or_insert_with(|| HeaderValue::from(body.len()));
    wait(payload::read(
        &headers,
        form,
        Full::new(Bytes::from_static(body)),
        RULES,
    ))
}

fn code(result: Result<Body, PayloadError>) -> &'static str {
    result.map_or_else(|error| error.s3().code, |_| "ok")
}

#[test]
fn body_comes_back_with_its_md5_and_the_checksum_that_was_sent() {
    for algorithm in Algorithm::ALL {
        let sum = Checksum::of(algorithm, b"hello").to_base64();
        let md5 = "XUFAKrxLKna5cZ2REBfFkg==";
        let sent = [
            (algorithm.header(), sum.as_str()),
            ("x-amz-sdk-checksum-algorithm", algorithm.name()),
            ("content-md5", md5),
        ];
        let body = read(&sent, PayloadForm::Sha256(sha256(b"hello")), b"hello").unwrap();
        assert_eq!(&body.bytes[..], b"hello");
        assert_eq!(STANDARD.encode(body.md5), md5);
        assert_eq!(body.checksum, Some(Checksum::of(algorithm, b"hello")));
    }
    assert_eq!(read(&[], PayloadForm::Unsigned, b"").unwrap().checksum, None);
}

#[test]
fn body_of_another_hash_is_refused_with_both_hashes() {
    let error = read(&[], PayloadForm::Sha256(sha256(b"hello")), b"hellp")
        .unwrap_err()
        .s3();
    assert_eq!(
        (error.status.as_u16(), error.code),
        (400, "XAmzContentSHA256Mismatch")
    );
    assert_eq!(
        error.details[1],
        ("S3ComputedContentSHA256", hex::encode(sha256(b"hellp")))
    );
}

#[test]
fn content_md5_must_be_well_formed_and_match() {
    let md5 = |value| code(read(&[("content-md5", value)], PayloadForm::Unsigned, b"hello"));
    assert_eq!(md5("XUFAKrxLKna5cZ2REBfFkg=="), "ok");
    assert_eq!(md5("XUFAKrxLKna5cZ2REBfFkA=="), "BadDigest");
    assert_eq!(md5("XUFAKrxLKna5cZ2REBfF"), "InvalidDigest");
    assert_eq!(md5("not base64"), "InvalidDigest");
    assert_eq!(md5(""), "InvalidDigest");
}

#[test]
fn checksum_of_another_body_is_refused_in_the_words_of_s3() {
    for algorithm in Algorithm::ALL {
        let sum = Checksum::of(algorithm, b"hellp").to_base64();
        let error = read(&[(algorithm.header(), &sum)], PayloadForm::Unsigned, b"hello")
            .unwrap_err()
            .s3();
        assert_eq!((error.status.as_u16(), error.code), (400, "BadDigest"));
        let name = algorithm.name();
        assert_eq!(
            error.message,
            format!("The {name} you specified did not match the calculated checksum.")
        );
        let error = read(&[(algorithm.header(), "AA==")], PayloadForm::Unsigned, b"hello")
            .unwrap_err()
            .s3();
        assert_eq!(error.code, "InvalidRequest");
        assert_eq!(
            error.message,
            format!("Value for {} header is invalid.", algorithm.header())
        );
    }
}

#[test]
fn checksum_headers_that_contradict_each_other_are_refused() {
    let crc32 = Checksum::of(Algorithm::Crc32, b"hello").to_base64();
    let sha1 = Checksum::of(Algorithm::Sha1, b"hello").to_base64();
    let refused = |pairs: &[(&str, &str)]| read(pairs, PayloadForm::Unsigned, b"hello").unwrap_err();
    let both = [
        ("x-amz-checksum-crc32", crc32.as_str()),
        ("x-amz-checksum-sha1", &sha1),
    ];
    assert_eq!(refused(&both), PayloadError::SeveralChecksums);
    let other = [
        ("x-amz-checksum-crc32", crc32.as_str()),
        ("x-amz-sdk-checksum-algorithm", "SHA1"),
    ];
    assert_eq!(refused(&other), PayloadError::AnnouncedChecksumMissing);
    assert_eq!(
        refused(&[("x-amz-sdk-checksum-algorithm", "CRC32")]),
        PayloadError::AnnouncedChecksumMissing
    );
    assert_eq!(
        refused(&[("x-amz-sdk-checksum-algorithm", "MD4")]),
        PayloadError::UnknownAlgorithm
    );
    assert_eq!(
        refused(&[("x-amz-checksum-md4", "AA==")]),
        PayloadError::UnknownAlgorithm
    );
    assert_eq!(
        refused(&[("x-amz-trailer", "x-amz-checksum-crc32")]),
        PayloadError::UnsupportedTrailer
    );
    let named = [
        ("x-amz-checksum-algorithm", "CRC32"),
        ("x-amz-checksum-mode", "ENABLED"),
    ];
    assert!(read(&named, PayloadForm::Unsigned, b"hello").is_ok());
}

#[test]
fn checksum_of_the_object_is_left_alone_where_the_body_is_a_document() {
    let headers = headers(&[("x-amz-checksum-crc32", "AAAAAA=="), ("content-length", "5")]);
    let rules = Rules {
        checksum_is_of_body: false,
        ..RULES
    };
    let body = Full::new(Bytes::from_static(b"hello"));
    assert_eq!(
        wait(payload::read(&headers, PayloadForm::Unsigned, body, rules))
            .unwrap()
            .checksum,
        None
    );
}

#[test]
fn body_shorter_or_longer_than_declared_is_incomplete() {
    for declared in ["4", "6", "1048576"] {
        let result = read(&[("content-length", declared)], PayloadForm::Unsigned, b"hello");
        assert_eq!(code(result), "IncompleteBody", "{declared}");
    }
    for declared in ["-5", "+5", "5.0", "", "99999999999999999999999"] {
        assert_eq!(
            read(&[("content-length", declared)], PayloadForm::Unsigned, b"hello"),
            Err(PayloadError::InvalidContentLength)
        );
    }
}

#[test]
fn connection_that_breaks_leaves_an_incomplete_body() {
    let pieces = [
        Ok(Frame::data(Bytes::from_static(b"hel"))),
        Err(std::io::Error::other("gone")),
    ];
    let body = StreamBody::new(stream::iter(pieces));
    let result = wait(payload::read(
        &headers(&[("content-length", "5")]),
        PayloadForm::Unsigned,
        body,
        RULES,
    ));
    assert_eq!(code(result), "IncompleteBody");
}

#[test]
fn body_without_a_declared_length_is_refused_unless_empty() {
    let result = wait(payload::read(
        &HeaderMap::new(),
        PayloadForm::Unsigned,
        frames(vec![b"x".to_vec()]),
        RULES,
    ));
    assert_eq!(result, Err(PayloadError::MissingContentLength));
    let empty = http_body_util::Empty::<Bytes>::new();
    assert!(
        wait(payload::read(
            &HeaderMap::new(),
            PayloadForm::Unsigned,
            empty,
            RULES
        ))
        .is_ok()
    );
}

#[test]
fn body_over_the_bound_is_refused_before_it_is_read() {
    let never = StreamBody::new(stream::poll_fn(
        |_| -> std::task::Poll<Option<Result<Frame<Bytes>, Infallible>>> { panic!("the body was read") },
    ));
    let result = wait(payload::read(
        &headers(&[("content-length", "1048577")]),
        PayloadForm::Unsigned,
        never,
        RULES,
    ));
    let said = result.unwrap_err().s3();
    assert_eq!((said.status.as_u16(), said.code), (400, "EntityTooLarge"));
    assert_eq!(
        said.details,
        [
            ("ProposedSize", "1048577".to_owned()),
            ("MaxSizeAllowed", "1048576".to_owned())
        ]
    );
}

#[test]
fn collected_body_is_bounded_with_and_without_a_declared_length() {
    let pieces = || frames(vec![b"hel".to_vec(), b"lo".to_vec()]);
    let (bytes, hash) = wait(collect(&HeaderMap::new(), pieces(), 5)).unwrap();
    assert_eq!((&bytes[..], hash), (&b"hello"[..], sha256(b"hello")));
    let too_large = PayloadError::TooLarge {
        proposed_bytes: 5,
        max_bytes: 4,
    };
    assert_eq!(
        wait(collect(&HeaderMap::new(), pieces(), 4)),
        Err(too_large.clone())
    );
    assert_eq!(
        wait(collect(&headers(&[("content-length", "5")]), pieces(), 4)),
        Err(too_large)
    );
    assert_eq!(
        wait(collect(&headers(&[("content-length", "6")]), pieces(), 9)),
        Err(PayloadError::IncompleteBody)
    );
}

#[test]
fn aws_chunked_is_no_part_of_the_stored_encoding() {
    let stored = |value| stored_content_encoding(&headers(&[("content-encoding", value)]));
    assert_eq!(stored("aws-chunked"), None);
    assert_eq!(stored("aws-chunked,gzip").as_deref(), Some("gzip"));
    assert_eq!(stored("gzip, aws-chunked").as_deref(), Some("gzip"));
    assert_eq!(stored("br, gzip").as_deref(), Some("br,gzip"));
}
