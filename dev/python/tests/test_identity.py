"""Who may come in: the right signature of a known key at the right time, and nobody else."""

import datetime
import os
import socket
import urllib.parse

import botocore.auth
import botocore.crt.auth
import pytest
from botocore.config import Config
from conftest import Refused, client

SERVICES = {
    "s3": lambda **given: client("s3", **given).list_buckets(),
    "dynamodb": lambda **given: client("dynamodb", **given).list_tables(),
    "sts": lambda **given: client("sts", **given).get_caller_identity(),
    "iam": lambda **given: client("iam", **given).list_users(),
}


def test_the_caller_is_told_who_it_is():
    identity = SERVICES["sts"]()
    assert identity["Account"].isdigit() and len(identity["Account"]) == 12
    assert identity["Arn"].startswith(f"arn:aws:iam::{identity['Account']}:") and identity["UserId"]


def test_an_action_that_sts_does_not_have_is_refused():
    with Refused("InvalidAction", 400):
        client("sts").get_federation_token(Name="name")


@pytest.mark.parametrize(
    "service, code, status",
    [
        ("s3", "SignatureDoesNotMatch", 403),
        ("dynamodb", "InvalidSignatureException", 400),
        ("sts", "SignatureDoesNotMatch", 403),
        ("iam", "SignatureDoesNotMatch", 403),
    ],
)
def test_a_wrong_secret_is_refused(service, code, status):
    with Refused(code, status):
        SERVICES[service](aws_access_key_id=os.environ["AWS_ACCESS_KEY_ID"], aws_secret_access_key="wrong")


@pytest.mark.parametrize(
    "service, code, status",
    [
        ("s3", "InvalidAccessKeyId", 403),
        ("dynamodb", "UnrecognizedClientException", 400),
        ("sts", "InvalidClientTokenId", 403),
        ("iam", "InvalidClientTokenId", 403),
    ],
)
def test_an_unknown_key_is_refused(service, code, status):
    with Refused(code, status):
        SERVICES[service](aws_access_key_id="AKIAIOSFODNN7EXAMPLE", aws_secret_access_key="wrong")


@pytest.mark.parametrize(
    "service, code, status",
    [
        ("s3", "RequestTimeTooSkewed", 403),
        ("dynamodb", "InvalidSignatureException", 400),
        ("sts", "SignatureDoesNotMatch", 403),
        ("iam", "SignatureDoesNotMatch", 403),
    ],
)
@pytest.mark.parametrize("minutes", [-20, 20])
def test_a_clock_that_is_wrong_is_refused(monkeypatch, service, code, status, minutes):
    wind_the_clock(monkeypatch, minutes)
    with Refused(code, status):
        SERVICES[service]()


@pytest.mark.parametrize("minutes", [-10, 10])
def test_a_clock_that_is_a_little_wrong_is_fine(monkeypatch, minutes):
    wind_the_clock(monkeypatch, minutes)
    for call in SERVICES.values():
        call()


def wind_the_clock(monkeypatch, minutes):
    def now(remove_tzinfo=True):
        time = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=minutes)
        return time.replace(tzinfo=None) if remove_tzinfo else time

    # botocore signs with the CRT where it is installed.
    for module in [botocore.auth, botocore.crt.auth]:
        monkeypatch.setattr(module, "get_current_datetime", now)


def test_the_legacy_signature_is_refused():
    with Refused("InvalidRequest", 400) as refused:
        client("s3", config=Config(signature_version="s3")).list_buckets()
    assert "AWS4-HMAC-SHA256" in refused.message


def test_nobody_comes_in_without_a_name(bucket):
    from botocore import UNSIGNED

    with Refused("AccessDenied", 403):
        client("s3", config=Config(signature_version=UNSIGNED)).list_objects_v2(Bucket=bucket)


def test_a_bucket_may_be_in_the_host_name(monkeypatch, bucket):
    endpoint = urllib.parse.urlsplit(os.environ["AWS_ENDPOINT_URL"])
    resolve = socket.getaddrinfo

    def resolve_localhost(host, *args, **given):
        return resolve("127.0.0.1" if str(host).endswith("localhost") else host, *args, **given)

    monkeypatch.setattr(socket, "getaddrinfo", resolve_localhost)
    virtual = client("s3", endpoint_url=f"http://localhost:{endpoint.port}", config=Config(s3={"addressing_style": "virtual"}))
    virtual.put_object(Bucket=bucket, Key="a//b c/ż", Body=b"by host")
    assert virtual.get_object(Bucket=bucket, Key="a//b c/ż")["Body"].read() == b"by host"
    assert client("s3").get_object(Bucket=bucket, Key="a//b c/ż")["Body"].read() == b"by host"
    assert [o["Key"] for o in virtual.list_objects_v2(Bucket=bucket)["Contents"]] == ["a//b c/ż"]
    virtual.head_bucket(Bucket=bucket)
