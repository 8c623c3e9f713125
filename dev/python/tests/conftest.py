"""What the tests of the second clients share: boto3 clients of the server under test, fresh buckets and tables.

The Rust tests in crates/cli/tests/clients.rs start a server and pass its address and a key pair in the usual AWS_ variables.
"""

import os
import subprocess
import sys
import uuid
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

REGION = "us-east-1"

# One attempt: a retry would hide what the server said first.
ONE_ATTEMPT = Config(region_name=REGION, retries={"max_attempts": 1, "mode": "standard"})


def client(service, **settings):
    """A client of the server under test that does not retry."""
    config = settings.pop("config", None)
    config = ONE_ATTEMPT.merge(config) if config else ONE_ATTEMPT
    return boto3.client(service, config=config, **settings)


class Refused:
    """Checks in a `with` block that the call in it is refused with this error code, and this status if one is given."""

    def __init__(self, code, status=None):
        self.code, self.status = code, status

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _trace):
        assert kind is not None, f"succeeded where {self.code} was due"
        if not isinstance(error, ClientError):
            return False
        self.response = error.response
        got = error.response["Error"]["Code"]
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        assert got == self.code, f"{got} ({error.response['Error'].get('Message')}) where {self.code} was due"
        assert self.status in (None, status), f"status {status} where {self.status} was due"
        self.message = error.response["Error"].get("Message", "")
        return True


@pytest.fixture(scope="session")
def s3():
    return client("s3")


@pytest.fixture(scope="session")
def dynamodb():
    return client("dynamodb")


@pytest.fixture
def bucket(s3):
    """An empty bucket without versions."""
    name = f"test-{uuid.uuid4()}"
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def versioned(s3, bucket):
    """An empty bucket with versions."""
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return bucket


@pytest.fixture
def table(dynamodb):
    """An empty table like Terraform's lock table."""
    return make_table(dynamodb, ("LockID", "HASH", "S"))


@pytest.fixture
def ranged(dynamodb):
    """An empty table with a partition key `p` and a numeric sort key `s`."""
    return make_table(dynamodb, ("p", "HASH", "S"), ("s", "RANGE", "N"))


def make_table(dynamodb, *keys):
    name = f"test-{uuid.uuid4()}"
    dynamodb.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": kind} for key, _, kind in keys],
        KeySchema=[{"AttributeName": key, "KeyType": role} for key, role, _ in keys],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    return name


@pytest.fixture
def aws(tmp_path):
    """Runs the AWS CLI of this virtualenv and gives what it printed; `ok=False` where it must fail."""

    def run(*args, ok=True, text=True):
        program = Path(sys.executable).with_name("aws")
        done = subprocess.run([program, *args], cwd=tmp_path, capture_output=True, text=text, env=dict(os.environ))
        assert (done.returncode == 0) == ok, f"aws {' '.join(map(str, args))}: {done.stdout}{done.stderr}"
        return done.stdout if ok else done.stderr

    return run
