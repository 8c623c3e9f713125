//! What a deleted bucket leaves behind stays its account's.

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::server::{Answer, OTHER, Pair, Server, allows};
use tidelock_core::iam::DEFAULT_ACCOUNT;

const BUCKET: (&str, &str) = ("PUT", "/states");

async fn s3(server: &Server, pair: &Pair, request: (&str, &str), body: &str) -> Answer {
    server.send(Some(pair), "s3", request, &[], body.to_owned()).await
}

async fn admin(server: &Server, pair: &Pair, path: &str) -> u16 {
    let secret = STANDARD.encode(format!("{}:{}", pair.id, pair.secret));
    let headers = [("authorization", &*format!("Basic {secret}"))];
    let answer = server.send(None, "", ("GET", path), &headers, String::new());
    answer.await.status
}

#[tokio::test]
async fn the_history_of_a_deleted_bucket_is_no_other_accounts_with_its_name_or_without() {
    for (owner, stranger) in [(DEFAULT_ACCOUNT, OTHER), (OTHER, DEFAULT_ACCOUNT)] {
        let server = Server::start().await;
        let ann = server.user(owner, "ann", allows("*")).await;
        let eve = server.user(stranger, "eve", allows("*")).await;
        let state = r#"{"version":4,"serial":1,"lineage":"l","outputs":{},"resources":[]}"#;
        for (method, path, body) in [
            (BUCKET.0, BUCKET.1, ""),
            ("PUT", "/states/k", state),
            ("DELETE", "/states/k", ""),
            ("DELETE", "/states", ""),
        ] {
            let done = s3(&server, &ann, (method, path), body).await;
            assert!(done.status < 300, "{}", done.text);
        }
        let kept = ["/admin/history/states/k", "/admin/body/states/k?version=1"];
        for path in kept {
            assert_eq!(admin(&server, &eve, path).await, 403, "{path}");
            assert_eq!(admin(&server, &ann, path).await, 200, "{path}");
        }
        let missing = s3(&server, &eve, ("GET", "/states/k"), "").await;
        missing.refused(404, "NoSuchBucket");
        let taken = s3(&server, &eve, BUCKET, "").await;
        taken.refused(409, "BucketAlreadyExists");
        assert_eq!(s3(&server, &ann, BUCKET, "").await.status, 200);
        for path in kept {
            assert_eq!(admin(&server, &eve, path).await, 403, "{path}");
            assert_eq!(admin(&server, &ann, path).await, 200, "{path}");
        }
    }
}
