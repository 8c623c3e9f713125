//! Which action each request of S3 is, and what its headers add to it.

use http::{Method, StatusCode};

use super::{
    NOBODY, case_of, cases, doors, send,
    teams::{MEMBER, s3, statement, with_states},
};

/// The operations of S3 whose action has another name, by the Service Authorization Reference. Copies read their source first.
const ACTIONS_OF_S3: &[(&str, &str)] = &[
    ("ListBuckets", "ListAllMyBuckets"),
    ("ListObjects", "ListBucket"),
    ("ListObjectsV2", "ListBucket"),
    ("HeadBucket", "ListBucket"),
    ("ListObjectVersions", "ListBucketVersions"),
    ("ListMultipartUploads", "ListBucketMultipartUploads"),
    ("GetBucketAccelerateConfiguration", "GetAccelerateConfiguration"),
    ("GetBucketCors", "GetBucketCORS"),
    ("GetBucketEncryption", "GetEncryptionConfiguration"),
    ("GetBucketLifecycleConfiguration", "GetLifecycleConfiguration"),
    ("GetBucketNotificationConfiguration", "GetBucketNotification"),
    ("GetObjectLockConfiguration", "GetBucketObjectLockConfiguration"),
    ("GetPublicAccessBlock", "GetBucketPublicAccessBlock"),
    ("GetBucketReplication", "GetReplicationConfiguration"),
    ("GetBucketAnalyticsConfiguration", "GetAnalyticsConfiguration"),
    (
        "GetBucketIntelligentTieringConfiguration",
        "GetIntelligentTieringConfiguration",
    ),
    ("GetBucketInventoryConfiguration", "GetInventoryConfiguration"),
    ("GetBucketMetricsConfiguration", "GetMetricsConfiguration"),
    ("PutBucketAccelerateConfiguration", "PutAccelerateConfiguration"),
    ("PutBucketCors", "PutBucketCORS"),
    ("PutBucketEncryption", "PutEncryptionConfiguration"),
    ("PutBucketLifecycleConfiguration", "PutLifecycleConfiguration"),
    ("PutBucketNotificationConfiguration", "PutBucketNotification"),
    ("PutObjectLockConfiguration", "PutBucketObjectLockConfiguration"),
    ("PutPublicAccessBlock", "PutBucketPublicAccessBlock"),
    ("PutBucketReplication", "PutReplicationConfiguration"),
    ("PutBucketAnalyticsConfiguration", "PutAnalyticsConfiguration"),
    (
        "PutBucketIntelligentTieringConfiguration",
        "PutIntelligentTieringConfiguration",
    ),
    ("PutBucketInventoryConfiguration", "PutInventoryConfiguration"),
    ("PutBucketMetricsConfiguration", "PutMetricsConfiguration"),
    ("DeleteObjects", "DeleteObject"),
    ("DeleteBucketTagging", "PutBucketTagging"),
    ("DeleteBucketCors", "PutBucketCORS"),
    ("DeleteBucketEncryption", "PutEncryptionConfiguration"),
    ("DeleteBucketLifecycle", "PutLifecycleConfiguration"),
    ("DeleteBucketOwnershipControls", "PutBucketOwnershipControls"),
    ("DeletePublicAccessBlock", "PutBucketPublicAccessBlock"),
    ("DeleteBucketReplication", "PutReplicationConfiguration"),
    ("DeleteBucketAnalyticsConfiguration", "PutAnalyticsConfiguration"),
    (
        "DeleteBucketIntelligentTieringConfiguration",
        "PutIntelligentTieringConfiguration",
    ),
    ("DeleteBucketInventoryConfiguration", "PutInventoryConfiguration"),
    ("DeleteBucketMetricsConfiguration", "PutMetricsConfiguration"),
    ("GetObjectAttributes", "GetObject"),
    ("HeadObject", "GetObject"),
    ("ListParts", "ListMultipartUploadParts"),
    ("CopyObject", "GetObject"),
    ("UploadPartCopy", "GetObject"),
    ("UploadPart", "PutObject"),
    ("CreateMultipartUpload", "PutObject"),
    ("CompleteMultipartUpload", "PutObject"),
];

#[tokio::test]
async fn each_operation_of_s3_asks_for_the_action_that_aws_names() {
    let (doors, fixture) = doors().await;
    let mut wrong = Vec::new();
    for case in cases::all(&fixture) {
        let Some(name) = case.name.strip_prefix("s3 ") else {
            continue;
        };
        let answer = send(&doors, &case, Some(NOBODY)).await;
        let asked = answer.decided.first().map_or("", |first| &first.action);
        let other = ACTIONS_OF_S3.iter().find(|(of, _)| *of == name);
        let action = format!("s3:{}", other.map_or(name, |(_, action)| action));
        if action != asked && answer.status != StatusCode::NOT_IMPLEMENTED {
            wrong.push(format!("{name} asks for {asked}"));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[tokio::test]
async fn what_names_a_version_asks_for_the_action_on_versions() {
    let doors = with_states("").await;
    for (method, query, action) in [
        (Method::GET, "", "s3:GetObjectVersion"),
        (Method::HEAD, "", "s3:GetObjectVersion"),
        (Method::DELETE, "", "s3:DeleteObjectVersion"),
        (Method::GET, "tagging&", "s3:GetObjectVersionTagging"),
        (Method::PUT, "tagging&", "s3:PutObjectVersionTagging"),
        (Method::DELETE, "tagging&", "s3:DeleteObjectVersionTagging"),
        (Method::GET, "acl&", "s3:GetObjectVersionAcl"),
        (Method::PUT, "acl&", "s3:PutObjectVersionAcl"),
    ] {
        let case = s3(method, &format!("/vault/a/state?{query}versionId=x"), "");
        let answer = send(&doors, &case, Some(MEMBER)).await;
        let asked: Vec<&str> = answer.decided.iter().map(|one| one.action.as_str()).collect();
        assert_eq!(asked, [action], "{}", case.name);
        assert!(answer.is_refused(), "{}: {}", case.name, answer.status);
    }
}

#[tokio::test]
async fn headers_ask_for_what_they_do() {
    let member = statement("Allow", r#""s3:PutObject""#, "*");
    let doors = with_states(&member).await;
    for (header, value, action) in [
        ("x-amz-tagging", "a=b", "s3:PutObjectTagging"),
        ("x-amz-acl", "private", "s3:PutObjectAcl"),
        ("x-amz-grant-read", "id=x", "s3:PutObjectAcl"),
        ("x-amz-object-lock-legal-hold", "ON", "s3:PutObjectLegalHold"),
        ("x-amz-object-lock-mode", "GOVERNANCE", "s3:PutObjectRetention"),
    ] {
        for (method, uri) in [(Method::PUT, "/vault/c"), (Method::POST, "/vault/c?uploads")] {
            let case = case_of(Some("s3"), method, uri, vec![(header, value.to_owned())], "");
            let answer = send(&doors, &case, Some(MEMBER)).await;
            let last = answer.decided.last().map(|last| last.action.as_str());
            assert!(
                answer.is_refused() && last == Some(action),
                "{}: {last:?}",
                case.name
            );
        }
    }
}
