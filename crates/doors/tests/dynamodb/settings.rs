//! What is set on tables, and done: items expire, the past is kept and restored, encryption; and what no table has.

use std::sync::atomic::Ordering;

use serde_json::{Value as Json, json};
use tidelock_doors::dynamodb::expire;
use tidelock_engine::Engine;

use crate::door::{Door, table};

/// A time in 2026, in seconds.
const NOW: i64 = 1_795_000_000;

async fn with_notes_in_2026() -> Door {
    let door = Door::with_notes().await;
    door.world.now.store(NOW * 1_000, Ordering::SeqCst);
    door
}

fn note(name: &str, more: Json) -> Json {
    let mut item = json!({"h": {"S": name}, "r": {"N": "1"}});
    item.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    json!({"TableName": "notes", "Item": item})
}

async fn names(door: &Door, table: &str) -> Vec<String> {
    let found = door.ok("Scan", json!({"TableName": table})).await;
    let items = found["Items"].as_array().unwrap();
    let mut names: Vec<String> = items
        .iter()
        .map(|item| item["h"]["S"].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

fn ttl(enabled: bool, attribute: &str) -> Json {
    let stated = json!({"Enabled": enabled, "AttributeName": attribute});
    json!({"TableName": "notes", "TimeToLiveSpecification": stated})
}

#[tokio::test]
async fn items_expire_by_the_attribute_that_the_table_names() {
    let door = with_notes_in_2026().await;
    for (name, until) in [
        ("over", json!({"N": (NOW - 1).to_string()})),
        ("over in exponents", json!({"N": "1.7949E9"})),
        ("over with a fraction", json!({"N": format!("{}.9", NOW - 10)})),
        ("to come", json!({"N": (NOW + 60).to_string()})),
        ("no time", json!({"N": "17"})),
        ("negative", json!({"N": "-1"})),
        ("text", json!({"S": (NOW - 1).to_string()})),
    ] {
        door.ok("PutItem", note(name, json!({"until": until}))).await;
    }
    door.ok("PutItem", note("none", json!({}))).await;
    expire(&door.service).await;
    assert_eq!(
        names(&door, "notes").await.len(),
        8,
        "nothing says that they expire"
    );
    let set = door.ok("UpdateTimeToLive", ttl(true, "until")).await;
    assert_eq!(
        set,
        json!({"TimeToLiveSpecification": {"Enabled": true, "AttributeName": "until"}})
    );
    assert_eq!(
        names(&door, "notes").await.len(),
        8,
        "they are read until they are gone"
    );
    expire(&door.service).await;
    let left = ["negative", "no time", "none", "text", "to come"];
    assert_eq!(names(&door, "notes").await, left);
    door.world.now.store((NOW + 61) * 1_000 + 999, Ordering::SeqCst);
    expire(&door.service).await;
    assert_eq!(
        names(&door, "notes").await,
        ["negative", "no time", "none", "text"]
    );
}

#[tokio::test]
async fn time_to_live_is_set_and_told_as_on_aws() {
    let door = Door::with_notes().await;
    let shown = async || {
        let shown = door.ok("DescribeTimeToLive", json!({"TableName": "notes"})).await;
        shown["TimeToLiveDescription"].clone()
    };
    assert_eq!(shown().await, json!({"TimeToLiveStatus": "DISABLED"}));
    let refused = door.invalid("UpdateTimeToLive", ttl(false, "until")).await;
    assert_eq!(refused, "TimeToLive is already disabled");
    door.ok("UpdateTimeToLive", ttl(true, "until")).await;
    assert_eq!(
        shown().await,
        json!({"TimeToLiveStatus": "ENABLED", "AttributeName": "until"})
    );
    let refused = door.invalid("UpdateTimeToLive", ttl(true, "until")).await;
    assert_eq!(refused, "TimeToLive is already enabled");
    let refused = door.invalid("UpdateTimeToLive", ttl(true, "other")).await;
    assert!(refused.contains("current AttributeName is until"), "{refused}");
    door.ok("UpdateTimeToLive", ttl(false, "until")).await;
    assert_eq!(shown().await, json!({"TimeToLiveStatus": "DISABLED"}));
}

#[tokio::test]
async fn a_lock_does_not_expire() {
    let door = Door::with_lock_table().await;
    let info = r#"{"ID":"0b0e5cbb-9d5c-4d7f-8a53-000000000001","Operation":"apply","Who":"a"}"#;
    let lock = json!({"TableName": "locks", "Item": {"LockID": {"S": "b12/key"}, "Info": {"S": info}}});
    door.ok("PutItem", lock).await;
    let stated = json!({"Enabled": true, "AttributeName": "Info"});
    door.ok(
        "UpdateTimeToLive",
        json!({"TableName": "locks", "TimeToLiveSpecification": stated}),
    )
    .await;
    door.world.now.store(NOW * 1_000, Ordering::SeqCst);
    expire(&door.service).await;
    assert_eq!(door.ok("Scan", json!({"TableName": "locks"})).await["Count"], 1);
}

fn pitr(enabled: bool) -> Json {
    json!({"TableName": "notes", "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": enabled}})
}

async fn backups(door: &Door) -> Json {
    let shown = door
        .ok("DescribeContinuousBackups", json!({"TableName": "notes"}))
        .await;
    let shown = &shown["ContinuousBackupsDescription"];
    assert_eq!(shown["ContinuousBackupsStatus"], "ENABLED");
    shown["PointInTimeRecoveryDescription"].clone()
}

fn restore_as(target: &str, at: i64) -> Json {
    json!({"SourceTableName": "notes", "TargetTableName": target, "RestoreDateTime": at})
}

#[tokio::test]
async fn a_table_is_restored_as_of_any_second_since_its_past_is_kept() {
    let door = with_notes_in_2026().await;
    let at = |second: i64| door.world.now.store((NOW + second) * 1_000, Ordering::SeqCst);
    door.ok("PutItem", note("before", json!({}))).await;
    at(10);
    door.ok("UpdateContinuousBackups", pitr(true)).await;
    at(20);
    door.ok("PutItem", note("second", json!({"v": {"N": "1"}}))).await;
    at(30);
    door.ok("PutItem", note("second", json!({"v": {"N": "2"}}))).await;
    let key = json!({"h": {"S": "before"}, "r": {"N": "1"}});
    door.ok("DeleteItem", json!({"TableName": "notes", "Key": key}))
        .await;
    at(40);
    let key = json!({"h": {"S": "second"}, "r": {"N": "1"}});
    door.ok("DeleteItem", json!({"TableName": "notes", "Key": key}))
        .await;
    at(50);
    for (target, second, expected) in [
        ("at-15", 15, json!([["before", null]])),
        ("at-25", 25, json!([["before", null], ["second", "1"]])),
        ("at-35", 35, json!([["second", "2"]])),
        ("at-45", 45, json!([])),
    ] {
        let restored = door
            .ok("RestoreTableToPointInTime", restore_as(target, NOW + second))
            .await;
        let source = "arn:aws:dynamodb:us-east-1:123456789012:table/notes";
        assert_eq!(
            restored["TableDescription"]["RestoreSummary"]["SourceTableArn"],
            source
        );
        let found = door.ok("Scan", json!({"TableName": target})).await;
        let mut items: Vec<Json> = found["Items"].as_array().unwrap().clone();
        items.sort_by_key(ToString::to_string);
        let items = items.iter().map(|item| json!([item["h"]["S"], item["v"]["N"]]));
        assert_eq!(Json::Array(items.collect()), expected, "{target}");
        let shown = door.ok("DescribeTable", json!({"TableName": target})).await;
        assert_eq!(shown["Table"]["TableStatus"], "ACTIVE");
        assert_eq!(shown["Table"]["RestoreSummary"]["RestoreInProgress"], false);
    }
    let recovery = backups(&door).await;
    assert_eq!(
        recovery["EarliestRestorableDateTime"].as_f64().unwrap() as i64,
        NOW + 10
    );
    assert_eq!(recovery["RecoveryPeriodInDays"], 35);
}

#[tokio::test]
async fn what_cannot_be_restored_is_refused_in_the_words_of_aws() {
    let door = with_notes_in_2026().await;
    assert_eq!(
        backups(&door).await,
        json!({"PointInTimeRecoveryStatus": "DISABLED"})
    );
    let code = async |request: Json| door.refused("RestoreTableToPointInTime", request).await.0;
    let unavailable = "PointInTimeRecoveryUnavailableException";
    assert_eq!(code(restore_as("copy", NOW)).await, unavailable);
    door.ok("UpdateContinuousBackups", pitr(true)).await;
    assert_eq!(
        code(restore_as("copy", NOW - 60)).await,
        "InvalidRestoreTimeException"
    );
    assert_eq!(
        code(restore_as("copy", NOW + 3_600)).await,
        "InvalidRestoreTimeException"
    );
    let latest =
        json!({"SourceTableName": "notes", "TargetTableName": "notes", "UseLatestRestorableTime": true});
    assert_eq!(code(latest).await, "TableAlreadyExistsException");
    assert_eq!(
        code(json!({"SourceTableName": "notes", "TargetTableName": "copy"})).await,
        "ValidationException"
    );
    let none = json!({"SourceTableName": "none", "TargetTableName": "copy", "UseLatestRestorableTime": true});
    assert_eq!(code(none).await, "TableNotFoundException");
    door.ok("UpdateContinuousBackups", pitr(false)).await;
    assert_eq!(code(restore_as("copy", NOW)).await, unavailable);
    let nobody = json!({"TableName": "none"});
    let (code, message) = door.refused("DescribeContinuousBackups", nobody).await;
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("TableNotFoundException", "Table not found: none")
    );
}

#[tokio::test]
async fn the_past_is_forgotten_when_its_days_are_over() {
    let door = with_notes_in_2026().await;
    let mut kept = pitr(true);
    kept["PointInTimeRecoverySpecification"]["RecoveryPeriodInDays"] = json!(2);
    door.ok("UpdateContinuousBackups", kept).await;
    door.ok("PutItem", note("a", json!({}))).await;
    let past = async || {
        let range = b"h\0".to_vec()..b"i".to_vec();
        door.engine.scan(range, 10).await.unwrap().len()
    };
    assert_eq!(past().await, 1);
    expire(&door.service).await;
    assert_eq!(past().await, 1);
    door.world.now.store((NOW + 3 * 86_400) * 1_000, Ordering::SeqCst);
    let refused = door
        .refused("RestoreTableToPointInTime", restore_as("copy", NOW + 60))
        .await;
    assert_eq!(refused.0, "InvalidRestoreTimeException");
    expire(&door.service).await;
    assert_eq!(past().await, 0);
    door.ok("PutItem", note("b", json!({}))).await;
    door.ok("DeleteTable", json!({"TableName": "notes"})).await;
    assert_eq!(past().await, 0, "it goes with the table");
}

#[tokio::test]
async fn items_of_an_encrypted_table_are_sealed_and_others_are_not() {
    let door = with_notes_in_2026().await;
    let stored = async |text: &str| {
        let rows = door.engine.scan(b"h".to_vec()..b"j".to_vec(), 100).await.unwrap();
        let text = text.as_bytes();
        let has = |value: &[u8]| value.windows(text.len()).any(|part| part == text);
        rows.iter().filter(|(_, entry)| has(&entry.value)).count()
    };
    door.ok("PutItem", note("a", json!({"v": {"S": "in the clear"}})))
        .await;
    assert_eq!(stored("in the clear").await, 1);
    door.ok("UpdateContinuousBackups", pitr(true)).await;
    door.ok("PutItem", note("a", json!({"v": {"S": "in the clear"}})))
        .await;
    assert_eq!(stored("in the clear").await, 2, "and in the past");
    let sse = |enabled: bool| json!({"TableName": "notes", "SSESpecification": {"Enabled": enabled}});
    let shown = door.ok("UpdateTable", sse(true)).await;
    let shown = &shown["TableDescription"]["SSEDescription"];
    assert_eq!(
        (&shown["Status"], &shown["SSEType"]),
        (&json!("ENABLED"), &json!("KMS"))
    );
    assert_eq!(stored("in the clear").await, 0, "what was there is sealed too");
    door.ok("PutItem", note("b", json!({"v": {"S": "in the clear"}})))
        .await;
    door.ok("PutItem", note("b", json!({"v": {"S": "changed"}})))
        .await;
    assert_eq!(stored("in the clear").await, 0);
    assert_eq!(names(&door, "notes").await, ["a", "b"]);
    door.world.now.store((NOW + 2) * 1_000, Ordering::SeqCst);
    door.ok("RestoreTableToPointInTime", restore_as("copy", NOW + 1))
        .await;
    assert_eq!(names(&door, "copy").await, ["a", "b"]);
    assert_eq!(stored("in the clear").await, 0, "a copy is sealed as its source");
    door.ok("UpdateTable", sse(false)).await;
    assert_eq!(stored("in the clear").await, 1);
}

#[tokio::test]
async fn a_key_of_ones_own_is_refused() {
    let door = Door::with_notes().await;
    let key = "arn:aws:kms:us-east-1:123456789012:key/1b2c";
    let sse = json!({"Enabled": true, "SSEType": "KMS", "KMSMasterKeyId": key});
    let refused = door
        .invalid(
            "UpdateTable",
            json!({"TableName": "notes", "SSESpecification": sse}),
        )
        .await;
    assert!(refused.contains("KMSMasterKeyId is not supported"), "{refused}");
}

#[tokio::test]
async fn what_no_table_has_is_refused_or_told_to_be_absent() {
    let door = Door::with_notes().await;
    let stream = json!({"StreamEnabled": true, "StreamViewType": "KEYS_ONLY"});
    for (member, value) in [
        ("StreamSpecification", stream),
        ("OnDemandThroughput", json!({"MaxReadRequestUnits": 1})),
        ("WarmThroughput", json!({"ReadUnitsPerSecond": 12_000})),
        ("ReplicaUpdates", json!([{"Create": {"RegionName": "eu-west-1"}}])),
        (
            "GlobalSecondaryIndexUpdates",
            json!([{"Delete": {"IndexName": "i"}}]),
        ),
    ] {
        let refused = door
            .invalid("UpdateTable", json!({"TableName": "notes", member: value}))
            .await;
        assert!(
            refused.contains(&format!("{member} is not supported by this server")),
            "{refused}"
        );
        if member.ends_with("Updates") {
            continue;
        }
        let mut create = table("more", &[("id", "S")]);
        create[member] = value;
        let refused = door.invalid("CreateTable", create).await;
        assert!(refused.contains(member), "{refused}");
    }
    assert!(
        door.invalid("UpdateTable", json!({"TableName": "notes"}))
            .await
            .starts_with("At least one of")
    );
    let named = json!({"TableName": "notes"});
    assert_eq!(
        door.ok("DescribeContributorInsights", named.clone()).await["ContributorInsightsStatus"],
        "DISABLED"
    );
    let streaming = door.ok("DescribeKinesisStreamingDestination", named).await;
    assert_eq!(streaming["KinesisDataStreamDestinations"], json!([]));
    let arn = json!({"ResourceArn": "arn:aws:dynamodb:us-east-1:123456789012:table/notes"});
    assert_eq!(
        door.refused("GetResourcePolicy", arn).await.0,
        "PolicyNotFoundException"
    );
}
