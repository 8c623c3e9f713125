"""docs/guides/platform.md, run as it stands: the AWS CLI's commands set the platform up, and the team's role uses it.

The server has to speak TLS, because the bucket policy of the guide denies everything else.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
GUIDE = ROOT / "docs/guides/platform.md"
FIXTURES = ROOT / "crates/cli/tests/provider/fixtures"

BUCKET = "company-tfstate"
STATE = "network/terraform.tfstate"
LOCK = json.dumps({
    "ID": "7d1cd0a1-1c6a-4b0f-8fd4-ee4e6d0c9a4e", "Operation": "OperationTypeApply", "Info": "", "Who": "ci@runner",
    "Version": "1.11.4", "Created": "2026-11-21T09:00:00Z", "Path": f"{BUCKET}/{STATE}",
})  # fmt: skip


def blocks(language):
    """The guide's blocks in this language."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", GUIDE.read_text(), re.DOTALL | re.MULTILINE)
    assert found, f"the guide has no {language}"
    return found


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """What the guide's commands print, run one after the other in one shell."""
    script = "set -euo pipefail\n" + "".join(blocks("sh"))
    env = dict(os.environ, PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}", AWS_PAGER="")
    work = tmp_path_factory.mktemp("platform")
    done = subprocess.run(["bash", "-c", script], cwd=work, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_commands_set_up_what_the_guide_says(printed, aws):
    assert "assumed-role/terraform-network/ci" in printed

    def shown(*words):
        return json.loads(aws(*words))

    bucket = ["--bucket", BUCKET]
    assert shown("s3api", "get-bucket-versioning", *bucket) == {"Status": "Enabled"}
    rule = shown("s3api", "get-bucket-encryption", *bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
    key = shown("kms", "describe-key", "--key-id", "alias/terraform-state")["KeyMetadata"]["Arn"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    assert all(shown("s3api", "get-public-access-block", *bucket)["PublicAccessBlockConfiguration"].values())
    rules = shown("s3api", "get-bucket-lifecycle-configuration", *bucket)["Rules"]
    assert [rule["ID"] for rule in rules] == ["old-branches", "history"]
    assert shown("kms", "get-key-rotation-status", "--key-id", key)["KeyRotationEnabled"]
    kept = shown("dynamodb", "describe-continuous-backups", "--table-name", "company-terraform-locks")
    recovery = kept["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    assert recovery["PointInTimeRecoveryStatus"] == "ENABLED"


def test_the_role_keeps_its_state_there_and_reaches_nothing_else(printed, aws, tmp_path):
    (tmp_path / "state").write_text('{"version":4,"serial":1,"lineage":"6f1cd2b7","outputs":{},"resources":[]}')
    (tmp_path / "lock").write_text(LOCK)
    team = ["--profile", "network"]
    here = ["--bucket", BUCKET, "--key", STATE]
    lock = ["--bucket", BUCKET, "--key", f"{STATE}.tflock"]
    aws("s3api", "put-object", *lock, "--body", "lock", "--if-none-match", "*", *team)
    put = json.loads(aws("s3api", "put-object", *here, "--body", "state", *team))
    assert put["ServerSideEncryption"] == "aws:kms" and put["VersionId"]
    aws("s3api", "get-object", *here, "back", *team)
    assert (tmp_path / "back").read_text() == (tmp_path / "state").read_text()
    aws("s3api", "delete-object", *lock, *team)

    for refused in (
        ["s3api", "delete-object", *here],
        ["s3api", "get-object", "--bucket", BUCKET, "--key", "storage/terraform.tfstate", "other"],
        ["s3api", "put-object", "--bucket", "tfstate", "--key", STATE, "--body", "state"],
        ["s3api", "list-objects-v2", "--bucket", BUCKET, "--prefix", "storage/"],
        ["s3api", "delete-bucket-policy", "--bucket", BUCKET],
        ["iam", "list-users"],
    ):
        assert "AccessDenied" in aws(*refused, *team, ok=False), refused
    # The user itself may do nothing but take the role, and that with the external ID alone.
    runner = ["--profile", "network-runner"]
    assert "AccessDenied" in aws("s3api", "get-object", *here, "other", *runner, ok=False)
    role = ["sts", "assume-role", "--role-arn", "arn:aws:iam::000000000000:role/terraform-network", "--role-session-name", "ci"]
    assert "AccessDenied" in aws(*role, *runner, ok=False)


def test_the_lock_table_takes_the_teams_locks_and_no_others(printed, aws):
    def put(lock):
        item = json.dumps({"LockID": {"S": lock}, "Info": {"S": LOCK}})
        return ["dynamodb", "put-item", "--table-name", "company-terraform-locks", "--item", item, "--profile", "network"]

    aws(*put(f"{BUCKET}/{STATE}"))
    key = json.dumps({"LockID": {"S": f"{BUCKET}/{STATE}"}})
    aws("dynamodb", "delete-item", "--table-name", "company-terraform-locks", "--key", key, "--profile", "network")
    assert "AccessDeniedException" in aws(*put(f"{BUCKET}/storage/terraform.tfstate"), ok=False)


def test_who_is_not_named_gets_nothing_whatever_their_own_policies_say(printed, aws, tmp_path):
    everything = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
    aws("iam", "create-user", "--user-name", "administrator")
    policy = ["--policy-name", "all", "--policy-document", json.dumps(everything)]
    aws("iam", "put-user-policy", "--user-name", "administrator", *policy)
    made = json.loads(aws("iam", "create-access-key", "--user-name", "administrator"))["AccessKey"]
    for name, value in (("aws_access_key_id", made["AccessKeyId"]), ("aws_secret_access_key", made["SecretAccessKey"])):
        aws("configure", "set", name, value, "--profile", "administrator")
    admin = ["--profile", "administrator"]
    aws("s3api", "list-objects-v2", "--bucket", "tfstate", *admin)
    for refused in (["list-objects-v2"], ["get-bucket-policy"]):
        assert "explicit deny" in aws("s3api", *refused, "--bucket", BUCKET, *admin, ok=False)


def test_the_guides_hcl_is_that_of_the_fixtures():
    fixtures = "".join((FIXTURES / name).read_text() for name in ("platform.tf", "team.tf"))
    for block in blocks("hcl"):
        assert block in fixtures, block
