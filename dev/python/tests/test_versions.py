"""Versions and delete markers."""

import pytest
from conftest import Refused


def put(s3, bucket, key, body):
    return s3.put_object(Bucket=bucket, Key=key, Body=body)["VersionId"]


def test_every_put_makes_a_version_that_can_be_read(s3, versioned):
    ids = [put(s3, versioned, "a", f"body {n}".encode()) for n in range(3)]
    assert len(set(ids)) == 3
    for n, version in enumerate(ids):
        got = s3.get_object(Bucket=versioned, Key="a", VersionId=version)
        assert (got["Body"].read(), got["VersionId"]) == (f"body {n}".encode(), version)
        assert s3.head_object(Bucket=versioned, Key="a", VersionId=version)["ContentLength"] == 6
    current = s3.get_object(Bucket=versioned, Key="a")
    assert (current["Body"].read(), current["VersionId"]) == (b"body 2", ids[2])
    listed = s3.list_object_versions(Bucket=versioned)["Versions"]
    assert [(v["VersionId"], v["IsLatest"]) for v in listed] == [(ids[2], True), (ids[1], False), (ids[0], False)]


def test_a_delete_leaves_a_marker_that_can_be_taken_away(s3, versioned):
    version = put(s3, versioned, "a", b"body")
    deleted = s3.delete_object(Bucket=versioned, Key="a")
    assert deleted["DeleteMarker"] is True
    marker = deleted["VersionId"]
    with Refused("NoSuchKey", 404) as refused:
        s3.get_object(Bucket=versioned, Key="a")
    headers = refused.response["ResponseMetadata"]["HTTPHeaders"]
    assert headers["x-amz-delete-marker"] == "true" and headers["x-amz-version-id"] == marker
    with Refused("404", 404):
        s3.head_object(Bucket=versioned, Key="a")
    assert "Contents" not in s3.list_objects_v2(Bucket=versioned)
    with Refused("MethodNotAllowed", 405):
        s3.get_object(Bucket=versioned, Key="a", VersionId=marker)
    listed = s3.list_object_versions(Bucket=versioned)
    assert [(m["VersionId"], m["IsLatest"]) for m in listed["DeleteMarkers"]] == [(marker, True)]
    assert [(v["VersionId"], v["IsLatest"]) for v in listed["Versions"]] == [(version, False)]
    assert s3.get_object(Bucket=versioned, Key="a", VersionId=version)["Body"].read() == b"body"
    undone = s3.delete_object(Bucket=versioned, Key="a", VersionId=marker)
    assert undone["DeleteMarker"] is True and undone["VersionId"] == marker
    assert s3.get_object(Bucket=versioned, Key="a")["Body"].read() == b"body"


def test_deleting_a_version_brings_back_the_one_before(s3, versioned):
    first, second = put(s3, versioned, "a", b"1"), put(s3, versioned, "a", b"2")
    assert s3.delete_object(Bucket=versioned, Key="a", VersionId=second)["VersionId"] == second
    assert s3.get_object(Bucket=versioned, Key="a")["VersionId"] == first
    with Refused("NoSuchVersion", 404):
        s3.get_object(Bucket=versioned, Key="a", VersionId=second)
    with Refused("NoSuchVersion", 404):
        s3.get_object(Bucket=versioned, Key="a", VersionId="no version id at all")


def test_a_batch_deletes_versions_too(s3, versioned):
    first, second = put(s3, versioned, "a", b"1"), put(s3, versioned, "a", b"2")
    done = s3.delete_objects(
        Bucket=versioned, Delete={"Objects": [{"Key": "a", "VersionId": first}, {"Key": "a", "VersionId": second}, {"Key": "b"}]}
    )
    assert {(d["Key"], d.get("VersionId")) for d in done["Deleted"]} == {("a", first), ("a", second), ("b", None)}
    assert [d["DeleteMarker"] for d in done["Deleted"] if d["Key"] == "b"] == [True]


def test_versions_from_before_and_after_versioning_are_null(s3, bucket):
    s3.put_object(Bucket=bucket, Key="a", Body=b"before")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    kept = put(s3, bucket, "a", b"kept")
    assert s3.get_object(Bucket=bucket, Key="a", VersionId="null")["Body"].read() == b"before"
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    s3.put_object(Bucket=bucket, Key="a", Body=b"after")
    listed = s3.list_object_versions(Bucket=bucket)["Versions"]
    assert [v["VersionId"] for v in listed] == ["null", kept]
    assert s3.get_object(Bucket=bucket, Key="a", VersionId="null")["Body"].read() == b"after"


def test_versions_are_listed_in_pages_with_prefix_and_delimiter(s3, versioned):
    for key in ["a", "b/1", "b/2", "c"]:
        for n in range(3):
            put(s3, versioned, key, b"%d" % n)
    s3.delete_object(Bucket=versioned, Key="c")
    whole = s3.list_object_versions(Bucket=versioned)
    expected = [(v["Key"], v["VersionId"]) for v in whole["Versions"]]
    assert len(expected) == 12 and [m["Key"] for m in whole["DeleteMarkers"]] == ["c"]
    for size in [1, 2, 5]:
        seen, markers = [], 0
        pages = s3.get_paginator("list_object_versions").paginate(Bucket=versioned, PaginationConfig={"PageSize": size})
        for page in pages:
            seen += [(v["Key"], v["VersionId"]) for v in page.get("Versions", [])]
            markers += len(page.get("DeleteMarkers", []))
        assert (seen, markers) == (expected, 1)
    folders = s3.list_object_versions(Bucket=versioned, Delimiter="/")
    assert [p["Prefix"] for p in folders["CommonPrefixes"]] == ["b/"]
    assert {v["Key"] for v in s3.list_object_versions(Bucket=versioned, Prefix="b/2")["Versions"]} == {"b/2"}


def test_an_old_version_can_be_copied_over_the_new_one(s3, versioned):
    first = put(s3, versioned, "a", b"1")
    put(s3, versioned, "a", b"2")
    copied = s3.copy_object(Bucket=versioned, Key="a", CopySource={"Bucket": versioned, "Key": "a", "VersionId": first})
    assert copied["CopySourceVersionId"] == first and copied["VersionId"] != first
    assert s3.get_object(Bucket=versioned, Key="a")["Body"].read() == b"1"


@pytest.mark.parametrize("size", [0, 1, 100_000])
def test_versions_of_the_same_bytes_are_versions_of_their_own(s3, versioned, size):
    first, second = put(s3, versioned, "a", b"x" * size), put(s3, versioned, "a", b"x" * size)
    assert first != second
    s3.delete_object(Bucket=versioned, Key="a", VersionId=first)
    assert s3.get_object(Bucket=versioned, Key="a")["Body"].read() == b"x" * size
