#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""kiln diff, and the sizes that are told of snapshots: which blocks differ, whether snapshots are stored or not; full, unique and
shared bytes; garbage collection that makes the store small again."""

import json
import os
import sys
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402

MIB = 1 << 20
GIB = 1 << 30
BLOCK = 512 << 10


def import_disk(kiln, name, content):
    path = os.path.join(kiln.home, name + ".raw")
    with open(path, "wb") as disk:
        disk.write(content)
    return json.loads(kiln.run("import", path, "--name", name, "--json").stdout)


def inspect(kiln, thing):
    return json.loads(kiln.run("inspect", thing).stdout)


def full_size(kiln, snapshot):
    """None before it is known. Debian's boto3 is too old to know the field."""
    told = kiln_test.query(kiln, "DescribeSnapshots", {"SnapshotId.1": snapshot}).texts("snapshotSet/item/fullSnapshotSizeInBytes")
    return int(told[0]) if told else None


@kiln_test.fixture
def service():
    with kiln_test.Kiln("--hypervisor", "fake", "--gc-grace", "0") as kiln:
        kiln.base = os.urandom(8 * MIB)
        changed = bytearray(kiln.base)
        changed[3 * BLOCK + 100] ^= 1
        changed[4 * BLOCK] ^= 1
        changed[9 * BLOCK : 10 * BLOCK] = bytes(BLOCK)
        kiln.first = import_disk(kiln, "first", kiln.base)
        kiln.second = import_disk(kiln, "second", bytes(changed) + b"more" * 128)
        for made in (kiln.first, kiln.second):
            kiln_test.wait_until(lambda: full_size(kiln, made["snapshotId"]), 60, "it is stored")
        yield kiln


def test_ranges_as_text_and_json(service):
    """SNP-24"""
    first, second = service.first["snapshotId"], service.second["snapshotId"]
    done = service.run("diff", first, second)
    assert done.stdout == f"{3 * BLOCK} {2 * BLOCK}\n{9 * BLOCK} {BLOCK}\n{16 * BLOCK} {BLOCK}\n", done.stdout
    assert "4 blocks of 524288 bytes differ" in done.stderr, done.stderr
    told = json.loads(service.run("diff", second, first, "--json").stdout)
    assert told["ranges"][0] == {"offset": 3 * BLOCK, "length": 2 * BLOCK} and len(told["ranges"]) == 3, told
    assert told["fromBytes"] == told["toBytes"] == GIB and told["blockBytes"] == BLOCK, told
    assert told["differentBytes"] == 4 * BLOCK and "next" not in told, told
    by_image = json.loads(service.run("diff", service.second["imageId"], service.first["imageId"], "--json").stdout)
    assert by_image == told
    assert service.run("diff", first, first).stdout == ""


def test_what_is_not_stored_yet(service):
    """SNP-24: at once after the snapshot, and the same later"""
    ec2 = service.client("ec2")
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", SnapshotId=service.first["snapshotId"], Size=1)["VolumeId"]
    snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    kiln_test.wait_until(
        lambda: ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]["State"] == "completed", 60, "the snapshot is completed"
    )
    for _ in range(2):
        assert service.run("diff", service.first["snapshotId"], snapshot).stdout == ""
        assert service.run("diff", service.second["snapshotId"], snapshot).stdout.count("\n") == 3
        kiln_test.wait_until(lambda: full_size(service, snapshot), 60, "it is stored")


def test_refusals(service):
    """SNP-24"""
    first = service.first["snapshotId"]
    wrong = {"snap-0123456789abcdef0": "InvalidSnapshot.NotFound", "ami-0123456789abcdef0": "InvalidAMIID.NotFound", "vol-1": "Invalid"}
    for thing, code in wrong.items():
        done = service.run("diff", first, thing, check=False)
        assert done.returncode == 1 and code in done.stderr and not done.stdout, done
    done = service.account("stranger").run("diff", first, first, check=False)
    assert done.returncode == 1 and "InvalidSnapshot.NotFound" in done.stderr, done


def test_sizes(service):
    """SNP-6, SNP-23"""
    first, second = service.first["snapshotId"], service.second["snapshotId"]
    assert full_size(service, first) == 16 * BLOCK
    assert full_size(service, second) == 16 * BLOCK  # one less, one more
    usage = inspect(service, first)["usage"]
    assert usage["logicalBytes"] == GIB and usage["fullBytes"] == 16 * BLOCK, usage
    assert usage["sharedBytes"] + usage["uniqueBytes"] == usage["fullBytes"], usage
    assert inspect(service, second)["usage"]["uniqueBytes"] == 3 * BLOCK


def test_garbage_of_which_a_little_is_needed_is_taken_back(service):
    """SPC-4"""
    ec2 = service.client("ec2")
    part = import_disk(service, "part", service.base[:MIB])
    kiln_test.wait_until(lambda: full_size(service, part["snapshotId"]), 60, "it is stored")
    for made in (service.first, service.second):
        ec2.deregister_image(ImageId=made["imageId"])
    for snapshot in ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]:
        if snapshot["SnapshotId"] != part["snapshotId"]:
            ec2.delete_snapshot(SnapshotId=snapshot["SnapshotId"])
    for volume in ec2.describe_volumes()["Volumes"]:
        ec2.delete_volume(VolumeId=volume["VolumeId"])
    report = json.loads(service.run("gc", "--json").stdout)
    while report["packsCompacted"]:
        copied = report
        report = json.loads(service.run("gc", "--json").stdout)
    assert copied["bytesCopied"] >= MIB and report["bytesLive"] >= MIB, (copied, report)
    assert report["bytesKept"] <= 2 * report["bytesLive"], report
    objects = os.path.join(service.data, "objects")
    assert sum(os.path.getsize(os.path.join(objects, name)) for name in os.listdir(objects)) == report["bytesKept"], report
    json.loads(service.run("verify", part["snapshotId"], "--json").stdout)
    with urllib.request.urlopen(service.endpoint + "/metrics", timeout=30) as answer:
        lines = [line.split() for line in answer.read().decode().splitlines() if line.startswith("kiln_gc")]
    metrics = {name: float(value) for name, value in lines}
    assert metrics["kiln_gc_compacted_packs"] >= 1 and metrics["kiln_gc_copied_bytes"] >= MIB, metrics
    assert metrics["kiln_gc_stored_bytes"] == report["bytesKept"] and metrics["kiln_gc_runs"] >= 2, metrics


if __name__ == "__main__":
    kiln_test.main()
