//! Terraform's lock table: a lock item is the lock of its address, a digest item shows the state that is kept here.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use md5::{Digest, Md5};
use serde_json::{Value as Json, json};
use tidelock_core::{
    Address, Caller, Content, Facet, Lock, LockId,
    decide::{Claim, Precondition, Release},
};
use tidelock_doors::dynamodb;
use tidelock_service::{LockRequest, Locking, NewBody};

use crate::door::Door;

const ADDRESS: &str = "tfstate/app/terraform.tfstate";

fn info(id: &str) -> String {
    format!(
        r#"{{"ID":"{id}","Operation":"OperationTypeApply","Info":"","Who":"ann@ci","Version":"1.11.4","Path":"{ADDRESS}"}}"#
    )
}

/// As Terraform takes a lock.
fn take(id: &str) -> Json {
    json!({
        "TableName": "locks", "Item": {"LockID": {"S": ADDRESS}, "Info": {"S": info(id)}},
        "ConditionExpression": "attribute_not_exists(LockID)", "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    })
}

/// As Terraform looks who holds it.
fn look() -> Json {
    json!({
        "TableName": "locks", "Key": {"LockID": {"S": ADDRESS}}, "ProjectionExpression": "LockID, Info",
        "ConsistentRead": true,
    })
}

fn delete() -> Json {
    json!({"TableName": "locks", "Key": {"LockID": {"S": ADDRESS}}})
}

fn shown(id: &str) -> Json {
    json!({"Item": {"LockID": {"S": ADDRESS}, "Info": {"S": info(id)}}})
}

fn address() -> Address {
    Address::parse(ADDRESS).unwrap()
}

async fn held(door: &Door) -> Option<Lock> {
    let caller = Caller::default();
    let address = address();
    let held = door.service.held(&address, &caller, &Facet::File);
    held.await.unwrap()
}

async fn take_through(door: &Door, facet: Facet, id: &str) -> Locking {
    // The file and http doors lock only what is in a bucket here.
    let _ = door.service.create_bucket("tfstate", "123456789012").await;
    let acquire = LockRequest {
        id: LockId::try_from(id).unwrap(),
        info: info(id),
        facet,
        caller: Caller::default(),
    };
    door.service.acquire(&address(), &acquire).await.unwrap()
}

#[tokio::test]
async fn a_lock_is_taken_shown_refused_and_given_back() {
    let door = Door::with_lock_table().await;
    door.ok("PutItem", take("one")).await;
    assert_eq!(door.ok("GetItem", look()).await, shown("one"));
    let (status, refusal) = door.call("PutItem", &take("two")).await;
    assert_eq!(status, 400);
    assert_eq!(
        refusal["__type"],
        "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"
    );
    assert_eq!(refusal["Item"], shown("one")["Item"]);
    door.ok("DeleteItem", delete()).await;
    assert_eq!(held(&door).await, None);
    door.ok("PutItem", take("two")).await;
    assert_eq!(door.ok("GetItem", look()).await, shown("two"));
}

#[tokio::test]
async fn a_retried_put_of_the_same_lock_succeeds() {
    let door = Door::with_lock_table().await;
    door.ok("PutItem", take("one")).await;
    door.ok("PutItem", take("one")).await;
    door.ok("DeleteItem", delete()).await;
    assert_eq!(door.ok("GetItem", look()).await, json!({}));
}

#[tokio::test]
async fn a_lock_taken_through_another_door_is_the_same_lock() {
    let door = Door::with_lock_table().await;
    take_through(&door, Facet::File, "file").await;
    assert_eq!(
        door.refused("PutItem", take("table")).await.0,
        "ConditionalCheckFailedException"
    );
    assert_eq!(door.ok("GetItem", look()).await, shown("file"));
    let query = json!({
        "TableName": "locks", "KeyConditionExpression": "LockID = :id",
        "ExpressionAttributeValues": {":id": {"S": ADDRESS}},
    });
    assert_eq!(
        door.ok("Query", query).await["Items"],
        json!([shown("file")["Item"]])
    );
    door.ok("DeleteItem", delete()).await;
    assert_eq!(held(&door).await, None);
}

#[tokio::test]
async fn a_file_user_is_refused_while_the_table_holds_the_lock() {
    let door = Door::with_lock_table().await;
    door.ok("PutItem", take("table")).await;
    assert!(matches!(
        take_through(&door, Facet::File, "file").await,
        Locking::Refused { .. }
    ));
}

#[tokio::test]
async fn both_ways_of_locking_with_one_id_are_one_lock_until_both_are_off() {
    let door = Door::with_lock_table().await;
    take_through(&door, Facet::File, "both").await;
    door.ok("PutItem", take("both")).await;
    let release = Release {
        id: Some(LockId::try_from("both").unwrap()),
        facet: Facet::File,
        caller: Caller::default(),
        invocation: None,
        may_force: true,
    };
    door.service.release(&address(), &release).await.unwrap();
    assert_eq!(door.ok("GetItem", look()).await, shown("both"));
    door.ok("DeleteItem", delete()).await;
    assert_eq!(held(&door).await, None);
}

#[tokio::test]
async fn opentofu_deletes_only_its_own_lock() {
    let door = Door::with_lock_table().await;
    door.ok("PutItem", take("one")).await;
    let delete = |id: &str| {
        json!({
            "TableName": "locks", "Key": {"LockID": {"S": ADDRESS}}, "ConditionExpression": "Info = :info",
            "ExpressionAttributeValues": {":info": {"S": info(id)}}, "ReturnValues": "ALL_OLD",
        })
    };
    assert_eq!(
        door.refused("DeleteItem", delete("two")).await.0,
        "ConditionalCheckFailedException"
    );
    assert_eq!(
        door.ok("DeleteItem", delete("one")).await["Attributes"],
        shown("one")["Item"]
    );
}

#[tokio::test]
async fn who_was_just_refused_still_sees_the_holder_who_has_just_left() {
    let mut door = Door::with_lock_table().await;
    door.ok("PutItem", take("one")).await;
    door.caller.source = "10.0.0.2".to_owned();
    door.refused("PutItem", take("two")).await;
    door.ok("DeleteItem", delete()).await;
    assert_eq!(door.ok("GetItem", look()).await, shown("one"));
    assert_eq!(door.ok("Scan", json!({"TableName": "locks"})).await["Count"], 0);
    door.caller.source = "10.0.0.3".to_owned();
    assert_eq!(door.ok("GetItem", look()).await, json!({}));
    door.caller.source = "10.0.0.2".to_owned();
    door.world.now.fetch_add(60_000, Ordering::Relaxed);
    assert_eq!(door.ok("GetItem", look()).await, json!({}));
}

#[tokio::test]
async fn an_unconditional_put_does_not_take_a_lock_from_its_holder() {
    let door = Door::with_lock_table().await;
    door.ok("PutItem", take("one")).await;
    let mut put = take("two");
    put.as_object_mut().unwrap().remove("ConditionExpression");
    assert_eq!(
        door.refused("PutItem", put.clone()).await.0,
        "ConditionalCheckFailedException"
    );
    let batch = json!({"RequestItems": {"locks": [{"PutRequest": {"Item": put["Item"]}}]}});
    assert!(
        door.invalid("BatchWriteItem", batch)
            .await
            .contains("a lock that another client holds")
    );
    put["Item"]["Info"] = json!({"S": "not a lock"});
    assert!(
        door.invalid("PutItem", put)
            .await
            .contains("is a lock, held by ann@ci (OperationTypeApply, lock one,")
    );
    let update = json!({
        "TableName": "locks", "Key": {"LockID": {"S": ADDRESS}}, "UpdateExpression": "SET x = :x",
        "ExpressionAttributeValues": {":x": {"S": "x"}},
    });
    assert!(
        door.invalid("UpdateItem", update)
            .await
            .contains("not overwritten or updated")
    );
    assert_eq!(door.ok("GetItem", look()).await, shown("one"));
}

#[tokio::test]
async fn locks_and_plain_items_are_scanned_together() {
    let door = Door::with_lock_table().await;
    door.ok("PutItem", take("one")).await;
    door.ok(
        "PutItem",
        json!({"TableName": "locks", "Item": {"LockID": {"S": "plain"}, "x": {"N": "1"}}}),
    )
    .await;
    let scanned = door.ok("Scan", json!({"TableName": "locks"})).await;
    assert_eq!(
        scanned["Items"],
        json!([{"LockID": {"S": "plain"}, "x": {"N": "1"}}, shown("one")["Item"]])
    );
}

#[tokio::test]
async fn a_batch_reads_and_releases_a_lock() {
    let door = Door::with_lock_table().await;
    let put = json!({"RequestItems": {"locks": [{"PutRequest": {"Item": shown("one")["Item"]}}]}});
    door.ok("BatchWriteItem", put).await;
    let get = json!({"RequestItems": {"locks": {"Keys": [{"LockID": {"S": ADDRESS}}]}}});
    assert_eq!(
        door.ok("BatchGetItem", get).await["Responses"]["locks"],
        json!([shown("one")["Item"]])
    );
    let delete = json!({"RequestItems": {"locks": [{"DeleteRequest": {"Key": {"LockID": {"S": ADDRESS}}}}]}});
    door.ok("BatchWriteItem", delete).await;
    assert_eq!(held(&door).await, None);
}

fn digest_item(attributes: Json) -> Json {
    let mut item = attributes;
    item["LockID"] = json!({"S": format!("{ADDRESS}-md5")});
    item
}

async fn put_state(door: &Door, bytes: &'static [u8]) {
    let new = NewBody {
        bytes: Bytes::from_static(bytes),
        md5: Md5::digest(bytes).into(),
        content: Content::default(),
        precondition: Precondition::default(),
        claim: Claim::Caller,
        restores: false,
    };
    door.service
        .put(&address(), new, &Caller::default())
        .await
        .unwrap();
}

#[tokio::test]
async fn the_digest_is_that_of_the_state_whatever_was_put() {
    let door = Door::with_lock_table().await;
    door.service
        .create_bucket("tfstate", "123456789012")
        .await
        .unwrap();
    let get = json!({"TableName": "locks", "Key": digest_item(json!({}))});
    assert_eq!(door.ok("GetItem", get.clone()).await, json!({}));
    let stale = digest_item(json!({"Digest": {"S": "stale"}, "Owner": {"S": "ann"}}));
    door.ok("PutItem", json!({"TableName": "locks", "Item": stale}))
        .await;
    assert_eq!(door.ok("GetItem", get.clone()).await["Item"], stale);
    put_state(&door, b"state").await;
    let digest = json!({"S": hex::encode(Md5::digest(b"state"))});
    let shown = digest_item(json!({"Digest": digest, "Owner": {"S": "ann"}}));
    assert_eq!(door.ok("GetItem", get.clone()).await["Item"], shown);
    assert_eq!(
        door.ok("Scan", json!({"TableName": "locks"})).await["Items"],
        json!([shown])
    );
    door.ok("DeleteItem", get.clone()).await;
    assert_eq!(
        door.ok("GetItem", get).await["Item"],
        digest_item(json!({"Digest": digest}))
    );
}

#[tokio::test]
async fn a_lock_item_in_any_other_table_is_a_plain_item() {
    let door = Door::with_notes().await;
    let item =
        json!({"h": {"S": ADDRESS}, "r": {"N": "1"}, "LockID": {"S": ADDRESS}, "Info": {"S": info("one")}});
    door.ok("PutItem", json!({"TableName": "notes", "Item": item}))
        .await;
    assert_eq!(held(&door).await, None);
}

#[tokio::test]
async fn of_many_who_want_the_lock_at_once_one_gets_it() {
    let door = std::sync::Arc::new(Door::with_lock_table().await);
    let tasks: Vec<_> = (0..32)
        .map(|n| {
            let door = std::sync::Arc::clone(&door);
            tokio::spawn(async move { door.call("PutItem", &take(&format!("id-{n}"))).await.0 })
        })
        .collect();
    let mut granted = 0;
    for task in tasks {
        granted += usize::from(task.await.unwrap() == 200);
    }
    assert_eq!(granted, 1);
}

#[tokio::test]
async fn a_retried_conditional_delete_of_ones_own_lock_succeeds() {
    let door = Door::with_lock_table().await;
    door.ok("PutItem", take("one")).await;
    let delete = |id: &str| {
        json!({
            "TableName": "locks", "Key": {"LockID": {"S": ADDRESS}}, "ConditionExpression": "Info = :info",
            "ExpressionAttributeValues": {":info": {"S": info(id)}},
        })
    };
    door.ok("DeleteItem", delete("one")).await;
    door.ok("DeleteItem", delete("one")).await;
    assert_eq!(
        door.refused("DeleteItem", delete("two")).await.0,
        "ConditionalCheckFailedException"
    );
    door.ok("PutItem", take("three")).await;
    assert_eq!(
        door.refused("DeleteItem", delete("one")).await.0,
        "ConditionalCheckFailedException"
    );
    assert_eq!(door.ok("GetItem", look()).await, shown("three"));
}

#[tokio::test]
async fn a_retried_delete_leaves_the_next_holder_alone() {
    let door = Door::with_lock_table().await;
    let only = |id: &str| {
        json!({
            "TableName": "locks", "Key": {"LockID": {"S": ADDRESS}}, "ConditionExpression": "Info = :info",
            "ExpressionAttributeValues": {":info": {"S": info(id)}},
        })
    };
    for (call, delete) in [("call-1", delete()), ("call-2", only("one"))] {
        door.ok("PutItem", take("one")).await;
        for id in ["two", "three"] {
            let invocation = Some(call.to_owned());
            let body = delete.to_string().into();
            let answer =
                dynamodb::as_operator(&door.service, &door.caller, "DeleteItem", invocation, body).await;
            assert_eq!(answer.status(), 200, "{call}");
            let taken = door.call("PutItem", &take(id)).await.0;
            assert_eq!(taken, if id == "two" { 200 } else { 400 }, "{call} {id}");
        }
        assert_eq!(door.ok("GetItem", look()).await, shown("two"));
        door.ok(
            "DeleteItem",
            json!({"TableName": "locks", "Key": {"LockID": {"S": ADDRESS}}}),
        )
        .await;
    }
}
