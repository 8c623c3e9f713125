//! ListObjects in both versions.

use crate::server::Server;

async fn filled() -> Server {
    let server = Server::with_bucket("tfstate").await;
    for key in [
        "app",
        "env%3A/dev/app",
        "env%3A/dev/db",
        "env%3A/prod/app",
        "x%26%20y",
    ] {
        server.put(&format!("/tfstate/{key}")).body("1").ok().await;
    }
    server
}

#[tokio::test]
async fn workspaces_are_found_by_prefix() {
    let server = filled().await;
    let list = server
        .get("/tfstate?list-type=2&prefix=env%3A%2F&max-keys=1000")
        .ok()
        .await;
    assert_eq!(
        list.elements("Key"),
        ["env:/dev/app", "env:/dev/db", "env:/prod/app"]
    );
    assert_eq!(
        (list.element("KeyCount"), list.element("IsTruncated")),
        (Some("3"), Some("false"))
    );
    assert_eq!(
        list.element("ETag"),
        Some("&quot;c4ca4238a0b923820dcc509a6f75849b&quot;")
    );
    assert_eq!(
        (list.element("Size"), list.element("StorageClass")),
        (Some("1"), Some("STANDARD"))
    );
    assert!(list.element("LastModified").unwrap().ends_with('Z'));
    assert!(list.element("Owner").is_none());
    let list = server.get("/tfstate?prefix=env%3A%2F&delimiter=%2F").ok().await;
    assert_eq!(list.elements("Prefix"), ["env:/", "env:/dev/", "env:/prod/"]);
    assert!(list.elements("Key").is_empty());
}

#[tokio::test]
async fn pages_join_to_the_whole() {
    let server = filled().await;
    let whole = ["app", "env:/", "x&amp; y"];
    let mut path = "/tfstate?list-type=2&delimiter=%2F&max-keys=1".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = server.get(&path).ok().await;
        let prefixes = page.elements("CommonPrefixes").into_iter();
        seen.extend(page.elements("Key").into_iter().map(str::to_owned));
        seen.extend(prefixes.map(|text| text.replace("<Prefix>", "").replace("</Prefix>", "")));
        match page.element("NextContinuationToken") {
            Some(token) => {
                path = format!("/tfstate?list-type=2&delimiter=%2F&max-keys=1&continuation-token={token}")
            }
            None => break,
        }
    }
    assert_eq!(seen, whole);
    let first = server.get("/tfstate?delimiter=%2F&max-keys=2").ok().await;
    assert_eq!(first.element("NextMarker"), Some("env:/"));
    let second = server
        .get("/tfstate?delimiter=%2F&max-keys=2&marker=env%3A%2F")
        .ok()
        .await;
    assert_eq!(second.elements("Key"), ["x&amp; y"]);
    assert_eq!(second.element("NextMarker"), None);
}

#[tokio::test]
async fn keys_may_be_url_encoded_and_owners_told() {
    let server = filled().await;
    let list =
        server.get("/tfstate?list-type=2&encoding-type=url&start-after=env%3A%2Fprod&fetch-owner=true");
    let list = list.ok().await;
    assert_eq!(list.elements("Key"), ["env%3A/prod/app", "x%26%20y"]);
    assert_eq!(
        (list.element("EncodingType"), list.element("StartAfter")),
        (Some("url"), Some("env%3A/prod"))
    );
    assert_eq!(list.element("ID").unwrap().len(), 64);
}

#[tokio::test]
async fn odd_page_sizes_are_taken_as_s3_takes_them() {
    let server = filled().await;
    let none = server.get("/tfstate?list-type=2&max-keys=0").ok().await;
    assert_eq!(
        (none.element("KeyCount"), none.element("IsTruncated")),
        (Some("0"), Some("false"))
    );
    let all = server.get("/tfstate?list-type=2&max-keys=99999").ok().await;
    assert_eq!(all.element("MaxKeys"), Some("1000"));
    for query in [
        "max-keys=-1",
        "max-keys=x",
        "continuation-token=!",
        "encoding-type=rot13",
    ] {
        let list = server.get(&format!("/tfstate?list-type=2&{query}"));
        list.refused(400, "InvalidArgument").await;
    }
    server.get("/none?list-type=2").refused(404, "NoSuchBucket").await;
}
