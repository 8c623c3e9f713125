"""Sessions as boto3 and the AWS CLI take and renew them."""

import json
import uuid

import boto3
import botocore.session
import pytest
from botocore.config import Config
from conftest import ONE_ATTEMPT, Refused, client

ANYTHING = [{"Effect": "Allow", "Action": "*", "Resource": "*"}]


def document(statements):
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


@pytest.fixture
def iam():
    return client("iam")


@pytest.fixture
def user(iam):
    """A user who may assume roles and nothing else: its name and its key pair."""
    name = f"user-{uuid.uuid4()}"
    iam.create_user(UserName=name)
    iam.put_user_policy(
        UserName=name, PolicyName="own", PolicyDocument=document([{"Effect": "Allow", "Action": "sts:*", "Resource": "*"}])
    )
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return name, {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}


@pytest.fixture
def role(iam):
    """Makes roles that the account trusts, with these statements."""

    def make(statements, condition=None):
        name = f"role-{uuid.uuid4()}"
        trust = {
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::000000000000:root"},
            "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
        }
        trust |= {"Condition": condition} if condition else {}
        made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document([trust]))
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=document(statements))
        return made["Role"]["Arn"]

    return make


def keys(answer):
    given = answer["Credentials"]
    return {
        "aws_access_key_id": given["AccessKeyId"],
        "aws_secret_access_key": given["SecretAccessKey"],
        "aws_session_token": given["SessionToken"],
    }


def test_a_role_is_assumed_and_bounds_what_may_be_done(user, role, versioned):
    arn = role([{"Effect": "Allow", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{versioned}/*"}])
    answer = client("sts", **user[1]).assume_role(RoleArn=arn, RoleSessionName="job")
    assert answer["AssumedRoleUser"]["Arn"].endswith("/job") and "PackedPolicySize" not in answer
    session = keys(answer)
    assert client("sts", **session).get_caller_identity()["UserId"] == answer["AssumedRoleUser"]["AssumedRoleId"]
    s3 = client("s3", **session)
    s3.put_object(Bucket=versioned, Key="k", Body=b"x")
    with Refused("AccessDenied", 403):
        s3.get_object(Bucket=versioned, Key="k")
    with Refused("AccessDeniedException", 400):
        client("dynamodb", **session).list_tables()
    with Refused("AccessDenied", 403):
        client("iam", **session).list_users()


def test_conditions_tags_and_a_session_policy_count(user, role, versioned):
    arn = role(
        [{"Effect": "Allow", "Action": "s3:*", "Resource": f"arn:aws:s3:::{versioned}/${{aws:PrincipalTag/team}}/*"}],
        {"StringEquals": {"sts:ExternalId": "x-17", "aws:RequestTag/team": ["a", "b"]}},
    )
    sts = client("sts", **user[1])
    asked = {"RoleArn": arn, "RoleSessionName": "job", "Tags": [{"Key": "team", "Value": "a"}], "SourceIdentity": "ann"}
    with Refused("AccessDenied", 403) as refused:
        sts.assume_role(**asked)
    assert f"is not authorized to perform: sts:AssumeRole on resource: {arn}" in refused.message
    policy = document([{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"}])
    answer = sts.assume_role(**asked, ExternalId="x-17", Policy=policy, DurationSeconds=900)
    assert answer["SourceIdentity"] == "ann" and answer["PackedPolicySize"] > 0
    s3 = client("s3", **keys(answer))
    s3.put_object(Bucket=versioned, Key="a/k", Body=b"x")
    with Refused("AccessDenied", 403):
        s3.put_object(Bucket=versioned, Key="b/k", Body=b"x")
    with Refused("AccessDenied", 403):
        s3.get_object(Bucket=versioned, Key="a/k")


def test_a_user_takes_a_session_for_itself(iam, user):
    name, pair = user
    session = keys(client("sts", **pair).get_session_token(DurationSeconds=900))
    assert client("sts", **session).get_caller_identity()["Arn"].endswith(f"user/{name}")
    with Refused("AccessDenied", 403):
        client("sts", **session).get_session_token()
    assert client("sts", **pair).get_access_key_info(AccessKeyId=pair["aws_access_key_id"])["Account"] == "000000000000"
    iam.update_access_key(UserName=name, AccessKeyId=pair["aws_access_key_id"], Status="Inactive")
    with Refused("InvalidClientTokenId", 403):
        client("sts", **session).get_caller_identity()


def test_a_token_is_refused_in_each_services_own_way(user, role):
    session = keys(client("sts", **user[1]).assume_role(RoleArn=role(ANYTHING), RoleSessionName="job"))
    session["aws_session_token"] = "x" + session["aws_session_token"]
    with Refused("InvalidToken", 400):
        client("s3", **session).list_buckets()
    with Refused("UnrecognizedClientException", 400):
        client("dynamodb", **session).list_tables()
    with Refused("InvalidClientTokenId", 403):
        client("sts", **session).get_caller_identity()


def test_profiles_with_a_role_are_followed_by_boto3_and_the_cli(user, role, versioned, aws, tmp_path, monkeypatch):
    pair = user[1]
    arn = role([{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}], {"StringEquals": {"sts:ExternalId": "x-17"}})
    config = tmp_path / "config"
    lines = [
        "[profile base]",
        *(f"{name} = {value}" for name, value in pair.items()),
        "[profile deploy]",
        "source_profile = base",
        f"role_arn = {arn}",
        "external_id = x-17",
        "role_session_name = from-profile",
        "duration_seconds = 900",
    ]
    config.write_text("\n".join(lines))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]:
        monkeypatch.delenv(name)
    told = json.loads(aws("sts", "get-caller-identity", "--profile", "deploy"))
    assert told["Arn"].endswith("/from-profile")
    (tmp_path / "f").write_text("x")
    aws("s3", "cp", "f", f"s3://{versioned}/f", "--profile", "deploy")
    assert "AccessDenied" in aws("s3", "cp", "f", f"s3://{versioned}/f", "--profile", "base", ok=False)
    s3 = boto3.Session(profile_name="deploy").client("s3", config=ONE_ATTEMPT)
    assert s3.get_object(Bucket=versioned, Key="f")["Body"].read() == b"x"


def test_a_client_that_renews_its_session_with_every_request_keeps_its_lock(user, role, versioned, tmp_path, monkeypatch):
    """botocore renews a session of a quarter of an hour before each request: it is never more than that before its end."""
    arn = role([{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}])
    config = tmp_path / "config"
    base = [f"{name} = {value}" for name, value in user[1].items()]
    deploy = ["source_profile = base", f"role_arn = {arn}", "role_session_name = ci", "duration_seconds = 900"]
    config.write_text("\n".join(["[profile base]", *base, "[profile deploy]", *deploy]))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]:
        monkeypatch.delenv(name)

    def anew():
        return boto3.Session(botocore_session=botocore.session.Session(profile="deploy")).client("s3", config=Config(region_name="us-east-1"))

    state = {"version": 4, "serial": 1, "lineage": "l", "outputs": {}, "resources": []}
    lock = json.dumps({"ID": str(uuid.uuid4()), "Operation": "apply", "Who": "ci"})
    anew().put_object(Bucket=versioned, Key="k.tflock", Body=lock, IfNoneMatch="*")
    anew().put_object(Bucket=versioned, Key="k", Body=json.dumps(state))
    assert anew().get_object(Bucket=versioned, Key="k.tflock")["Body"].read().decode() == lock
    anew().delete_object(Bucket=versioned, Key="k.tflock")
    anew().put_object(Bucket=versioned, Key="k", Body=json.dumps(state | {"serial": 2}))
