"""Listings, both versions of them: order, prefixes, delimiters, pages."""

import pytest
from conftest import Refused

KEYS = ["a", "b/1", "b/2", "b/c/1", "b0", "d/", "d/x", "e", "ż/1", "😀"]


@pytest.fixture
def full(s3, bucket):
    for key in reversed(KEYS):
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    return bucket


def keys(listed):
    return [o["Key"] for o in listed.get("Contents", [])]


def prefixes(listed):
    return [p["Prefix"] for p in listed.get("CommonPrefixes", [])]


def test_keys_come_in_the_order_of_their_bytes(s3, full):
    for listed in [s3.list_objects_v2(Bucket=full), s3.list_objects(Bucket=full)]:
        assert keys(listed) == sorted(KEYS, key=lambda key: key.encode())
        assert listed["IsTruncated"] is False and listed["Name"] == full and listed["MaxKeys"] == 1000


def test_a_listed_object_has_size_etag_and_time(s3, full):
    listed = s3.list_objects_v2(Bucket=full, Prefix="b/1")["Contents"]
    head = s3.head_object(Bucket=full, Key="b/1")
    assert len(listed) == 1
    assert (listed[0]["Size"], listed[0]["ETag"], listed[0]["StorageClass"]) == (3, head["ETag"], "STANDARD")
    assert abs((listed[0]["LastModified"] - head["LastModified"]).total_seconds()) < 1


def test_a_prefix_and_a_delimiter_make_folders(s3, full):
    for call in [s3.list_objects_v2, s3.list_objects]:
        top = call(Bucket=full, Delimiter="/")
        assert (keys(top), prefixes(top)) == (["a", "b0", "e", "😀"], ["b/", "d/", "ż/"])
        inner = call(Bucket=full, Prefix="b/", Delimiter="/")
        assert (keys(inner), prefixes(inner)) == (["b/1", "b/2"], ["b/c/"])
        assert keys(call(Bucket=full, Prefix="d/", Delimiter="/")) == ["d/", "d/x"]
        assert (keys(call(Bucket=full, Prefix="zzz")), prefixes(call(Bucket=full, Prefix="zzz"))) == ([], [])


def test_a_delimiter_of_several_letters_works(s3, full):
    listed = s3.list_objects_v2(Bucket=full, Prefix="b", Delimiter="/c/")
    assert (keys(listed), prefixes(listed)) == (["b/1", "b/2", "b0"], ["b/c/"])


@pytest.mark.parametrize("size", [1, 2, 3, 7, 10, 1000])
@pytest.mark.parametrize("delimiter", ["", "/"])
@pytest.mark.parametrize("operation", ["list_objects_v2", "list_objects"])
def test_pages_join_up_to_the_whole_list(s3, full, operation, size, delimiter):
    whole = getattr(s3, operation)(Bucket=full, Delimiter=delimiter)
    pages = s3.get_paginator(operation).paginate(Bucket=full, Delimiter=delimiter, PaginationConfig={"PageSize": size})
    seen, folders = [], []
    for page in pages:
        assert len(keys(page)) + len(prefixes(page)) <= size
        seen += keys(page)
        folders += prefixes(page)
    assert (seen, folders) == (keys(whole), prefixes(whole))


def test_a_page_starts_after_any_key(s3, full):
    assert keys(s3.list_objects_v2(Bucket=full, StartAfter="b/2")) == KEYS[3:]
    assert keys(s3.list_objects(Bucket=full, Marker="b/2")) == KEYS[3:]
    assert keys(s3.list_objects_v2(Bucket=full, StartAfter="b/11")) == KEYS[2:]
    listed = s3.list_objects_v2(Bucket=full, MaxKeys=2)
    assert listed["KeyCount"] == 2 and listed["IsTruncated"] is True and listed["NextContinuationToken"]


def test_no_keys_at_all_may_be_asked_for(s3, full):
    listed = s3.list_objects_v2(Bucket=full, MaxKeys=0)
    assert (keys(listed), listed["IsTruncated"]) == ([], False)


def test_a_continuation_token_that_is_none_of_ours_is_refused(s3, full):
    with Refused("InvalidArgument", 400):
        s3.list_objects_v2(Bucket=full, ContinuationToken="no such token")


def test_the_owner_is_told_when_asked_for(s3, full):
    assert "Owner" not in s3.list_objects_v2(Bucket=full)["Contents"][0]
    assert s3.list_objects_v2(Bucket=full, FetchOwner=True)["Contents"][0]["Owner"]["ID"]
    assert s3.list_objects(Bucket=full)["Contents"][0]["Owner"]["ID"]


def test_more_than_a_thousand_keys_come_in_pages(s3, bucket):
    from concurrent.futures import ThreadPoolExecutor

    names = [f"n/{n:04}" for n in range(1005)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: s3.put_object(Bucket=bucket, Key=name, Body=b""), names))
    first = s3.list_objects_v2(Bucket=bucket)
    assert len(keys(first)) == 1000 and first["IsTruncated"] is True
    rest = s3.list_objects_v2(Bucket=bucket, ContinuationToken=first["NextContinuationToken"])
    assert keys(first) + keys(rest) == names
