"""The AWS CLI, as an operator uses it."""

import json
import os
import random
import ssl
import urllib.request
import uuid


def trusting():
    """Of the authority that AWS's own clients are told to trust; it means nothing to plain HTTP."""
    return ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE"))


def test_a_day_with_s3(aws, tmp_path):
    bucket = f"test-{uuid.uuid4()}"
    body = random.Random(1).randbytes(20_000_000)
    (tmp_path / "large.bin").write_bytes(body)
    (tmp_path / "small.txt").write_text("small\n")
    assert aws("s3", "mb", f"s3://{bucket}").strip() == f"make_bucket: {bucket}"
    assert bucket in aws("s3", "ls")
    aws("s3", "cp", "large.bin", f"s3://{bucket}/in/large.bin", "--no-progress")
    aws("s3", "cp", "small.txt", f"s3://{bucket}/in/with space.txt", "--no-progress")
    listed = aws("s3", "ls", f"s3://{bucket}", "--recursive")
    assert "20000000 in/large.bin" in listed and "6 in/with space.txt" in listed
    assert "PRE in/" in aws("s3", "ls", f"s3://{bucket}/")
    aws("s3", "cp", f"s3://{bucket}/in/large.bin", "back.bin", "--no-progress")
    assert (tmp_path / "back.bin").read_bytes() == body
    assert aws("s3", "cp", f"s3://{bucket}/in/with space.txt", "-") == "small\n"
    aws("s3", "mv", f"s3://{bucket}/in/large.bin", f"s3://{bucket}/out/large.bin", "--no-progress")
    # In the oldest regions, us-east-1 among them, the CLI presigns with the legacy signature.
    url = aws("s3", "presign", f"s3://{bucket}/in/with space.txt", "--region", "eu-central-1").strip()
    with urllib.request.urlopen(url, context=trusting()) as answer:
        assert answer.read() == b"small\n"
    assert "BucketNotEmpty" in aws("s3", "rb", f"s3://{bucket}", ok=False)
    aws("s3", "rm", f"s3://{bucket}", "--recursive")
    aws("s3", "rb", f"s3://{bucket}")
    assert "NoSuchBucket" in aws("s3", "ls", f"s3://{bucket}", ok=False)


def test_a_directory_is_synchronised(aws, tmp_path):
    bucket = f"test-{uuid.uuid4()}"
    aws("s3", "mb", f"s3://{bucket}")
    (tmp_path / "from" / "deep").mkdir(parents=True)
    for name in ["a", "deep/ż b", "deep/c"]:
        (tmp_path / "from" / name).write_text(name)
    assert aws("s3", "sync", "from", f"s3://{bucket}/to", "--no-progress").count("upload:") == 3
    assert aws("s3", "sync", "from", f"s3://{bucket}/to", "--no-progress") == ""
    (tmp_path / "from" / "a").unlink()
    assert "delete:" in aws("s3", "sync", "from", f"s3://{bucket}/to", "--delete", "--no-progress")
    aws("s3", "sync", f"s3://{bucket}/to", "back", "--no-progress")
    assert sorted(p.read_text() for p in (tmp_path / "back").rglob("*") if p.is_file()) == ["deep/c", "deep/ż b"]


def test_versions_are_looked_at_with_s3api(aws, tmp_path):
    key = f"{uuid.uuid4()}.txt"
    for text in ["one", "two"]:
        (tmp_path / "body").write_text(text)
        aws("s3api", "put-object", "--bucket", "tfstate", "--key", key, "--body", "body")
    versions = json.loads(aws("s3api", "list-object-versions", "--bucket", "tfstate", "--prefix", key))["Versions"]
    assert [v["IsLatest"] for v in versions] == [True, False]
    aws("s3api", "get-object", "--bucket", "tfstate", "--key", key, "--version-id", versions[1]["VersionId"], "old")
    assert (tmp_path / "old").read_text() == "one"
    head = json.loads(aws("s3api", "head-object", "--bucket", "tfstate", "--key", key))
    assert head["ContentLength"] == 3 and head["VersionId"] == versions[0]["VersionId"]
    assert "404" in aws("s3api", "head-object", "--bucket", "tfstate", "--key", "missing", ok=False)
    refused = aws("s3api", "put-object", "--bucket", "tfstate", "--key", key, "--body", "body", "--if-none-match", "*", ok=False)
    assert "PreconditionFailed" in refused


def test_the_lock_table_is_looked_at_with_dynamodb(aws):
    lock = f"tfstate/{uuid.uuid4()}"
    key = json.dumps({"LockID": {"S": lock}})
    item = json.dumps({"LockID": {"S": lock}, "Info": {"S": '{"ID":"7d1cd0a1-1c6a-4b0f-8fd4-ee4e6d0c9a4e"}'}})
    put = ["dynamodb", "put-item", "--table-name", "terraform-locks", "--item", item]
    aws(*put, "--condition-expression", "attribute_not_exists(LockID)")
    got = json.loads(aws("dynamodb", "get-item", "--table-name", "terraform-locks", "--key", key))
    assert got["Item"] == json.loads(item)
    assert "terraform-locks" in json.loads(aws("dynamodb", "list-tables"))["TableNames"]
    assert lock in aws("dynamodb", "scan", "--table-name", "terraform-locks")
    aws("dynamodb", "delete-item", "--table-name", "terraform-locks", "--key", key)
    assert aws("dynamodb", "get-item", "--table-name", "terraform-locks", "--key", key).strip() == ""
    missing = ["dynamodb", "describe-table", "--table-name", "missing"]
    assert "ResourceNotFoundException" in aws(*missing, ok=False)


def test_a_table_is_made_and_deleted(aws):
    name = f"test-{uuid.uuid4()}"
    aws(
        "dynamodb", "create-table", "--table-name", name, "--attribute-definitions", "AttributeName=LockID,AttributeType=S",
        "--key-schema", "AttributeName=LockID,KeyType=HASH", "--billing-mode", "PAY_PER_REQUEST",
    )  # fmt: skip
    aws("dynamodb", "wait", "table-exists", "--table-name", name)
    aws("dynamodb", "delete-table", "--table-name", name)


def test_the_caller_is_told_who_it_is(aws):
    assert json.loads(aws("sts", "get-caller-identity"))["Arn"].startswith("arn:aws:iam::")
