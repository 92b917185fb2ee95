#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""EBS direct, reading: which blocks a snapshot has and what is in them, which changed between two, pages and tokens, whom it
refuses and how. Over the scripted hypervisor; the clients are boto3 and the aws CLI."""

import base64
import datetime
import hashlib
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from botocore.exceptions import ClientError  # noqa: E402
from kiln_test import wait_until  # noqa: E402

BLOCK = 524288
GIB = 1 << 30
NOBODY = "snap-0123456789abcdef0"
# Blocks of the disk below: two that follow each other, one behind a hole, one at the end of which there are zeros.
WRITTEN = [0, 1, 7, 2047]


def disk():
    content = bytearray(GIB)
    for index in WRITTEN:
        content[index * BLOCK : (index + 1) * BLOCK] = os.urandom(BLOCK)
    content[-4096:] = bytes(4096)
    return bytes(content)


def import_disk(kiln, name, content):
    path = os.path.join(kiln.home, name + ".raw")
    with open(path, "wb") as file:
        file.write(content)
    return json.loads(kiln.run("import", path, "--name", name, "--json").stdout)["snapshotId"]


@kiln_test.fixture
def service():
    with kiln_test.Kiln("--hypervisor", "fake", "--gc-grace", "0") as kiln:
        kiln.content = disk()
        kiln.snapshot = import_disk(kiln, "disk", kiln.content)
        yield kiln


def refusal(call, **parameters):
    """Status, exception and reason."""
    try:
        call(**parameters)
    except ClientError as error:
        response = error.response
        return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"], response.get("Reason")
    raise AssertionError(f"{parameters} was accepted")


def expect(status, code, reason, call, **parameters):
    got = refusal(call, **parameters)
    assert got == (status, code, reason), f"{parameters}: {got}, expected {(status, code, reason)}"


def invalid(reason, call, **parameters):
    expect(400, "ValidationException", reason, call, **parameters)


def blocks_of(ebs, snapshot, **parameters):
    """All pages, in order."""
    found, token = [], {}
    while True:
        page = ebs.list_snapshot_blocks(SnapshotId=snapshot, **parameters, **token)
        found += page["Blocks"]
        if "NextToken" not in page:
            return found
        token = {"NextToken": page["NextToken"]}


def check_block(ebs, snapshot, block, expected, token="BlockToken"):
    got = ebs.get_snapshot_block(SnapshotId=snapshot, BlockIndex=block["BlockIndex"], BlockToken=block[token])
    data = got["BlockData"].read()
    assert data == expected, f"block {block['BlockIndex']} of {snapshot}"
    assert got["DataLength"] == BLOCK and got["ChecksumAlgorithm"] == "SHA256", got
    assert got["Checksum"] == base64.b64encode(hashlib.sha256(data).digest()).decode(), got


def at(content, index):
    return content[index * BLOCK : (index + 1) * BLOCK]


def qemu_io(kiln, volume, *commands):
    """Writes what a guest would."""
    socket = json.loads(kiln.run("inspect", volume).stdout)["socket"]
    wait_until(lambda: os.path.exists(socket), 30, "the volume is served")  # in-use it is as soon as it is being attached
    words = [word for command in commands for word in ("-c", command)]
    done = subprocess.run(
        ["qemu-io", "-f", "raw", *words, "nbd+unix:///?socket=" + socket],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0 and "failed" not in done.stdout, done.stdout + done.stderr


def completed(kiln, snapshot):
    kiln.client("ec2").get_waiter("snapshot_completed").wait(
        SnapshotIds=[snapshot], WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )


def test_ED_8_ED_10_the_blocks_of_a_snapshot_and_their_bytes(service):
    ebs = service.client("ebs")
    for _ in range(2):  # before and after it is stored
        page = ebs.list_snapshot_blocks(SnapshotId=service.snapshot)
        assert [b["BlockIndex"] for b in page["Blocks"]] == WRITTEN, page
        assert page["VolumeSize"] == 1 and page["BlockSize"] == BLOCK and "NextToken" not in page, page
        left = page["ExpiryTime"] - datetime.datetime.now(datetime.timezone.utc)
        assert datetime.timedelta(days=6, hours=23) < left <= datetime.timedelta(days=7), page
        for block in page["Blocks"]:
            assert len(block["BlockToken"]) <= 256, block
            check_block(ebs, service.snapshot, block, at(service.content, block["BlockIndex"]))
        assert [b["BlockIndex"] for b in blocks_of(ebs, service.snapshot, StartingBlockIndex=2)] == [7, 2047]
        assert blocks_of(ebs, service.snapshot, StartingBlockIndex=2048) == []
        service.wait_stored(service.snapshot)


def test_ED_8_pages_go_on_where_they_ended(service):
    ebs = service.client("ebs")
    content = os.urandom(250 * 4096)
    spread = bytearray(GIB)
    for index in range(250):  # a little in every second block
        spread[2 * index * BLOCK : 2 * index * BLOCK + 4096] = content[index * 4096 : (index + 1) * 4096]
    snapshot = import_disk(service, "spread", bytes(spread))
    expected = [2 * index for index in range(250)]
    for _ in range(2):
        pages, token = [], {}
        while True:
            page = ebs.list_snapshot_blocks(SnapshotId=snapshot, MaxResults=100, **token)
            pages.append([b["BlockIndex"] for b in page["Blocks"]])
            if "NextToken" not in page:
                break
            # A token wins over a place to begin at.
            token = {"NextToken": page["NextToken"], "StartingBlockIndex": 4}
        assert [len(p) for p in pages] == [100, 100, 50], [len(p) for p in pages]
        assert sum(pages, []) == expected
        service.wait_stored(snapshot)
    page = ebs.list_snapshot_blocks(SnapshotId=snapshot, MaxResults=100)
    for wrong in (page["NextToken"][:-8] + "AAAAAAA=", "x", "AAAA", page["Blocks"][0]["BlockToken"]):
        invalid("INVALID_PAGE_TOKEN", ebs.list_snapshot_blocks, SnapshotId=snapshot, NextToken=wrong)
    invalid("INVALID_PAGE_TOKEN", ebs.list_snapshot_blocks, SnapshotId=service.snapshot, NextToken=page["NextToken"])


def test_ED_9_SNP_5_changes_of_a_volume_and_of_what_was_made_from_it(service):
    ec2, ebs = service.client("ec2"), service.client("ebs")
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", SnapshotId=service.snapshot)["VolumeId"]
    image = ec2.register_image(
        Name="of the disk", Architecture="x86_64", VirtualizationType="hvm", RootDeviceName="/dev/xvda",
        BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": service.snapshot}}],
    )["ImageId"]  # fmt: skip
    instance = ec2.run_instances(ImageId=image, InstanceType="t2.nano", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    ec2.get_waiter("instance_running").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device="/dev/sdf")
    ec2.get_waiter("volume_in_use").wait(VolumeIds=[volume], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    qemu_io(service, volume, "write -P 0x61 512k 4k", "write -P 0x62 100M 64k", "write -z 3584k 512k", "flush")
    first = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    completed(service, first)
    after = bytearray(service.content)
    after[BLOCK : BLOCK + 4096] = b"\x61" * 4096
    after[100 << 20 : (100 << 20) + 65536] = b"\x62" * 65536
    after[7 * BLOCK : 8 * BLOCK] = bytes(BLOCK)
    for _ in range(2):
        page = ebs.list_changed_blocks(FirstSnapshotId=service.snapshot, SecondSnapshotId=first)
        assert page["VolumeSize"] == 1 and page["BlockSize"] == BLOCK and page["ExpiryTime"], page
        changed = {b["BlockIndex"]: b for b in page["ChangedBlocks"]}
        assert sorted(changed) == [1, 7, 200], page
        tokens = {index: ("FirstBlockToken" in b, "SecondBlockToken" in b) for index, b in changed.items()}
        assert tokens == {1: (True, True), 7: (True, False), 200: (False, True)}, tokens
        check_block(ebs, service.snapshot, changed[1], at(service.content, 1), "FirstBlockToken")
        check_block(ebs, first, changed[1], at(bytes(after), 1), "SecondBlockToken")
        check_block(ebs, first, changed[200], at(bytes(after), 200), "SecondBlockToken")
        # A token is for the snapshot it was given for.
        invalid(
            "INVALID_BLOCK_TOKEN", ebs.get_snapshot_block,
            SnapshotId=first, BlockIndex=1, BlockToken=changed[1]["FirstBlockToken"],
        )  # fmt: skip
        back = ebs.list_changed_blocks(FirstSnapshotId=first, SecondSnapshotId=service.snapshot, StartingBlockIndex=2)
        assert [b["BlockIndex"] for b in back["ChangedBlocks"]] == [7, 200], back
        assert ebs.list_changed_blocks(FirstSnapshotId=first, SecondSnapshotId=first)["ChangedBlocks"] == []
        service.wait_stored(first)
    # The lineage outlives the volume and the snapshots between.
    qemu_io(service, volume, "write -P 0x63 0 4k", "flush")
    second = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    completed(service, second)
    ec2.terminate_instances(InstanceIds=[instance])
    ec2.get_waiter("instance_terminated").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    ec2.delete_volume(VolumeId=volume)
    ec2.delete_snapshot(SnapshotId=first)
    page = ebs.list_changed_blocks(FirstSnapshotId=service.snapshot, SecondSnapshotId=second)
    assert [b["BlockIndex"] for b in page["ChangedBlocks"]] == [0, 1, 7, 200], page
    other = import_disk(service, "another", os.urandom(BLOCK))
    invalid("UNRELATED_SNAPSHOTS", ebs.list_changed_blocks, FirstSnapshotId=other, SecondSnapshotId=second)
    invalid("INVALID_PARAMETER_VALUE", ebs.list_changed_blocks, SecondSnapshotId=second)


def test_ED_2_what_is_refused_and_how(service):
    ebs = service.client("ebs")
    for call in (ebs.list_snapshot_blocks,):
        expect(404, "ResourceNotFoundException", "SNAPSHOT_NOT_FOUND", call, SnapshotId=NOBODY)
        invalid("INVALID_SNAPSHOT_ID", call, SnapshotId="vol-0123456789abcdef0")
        invalid("INVALID_PARAMETER_VALUE", call, SnapshotId=service.snapshot, MaxResults=10_001)
        # Fewer than a hundred are taken as a hundred.
        assert len(call(SnapshotId=service.snapshot, MaxResults=100)["Blocks"]) == 4
    first, second = blocks_of(ebs, service.snapshot)[:2]
    get = ebs.get_snapshot_block
    invalid("INVALID_BLOCK_TOKEN", get, SnapshotId=service.snapshot, BlockIndex=0, BlockToken=second["BlockToken"])
    invalid("INVALID_BLOCK_TOKEN", get, SnapshotId=service.snapshot, BlockIndex=0, BlockToken="AAAA")
    invalid("INVALID_BLOCK", get, SnapshotId=service.snapshot, BlockIndex=2048, BlockToken=first["BlockToken"])
    expect(
        404, "ResourceNotFoundException", "SNAPSHOT_NOT_FOUND", get,
        SnapshotId=NOBODY, BlockIndex=0, BlockToken=first["BlockToken"],
    )  # fmt: skip


def test_ED_10_ED_11_another_account_finds_nothing_and_its_tokens_are_its_own(service):
    ebs = service.client("ebs")
    stranger = service.account().client("ebs")
    expect(404, "ResourceNotFoundException", "SNAPSHOT_NOT_FOUND", stranger.list_snapshot_blocks, SnapshotId=service.snapshot)
    token = blocks_of(ebs, service.snapshot)[0]["BlockToken"]
    expect(
        404, "ResourceNotFoundException", "SNAPSHOT_NOT_FOUND", stranger.get_snapshot_block,
        SnapshotId=service.snapshot, BlockIndex=0, BlockToken=token,
    )  # fmt: skip


def test_ED_11_whom_it_is_shared_with_reads_it_but_not_everybody(service):
    friend, ec2 = service.account("friend"), service.client("ec2")
    shared = ec2.copy_snapshot(SourceRegion=service.region, SourceSnapshotId=service.snapshot)["SnapshotId"]
    ec2.modify_snapshot_attribute(SnapshotId=shared, CreateVolumePermission={"Add": [{"Group": "all"}]})
    ebs = friend.client("ebs")
    assert shared in {told["SnapshotId"] for told in friend.client("ec2").describe_snapshots(RestorableByUserIds=["all"])["Snapshots"]}
    expect(404, "ResourceNotFoundException", "SNAPSHOT_NOT_FOUND", ebs.list_snapshot_blocks, SnapshotId=shared)
    expect(404, "ResourceNotFoundException", "SNAPSHOT_NOT_FOUND", ebs.start_snapshot, ParentSnapshotId=shared, VolumeSize=1)
    ec2.modify_snapshot_attribute(SnapshotId=shared, CreateVolumePermission={"Add": [{"UserId": friend.id}]})
    own = service.client("ebs").list_snapshot_blocks(SnapshotId=service.snapshot)["Blocks"]
    blocks = ebs.list_snapshot_blocks(SnapshotId=shared)["Blocks"]
    assert blocks and [block["BlockIndex"] for block in blocks] == [block["BlockIndex"] for block in own]
    read = ebs.get_snapshot_block(SnapshotId=shared, **blocks[0])
    original = service.client("ebs").get_snapshot_block(SnapshotId=service.snapshot, **own[0])
    assert read["BlockData"].read() == original["BlockData"].read()
    ec2.reset_snapshot_attribute(SnapshotId=shared, Attribute="createVolumePermission")
    expect(404, "ResourceNotFoundException", "SNAPSHOT_NOT_FOUND", ebs.get_snapshot_block, SnapshotId=shared, **blocks[0])


def test_the_cli_reads_a_block(service):
    listed = service.aws("ebs", "list-snapshot-blocks", "--snapshot-id", service.snapshot)
    assert [b["BlockIndex"] for b in listed["Blocks"]] == WRITTEN, listed
    path = os.path.join(service.home, "block")
    block = listed["Blocks"][2]
    service.aws(
        "ebs", "get-snapshot-block", "--snapshot-id", service.snapshot, "--block-index", 7, "--block-token",
        block["BlockToken"], path,
    )  # fmt: skip
    with open(path, "rb") as file:
        assert file.read() == at(service.content, 7)
    try:
        service.aws("ebs", "list-snapshot-blocks", "--snapshot-id", NOBODY)
        raise AssertionError("a snapshot that is not there is listed")
    except kiln_test.AwsError as error:
        assert error.code == "ResourceNotFoundException", error


def test_tokens_outlive_the_service(service):
    ebs = service.client("ebs")
    blocks = blocks_of(ebs, service.snapshot)
    service.kill9()
    service.start()
    check_block(service.client("ebs"), service.snapshot, blocks[0], at(service.content, 0))


def test_a_huge_snapshot_costs_what_it_holds(service):
    """64 TiB, with data at both ends: S86"""
    ec2, ebs = service.client("ec2"), service.client("ebs")
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=65536, VolumeType="io2", Iops=1000)["VolumeId"]
    image = ec2.describe_images(Owners=["self"])["Images"][0]["ImageId"]
    instance = ec2.run_instances(ImageId=image, InstanceType="t2.nano", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    ec2.get_waiter("instance_running").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device="/dev/sdf")
    ec2.get_waiter("volume_in_use").wait(VolumeIds=[volume], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    last = (64 << 40) - BLOCK
    qemu_io(service, volume, "write -P 0x71 0 4k", f"write -P 0x72 {last} 512k", "flush")
    snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    completed(service, snapshot)
    for _ in range(2):
        begun = datetime.datetime.now()
        blocks = blocks_of(ebs, snapshot)
        assert [b["BlockIndex"] for b in blocks] == [0, 134_217_727], blocks
        check_block(ebs, snapshot, blocks[1], b"\x72" * BLOCK)
        assert (datetime.datetime.now() - begun).total_seconds() < 10
        service.wait_stored(snapshot)


if __name__ == "__main__":
    kiln_test.main()
