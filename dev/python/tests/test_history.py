"""The history of a state as AWS shows it: older versions read, restored and deleted, and the digest that always follows."""

import base64
import hashlib
import json
import zlib

import pytest
from botocore.config import Config
from conftest import Refused, client
from states import assert_current, digest, state


@pytest.fixture(scope="session")
def other():
    """Another run with the same key."""
    return client("s3", config=Config(user_agent_appid="another-run"))


def write(s3, bucket, key, *serials, **given):
    """States of these serials; for each its version ID and its bytes."""
    written = []
    for serial in serials:
        body = state(serial, **given)
        written.append((s3.put_object(Bucket=bucket, Key=key, Body=body).get("VersionId"), body))
    return written


def versions(s3, bucket, key):
    """The version IDs that S3 shows of a key, newest first; those of delete markers apart."""
    listed = s3.list_object_versions(Bucket=bucket, Prefix=key)
    return [v["VersionId"] for v in listed.get("Versions", [])], [m["VersionId"] for m in listed.get("DeleteMarkers", [])]


def restore(s3, bucket, key, version, **given):
    return s3.copy_object(Bucket=bucket, Key=key, CopySource={"Bucket": bucket, "Key": key, "VersionId": version}, **given)


def test_every_version_of_a_state_reads_back_in_every_way(s3, versioned):
    written = write(s3, versioned, "a", *range(1, 41), resources=30)
    for _ in range(2):
        for version, body in written:
            named = {"Bucket": versioned, "Key": "a", "VersionId": version}
            got = s3.get_object(**named)
            assert (got["Body"].read(), got["VersionId"]) == (body, version)
            assert got["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
            head = s3.head_object(**named)
            assert (head["ContentLength"], head["ETag"], head["VersionId"]) == (len(body), got["ETag"], version)
            for asked, wanted in [("0-9", body[:10]), ("100-", body[100:]), ("-7", body[-7:]), (f"0-{10 * len(body)}", body)]:
                part = s3.get_object(**named, Range=f"bytes={asked}")
                assert (part["Body"].read(), part["ResponseMetadata"]["HTTPStatusCode"]) == (wanted, 206)
            with Refused("InvalidRange", 416):
                s3.get_object(**named, Range=f"bytes={len(body)}-")
            assert s3.get_object(**named, IfMatch=got["ETag"])["ContentLength"] == len(body)
            with Refused("304", 304):
                s3.get_object(**named, IfNoneMatch=got["ETag"])
    assert versions(s3, versioned, "a")[0] == [version for version, _ in reversed(written)]


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA256"])
def test_the_checksum_of_a_version_stays_with_it(s3, versioned, algorithm):
    made = {
        "CRC32": lambda body: zlib.crc32(body).to_bytes(4),
        "SHA256": lambda body: hashlib.sha256(body).digest(),
    }[algorithm]
    written = []
    for serial in range(1, 9):
        body = state(serial)
        put = s3.put_object(Bucket=versioned, Key="a", Body=body, ChecksumAlgorithm=algorithm, Metadata={"serial": f"{serial}"})
        written.append((put["VersionId"], body))
    for serial, (version, body) in enumerate(written, 1):
        for operation in [s3.get_object, s3.head_object]:
            got = operation(Bucket=versioned, Key="a", VersionId=version, ChecksumMode="ENABLED")
            assert base64.b64decode(got[f"Checksum{algorithm}"]) == made(body)
            assert got["Metadata"] == {"serial": f"{serial}"}
    oldest, body = written[0]
    copied = restore(s3, versioned, "a", oldest)["CopyObjectResult"]
    assert base64.b64decode(copied[f"Checksum{algorithm}"]) == made(body)


def test_the_parts_of_an_older_version_are_still_parts(s3, versioned):
    written = []
    for serial in range(1, 4):
        body = state(serial, filling=6 << 20)
        upload = s3.create_multipart_upload(Bucket=versioned, Key="a")["UploadId"]
        parts = []
        for number, piece in enumerate([body[: 5 << 20], body[5 << 20 :]], 1):
            part = s3.upload_part(Bucket=versioned, Key="a", UploadId=upload, PartNumber=number, Body=piece)
            parts.append({"PartNumber": number, "ETag": part["ETag"]})
        done = s3.complete_multipart_upload(Bucket=versioned, Key="a", UploadId=upload, MultipartUpload={"Parts": parts})
        written.append((done["VersionId"], body, done["ETag"]))
    for version, body, etag in written:
        named = {"Bucket": versioned, "Key": "a", "VersionId": version}
        for number, piece in enumerate([body[: 5 << 20], body[5 << 20 :]], 1):
            got = s3.get_object(**named, PartNumber=number)
            assert got["Body"].read() == piece
            assert (got["PartsCount"], got["ContentLength"], got["ETag"]) == (2, len(piece), etag)
            assert s3.head_object(**named, PartNumber=number)["ContentLength"] == len(piece)
        whole = s3.get_object_attributes(**named, ObjectAttributes=["ObjectSize", "ETag"])
        assert (whole["ObjectSize"], f'"{whole["ETag"]}"') == (len(body), etag)


def test_a_copy_of_an_older_version_restores_a_state(s3, dynamodb, versioned):
    written = write(s3, versioned, "a", 1, 2, 3)
    for version, body in [written[0], written[1], written[2], written[0]]:
        copied = restore(s3, versioned, "a", version)
        assert copied["CopySourceVersionId"] == version and copied["VersionId"] not in [v for v, _ in written]
        assert_current(s3, dynamodb, versioned, "a", body)
    after = write(s3, versioned, "a", 2)
    assert_current(s3, dynamodb, versioned, "a", after[0][1])
    assert len(versions(s3, versioned, "a")[0]) == 8


def test_a_state_is_not_replaced_by_an_older_one_that_comes_from_elsewhere(s3, dynamodb, versioned):
    (first, old), (_, _), (_, new) = write(s3, versioned, "a", 1, 2, 3)
    s3.put_object(Bucket=versioned, Key="b", Body=old)
    stranger = state(9, lineage="another")
    s3.put_object(Bucket=versioned, Key="c", Body=stranger)
    with Refused("StateNotAdvancing"):
        s3.copy_object(Bucket=versioned, Key="a", CopySource=f"{versioned}/b")
    with Refused("StateNotAdvancing"):
        s3.copy_object(
            Bucket=versioned, Key="a",
            CopySource={"Bucket": versioned, "Key": "b", "VersionId": versions(s3, versioned, "b")[0][0]},
        )  # fmt: skip
    with Refused("StateNotAdvancing"):
        s3.copy_object(Bucket=versioned, Key="a", CopySource=f"{versioned}/c")
    with Refused("StateNotAdvancing"):
        s3.put_object(Bucket=versioned, Key="a", Body=old)
    assert_current(s3, dynamodb, versioned, "a", new)
    with Refused("NoSuchVersion", 404):
        s3.copy_object(Bucket=versioned, Key="b", CopySource={"Bucket": versioned, "Key": "b", "VersionId": first})
    assert_current(s3, dynamodb, versioned, "b", old)


def test_a_state_that_is_large_is_restored_in_parts(s3, dynamodb, versioned):
    written = write(s3, versioned, "a", 1, 2, filling=9 << 20)
    version, body = written[0]
    s3.copy({"Bucket": versioned, "Key": "a", "VersionId": version}, versioned, "a")
    assert_current(s3, dynamodb, versioned, "a", body)


def test_nothing_of_a_state_is_restored_or_deleted_while_someone_else_holds_its_lock(s3, other, dynamodb, versioned):
    (first, _), (second, body) = write(s3, versioned, "a", 1, 2)
    info = json.dumps({"ID": "7d1cd0a1-1c6a-4b0f-8fd4-ee4e6d0c9a4e", "Operation": "OperationTypeApply", "Who": "alice@one"})
    other.put_object(Bucket=versioned, Key="a.tflock", Body=info, IfNoneMatch="*")
    for attempt in [
        lambda: restore(s3, versioned, "a", first),
        lambda: s3.delete_object(Bucket=versioned, Key="a"),
        lambda: s3.delete_object(Bucket=versioned, Key="a", VersionId=second),
    ]:
        with Refused("StateLocked") as refused:
            attempt()
        assert "alice@one" in refused.message
    assert_current(s3, dynamodb, versioned, "a", body)
    restored = restore(other, versioned, "a", first)
    assert restored["VersionId"] not in [first, second]
    other.delete_object(Bucket=versioned, Key="a.tflock")
    restore(s3, versioned, "a", second)
    assert_current(s3, dynamodb, versioned, "a", body)


def test_whichever_version_is_deleted_the_newest_that_is_left_is_the_state(s3, dynamodb, versioned):
    written = dict(write(s3, versioned, "a", *range(1, 8)))
    left = list(written)
    for place in [-1, 2, 0, -1, 0]:
        gone = left.pop(place)
        assert s3.delete_object(Bucket=versioned, Key="a", VersionId=gone)["VersionId"] == gone
        assert_current(s3, dynamodb, versioned, "a", written[left[-1]])
        assert versions(s3, versioned, "a") == (left[::-1], [])
        with Refused("NoSuchVersion", 404):
            s3.get_object(Bucket=versioned, Key="a", VersionId=gone)
        for version in left:
            assert s3.get_object(Bucket=versioned, Key="a", VersionId=version)["Body"].read() == written[version]
    for gone in left:
        s3.delete_object(Bucket=versioned, Key="a", VersionId=gone)
    assert versions(s3, versioned, "a") == ([], [])
    assert digest(dynamodb, versioned, "a") is None
    with Refused("NoSuchKey", 404):
        s3.get_object(Bucket=versioned, Key="a")
    # What S3 shows no more is still what a writer must follow to be told from a stranger, or a new beginning.
    s3.put_object(Bucket=versioned, Key="a", Body=state(1, lineage="new"))
    assert_current(s3, dynamodb, versioned, "a", state(1, lineage="new"))


def test_a_deleted_state_comes_back_when_its_marker_goes(s3, dynamodb, versioned):
    written = write(s3, versioned, "a", 1, 2)
    for _ in range(2):
        marker = s3.delete_object(Bucket=versioned, Key="a")["VersionId"]
        assert digest(dynamodb, versioned, "a") is None
        second = s3.delete_object(Bucket=versioned, Key="a")["VersionId"]
        assert versions(s3, versioned, "a") == ([v for v, _ in reversed(written)], [second, marker])
        s3.delete_object(Bucket=versioned, Key="a", VersionId=marker)
        with Refused("404", 404):
            s3.head_object(Bucket=versioned, Key="a")
        s3.delete_object(Bucket=versioned, Key="a", VersionId=second)
        assert_current(s3, dynamodb, versioned, "a", written[1][1])
    marker = s3.delete_object(Bucket=versioned, Key="a")["VersionId"]
    restore(s3, versioned, "a", written[0][0])
    assert_current(s3, dynamodb, versioned, "a", written[0][1])
    s3.delete_object(Bucket=versioned, Key="a", VersionId=marker)
    assert_current(s3, dynamodb, versioned, "a", written[0][1])


def test_a_marker_is_no_source_of_a_copy(s3, versioned):
    write(s3, versioned, "a", 1)
    marker = s3.delete_object(Bucket=versioned, Key="a")["VersionId"]
    with Refused("InvalidRequest", 400):
        restore(s3, versioned, "a", marker)


def test_a_state_in_a_suspended_bucket_has_one_null_version(s3, dynamodb, bucket):
    def versioning(status):
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})

    write(s3, bucket, "a", 1)
    versioning("Enabled")
    ((kept, kept_body),) = write(s3, bucket, "a", 2)
    assert versions(s3, bucket, "a")[0] == [kept, "null"]
    versioning("Suspended")
    for serial in [3, 4, 5]:
        ((_, body),) = write(s3, bucket, "a", serial)
        assert versions(s3, bucket, "a")[0] == ["null", kept]
        assert_current(s3, dynamodb, bucket, "a", body)
        assert s3.get_object(Bucket=bucket, Key="a", VersionId="null")["Body"].read() == body
    assert s3.get_object(Bucket=bucket, Key="a", VersionId=kept)["Body"].read() == kept_body

    assert s3.delete_object(Bucket=bucket, Key="a")["VersionId"] == "null"
    assert versions(s3, bucket, "a") == ([kept], ["null"])
    s3.delete_object(Bucket=bucket, Key="a", VersionId="null")
    assert_current(s3, dynamodb, bucket, "a", kept_body)
    write(s3, bucket, "a", 6)
    restore(s3, bucket, "a", kept)
    assert versions(s3, bucket, "a")[0] == ["null", kept]
    assert_current(s3, dynamodb, bucket, "a", kept_body)
    versioning("Enabled")
    ((newest, body),) = write(s3, bucket, "a", 7)
    assert versions(s3, bucket, "a")[0] == [newest, "null", kept]
    restore(s3, bucket, "a", "null")
    assert_current(s3, dynamodb, bucket, "a", kept_body)


def test_what_s3_forgets_is_not_shown_by_s3(s3, dynamodb, bucket):
    for serial in range(1, 6):
        ((_, body),) = write(s3, bucket, "a", serial)
    assert versions(s3, bucket, "a") == (["null"], [])
    assert_current(s3, dynamodb, bucket, "a", body)
    s3.delete_object(Bucket=bucket, Key="a")
    assert versions(s3, bucket, "a") == ([], [])
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
    with Refused("NoSuchVersion", 404):
        s3.get_object(Bucket=bucket, Key="a", VersionId="null")
    for marker in [{}, {"KeyMarker": "a"}, {"KeyMarker": "a", "VersionIdMarker": "null"}]:
        listed = s3.list_object_versions(Bucket=bucket, **marker)
        assert "Versions" not in listed and not listed["IsTruncated"]


def test_pages_of_versions_join_up_although_some_are_not_shown(s3, versioned):
    kept = {}
    for key in ["a", "b/1", "b/2", "c"]:
        written = write(s3, versioned, key, *range(1, 8))
        for version, _ in written[1::2]:
            s3.delete_object(Bucket=versioned, Key=key, VersionId=version)
        marker = s3.delete_object(Bucket=versioned, Key=key)["VersionId"]
        kept[key] = [marker, *(version for version, _ in reversed(written[0::2]))]
    expected = [(key, version) for key in sorted(kept) for version in kept[key]]
    for size in range(1, 8):
        for given, wanted in [({}, expected), ({"Prefix": "b/"}, [e for e in expected if e[0].startswith("b/")])]:
            seen = []
            pages = s3.get_paginator("list_object_versions").paginate(
                Bucket=versioned, PaginationConfig={"PageSize": size}, **given
            )
            for page in pages:
                entries = page.get("Versions", []) + page.get("DeleteMarkers", [])
                assert len(entries) <= size
                seen += sorted(((e["Key"], e["VersionId"]) for e in entries), key=expected.index)
            assert seen == wanted
    # A marker may name a version that is shown no longer.
    gone = s3.list_object_versions(Bucket=versioned, KeyMarker="a", VersionIdMarker=kept["a"][2], MaxKeys=1)
    s3.delete_object(Bucket=versioned, Key="a", VersionId=kept["a"][2])
    again = s3.list_object_versions(Bucket=versioned, KeyMarker="a", VersionIdMarker=kept["a"][2], MaxKeys=1)
    assert gone["Versions"][0]["VersionId"] == again["Versions"][0]["VersionId"] == kept["a"][3]
    folders = s3.list_object_versions(Bucket=versioned, Delimiter="/")
    assert [p["Prefix"] for p in folders["CommonPrefixes"]] == ["b/"]
    assert {v["Key"] for v in folders["Versions"]} == {"a", "c"}


def test_a_state_is_restored_with_the_aws_cli(aws, s3, dynamodb, versioned, tmp_path):
    written = write(s3, versioned, "env:/blue/net work.tfstate", 1, 2, 3)
    named = ["--bucket", versioned, "--key", "env:/blue/net work.tfstate"]
    listed = json.loads(aws("s3api", "list-object-versions", "--bucket", versioned, "--prefix", "env:/"))["Versions"]
    assert [v["VersionId"] for v in listed] == [version for version, _ in reversed(written)]
    oldest, body = written[0]
    aws("s3api", "get-object", *named, "--version-id", oldest, "old.json")
    assert (tmp_path / "old.json").read_bytes() == body
    aws("s3api", "get-object", *named, "--version-id", oldest, "--range", "bytes=2-5", "part.json")
    assert (tmp_path / "part.json").read_bytes() == body[2:6]
    head = json.loads(aws("s3api", "head-object", *named, "--version-id", oldest, "--checksum-mode", "ENABLED"))
    assert head["ContentLength"] == len(body)
    source = f"{versioned}/env:/blue/net work.tfstate?versionId={oldest}"
    copied = json.loads(aws("s3api", "copy-object", *named, "--copy-source", source))
    assert copied["CopySourceVersionId"] == oldest
    assert_current(s3, dynamodb, versioned, "env:/blue/net work.tfstate", body)
    aws("s3api", "delete-object", *named, "--version-id", copied["VersionId"])
    assert_current(s3, dynamodb, versioned, "env:/blue/net work.tfstate", written[2][1])
    marker = json.loads(aws("s3api", "delete-object", *named))
    assert marker["DeleteMarker"] is True
    aws("s3api", "delete-object", *named, "--version-id", marker["VersionId"])
    assert_current(s3, dynamodb, versioned, "env:/blue/net work.tfstate", written[2][1])
