"""Versions in a bucket that has them, beside moto, which stands in for AWS: the same random day on both, and the same answers."""

import random

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from conftest import client

moto_server = pytest.importorskip("moto.server")

KEYS = ["a", "b/1", "b/2", "c d"]


@pytest.fixture(scope="module")
def moto():
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield client("s3", endpoint_url=f"http://{host}:{port}", config=Config(s3={"addressing_style": "path"}))
    server.stop()


class Day:
    """One server's half: its version IDs are its own, so both are told by which of them came when."""

    def __init__(self, s3, bucket):
        self.s3, self.bucket, self.ids = s3, bucket, {}
        s3.create_bucket(Bucket=bucket)
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})

    def name(self, version):
        """What a version ID of this server is called on both."""
        return version and self.ids.setdefault(version, f"v{len(self.ids)}")

    def version(self, name):
        return next((version for version, known in self.ids.items() if known == name), "0" * 32)

    def outcome(self, operation, **given):
        if "VersionId" in given:
            given["VersionId"] = self.version(given["VersionId"])
        source = given.get("CopySource")
        if source:
            version = self.version(source["VersionId"])
            given["CopySource"] = {"Bucket": self.bucket, "Key": source["Key"], "VersionId": version}
        try:
            got = getattr(self.s3, operation)(Bucket=self.bucket, **given)
        except ClientError as error:
            return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
        # That what was deleted is a marker is told by AWS alone.
        told = {name: got[name] for name in ["ETag", "ContentLength"] if name in got}
        told |= {name: self.name(got[name]) for name in ["VersionId", "CopySourceVersionId"] if name in got}
        return told | {"Body": got["Body"].read()} if "Body" in got else told

    def listed(self, **given):
        """All versions and markers of each key, newest first, in pages."""
        pages = self.s3.get_paginator("list_object_versions").paginate(Bucket=self.bucket, **given)
        versions, markers, folders = [], [], []
        for page in pages:
            versions += [(v["Key"], self.name(v["VersionId"]), v["IsLatest"], v["ETag"], v["Size"]) for v in page.get("Versions", [])]
            markers += [(m["Key"], self.name(m["VersionId"]), m["IsLatest"]) for m in page.get("DeleteMarkers", [])]
            folders += [p["Prefix"] for p in page.get("CommonPrefixes", [])]
        return versions, markers, folders


def a_step(rng, versions, markers):
    """Something to do with what there is. Of what there is not moto says what AWS does not."""
    key = rng.choice(KEYS)
    there = [entry[0] for entry in versions + markers]
    steps = [
        ("put_object", {"Key": key, "Body": b"%d" % rng.randrange(20)}),
        ("put_object", {"Key": key, "Body": b"%d" % rng.randrange(20)}),
        ("get_object", {"Key": key}),
    ]
    if there:
        steps += [("delete_object", {"Key": rng.choice(there)})]
    if versions:
        known, name, *_ = rng.choice(versions)
        named = {"Key": known, "VersionId": name}
        copied = ("copy_object", {"Key": key, "CopySource": named})
        steps += [("get_object", named), ("head_object", named), ("delete_object", named), copied, copied]
    if markers:
        known, name, *_ = rng.choice(markers)
        steps += [("delete_object", {"Key": known, "VersionId": name})] * 2
    return rng.choice(steps)


@pytest.mark.parametrize("seed", range(3))
def test_a_day_with_versions_is_the_same_on_both(s3, moto, seed):
    rng = random.Random(seed)
    days = [Day(server, f"day-{seed}-{rng.randrange(10**9)}-{n}") for n, server in enumerate([s3, moto])]
    ours = [[], []]
    for step in range(60):
        operation, given = a_step(rng, *ours[:2])
        ours, theirs = (day.outcome(operation, **given) for day in days)
        assert ours == theirs, f"step {step}: {operation} {given}"
        ours, theirs = (day.listed() for day in days)
        assert ours == theirs, f"after step {step}: {operation} {given}"
    for given in [{"Prefix": "b/"}, {"Delimiter": "/"}]:
        ours, theirs = (day.listed(**given) for day in days)
        assert ours == theirs, given
