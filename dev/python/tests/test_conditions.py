"""Conditional requests, checksums, and the lock file that stands on them."""

import base64
import datetime
import hashlib
import json
import uuid
import zlib

import pytest
from conftest import Refused

ALGORITHMS = ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]


def test_an_object_is_made_only_where_there_is_none(s3, bucket):
    s3.put_object(Bucket=bucket, Key="a", Body=b"first", IfNoneMatch="*")
    with Refused("PreconditionFailed", 412) as refused:
        s3.put_object(Bucket=bucket, Key="a", Body=b"second", IfNoneMatch="*")
    assert refused.message == "At least one of the pre-conditions you specified did not hold"
    assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"first"


def test_a_delete_marker_counts_as_absent(s3, versioned):
    s3.put_object(Bucket=versioned, Key="a", Body=b"first")
    s3.delete_object(Bucket=versioned, Key="a")
    s3.put_object(Bucket=versioned, Key="a", Body=b"second", IfNoneMatch="*")


def test_an_object_is_replaced_only_where_it_is_the_one_expected(s3, bucket):
    with Refused("NoSuchKey", 404):
        s3.put_object(Bucket=bucket, Key="a", Body=b"a", IfMatch='"00000000000000000000000000000000"')
    etag = s3.put_object(Bucket=bucket, Key="a", Body=b"first")["ETag"]
    s3.put_object(Bucket=bucket, Key="a", Body=b"second", IfMatch=etag)
    with Refused("PreconditionFailed", 412):
        s3.put_object(Bucket=bucket, Key="a", Body=b"third", IfMatch=etag)
    assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"second"


def test_of_many_conditional_puts_at_once_one_wins(s3, bucket):
    from concurrent.futures import ThreadPoolExecutor

    from botocore.exceptions import ClientError

    def attempt(n):
        try:
            s3.put_object(Bucket=bucket, Key="a", Body=b"%d" % n, IfNoneMatch="*")
            return n
        except ClientError as error:
            assert error.response["Error"]["Code"] == "PreconditionFailed"

    with ThreadPoolExecutor(16) as pool:
        winners = [n for n in pool.map(attempt, range(32)) if n is not None]
    assert len(winners) == 1
    assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"%d" % winners[0]


@pytest.mark.parametrize("operation", ["get_object", "head_object"])
def test_reads_are_conditional(s3, bucket, operation):
    etag = s3.put_object(Bucket=bucket, Key="a", Body=b"a")["ETag"]
    read = getattr(s3, operation)
    now = datetime.datetime.now(datetime.timezone.utc)
    hour = datetime.timedelta(hours=1)
    read(Bucket=bucket, Key="a", IfMatch=etag)
    read(Bucket=bucket, Key="a", IfNoneMatch='"other"')
    read(Bucket=bucket, Key="a", IfModifiedSince=now - hour)
    read(Bucket=bucket, Key="a", IfUnmodifiedSince=now + hour)
    for given in [{"IfNoneMatch": etag}, {"IfModifiedSince": now}]:
        with Refused("304", 304):
            read(Bucket=bucket, Key="a", **given)
    code = "PreconditionFailed" if operation == "get_object" else "412"
    for given in [{"IfMatch": '"other"'}, {"IfUnmodifiedSince": now - hour}]:
        with Refused(code, 412):
            read(Bucket=bucket, Key="a", **given)


def test_copies_are_conditional(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="a", Body=b"a")["ETag"]
    s3.copy_object(Bucket=bucket, Key="b", CopySource=f"{bucket}/a", CopySourceIfMatch=etag)
    with Refused("PreconditionFailed", 412):
        s3.copy_object(Bucket=bucket, Key="b", CopySource=f"{bucket}/a", CopySourceIfNoneMatch=etag)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_checksum_is_kept_and_told_when_asked_for(s3, bucket, algorithm):
    field = f"Checksum{algorithm}"
    put = s3.put_object(Bucket=bucket, Key="a", Body=b"123456789", ChecksumAlgorithm=algorithm)
    head = s3.head_object(Bucket=bucket, Key="a", ChecksumMode="ENABLED")
    got = s3.get_object(Bucket=bucket, Key="a", ChecksumMode="ENABLED")
    assert got["Body"].read() == b"123456789"
    # The check values of the catalogue of CRCs (reveng.sourceforge.io), and the digests of this machine.
    expected = {
        "CRC32": bytes.fromhex("cbf43926"),
        "CRC32C": bytes.fromhex("e3069283"),
        "CRC64NVME": bytes.fromhex("ae8b14860a799888"),
        "SHA1": hashlib.sha1(b"123456789").digest(),
        "SHA256": hashlib.sha256(b"123456789").digest(),
    }[algorithm]
    for seen in [put, head, got]:
        assert base64.b64decode(seen[field]) == expected


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_checksum_that_is_wrong_is_a_bad_digest_and_stores_nothing(s3, bucket, algorithm):
    size = {"CRC32": 4, "CRC32C": 4, "CRC64NVME": 8, "SHA1": 20, "SHA256": 32}[algorithm]
    wrong = base64.b64encode(b"\x01" * size).decode()
    with Refused("BadDigest", 400):
        s3.put_object(Bucket=bucket, Key="a", Body=b"a", **{f"Checksum{algorithm}": wrong})
    with Refused("InvalidRequest", 400):
        s3.put_object(Bucket=bucket, Key="a", Body=b"a", **{f"Checksum{algorithm}": "bm8="})
    with Refused("404"):
        s3.head_object(Bucket=bucket, Key="a")


def test_a_content_md5_is_checked(s3, bucket):
    right = base64.b64encode(hashlib.md5(b"a").digest()).decode()
    s3.put_object(Bucket=bucket, Key="a", Body=b"a", ContentMD5=right)
    with Refused("BadDigest", 400):
        s3.put_object(Bucket=bucket, Key="a", Body=b"b", ContentMD5=right)
    with Refused("InvalidDigest", 400):
        s3.put_object(Bucket=bucket, Key="a", Body=b"b", ContentMD5="no digest")
    assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"a"


def test_no_checksum_of_the_whole_comes_with_a_part(s3, bucket):
    s3.put_object(Bucket=bucket, Key="a", Body=b"0123456789", ChecksumAlgorithm="CRC32")
    part = s3.get_object(Bucket=bucket, Key="a", Range="bytes=0-4", ChecksumMode="ENABLED")
    assert part["Body"].read() == b"01234"
    assert not [field for field in part if field.startswith("Checksum")]


def test_a_multipart_upload_has_a_checksum_of_its_parts(s3, bucket):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="a", ChecksumAlgorithm="SHA256")
    assert upload["ChecksumAlgorithm"] == "SHA256"
    bodies = [b"a" * (5 << 20), b"b"]
    parts = []
    for number, body in enumerate(bodies, 1):
        done = s3.upload_part(
            Bucket=bucket, Key="a", UploadId=upload["UploadId"], PartNumber=number, Body=body, ChecksumAlgorithm="SHA256"
        )
        parts.append({"PartNumber": number, "ETag": done["ETag"], "ChecksumSHA256": done["ChecksumSHA256"]})
    done = s3.complete_multipart_upload(Bucket=bucket, Key="a", UploadId=upload["UploadId"], MultipartUpload={"Parts": parts})
    whole = hashlib.sha256(b"".join(hashlib.sha256(body).digest() for body in bodies)).digest()
    assert done["ChecksumSHA256"] == base64.b64encode(whole).decode() + "-2"


def test_a_multipart_upload_may_have_a_checksum_of_the_whole(s3, bucket):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="a", ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")["UploadId"]
    bodies = [b"a" * (5 << 20), b"b"]
    parts = []
    for number, body in enumerate(bodies, 1):
        done = s3.upload_part(Bucket=bucket, Key="a", UploadId=upload, PartNumber=number, Body=body, ChecksumAlgorithm="CRC32")
        parts.append({"PartNumber": number, "ETag": done["ETag"], "ChecksumCRC32": done["ChecksumCRC32"]})
    s3.complete_multipart_upload(
        Bucket=bucket, Key="a", UploadId=upload, MultipartUpload={"Parts": parts}, ChecksumType="FULL_OBJECT"
    )
    head = s3.head_object(Bucket=bucket, Key="a", ChecksumMode="ENABLED")
    whole = zlib.crc32(b"".join(bodies)).to_bytes(4, "big")
    assert (head["ChecksumCRC32"], head["ChecksumType"]) == (base64.b64encode(whole).decode(), "FULL_OBJECT")


def lock_info(key, who="alice@one"):
    # In the order and the spelling of Go's json.Marshal, with a field nobody knows: it must come back as it is.
    info = {
        "ID": str(uuid.uuid4()), "Operation": "OperationTypeApply", "Info": "", "Who": who, "Version": "1.11.4",
        "Created": "2026-11-21T09:00:00.123456789Z", "Path": f"tfstate/{key}", "Extra": "<&>",
    }  # fmt: skip
    return json.dumps(info, separators=(",", ":")).encode()


def test_a_lock_file_is_taken_once_read_back_and_given_back(s3):
    key = f"{uuid.uuid4()}/x.tfstate"
    lock, mine, other = f"{key}.tflock", lock_info(key), lock_info(key, "bob@two")
    s3.put_object(Bucket="tfstate", Key=lock, Body=mine, IfNoneMatch="*", ContentType="application/json")
    with Refused("PreconditionFailed", 412):
        s3.put_object(Bucket="tfstate", Key=lock, Body=other, IfNoneMatch="*")
    got = s3.get_object(Bucket="tfstate", Key=lock)
    assert got["Body"].read() == mine and got["ContentLength"] == len(mine)
    assert s3.head_object(Bucket="tfstate", Key=lock)["ContentLength"] == len(mine)
    s3.delete_object(Bucket="tfstate", Key=lock)
    s3.put_object(Bucket="tfstate", Key=lock, Body=other, IfNoneMatch="*")
    assert s3.get_object(Bucket="tfstate", Key=lock)["Body"].read() == other
    s3.delete_object(Bucket="tfstate", Key=lock)


def test_the_same_lock_taken_again_is_taken(s3):
    key = f"{uuid.uuid4()}/x.tfstate"
    info = lock_info(key)
    for _ in range(3):
        s3.put_object(Bucket="tfstate", Key=f"{key}.tflock", Body=info, IfNoneMatch="*")
    for _ in range(2):
        s3.delete_object(Bucket="tfstate", Key=f"{key}.tflock")


def test_a_lock_file_leaves_no_versions(s3):
    key = f"{uuid.uuid4()}/x.tfstate"
    for _ in range(2):
        s3.put_object(Bucket="tfstate", Key=f"{key}.tflock", Body=lock_info(key), IfNoneMatch="*")
        s3.delete_object(Bucket="tfstate", Key=f"{key}.tflock")
    listed = s3.list_object_versions(Bucket="tfstate", Prefix=key)
    assert "Versions" not in listed and "DeleteMarkers" not in listed


def test_a_lock_taken_at_one_door_is_seen_at_the_other(s3, dynamodb):
    key = f"{uuid.uuid4()}/x.tfstate"
    mine, other = lock_info(key), lock_info(key, "bob@two")
    item = {"LockID": {"S": f"tfstate/{key}"}, "Info": {"S": other.decode()}}
    take = {"TableName": "terraform-locks", "Item": item, "ConditionExpression": "attribute_not_exists(LockID)"}
    s3.put_object(Bucket="tfstate", Key=f"{key}.tflock", Body=mine, IfNoneMatch="*")
    with Refused("ConditionalCheckFailedException", 400):
        dynamodb.put_item(**take)
    shown = dynamodb.get_item(
        TableName="terraform-locks",
        Key={"LockID": item["LockID"]},
        ProjectionExpression="LockID, Info",
        ConsistentRead=True,
    )
    assert json.loads(shown["Item"]["Info"]["S"])["ID"] == json.loads(mine)["ID"]
    s3.delete_object(Bucket="tfstate", Key=f"{key}.tflock")
    dynamodb.put_item(**take)
    with Refused("PreconditionFailed", 412):
        s3.put_object(Bucket="tfstate", Key=f"{key}.tflock", Body=mine, IfNoneMatch="*")
    held = json.loads(s3.get_object(Bucket="tfstate", Key=f"{key}.tflock")["Body"].read())
    assert held["ID"] == json.loads(other)["ID"]
    dynamodb.delete_item(TableName="terraform-locks", Key={"LockID": item["LockID"]})
    s3.put_object(Bucket="tfstate", Key=f"{key}.tflock", Body=mine, IfNoneMatch="*")


def test_the_digest_item_is_the_md5_of_the_state(s3, dynamodb):
    key = f"{uuid.uuid4()}/x.tfstate"
    digest_key = {"LockID": {"S": f"tfstate/{key}-md5"}}
    assert "Item" not in dynamodb.get_item(TableName="terraform-locks", Key=digest_key, ConsistentRead=True)
    state = json.dumps({"version": 4, "serial": 1, "lineage": str(uuid.uuid4()), "outputs": {}, "resources": []}).encode()
    s3.put_object(Bucket="tfstate", Key=key, Body=state)
    digest = hashlib.md5(state).hexdigest()
    dynamodb.put_item(TableName="terraform-locks", Item={**digest_key, "Digest": {"S": digest}})
    item = dynamodb.get_item(TableName="terraform-locks", Key=digest_key, ConsistentRead=True)["Item"]
    assert item["Digest"] == {"S": digest}
