//! Tables: made, described, changed, tagged, listed, deleted; and the protocol around every operation.

use http_body_util::BodyExt;
use serde_json::json;

use crate::door::{Door, table};

#[tokio::test]
async fn a_table_is_described_as_the_terraform_provider_reads_it() {
    let door = Door::with_lock_table().await;
    let shown = door.ok("DescribeTable", json!({"TableName": "locks"})).await;
    let shown = &shown["Table"];
    assert_eq!(shown["TableStatus"], "ACTIVE");
    assert_eq!(
        shown["TableArn"],
        "arn:aws:dynamodb:us-east-1:123456789012:table/locks"
    );
    assert_eq!(shown["TableId"].as_str().unwrap().len(), 36);
    assert_eq!(
        shown["KeySchema"],
        json!([{"AttributeName": "LockID", "KeyType": "HASH"}])
    );
    assert_eq!(
        shown["AttributeDefinitions"],
        json!([{"AttributeName": "LockID", "AttributeType": "S"}])
    );
    assert_eq!(shown["BillingModeSummary"]["BillingMode"], "PAY_PER_REQUEST");
    assert_eq!(shown["ItemCount"], 0);
    assert_eq!(shown["DeletionProtectionEnabled"], false);
    assert!(shown["CreationDateTime"].is_f64());
}

#[tokio::test]
async fn a_table_can_be_named_by_its_arn() {
    let door = Door::with_lock_table().await;
    let arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/locks";
    assert_eq!(
        door.ok("DescribeTable", json!({"TableName": arn})).await["Table"]["TableName"],
        "locks"
    );
}

#[tokio::test]
async fn tables_are_listed_in_pages() {
    let door = Door::new();
    for name in ["aaa", "bbb", "ccc"] {
        door.ok("CreateTable", table(name, &[("id", "S")])).await;
    }
    let first = door.ok("ListTables", json!({"Limit": 2})).await;
    assert_eq!(
        first,
        json!({"TableNames": ["aaa", "bbb"], "LastEvaluatedTableName": "bbb"})
    );
    let rest = door
        .ok("ListTables", json!({"ExclusiveStartTableName": "bbb"}))
        .await;
    assert_eq!(rest, json!({"TableNames": ["ccc"]}));
    assert!(
        door.invalid("ListTables", json!({"Limit": 101}))
            .await
            .contains("less than or equal to 100")
    );
}

#[tokio::test]
async fn tables_that_exist_or_do_not_are_told_in_the_words_of_aws() {
    let door = Door::with_lock_table().await;
    assert_eq!(
        door.refused("CreateTable", table("locks", &[("id", "S")])).await,
        (
            "ResourceInUseException".to_owned(),
            "Table already exists: locks".to_owned()
        )
    );
    for operation in [
        "DescribeTable",
        "DeleteTable",
        "UpdateTable",
        "DescribeTimeToLive",
    ] {
        let request = json!({"TableName": "none", "TableClass": "STANDARD"});
        assert_eq!(
            door.refused(operation, request).await,
            (
                "ResourceNotFoundException".to_owned(),
                "Requested resource not found: Table: none not found".to_owned()
            )
        );
    }
    let get = json!({"TableName": "none", "Key": {"id": {"S": "a"}}});
    assert_eq!(
        door.refused("GetItem", get).await,
        (
            "ResourceNotFoundException".to_owned(),
            "Requested resource not found".to_owned()
        )
    );
}

#[tokio::test]
async fn a_deleted_table_is_gone_with_its_items() {
    let door = Door::with_notes().await;
    let item = json!({"TableName": "notes", "Item": {"h": {"S": "a"}, "r": {"N": "1"}}});
    door.ok("PutItem", item).await;
    let deleted = door.ok("DeleteTable", json!({"TableName": "notes"})).await;
    assert_eq!(deleted["TableDescription"]["TableStatus"], "DELETING");
    door.ok("CreateTable", table("notes", &[("h", "S"), ("r", "N")]))
        .await;
    assert_eq!(door.ok("Scan", json!({"TableName": "notes"})).await["Count"], 0);
}

#[tokio::test]
async fn a_protected_table_is_not_deleted() {
    let door = Door::with_notes().await;
    let protect = |on: bool| json!({"TableName": "notes", "DeletionProtectionEnabled": on});
    let shown = door.ok("UpdateTable", protect(true)).await;
    assert_eq!(shown["TableDescription"]["DeletionProtectionEnabled"], true);
    assert!(
        door.invalid("DeleteTable", json!({"TableName": "notes"}))
            .await
            .contains("protected against deletion")
    );
    door.ok("UpdateTable", protect(false)).await;
    door.ok("DeleteTable", json!({"TableName": "notes"})).await;
}

#[tokio::test]
async fn billing_and_encryption_can_be_changed() {
    let door = Door::with_notes().await;
    let provisioned = json!({
        "TableName": "notes", "BillingMode": "PROVISIONED",
        "ProvisionedThroughput": {"ReadCapacityUnits": 3, "WriteCapacityUnits": 4},
        "SSESpecification": {"Enabled": true},
    });
    door.ok("UpdateTable", provisioned).await;
    let shown = door.ok("DescribeTable", json!({"TableName": "notes"})).await;
    assert_eq!(shown["Table"]["ProvisionedThroughput"]["WriteCapacityUnits"], 4);
    assert_eq!(shown["Table"]["SSEDescription"]["Status"], "ENABLED");
    assert_eq!(shown["Table"]["BillingModeSummary"]["BillingMode"], "PROVISIONED");
    door.ok(
        "UpdateTable",
        json!({"TableName": "notes", "BillingMode": "PAY_PER_REQUEST"}),
    )
    .await;
    let message = door
        .invalid(
            "UpdateTable",
            json!({"TableName": "notes", "BillingMode": "PROVISIONED"}),
        )
        .await;
    assert!(
        message.contains("must both be specified when BillingMode is PROVISIONED"),
        "{message}"
    );
}

#[tokio::test]
async fn tags_are_kept_with_the_table() {
    let door = Door::with_lock_table().await;
    let arn = "arn:aws:dynamodb:us-east-1:123456789012:table/locks";
    let tags = json!([{"Key": "team", "Value": "infra"}, {"Key": "env", "Value": "prod"}]);
    door.ok("TagResource", json!({"ResourceArn": arn, "Tags": tags}))
        .await;
    door.ok("UntagResource", json!({"ResourceArn": arn, "TagKeys": ["env"]}))
        .await;
    assert_eq!(
        door.ok("ListTagsOfResource", json!({"ResourceArn": arn})).await,
        json!({"Tags": [{"Key": "team", "Value": "infra"}]})
    );
    let too_many: Vec<_> = (0..51)
        .map(|tag| json!({"Key": tag.to_string(), "Value": ""}))
        .collect();
    assert!(
        door.invalid("TagResource", json!({"ResourceArn": arn, "Tags": too_many}))
            .await
            .contains("Too many tags")
    );
}

#[tokio::test]
async fn wrong_key_schemas_are_refused() {
    let door = Door::new();
    for (keys, part) in [
        (
            json!([{"AttributeName": "a", "KeyType": "RANGE"}]),
            "The first KeySchemaElement is not a HASH key type",
        ),
        (
            json!([{"AttributeName": "b", "KeyType": "HASH"}]),
            "Some index key attributes are not defined in AttributeDefinitions",
        ),
        (
            json!([{"AttributeName": "a", "KeyType": "X"}]),
            "Member must satisfy enum value set: [HASH, RANGE]",
        ),
        (json!([]), "Member must have length greater than or equal to 1"),
    ] {
        let request = json!({
            "TableName": "tab", "BillingMode": "PAY_PER_REQUEST", "KeySchema": keys,
            "AttributeDefinitions": [{"AttributeName": "a", "AttributeType": "S"}],
        });
        let message = door.invalid("CreateTable", request).await;
        assert!(message.contains(part), "{message}");
    }
    let mut request = table("tab", &[("a", "S")]);
    request["LocalSecondaryIndexes"] = json!([{}]);
    assert!(
        door.invalid("CreateTable", request)
            .await
            .contains("not supported by this server")
    );
    assert!(
        door.invalid("CreateTable", table("x", &[("a", "S")]))
            .await
            .contains("greater than or equal to 3")
    );
    assert!(
        door.invalid("CreateTable", table("x y z", &[("a", "S")]))
            .await
            .contains("regular expression pattern")
    );
}

#[tokio::test]
async fn answers_are_json_1_0_with_a_crc32() {
    let door = Door::with_lock_table().await;
    let response = door.send("ListTables", "{}").await;
    assert_eq!(response.headers()["content-type"], "application/x-amz-json-1.0");
    let crc = response.headers()["x-amz-crc32"]
        .to_str()
        .unwrap()
        .parse::<u64>()
        .unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(
        crc,
        crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32IsoHdlc, &body)
    );
}

#[tokio::test]
async fn unknown_operations_and_malformed_bodies_are_refused() {
    let door = Door::with_lock_table().await;
    let (code, _) = door.refused("TransactGetItemsX", json!({})).await;
    assert_eq!(code, "UnknownOperationException");
    for body in [
        "",
        "{",
        "[]",
        "null",
        "{\"TableName\": 1}",
        "\u{0}",
        &"[".repeat(100_000),
    ] {
        let response = door.send("DescribeTable", body.to_owned()).await;
        assert_eq!(response.status(), 400, "{body:.20}");
        let answer = response.into_body().collect().await.unwrap().to_bytes();
        let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(
            answer["__type"],
            "com.amazon.coral.service#SerializationException"
        );
    }
    assert!(
        door.invalid("DescribeTable", json!({}))
            .await
            .contains("Value null at 'tableName'")
    );
}
