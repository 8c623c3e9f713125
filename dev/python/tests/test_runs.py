"""A lock that boto3 or the AWS CLI took inside of `tidelock run` ends with the run."""

import base64
import json
import os
import urllib.request
import uuid

from botocore.config import Config
from conftest import Refused, client


def admin(method, path, body=None):
    """A request to the admin door."""
    pair = f"{os.environ['AWS_ACCESS_KEY_ID']}:{os.environ['AWS_SECRET_ACCESS_KEY']}"
    basic = base64.b64encode(pair.encode()).decode()
    data = None if body is None else json.dumps(body).encode()
    url = os.environ["AWS_ENDPOINT_URL"] + path
    request = urllib.request.Request(url, data, {"authorization": f"Basic {basic}"}, method=method)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def begun():
    """A run that lasts longer than the test, and the application ID that `tidelock run` gives its command."""
    run = uuid.uuid4().hex[:20]
    admin("PUT", f"/admin/runs/{run}", {"lease_ms": 3_600_000})
    return run, f"tidelock-run-{run}"


def info(lock):
    return json.dumps({"ID": lock, "Operation": "deploy", "Who": "a script"})


def test_the_lock_file_of_boto3(bucket):
    run, app = begun()
    inside, outside = client("s3", config=Config(user_agent_appid=app)), client("s3")
    lock = {"Bucket": bucket, "Key": "a.tflock", "IfNoneMatch": "*"}
    inside.put_object(Body=info("inside"), **lock)
    with Refused("PreconditionFailed", 412):
        outside.put_object(Body=info("outside"), **lock)
    admin("DELETE", f"/admin/runs/{run}")
    outside.put_object(Body=info("outside"), **lock)
    held = outside.get_object(Bucket=bucket, Key="a.tflock")["Body"].read()
    assert json.loads(held)["ID"] == "outside"


def test_the_item_of_boto3(dynamodb):
    run, app = begun()
    inside = client("dynamodb", config=Config(user_agent_appid=app))
    key = f"tfstate/{uuid.uuid4()}"

    def lock(by, name):
        item = {"LockID": {"S": key}, "Info": {"S": info(name)}}
        condition = "attribute_not_exists(LockID)"
        by.put_item(TableName="terraform-locks", Item=item, ConditionExpression=condition)

    lock(inside, "inside")
    with Refused("ConditionalCheckFailedException"):
        lock(dynamodb, "outside")
    admin("DELETE", f"/admin/runs/{run}")
    lock(dynamodb, "outside")


def test_the_lock_file_of_the_aws_cli(aws, bucket, tmp_path, monkeypatch):
    run, app = begun()
    (tmp_path / "inside").write_text(info("inside"))
    (tmp_path / "outside").write_text(info("outside"))
    put = ["s3api", "put-object", "--bucket", bucket, "--key", "b.tflock", "--if-none-match", "*", "--body"]
    monkeypatch.setenv("AWS_SDK_UA_APP_ID", app)
    aws(*put, "inside")
    monkeypatch.delenv("AWS_SDK_UA_APP_ID")
    assert "PreconditionFailed" in aws(*put, "outside", ok=False)
    admin("DELETE", f"/admin/runs/{run}")
    aws(*put, "outside")
