//! Buckets and the parts of their configuration.

use crate::server::{ACCOUNT, OTHER_ACCOUNT, Server};

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
    for made_with in ["ownershipControls", "publicAccessBlock"] {
        server.delete(&format!("/tfstate?{made_with}")).ok().await;
    }
    for (query, code) in [
        ("cors", "NoSuchCORSConfiguration"),
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
async fn a_new_bucket_is_its_owners_alone_and_encrypted() {
    let server = Server::with_bucket("tfstate").await;
    let get = async |query: &str| server.get(&format!("/tfstate?{query}")).ok().await;
    let ownership = get("ownershipControls").await;
    assert_eq!(ownership.element("ObjectOwnership"), Some("BucketOwnerEnforced"));
    let block = get("publicAccessBlock").await;
    for what in [
        "BlockPublicAcls",
        "BlockPublicPolicy",
        "IgnorePublicAcls",
        "RestrictPublicBuckets",
    ] {
        assert_eq!(block.element(what), Some("true"), "{what}");
    }
    assert_eq!(get("encryption").await.element("SSEAlgorithm"), Some("AES256"));
    let put = server.put("/tfstate/a").body("1").ok().await;
    assert_eq!(put.header("x-amz-server-side-encryption"), "AES256");
    let head = server.head("/tfstate/a").ok().await;
    assert_eq!(head.header("x-amz-server-side-encryption"), "AES256");
    server
        .put("/others")
        .header("x-amz-object-ownership", "ObjectWriter")
        .ok()
        .await;
    let others = server.get("/others?ownershipControls").ok().await;
    assert_eq!(others.element("ObjectOwnership"), Some("ObjectWriter"));
}

#[tokio::test]
async fn what_is_kept_is_shown_and_removed() {
    let server = Server::with_bucket("tfstate").await;
    for (query, root, inner, unset) in [
        (
            "tagging",
            "Tagging",
            "<TagSet><Tag><Key>a &amp; b</Key><Value>c</Value></Tag></TagSet>",
            404,
        ),
        (
            "encryption",
            "ServerSideEncryptionConfiguration",
            "<Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>alias/x\
             </KMSMasterKeyID></ApplyServerSideEncryptionByDefault><BucketKeyEnabled>true</BucketKeyEnabled></Rule>",
            200,
        ),
        (
            "ownershipControls",
            "OwnershipControls",
            "<Rule><ObjectOwnership>BucketOwnerPreferred</ObjectOwnership></Rule>",
            404,
        ),
        (
            "publicAccessBlock",
            "PublicAccessBlockConfiguration",
            "<BlockPublicAcls>true</BlockPublicAcls><RestrictPublicBuckets>true</RestrictPublicBuckets>",
            404,
        ),
    ] {
        let path = format!("/tfstate?{query}");
        let put = server.put(&path).body(format!("<{root}>{inner}</{root}>"));
        put.ok().await;
        let get = server.get(&path).ok().await;
        assert!(get.text().contains(inner), "{}", get.text());
        assert_eq!(server.delete(&path).ok().await.status.as_u16(), 204);
        assert_eq!(server.get(&path).send().await.status.as_u16(), unset, "{query}");
        let empty = server.put(&path).body(format!("<{root}/>"));
        empty.refused(400, "MalformedXML").await;
    }
}

#[tokio::test]
async fn a_new_object_is_encrypted_as_its_bucket_says() {
    let server = Server::with_bucket("tfstate").await;
    let encrypt = |algorithm: &str, key: &str| {
        let xml = format!(
            "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>{algorithm}\
             </SSEAlgorithm>{key}</ApplyServerSideEncryptionByDefault><BucketKeyEnabled>true</BucketKeyEnabled></Rule>\
             </ServerSideEncryptionConfiguration>"
        );
        server.put("/tfstate?encryption").body(xml)
    };
    encrypt("AES256", "<KMSMasterKeyID>k</KMSMasterKeyID>")
        .refused(400, "InvalidArgument")
        .await;
    encrypt("ROT13", "").refused(400, "MalformedXML").await;
    let header = async |path: &str, name: &str| {
        let head = server.head(path).ok().await;
        head.header(&format!("x-amz-server-side-encryption{name}"))
            .to_owned()
    };
    encrypt("AES256", "").ok().await;
    server.put("/tfstate/plain").body("1").ok().await;
    assert_eq!(header("/tfstate/plain", "").await, "AES256");
    assert_eq!(header("/tfstate/plain", "-bucket-key-enabled").await, "");
    encrypt("aws:kms", "").ok().await;
    let shown = server.get("/tfstate?encryption").ok().await;
    assert_eq!(shown.element("SSEAlgorithm"), Some("aws:kms"));
    assert_eq!(shown.element("BucketKeyEnabled"), Some("true"));
}

#[tokio::test]
async fn access_control_lists_are_the_owners_or_the_log_deliverys() {
    let server = Server::with_bucket("tfstate").await;
    let canned = |list: &str| server.put("/tfstate?acl").header("x-amz-acl", list);
    let object = |list: &str| server.put("/tfstate/a").header("x-amz-acl", list).body("1");
    for list in ["private", "log-delivery-write", "bucket-owner-full-control"] {
        canned(list).refused(400, "AccessControlListNotSupported").await;
    }
    object("private")
        .refused(400, "AccessControlListNotSupported")
        .await;
    object("bucket-owner-full-control").ok().await;
    object("public-read").refused(403, "AccessDenied").await;

    let ownership = |rule: &str| {
        let xml = format!(
            "<OwnershipControls><Rule><ObjectOwnership>{rule}</ObjectOwnership></Rule></OwnershipControls>"
        );
        server.put("/tfstate?ownershipControls").body(xml)
    };
    ownership("BucketOwnerPreferred").ok().await;
    canned("private").ok().await;
    object("private").ok().await;
    canned("nonsense").refused(400, "InvalidArgument").await;
    canned("public-read").refused(403, "AccessDenied").await;
    server.delete("/tfstate?publicAccessBlock").ok().await;
    canned("public-read")
        .refused(400, "AccessControlListNotSupported")
        .await;
    let grant = server.put("/tfstate?acl").header("x-amz-grant-read", "id=1");
    grant.refused(400, "AccessControlListNotSupported").await;

    let acl = server.get("/tfstate?acl").ok().await;
    assert_eq!(acl.elements("Permission"), ["FULL_CONTROL"]);
    server.put("/tfstate?acl").body(acl.body.clone()).ok().await;
    let stranger = acl.text().replace(acl.element("ID").unwrap(), "somebody-else");
    let stranger = server.put("/tfstate?acl").body(stranger);
    stranger.refused(400, "AccessControlListNotSupported").await;

    canned("log-delivery-write").ok().await;
    let acl = server.get("/tfstate?acl").ok().await;
    assert_eq!(acl.elements("Permission"), ["FULL_CONTROL", "WRITE", "READ_ACP"]);
    server.put("/tfstate?acl").body(acl.body.clone()).ok().await;
    ownership("BucketOwnerEnforced")
        .refused(400, "InvalidBucketAclWithObjectOwnership")
        .await;
    canned("private").ok().await;
    ownership("BucketOwnerEnforced").ok().await;
    server
        .put("/others")
        .header("x-amz-acl", "log-delivery-write")
        .refused(400, "InvalidBucketAclWithObjectOwnership")
        .await;
}

#[tokio::test]
async fn what_is_not_done_is_refused() {
    let server = Server::with_bucket("tfstate").await;
    for query in ["replication", "cors", "website"] {
        let put = server.put(&format!("/tfstate?{query}")).body("<A/>");
        let refused = put.refused(501, "NotImplemented").await;
        let message = refused.element("Message").unwrap();
        assert!(message.contains("does not implement"), "{message}");
    }
    for (query, same, other) in [
        (
            "accelerate",
            "<AccelerateConfiguration><Status>Suspended</Status></AccelerateConfiguration>",
            "<AccelerateConfiguration><Status>Enabled</Status></AccelerateConfiguration>",
        ),
        (
            "requestPayment",
            "<RequestPaymentConfiguration><Payer>BucketOwner</Payer></RequestPaymentConfiguration>",
            "<RequestPaymentConfiguration><Payer>Requester</Payer></RequestPaymentConfiguration>",
        ),
        (
            "notification",
            "<NotificationConfiguration/>",
            "<NotificationConfiguration><EventBridgeConfiguration/></NotificationConfiguration>",
        ),
    ] {
        let path = format!("/tfstate?{query}");
        server.put(&path).body(same).ok().await;
        server.put(&path).body(other).refused(501, "NotImplemented").await;
    }
}

#[tokio::test]
async fn the_account_must_be_the_one_expected() {
    let server = Server::with_bucket("tfstate").await;
    server.put("/elsewhere").of_other_account().ok().await;
    let expect = |bucket: &str, owner: &str| {
        server
            .get(&format!("/{bucket}?location"))
            .header("x-amz-expected-bucket-owner", owner)
    };
    expect("tfstate", ACCOUNT).ok().await;
    expect("tfstate", OTHER_ACCOUNT)
        .refused(403, "AccessDenied")
        .await;
    expect("elsewhere", ACCOUNT).refused(403, "AccessDenied").await;
    expect("none", OTHER_ACCOUNT).refused(404, "NoSuchBucket").await;
    server.put("/tfstate/a").body("1").ok().await;
    let copy = |source: &str| {
        server
            .put("/tfstate/b")
            .header("x-amz-copy-source", "tfstate/a")
            .header("x-amz-expected-bucket-owner", ACCOUNT)
            .header("x-amz-source-expected-bucket-owner", source)
    };
    copy(OTHER_ACCOUNT).refused(403, "AccessDenied").await;
    copy(ACCOUNT).ok().await;
}

#[tokio::test]
async fn a_bucket_belongs_to_the_account_that_made_it() {
    let server = Server::with_bucket("tfstate").await;
    server
        .put("/tfstate")
        .of_other_account()
        .refused(409, "BucketAlreadyExists")
        .await;
    server.put("/elsewhere").of_other_account().ok().await;
    let mine = server.get("/").ok().await;
    assert_eq!(mine.elements("Name"), ["tfstate"]);
    assert_eq!(mine.element("DisplayName"), Some(ACCOUNT));
    let theirs = server.get("/").of_other_account().ok().await;
    assert_eq!(theirs.elements("Name"), ["elsewhere"]);
    assert_eq!(theirs.element("DisplayName"), Some(OTHER_ACCOUNT));
    assert_ne!(mine.element("ID"), theirs.element("ID"));
    server.put("/elsewhere/a").of_other_account().body("1").ok().await;
    for query in ["acl", "versions", "list-type=2&fetch-owner=true", "prefix=a"] {
        let shown = server
            .get(&format!("/elsewhere?{query}"))
            .of_other_account()
            .ok()
            .await;
        assert_eq!(shown.element("ID"), theirs.element("ID"), "{query}");
    }
}

#[tokio::test]
async fn a_new_bucket_has_the_tags_that_it_was_made_with() {
    let server = Server::new();
    let made = |tags: &str| {
        let xml = format!("<CreateBucketConfiguration><Tags>{tags}</Tags></CreateBucketConfiguration>");
        server.put("/tagged").body(xml)
    };
    let tag = "<Tag><Key>team</Key><Value>a &amp; b</Value></Tag>";
    made(&format!("{tag}{tag}")).refused(400, "InvalidTag").await;
    server.get("/tagged?tagging").refused(404, "NoSuchBucket").await;
    made(tag).ok().await;
    let tags = server.get("/tagged?tagging").ok().await;
    assert!(
        tags.text().contains(&format!("<TagSet>{tag}</TagSet>")),
        "{}",
        tags.text()
    );
}
