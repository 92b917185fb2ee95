#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""EBS direct, writing: snapshots that are put together block by block, over nothing and over a parent, with what is checked on
the way, what ends them, and a service that is killed between. Over the scripted hypervisor; the clients are boto3 and the aws
CLI."""

import base64
import concurrent.futures
import hashlib
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from botocore.auth import SigV4Auth  # noqa: E402
from botocore.awsrequest import AWSRequest  # noqa: E402
from botocore.credentials import Credentials  # noqa: E402
from botocore.exceptions import ClientError  # noqa: E402
from kiln_test.paths import KILN  # noqa: E402

BLOCK = 524288
GIB = 1 << 30
NOBODY = "snap-0123456789abcdef0"


@kiln_test.fixture
def service():
    with kiln_test.Kiln("--hypervisor", "fake", "--gc-grace", "0") as kiln:
        yield kiln


def digest(data):
    return hashlib.sha256(data).digest()


def text(data):
    return base64.b64encode(data).decode()


def linear(blocks):
    """Of {index: bytes}."""
    return text(digest(b"".join(digest(blocks[index]) for index in sorted(blocks))))


def put(ebs, snapshot, index, data, **parameters):
    parameters = {"Checksum": text(digest(data)), "DataLength": len(data), "ChecksumAlgorithm": "SHA256", **parameters}
    return ebs.put_snapshot_block(SnapshotId=snapshot, BlockIndex=index, BlockData=data, **parameters)


def complete(ebs, snapshot, blocks):
    return ebs.complete_snapshot(
        SnapshotId=snapshot, ChangedBlocksCount=len(blocks), Checksum=linear(blocks), ChecksumAlgorithm="SHA256",
        ChecksumAggregationMethod="LINEAR",
    )  # fmt: skip


def describe(kiln, snapshot):
    return kiln.client("ec2").describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]


def completed(kiln, snapshot):
    kiln_test.wait_until(lambda: describe(kiln, snapshot)["State"] == "completed", 60, "the snapshot is completed", interval=0.05)


def uploaded(kiln, blocks, **parameters):
    ebs = kiln.client("ebs")
    snapshot = ebs.start_snapshot(**{"VolumeSize": 1, **parameters})["SnapshotId"]
    for index, data in blocks.items():
        put(ebs, snapshot, index, data)
    complete(ebs, snapshot, blocks)
    completed(kiln, snapshot)
    return snapshot


def content(ebs, snapshot):
    """All blocks that are listed, by index."""
    listed = ebs.list_snapshot_blocks(SnapshotId=snapshot)
    assert "NextToken" not in listed
    return {
        b["BlockIndex"]: ebs.get_snapshot_block(SnapshotId=snapshot, **b)["BlockData"].read() for b in listed["Blocks"]
    }


def refusal(call, **parameters):
    try:
        call(**parameters)
    except ClientError as error:
        response = error.response
        return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"], response.get("Reason")
    raise AssertionError(f"{parameters} was accepted")


def invalid(reason, call, **parameters):
    got = refusal(call, **parameters)
    assert got == (400, "ValidationException", reason), f"{got}, expected {reason}"


def bad_put(reason, ebs, snapshot, index, data, **parameters):
    try:
        put(ebs, snapshot, index, data, **parameters)
    except ClientError as error:
        response = error.response
        got = (response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"], response.get("Reason"))
        assert got == (400, "ValidationException", reason), f"{got}, expected {reason}"
        return
    raise AssertionError(f"block {index} was accepted")


def test_ED_3_ED_6_ED_7_a_snapshot_of_blocks_in_any_order(service):
    ebs = service.client("ebs")
    started = ebs.start_snapshot(VolumeSize=1, Description="by hand", Tags=[{"Key": "Name", "Value": "disk"}], Timeout=10)
    snapshot = started["SnapshotId"]
    assert started["Status"] == "pending" and started["VolumeSize"] == 1 and started["BlockSize"] == BLOCK, started
    assert started["OwnerId"] == service.client("sts").get_caller_identity()["Account"], started
    assert started["Description"] == "by hand" and started["Tags"] == [{"Key": "Name", "Value": "disk"}], started
    seen = describe(service, snapshot)
    assert seen["State"] == "pending" and seen["VolumeId"] == "vol-ffffffff" and seen["Description"] == "by hand", seen
    assert seen["Tags"] == [{"Key": "Name", "Value": "disk"}] and seen["VolumeSize"] == 1, seen
    assert abs((seen["StartTime"] - started["StartTime"]).total_seconds()) < 0.01, (seen, started)
    invalid("INVALID_SNAPSHOT_ID", ebs.list_snapshot_blocks, SnapshotId=snapshot)
    blocks = {index: os.urandom(BLOCK) for index in (2047, 0, 5, 6)}
    put(ebs, snapshot, 5, os.urandom(BLOCK))  # the last one wins
    for index, data in blocks.items():
        answer = put(ebs, snapshot, index, data, Progress=40)
        assert answer["Checksum"] == text(digest(data)) and answer["ChecksumAlgorithm"] == "SHA256", answer
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 201, answer
    assert describe(service, snapshot)["Progress"] == "40%"
    done = complete(ebs, snapshot, blocks)
    assert done["Status"] == "pending" and done["ResponseMetadata"]["HTTPStatusCode"] == 202, done
    completed(service, snapshot)
    assert describe(service, snapshot)["Progress"] == "100%"
    for _ in range(2):
        assert content(ebs, snapshot) == blocks
        service.wait_stored(snapshot)
    assert complete(ebs, snapshot, blocks)["Status"] == "completed"
    bad_put("INVALID_SNAPSHOT_ID", ebs, snapshot, 0, blocks[0])
    # A volume can be made of it, and what a guest sees is what was put.
    path = os.path.join(service.home, "out.raw")
    service.run("export", snapshot, path)
    with open(path, "rb") as disk:
        whole = disk.read()
    assert len(whole) == GIB and all(whole[i * BLOCK : (i + 1) * BLOCK] == data for i, data in blocks.items())
    assert whole.count(0) >= GIB - 4 * BLOCK


def test_ED_4_over_a_parent(service):
    ebs = service.client("ebs")
    below = {index: os.urandom(BLOCK) for index in (0, 1, 2)}
    parent = uploaded(service, below)
    above = {1: os.urandom(BLOCK), 2: bytes(BLOCK), 3000: os.urandom(BLOCK)}
    started = ebs.start_snapshot(VolumeSize=2, ParentSnapshotId=parent)
    assert started["ParentSnapshotId"] == parent, started
    child = started["SnapshotId"]
    # The parent may go meanwhile.
    for index, data in above.items():
        put(ebs, child, index, data)
    complete(ebs, child, above)
    completed(service, child)
    for _ in range(2):
        got = content(ebs, child)
        got = {index: data for index, data in got.items() if data != bytes(BLOCK)}
        assert got == {0: below[0], 1: above[1], 3000: above[3000]}, sorted(got)
        changed = ebs.list_changed_blocks(FirstSnapshotId=parent, SecondSnapshotId=child)["ChangedBlocks"]
        assert [b["BlockIndex"] for b in changed] == [1, 2, 3000], changed
        service.wait_stored(child)
    service.client("ec2").delete_snapshot(SnapshotId=parent)
    assert content(ebs, child)[0] == below[0]
    # Nothing put over a parent is the parent.
    same = uploaded(service, {}, VolumeSize=2, ParentSnapshotId=child)
    assert content(ebs, same) == content(ebs, child)
    invalid("INVALID_VOLUME_SIZE", ebs.start_snapshot, VolumeSize=1, ParentSnapshotId=child)
    pending = ebs.start_snapshot(VolumeSize=1)["SnapshotId"]
    invalid("INVALID_SNAPSHOT_ID", ebs.start_snapshot, VolumeSize=1, ParentSnapshotId=pending)
    got = refusal(ebs.start_snapshot, VolumeSize=1, ParentSnapshotId=NOBODY)
    assert got == (404, "ResourceNotFoundException", "SNAPSHOT_NOT_FOUND"), got


def test_ED_6_ED_7_what_is_checked(service):
    ebs = service.client("ebs")
    snapshot = ebs.start_snapshot(VolumeSize=1)["SnapshotId"]
    data = os.urandom(BLOCK)
    bad_put("INVALID_BLOCK", ebs, snapshot, 0, data, Checksum=text(digest(b"other")))
    bad_put("INVALID_BLOCK", ebs, snapshot, 0, data[:4096])
    bad_put("INVALID_BLOCK", ebs, snapshot, 0, data, DataLength=4096)
    bad_put("INVALID_BLOCK", ebs, snapshot, 2048, data)
    bad_put("INVALID_PARAMETER_VALUE", ebs, snapshot, 0, data, ChecksumAlgorithm="MD5")
    bad_put("INVALID_SNAPSHOT_ID", ebs, "snap-x", 0, data)
    put(ebs, snapshot, 0, data)
    call = ebs.complete_snapshot
    for wrong in (0, 2):
        invalid("INVALID_PARAMETER_VALUE", call, SnapshotId=snapshot, ChangedBlocksCount=wrong)
    invalid("INVALID_PARAMETER_VALUE", call, SnapshotId=snapshot, ChangedBlocksCount=1, Checksum=text(digest(b"")))
    invalid(
        "INVALID_PARAMETER_VALUE", call, SnapshotId=snapshot, ChangedBlocksCount=1, Checksum=text(digest(data)),
        ChecksumAlgorithm="SHA256", ChecksumAggregationMethod="LINEAR",
    )  # fmt: skip
    assert describe(service, snapshot)["State"] == "pending"
    # None of that ended it.
    put(ebs, snapshot, 1, data)
    complete(ebs, snapshot, {0: data, 1: data})
    completed(service, snapshot)
    assert content(ebs, snapshot) == {0: data, 1: data}


def test_ED_3_ED_4_what_StartSnapshot_refuses(service):
    start = service.client("ebs").start_snapshot
    invalid("INVALID_VOLUME_SIZE", start, VolumeSize=65537)
    invalid("INVALID_PARAMETER_VALUE", start, VolumeSize=1, Timeout=4321)
    invalid("INVALID_PARAMETER_VALUE", start, VolumeSize=1, Encrypted=True)
    invalid("INVALID_PARAMETER_VALUE", start, VolumeSize=1, KmsKeyArn="arn:aws:kms:us-east-1:012345678901:key/1")
    invalid("INVALID_PARAMETER_VALUE", start, VolumeSize=1, Description="ü" * 256)
    assert start(VolumeSize=1, Description="ü" * 255)["Description"] == "ü" * 255  # characters, not bytes
    invalid("INVALID_TAG", start, VolumeSize=1, Tags=[{"Key": "aws:x", "Value": "y"}])


def test_IDM_2_a_token_starts_one_snapshot(service):
    start = service.client("ebs").start_snapshot
    first = start(VolumeSize=1, ClientToken="one", Description="d")
    again = start(VolumeSize=1, ClientToken="one", Description="d")
    assert first["SnapshotId"] == again["SnapshotId"] and again["Status"] == "pending", again
    got = refusal(start, VolumeSize=2, ClientToken="one", Description="d")
    assert got[:2] == (409, "ConflictException"), got
    parent = uploaded(service, {0: os.urandom(BLOCK)})
    child = start(VolumeSize=1, ClientToken="two", ParentSnapshotId=parent)["SnapshotId"]
    complete(service.client("ebs"), child, {})
    completed(service, child)
    again = start(VolumeSize=1, ClientToken="two", ParentSnapshotId=parent)
    assert (again["SnapshotId"], again["ParentSnapshotId"], again["Status"]) == (child, parent, "completed"), again


def test_ED_6_many_at_once(service):
    ebs = service.client("ebs")
    snapshot = ebs.start_snapshot(VolumeSize=1)["SnapshotId"]
    blocks = {index: os.urandom(BLOCK) for index in range(96)}
    begun = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(16) as threads:
        for done in [threads.submit(put, ebs, snapshot, index, data) for index, data in blocks.items()]:
            done.result()
    seconds = time.monotonic() - begun
    print(f"put {len(blocks) * BLOCK / seconds / 1e6:.0f} MB/s")
    complete(ebs, snapshot, blocks)
    completed(service, snapshot)
    begun = time.monotonic()
    listed = ebs.list_snapshot_blocks(SnapshotId=snapshot)["Blocks"]
    with concurrent.futures.ThreadPoolExecutor(16) as threads:
        got = threads.map(lambda b: (b["BlockIndex"], ebs.get_snapshot_block(SnapshotId=snapshot, **b)["BlockData"].read()), listed)
        assert dict(got) == blocks
    print(f"got {len(blocks) * BLOCK / (time.monotonic() - begun) / 1e6:.0f} MB/s")


def test_a_killed_service_keeps_what_it_acknowledged(service):
    """S88"""
    ebs = service.client("ebs")
    parent = uploaded(service, {9: os.urandom(BLOCK)})
    snapshot = ebs.start_snapshot(VolumeSize=1, ParentSnapshotId=parent)["SnapshotId"]
    blocks = {index: os.urandom(BLOCK) for index in (3, 1, 700)}
    put(ebs, snapshot, 1, os.urandom(BLOCK))
    for index, data in blocks.items():
        put(ebs, snapshot, index, data)
        service.kill9()
        service.start()
        ebs = service.client("ebs")
    blocks[8] = os.urandom(BLOCK)
    put(ebs, snapshot, 8, blocks[8])
    assert describe(service, snapshot)["State"] == "pending"
    complete(ebs, snapshot, blocks)
    service.kill9()
    service.start()
    ebs = service.client("ebs")
    completed(service, snapshot)
    assert content(ebs, snapshot) == {**blocks, **content(ebs, parent)}


def test_a_service_killed_under_load_counts_what_it_acknowledged_or_more_never_torn(service):
    """S88: every block is whole; one that was in flight is whole or not there"""
    ebs = service.client("ebs")
    for _ in range(3):
        snapshot = ebs.start_snapshot(VolumeSize=1)["SnapshotId"]
        old = {index: os.urandom(BLOCK) for index in range(8)}
        for index, data in old.items():
            put(ebs, snapshot, index, data)
        new = {index: os.urandom(BLOCK) for index in range(64)}
        acknowledged = {}

        def upload(index):
            try:
                put(ebs, snapshot, index, new[index])
                acknowledged[index] = new[index]
            except Exception:  # noqa: BLE001 - the service is gone
                pass

        with concurrent.futures.ThreadPoolExecutor(16) as threads:
            jobs = [threads.submit(upload, index) for index in new]
            kiln_test.wait_until(lambda: len(acknowledged) >= 12, 60, "some blocks are put", interval=0.001)
            service.kill9()
            for job in jobs:
                job.result()
        service.start()
        ebs = service.client("ebs")
        # What was in flight may count or not; the service says how many there are.
        sure = {**old, **acknowledged}
        try:
            ebs.complete_snapshot(SnapshotId=snapshot, ChangedBlocksCount=0)
            raise AssertionError("a snapshot with blocks has none")
        except ClientError as error:
            count = int(error.response["Error"]["Message"].split(";")[1].split()[0])
        assert len(sure) - 8 <= count <= len(new), (len(sure), count)
        ebs.complete_snapshot(SnapshotId=snapshot, ChangedBlocksCount=count)
        completed(service, snapshot)
        got = content(ebs, snapshot)
        assert len(got) == count, (len(got), count)
        for index, data in got.items():
            assert data in (old.get(index), new[index]), f"block {index} is torn"
        for index, data in acknowledged.items():
            assert got[index] == data, f"block {index} was acknowledged and is another"


def layer_files(kiln):
    return set(os.listdir(os.path.join(kiln.data, "layers")))


def test_SNP_22_a_pending_one_can_be_deleted(service):
    ebs, ec2 = service.client("ebs"), service.client("ec2")
    before = layer_files(service)
    snapshot = ebs.start_snapshot(VolumeSize=1)["SnapshotId"]
    put(ebs, snapshot, 0, os.urandom(BLOCK))
    assert layer_files(service) - before
    ec2.delete_snapshot(SnapshotId=snapshot)
    try:
        put(ebs, snapshot, 1, os.urandom(BLOCK))
        raise AssertionError("a deleted snapshot takes blocks")
    except ClientError as error:
        assert error.response["Error"]["Code"] == "ResourceNotFoundException", error
    got = refusal(ebs.complete_snapshot, SnapshotId=snapshot, ChangedBlocksCount=1)
    assert got == (404, "ResourceNotFoundException", "SNAPSHOT_NOT_FOUND"), got
    kiln_test.wait_until(lambda: layer_files(service) == before, 30, "its layer is gone")


def test_another_account_cannot_write(service):
    ebs = service.client("ebs")
    stranger = service.account().client("ebs")
    snapshot = ebs.start_snapshot(VolumeSize=1)["SnapshotId"]
    for call, more in (
        (stranger.complete_snapshot, {"ChangedBlocksCount": 0}),
        (stranger.list_snapshot_blocks, {}),
    ):
        got = refusal(call, SnapshotId=snapshot, **more)
        assert got == (404, "ResourceNotFoundException", "SNAPSHOT_NOT_FOUND"), got
    try:
        put(stranger, snapshot, 0, bytes(BLOCK))
        raise AssertionError("a stranger writes")
    except ClientError as error:
        assert error.response["Error"]["Code"] == "ResourceNotFoundException", error


def unsigned_put(service, path, checksum, leave_out=()):
    """The headers of a put whose body is left out of the signature, and these headers, which are sent all the same."""
    headers = {
        "x-amz-Checksum": checksum, "x-amz-Data-Length": str(BLOCK), "x-amz-Checksum-Algorithm": "SHA256",
    }  # fmt: skip
    signed = {name: value for name, value in headers.items() if name not in leave_out}
    request = AWSRequest("PUT", service.endpoint + path, headers=signed, data=b"")
    request.context["payload_signing_enabled"] = False
    SigV4Auth(Credentials(service.access_key, service.secret_key), "ebs", service.region).add_auth(request)
    return {**headers, **dict(request.headers.items())}


def send_put(service, path, headers, data):
    request = urllib.request.Request(service.endpoint + path, data=data, headers=headers, method="PUT")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, "", None
    except urllib.error.HTTPError as error:
        return error.code, error.headers["x-amzn-ErrorType"], json.loads(error.read()).get("Reason")


def test_ED_6_a_body_need_not_be_signed_and_what_is_said_of_it_must(service):
    ebs = service.client("ebs")
    snapshot = ebs.start_snapshot(VolumeSize=1)["SnapshotId"]
    data = os.urandom(BLOCK)
    path = f"/snapshots/{snapshot}/blocks/5"
    headers = unsigned_put(service, path, text(digest(data)))
    assert headers["X-Amz-Content-SHA256"] == "UNSIGNED-PAYLOAD", headers
    assert send_put(service, path, headers, data[::-1]) == (400, "ValidationException", "INVALID_BLOCK")
    changed = {**headers, "x-amz-Checksum": text(digest(data[::-1]))}
    assert send_put(service, path, changed, data[::-1])[:2] == (403, "InvalidSignatureException")
    assert send_put(service, path[:-1] + "6", headers, data)[:2] == (403, "InvalidSignatureException")
    loose = unsigned_put(service, path, text(digest(data)), leave_out=("x-amz-Checksum",))
    assert send_put(service, path, loose, data)[:2] == (403, "InvalidSignatureException")
    assert send_put(service, path, headers, data) == (201, "", None)
    # Only a body that is a block may be left out.
    start = AWSRequest("POST", service.endpoint + "/snapshots", data=b'{"VolumeSize": 1}')
    start.context["payload_signing_enabled"] = False
    SigV4Auth(Credentials(service.access_key, service.secret_key), "ebs", service.region).add_auth(start)
    request = urllib.request.Request(start.url, data=start.body, headers=dict(start.headers.items()), method="POST")
    try:
        urllib.request.urlopen(request, timeout=30)
        raise AssertionError("a request is accepted that nobody signed")
    except urllib.error.HTTPError as error:
        assert error.code == 403 and error.headers["x-amzn-ErrorType"] == "InvalidSignatureException", error.headers
    ebs.complete_snapshot(SnapshotId=snapshot, ChangedBlocksCount=1)
    completed(service, snapshot)
    assert content(ebs, snapshot) == {5: data}


def test_a_backup_does_not_wait_for_uploads(service):
    """In the copy, nothing was put yet"""
    ebs = service.client("ebs")
    parent = uploaded(service, {4: os.urandom(BLOCK)})
    snapshot = ebs.start_snapshot(VolumeSize=1, ParentSnapshotId=parent)["SnapshotId"]
    data = os.urandom(BLOCK)
    put(ebs, snapshot, 0, data)
    path = os.path.join(service.home, "backup")
    service.run("backup", path)
    put(ebs, snapshot, 1, data)
    copy = kiln_test.Kiln("--hypervisor", "fake")
    try:
        for command in (["restore", path, "--data", copy.data], ["fsck", "--data", copy.data]):
            subprocess.run([KILN, *command], check=True, capture_output=True, timeout=120)
        copy.start()
        theirs = copy.client("ebs")
        assert describe(copy, snapshot)["State"] == "pending"
        invalid("INVALID_PARAMETER_VALUE", theirs.complete_snapshot, SnapshotId=snapshot, ChangedBlocksCount=1)
        put(theirs, snapshot, 2, data)
        theirs.complete_snapshot(SnapshotId=snapshot, ChangedBlocksCount=1)
        completed(copy, snapshot)
        assert sorted(content(theirs, snapshot)) == [2, 4]
    finally:
        copy.close()
    ebs.complete_snapshot(SnapshotId=snapshot, ChangedBlocksCount=2)
    completed(service, snapshot)
    assert sorted(content(ebs, snapshot)) == [0, 1, 4]


def test_the_cli_writes_a_snapshot(service):
    started = service.aws("ebs", "start-snapshot", "--volume-size", 1, "--description", "by the cli")
    snapshot = started["SnapshotId"]
    data = os.urandom(BLOCK)
    path = os.path.join(service.home, "block")
    with open(path, "wb") as file:
        file.write(data)
    service.aws(
        "ebs", "put-snapshot-block", "--snapshot-id", snapshot, "--block-index", 3, "--data-length", BLOCK,
        "--block-data", path, "--checksum", text(digest(data)), "--checksum-algorithm", "SHA256",
    )  # fmt: skip
    done = service.aws("ebs", "complete-snapshot", "--snapshot-id", snapshot, "--changed-blocks-count", 1)
    assert done == {"Status": "pending"}, done
    service.aws("ec2", "wait", "snapshot-completed", "--snapshot-ids", snapshot)
    assert content(service.client("ebs"), snapshot) == {3: data}


def test_the_store_is_sound_with_a_pending_one(service):
    ebs = service.client("ebs")
    snapshot = ebs.start_snapshot(VolumeSize=1)["SnapshotId"]
    put(ebs, snapshot, 0, os.urandom(BLOCK))
    service.kill9()
    command = [KILN, "fsck", "--data", service.data, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done
    service.start()
    json.loads(service.run("gc", "--json").stdout)
    ebs = service.client("ebs")
    ebs.complete_snapshot(SnapshotId=snapshot, ChangedBlocksCount=1)
    completed(service, snapshot)
    assert list(content(ebs, snapshot)) == [0]


if __name__ == "__main__":
    kiln_test.main()
