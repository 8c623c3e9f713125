//! aws-chunked bodies, with and without signatures and trailers.

use std::time::{Duration, SystemTime};

use aws_sigv4::http_request::SignableBody;
use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use http::{HeaderMap, HeaderValue, Request};
use proptest::prelude::*;
use tidelock_doors::aws_common::checksum::{Algorithm, Checksum};
use tidelock_doors::aws_common::payload::{self, Body, PayloadError, Rules, sha256};
use tidelock_doors::aws_common::sigv4::{PayloadForm, Verified};

use crate::bodies::{RULES, frames, headers, wait};
use crate::oracle::{EMPTY, ID, NOW, SECRET, Signer, verify};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Form {
    Signed,
    SignedTrailer,
    UnsignedTrailer,
}

impl Form {
    const ALL: [Self; 3] = [Self::Signed, Self::SignedTrailer, Self::UnsignedTrailer];

    fn payload_hash(self) -> &'static str {
        match self {
            Self::Signed => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
            Self::SignedTrailer => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
            Self::UnsignedTrailer => "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        }
    }

    /// A verified request of this form, and the signature of its headers.
    fn open(self) -> (PayloadForm, String) {
        let request =
            Request::put("http://127.0.0.1:9470/tfstate/k").header("content-encoding", "aws-chunked");
        let signer = Signer {
            body: SignableBody::Precomputed(self.payload_hash().into()),
            ..Signer::default()
        };
        let (parts, seed) = signer.sign_with_signature(request);
        let Verified { payload, .. } = verify(&parts).unwrap();
        (payload, seed)
    }

    /// The wire form of `chunks`, as an AWS SDK writes it.
    fn encode(self, chunks: &[&[u8]], trailer: &str, seed: &str) -> Vec<u8> {
        let mut wire = Vec::new();
        let mut previous = seed.to_owned();
        for chunk in chunks.iter().chain([&&b""[..]]) {
            let header = match self {
                Self::UnsignedTrailer => format!("{:x}\r\n", chunk.len()),
                Self::Signed | Self::SignedTrailer => {
                    let covered = format!("{EMPTY}\n{}", hex::encode(sha256(chunk)));
                    previous = signature("AWS4-HMAC-SHA256-PAYLOAD", &previous, &covered);
                    format!("{:x};chunk-signature={previous}\r\n", chunk.len())
                }
            };
            wire.extend_from_slice(header.as_bytes());
            wire.extend_from_slice(chunk);
            if !chunk.is_empty() {
                wire.extend_from_slice(b"\r\n");
            }
        }
        if self != Self::Signed {
            wire.extend_from_slice(format!("{trailer}\r\n").as_bytes());
        }
        if self == Self::SignedTrailer {
            let covered = hex::encode(sha256(format!("{trailer}\n").as_bytes()));
            let signed = signature("AWS4-HMAC-SHA256-TRAILER", &previous, &covered);
            wire.extend_from_slice(format!("x-amz-trailer-signature:{signed}\r\n").as_bytes());
        }
        wire.extend_from_slice(b"\r\n");
        wire
    }
}

fn signature(algorithm: &str, previous: &str, covered: &str) -> String {
    let time = SystemTime::UNIX_EPOCH + Duration::from_millis(NOW.0 as u64);
    let key = generate_signing_key(SECRET, time, "eu-central-1", "s3");
    let scope = "20130524/eu-central-1/s3/aws4_request";
    calculate_signature(
        key,
        format!("{algorithm}\n20130524T000000Z\n{scope}\n{previous}\n{covered}").as_bytes(),
    )
}

fn trailer_of(plain: &[u8]) -> String {
    format!(
        "x-amz-checksum-crc32c:{}",
        Checksum::of(Algorithm::Crc32c, plain).to_base64()
    )
}

fn read(
    form: Form,
    payload: PayloadForm,
    plain_bytes: usize,
    pieces: Vec<Vec<u8>>,
) -> Result<Body, PayloadError> {
    let mut headers = headers(&[("x-amz-decoded-content-length", &plain_bytes.to_string())]);
    if form != Form::Signed {
        headers.insert("x-amz-trailer", HeaderValue::from_static("x-amz-checksum-crc32c"));
        headers.insert("x-amz-sdk-checksum-algorithm", HeaderValue::from_static("CRC32C"));
    }
    let wire_bytes: usize = pieces.iter().map(Vec::len).sum();
    headers.insert("content-length", HeaderValue::from(wire_bytes));
    wait(payload::read(&headers, payload, frames(pieces), RULES))
}

fn split(wire: &[u8], mut cuts: Vec<usize>) -> Vec<Vec<u8>> {
    cuts.sort_unstable();
    let ends = cuts.iter().copied().chain([wire.len()]);
    let starts = [0].into_iter().chain(cuts.iter().copied());
    starts
        .zip(ends)
        .map(|(start, end)| wire[start..end].to_vec())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_chunks_in_any_network_frames_decode_to_the_same_bytes(
        form in prop::sample::select(&Form::ALL[..]),
        plain in prop::collection::vec(any::<u8>(), 0..60_000),
        chunk_bytes in 8192usize..30_000,
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let (payload, seed) = form.open();
        let chunks: Vec<&[u8]> = plain.chunks(chunk_bytes).collect();
        let wire = form.encode(&chunks, &trailer_of(&plain), &seed);
        let cuts = cuts.iter().map(|cut| cut.index(wire.len() + 1)).collect();
        let body = read(form, payload, plain.len(), split(&wire, cuts)).unwrap();
        prop_assert_eq!(&body.bytes[..], &plain[..]);
        let expected = (form != Form::Signed).then(|| Checksum::of(Algorithm::Crc32c, &plain));
        prop_assert_eq!(body.checksum, expected);
    }

    #[test]
    fn any_flipped_bit_of_a_chunked_body_is_found(
        form in prop::sample::select(&Form::ALL[..]),
        plain in prop::collection::vec(any::<u8>(), 1..20_000),
        at in any::<prop::sample::Index>(),
        bit in 0..8,
    ) {
        let (payload, seed) = form.open();
        let chunks: Vec<&[u8]> = plain.chunks(8192).collect();
        let mut wire = form.encode(&chunks, &trailer_of(&plain), &seed);
        let at = at.index(wire.len());
        wire[at] ^= 1u8 << bit;
        // Upper and lower case of a chunk's length and of an unsigned trailer's name say the same.
        let same = wire[at].is_ascii_alphabetic() && bit == 5;
        match read(form, payload, plain.len(), vec![wire]) {
            Ok(body) => prop_assert!(same && body.bytes[..] == plain[..]),
            Err(error) => prop_assert!(error.s3().status.is_client_error()),
        }
    }

    #[test]
    fn any_cut_of_a_chunked_body_is_incomplete(
        form in prop::sample::select(&Form::ALL[..]),
        plain in prop::collection::vec(any::<u8>(), 0..20_000),
        at in any::<prop::sample::Index>(),
    ) {
        let (payload, seed) = form.open();
        let chunks: Vec<&[u8]> = plain.chunks(8192).collect();
        let mut wire = form.encode(&chunks, &trailer_of(&plain), &seed);
        wire.truncate(at.index(wire.len()));
        prop_assert_eq!(read(form, payload, plain.len(), vec![wire]), Err(PayloadError::IncompleteBody));
    }

    #[test]
    fn no_bytes_make_the_decoder_panic(wire in prop::collection::vec(any::<u8>(), 0..300), form in prop::sample::select(&Form::ALL[..])) {
        prop_assert!(read(form, form.open().0, 100, vec![wire]).is_err());
    }
}

fn read_hello(form: Form, wire: impl FnOnce(&str) -> Vec<u8>) -> Result<Body, PayloadError> {
    let (payload, seed) = form.open();
    read(form, payload, 5, vec![wire(&seed)])
}

fn encoded(form: Form, seed: &str) -> String {
    String::from_utf8(form.encode(&[b"hello"], &trailer_of(b"hello"), seed)).unwrap()
}

#[test]
fn chunks_in_another_order_or_of_another_request_are_refused() {
    let chunks = [[1; 8192], [2; 8192]];
    let trailer = trailer_of(chunks.as_flattened());
    let block_bytes = "2000;chunk-signature=".len() + 64 + 2 + 8192 + 2;
    for form in [Form::Signed, Form::SignedTrailer] {
        let (payload, seed) = form.open();
        let mut swapped = form.encode(&[&chunks[0], &chunks[1]], &trailer, &seed);
        swapped[..2 * block_bytes].rotate_left(block_bytes);
        let other_seed = form.encode(&[&chunks[0], &chunks[1]], &trailer, EMPTY);
        for (payload, wire) in [(payload, swapped), (form.open().0, other_seed)] {
            let error = read(form, payload, 16384, vec![wire]).unwrap_err();
            assert_eq!(error, PayloadError::ChunkSignatureMismatch);
            assert_eq!(
                (error.s3().status.as_u16(), error.s3().code),
                (403, "SignatureDoesNotMatch")
            );
        }
    }
}

#[test]
fn wrong_checksum_in_a_trailer_is_refused() {
    for form in [Form::SignedTrailer, Form::UnsignedTrailer] {
        let with = |trailer: &'static str| read_hello(form, |seed| form.encode(&[b"hello"], trailer, seed));
        let wrong = with("x-amz-checksum-crc32c:AAAAAA==");
        assert_eq!(wrong, Err(PayloadError::ChecksumMismatch(Algorithm::Crc32c)));
        let malformed = with("x-amz-checksum-crc32c:AAAA");
        assert_eq!(malformed, Err(PayloadError::InvalidChecksum(Algorithm::Crc32c)));
        for other in ["x-amz-checksum-crc32:NhCmhg==", "no colon", "x-amz-meta-a:b"] {
            assert_eq!(with(other), Err(PayloadError::MalformedTrailer), "{other}");
        }
    }
}

#[test]
fn trailer_that_was_announced_must_come_and_be_signed() {
    let missing = read_hello(Form::UnsignedTrailer, |_| b"5\r\nhello\r\n0\r\n\r\n".to_vec());
    assert_eq!(missing, Err(PayloadError::MalformedTrailer));
    let unsigned = read_hello(Form::SignedTrailer, |seed| {
        let wire = encoded(Form::SignedTrailer, seed);
        let at = wire.find("x-amz-trailer-signature").unwrap();
        format!("{}\r\n", &wire[..at]).into_bytes()
    });
    assert_eq!(unsigned, Err(PayloadError::MalformedTrailer));
    let forged = read_hello(Form::SignedTrailer, |seed| {
        encoded(Form::SignedTrailer, seed)
            .replace("x-amz-trailer-signature:", "x-amz-trailer-signature:0")
            .into_bytes()
    });
    assert_eq!(forged, Err(PayloadError::MalformedTrailer));
}

#[test]
fn trailer_line_may_end_with_the_line_feed_that_is_signed() {
    let body = read_hello(Form::SignedTrailer, |seed| {
        let trailer = trailer_of(b"hello");
        encoded(Form::SignedTrailer, seed)
            .replace(&trailer, &format!("{trailer}\n"))
            .into_bytes()
    });
    assert_eq!(&body.unwrap().bytes[..], b"hello");
}

#[test]
fn chunks_that_cannot_be_read_are_refused() {
    for wire in [
        "\r\n",
        "x\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "11111111111111111\r\n",
        "5;chunk-signature=00\r\nhello\r\n",
        "5;ext\r\nhello\r\n",
        "5\nhello\n0\n\n\r\n",
        "5\r\nhelloXX0\r\n\r\n",
    ] {
        let result = read_hello(Form::UnsignedTrailer, |_| wire.into());
        assert!(
            matches!(result, Err(PayloadError::MalformedChunk)),
            "{wire:?} {result:?}"
        );
    }
    let long = read_hello(Form::UnsignedTrailer, |_| vec![b'0'; 100_000]);
    assert_eq!(long, Err(PayloadError::MalformedChunk));
    let more = read_hello(Form::UnsignedTrailer, |seed| {
        (encoded(Form::UnsignedTrailer, seed) + "x\r\n").into()
    });
    assert_eq!(more, Err(PayloadError::MalformedChunk));
    let no_signature = read_hello(Form::Signed, |_| b"5\r\nhello\r\n0\r\n\r\n".to_vec());
    assert_eq!(no_signature, Err(PayloadError::MalformedChunk));
}

#[test]
fn only_the_last_chunk_may_be_small() {
    let (payload, seed) = Form::Signed.open();
    let wire = Form::Signed.encode(&[b"he", b"llo"], "", &seed);
    let error = read(Form::Signed, payload, 5, vec![wire]).unwrap_err();
    assert_eq!(
        (error.s3().status.as_u16(), error.s3().code),
        (403, "InvalidChunkSizeError")
    );
}

#[test]
fn decoded_length_must_be_declared_kept_and_within_the_bound() {
    for declared in [4, 6] {
        let (payload, seed) = Form::Signed.open();
        let wire = Form::Signed.encode(&[b"hello"], "", &seed);
        assert_eq!(
            read(Form::Signed, payload, declared, vec![wire]),
            Err(PayloadError::IncompleteBody)
        );
    }
    let empty = || frames(Vec::new());
    let missing = wait(payload::read(
        &HeaderMap::new(),
        Form::Signed.open().0,
        empty(),
        RULES,
    ));
    assert_eq!(missing.unwrap_err().s3().code, "MissingContentLength");
    let rules = Rules {
        max_bytes: 4,
        ..RULES
    };
    let large = headers(&[("x-amz-decoded-content-length", "5")]);
    let large = wait(payload::read(&large, Form::Signed.open().0, empty(), rules));
    assert_eq!(large.unwrap_err().s3().code, "EntityTooLarge");
}

/// The request of "Transferring Payload in Multiple Chunks", Amazon S3 API reference: 66560 letters in two chunks.
fn documented(more: &[(&str, &str)], signed: &str, signature: &str) -> (HeaderMap, PayloadForm) {
    let mut request = Request::put("/examplebucket/chunkObject.txt").header("host", "s3.amazonaws.com");
    let common = [
        ("x-amz-date", "20130524T000000Z"),
        ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        ("content-encoding", "aws-chunked"),
        ("x-amz-decoded-content-length", "66560"),
    ];
    for (name, value) in common.iter().chain(more) {
        request = request.header(*name, *value);
    }
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={ID}/20130524/us-east-1/s3/aws4_request,SignedHeaders={signed},Signature={signature}"
    );
    let parts = request
        .header("authorization", authorization)
        .body(())
        .unwrap()
        .into_parts()
        .0;
    let payload = verify(&parts).unwrap().payload;
    (parts.headers, payload)
}

fn documented_wire(signatures: [&str; 3], end: &str) -> Vec<u8> {
    let [first, second, last] = signatures;
    let letters = "a".repeat(65536);
    let wire = format!(
        "10000;chunk-signature={first}\r\n{letters}\r\n400;chunk-signature={second}\r\n{}\r\n0;chunk-signature={last}\r\n{end}",
        &letters[..1024]
    );
    wire.into_bytes()
}

#[test]
fn chunked_upload_of_the_s3_api_reference_is_accepted() {
    let (headers, payload) = documented(
        &[
            ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
            ("content-length", "66824"),
        ],
        "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class",
        "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
    );
    let signatures = [
        "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
        "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
        "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
    ];
    let wire = documented_wire(signatures, "\r\n");
    assert_eq!(wire.len(), 66824);
    let body = wait(payload::read(&headers, payload, frames(vec![wire]), RULES)).unwrap();
    assert_eq!(body.bytes, vec![b'a'; 66560]);
}

#[test]
fn chunked_upload_with_trailer_of_the_s3_api_reference_is_accepted() {
    let (headers, payload) = documented(
        &[
            (
                "x-amz-content-sha256",
                "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
            ),
            ("x-amz-trailer", "x-amz-checksum-crc32c"),
        ],
        "content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer",
        "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
    );
    let signatures = [
        "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
        "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
        "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
    ];
    let end = "x-amz-checksum-crc32c:sOO8/Q==\r\n\
        x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n";
    let body = wait(payload::read(
        &headers,
        payload,
        frames(vec![documented_wire(signatures, end)]),
        RULES,
    ))
    .unwrap();
    assert_eq!(body.bytes.len(), 66560);
    assert_eq!(body.checksum.unwrap().to_base64(), "sOO8/Q==");
}
