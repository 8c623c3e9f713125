"""Objects: a usual day of put, get, head, copy, delete, with ranges, metadata, tags, odd keys and presigned URLs."""

import hashlib
import time
import urllib.error
import urllib.request

import pytest
from botocore.config import Config
from conftest import Refused, client

ODD_KEYS = [
    "plain", "with space", "two  spaces", "a//b", "/leading", "trailing/", "a+b", "a%20b", "a%2Fb", "a?b=c", "a#b", "a&b<c>\"d'",
    "żółw/状態/😀", "env:/blue/x.tfstate", "..", "../up", "./here", "a/./b/../c", "a\tb", "~tilde", "back\\slash", "x" * 1024,
]  # fmt: skip


def test_an_object_comes_back_as_it_went_in(s3, bucket):
    body = bytes(range(256)) * 100
    put = s3.put_object(Bucket=bucket, Key="a", Body=body, ContentType="application/x-thing", Metadata={"who": "me", "n": "2"})
    etag = f'"{hashlib.md5(body).hexdigest()}"'
    assert put["ETag"] == etag
    got = s3.get_object(Bucket=bucket, Key="a")
    assert got["Body"].read() == body
    head = s3.head_object(Bucket=bucket, Key="a")
    for seen in [got, head]:
        assert seen["ETag"] == etag
        assert seen["ContentLength"] == len(body)
        assert seen["ContentType"] == "application/x-thing"
        assert seen["Metadata"] == {"who": "me", "n": "2"}
        assert seen["AcceptRanges"] == "bytes"
        assert "VersionId" not in seen


def test_headers_that_describe_a_body_are_kept(s3, bucket):
    given = {
        "CacheControl": "no-cache", "ContentDisposition": "attachment", "ContentEncoding": "gzip", "ContentLanguage": "pl",
    }  # fmt: skip
    s3.put_object(Bucket=bucket, Key="a", Body=b"a", **given)
    head = s3.head_object(Bucket=bucket, Key="a")
    assert {name: head[name] for name in given} == given


def test_an_empty_object_is_an_object(s3, bucket):
    s3.put_object(Bucket=bucket, Key="empty", Body=b"")
    got = s3.get_object(Bucket=bucket, Key="empty")
    assert got["Body"].read() == b"" and got["ContentLength"] == 0


def test_a_put_replaces_the_whole_object(s3, bucket):
    s3.put_object(Bucket=bucket, Key="a", Body=b"longer than the next", Metadata={"old": "1"})
    s3.put_object(Bucket=bucket, Key="a", Body=b"next")
    got = s3.get_object(Bucket=bucket, Key="a")
    assert got["Body"].read() == b"next" and got["Metadata"] == {}


def test_a_missing_object_is_no_such_key(s3, bucket):
    with Refused("NoSuchKey", 404) as refused:
        s3.get_object(Bucket=bucket, Key="missing")
    assert refused.response["Error"]["Key"] == "missing"
    with Refused("404", 404):
        s3.head_object(Bucket=bucket, Key="missing")
    s3.delete_object(Bucket=bucket, Key="missing")


@pytest.mark.parametrize(
    "asked, first, end",
    [("bytes=0-0", 0, 1), ("bytes=2-5", 2, 6), ("bytes=7-", 7, 10), ("bytes=-3", 7, 10), ("bytes=8-99", 8, 10), ("bytes=-99", 0, 10)],
)
def test_a_range_is_part_of_the_body(s3, bucket, asked, first, end):
    s3.put_object(Bucket=bucket, Key="a", Body=b"0123456789")
    got = s3.get_object(Bucket=bucket, Key="a", Range=asked)
    assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert got["Body"].read() == b"0123456789"[first:end]
    assert got["ContentRange"] == f"bytes {first}-{end - 1}/10"
    assert got["ContentLength"] == end - first
    head = s3.head_object(Bucket=bucket, Key="a", Range=asked)
    assert head["ContentLength"] == end - first


def test_a_range_beyond_the_end_is_invalid(s3, bucket):
    s3.put_object(Bucket=bucket, Key="a", Body=b"0123456789")
    for asked in ["bytes=10-", "bytes=99-100"]:
        with Refused("InvalidRange", 416):
            s3.get_object(Bucket=bucket, Key="a", Range=asked)


def test_a_range_that_is_no_range_is_ignored(s3, bucket):
    s3.put_object(Bucket=bucket, Key="a", Body=b"0123456789")
    for asked in ["bytes=5-2", "lines=1-2", "bytes=a-b"]:
        assert s3.get_object(Bucket=bucket, Key="a", Range=asked)["Body"].read() == b"0123456789"


@pytest.mark.parametrize("key", ODD_KEYS, ids=lambda key: ascii(key[:20]))
def test_an_odd_key_is_kept_as_it_is(s3, bucket, key):
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    assert [o["Key"] for o in s3.list_objects(Bucket=bucket)["Contents"]] == [key]
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": key})
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == key.encode()
    deleted = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key}]})
    assert [d["Key"] for d in deleted["Deleted"]] == [key]
    with Refused("404"):
        s3.head_object(Bucket=bucket, Key=key)


def test_odd_keys_are_all_different(s3, bucket):
    for key in ODD_KEYS:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    listed = [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert listed == sorted(ODD_KEYS, key=lambda key: key.encode())


def test_a_key_of_more_than_1024_bytes_is_refused(s3, bucket):
    for key in ["x" * 1025, "ż" * 513]:
        with Refused("KeyTooLongError", 400):
            s3.put_object(Bucket=bucket, Key=key, Body=b"a")


def test_a_batch_is_deleted_in_one_request(s3, bucket):
    for n in range(5):
        s3.put_object(Bucket=bucket, Key=f"k{n}", Body=b"a")
    done = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": f"k{n}"} for n in [0, 2, 9]]})
    assert sorted(d["Key"] for d in done["Deleted"]) == ["k0", "k2", "k9"]
    assert "Errors" not in done
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["k1", "k3", "k4"]
    quiet = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k1"}], "Quiet": True})
    assert "Deleted" not in quiet


def test_a_copy_keeps_or_replaces_metadata_as_asked(s3, bucket):
    s3.put_object(Bucket=bucket, Key="a", Body=b"body", Metadata={"k": "old"}, ContentType="text/plain", Tagging="t=1")
    s3.copy_object(Bucket=bucket, Key="kept", CopySource=f"{bucket}/a")
    kept = s3.get_object(Bucket=bucket, Key="kept")
    assert (kept["Body"].read(), kept["Metadata"], kept["ContentType"]) == (b"body", {"k": "old"}, "text/plain")
    assert s3.get_object_tagging(Bucket=bucket, Key="kept")["TagSet"] == [{"Key": "t", "Value": "1"}]
    s3.copy_object(Bucket=bucket, Key="new", CopySource=f"{bucket}/a", MetadataDirective="REPLACE", Metadata={"k": "new"})
    assert s3.head_object(Bucket=bucket, Key="new")["Metadata"] == {"k": "new"}
    with Refused("NoSuchKey", 404):
        s3.copy_object(Bucket=bucket, Key="b", CopySource=f"{bucket}/missing")
    with Refused("InvalidRequest", 400):
        s3.copy_object(Bucket=bucket, Key="a", CopySource=f"{bucket}/a")


def test_tags_are_set_read_and_deleted(s3, bucket):
    s3.put_object(Bucket=bucket, Key="a", Body=b"a", Tagging="team=net%20work&env=prod")
    tags = s3.get_object_tagging(Bucket=bucket, Key="a")["TagSet"]
    assert sorted((t["Key"], t["Value"]) for t in tags) == [("env", "prod"), ("team", "net work")]
    assert s3.get_object(Bucket=bucket, Key="a")["TagCount"] == 2
    s3.put_object_tagging(Bucket=bucket, Key="a", Tagging={"TagSet": [{"Key": "only", "Value": "one"}]})
    assert s3.get_object_tagging(Bucket=bucket, Key="a")["TagSet"] == [{"Key": "only", "Value": "one"}]
    s3.delete_object_tagging(Bucket=bucket, Key="a")
    assert s3.get_object_tagging(Bucket=bucket, Key="a")["TagSet"] == []


def test_encryption_asked_for_is_echoed(s3, bucket):
    key = client("kms").create_key()["KeyMetadata"]["Arn"]
    for given in [{"ServerSideEncryption": "AES256"}, {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}]:
        put = s3.put_object(Bucket=bucket, Key="a", Body=b"a", **given)
        head = s3.head_object(Bucket=bucket, Key="a")
        for seen in [put, head]:
            assert {name: seen[name] for name in given} == given


def test_encryption_with_the_customers_key_is_echoed(s3, bucket):
    key = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}
    put = s3.put_object(Bucket=bucket, Key="a", Body=b"a", **key)
    got = s3.get_object(Bucket=bucket, Key="a", **key)
    assert got["Body"].read() == b"a"
    for seen in [put, got]:
        assert seen["SSECustomerAlgorithm"] == "AES256" and seen["SSECustomerKeyMD5"]


@pytest.fixture(scope="session")
def signer():
    # In the oldest regions boto3 presigns with the legacy signature unless told otherwise.
    return client("s3", config=Config(signature_version="s3v4"))


def test_a_presigned_url_needs_no_other_credentials(signer, bucket):
    url = signer.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "with space/ż"})
    with urllib.request.urlopen(urllib.request.Request(url, data=b"by url", method="PUT")) as answer:
        assert answer.status == 200
    url = signer.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "with space/ż", "ResponseContentType": "text/x"})
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == b"by url" and answer.headers["Content-Type"] == "text/x"


def test_a_presigned_url_is_good_for_its_time_and_its_request_only(s3, signer, bucket):
    s3.put_object(Bucket=bucket, Key="a", Body=b"a")
    s3.put_object(Bucket=bucket, Key="b", Body=b"b")
    url = signer.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "a"}, ExpiresIn=1)
    tampered = url.replace("/a?", "/b?")
    assert tampered != url
    assert refusal(tampered) == (403, "SignatureDoesNotMatch")
    time.sleep(2.1)
    assert refusal(url) == (403, "AccessDenied")


def refusal(url):
    try:
        with urllib.request.urlopen(url) as answer:
            return answer.status, ""
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode().split("<Code>")[1].split("</Code>")[0]
