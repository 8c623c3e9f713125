"""Buckets: made, found, configured, deleted; and what the Terraform AWS provider and Terragrunt ask of them."""

import uuid

import pytest
from conftest import REGION, Refused, client


def test_a_bucket_is_made_found_and_deleted(s3):
    name = f"test-{uuid.uuid4()}"
    assert s3.create_bucket(Bucket=name)["Location"] == f"/{name}"
    s3.head_bucket(Bucket=name)
    assert name in [b["Name"] for b in s3.list_buckets()["Buckets"]]
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] is None
    s3.delete_bucket(Bucket=name)
    with Refused("404", 404):
        s3.head_bucket(Bucket=name)
    assert name not in [b["Name"] for b in s3.list_buckets()["Buckets"]]


def test_the_first_start_has_made_a_bucket_and_a_table(s3, dynamodb):
    s3.head_bucket(Bucket="tfstate")
    assert s3.get_bucket_versioning(Bucket="tfstate")["Status"] == "Enabled"
    described = dynamodb.describe_table(TableName="terraform-locks")["Table"]
    assert described["KeySchema"] == [{"AttributeName": "LockID", "KeyType": "HASH"}]
    assert described["TableStatus"] == "ACTIVE"


def test_a_bucket_with_objects_is_not_deleted(s3, bucket):
    s3.put_object(Bucket=bucket, Key="a", Body=b"a")
    with Refused("BucketNotEmpty", 409):
        s3.delete_bucket(Bucket=bucket)
    s3.delete_object(Bucket=bucket, Key="a")
    s3.delete_bucket(Bucket=bucket)


def test_a_bucket_with_only_old_versions_is_not_deleted(s3, versioned):
    s3.put_object(Bucket=versioned, Key="a", Body=b"a")
    s3.delete_object(Bucket=versioned, Key="a")
    with Refused("BucketNotEmpty", 409):
        s3.delete_bucket(Bucket=versioned)


def test_a_missing_bucket_is_no_such_bucket(s3):
    missing = f"test-{uuid.uuid4()}"
    calls = [
        lambda: s3.list_objects_v2(Bucket=missing),
        lambda: s3.put_object(Bucket=missing, Key="a", Body=b"a"),
        lambda: s3.get_object(Bucket=missing, Key="a"),
        lambda: s3.delete_bucket(Bucket=missing),
        lambda: s3.get_bucket_versioning(Bucket=missing),
        lambda: s3.create_multipart_upload(Bucket=missing, Key="a"),
    ]
    for call in calls:
        with Refused("NoSuchBucket", 404):
            call()


@pytest.mark.parametrize("name", ["Upper", "under_score", "a..b", "192.168.0.1", "-dash", "ab"])
def test_a_bucket_name_that_aws_refuses_is_refused(s3, name):
    with Refused("InvalidBucketName", 400):
        s3.create_bucket(Bucket=name)


def test_a_bucket_is_in_the_region_of_whoever_asks(bucket):
    name = f"test-{uuid.uuid4()}"
    europe = client("s3", region_name="eu-central-1")
    europe.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    for there in [name, bucket]:
        assert europe.get_bucket_location(Bucket=there)["LocationConstraint"] == "eu-central-1"


def test_versioning_is_off_then_enabled_then_suspended(s3, bucket):
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    for status in ["Enabled", "Suspended"]:
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})
        assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == status


@pytest.mark.parametrize(
    "operation, code",
    [
        ("get_bucket_cors", "NoSuchCORSConfiguration"),
        ("get_bucket_lifecycle_configuration", "NoSuchLifecycleConfiguration"),
        ("get_bucket_policy", "NoSuchBucketPolicy"),
        ("get_bucket_replication", "ReplicationConfigurationNotFoundError"),
        ("get_bucket_tagging", "NoSuchTagSet"),
        ("get_bucket_website", "NoSuchWebsiteConfiguration"),
        ("get_object_lock_configuration", "ObjectLockConfigurationNotFoundError"),
    ],
)
def test_what_is_not_configured_has_aws_s_own_error(s3, bucket, operation, code):
    with Refused(code, 404):
        getattr(s3, operation)(Bucket=bucket)


def test_what_every_bucket_has_is_answered(s3, bucket):
    assert s3.get_bucket_acl(Bucket=bucket)["Grants"]
    assert s3.get_bucket_request_payment(Bucket=bucket)["Payer"] == "BucketOwner"
    assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket=bucket)
    assert "Status" not in s3.get_bucket_accelerate_configuration(Bucket=bucket)


def test_a_new_bucket_is_private_owned_and_encrypted_as_on_aws(s3, bucket):
    ownership = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
    assert ownership == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert len(block) == 4 and all(block.values())
    encryption = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert encryption[0]["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}


def test_any_region_of_the_client_is_fine(bucket):
    for region in [REGION, "eu-west-3", "af-south-1"]:
        client("s3", region_name=region).list_objects_v2(Bucket=bucket)
