//! The client of S3 against servers that answer what a test tells them to: what it sends, when it tries again, what it says.
#![allow(clippy::unwrap_used, missing_docs)]

mod bucket;
mod customer_key;
mod keys;
mod locks;
mod rollback;
mod stub;
mod tls;

use std::time::SystemTime;

use bytes::Bytes;
use stub::{Asked, Stub, answer, client};
use tidelock_operator::{aws::Why, s3::Versioning};

const VERSIONED: &str = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";

fn error(status: u16, code: &str) -> String {
    answer(
        status,
        "",
        &format!("<Error><Code>{code}</Code><Message>said so</Message></Error>"),
    )
}

#[tokio::test]
async fn an_object_is_asked_for_by_path_key_and_version_and_its_metadata_comes_back() {
    let headers = "ETag: \"abc\"\r\nx-amz-version-id: v2\r\nx-amz-meta-tidelock-md5: m\r\n";
    let stub = Stub::start([answer(200, headers, "the bytes")]);
    let object = client(&stub)
        .get_object("tfstate", "env:/a b/ü+", Some("v/1"))
        .await
        .unwrap();
    assert_eq!(
        (&object.bytes[..], object.etag.as_str()),
        (&b"the bytes"[..], "abc")
    );
    assert_eq!(
        (object.version.as_deref(), object.metadata("tidelock-md5")),
        (Some("v2"), Some("m"))
    );
    let asked = stub.asked();
    assert_eq!(
        asked[0].line,
        "GET /tfstate/env%3A/a%20b/%C3%BC%2B?versionId=v%2F1 HTTP/1.1"
    );
    assert!(
        asked[0]
            .header("authorization")
            .starts_with("AWS4-HMAC-SHA256 Credential=AKIATEST/")
    );
}

#[tokio::test]
async fn what_is_written_goes_with_its_digests() {
    let stub = Stub::start([answer(200, "ETag: \"e\"\r\n", "")]);
    let headers = [("x-amz-meta-tidelock-version", "7".to_owned())];
    let put = client(&stub)
        .put_object("tfstate", "k", Bytes::from_static(b"{}"), &headers)
        .await
        .unwrap();
    assert_eq!((put.etag.as_str(), put.version), ("e", None));
    let asked = stub.asked().remove(0);
    assert_eq!(
        (asked.body.as_slice(), asked.header("content-md5")),
        (&b"{}"[..], "mZFLkyvTelC5g8XnyQrpOw==")
    );
    assert_eq!(asked.header("x-amz-meta-tidelock-version"), "7");
    let sha256 = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    assert_eq!(asked.header("x-amz-content-sha256"), sha256);
}

#[tokio::test]
async fn an_overloaded_server_and_a_broken_connection_are_asked_again() {
    let stub = Stub::start([
        error(503, "SlowDown"),
        String::new(),
        answer(500, "", "not even XML"),
        answer(200, "", VERSIONED),
    ]);
    let versioning = client(&stub).get_bucket_versioning("tfstate").await.unwrap();
    assert_eq!(versioning, Versioning::Enabled);
    assert_eq!(stub.asked().len(), 4);
}

#[tokio::test]
async fn it_gives_up_after_five_tries_and_says_who_did_not_answer() {
    let stub = Stub::start([const { String::new() }; 6]);
    let refused = client(&stub).get_bucket_versioning("tfstate").await.unwrap_err();
    let sentence = refused.to_string();
    assert!(
        sentence.starts_with("GetBucketVersioning s3://tfstate: no answer from http://127.0.0.1:"),
        "{sentence}"
    );
    assert_eq!(stub.asked().len(), 5);
}

#[tokio::test]
async fn a_refusal_is_final_and_names_call_object_code_and_message() {
    let stub = Stub::start([error(404, "NoSuchVersion")]);
    let refused = client(&stub)
        .get_object("tfstate", "a/b", Some("v1"))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Some("NoSuchVersion"));
    assert_eq!(
        refused.to_string(),
        "GetObject s3://tfstate/a/b (version v1): NoSuchVersion: said so"
    );
    assert_eq!(stub.asked().len(), 1);
}

#[tokio::test]
async fn a_wrong_clock_is_corrected_by_the_servers() {
    let ahead = 3 * 60 * 60;
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs() as i64;
    let date = jiff::Timestamp::from_second(now + ahead)
        .unwrap()
        .strftime("%a, %d %b %Y %T GMT");
    let skewed = "<Error><Code>RequestTimeTooSkewed</Code><Message>m</Message></Error>";
    let stub = Stub::start([
        answer(403, &format!("Date: {date}\r\n"), skewed),
        answer(200, "", VERSIONED),
    ]);
    client(&stub).get_bucket_versioning("tfstate").await.unwrap();
    let signed: Vec<i64> = stub.asked().iter().map(signed_at).collect();
    assert!((signed[0] - now).abs() < 600, "{signed:?}");
    assert!((signed[1] - now - ahead).abs() < 600, "{signed:?}");
}

fn signed_at(asked: &Asked) -> i64 {
    let text = asked.header("x-amz-date");
    let time = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", text).unwrap();
    time.to_zoned(jiff::tz::TimeZone::UTC)
        .unwrap()
        .timestamp()
        .as_second()
}

#[tokio::test]
async fn a_wrong_key_is_not_taken_for_a_wrong_clock() {
    let denied = "<Error><Code>SignatureDoesNotMatch</Code><Message>m</Message></Error>";
    let stub = Stub::start([answer(403, "Date: Fri, 01 Jan 2100 00:00:00 GMT\r\n", denied)]);
    let refused = client(&stub).get_bucket_versioning("tfstate").await.unwrap_err();
    assert_eq!(refused.code(), Some("SignatureDoesNotMatch"));
    assert_eq!(stub.asked().len(), 1);
}

#[tokio::test]
async fn a_bucket_of_another_region_is_told_with_what_to_set() {
    let stub = Stub::start([answer(
        301,
        "x-amz-bucket-region: eu-west-3\r\n",
        "<Error><Code>PermanentRedirect</Code><Message>m</Message></Error>",
    )]);
    let refused = client(&stub).list_objects("tfstate", "", None).await.unwrap_err();
    assert!(matches!(&refused.why, Why::Region(region) if region == "eu-west-3"));
    assert!(refused.to_string().contains("AWS_REGION=eu-west-3"));
}

#[tokio::test]
async fn what_is_no_s3_is_called_so() {
    let stub = Stub::start([answer(200, "", "<html>Welcome</html>")]);
    let refused = client(&stub)
        .list_object_versions("tfstate", "", None)
        .await
        .unwrap_err();
    assert!(
        refused.to_string().contains("did not answer as S3 does"),
        "{refused}"
    );
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_not_read_to_its_end() {
    let huge = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}",
        1_u64 << 40,
        " ".repeat(17 << 20)
    );
    let stub = Stub::start([huge]);
    let refused = client(&stub).get_bucket_versioning("tfstate").await.unwrap_err();
    assert!(refused.to_string().contains("larger than"), "{refused}");
    assert_eq!(stub.asked().len(), 1);
}

#[tokio::test]
async fn pages_of_versions_and_of_objects_are_followed_by_their_markers() {
    let versions = "<ListVersionsResult><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>\
                    <NextKeyMarker>a%2Fb</NextKeyMarker><NextVersionIdMarker>v9</NextVersionIdMarker></ListVersionsResult>";
    let last = "<ListVersionsResult><IsTruncated>false</IsTruncated></ListVersionsResult>";
    let objects = "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t=</NextContinuationToken>\
                   <Contents><Key>k</Key><Size>3</Size><ETag>e</ETag><LastModified>2026-11-21T00:00:00Z</LastModified>\
                   </Contents></ListBucketResult>";
    let stub = Stub::start([versions, last, objects, objects].map(|body| answer(200, "", body)));
    let client = client(&stub);
    let page = client.list_object_versions("tfstate", "a/", None).await.unwrap();
    let after = page.next.unwrap();
    assert_eq!(
        client
            .list_object_versions("tfstate", "a/", Some(&after))
            .await
            .unwrap()
            .next,
        None
    );
    let page = client.list_objects("tfstate", "", Some("s+")).await.unwrap();
    assert_eq!(
        (page.items[0].key.as_str(), page.next.as_deref()),
        ("k", Some("t="))
    );
    let again = client.list_objects("tfstate", "", Some("t=")).await.unwrap_err();
    assert!(
        again.to_string().ends_with("its listing does not go on"),
        "{again}"
    );
    let lines: Vec<String> = stub.asked().into_iter().map(|asked| asked.line).collect();
    assert!(
        lines[1].contains("&key-marker=a%2Fb&version-id-marker=v9 "),
        "{lines:?}"
    );
    assert!(
        lines[2].contains("list-type=2&prefix=&continuation-token=s%2B "),
        "{lines:?}"
    );
}
