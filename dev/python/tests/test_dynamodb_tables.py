"""DynamoDB tables: as Terraform's users and Terragrunt make them."""

import uuid
from datetime import timedelta

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


def test_time_to_live_is_set_and_told(dynamodb, table):
    asked = {"Enabled": True, "AttributeName": "Expires"}
    dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=asked)
    told = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    assert told == {"TimeToLiveStatus": "ENABLED", "AttributeName": "Expires"}
    with Refused("ValidationException", 400) as refused:
        dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=asked)
    assert refused.message == "TimeToLive is already enabled"


def test_a_table_is_restored_to_a_moment_of_its_past(dynamodb, table):
    switch = {"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 7}
    dynamodb.update_continuous_backups(TableName=table, PointInTimeRecoverySpecification=switch)
    dynamodb.put_item(TableName=table, Item={"LockID": {"S": "a"}, "v": {"N": "1"}})
    described = dynamodb.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    recovery = described["PointInTimeRecoveryDescription"]
    assert (recovery["PointInTimeRecoveryStatus"], recovery["RecoveryPeriodInDays"]) == ("ENABLED", 7)
    moment = recovery["LatestRestorableDateTime"]
    assert recovery["EarliestRestorableDateTime"] <= moment
    dynamodb.delete_item(TableName=table, Key={"LockID": {"S": "a"}})
    target = f"{table}-restored"
    dynamodb.restore_table_to_point_in_time(
        SourceTableName=table, TargetTableName=target, UseLatestRestorableTime=True
    )
    dynamodb.get_waiter("table_exists").wait(TableName=target, WaiterConfig={"Delay": 1})
    assert dynamodb.scan(TableName=target)["Items"] == []
    with Refused("TableAlreadyExistsException", 400):
        dynamodb.restore_table_to_point_in_time(
            SourceTableName=table, TargetTableName=target, UseLatestRestorableTime=True
        )
    with Refused("InvalidRestoreTimeException", 400):
        dynamodb.restore_table_to_point_in_time(
            SourceTableName=table, TargetTableName=f"{target}-2", RestoreDateTime=moment - timedelta(days=1)
        )


def test_what_no_table_has_is_absent_or_refused(dynamodb, table):
    insights = dynamodb.describe_contributor_insights(TableName=table)
    assert insights["ContributorInsightsStatus"] == "DISABLED"
    streams = dynamodb.describe_kinesis_streaming_destination(TableName=table)
    assert streams["KinesisDataStreamDestinations"] == []
    arn = dynamodb.describe_table(TableName=table)["Table"]["TableArn"]
    with Refused("PolicyNotFoundException", 400):
        dynamodb.get_resource_policy(ResourceArn=arn)
    with Refused("ValidationException", 400) as refused:
        dynamodb.update_table(
            TableName=table, StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
        )
    assert "StreamSpecification is not supported by this server" in refused.message
    with Refused("UnknownOperationException", 400):
        dynamodb.create_backup(TableName=table, BackupName="backup")
