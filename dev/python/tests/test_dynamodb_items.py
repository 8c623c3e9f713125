"""DynamoDB items: the lock table's requests, every attribute type, and the errors by their codes."""

import json
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError
from conftest import Refused

EVERY_TYPE = {
    "s": {"S": "żółw 😀"}, "empty": {"S": ""}, "n": {"N": "-12.5"}, "b": {"B": bytes(range(256))}, "t": {"BOOL": True}, "f": {"BOOL": False},
    "null": {"NULL": True}, "l": {"L": [{"S": "a"}, {"N": "1"}, {"L": []}]}, "m": {"M": {"k": {"M": {"deep": {"S": "x"}}}}},
    "ss": {"SS": ["a", "b"]}, "ns": {"NS": ["1", "2.5"]}, "bs": {"BS": [b"a", b"b"]},
}  # fmt: skip


def key(value):
    return {"LockID": {"S": value}}


def put(dynamodb, table, lock, **attributes):
    return dynamodb.put_item(TableName=table, Item={**key(lock), **attributes})


def get(dynamodb, table, lock, **given):
    return dynamodb.get_item(TableName=table, Key=key(lock), ConsistentRead=True, **given).get("Item")


def test_every_attribute_type_comes_back_as_it_went_in(dynamodb, table):
    put(dynamodb, table, "a", **EVERY_TYPE)
    item = get(dynamodb, table, "a")
    for name in ["ss", "ns", "bs"]:
        kind = name.upper()
        assert sorted(item.pop(name)[kind]) == EVERY_TYPE[name][kind]
    assert item == {**key("a"), **{name: value for name, value in EVERY_TYPE.items() if name not in ["ss", "ns", "bs"]}}


@pytest.mark.parametrize(
    "given, kept",
    [("007", "7"), ("1.50", "1.5"), ("-0", "0"), ("1e3", "1000"), ("1" * 38, "1" * 38), ("0.00001", "0.00001"), ("12E-1", "1.2")],
)
def test_a_number_is_kept_exactly_in_its_plain_form(dynamodb, table, given, kept):
    put(dynamodb, table, "a", n={"N": given})
    assert get(dynamodb, table, "a")["n"] == {"N": kept}


@pytest.mark.parametrize("given", ["", "abc", "1" * 39, "1e126", "1e-131", "NaN", "Infinity", "0x10", " 1"])
def test_a_number_that_is_none_is_refused(dynamodb, table, given):
    with Refused("ValidationException", 400):
        put(dynamodb, table, "a", n={"N": given})


def test_a_missing_item_is_an_answer_without_an_item(dynamodb, table):
    assert "Item" not in dynamodb.get_item(TableName=table, Key=key("missing"))
    assert dynamodb.delete_item(TableName=table, Key=key("missing"), ReturnValues="ALL_OLD").get("Attributes") is None


def test_terraform_s_lock_is_taken_once_read_and_given_back(dynamodb):
    lock = f"tfstate/{uuid.uuid4()}/x.tfstate"
    info = json.dumps({"ID": str(uuid.uuid4()), "Operation": "OperationTypeApply", "Who": "a@b", "Path": lock, "Info": "", "Version": "1.11.4", "Created": "2026-11-21T09:00:00Z"})
    take = {
        "TableName": "terraform-locks",
        "Item": {**key(lock), "Info": {"S": info}},
        "ConditionExpression": "attribute_not_exists(LockID)",
    }
    dynamodb.put_item(**take)
    other = {**take, "Item": {**key(lock), "Info": {"S": info.replace('"ID": "', '"ID": "0')}}}
    with Refused("ConditionalCheckFailedException", 400) as refused:
        dynamodb.put_item(**other)
    assert refused.message == "The conditional request failed"
    shown = dynamodb.get_item(TableName="terraform-locks", Key=key(lock), ProjectionExpression="LockID, Info", ConsistentRead=True)
    assert shown["Item"] == {**key(lock), "Info": {"S": info}}
    # OpenTofu deletes with the info it has read as the condition.
    wrong = {":info": {"S": "another"}}
    with Refused("ConditionalCheckFailedException", 400):
        dynamodb.delete_item(TableName="terraform-locks", Key=key(lock), ConditionExpression="Info = :info", ExpressionAttributeValues=wrong)
    right = {":info": {"S": info}}
    dynamodb.delete_item(TableName="terraform-locks", Key=key(lock), ConditionExpression="Info = :info", ExpressionAttributeValues=right)
    dynamodb.put_item(**other)
    dynamodb.delete_item(TableName="terraform-locks", Key=key(lock))


def test_of_many_locks_at_once_one_is_taken(dynamodb, table):
    def attempt(n):
        try:
            item = {**key("one"), "n": {"N": str(n)}}
            dynamodb.put_item(TableName=table, Item=item, ConditionExpression="attribute_not_exists(LockID)")
            return n
        except ClientError as error:
            assert error.response["Error"]["Code"] == "ConditionalCheckFailedException"

    with ThreadPoolExecutor(16) as pool:
        winners = [n for n in pool.map(attempt, range(32)) if n is not None]
    assert len(winners) == 1 and get(dynamodb, table, "one")["n"] == {"N": str(winners[0])}


def test_a_refused_condition_shows_the_item_when_asked_to(dynamodb, table):
    put(dynamodb, table, "a", v={"N": "1"})
    with Refused("ConditionalCheckFailedException", 400) as refused:
        dynamodb.put_item(
            TableName=table,
            Item=key("a"),
            ConditionExpression="attribute_not_exists(LockID)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    assert refused.response["Item"] == {**key("a"), "v": {"N": "1"}}


def test_old_and_new_values_are_returned_as_asked(dynamodb, table):
    assert "Attributes" not in put(dynamodb, table, "a", v={"N": "1"})
    old = dynamodb.put_item(TableName=table, Item={**key("a"), "v": {"N": "2"}}, ReturnValues="ALL_OLD")
    assert old["Attributes"] == {**key("a"), "v": {"N": "1"}}

    def update(returned):
        return dynamodb.update_item(
            TableName=table,
            Key=key("a"),
            UpdateExpression="SET v = v + :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
            ReturnValues=returned,
        ).get("Attributes")

    assert update("NONE") is None
    assert update("UPDATED_OLD") == {"v": {"N": "3"}}
    assert update("UPDATED_NEW") == {"v": {"N": "5"}}
    assert update("ALL_OLD") == {**key("a"), "v": {"N": "5"}}
    assert update("ALL_NEW") == {**key("a"), "v": {"N": "7"}}
    assert dynamodb.delete_item(TableName=table, Key=key("a"), ReturnValues="ALL_OLD")["Attributes"]["v"] == {"N": "7"}


def test_batches_write_and_read_many_items(dynamodb, table):
    items = [{**key(f"k{n}"), "n": {"N": str(n)}} for n in range(25)]
    written = dynamodb.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": item}} for item in items]})
    assert written["UnprocessedItems"] == {}
    wanted = {"Keys": [key(f"k{n}") for n in [0, 7, 24, 99]], "ProjectionExpression": "n"}
    got = dynamodb.batch_get_item(RequestItems={table: wanted})
    assert sorted(item["n"]["N"] for item in got["Responses"][table]) == ["0", "24", "7"] and got["UnprocessedKeys"] == {}
    dynamodb.batch_write_item(RequestItems={table: [{"DeleteRequest": {"Key": key("k0")}}]})
    assert get(dynamodb, table, "k0") is None


def test_batches_beyond_the_limits_are_refused(dynamodb, table):
    puts = [{"PutRequest": {"Item": key(f"k{n}")}} for n in range(26)]
    with Refused("ValidationException", 400):
        dynamodb.batch_write_item(RequestItems={table: puts})
    with Refused("ValidationException", 400):
        dynamodb.batch_write_item(RequestItems={table: puts[:1] * 2})
    with Refused("ValidationException", 400):
        dynamodb.batch_get_item(RequestItems={table: {"Keys": [key(f"k{n}") for n in range(101)]}})
    assert dynamodb.scan(TableName=table)["Count"] == 0


def test_capacity_is_counted_when_asked_for(dynamodb, table):
    done = dynamodb.put_item(TableName=table, Item=key("a"), ReturnConsumedCapacity="TOTAL")
    assert done["ConsumedCapacity"]["TableName"] == table and done["ConsumedCapacity"]["CapacityUnits"] >= 1


@pytest.mark.parametrize(
    "item",
    [
        {},
        {"other": {"S": "a"}},
        {"LockID": {"N": "1"}},
        {"LockID": {"S": ""}},
        {"LockID": {"S": "x" * 2049}},
        {"LockID": {"S": "a"}, "set": {"SS": []}},
        {"LockID": {"S": "a"}, "set": {"SS": ["x", "x"]}},
        {"LockID": {"S": "a"}, "null": {"NULL": False}},
        {"LockID": {"S": "a"}, "large": {"S": "x" * (400 << 10)}},
    ],
    ids=lambda item: str(item)[:30],
)
def test_an_item_that_aws_refuses_is_refused(dynamodb, table, item):
    with Refused("ValidationException", 400):
        dynamodb.put_item(TableName=table, Item=item)
    assert dynamodb.scan(TableName=table)["Count"] == 0


def test_a_key_must_be_the_whole_key_and_nothing_else(dynamodb, ranged):
    for wrong in [{"p": {"S": "a"}}, {"p": {"S": "a"}, "s": {"S": "1"}}, {"p": {"S": "a"}, "s": {"N": "1"}, "x": {"S": "1"}}]:
        with Refused("ValidationException", 400):
            dynamodb.get_item(TableName=ranged, Key=wrong)
    with Refused("ValidationException", 400) as refused:
        dynamodb.get_item(TableName=ranged, Key={"p": {"S": "a"}, "s": {"S": "1"}})
    assert refused.message == "The provided key element does not match the schema"


def test_a_missing_table_is_a_resource_not_found(dynamodb):
    calls = [
        lambda: put(dynamodb, "missing", "a"),
        lambda: dynamodb.get_item(TableName="missing", Key=key("a")),
        lambda: dynamodb.scan(TableName="missing"),
        lambda: dynamodb.describe_table(TableName="missing"),
        lambda: dynamodb.delete_table(TableName="missing"),
    ]
    for call in calls:
        with Refused("ResourceNotFoundException", 400):
            call()
