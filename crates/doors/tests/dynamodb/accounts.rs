//! Tables belong to accounts: a name is one's own, an ARN says whose.

use serde_json::json;

use crate::door::{Door, table};

/// The same server, asked by somebody of this account.
fn of_account(mut door: Door, account: &str) -> Door {
    door.caller.principal = format!("arn:aws:iam::{account}:user/ann");
    door
}

#[tokio::test]
async fn two_accounts_have_tables_of_one_name_and_see_their_own() {
    let mut door = of_account(Door::new(), "000000000000");
    for (account, tables) in [
        ("000000000000", ["aaa", "locks"].as_slice()),
        ("111111111111", &["locks", "zzz"]),
        ("111111111112", &["locks"]),
    ] {
        door = of_account(door, account);
        for name in tables {
            door.ok("CreateTable", table(name, &[("LockID", "S")])).await;
        }
        let again = door
            .refused("CreateTable", table("locks", &[("LockID", "S")]))
            .await;
        assert_eq!(again.1, "Table already exists: locks");
        let put = json!({"TableName": "locks", "Item": {"LockID": {"S": "mine"}, "of": {"S": account}}});
        door.ok("PutItem", put).await;
    }
    for (account, tables) in [
        ("000000000000", json!(["aaa", "locks"])),
        ("111111111111", json!(["locks", "zzz"])),
        ("111111111112", json!(["locks"])),
        ("999999999999", json!([])),
    ] {
        door = of_account(door, account);
        assert_eq!(
            door.ok("ListTables", json!({})).await["TableNames"],
            tables,
            "{account}"
        );
    }
    door = of_account(door, "111111111111");
    let shown = door.ok("DescribeTable", json!({"TableName": "locks"})).await;
    let arn = "arn:aws:dynamodb:us-east-1:111111111111:table/locks";
    assert_eq!(shown["Table"]["TableArn"], arn);
    assert_eq!(shown["Table"]["TableName"], "locks");
    let paged = door.ok("ListTables", json!({"Limit": 1})).await;
    assert_eq!(
        paged,
        json!({"TableNames": ["locks"], "LastEvaluatedTableName": "locks"})
    );
    let key = json!({"LockID": {"S": "mine"}});
    for (name, whose) in [
        ("locks", "111111111111"),
        (arn, "111111111111"),
        (
            "arn:aws:dynamodb:eu-west-1:000000000000:table/locks",
            "000000000000",
        ),
    ] {
        let got = door.ok("GetItem", json!({"TableName": name, "Key": key})).await;
        assert_eq!(got["Item"]["of"]["S"], whose, "{name}");
    }
}

#[tokio::test]
async fn a_name_that_only_looks_like_one_of_another_account_is_refused() {
    let door = Door::with_lock_table().await;
    for name in [
        "123456789012:locks",
        "arn:aws:dynamodb:us-east-1:1234:table/locks",
        "arn:aws:dynamodb:us-east-1:123456789012:table/locks/index/x",
    ] {
        let message = door.invalid("DescribeTable", json!({"TableName": name})).await;
        assert!(message.contains("regular expression pattern"), "{message}");
    }
}
