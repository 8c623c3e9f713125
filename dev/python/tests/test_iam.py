"""IAM as boto3 and the AWS CLI ask it: life cycles, pages, refusals in AWS's words, and that policies count."""

import json
import uuid

import pytest
from botocore.exceptions import ClientError
from conftest import Refused, client


def policy(action="s3:*", effect="Allow"):
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": effect, "Action": action, "Resource": "*"}]})


def trust(principal):
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture(scope="module")
def iam():
    return client("iam")


@pytest.fixture
def name():
    return f"test-{uuid.uuid4()}"


@pytest.fixture
def user(iam, name):
    iam.create_user(UserName=name, Path="/tests/", Tags=[{"Key": "team", "Value": "a"}])
    return name


def with_key(iam, user, service):
    key = iam.create_access_key(UserName=user)["AccessKey"]
    secrets = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    return key, client(service, **secrets)


def test_a_user_is_made_shown_renamed_and_deleted(iam, user):
    shown = iam.get_user(UserName=user)["User"]
    assert shown["Arn"].endswith(f":user/tests/{user}") and shown["UserId"].startswith("AIDA")
    assert shown["Tags"] == [{"Key": "team", "Value": "a"}]
    iam.update_user(UserName=user, NewUserName=f"{user}-2", NewPath="/")
    renamed = iam.get_user(UserName=f"{user}-2")["User"]
    assert renamed["UserId"] == shown["UserId"] and renamed["Path"] == "/"
    with Refused("NoSuchEntity", 404):
        iam.get_user(UserName=user)
    iam.delete_user(UserName=f"{user}-2")
    with Refused("NoSuchEntity", 404) as refused:
        iam.delete_user(UserName=f"{user}-2")
    assert refused.message == f"The user with name {user}-2 cannot be found."


def test_a_key_proves_its_user_who_may_do_what_its_policies_say(iam, user):
    key, s3 = with_key(iam, user, "s3")
    assert key["Status"] == "Active" and len(key["SecretAccessKey"]) == 40
    with Refused("AccessDenied", 403):
        s3.list_buckets()
    iam.put_user_policy(UserName=user, PolicyName="own", PolicyDocument=policy())
    assert s3.list_buckets()["Buckets"]
    iam.update_access_key(AccessKeyId=key["AccessKeyId"], UserName=user, Status="Inactive")
    with Refused("InvalidAccessKeyId", 403):
        s3.list_buckets()
    iam.update_access_key(AccessKeyId=key["AccessKeyId"], Status="Active")
    iam.put_user_policy(UserName=user, PolicyName="no", PolicyDocument=policy(effect="Deny"))
    with Refused("AccessDenied", 403):
        s3.list_buckets()
    listed = iam.list_access_keys(UserName=user)["AccessKeyMetadata"]
    assert [one["AccessKeyId"] for one in listed] == [key["AccessKeyId"]] and "SecretAccessKey" not in listed[0]
    assert iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])["UserName"] == user


def test_iam_itself_is_asked_of_the_policies(iam, user):
    _, own = with_key(iam, user, "iam")
    with Refused("AccessDenied", 403) as refused:
        own.list_users()
    assert "iam:ListUsers" in refused.message
    allowed = {"Effect": "Allow", "Action": "iam:GetUser", "Resource": f"arn:aws:iam::*:user/tests/{user}"}
    document = json.dumps({"Version": "2012-10-17", "Statement": allowed})
    iam.put_user_policy(UserName=user, PolicyName="self", PolicyDocument=document)
    assert own.get_user()["User"]["UserName"] == user
    with Refused("AccessDenied", 403):
        own.get_user(UserName="somebody-else")
    with Refused("AccessDenied", 403):
        own.attach_user_policy(UserName=user, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")


def test_documents_come_back_as_they_were_given(iam, user, name):
    document = json.dumps(json.loads(policy()), indent=4).replace("s3:*", "s3:Get*")
    iam.put_user_policy(UserName=user, PolicyName="own", PolicyDocument=document)
    assert iam.get_user_policy(UserName=user, PolicyName="own")["PolicyDocument"] == json.loads(document)
    assert iam.list_user_policies(UserName=user)["PolicyNames"] == ["own"]
    made = iam.create_policy(PolicyName=name, PolicyDocument=document, Description="a <b> & c", Path="/p/")["Policy"]
    assert made["DefaultVersionId"] == "v1" and made["AttachmentCount"] == 0
    assert iam.get_policy(PolicyArn=made["Arn"])["Policy"]["Description"] == "a <b> & c"
    version = iam.get_policy_version(PolicyArn=made["Arn"], VersionId="v1")["PolicyVersion"]
    assert version["Document"] == json.loads(document) and version["IsDefaultVersion"]
    raw = iam.create_policy_version(PolicyArn=made["Arn"], PolicyDocument=policy(), SetAsDefault=True)["PolicyVersion"]
    assert raw["VersionId"] == "v2" and raw["IsDefaultVersion"]
    assert [one["VersionId"] for one in iam.list_policy_versions(PolicyArn=made["Arn"])["Versions"]] == ["v2", "v1"]
    iam.attach_user_policy(UserName=user, PolicyArn=made["Arn"])
    entities = iam.list_entities_for_policy(PolicyArn=made["Arn"])
    assert [one["UserName"] for one in entities["PolicyUsers"]] == [user] and not entities["PolicyRoles"]
    with Refused("DeleteConflict", 409):
        iam.delete_policy(PolicyArn=made["Arn"])
    iam.detach_user_policy(UserName=user, PolicyArn=made["Arn"])
    iam.delete_policy_version(PolicyArn=made["Arn"], VersionId="v1")
    iam.delete_policy(PolicyArn=made["Arn"])


def test_a_role_says_who_may_take_it(iam, user, name):
    arn = iam.get_user(UserName=user)["User"]["Arn"]
    made = iam.create_role(
        RoleName=name, AssumeRolePolicyDocument=trust({"AWS": arn}), MaxSessionDuration=7200, Description="a role"
    )["Role"]
    assert made["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"AWS": arn}
    assert iam.get_role(RoleName=name)["Role"]["MaxSessionDuration"] == 7200
    iam.update_role(RoleName=name, Description="", MaxSessionDuration=3600)
    assert "Description" not in iam.get_role(RoleName=name)["Role"]
    with Refused("MalformedPolicyDocument", 400) as refused:
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=trust({"AWS": f"{arn}-nobody"}))
    assert refused.message.startswith("Invalid principal in policy")
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=trust("*"))
    iam.attach_role_policy(RoleName=name, PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    assert attached == [{"PolicyName": "ReadOnlyAccess", "PolicyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}]
    assert iam.list_instance_profiles_for_role(RoleName=name)["InstanceProfiles"] == []
    with Refused("DeleteConflict", 409):
        iam.delete_role(RoleName=name)
    iam.detach_role_policy(RoleName=name, PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    iam.delete_role(RoleName=name)


def test_lists_come_in_pages(iam):
    path = f"/pages-{uuid.uuid4()}/"
    names = [f"{uuid.uuid4()}" for _ in range(7)]
    for one in names:
        iam.create_user(UserName=one, Path=path)
    pages = list(iam.get_paginator("list_users").paginate(PathPrefix=path, PaginationConfig={"PageSize": 3}))
    assert [len(page["Users"]) for page in pages] == [3, 3, 1]
    assert sorted(user["UserName"] for page in pages for user in page["Users"]) == sorted(names)
    of_aws = iam.list_policies(Scope="AWS")["Policies"]
    assert "AdministratorAccess" in [one["PolicyName"] for one in of_aws]
    with Refused("ValidationError", 400):
        iam.list_users(Marker="!")


def test_a_provider_of_tokens(iam):
    url = f"https://{uuid.uuid4()}.example/group"
    arn = iam.create_open_id_connect_provider(Url=url, ClientIDList=["a"], ThumbprintList=["0" * 40])
    arn = arn["OpenIDConnectProviderArn"]
    assert arn.endswith(f":oidc-provider/{url.removeprefix('https://')}")
    iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="b")
    iam.tag_open_id_connect_provider(OpenIDConnectProviderArn=arn, Tags=[{"Key": "k", "Value": "v"}])
    shown = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert (shown["Url"], shown["ClientIDList"]) == (url.removeprefix("https://"), ["a", "b"])
    assert shown["Tags"] == [{"Key": "k", "Value": "v"}]
    assert {"Arn": arn} in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    with Refused("NoSuchEntity", 404):
        iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)


def test_what_there_is_none_of_is_an_empty_list_or_refused(iam, user):
    assert iam.list_groups_for_user(UserName=user)["Groups"] == []
    assert iam.list_mfa_devices(UserName=user)["MFADevices"] == []
    assert iam.list_ssh_public_keys(UserName=user)["SSHPublicKeys"] == []
    assert iam.list_account_aliases()["AccountAliases"] == []
    assert iam.get_account_summary()["SummaryMap"]["AccessKeysPerUserQuota"] == 2
    with Refused("NoSuchEntity", 404):
        iam.get_login_profile(UserName=user)
    with Refused("InvalidAction", 400):
        iam.create_group(GroupName="group")
    with Refused("InvalidInput", 400):
        iam.create_user(UserName=f"{user}-b", PermissionsBoundary="arn:aws:iam::aws:policy/ReadOnlyAccess")
    with pytest.raises(ClientError):
        iam.get_user(UserName=f"{user}-b")


def test_limits_and_malformed_input_are_refused_in_awss_codes(iam, user):
    for _ in range(2):
        iam.create_access_key(UserName=user)
    with Refused("LimitExceeded", 409) as refused:
        iam.create_access_key(UserName=user)
    assert refused.message == "Cannot exceed quota for AccessKeysPerUser: 2"
    with Refused("EntityAlreadyExists", 409):
        iam.create_user(UserName=user.upper())
    with Refused("MalformedPolicyDocument", 400):
        iam.put_user_policy(UserName=user, PolicyName="own", PolicyDocument="{}")
    with Refused("ValidationError", 400):
        iam.create_user(UserName="a b")
    with Refused("InvalidInput", 400):
        iam.tag_user(UserName=user, Tags=[{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "2"}])


def test_the_cli_makes_a_user_with_a_key(aws, name):
    aws("iam", "create-user", "--user-name", name)
    made = json.loads(aws("iam", "create-access-key", "--user-name", name, "--output", "json"))
    assert made["AccessKey"]["AccessKeyId"].startswith("AKIA")
    aws("iam", "attach-user-policy", "--user-name", name, "--policy-arn", "arn:aws:iam::aws:policy/AdministratorAccess")
    refused = aws("iam", "delete-user", "--user-name", name, ok=False)
    assert "DeleteConflict" in refused
