//! Object Lock: which versions cannot be deleted, and what is said of it.

use crate::server::{Answer, Call, Server};

const LATER: &str = "2999-01-01T00:00:00.000Z";
const LATEST: &str = "2999-06-01T00:00:00.000Z";
const BYPASS: &str = "x-amz-bypass-governance-retention";

async fn locked() -> Server {
    let server = Server::new();
    server
        .put("/kept")
        .header("x-amz-bucket-object-lock-enabled", "true")
        .ok()
        .await;
    server
}

fn retained(server: &Server, mode: &str, until: &str) -> Call {
    server
        .put("/kept/a")
        .header("x-amz-object-lock-mode", mode)
        .header("x-amz-object-lock-retain-until-date", until)
        .body("1")
}

async fn version_of(put: Call) -> String {
    put.ok().await.header("x-amz-version-id").to_owned()
}

fn retention(server: &Server, version: &str, mode: &str, until: &str) -> Call {
    let xml = match mode {
        "" => "<Retention/>".to_owned(),
        mode => {
            format!("<Retention><Mode>{mode}</Mode><RetainUntilDate>{until}</RetainUntilDate></Retention>")
        }
    };
    server
        .put(&format!("/kept/a?retention&versionId={version}"))
        .body(xml)
}

fn delete(server: &Server, version: &str) -> Call {
    server.delete(&format!("/kept/a?versionId={version}"))
}

async fn denied(call: Call) -> Answer {
    let refused = call.refused(403, "AccessDenied").await;
    let words = "Access Denied because object protected by object lock.";
    assert_eq!(refused.element("Message"), Some(words));
    refused
}

#[tokio::test]
async fn a_bucket_with_object_lock_stays_versioned() {
    let server = locked().await;
    let versioning = server.get("/kept?versioning").ok().await;
    assert_eq!(versioning.element("Status"), Some("Enabled"));
    let lock = server.get("/kept?object-lock").ok().await;
    assert_eq!(lock.element("ObjectLockEnabled"), Some("Enabled"));
    assert_eq!(lock.element("DefaultRetention"), None);
    let suspend = "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>";
    let put = server.put("/kept?versioning").body(suspend);
    put.refused(409, "InvalidBucketState").await;
    server.set_versioning("kept", "Enabled").await;
}

#[tokio::test]
async fn a_versioned_bucket_can_be_given_object_lock_and_no_other() {
    let server = Server::with_bucket("kept").await;
    let enable = || {
        let xml = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>";
        server.put("/kept?object-lock").body(xml)
    };
    enable().refused(409, "InvalidBucketState").await;
    let said = retained(&server, "GOVERNANCE", LATER);
    let refused = said.refused(400, "InvalidRequest").await;
    assert_eq!(
        refused.element("Message"),
        Some("Bucket is missing Object Lock Configuration")
    );
    server.put("/kept/a").body("1").ok().await;
    for part in ["retention", "legal-hold"] {
        let get = server.get(&format!("/kept/a?{part}"));
        get.refused(400, "InvalidRequest").await;
    }
    server.set_versioning("kept", "Enabled").await;
    enable().ok().await;
    retained(&server, "GOVERNANCE", LATER).ok().await;
}

#[tokio::test]
async fn governance_can_be_ended_by_who_says_so() {
    let server = locked().await;
    let version = version_of(retained(&server, "GOVERNANCE", LATER)).await;
    let head = server.head("/kept/a").ok().await;
    assert_eq!(head.header("x-amz-object-lock-mode"), "GOVERNANCE");
    assert_eq!(head.header("x-amz-object-lock-retain-until-date"), LATER);
    denied(delete(&server, &version)).await;
    // To hide it is no deletion.
    let marker = server.delete("/kept/a").ok().await;
    delete(&server, marker.header("x-amz-version-id")).ok().await;

    retention(&server, &version, "GOVERNANCE", LATEST).ok().await;
    denied(retention(&server, &version, "GOVERNANCE", LATER)).await;
    denied(retention(&server, &version, "", "")).await;
    retention(&server, &version, "GOVERNANCE", LATER)
        .header(BYPASS, "true")
        .ok()
        .await;
    let get = server.get("/kept/a?retention").ok().await;
    assert_eq!(get.element("RetainUntilDate"), Some(LATER));
    let list = format!("<Delete><Object><Key>a</Key><VersionId>{version}</VersionId></Object></Delete>");
    let md5 = {
        use base64::Engine;
        use md5::Digest;
        base64::engine::general_purpose::STANDARD.encode(md5::Md5::digest(&list))
    };
    let batch = || {
        server
            .post("/kept?delete")
            .header("content-md5", &md5)
            .body(list.clone())
    };
    assert_eq!(batch().ok().await.element("Code"), Some("AccessDenied"));
    let deleted = batch().header(BYPASS, "true").ok().await;
    assert_eq!(deleted.element("Code"), None, "{}", deleted.text());
    server.get("/kept/a").refused(404, "NoSuchKey").await;
}

#[tokio::test]
async fn nobody_ends_compliance() {
    let server = locked().await;
    let version = version_of(retained(&server, "COMPLIANCE", LATER)).await;
    denied(delete(&server, &version).header(BYPASS, "true")).await;
    for (mode, until) in [
        ("COMPLIANCE", "2998-01-01T00:00:00Z"),
        ("GOVERNANCE", LATEST),
        ("", ""),
    ] {
        denied(retention(&server, &version, mode, until).header(BYPASS, "true")).await;
    }
    retention(&server, &version, "COMPLIANCE", LATEST).ok().await;
    server.delete("/kept").refused(409, "BucketNotEmpty").await;
}

#[tokio::test]
async fn a_legal_hold_holds_until_it_is_lifted() {
    let server = locked().await;
    let version = version_of(server.put("/kept/a").body("1")).await;
    let none = server.get("/kept/a?legal-hold");
    none.refused(404, "NoSuchObjectLockConfiguration").await;
    let none = server.get("/kept/a?retention");
    none.refused(404, "NoSuchObjectLockConfiguration").await;
    let hold = |status: &str| {
        let xml = format!("<LegalHold><Status>{status}</Status></LegalHold>");
        server
            .put(&format!("/kept/a?legal-hold&versionId={version}"))
            .body(xml)
    };
    hold("MAYBE").refused(400, "MalformedXML").await;
    hold("ON").ok().await;
    assert_eq!(
        server.get("/kept/a?legal-hold").ok().await.element("Status"),
        Some("ON")
    );
    assert_eq!(
        server
            .head("/kept/a")
            .ok()
            .await
            .header("x-amz-object-lock-legal-hold"),
        "ON"
    );
    // It moves behind another version and is found there.
    server.put("/kept/a").body("2").ok().await;
    denied(delete(&server, &version).header(BYPASS, "true")).await;
    hold("OFF").ok().await;
    delete(&server, &version).ok().await;
}

#[tokio::test]
async fn a_default_retention_is_what_a_write_gets_that_says_nothing() {
    let server = locked().await;
    let default = |inner: &str| {
        let xml = format!(
            "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>{inner}\
             </DefaultRetention></Rule></ObjectLockConfiguration>"
        );
        server.put("/kept?object-lock").body(xml)
    };
    for (inner, code) in [
        ("<Mode>GOVERNANCE</Mode>", "MalformedXML"),
        (
            "<Mode>GOVERNANCE</Mode><Days>1</Days><Years>1</Years>",
            "MalformedXML",
        ),
        ("<Mode>SOME</Mode><Days>1</Days>", "MalformedXML"),
        ("<Mode>GOVERNANCE</Mode><Days>0</Days>", "InvalidArgument"),
        ("<Mode>GOVERNANCE</Mode><Years>101</Years>", "InvalidArgument"),
    ] {
        default(inner).refused(400, code).await;
    }
    default("<Mode>COMPLIANCE</Mode><Days>3</Days>").ok().await;
    let shown = server.get("/kept?object-lock").ok().await;
    assert_eq!(
        (shown.element("Mode"), shown.element("Days")),
        (Some("COMPLIANCE"), Some("3"))
    );
    let version = version_of(server.put("/kept/a").body("1")).await;
    denied(delete(&server, &version)).await;
    let own = version_of(retained(&server, "GOVERNANCE", LATER)).await;
    delete(&server, &own).header(BYPASS, "true").ok().await;

    let upload = server.post("/kept/b?uploads").ok().await;
    let id = upload.element("UploadId").unwrap();
    let part = server
        .put(&format!("/kept/b?partNumber=1&uploadId={id}"))
        .body("1")
        .ok()
        .await;
    let list = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part></CompleteMultipartUpload>",
        part.header("etag").trim_matches('"')
    );
    server
        .post(&format!("/kept/b?uploadId={id}"))
        .body(list)
        .ok()
        .await;
    assert_eq!(
        server.head("/kept/b").ok().await.header("x-amz-object-lock-mode"),
        "COMPLIANCE"
    );
}

#[tokio::test]
async fn what_a_write_says_must_be_whole_and_in_the_future() {
    let server = locked().await;
    for (headers, words) in [
        (
            vec![("x-amz-object-lock-mode", "GOVERNANCE")],
            "must both be supplied",
        ),
        (
            vec![("x-amz-object-lock-retain-until-date", LATER)],
            "must both be supplied",
        ),
        (
            vec![("x-amz-object-lock-legal-hold", "YES")],
            "Legal Hold must be",
        ),
        (
            vec![
                ("x-amz-object-lock-mode", "SOME"),
                ("x-amz-object-lock-retain-until-date", LATER),
            ],
            "Unknown wormMode",
        ),
        (
            vec![
                ("x-amz-object-lock-mode", "GOVERNANCE"),
                ("x-amz-object-lock-retain-until-date", "2020-01-01T00:00:00Z"),
            ],
            "must be in the future",
        ),
    ] {
        let mut put = server.put("/kept/a").body("1");
        for (name, value) in headers {
            put = put.header(name, value);
        }
        let refused = put.refused(400, "InvalidArgument").await;
        assert!(refused.text().contains(words), "{}", refused.text());
    }
}
