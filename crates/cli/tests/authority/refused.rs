//! The runner with least privilege asks for everything that it may not: each is refused, and nothing has changed.

use serde_json::json;
use tidelock_testkit::{BUCKET, Client, Request, TABLE, content_md5, state_document};

use crate::{
    operations::{ELSEWHERE, OTHER, Operation, TABLE_ELSEWHERE, There, all, kms, lock_info},
    world::{KEY, World, least},
};

/// As many as the least that this is worth something for.
const OPERATIONS_MIN: usize = 40;

#[test]
fn a_runner_with_least_privilege_is_refused_everything_else() {
    let Some(world) = World::new() else { return };
    let there = arranged(&world);
    let runner = world.user("runner", &least());
    let mut client = world.client(&runner);
    let operations = all(&there);
    assert!(operations.len() >= OPERATIONS_MIN, "{}", operations.len());
    let before = kept(&world);
    let wrong: Vec<String> = operations
        .iter()
        .filter_map(|operation| answered(&mut client, operation))
        .collect();
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        operations.len(),
        wrong.join("\n")
    );
    several_keys_at_once_are_refused_one_by_one(&mut client);
    assert_eq!(kept(&world), before);
    let own = client.send(&Request::new("GET", &format!("/{BUCKET}/{KEY}"), ""));
    assert_eq!(own.status, 200, "its own it still reads: {}", own.text());
}

/// Two states of the same bucket, the second of them locked, another bucket and table, a KMS key, a user and a role.
fn arranged(world: &World) -> There {
    let mut operator = world.server.client();
    let mut done = |request: &Request| {
        let answer = operator.send(request);
        assert!(answer.status < 300, "{}: {}", request.target, answer.text());
        answer
    };
    let state = state_document(1, "6f1cd2b7-2d0a-4f6a-9a33-0d5a7a1f9d11", "x");
    done(&Request::new("PUT", &format!("/{ELSEWHERE}"), ""));
    let own = done(&Request::new("PUT", &format!("/{BUCKET}/{KEY}"), state.clone()));
    for target in [format!("/{BUCKET}/{OTHER}"), format!("/{ELSEWHERE}/{KEY}")] {
        done(&Request::new("PUT", &target, state.clone()));
    }
    let lock = "0b0e5cbb-9d5c-4d7f-8a53-00000000abcd";
    done(
        &Request::new("PUT", &format!("/{BUCKET}/{OTHER}.tflock"), lock_info(lock))
            .header("if-none-match", "*"),
    );
    let table = json!({"TableName": TABLE_ELSEWHERE, "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "LockID", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "LockID", "KeyType": "HASH"}]});
    done(&Request::dynamodb("CreateTable", table.to_string()));
    let key = done(&kms("CreateKey", "{}")).json();
    world.user("other", &least());
    world.role("deploy", "other");
    There {
        version: own.header("x-amz-version-id").unwrap().to_owned(),
        key: key["KeyMetadata"]["KeyId"].as_str().unwrap().to_owned(),
        lock: lock.to_owned(),
    }
}

/// What went wrong, if it was not refused as its door refuses.
fn answered(client: &mut Client, operation: &Operation) -> Option<String> {
    let request = &operation.request;
    let answer = match operation.basic {
        true => client.send_basic(request),
        false => client.send(request),
    };
    let (status, code) = match (operation.basic, request.service, request.method.as_str()) {
        (true, ..) | (_, _, "HEAD") => (403, ""),
        (_, "dynamodb" | "kms", _) => (400, "AccessDeniedException"),
        _ => (403, "AccessDenied"),
    };
    let is_refused = answer.status == status && (operation.basic || answer.code() == code);
    (!is_refused).then(|| {
        let asked: String = String::from_utf8_lossy(&request.body).chars().take(120).collect();
        let headers = &request.headers;
        format!(
            "{} {} {headers:?} {asked}\n  {} {}",
            request.method,
            request.target,
            answer.status,
            answer.text()
        )
    })
}

/// `DeleteObjects` is answered for each key.
fn several_keys_at_once_are_refused_one_by_one(client: &mut Client) {
    let keys = [KEY.to_owned(), OTHER.to_owned(), format!("{OTHER}.tflock")];
    let objects: String = keys
        .iter()
        .map(|key| format!("<Object><Key>{key}</Key></Object>"))
        .collect();
    let body = format!("<Delete>{objects}</Delete>");
    let md5 = content_md5(body.as_bytes());
    let request = Request::new("POST", &format!("/{BUCKET}?delete"), body).header("content-md5", &md5);
    let answer = client.send(&request).text();
    assert_eq!(
        answer.matches("<Code>AccessDenied</Code>").count(),
        keys.len(),
        "{answer}"
    );
    assert!(!answer.contains("<Deleted>"), "{answer}");
}

/// What the runner might have changed.
fn kept(world: &World) -> String {
    let mut client = world.server.client();
    let mut text = String::new();
    for target in [
        format!("/{BUCKET}/{KEY}"),
        format!("/{BUCKET}/{OTHER}"),
        format!("/{BUCKET}/{OTHER}.tflock"),
        format!("/{ELSEWHERE}/{KEY}"),
        format!("/{BUCKET}?versioning"),
    ] {
        let answer = client.send(&Request::new("GET", &target, ""));
        assert_eq!(answer.status, 200, "{target}: {}", answer.text());
        text += &answer.text();
    }
    let items = client.send(&Request::dynamodb(
        "Scan",
        json!({ "TableName": TABLE }).to_string(),
    ));
    text + &items.text() + &world.ask("GET", "/admin/iam/account", "").to_string()
}
