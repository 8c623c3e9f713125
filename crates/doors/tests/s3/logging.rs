//! Access logs: a request to a bucket becomes a line in another one.

use crate::server::Server;

fn logging(server: &Server, inner: &str) -> crate::server::Call {
    let xml = format!("<BucketLoggingStatus>{inner}</BucketLoggingStatus>");
    server.put("/tfstate?logging").body(xml)
}

fn into(bucket: &str) -> String {
    format!(
        "<LoggingEnabled><TargetBucket>{bucket}</TargetBucket><TargetPrefix>access/</TargetPrefix></LoggingEnabled>"
    )
}

#[tokio::test]
async fn requests_become_lines_of_the_target() {
    let server = Server::with_bucket("tfstate").await;
    server.put("/logs").ok().await;
    logging(&server, &into("logs")).ok().await;
    let shown = server.get("/tfstate?logging").ok().await;
    assert_eq!(shown.element("TargetBucket"), Some("logs"));
    assert_eq!(shown.element("TargetPrefix"), Some("access/"));
    server.put("/tfstate/a%20b").body("1").ok().await;
    server.get("/tfstate/none").refused(404, "NoSuchKey").await;
    server
        .get("/tfstate/a%20b?response-expires=x")
        .presigned()
        .ok()
        .await;
    server.deliver_access_logs().await;
    let list = server.get("/logs?list-type=2&prefix=access/").ok().await;
    let [key] = list.elements("Key")[..] else {
        panic!("{}", list.text());
    };
    let log = server.get(&format!("/logs/{key}")).ok().await;
    let line = |what: &str| {
        let found = log.text().lines().find(|line| line.contains(what));
        found
            .unwrap_or_else(|| panic!("{what}: {}", log.text()))
            .to_owned()
    };
    let put = line(" REST.PUT.OBJECT a%20b ");
    assert!(put.contains(" tfstate [") && put.contains(" 200 - "), "{put}");
    assert!(put.contains("\"PUT /tfstate/a%20b HTTP/1.1\""), "{put}");
    assert!(line(" REST.GET.OBJECT none ").contains(" 404 NoSuchKey "));
    let presigned = line("response-expires");
    assert!(!presigned.to_lowercase().contains("signature="), "{presigned}");
    assert!(presigned.contains(" QueryString "), "{presigned}");

    logging(&server, "").ok().await;
    let shown = server.get("/tfstate?logging").ok().await;
    assert_eq!(shown.element("TargetBucket"), None);
}

#[tokio::test]
async fn a_target_that_cannot_take_logs_is_refused() {
    let server = Server::with_bucket("tfstate").await;
    server.put("/elsewhere").of_other_account().ok().await;
    for target in ["none", "elsewhere"] {
        let put = logging(&server, &into(target));
        put.refused(400, "InvalidTargetBucketForLogging").await;
    }
    for inner in ["<LoggingEnabled/>", "<Other/>"] {
        logging(&server, inner).refused(400, "MalformedXML").await;
    }
    let grants = into("tfstate").replace("</LoggingEnabled>", "<TargetGrants/></LoggingEnabled>");
    logging(&server, &grants).refused(501, "NotImplemented").await;
}
