//! The `object_store` crate's own integration suite, over loopback: a client and assertions that nobody here wrote.
//!
//! All of the suite runs, save `response_extensions`, which asks nothing of a server. The parts that the crate keeps to
//! itself (presigned URLs, tagging, encryption) are told again here.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use http::Method;
use object_store::{
    ObjectStore, ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, TagSet,
    aws::{AmazonS3, AmazonS3Builder, Checksum, S3ConditionalPut, S3CopyIfNotExists},
    integration,
    multipart::MultipartStore,
    path::Path,
    signer::Signer,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::server::{ACCESS_KEY_ID, SECRET, Server};

const BUCKET: &str = "test-bucket";

async fn builder() -> (Server, AmazonS3Builder) {
    let server = Server::with_bucket(BUCKET).await;
    let address = server.listen().await;
    let builder = AmazonS3Builder::new()
        .with_endpoint(format!("http://{address}"))
        .with_allow_http(true)
        .with_region("us-east-1")
        .with_bucket_name(BUCKET)
        .with_access_key_id(ACCESS_KEY_ID)
        .with_secret_access_key(SECRET)
        .with_conditional_put(S3ConditionalPut::ETagMatch);
    (server, builder)
}

async fn store() -> (Server, AmazonS3) {
    let (server, builder) = builder().await;
    (server, builder.build().unwrap())
}

/// Sends bytes as they are, and reads to the end.
pub(crate) async fn raw(address: SocketAddr, request: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn put_get_delete_list() {
    let (_server, store) = store().await;
    integration::put_get_delete_list(&store).await;
}

#[tokio::test]
async fn put_get_delete_list_with_every_payload_form() {
    for change in [
        |builder: AmazonS3Builder| builder.with_unsigned_payload(true),
        |builder: AmazonS3Builder| builder.with_checksum_algorithm(Checksum::SHA256),
        |builder: AmazonS3Builder| builder.with_checksum_algorithm(Checksum::CRC64NVME),
    ] {
        let (_server, builder) = builder().await;
        integration::put_get_delete_list(&change(builder).build().unwrap()).await;
    }
}

#[tokio::test]
async fn put_get_delete_list_with_versions() {
    let (server, store) = store().await;
    server.set_versioning(BUCKET, "Enabled").await;
    integration::put_get_delete_list(&store).await;
}

#[tokio::test]
async fn attributes() {
    let (_server, store) = store().await;
    integration::put_get_attributes(&store).await;
}

#[tokio::test]
async fn get_opts() {
    let (_server, store) = store().await;
    integration::get_opts(&store).await;
}

#[tokio::test]
async fn put_opts() {
    let (_server, store) = store().await;
    integration::put_opts(&store, true).await;
}

#[tokio::test]
async fn stream_get() {
    let (_server, store) = store().await;
    integration::stream_get(&store).await;
}

#[tokio::test]
async fn listings() {
    let (_server, store) = store().await;
    integration::list_uses_directories_correctly(&store).await;
    integration::list_with_delimiter(&store).await;
    integration::list_with_offset_exclusivity(&store).await;
}

#[tokio::test]
async fn list_paginated() {
    let (_server, store) = store().await;
    integration::list_paginated(&store, &store).await;
}

#[tokio::test]
async fn get_nonexistent_object() {
    let (_server, store) = store().await;
    let error = integration::get_nonexistent_object(&store, Some(Path::from("none"))).await;
    assert!(
        matches!(error, Err(object_store::Error::NotFound { .. })),
        "{error:?}"
    );
}

#[tokio::test]
async fn rename_and_copy() {
    let (_server, builder) = builder().await;
    let by_header = S3CopyIfNotExists::Header("if-none-match".to_owned(), "*".to_owned());
    let store = builder.with_copy_if_not_exists(by_header).build().unwrap();
    integration::rename_and_copy(&store).await;
    integration::copy_rename_nonexistent_object(&store).await;
}

#[tokio::test]
async fn copy_if_not_exists() {
    let (_server, builder) = builder().await;
    let by_header = S3CopyIfNotExists::Header("if-none-match".to_owned(), "*".to_owned());
    for mode in [S3CopyIfNotExists::Multipart, by_header] {
        let store = builder.clone().with_copy_if_not_exists(mode).build().unwrap();
        integration::copy_if_not_exists(&store).await;
    }
}

#[tokio::test]
async fn copy_if_not_exists_changes_the_checksum() {
    let (_server, builder) = builder().await;
    let source = builder
        .clone()
        .with_checksum_algorithm(Checksum::SHA256)
        .build()
        .unwrap();
    let (from, to) = (Path::from("from"), Path::from("to"));
    source
        .put(&from, PutPayload::from(vec![0; 100_000]))
        .await
        .unwrap();
    let target = builder
        .with_checksum_algorithm(Checksum::CRC64NVME)
        .with_copy_if_not_exists(S3CopyIfNotExists::Multipart)
        .build()
        .unwrap();
    target.copy_if_not_exists(&from, &to).await.unwrap();
    assert_eq!(
        target.get(&to).await.unwrap().bytes().await.unwrap(),
        vec![0; 100_000]
    );
}

#[tokio::test]
async fn multipart() {
    let (_server, store) = store().await;
    integration::multipart(&store, &store).await;
    integration::multipart_with_opts(&store, &store).await;
    integration::multipart_put_part_out_of_order(&store, &store).await;
    integration::multipart_out_of_order(&store).await;
}

#[tokio::test]
async fn multipart_race_condition() {
    let (_server, store) = store().await;
    integration::multipart_race_condition(&store, true).await;
}

#[tokio::test]
async fn multipart_with_checksums() {
    for checksum in [Checksum::SHA256, Checksum::CRC64NVME] {
        let (_server, builder) = builder().await;
        let store = builder.with_checksum_algorithm(checksum).build().unwrap();
        let path = Path::from("test.bin");
        let options = PutMultipartOptions::default();
        let mut upload = store.put_multipart_opts(&path, options).await.unwrap();
        upload
            .put_part(PutPayload::from(vec![0; 10_000_000]))
            .await
            .unwrap();
        upload
            .put_part(PutPayload::from(vec![0; 5_000_000]))
            .await
            .unwrap();
        assert!(upload.complete().await.unwrap().e_tag.is_some());
        assert_eq!(store.head(&path).await.unwrap().size, 15_000_000);
    }
}

#[tokio::test]
async fn a_bucket_that_does_not_exist_is_not_found() {
    let (_server, builder) = builder().await;
    let store = builder.with_bucket_name("nonexistentname").build().unwrap();
    let path = Path::from("none");
    let errors = [
        store.get(&path).await.map(drop),
        store.put(&path, PutPayload::from("x")).await.map(drop),
        store.delete(&path).await,
    ];
    for error in errors {
        assert!(
            matches!(error, Err(object_store::Error::NotFound { .. })),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn tagging() {
    let (server, store) = store().await;
    let mut tags = TagSet::default();
    tags.push("key", "foo");
    tags.push("a b", "c &?=+ü");
    let path = Path::from("tagged");
    let options = PutOptions::from(tags.clone());
    store.put_opts(&path, "test".into(), options).await.unwrap();
    let multi = Path::from("tagged-multi");
    let options = PutMultipartOptions::from(tags);
    let mut upload = store.put_multipart_opts(&multi, options).await.unwrap();
    upload.put_part("test".into()).await.unwrap();
    upload.complete().await.unwrap();
    for key in ["tagged", "tagged-multi"] {
        let answer = server.get(&format!("/{BUCKET}/{key}?tagging")).ok().await;
        assert_eq!(answer.elements("Key"), ["a b", "key"], "{key}");
        assert_eq!(answer.elements("Value"), ["c &amp;?=+ü", "foo"], "{key}");
    }
}

#[tokio::test]
async fn encryption() {
    let (server, builder) = builder().await;
    let kms = builder
        .clone()
        .with_sse_kms_encryption("alias/aws/s3")
        .build()
        .unwrap();
    let path = Path::from("encrypted");
    kms.put(&path, "1".into()).await.unwrap();
    let head = server.head(&format!("/{BUCKET}/encrypted")).ok().await;
    assert_eq!(head.header("x-amz-server-side-encryption"), "aws:kms");
    let key = head.header("x-amz-server-side-encryption-aws-kms-key-id");
    assert!(key.starts_with("arn:aws:kms:us-east-1:"), "{key}");
    let customer = |byte: u8| {
        let key = STANDARD.encode([byte; 32]);
        builder.clone().with_ssec_encryption(key).build().unwrap()
    };
    let (one, two, three) = (Path::from("one"), Path::from("two"), Path::from("three"));
    let store = customer(7);
    store.put(&one, "secret".into()).await.unwrap();
    store.copy(&one, &two).await.unwrap();
    let mut upload = store.put_multipart(&three).await.unwrap();
    upload.put_part("secret".into()).await.unwrap();
    upload.complete().await.unwrap();
    for path in [&one, &two, &three] {
        assert_eq!(store.get(path).await.unwrap().bytes().await.unwrap(), "secret");
        assert!(customer(8).get(path).await.is_err());
        assert!(builder.clone().build().unwrap().get(path).await.is_err());
    }
}

/// Sends a presigned request as somebody without credentials would.
async fn presigned(store: &AmazonS3, method: Method, path: &str, query: &str, body: &str) -> String {
    let rest = format!("content-length: {}\r\n\r\n{body}", body.len());
    presigned_with(store, method, path, query, &rest).await
}

/// The same, with further headers and the body as they are to be sent.
async fn presigned_with(store: &AmazonS3, method: Method, path: &str, query: &str, rest: &str) -> String {
    let seconds = Duration::from_secs(60);
    let url = store
        .signed_url(method.clone(), &Path::from(path), seconds)
        .await
        .unwrap();
    let address: SocketAddr = (std::net::Ipv4Addr::LOCALHOST, url.port().unwrap()).into();
    let request = format!(
        "{method} {}?{}{query} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{rest}",
        url.path(),
        url.query().unwrap(),
    );
    raw(address, &request).await
}

#[tokio::test]
async fn signing() {
    let (_server, store) = store().await;
    let key = "test signed/a b=c/π.bin";
    let put = presigned(&store, Method::PUT, key, "", "hello").await;
    assert!(put.starts_with("HTTP/1.1 200"), "{put}");
    let get = presigned(&store, Method::GET, key, "", "").await;
    assert!(get.starts_with("HTTP/1.1 200") && get.ends_with("hello"), "{get}");
    assert_eq!(
        store.get(&Path::from(key)).await.unwrap().bytes().await.unwrap(),
        "hello"
    );
    let tampered = presigned(&store, Method::GET, key, "&versionId=null", "").await;
    assert!(tampered.starts_with("HTTP/1.1 403"), "{tampered}");
    assert!(
        tampered.contains("<Code>SignatureDoesNotMatch</Code>"),
        "{tampered}"
    );
}

#[tokio::test]
async fn uploads_that_are_aborted_leave_nothing() {
    let (server, store) = store().await;
    let store: Arc<dyn MultipartStore> = Arc::new(store);
    let path = Path::from("aborted");
    let id = store.create_multipart(&path).await.unwrap();
    store.put_part(&path, &id, 0, "x".into()).await.unwrap();
    store.abort_multipart(&path, &id).await.unwrap();
    assert!(
        server
            .get(&format!("/{BUCKET}?uploads"))
            .ok()
            .await
            .elements("Key")
            .is_empty()
    );
}

#[tokio::test]
async fn a_put_must_say_how_long_it_is_and_be_that_long() {
    let (server, store) = store().await;
    let chunked = "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let answer = presigned_with(&store, Method::PUT, "k", "", chunked).await;
    assert!(answer.starts_with("HTTP/1.1 411"), "{answer}");
    assert!(answer.contains("<Code>MissingContentLength</Code>"), "{answer}");
    let huge = format!("content-length: {}\r\n\r\n", 1_u64 << 40);
    let answer = presigned_with(&store, Method::PUT, "k", "", &huge).await;
    assert!(answer.contains("<Code>EntityTooLarge</Code>"), "{answer}");
    server
        .get(&format!("/{BUCKET}/k"))
        .refused(404, "NoSuchKey")
        .await;
}

#[tokio::test]
async fn an_upload_that_breaks_off_is_not_stored() {
    let (server, store) = store().await;
    let url = store
        .signed_url(Method::PUT, &Path::from("k"), Duration::from_secs(60))
        .await
        .unwrap();
    let address: SocketAddr = (std::net::Ipv4Addr::LOCALHOST, url.port().unwrap()).into();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!(
        "PUT {}?{} HTTP/1.1\r\nhost: {address}\r\ncontent-length: 100\r\n\r\nhello",
        url.path(),
        url.query().unwrap()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(!String::from_utf8_lossy(&answer).starts_with("HTTP/1.1 200"));
    server
        .get(&format!("/{BUCKET}/k"))
        .refused(404, "NoSuchKey")
        .await;
}
