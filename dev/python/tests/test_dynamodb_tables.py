"""DynamoDB tables: as Terraform's users and Terragrunt make them."""

import uuid

import pytest
from conftest import Refused, make_table


def test_a_table_is_made_described_listed_and_deleted(dynamodb):
    name = make_table(dynamodb, ("LockID", "HASH", "S"))
    described = dynamodb.describe_table(TableName=name)["Table"]
    assert described["TableStatus"] == "ACTIVE" and described["TableName"] == name
    assert described["KeySchema"] == [{"AttributeName": "LockID", "KeyType": "HASH"}]
    assert described["AttributeDefinitions"] == [{"AttributeName": "LockID", "AttributeType": "S"}]
    assert described["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert described["TableArn"].startswith("arn:aws:dynamodb:") and described["TableArn"].endswith(f":table/{name}")
    assert name in dynamodb.list_tables()["TableNames"]
    dynamodb.put_item(TableName=name, Item={"LockID": {"S": "a"}})
    assert dynamodb.delete_table(TableName=name)["TableDescription"]["TableStatus"] == "DELETING"
    dynamodb.get_waiter("table_not_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    assert name not in dynamodb.list_tables()["TableNames"]
    with Refused("ResourceNotFoundException", 400):
        dynamodb.put_item(TableName=name, Item={"LockID": {"S": "a"}})


def test_a_table_deleted_and_made_again_is_empty(dynamodb, table):
    dynamodb.put_item(TableName=table, Item={"LockID": {"S": "a"}})
    dynamodb.delete_table(TableName=table)
    dynamodb.create_table(
        TableName=table,
        AttributeDefinitions=[{"AttributeName": "LockID", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "LockID", "KeyType": "HASH"}],
        ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
    )
    assert dynamodb.scan(TableName=table)["Count"] == 0


def test_a_table_that_exists_is_not_made_again(dynamodb, table):
    with Refused("ResourceInUseException", 400):
        dynamodb.create_table(
            TableName=table,
            AttributeDefinitions=[{"AttributeName": "LockID", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "LockID", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )


@pytest.mark.parametrize(
    "change",
    [
        {"TableName": "no spaces"},
        {"TableName": "x" * 256},
        {"KeySchema": [{"AttributeName": "other", "KeyType": "HASH"}]},
        {"KeySchema": [{"AttributeName": "LockID", "KeyType": "RANGE"}]},
        {"AttributeDefinitions": [{"AttributeName": "LockID", "AttributeType": "X"}]},
        {"AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in ["LockID", "unused"]]},
        {"BillingMode": "PROVISIONED"},
    ],
    ids=str,
)
def test_a_table_that_aws_refuses_is_refused(dynamodb, change):
    given = {
        "TableName": f"test-{uuid.uuid4()}",
        "AttributeDefinitions": [{"AttributeName": "LockID", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "LockID", "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
    }
    with Refused("ValidationException", 400):
        dynamodb.create_table(**{**given, **change})


def test_tables_are_listed_in_pages(dynamodb):
    made = {make_table(dynamodb, ("LockID", "HASH", "S")) for _ in range(3)}
    pages = dynamodb.get_paginator("list_tables").paginate(PaginationConfig={"PageSize": 2})
    names = [name for page in pages for name in page["TableNames"]]
    assert made <= set(names) and names == sorted(names)
