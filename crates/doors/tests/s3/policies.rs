//! Bucket policies: what is taken, what is shown, what is refused.

use crate::server::Server;

fn policy(effect: &str, principal: &str, resource: &str, condition: &str) -> String {
    format!(
        "{{ \"Version\": \"2012-10-17\",\n \"Statement\": [ {{ \"Effect\": \"{effect}\", \"Principal\": {principal}, \
         \"Action\": \"s3:GetObject\", \"Resource\": \"{resource}\"{condition} }} ] }}"
    )
}

const OBJECTS: &str = "arn:aws:s3:::tfstate/*";
const SOMEBODY: &str = r#"{"AWS": "arn:aws:iam::555555555555:role/reader"}"#;

#[tokio::test]
async fn a_policy_comes_back_byte_for_byte() {
    let server = Server::with_bucket("tfstate").await;
    let text = policy("Allow", SOMEBODY, OBJECTS, "");
    let put = server.put("/tfstate?policy").body(text.clone()).ok().await;
    assert_eq!(put.status.as_u16(), 204);
    let get = server.get("/tfstate?policy").ok().await;
    assert_eq!(get.text(), text);
    assert_eq!(get.header("content-type"), "application/json");
    let status = server.get("/tfstate?policyStatus").ok().await;
    assert_eq!(status.element("IsPublic"), Some("false"));
    assert_eq!(server.delete("/tfstate?policy").ok().await.status.as_u16(), 204);
    for query in ["policy", "policyStatus"] {
        let gone = server.get(&format!("/tfstate?{query}"));
        gone.refused(404, "NoSuchBucketPolicy").await;
    }
}

#[tokio::test]
async fn a_policy_that_cannot_be_meant_is_refused() {
    let server = Server::with_bucket("tfstate").await;
    let long = format!(", \"Sid\": \"{}\"", "x".repeat(20 * 1_024));
    for (text, words) in [
        ("not JSON".to_owned(), ""),
        ("{}".to_owned(), ""),
        (policy("Maybe", SOMEBODY, OBJECTS, ""), ""),
        (policy("Allow", SOMEBODY, "*", ""), "invalid resource"),
        (
            policy("Allow", SOMEBODY, "arn:aws:s3:::*", ""),
            "invalid resource",
        ),
        (
            policy("Allow", SOMEBODY, "arn:aws:s3:::tfstates/*", ""),
            "invalid resource",
        ),
        (
            policy("Allow", SOMEBODY, "arn:aws:s3:::other/*", ""),
            "invalid resource",
        ),
        (
            policy("Allow", SOMEBODY, OBJECTS, &long),
            "maximum allowed document size",
        ),
        (
            policy(
                "Allow",
                r#"{"AWS": "arn:aws:iam::000000000000:user/nobody"}"#,
                OBJECTS,
                "",
            ),
            "Invalid principal in policy",
        ),
        (
            policy(
                "Allow",
                r#"{"AWS": ["arn:aws:iam::000000000000:role/nobody"]}"#,
                OBJECTS,
                "",
            ),
            "Invalid principal in policy",
        ),
    ] {
        let put = server.put("/tfstate?policy").body(text);
        let refused = put.refused(400, "MalformedPolicy").await;
        assert!(refused.text().contains(words), "{}", refused.text());
    }
    server
        .get("/tfstate?policy")
        .refused(404, "NoSuchBucketPolicy")
        .await;
    for principal in [
        r#"{"AWS": "arn:aws:iam::000000000000:root"}"#,
        r#"{"AWS": "arn:aws:iam::000000000000:user/tidelock"}"#,
        r#"{"AWS": "000000000000"}"#,
    ] {
        let put = server
            .put("/tfstate?policy")
            .body(policy("Allow", principal, OBJECTS, ""));
        put.ok().await;
    }
}

#[tokio::test]
async fn a_public_policy_is_refused_where_those_are_blocked() {
    let server = Server::with_bucket("tfstate").await;
    let everyone = policy("Allow", "\"*\"", OBJECTS, "");
    let put = |text: &str| server.put("/tfstate?policy").body(text.to_owned());
    let refused = put(&everyone).refused(403, "AccessDenied").await;
    assert!(refused.text().contains("BlockPublicPolicy"), "{}", refused.text());
    server
        .get("/tfstate?policy")
        .refused(404, "NoSuchBucketPolicy")
        .await;
    put(&policy("Deny", "\"*\"", OBJECTS, "")).ok().await;

    server.delete("/tfstate?publicAccessBlock").ok().await;
    put(&everyone).ok().await;
    let status = server.get("/tfstate?policyStatus").ok().await;
    assert_eq!(status.element("IsPublic"), Some("true"));
}
