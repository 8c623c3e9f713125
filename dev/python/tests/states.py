"""States as Terraform writes them, and what must hold of one after anything was done to it."""

import hashlib
import json
import random

TABLE = "terraform-locks"


def state(serial, lineage="6a1d31b2-35b9-4d4d-8d3c-0f5a4ad3a0f1", resources=1, filling=0):
    """A state whose every resource tells its serial; `filling` bytes of what does not compress make it large."""
    instances = [
        {
            "mode": "managed",
            "type": "terraform_data",
            "name": f"r{n}",
            "provider": 'provider["terraform.io/builtin/terraform"]',
            "instances": [{"schema_version": 0, "attributes": {"id": f"{lineage}-{n}", "input": f"{serial}"}}],
        }
        for n in range(resources)
    ]
    padding = random.Random(lineage).randbytes(filling // 2).hex()
    document = {
        "version": 4,
        "terraform_version": "1.11.4",
        "serial": serial,
        "lineage": lineage,
        "outputs": {"padding": {"value": padding, "type": "string"}},
        "resources": instances,
        "check_results": None,
    }
    return json.dumps(document, indent=2).encode()


def digest(dynamodb, bucket, key):
    """What Terraform compares a state with when it has a lock table; `None` where there is nothing to compare with."""
    item = {"LockID": {"S": f"{bucket}/{key}-md5"}}
    got = dynamodb.get_item(TableName=TABLE, Key=item, ConsistentRead=True).get("Item")
    return got and got["Digest"]["S"]


def assert_current(s3, dynamodb, bucket, key, body):
    """This is the state, whoever reads it, and its digest says so."""
    got = s3.get_object(Bucket=bucket, Key=key)
    assert got["Body"].read() == body
    assert digest(dynamodb, bucket, key) == hashlib.md5(body).hexdigest()
    assert s3.head_object(Bucket=bucket, Key=key)["ContentLength"] == len(body)


