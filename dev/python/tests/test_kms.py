"""The KMS door and SSE-KMS, as boto3 uses them."""

import json
import uuid

import pytest
from botocore.config import Config
from conftest import Refused, client


@pytest.fixture(scope="session")
def kms():
    return client("kms", region_name="eu-central-1")


@pytest.fixture
def key(kms):
    """The ARN of a new key."""
    return kms.create_key(Description="of a test")["KeyMetadata"]["Arn"]


def encrypted(s3, bucket, name, key, body=b"x" * 5000, **more):
    more = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key, **more}
    return s3.put_object(Bucket=bucket, Key=name, Body=body, **more)


def test_a_key_is_described_as_it_was_made(kms):
    tags = [{"TagKey": "team", "TagValue": "platform"}]
    made = kms.create_key(Description="states", Tags=tags)["KeyMetadata"]
    assert made["Arn"] == f"arn:aws:kms:eu-central-1:000000000000:key/{made['KeyId']}"
    assert (made["KeyState"], made["KeySpec"], made["KeyManager"]) == ("Enabled", "SYMMETRIC_DEFAULT", "CUSTOMER")
    for name in (made["KeyId"], made["Arn"]):
        assert kms.describe_key(KeyId=name)["KeyMetadata"] == made
    assert kms.list_resource_tags(KeyId=made["KeyId"])["Tags"] == tags
    kms.untag_resource(KeyId=made["KeyId"], TagKeys=["team"])
    assert kms.list_resource_tags(KeyId=made["KeyId"])["Tags"] == []
    kms.update_key_description(KeyId=made["KeyId"], Description="others")
    assert kms.describe_key(KeyId=made["KeyId"])["KeyMetadata"]["Description"] == "others"


def test_keys_of_other_kinds_are_refused(kms):
    for kind in (
        {"KeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY"},
        {"KeyUsage": "GENERATE_VERIFY_MAC"},
        {"MultiRegion": True},
        {"Origin": "EXTERNAL"},
    ):
        with Refused("UnsupportedOperationException", 400):
            kms.create_key(**kind)
    with Refused("UnsupportedOperationException", 400):
        kms.list_grants(KeyId=str(uuid.uuid4()))


def test_what_does_not_exist_is_not_found(kms):
    missing = str(uuid.uuid4())
    with Refused("NotFoundException", 400) as refused:
        kms.describe_key(KeyId=missing)
    assert f"key/{missing}' does not exist" in refused.message
    with Refused("NotFoundException", 400) as refused:
        kms.encrypt(KeyId="alias/missing", Plaintext=b"x")
    assert "alias/missing is not found" in refused.message
    with Refused("NotFoundException", 400):
        kms.enable_key(KeyId="nonsense")


def test_all_keys_and_aliases_are_listed_in_pages(kms):
    made = {kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(3)}
    pages = kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 2})
    listed = [key["KeyId"] for page in pages for key in page["Keys"]]
    assert made <= set(listed) and len(listed) == len(set(listed))
    one = made.pop()
    names = [f"alias/{uuid.uuid4()}" for _ in range(3)]
    for name in names:
        kms.create_alias(AliasName=name, TargetKeyId=one)
    pages = kms.get_paginator("list_aliases").paginate(KeyId=one, PaginationConfig={"PageSize": 2})
    assert [alias["AliasName"] for page in pages for alias in page["Aliases"]] == sorted(names)


def test_an_alias_moves(kms, key):
    other, name = kms.create_key()["KeyMetadata"]["Arn"], f"alias/{uuid.uuid4()}"
    kms.create_alias(AliasName=name, TargetKeyId=key)
    with Refused("AlreadyExistsException", 400):
        kms.create_alias(AliasName=name, TargetKeyId=other)
    assert kms.describe_key(KeyId=name)["KeyMetadata"]["Arn"] == key
    kms.update_alias(AliasName=name, TargetKeyId=other)
    assert kms.encrypt(KeyId=name, Plaintext=b"x")["KeyId"] == other
    kms.delete_alias(AliasName=name)
    with Refused("NotFoundException", 400):
        kms.describe_key(KeyId=name)
    with Refused("InvalidAliasNameException", 400):
        kms.create_alias(AliasName="alias/aws/mine", TargetKeyId=key)
    with Refused("ValidationException", 400):
        kms.create_alias(AliasName="mine", TargetKeyId=key)


def test_a_text_is_encrypted_with_its_context(kms, key):
    context = {"team": "platform", "what": "state"}
    sealed = kms.encrypt(KeyId=key, Plaintext=b"text", EncryptionContext=context)
    opened = kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext=context)
    assert (opened["Plaintext"], opened["KeyId"]) == (b"text", key)
    for other in ({}, {"team": "platform"}, {**context, "team": "network"}):
        with Refused("InvalidCiphertextException", 400):
            kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext=other)
    with Refused("InvalidCiphertextException", 400):
        kms.decrypt(CiphertextBlob=b"no ciphertext at all")
    other = kms.create_key()["KeyMetadata"]["Arn"]
    with Refused("IncorrectKeyException", 400):
        kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext=context, KeyId=other)
    moved = kms.re_encrypt(
        CiphertextBlob=sealed["CiphertextBlob"],
        SourceEncryptionContext=context,
        DestinationKeyId=other,
        DestinationEncryptionContext={"new": "context"},
    )
    assert (moved["SourceKeyId"], moved["KeyId"]) == (key, other)
    opened = kms.decrypt(CiphertextBlob=moved["CiphertextBlob"], EncryptionContext={"new": "context"})
    assert opened["Plaintext"] == b"text"
    assert kms.encrypt(KeyId=key, Plaintext=b"x" * 4096)
    with Refused("ValidationException", 400):
        kms.encrypt(KeyId=key, Plaintext=b"x" * 4097)
    with Refused("DryRunOperationException"):
        kms.encrypt(KeyId=key, Plaintext=b"x", DryRun=True)


def test_a_data_key_comes_open_and_sealed(kms, key):
    for wanted, length in (({"KeySpec": "AES_256"}, 32), ({"KeySpec": "AES_128"}, 16), ({"NumberOfBytes": 7}, 7)):
        made = kms.generate_data_key(KeyId=key, EncryptionContext={"a": "b"}, **wanted)
        assert len(made["Plaintext"]) == length
        opened = kms.decrypt(CiphertextBlob=made["CiphertextBlob"], EncryptionContext={"a": "b"})
        assert opened["Plaintext"] == made["Plaintext"]
    sealed = kms.generate_data_key_without_plaintext(KeyId=key, KeySpec="AES_256")
    assert "Plaintext" not in sealed
    assert len(kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"])["Plaintext"]) == 32
    for wanted in ({}, {"KeySpec": "AES_256", "NumberOfBytes": 7}, {"NumberOfBytes": 1025}):
        with Refused("ValidationException", 400):
            kms.generate_data_key(KeyId=key, **wanted)
    assert len(kms.generate_random(NumberOfBytes=33)["Plaintext"]) == 33


def test_a_key_is_rotated(kms, key):
    assert not kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"]
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=180)
    status = kms.get_key_rotation_status(KeyId=key)
    assert (status["KeyRotationEnabled"], status["RotationPeriodInDays"]) == (True, 180)
    with Refused("ValidationException", 400):
        kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=2561)
    sealed = kms.encrypt(KeyId=key, Plaintext=b"text")["CiphertextBlob"]
    kms.rotate_key_on_demand(KeyId=key)
    assert [one["RotationType"] for one in kms.list_key_rotations(KeyId=key)["Rotations"]] == ["ON_DEMAND"]
    assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"text"
    kms.disable_key_rotation(KeyId=key)
    assert not kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"]


def test_a_policy_must_not_lock_out(kms, key):
    policy = json.loads(kms.get_key_policy(KeyId=key)["Policy"])
    assert policy["Statement"][0]["Principal"] == {"AWS": "arn:aws:iam::000000000000:root"}
    assert kms.list_key_policies(KeyId=key)["PolicyNames"] == ["default"]
    policy["Statement"][0]["Principal"] = {"AWS": "arn:aws:iam::111111111111:root"}
    with Refused("MalformedPolicyDocumentException", 400) as refused:
        kms.put_key_policy(KeyId=key, Policy=json.dumps(policy))
    assert refused.message == "The new key policy will not allow you to update the key policy in the future."
    with Refused("MalformedPolicyDocumentException", 400):
        kms.put_key_policy(KeyId=key, Policy="{}")
    kms.put_key_policy(KeyId=key, Policy=json.dumps(policy), BypassPolicyLockoutSafetyCheck=True)
    assert json.loads(kms.get_key_policy(KeyId=key)["Policy"]) == policy


def test_a_disabled_key_does_nothing(kms, key):
    sealed = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    kms.disable_key(KeyId=key)
    for call in (
        lambda: kms.encrypt(KeyId=key, Plaintext=b"x"),
        lambda: kms.decrypt(CiphertextBlob=sealed),
        lambda: kms.generate_data_key(KeyId=key, KeySpec="AES_256"),
        lambda: kms.enable_key_rotation(KeyId=key),
        lambda: kms.rotate_key_on_demand(KeyId=key),
    ):
        with Refused("DisabledException", 400) as refused:
            call()
        assert refused.message == f"{key} is disabled."
    kms.enable_key(KeyId=key)
    assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"x"


def test_a_deletion_is_scheduled_and_cancelled(kms, key):
    for days in (6, 31):
        with Refused("ValidationException", 400):
            kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=days)
    scheduled = kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert (scheduled["KeyState"], scheduled["PendingWindowInDays"]) == ("PendingDeletion", 7)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["DeletionDate"] == scheduled["DeletionDate"]
    for call in (
        lambda: kms.encrypt(KeyId=key, Plaintext=b"x"),
        lambda: kms.enable_key(KeyId=key),
        lambda: kms.create_alias(AliasName=f"alias/{uuid.uuid4()}", TargetKeyId=key),
        lambda: kms.schedule_key_deletion(KeyId=key),
    ):
        with Refused("KMSInvalidStateException", 400) as refused:
            call()
        assert refused.message == f"{key} is pending deletion."
    kms.cancel_key_deletion(KeyId=key)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Disabled"


def test_an_object_is_read_while_its_key_is_enabled(kms, s3, versioned, key):
    alias = f"alias/{uuid.uuid4()}"
    kms.create_alias(AliasName=alias, TargetKeyId=key)
    first = encrypted(s3, versioned, "a", alias)
    assert (first["ServerSideEncryption"], first["SSEKMSKeyId"]) == ("aws:kms", key)
    encrypted(s3, versioned, "a", key, b"y" * 5000)
    for read in ({}, {"VersionId": first["VersionId"]}, {"Range": "bytes=0-99"}):
        got = s3.get_object(Bucket=versioned, Key="a", **read)
        assert got["SSEKMSKeyId"] == key
    kms.disable_key(KeyId=key)
    for read in ({}, {"VersionId": first["VersionId"]}, {"Range": "bytes=0-99"}):
        with Refused("KMS.DisabledException", 400) as refused:
            s3.get_object(Bucket=versioned, Key="a", **read)
        assert refused.message == f"{key} is disabled."
    assert s3.head_object(Bucket=versioned, Key="a")["ContentLength"] == 5000
    with Refused("KMS.DisabledException", 400):
        s3.copy_object(Bucket=versioned, Key="b", CopySource={"Bucket": versioned, "Key": "a"})
    with Refused("KMS.DisabledException", 400):
        encrypted(s3, versioned, "b", key)
    kms.schedule_key_deletion(KeyId=key)
    with Refused("KMS.KMSInvalidStateException", 400):
        s3.get_object(Bucket=versioned, Key="a")
    kms.cancel_key_deletion(KeyId=key)
    kms.enable_key(KeyId=key)
    assert s3.get_object(Bucket=versioned, Key="a")["Body"].read() == b"y" * 5000


def test_a_key_that_does_not_exist_is_told_as_s3_tells_it(s3, bucket):
    for name in (str(uuid.uuid4()), "alias/none", "nonsense"):
        with Refused("KMS.NotFoundException", 400):
            encrypted(s3, bucket, "a", name)


def test_a_bucket_encrypts_for_those_who_do_not_say(kms, s3, bucket, key):
    def rule(**default):
        default = {"SSEAlgorithm": "aws:kms", **default}
        rules = [{"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": True}]
        s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": rules})

    rule(KMSMasterKeyID=key)
    put = s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    assert (put["ServerSideEncryption"], put["SSEKMSKeyId"], put["BucketKeyEnabled"]) == ("aws:kms", key, True)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="m")
    assert upload["SSEKMSKeyId"] == key
    part = s3.upload_part(Bucket=bucket, Key="m", UploadId=upload["UploadId"], PartNumber=1, Body=b"z" * 100)
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(Bucket=bucket, Key="m", UploadId=upload["UploadId"], MultipartUpload=parts)
    kms.disable_key(KeyId=key)
    for name in ("a", "m"):
        with Refused("KMS.DisabledException", 400):
            s3.get_object(Bucket=bucket, Key=name)
    plain = s3.put_object(Bucket=bucket, Key="b", Body=b"x", ServerSideEncryption="AES256")
    assert "SSEKMSKeyId" not in plain
    rule()
    own = s3.put_object(Bucket=bucket, Key="c", Body=b"x")["SSEKMSKeyId"]
    metadata = kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]
    assert (metadata["Arn"], metadata["KeyManager"]) == (own, "AWS")
    with Refused("AccessDeniedException", 400):
        kms.disable_key(KeyId=own)
    s3.delete_bucket_encryption(Bucket=bucket)
    assert "SSEKMSKeyId" not in s3.put_object(Bucket=bucket, Key="d", Body=b"x")


def test_nonsense_is_refused_as_nonsense():
    unchecked = client("kms", config=Config(parameter_validation=False))
    for fields in ({"KeyId": ""}, {"KeyId": "x" * 2049}):
        with Refused("ValidationException", 400):
            unchecked.describe_key(**fields)

