//! Buckets and the parts of their configuration.

use crate::server::Server;

#[tokio::test]
async fn a_bucket_is_made_found_and_removed() {
    let server = Server::new();
    let made = server.put("/tfstate").body(
        "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><LocationConstraint>eu-central-1</LocationConstraint></CreateBucketConfiguration>",
    );
    assert_eq!(made.ok().await.header("location"), "/tfstate");
    server
        .put("/tfstate")
        .refused(409, "BucketAlreadyOwnedByYou")
        .await;
    assert_eq!(
        server.head("/tfstate").ok().await.header("x-amz-bucket-region"),
        "eu-central-1"
    );
    let location = server.get("/tfstate?location").ok().await;
    assert!(
        location.text().ends_with(">eu-central-1</LocationConstraint>"),
        "{}",
        location.text()
    );
    let all = server.get("/").ok().await;
    assert_eq!(all.elements("Name"), ["tfstate"]);
    server.put("/tfstate/k").body("1").ok().await;
    server.delete("/tfstate").refused(409, "BucketNotEmpty").await;
    server.delete("/tfstate/k").ok().await;
    assert_eq!(server.delete("/tfstate").ok().await.status.as_u16(), 204);
    server
        .get("/tfstate?list-type=2")
        .refused(404, "NoSuchBucket")
        .await;
    server.delete("/tfstate").refused(404, "NoSuchBucket").await;
}

#[tokio::test]
async fn names_that_s3_would_not_take_are_refused() {
    let server = Server::new();
    for name in ["ab", "UPPER", "a..b", "192.168.0.1", "a_b"] {
        server
            .put(&format!("/{name}"))
            .refused(400, "InvalidBucketName")
            .await;
    }
    server
        .put("/a-bucket")
        .header("x-amz-bucket-object-lock-enabled", "true")
        .refused(501, "NotImplemented")
        .await;
    server.head("/a-bucket").refused(404, "").await;
}

#[tokio::test]
async fn versioning_is_off_on_or_suspended() {
    let server = Server::with_bucket("tfstate").await;
    assert_eq!(
        server.get("/tfstate?versioning").ok().await.element("Status"),
        None
    );
    for status in ["Enabled", "Suspended"] {
        server.set_versioning("tfstate", status).await;
        assert_eq!(
            server.get("/tfstate?versioning").ok().await.element("Status"),
            Some(status)
        );
    }
    let put = |body: &'static str| server.put("/tfstate?versioning").body(body);
    put("<VersioningConfiguration><Status>On</Status></VersioningConfiguration>")
        .refused(400, "MalformedXML")
        .await;
    put("<VersioningConfiguration/>")
        .refused(400, "IllegalVersioningConfigurationException")
        .await;
}

#[tokio::test]
async fn what_was_never_set_says_so_as_s3_does() {
    let server = Server::with_bucket("tfstate").await;
    for (query, code) in [
        ("cors", "NoSuchCORSConfiguration"),
        ("encryption", "ServerSideEncryptionConfigurationNotFoundError"),
        ("lifecycle", "NoSuchLifecycleConfiguration"),
        ("object-lock", "ObjectLockConfigurationNotFoundError"),
        ("ownershipControls", "OwnershipControlsNotFoundError"),
        ("policy", "NoSuchBucketPolicy"),
        ("policyStatus", "NoSuchBucketPolicy"),
        ("publicAccessBlock", "NoSuchPublicAccessBlockConfiguration"),
        ("replication", "ReplicationConfigurationNotFoundError"),
        ("tagging", "NoSuchTagSet"),
        ("website", "NoSuchWebsiteConfiguration"),
    ] {
        server.get(&format!("/tfstate?{query}")).refused(404, code).await;
        server
            .get(&format!("/none?{query}"))
            .refused(404, "NoSuchBucket")
            .await;
    }
    for (query, root) in [
        ("accelerate", "AccelerateConfiguration"),
        ("acl", "AccessControlPolicy"),
        ("logging", "BucketLoggingStatus"),
        ("notification", "NotificationConfiguration"),
        ("requestPayment", "RequestPaymentConfiguration"),
        ("versioning", "VersioningConfiguration"),
    ] {
        let get = server.get(&format!("/tfstate?{query}")).ok().await;
        assert!(get.text().contains(&format!("<{root} xmlns=")), "{}", get.text());
    }
    for query in ["analytics", "intelligent-tiering", "inventory", "metrics"] {
        let all = server.get(&format!("/tfstate?{query}")).ok().await;
        assert_eq!(all.element("IsTruncated"), Some("false"));
        let one = server.get(&format!("/tfstate?{query}&id=x"));
        one.refused(404, "NoSuchConfiguration").await;
    }
    assert_eq!(
        server.get("/tfstate?requestPayment").ok().await.element("Payer"),
        Some("BucketOwner")
    );
    assert_eq!(
        server.get("/tfstate?acl").ok().await.element("Permission"),
        Some("FULL_CONTROL")
    );
}

#[tokio::test]
async fn what_asks_nothing_of_the_server_is_kept() {
    let server = Server::with_bucket("tfstate").await;
    for (query, root, inner) in [
        (
            "tagging",
            "Tagging",
            "<TagSet><Tag><Key>a &amp; b</Key><Value>c</Value></Tag></TagSet>",
        ),
        (
            "encryption",
            "ServerSideEncryptionConfiguration",
            "<Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule>",
        ),
        (
            "ownershipControls",
            "OwnershipControls",
            "<Rule><ObjectOwnership>BucketOwnerPreferred</ObjectOwnership></Rule>",
        ),
        (
            "publicAccessBlock",
            "PublicAccessBlockConfiguration",
            "<BlockPublicAcls>true</BlockPublicAcls><RestrictPublicBuckets>true</RestrictPublicBuckets>",
        ),
    ] {
        let path = format!("/tfstate?{query}");
        server
            .put(&path)
            .body(format!("<{root}>{inner}</{root}>"))
            .ok()
            .await;
        let get = server.get(&path).ok().await;
        assert!(get.text().contains(inner), "{}", get.text());
        assert_eq!(server.delete(&path).ok().await.status.as_u16(), 204);
        assert_eq!(server.get(&path).send().await.status.as_u16(), 404);
        server
            .put(&path)
            .body(format!("<{root}/>"))
            .refused(400, "MalformedXML")
            .await;
    }
    server
        .put("/tfstate?acl")
        .header("x-amz-acl", "private")
        .ok()
        .await;
    let open = server.put("/tfstate?acl").header("x-amz-acl", "public-read");
    open.refused(400, "AccessControlListNotSupported").await;
    let acl = server.get("/tfstate?acl").ok().await;
    server.put("/tfstate?acl").body(acl.body.clone()).ok().await;
    let stranger = acl.text().replace(acl.element("ID").unwrap(), "somebody-else");
    server
        .put("/tfstate?acl")
        .body(stranger)
        .refused(400, "AccessControlListNotSupported")
        .await;
}

#[tokio::test]
async fn what_would_have_to_be_enforced_is_refused() {
    let server = Server::with_bucket("tfstate").await;
    for query in [
        "policy",
        "lifecycle",
        "object-lock",
        "replication",
        "cors",
        "website",
    ] {
        let put = server.put(&format!("/tfstate?{query}")).body("<A/>");
        let refused = put.refused(501, "NotImplemented").await;
        assert!(
            refused.element("Message").unwrap().contains("does not implement"),
            "{}",
            refused.text()
        );
    }
    let logging = |inner: &str| {
        let xml = format!("<BucketLoggingStatus>{inner}</BucketLoggingStatus>");
        server.put("/tfstate?logging").body(xml)
    };
    logging("").ok().await;
    logging("<LoggingEnabled/>").refused(501, "NotImplemented").await;
}

#[tokio::test]
async fn the_account_must_be_the_one_expected() {
    let server = Server::with_bucket("tfstate").await;
    let expect = |owner: &str| {
        server
            .get("/tfstate?location")
            .header("x-amz-expected-bucket-owner", owner)
    };
    expect(crate::server::ACCOUNT).ok().await;
    expect("999999999999").refused(403, "AccessDenied").await;
}
