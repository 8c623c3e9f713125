"""The expression language of DynamoDB: conditions, updates, projections, key conditions, filters."""

import pytest
from conftest import Refused

KEY = {"LockID": {"S": "a"}}
ITEM = {
    **KEY, "n": {"N": "5"}, "s": {"S": "hello"}, "l": {"L": [{"N": "1"}, {"N": "2"}, {"N": "3"}]}, "t": {"BOOL": True},
    "m": {"M": {"k": {"S": "v"}, "l": {"L": [{"M": {"x": {"N": "9"}}}]}}}, "ss": {"SS": ["a", "b"]}, "name": {"S": "reserved"},
}  # fmt: skip
VALUES = {
    ":one": {"N": "1"}, ":five": {"N": "5"}, ":nine": {"N": "9"}, ":hello": {"S": "hello"}, ":he": {"S": "he"}, ":a": {"S": "a"},
    ":N": {"S": "N"}, ":zz": {"S": "zz"}, ":t": {"BOOL": True}, ":list": {"L": [{"N": "4"}]}, ":set": {"SS": ["b", "c"]},
}  # fmt: skip


@pytest.fixture
def filled(dynamodb, table):
    dynamodb.put_item(TableName=table, Item=ITEM)
    return table


def used(expression):
    """The placeholders of the expression: one that is defined and not used is an error."""
    values = {name: value for name, value in VALUES.items() if name in expression.replace("(", " ").replace(")", " ").replace(",", " ").split()}
    names = {"#name": "name"} if "#name" in expression else {}
    return {**({"ExpressionAttributeValues": values} if values else {}), **({"ExpressionAttributeNames": names} if names else {})}


CONDITIONS = {
    "n = :five": True, "n <> :five": False, "n < :nine": True, "n <= :five": True, "n > :nine": False, "n >= :five": True,
    "n BETWEEN :one AND :nine": True, "n BETWEEN :nine AND :nine": False, "n IN ( :one , :five )": True, "n IN ( :one )": False,
    "attribute_exists(n)": True, "attribute_not_exists(n)": False, "attribute_exists(m.k)": True, "attribute_exists(m.zz)": False,
    "attribute_exists(l[2])": True, "attribute_exists(l[3])": False, "attribute_type(n, :N)": True, "attribute_type(s, :N)": False,
    "begins_with(s, :he)": True, "begins_with(s, :zz)": False, "contains(s, :he)": True, "contains(ss, :a)": True, "contains(ss, :zz)": False,
    "contains(l, :one)": True, "size(s) = :five": True, "size(l) > :nine": False, "m.l[0].x = :nine": True, "t = :t": True,
    "#name = :zz": False, "NOT n = :nine": True, "NOT (n = :five AND s = :hello)": False, "n = :one OR s = :hello": True,
    "n = :one OR s = :hello AND t = :t": True, "(n = :one OR s = :hello) AND n = :nine": False, "n = s": False, "absent = :one": False,
    "absent <> :one": True, "n = :hello": False, "n < :hello": False, "s > :he": True,
    "Attribute_Exists ( n )": None, "attribute_exists(LockID) and not attribute_exists(zz)": True,
}  # fmt: skip


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_condition_holds_or_not(dynamodb, filled, condition):
    def put():
        dynamodb.put_item(TableName=filled, Item=ITEM, ConditionExpression=condition, **used(condition))

    expected = CONDITIONS[condition]
    if expected is True:
        put()
    else:
        with Refused("ConditionalCheckFailedException" if expected is False else "ValidationException", 400):
            put()


UPDATES = {
    "SET n = :nine": {"n": {"N": "9"}},
    "SET n = n + :one, s = :he": {"n": {"N": "6"}, "s": {"S": "he"}},
    "SET n = n - :nine": {"n": {"N": "-4"}},
    "SET fresh = if_not_exists(fresh, :one)": {"fresh": {"N": "1"}},
    "SET n = if_not_exists(n, :one)": {"n": {"N": "5"}},
    "SET l = list_append(l, :list)": {"l": {"L": [{"N": "1"}, {"N": "2"}, {"N": "3"}, {"N": "4"}]}},
    "SET l[0] = :nine": {"l": {"L": [{"N": "9"}, {"N": "2"}, {"N": "3"}]}},
    "SET l[9] = :nine": {"l": {"L": [{"N": "1"}, {"N": "2"}, {"N": "3"}, {"N": "9"}]}},
    "SET m.k = :a, m.fresh = n": {"m": {"M": {"k": {"S": "a"}, "fresh": {"N": "5"}, "l": {"L": [{"M": {"x": {"N": "9"}}}]}}}},
    "SET #name = :a": {"name": {"S": "a"}},
    "SET n = s, s = n": {"n": {"S": "hello"}, "s": {"N": "5"}},
    "REMOVE n, m.k": {"n": None, "m": {"M": {"l": {"L": [{"M": {"x": {"N": "9"}}}]}}}},
    "REMOVE l[0], l[2]": {"l": {"L": [{"N": "2"}]}},
    "REMOVE absent": {},
    "ADD n :nine, fresh :one": {"n": {"N": "14"}, "fresh": {"N": "1"}},
    "ADD ss :set": {"ss": {"SS": ["a", "b", "c"]}},
    "DELETE ss :set": {"ss": {"SS": ["a"]}},
    "SET n = :one REMOVE s ADD fresh :five DELETE ss :set": {"n": {"N": "1"}, "s": None, "fresh": {"N": "5"}, "ss": {"SS": ["a"]}},
}


@pytest.mark.parametrize("update", UPDATES)
def test_an_update_changes_what_it_names(dynamodb, filled, update):
    done = dynamodb.update_item(TableName=filled, Key=KEY, UpdateExpression=update, ReturnValues="ALL_NEW", **used(update))
    expected = {**ITEM, **UPDATES[update]}
    expected = {name: value for name, value in expected.items() if value is not None}
    for item in [done["Attributes"], dynamodb.get_item(TableName=filled, Key=KEY)["Item"]]:
        if "ss" in item:
            item["ss"]["SS"].sort()
        assert item == expected


@pytest.mark.parametrize(
    "update",
    [
        "SET LockID = :a", "SET n = absent", "SET n = n + :hello", "SET absent.deep = :one", "ADD s :one", "SET n = :one, n = :nine",
        "SET m = :one, m.k = :a", "SET n = :undefined", "SET n", "SET", "", "SET n = :one SET s = :a", "FOO n", "SET n = :one +",
        "SET name = :a", "REMOVE LockID", "DELETE n :set", "SET n = list_append(n, :list)", "SET l[x] = :one", "SET n = unknown(:one)",
    ],
)  # fmt: skip
def test_an_update_that_aws_refuses_is_refused_and_changes_nothing(dynamodb, filled, update):
    with Refused("ValidationException", 400):
        dynamodb.update_item(TableName=filled, Key=KEY, UpdateExpression=update, **used(update))
    assert dynamodb.get_item(TableName=filled, Key=KEY)["Item"]["n"] == {"N": "5"}


def test_an_update_makes_the_item_that_is_not_there(dynamodb, table):
    dynamodb.update_item(TableName=table, Key=KEY, UpdateExpression="SET n = :one", ExpressionAttributeValues={":one": {"N": "1"}})
    assert dynamodb.get_item(TableName=table, Key=KEY)["Item"] == {**KEY, "n": {"N": "1"}}
    with Refused("ConditionalCheckFailedException", 400):
        dynamodb.update_item(
            TableName=table,
            Key={"LockID": {"S": "b"}},
            UpdateExpression="SET n = :one",
            ConditionExpression="attribute_exists(LockID)",
            ExpressionAttributeValues={":one": {"N": "1"}},
        )


@pytest.mark.parametrize(
    "condition",
    ["", "n =", "n = :five AND", "(n = :five", "n = :five)", "= :five", "n == :five", "unknown(n)", "n = :undefined", "#undefined = :five",
     "n BETWEEN :one", "n IN ()", "attribute_exists(:one)", "name = :a", "size(n, s) = :one", "n = :five ; s = :a"],
)  # fmt: skip
def test_a_condition_that_does_not_parse_is_refused(dynamodb, filled, condition):
    with Refused("ValidationException", 400):
        dynamodb.put_item(TableName=filled, Item=KEY, ConditionExpression=condition, **used(condition))
    assert dynamodb.get_item(TableName=filled, Key=KEY)["Item"] == ITEM


def test_a_placeholder_that_nothing_uses_is_refused(dynamodb, filled):
    with Refused("ValidationException", 400) as refused:
        dynamodb.put_item(
            TableName=filled, Item=KEY, ConditionExpression="attribute_exists(n)", ExpressionAttributeValues={":unused": {"N": "1"}}
        )
    assert refused.message.endswith("Value provided in ExpressionAttributeValues unused in expressions: keys: {:unused}")


@pytest.mark.parametrize(
    "projection, expected",
    [
        ("n, s", {"n": {"N": "5"}, "s": {"S": "hello"}}),
        ("l[1]", {"l": {"L": [{"N": "2"}]}}),
        ("m.l[0].x", {"m": {"M": {"l": {"L": [{"M": {"x": {"N": "9"}}}]}}}}),
        ("absent", {}),
        ("#name", {"name": {"S": "reserved"}}),
    ],
)
def test_a_projection_gives_what_it_names(dynamodb, filled, projection, expected):
    got = dynamodb.get_item(TableName=filled, Key=KEY, ProjectionExpression=projection, **used(projection))
    assert got.get("Item", {}) == expected


@pytest.fixture
def series(dynamodb, ranged):
    for p, count in [("a", 10), ("b", 3)]:
        for n in range(count):
            item = {"p": {"S": p}, "s": {"N": str(n)}, "odd": {"BOOL": n % 2 == 1}}
            dynamodb.put_item(TableName=ranged, Item=item)
    return ranged


def query(dynamodb, table, condition, **given):
    values = {":p": {"S": "a"}, ":x": {"N": "3"}, ":y": {"N": "6"}, ":t": {"BOOL": True}}
    text = f"{condition} {given.get('FilterExpression', '')}"
    values = {name: value for name, value in values.items() if name in text}
    got = dynamodb.query(TableName=table, KeyConditionExpression=condition, ExpressionAttributeValues=values, **given)
    return [int(item["s"]["N"]) for item in got["Items"]], got


@pytest.mark.parametrize(
    "condition, expected",
    [
        ("p = :p", range(10)), ("p = :p AND s = :x", [3]), ("p = :p AND s < :x", range(3)), ("p = :p AND s >= :y", range(6, 10)),
        ("p = :p AND s BETWEEN :x AND :y", range(3, 7)), ("s > :y AND p = :p", range(7, 10)),
    ],
)  # fmt: skip
def test_a_query_gives_a_range_in_the_order_of_the_sort_key(dynamodb, series, condition, expected):
    assert query(dynamodb, series, condition)[0] == list(expected)
    assert query(dynamodb, series, condition, ScanIndexForward=False)[0] == list(expected)[::-1]


def test_numbers_are_sorted_as_numbers(dynamodb, ranged):
    numbers = ["-10", "-9.5", "-1", "0", "0.5", "2", "10", "1E20"]
    for number in reversed(numbers):
        dynamodb.put_item(TableName=ranged, Item={"p": {"S": "a"}, "s": {"N": number}})
    got = dynamodb.query(TableName=ranged, KeyConditionExpression="p = :p", ExpressionAttributeValues={":p": {"S": "a"}})
    assert [float(item["s"]["N"]) for item in got["Items"]] == [float(number) for number in numbers]


def test_a_filter_counts_what_it_has_looked_at(dynamodb, series):
    odd, got = query(dynamodb, series, "p = :p", FilterExpression="odd = :t")
    assert (odd, got["Count"], got["ScannedCount"]) == ([1, 3, 5, 7, 9], 5, 10)


def test_queries_and_scans_come_in_pages(dynamodb, series):
    seen, start = [], {}
    while True:
        page, got = query(dynamodb, series, "p = :p", Limit=3, **start)
        seen += page
        if "LastEvaluatedKey" not in got:
            break
        assert len(page) == 3
        start = {"ExclusiveStartKey": got["LastEvaluatedKey"]}
    assert seen == list(range(10))
    pages = dynamodb.get_paginator("scan").paginate(TableName=series, PaginationConfig={"PageSize": 4})
    assert len({(item["p"]["S"], item["s"]["N"]) for page in pages for item in page["Items"]}) == 13


def test_a_scan_filters_projects_and_counts(dynamodb, series):
    got = dynamodb.scan(
        TableName=series, FilterExpression="odd = :t", ProjectionExpression="s", ExpressionAttributeValues={":t": {"BOOL": True}}
    )
    assert (got["Count"], got["ScannedCount"]) == (6, 13) and all(list(item) == ["s"] for item in got["Items"])
    assert "Items" not in dynamodb.scan(TableName=series, Select="COUNT")


@pytest.mark.parametrize("condition", ["s = :x", "p > :p", "p = :p OR s = :x", "p = :p AND odd = :t", "p = :p AND s <> :x"])
def test_a_key_condition_that_no_key_can_answer_is_refused(dynamodb, series, condition):
    with Refused("ValidationException", 400):
        query(dynamodb, series, condition)
