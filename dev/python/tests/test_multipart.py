"""Multipart uploads, as Terraform writes a state of more than 5 MiB and the AWS CLI a file of more than 8 MB."""

import hashlib
import random

from boto3.s3.transfer import TransferConfig
from conftest import Refused

PART = 5 << 20


def begin(s3, bucket, key, **given):
    return s3.create_multipart_upload(Bucket=bucket, Key=key, **given)["UploadId"]


def part(s3, bucket, key, upload, number, body):
    done = s3.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=number, Body=body)
    return {"PartNumber": number, "ETag": done["ETag"]}


def complete(s3, bucket, key, upload, parts):
    return s3.complete_multipart_upload(Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": parts})


def test_parts_uploaded_out_of_order_join_in_order(s3, versioned):
    bodies = [random.Random(n).randbytes(PART) for n in range(2)] + [b"the rest"]
    upload = begin(s3, versioned, "large", Metadata={"k": "v"}, ContentType="text/x")
    parts = [part(s3, versioned, "large", upload, n + 1, bodies[n]) for n in [2, 0, 1]]
    listed = s3.list_parts(Bucket=versioned, Key="large", UploadId=upload)["Parts"]
    assert [(p["PartNumber"], p["Size"]) for p in listed] == [(1, PART), (2, PART), (3, 8)]
    assert "Contents" not in s3.list_objects_v2(Bucket=versioned)
    done = complete(s3, versioned, "large", upload, sorted(parts, key=lambda p: p["PartNumber"]))
    digests = b"".join(hashlib.md5(body).digest() for body in bodies)
    assert done["ETag"] == f'"{hashlib.md5(digests).hexdigest()}-3"' and done["VersionId"]
    got = s3.get_object(Bucket=versioned, Key="large")
    assert got["Body"].read() == b"".join(bodies)
    assert (got["Metadata"], got["ContentType"]) == ({"k": "v"}, "text/x")
    across = s3.get_object(Bucket=versioned, Key="large", Range=f"bytes={PART - 3}-{PART + 2}")
    assert across["Body"].read() == bodies[0][-3:] + bodies[1][:3]


def test_a_part_uploaded_again_replaces_itself(s3, bucket):
    upload = begin(s3, bucket, "a")
    part(s3, bucket, "a", upload, 1, b"first")
    again = part(s3, bucket, "a", upload, 1, b"again")
    complete(s3, bucket, "a", upload, [again])
    assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"again"


def test_only_the_parts_named_are_joined(s3, bucket):
    upload = begin(s3, bucket, "a")
    parts = [part(s3, bucket, "a", upload, number, b"%d" % number) for number in [3, 7]]
    complete(s3, bucket, "a", upload, parts[1:])
    assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"7"


def test_what_cannot_be_completed_is_refused_and_stays_open(s3, bucket):
    upload = begin(s3, bucket, "a")
    small = [part(s3, bucket, "a", upload, number, b"small") for number in [1, 2]]
    with Refused("InvalidPart", 400):
        complete(s3, bucket, "a", upload, [{"PartNumber": 1, "ETag": '"00000000000000000000000000000000"'}])
    with Refused("InvalidPart", 400):
        complete(s3, bucket, "a", upload, [{"PartNumber": 9, "ETag": small[0]["ETag"]}])
    with Refused("InvalidPartOrder", 400):
        complete(s3, bucket, "a", upload, small[::-1])
    with Refused("EntityTooSmall", 400):
        complete(s3, bucket, "a", upload, small)
    with Refused("MalformedXML", 400):
        complete(s3, bucket, "a", upload, [])
    complete(s3, bucket, "a", upload, small[1:])


def test_an_aborted_upload_is_gone(s3, bucket):
    upload = begin(s3, bucket, "a")
    one = part(s3, bucket, "a", upload, 1, b"body")
    assert [u["UploadId"] for u in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]] == [upload]
    s3.abort_multipart_upload(Bucket=bucket, Key="a", UploadId=upload)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    calls = [
        lambda: part(s3, bucket, "a", upload, 2, b"body"),
        lambda: complete(s3, bucket, "a", upload, [one]),
        lambda: s3.list_parts(Bucket=bucket, Key="a", UploadId=upload),
    ]
    for call in calls:
        with Refused("NoSuchUpload", 404):
            call()
    with Refused("404"):
        s3.head_object(Bucket=bucket, Key="a")


def test_a_part_number_beyond_the_limits_is_refused(s3, bucket):
    upload = begin(s3, bucket, "a")
    for number in [0, 10_001]:
        with Refused("InvalidArgument", 400):
            part(s3, bucket, "a", upload, number, b"body")


def test_a_conditional_completion_does_not_replace(s3, bucket):
    upload = begin(s3, bucket, "a")
    one = part(s3, bucket, "a", upload, 1, b"late")
    s3.put_object(Bucket=bucket, Key="a", Body=b"early")
    with Refused("PreconditionFailed", 412):
        s3.complete_multipart_upload(Bucket=bucket, Key="a", UploadId=upload, MultipartUpload={"Parts": [one]}, IfNoneMatch="*")
    assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"early"


def test_a_part_can_be_copied_from_an_object(s3, bucket):
    s3.put_object(Bucket=bucket, Key="source", Body=b"0123456789")
    upload = begin(s3, bucket, "a")
    done = s3.upload_part_copy(
        Bucket=bucket, Key="a", UploadId=upload, PartNumber=1, CopySource=f"{bucket}/source", CopySourceRange="bytes=2-5"
    )
    complete(s3, bucket, "a", upload, [{"PartNumber": 1, "ETag": done["CopyPartResult"]["ETag"]}])
    assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"2345"


def test_the_transfer_manager_takes_a_file_in_parallel(s3, bucket, tmp_path):
    body = random.Random(1).randbytes(20_000_000)
    (tmp_path / "up").write_bytes(body)
    config = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART, max_concurrency=8)
    s3.upload_file(str(tmp_path / "up"), bucket, "file", Config=config)
    s3.download_file(bucket, "file", str(tmp_path / "down"), Config=config)
    assert (tmp_path / "down").read_bytes() == body
