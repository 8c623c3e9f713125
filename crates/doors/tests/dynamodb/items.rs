//! Single items and batches, in an ordinary table.

use serde_json::{Value as Json, json};

use crate::door::{Door, table};

fn key(h: &str, r: i32) -> Json {
    json!({"h": {"S": h}, "r": {"N": r.to_string()}})
}

async fn get(door: &Door, key: &Json) -> Json {
    door.ok(
        "GetItem",
        json!({"TableName": "notes", "Key": key, "ConsistentRead": true}),
    )
    .await
}

async fn put(door: &Door, item: Json) {
    door.ok("PutItem", json!({"TableName": "notes", "Item": item}))
        .await;
}

#[tokio::test]
async fn every_type_comes_back_as_it_was_put() {
    let door = Door::with_notes().await;
    let item = json!({
        "h": {"S": "a"}, "r": {"N": "-1.5"}, "s": {"S": ""}, "n": {"N": "100"}, "b": {"B": "AAEC"}, "ss": {"SS": ["a", "b"]},
        "ns": {"NS": ["1", "2"]}, "bs": {"BS": ["AA==", "AQ=="]}, "m": {"M": {"k": {"L": [{"NULL": true}]}}},
        "t": {"BOOL": true},
    });
    put(&door, item.clone()).await;
    assert_eq!(
        get(&door, &json!({"h": {"S": "a"}, "r": {"N": "-1.50"}})).await,
        json!({"Item": item})
    );
}

#[tokio::test]
async fn a_missing_item_is_answered_without_item() {
    let door = Door::with_notes().await;
    assert_eq!(get(&door, &key("a", 1)).await, json!({}));
    assert_eq!(
        door.ok("DeleteItem", json!({"TableName": "notes", "Key": key("a", 1)}))
            .await,
        json!({})
    );
}

#[tokio::test]
async fn conditions_guard_puts_updates_and_deletes() {
    let door = Door::with_notes().await;
    let guarded = json!({
        "TableName": "notes", "Item": key("a", 1), "ConditionExpression": "attribute_not_exists(h)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    });
    door.ok("PutItem", guarded.clone()).await;
    let (status, answer) = door.call("PutItem", &guarded).await;
    assert_eq!(status, 400);
    assert_eq!(
        answer,
        json!({
            "__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",
            "message": "The conditional request failed", "Item": key("a", 1),
        })
    );
    let delete =
        json!({"TableName": "notes", "Key": key("a", 1), "ConditionExpression": "attribute_exists(x)"});
    assert_eq!(
        door.refused("DeleteItem", delete).await.0,
        "ConditionalCheckFailedException"
    );
    let update = json!({
        "TableName": "notes", "Key": key("b", 1), "ConditionExpression": "attribute_exists(h)",
        "UpdateExpression": "SET x = :x", "ExpressionAttributeValues": {":x": {"N": "1"}},
    });
    assert_eq!(
        door.refused("UpdateItem", update).await.0,
        "ConditionalCheckFailedException"
    );
}

#[tokio::test]
async fn return_values_are_what_was_asked_for() {
    let door = Door::with_notes().await;
    let update = |mode: &str| {
        json!({
            "TableName": "notes", "Key": key("a", 1), "UpdateExpression": "ADD c :one", "ReturnValues": mode,
            "ExpressionAttributeValues": {":one": {"N": "1"}},
        })
    };
    assert_eq!(door.ok("UpdateItem", update("UPDATED_OLD")).await, json!({}));
    assert_eq!(
        door.ok("UpdateItem", update("UPDATED_OLD")).await,
        json!({"Attributes": {"c": {"N": "1"}}})
    );
    assert_eq!(
        door.ok("UpdateItem", update("UPDATED_NEW")).await,
        json!({"Attributes": {"c": {"N": "3"}}})
    );
    let all = |count: &str| json!({"Attributes": {"h": {"S": "a"}, "r": {"N": "1"}, "c": {"N": count}}});
    assert_eq!(door.ok("UpdateItem", update("ALL_OLD")).await, all("3"));
    assert_eq!(door.ok("UpdateItem", update("ALL_NEW")).await, all("5"));
    assert_eq!(door.ok("UpdateItem", update("NONE")).await, json!({}));
    let delete = json!({"TableName": "notes", "Key": key("a", 1), "ReturnValues": "ALL_OLD"});
    assert_eq!(door.ok("DeleteItem", delete).await, all("6"));
    let put = json!({"TableName": "notes", "Item": key("a", 1), "ReturnValues": "ALL_NEW"});
    assert_eq!(
        door.invalid("PutItem", put).await,
        "1 validation error detected: ReturnValues can only be ALL_OLD or NONE"
    );
}

#[tokio::test]
async fn keys_cannot_be_updated() {
    let door = Door::with_notes().await;
    let update = json!({
        "TableName": "notes", "Key": key("a", 1), "UpdateExpression": "SET r = :v",
        "ExpressionAttributeValues": {":v": {"N": "2"}},
    });
    assert_eq!(
        door.invalid("UpdateItem", update).await,
        "One or more parameter values were invalid: Cannot update attribute r. This attribute is part of the key"
    );
}

#[tokio::test]
async fn wrong_requests_are_refused_in_the_words_of_aws() {
    let door = Door::with_notes().await;
    let large = json!({"h": {"S": "a"}, "r": {"N": "1"}, "x": {"S": "x".repeat(410_000)}});
    for (operation, rest, message) in [
        (
            "GetItem",
            json!({"Key": {"h": {"S": "a"}}}),
            "The provided key element does not match the schema",
        ),
        (
            "GetItem",
            json!({"Key": {"h": {"N": "1"}, "r": {"N": "1"}}}),
            "The provided key element does not match the schema",
        ),
        (
            "PutItem",
            json!({"Item": {"h": {"S": "a"}}}),
            "One or more parameter values were invalid: Missing the key r in the item",
        ),
        (
            "PutItem",
            json!({"Item": {"h": {"S": "a"}, "r": {"S": "a"}}}),
            "One or more parameter values were invalid: Type mismatch for key r expected: N actual: S",
        ),
        (
            "PutItem",
            json!({"Item": large}),
            "Item size has exceeded the maximum allowed size",
        ),
        (
            "GetItem",
            json!({"Key": key("a", 1), "ExpressionAttributeNames": {"#a": "a"}}),
            "ExpressionAttributeNames can only be specified when using expressions",
        ),
        (
            "PutItem",
            json!({"Item": key("a", 1), "ExpressionAttributeValues": {":a": {"S": "a"}}}),
            "1 validation error detected: ExpressionAttributeValues can only be specified when using expressions: ConditionExpression is null",
        ),
        (
            "GetItem",
            json!({"Key": key("a", 1), "ProjectionExpression": "h", "AttributesToGet": ["h"]}),
            "Can not use both expression and non-expression parameters in the same request: Non-expression parameters: {AttributesToGet} Expression parameters: {ProjectionExpression}",
        ),
        (
            "PutItem",
            json!({"Item": key("a", 1), "ReturnValues": "SOME"}),
            "1 validation error detected: Value 'SOME' at 'returnValues' failed to satisfy constraint: Member must satisfy enum value set: [ALL_NEW, UPDATED_OLD, ALL_OLD, NONE, UPDATED_NEW]",
        ),
        (
            "PutItem",
            json!({}),
            "1 validation error detected: Value null at 'item' failed to satisfy constraint: Member must not be null",
        ),
        (
            "PutItem",
            json!({"Item": key("a", 1), "Expected": {}}),
            "1 validation error detected: One or more parameter values were invalid: The legacy parameter Expected is not supported; use ConditionExpression instead",
        ),
    ] {
        let mut request = rest;
        request["TableName"] = json!("notes");
        assert_eq!(door.invalid(operation, request).await, message);
    }
}

#[tokio::test]
async fn projections_and_attributes_to_get_narrow_the_answer() {
    let door = Door::with_notes().await;
    put(
        &door,
        json!({"h": {"S": "a"}, "r": {"N": "1"}, "x": {"S": "y"}, "z": {"S": "z"}}),
    )
    .await;
    let projected = json!({"TableName": "notes", "Key": key("a", 1), "ProjectionExpression": "#x",
        "ExpressionAttributeNames": {"#x": "x"}});
    assert_eq!(
        door.ok("GetItem", projected).await,
        json!({"Item": {"x": {"S": "y"}}})
    );
    let legacy = json!({"TableName": "notes", "Key": key("a", 1), "AttributesToGet": ["z"]});
    assert_eq!(
        door.ok("GetItem", legacy).await,
        json!({"Item": {"z": {"S": "z"}}})
    );
}

#[tokio::test]
async fn consumed_capacity_is_told_when_asked_for() {
    let door = Door::with_notes().await;
    let request = json!({"TableName": "notes", "Item": key("a", 1), "ReturnConsumedCapacity": "TOTAL"});
    assert_eq!(
        door.ok("PutItem", request).await,
        json!({"ConsumedCapacity": {"TableName": "notes", "CapacityUnits": 1.0}})
    );
}

#[tokio::test]
async fn batches_write_and_read_many_items_of_many_tables() {
    let door = Door::with_notes().await;
    door.ok("CreateTable", table("other", &[("id", "B")])).await;
    let write = json!({"RequestItems": {
        "notes": [{"PutRequest": {"Item": key("a", 1)}}, {"PutRequest": {"Item": key("a", 2)}}],
        "other": [{"PutRequest": {"Item": {"id": {"B": "AA=="}}}}],
    }});
    assert_eq!(
        door.ok("BatchWriteItem", write).await,
        json!({"UnprocessedItems": {}})
    );
    door.ok(
        "BatchWriteItem",
        json!({"RequestItems": {"notes": [{"DeleteRequest": {"Key": key("a", 2)}}]}}),
    )
    .await;
    let read = json!({"RequestItems": {
        "notes": {"Keys": [key("a", 1), key("a", 2)], "ProjectionExpression": "r"},
        "other": {"Keys": [{"id": {"B": "AA=="}}]},
    }});
    assert_eq!(
        door.ok("BatchGetItem", read).await,
        json!({"Responses": {"notes": [{"r": {"N": "1"}}], "other": [{"id": {"B": "AA=="}}]}, "UnprocessedKeys": {}})
    );
}

#[tokio::test]
async fn wrong_batches_are_refused_and_write_nothing() {
    let door = Door::with_notes().await;
    let puts = |items: Vec<Json>| {
        let requests: Vec<Json> = items
            .into_iter()
            .map(|item| json!({"PutRequest": {"Item": item}}))
            .collect();
        json!({"RequestItems": {"notes": requests}})
    };
    for (request, message) in [
        (
            puts(vec![key("a", 1), key("a", 1)]),
            "Provided list of item keys contains duplicates",
        ),
        (
            puts((0..26).map(|r| key("a", r)).collect()),
            "Too many items requested for the BatchWriteItem call",
        ),
        (
            puts(vec![key("a", 1), json!({})]),
            "One or more parameter values were invalid: Missing the key h in the item",
        ),
        (
            json!({"RequestItems": {}}),
            "1 validation error detected: Value '{}' at 'requestItems' failed to satisfy constraint: Member must have length greater than or equal to 1",
        ),
    ] {
        assert_eq!(door.invalid("BatchWriteItem", request).await, message);
    }
    assert_eq!(door.ok("Scan", json!({"TableName": "notes"})).await["Count"], 0);
    let keys: Vec<Json> = (0..101).map(|r| key("a", r)).collect();
    assert_eq!(
        door.invalid("BatchGetItem", json!({"RequestItems": {"notes": {"Keys": keys}}}))
            .await,
        "Too many items requested for the BatchGetItem call"
    );
}

#[tokio::test]
async fn concurrent_counters_lose_no_update() {
    let door = std::sync::Arc::new(Door::with_notes().await);
    let update = json!({
        "TableName": "notes", "Key": key("a", 1), "UpdateExpression": "ADD c :one",
        "ExpressionAttributeValues": {":one": {"N": "1"}},
    });
    let tasks: Vec<_> = (0..32)
        .map(|_| {
            let (door, update) = (std::sync::Arc::clone(&door), update.clone());
            tokio::spawn(async move { door.ok("UpdateItem", update).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(get(&door, &key("a", 1)).await["Item"]["c"], json!({"N": "32"}));
}

#[tokio::test]
async fn a_wrong_expression_is_one_counted_error_in_a_write_and_a_plain_one_in_a_read() {
    let door = Door::with_notes().await;
    let syntax = "Syntax error; token: \"=\", near: \"= =\"";
    let put = json!({"TableName": "notes", "Item": key("a", 1), "ConditionExpression": "x = ="});
    assert_eq!(
        door.invalid("PutItem", put).await,
        format!("1 validation error detected: Invalid ConditionExpression: {syntax}")
    );
    let query = json!({"TableName": "notes", "KeyConditionExpression": "h = ="});
    assert_eq!(
        door.invalid("Query", query).await,
        format!("Invalid KeyConditionExpression: {syntax}")
    );
}

#[tokio::test]
async fn an_updated_element_is_returned_with_its_list() {
    let door = Door::with_notes().await;
    put(
        &door,
        json!({"h": {"S": "a"}, "r": {"N": "1"}, "m": {"M": {"l": {"L": [{"N": "1"}]}, "k": {"N": "2"}}}}),
    )
    .await;
    let update = json!({
        "TableName": "notes", "Key": key("a", 1), "UpdateExpression": "SET m.l[7] = :v, m.l[0] = :v",
        "ExpressionAttributeValues": {":v": {"N": "5"}}, "ReturnValues": "UPDATED_NEW",
    });
    assert_eq!(
        door.ok("UpdateItem", update).await["Attributes"],
        json!({"m": {"M": {"l": {"L": [{"N": "5"}, {"N": "5"}]}}}})
    );
}
