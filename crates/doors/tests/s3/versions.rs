//! Versions: IDs, delete markers, suspension, listing.

use crate::server::Server;

#[tokio::test]
async fn every_write_is_a_version_that_can_be_read() {
    let server = Server::with_versions("tfstate").await;
    let first = server.put("/tfstate/k").body("1").ok().await;
    let second = server.put("/tfstate/k").body("22").ok().await;
    let [one, two] = [&first, &second].map(|put| put.header("x-amz-version-id").to_owned());
    assert_ne!(one, two);
    assert_eq!(
        server.get("/tfstate/k").ok().await.header("x-amz-version-id"),
        two
    );
    let get = server.get(&format!("/tfstate/k?versionId={one}")).ok().await;
    assert_eq!((get.text(), get.header("x-amz-version-id")), ("1", one.as_str()));
    server
        .get("/tfstate/k?versionId=nonsense")
        .refused(404, "NoSuchVersion")
        .await;
    let copy = server.put("/tfstate/k");
    let copy = copy
        .header("x-amz-copy-source", format!("tfstate/k?versionId={one}"))
        .ok()
        .await;
    assert_eq!(copy.header("x-amz-copy-source-version-id"), one);
    assert_eq!(server.get("/tfstate/k").ok().await.text(), "1");
}

#[tokio::test]
async fn a_delete_hides_and_deleting_the_marker_brings_back() {
    let server = Server::with_versions("tfstate").await;
    let put = server.put("/tfstate/k").body("1").ok().await;
    let delete = server.delete("/tfstate/k").ok().await;
    assert_eq!(
        (delete.status.as_u16(), delete.header("x-amz-delete-marker")),
        (204, "true")
    );
    let marker = delete.header("x-amz-version-id").to_owned();
    let hidden = server.get("/tfstate/k").refused(404, "NoSuchKey").await;
    assert_eq!(hidden.header("x-amz-delete-marker"), "true");
    assert_eq!(hidden.header("x-amz-version-id"), marker);
    let named = server.get(&format!("/tfstate/k?versionId={marker}"));
    let named = named.refused(405, "MethodNotAllowed").await;
    assert_eq!(named.header("allow"), "DELETE");
    server
        .put("/tfstate/k")
        .header("if-none-match", "*")
        .body("2")
        .ok()
        .await;
    let listed = server.get("/tfstate?versions").ok().await;
    assert_eq!(
        (
            listed.elements("Version").len(),
            listed.elements("DeleteMarker").len()
        ),
        (2, 1)
    );
    let gone = server
        .delete(&format!("/tfstate/k?versionId={marker}"))
        .ok()
        .await;
    assert_eq!(gone.header("x-amz-delete-marker"), "true");
    let id = put.header("x-amz-version-id");
    let gone = server.delete(&format!("/tfstate/k?versionId={id}")).ok().await;
    assert_eq!(
        (
            gone.header("x-amz-delete-marker"),
            gone.header("x-amz-version-id")
        ),
        ("", id)
    );
    server
        .get(&format!("/tfstate/k?versionId={id}"))
        .refused(404, "NoSuchVersion")
        .await;
}

#[tokio::test]
async fn suspension_writes_the_null_version() {
    let server = Server::with_bucket("tfstate").await;
    server.put("/tfstate/k").body("0").ok().await;
    server.set_versioning("tfstate", "Enabled").await;
    let kept = server.put("/tfstate/k").body("1").ok().await;
    server.set_versioning("tfstate", "Suspended").await;
    let put = server.put("/tfstate/k").body("2").ok().await;
    assert_eq!(put.header("x-amz-version-id"), "null");
    let listed = server.get("/tfstate?versions").ok().await;
    assert_eq!(
        listed.elements("VersionId"),
        ["null", kept.header("x-amz-version-id")]
    );
    assert_eq!(server.get("/tfstate/k?versionId=null").ok().await.text(), "2");
}

#[tokio::test]
async fn versions_are_listed_page_by_page() {
    let server = Server::with_versions("tfstate").await;
    for key in ["a/x", "a/x", "a/y", "b"] {
        server.put(&format!("/tfstate/{key}")).body("1").ok().await;
    }
    let mut path = "/tfstate?versions&max-keys=1".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = server.get(&path).ok().await;
        assert_eq!(page.element("MaxKeys"), Some("1"));
        seen.extend(page.elements("Key").into_iter().map(str::to_owned));
        if page.element("IsTruncated") == Some("false") {
            break;
        }
        let key = page.element("NextKeyMarker").unwrap();
        let id = page.element("NextVersionIdMarker").unwrap();
        path = format!("/tfstate?versions&max-keys=1&key-marker={key}&version-id-marker={id}");
    }
    assert_eq!(seen, ["a/x", "a/x", "a/y", "b"]);
    let folded = server.get("/tfstate?versions&delimiter=%2F").ok().await;
    assert_eq!(folded.elements("Prefix"), ["", "a/"]);
    assert_eq!(folded.elements("Key"), ["b"]);
    let alone = server.get("/tfstate?versions&version-id-marker=x");
    alone.refused(400, "InvalidArgument").await;
}
