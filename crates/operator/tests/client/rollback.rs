//! A rollback whose store answers badly, or not at all.

use tidelock_operator::layout::RollbackError;

use crate::{
    error,
    locks::want,
    stub::{Stub, answer, layout},
};

const CURRENT: &str = "ETag: \"e2\"\r\nx-amz-version-id: v2\r\n";

const LISTED: &str = "<ListVersionsResult>\
    <Version><Key>k</Key><VersionId>v2</VersionId><IsLatest>true</IsLatest><Size>1</Size>\
    <LastModified>2026-11-21T00:00:02Z</LastModified></Version>\
    <Version><Key>k</Key><VersionId>v1</VersionId><IsLatest>false</IsLatest><Size>1</Size>\
    <LastModified>2026-11-21T00:00:01Z</LastModified></Version></ListVersionsResult>";

fn state(serial: u64, outputs: &str) -> String {
    format!(
        "{{\"version\":4,\"serial\":{serial},\"lineage\":\"l\",\"outputs\":{{{outputs}}},\"resources\":[]}}"
    )
}

fn now() -> String {
    answer(200, CURRENT, &state(2, ""))
}

/// Everything up to the write: the look, the lock, the second look.
fn before_the_write() -> Vec<String> {
    let output = "\"a\":{\"value\":\"x\",\"type\":\"string\"}";
    vec![
        now(),
        answer(200, "ETag: \"e1\"\r\nx-amz-version-id: v1\r\n", &state(1, output)),
        answer(200, "", LISTED),
        now(),
        now(),
        error(404, "NoSuchKey"),
        answer(200, "ETag: \"lock\"\r\n", ""),
        now(),
    ]
}

async fn roll_back(stub: &Stub) -> Result<Option<u64>, RollbackError> {
    let layout = layout(stub, None);
    let plan = layout.plan_rollback("k", "v1", |_| {}).await?;
    Ok(layout.apply_rollback(&plan, &want()).await?.serial)
}

#[tokio::test]
async fn a_lock_that_stays_after_a_write_that_was_refused_is_told_with_the_refusal() {
    let refused = [error(400, "InvalidArgument"), error(403, "AccessDenied")];
    let stub = Stub::start(before_the_write().into_iter().chain(refused));
    let told = roll_back(&stub).await.unwrap_err().to_string();
    assert!(told.contains("InvalidArgument"), "{told}");
    assert!(told.contains("the lock 11111111 on tfstate/k at"), "{told}");
    assert!(told.contains("`tidelock unlock tfstate/k 11111111`"), "{told}");
}

#[tokio::test]
async fn when_nobody_says_what_became_of_the_write_the_state_stays_locked() {
    let silence = std::iter::repeat_n(String::new(), 5);
    let answers = before_the_write().into_iter().chain(silence).chain([now()]);
    let stub = Stub::start(answers);
    let why = roll_back(&stub).await.unwrap_err();
    assert!(
        matches!(&why, RollbackError::InDoubt { lock, .. } if lock == "11111111"),
        "{why}"
    );
    let asked = stub.asked();
    assert_eq!(asked.len(), 14, "{asked:?}");
    assert!(asked.iter().all(|asked| !asked.line.starts_with("DELETE")));
}

#[tokio::test]
async fn a_store_without_conditional_writes_is_written_to_under_the_lock() {
    let written = [
        error(501, "NotImplemented"),
        answer(200, "ETag: \"e3\"\r\nx-amz-version-id: v3\r\n", ""),
        error(404, "NoSuchKey"),
    ];
    let stub = Stub::start(before_the_write().into_iter().chain(written));
    assert_eq!(roll_back(&stub).await.unwrap(), Some(3));
    let asked = stub.asked();
    assert_eq!(asked[8].header("if-match"), "\"e2\"");
    assert_eq!(asked[9].header("if-match"), "");
    assert!(asked[9].text().contains("\"serial\":3,"), "{}", asked[9].text());
}

#[tokio::test]
async fn a_state_that_was_written_before_the_lock_was_ours_is_left_alone() {
    let mut answers = before_the_write();
    answers.pop();
    answers.push(answer(
        200,
        "ETag: \"e9\"\r\nx-amz-version-id: v9\r\n",
        &state(9, ""),
    ));
    let stub = Stub::start(answers.into_iter().chain([error(404, "NoSuchKey")]));
    let why = roll_back(&stub).await.unwrap_err();
    assert!(matches!(why, RollbackError::Overtaken), "{why}");
    let asked = stub.asked();
    assert!(
        asked
            .iter()
            .all(|asked| !asked.line.starts_with("PUT /tfstate/k "))
    );
}
