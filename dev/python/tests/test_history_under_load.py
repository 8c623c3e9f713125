"""Large states are written while others read older and current versions in ranges and parts: nothing fails, every byte is right."""

import io
import random
import threading
from concurrent.futures import ThreadPoolExecutor

from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from conftest import client
from states import assert_current, state

MIB = 1 << 20

# As Terraform has it; what fails is not tried again.
PARTS = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB, max_concurrency=3, num_download_attempts=1)


class History:
    """What has been acknowledged so far, for readers to choose from."""

    def __init__(self, s3, bucket, keys):
        self.s3, self.bucket = s3, bucket
        self.written = {key: [] for key in keys}
        self.over = threading.Event()

    def write(self, key, serials, size):
        for serial in serials:
            body = state(serial, lineage=key, resources=50, filling=size(serial))
            # Whoever sees it before it is acknowledged must know it too.
            self.written[key].append([None, body])
            self.s3.upload_fileobj(io.BytesIO(body), self.bucket, key, Config=PARTS)
            self.written[key][-1][0] = self.s3.head_object(Bucket=self.bucket, Key=key).get("VersionId")

    def read_until_over(self, read, seed):
        rng, count = random.Random(seed), 0
        reader = client("s3", config=Config(user_agent_appid=f"reader-{seed}"))
        while not self.over.is_set() or count == 0:
            key = rng.choice(list(self.written))
            versions = [version for version in self.written[key] if version[0]]
            if versions:
                read(reader, key, *rng.choice(versions), rng)
                count += 1
        return count

    def run(self, write, reads):
        """Readers that read as long as there are writers; how often each did."""
        with ThreadPoolExecutor(16) as pool:
            reading = [pool.submit(self.read_until_over, read, seed) for seed, read in enumerate(reads)]
            try:
                for done in [pool.submit(write, key) for key in self.written]:
                    done.result()
            finally:
                self.over.set()
            return [done.result() for done in reading]


def test_older_versions_are_downloaded_while_newer_ones_are_written(s3, dynamodb, versioned):
    history = History(s3, versioned, ["a", "b"])
    sizes = {serial: random.Random(serial).randrange(6 * MIB, 20 * MIB) for serial in range(1, 5)}

    def in_parts(reader, key, version, body, _):
        into = io.BytesIO()
        reader.download_fileobj(versioned, key, into, ExtraArgs={"VersionId": version}, Config=PARTS)
        assert into.getvalue() == body

    def in_ranges(reader, key, version, body, rng):
        begin = rng.randrange(len(body))
        end = min(len(body), begin + rng.choice([1, 1000, 3 * MIB]))
        got = reader.get_object(Bucket=versioned, Key=key, VersionId=version, Range=f"bytes={begin}-{end - 1}")
        assert got["Body"].read() == body[begin:end]

    def slowly(reader, key, version, body, _):
        got = reader.get_object(Bucket=versioned, Key=key, VersionId=version)["Body"]
        assert b"".join(got.iter_chunks(MIB // 2)) == body

    def the_current(reader, key, _version, _body, _):
        into = io.BytesIO()
        reader.download_fileobj(versioned, key, into, Config=PARTS)
        assert any(into.getvalue() == body for _, body in history.written[key])

    counts = history.run(lambda key: history.write(key, range(1, 5), sizes.get), [in_parts, in_ranges, slowly, the_current])
    assert min(counts) > 0
    for key, written in history.written.items():
        for version, body in written:
            got = s3.get_object(Bucket=versioned, Key=key, VersionId=version)
            assert got["Body"].read() == body
        assert_current(s3, dynamodb, versioned, key, written[-1][1])


def test_a_state_in_a_bucket_without_versions_is_read_while_it_is_overwritten(s3, dynamodb, bucket):
    history = History(s3, bucket, ["a", "b"])
    known = history.written

    def put(key):
        for serial in range(1, 21):
            body = state(serial, lineage=key, resources=20, filling=2 * MIB)
            known[key].append(["null", body])
            s3.put_object(Bucket=bucket, Key=key, Body=body)

    def readable(key):
        return len(known[key]) > 1

    def whole(reader, key, *_):
        if readable(key):
            got = reader.get_object(Bucket=bucket, Key=key)["Body"].read()
            assert any(got == body for _, body in known[key])

    def in_parts(reader, key, *_):
        if readable(key):
            size = reader.head_object(Bucket=bucket, Key=key)["ContentLength"]
            parts = [
                reader.get_object(Bucket=bucket, Key=key, Range=f"bytes={begin}-{min(size, begin + MIB) - 1}")["Body"].read()
                for begin in range(0, size, MIB)
            ]
            assert any(b"".join(parts) == body for _, body in known[key])

    counts = history.run(put, [whole, whole, in_parts])
    assert min(counts) > 0
    for key in known:
        assert_current(s3, dynamodb, bucket, key, known[key][-1][1])


def test_a_read_that_has_begun_ends_although_the_state_is_overwritten_and_deleted(s3, bucket):
    first = state(1, filling=8 * MIB)
    s3.put_object(Bucket=bucket, Key="a", Body=first)
    got = s3.get_object(Bucket=bucket, Key="a")["Body"]
    begun = got.read(1000)
    for serial in range(2, 6):
        s3.put_object(Bucket=bucket, Key="a", Body=state(serial, filling=8 * MIB))
    s3.delete_object(Bucket=bucket, Key="a")
    assert begun + got.read() == first
