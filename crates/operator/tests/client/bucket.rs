//! A bucket's settings on the wire: what is asked, what goes out with which digest, what is told of what was never set.

use tidelock_operator::s3::{Encryption, PublicAccessBlock};

use crate::{
    error,
    stub::{Stub, answer, client},
};

#[tokio::test]
async fn a_bucket_is_made_with_its_region_unless_that_is_the_first() {
    let stub = Stub::start([answer(200, "", ""), answer(200, "", "")]);
    let client = client(&stub);
    client.create_bucket("tfstate", "us-east-1").await.unwrap();
    client.create_bucket("tfstate", "eu-central-1").await.unwrap();
    let asked = stub.asked();
    assert_eq!(asked[0].line, "PUT /tfstate HTTP/1.1");
    assert_eq!(asked[0].body, b"");
    let body = String::from_utf8(asked[1].body.clone()).unwrap();
    assert_eq!(
        body,
        "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
         <LocationConstraint>eu-central-1</LocationConstraint></CreateBucketConfiguration>"
    );
}

#[tokio::test]
async fn what_was_never_set_is_none_and_any_other_refusal_is_an_error() {
    let stub = Stub::start([
        error(404, "ServerSideEncryptionConfigurationNotFoundError"),
        error(404, "NoSuchPublicAccessBlockConfiguration"),
        error(404, "NoSuchBucketPolicy"),
        error(404, "NoSuchLifecycleConfiguration"),
        error(404, "NoSuchTagSet"),
        error(404, "OwnershipControlsNotFoundError"),
        error(404, "NoSuchBucket"),
        error(403, "AccessDenied"),
    ]);
    let client = client(&stub);
    assert_eq!(client.get_bucket_encryption("b").await.unwrap(), None);
    assert_eq!(client.get_public_access_block("b").await.unwrap(), None);
    assert_eq!(client.get_bucket_policy("b").await.unwrap(), None);
    assert_eq!(client.get_bucket_lifecycle("b").await.unwrap(), None);
    assert!(client.get_bucket_tagging("b").await.unwrap().is_empty());
    assert_eq!(client.get_bucket_ownership("b").await.unwrap(), None);
    let missing = client.get_bucket_encryption("b").await.unwrap_err();
    assert_eq!(missing.code(), Some("NoSuchBucket"));
    let denied = client.get_bucket_policy("b").await.unwrap_err();
    assert_eq!(
        denied.to_string(),
        "GetBucketPolicy s3://b: AccessDenied: said so"
    );
    let lines: Vec<String> = stub.asked().into_iter().map(|asked| asked.line).collect();
    assert_eq!(lines[1], "GET /b?publicAccessBlock= HTTP/1.1");
    assert_eq!(lines[5], "GET /b?ownershipControls= HTTP/1.1");
}

#[tokio::test]
async fn a_setting_is_written_with_its_digest() {
    let stub = Stub::start([answer(200, "", ""), answer(200, "", "")]);
    let client = client(&stub);
    client
        .put_public_access_block("b", PublicAccessBlock::ALL)
        .await
        .unwrap();
    client
        .put_bucket_encryption("b", &Encryption::with(Some("alias/tf")))
        .await
        .unwrap();
    let asked = stub.asked();
    assert_eq!(asked[0].line, "PUT /b?publicAccessBlock= HTTP/1.1");
    assert_eq!(asked[0].header("content-md5").len(), 24);
    let body = String::from_utf8(asked[1].body.clone()).unwrap();
    assert!(
        body.contains("<KMSMasterKeyID>alias/tf</KMSMasterKeyID>")
            && body.contains("<BucketKeyEnabled>true</BucketKeyEnabled>"),
        "{body}"
    );
}

#[tokio::test]
async fn rules_go_back_with_the_size_below_which_objects_do_not_move() {
    let rules =
        "<LifecycleConfiguration><Rule><ID>a</ID><Status>Enabled</Status></Rule></LifecycleConfiguration>";
    let size = "x-amz-transition-default-minimum-object-size: varies_by_storage_class\r\n";
    let stub = Stub::start([answer(200, size, rules), answer(200, "", "")]);
    let client = client(&stub);
    let found = client.get_bucket_lifecycle("b").await.unwrap().unwrap();
    client.put_bucket_lifecycle("b", &found).await.unwrap();
    let sent = stub.asked().remove(1);
    assert_eq!(
        sent.header("x-amz-transition-default-minimum-object-size"),
        "varies_by_storage_class"
    );
}
