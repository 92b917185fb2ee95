#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a snapshot is and stays, and what happens when requests about one thing meet: snapshots, images, tags."""

import base64
import concurrent.futures
import contextlib
import hashlib
import json
import os
import sqlite3
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "tools"))
import kiln_test  # noqa: E402
from botocore.exceptions import ClientError  # noqa: E402
from kiln_formats import catalog as catalog_format  # noqa: E402
from kiln_test import wait_until  # noqa: E402
from kiln_test.refusals import expect  # noqa: E402

BLOCK = 512 << 10
ZONE = "us-east-1a"


@kiln_test.fixture
def service():
    with kiln_test.api_service("--gc-grace", "0") as kiln:
        yield kiln


def describe(kiln, snapshot):
    return kiln.client("ec2").describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]


def completed(kiln, snapshot):
    wait_until(lambda: describe(kiln, snapshot)["State"] == "completed", 30, f"{snapshot} is completed")


def digest(block):
    return base64.b64encode(hashlib.sha256(block).digest()).decode()


def snapshot_of(kiln, volume):
    snapshot = kiln.client("ec2").create_snapshot(VolumeId=volume)["SnapshotId"]
    completed(kiln, snapshot)
    return snapshot


def attached_volume(kiln, snapshot=None):
    """A volume of 1 GiB that a running instance has, and that instance."""
    ec2 = kiln.client("ec2")
    source = {"SnapshotId": snapshot} if snapshot else {"VolumeSize": 1}
    (made,) = ec2.run_instances(
        ImageId=kiln.image, InstanceType="t2.nano", MinCount=1, MaxCount=1,
        BlockDeviceMappings=[{"DeviceName": "/dev/sdf", "Ebs": {**source, "DeleteOnTermination": True}}],
    )["Instances"]  # fmt: skip
    instance = made["InstanceId"]
    ec2.get_waiter("instance_running").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    seen = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    return {entry["DeviceName"]: entry["Ebs"]["VolumeId"] for entry in seen["BlockDeviceMappings"]}["/dev/sdf"], instance


def terminate(kiln, instance):
    ec2 = kiln.client("ec2")
    ec2.terminate_instances(InstanceIds=[instance])
    ec2.get_waiter("instance_terminated").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1, "MaxAttempts": 30})


def guest(kiln, volume, *commands):
    """What a guest would do: qemu-io commands on the volume's own socket."""
    words = [word for command in commands for word in ("-c", command)]
    socket = json.loads(kiln.run("inspect", volume).stdout)["socket"]
    command = ["qemu-io", "-f", "raw", "-d", "unmap", *words, "nbd+unix:///?socket=" + socket]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0 and "failed" not in done.stdout, done.stdout + done.stderr


def content(kiln, snapshot, size=8 * BLOCK):
    """The first bytes of a snapshot."""
    path = os.path.join(kiln.home, "out.raw")
    kiln.run("export", snapshot, path, "--force")
    with open(path, "rb") as file:
        return file.read(size)


def test_SNP_1_SNP_3_progress_grows_until_it_is_completed(service):
    ec2, ebs = service.client("ec2"), service.client("ebs")
    snapshot = ebs.start_snapshot(VolumeSize=1)["SnapshotId"]
    block = os.urandom(BLOCK)
    seen = [describe(service, snapshot)["Progress"]]
    for index, told in enumerate((30, 70, 20, 100)):  # what a client says of it
        ebs.put_snapshot_block(
            SnapshotId=snapshot, BlockIndex=index, BlockData=block, DataLength=BLOCK, Progress=told, ChecksumAlgorithm="SHA256",
            Checksum=digest(block),
        )  # fmt: skip
        found = describe(service, snapshot)
        assert found["State"] == "pending", found
        seen.append(found["Progress"])
    assert seen == ["", "30%", "70%", "70%", "99%"], seen
    states = {"pending"}
    ebs.complete_snapshot(SnapshotId=snapshot, ChangedBlocksCount=4)
    while True:
        found = describe(service, snapshot)
        states.add(found["State"])
        if found["State"] != "pending":
            break
        assert found["Progress"] == "99%", found
    assert found["Progress"] == "100%" and states == {"pending", "completed"}, (found, states)
    volume = ec2.create_volume(AvailabilityZone=ZONE, Size=1)["VolumeId"]
    made = ec2.create_snapshot(VolumeId=volume)
    assert (made["State"], made["Progress"]) == ("pending", ""), made
    last = -1
    while last < 100:
        found = describe(service, made["SnapshotId"])
        number = int(found["Progress"].rstrip("%") or 0)
        assert last <= number and (number == 100) == (found["State"] == "completed"), (last, found)
        assert found["State"] in ("pending", "completed"), found
        last = number


def test_SNP_4_SNP_11_a_snapshot_stays_what_it_is_whatever_becomes_of_others(service):
    ec2 = service.client("ec2")
    volume, instance = attached_volume(service)
    snapshots, contents = [], []
    for step in ("write -P 0x61 0 1M", "write -P 0x62 256k 1M", "discard 0 512k", "write -P 0x63 2M 512k"):
        guest(service, volume, step, "flush")
        snapshots.append(snapshot_of(service, volume))
        contents.append(content(service, snapshots[-1]))
    a, b, c = (bytes([letter]) for letter in b"abc")
    kib = 1 << 10
    first = a * (1024 * kib) + bytes(3072 * kib)
    second = a * (256 * kib) + b * (1024 * kib) + bytes(2816 * kib)
    third = bytes(512 * kib) + b * (768 * kib) + bytes(2816 * kib)
    fourth = third[: 2048 * kib] + c * (512 * kib) + bytes(1536 * kib)
    assert contents == [first, second, third, fourth], "what was never written, or given back, is zeros"
    shown = describe(service, snapshots[1])
    # First the lowest, then the highest, then the volume goes; also when all is stored.
    for gone in (0, 3):
        ec2.delete_snapshot(SnapshotId=snapshots[gone])
        assert content(service, snapshots[1]) == second and content(service, snapshots[2]) == third
        for kept in snapshots[1:3]:
            service.wait_stored(kept)
    terminate(service, instance)
    service.run("gc", "--json")
    assert content(service, snapshots[1]) == second and content(service, snapshots[2]) == third
    ec2.delete_snapshot(SnapshotId=snapshots[2])
    service.run("gc", "--json")
    assert content(service, snapshots[1]) == second
    now = describe(service, snapshots[1])
    now.pop("FullSnapshotSizeInBytes", None), shown.pop("FullSnapshotSizeInBytes", None)  # SNP-6: known once it is stored
    assert now == shown, (now, shown)


def test_SNP_11_a_completed_snapshot_takes_no_blocks(service):
    ebs = service.client("ebs")
    block = os.urandom(BLOCK)
    before = content(service, service.snapshot)
    try:
        ebs.put_snapshot_block(
            SnapshotId=service.snapshot, BlockIndex=0, BlockData=block, DataLength=BLOCK, ChecksumAlgorithm="SHA256",
            Checksum=digest(block),
        )  # fmt: skip
        raise AssertionError("a completed snapshot takes blocks")
    except ClientError as error:
        assert (error.response["Error"]["Code"], error.response["Reason"]) == ("ValidationException", "INVALID_SNAPSHOT_ID"), error
    assert content(service, service.snapshot) == before
    # A volume that is made of it is written, the snapshot is not.
    volume, instance = attached_volume(service, service.snapshot)
    guest(service, volume, "write -P 0x7a 0 4M", "flush")
    assert content(service, service.snapshot) == before != content(service, snapshot_of(service, volume))
    terminate(service, instance)


def test_SNP_5_a_copy_begins_a_lineage_of_its_own(service):
    ec2, ebs = service.client("ec2"), service.client("ebs")
    volume, instance = attached_volume(service, service.snapshot)
    guest(service, volume, "write -P 0x31 3M 4k", "flush")
    child = snapshot_of(service, volume)
    copy = ec2.copy_snapshot(SourceRegion=service.region, SourceSnapshotId=child)["SnapshotId"]
    completed(service, copy)

    def changed(first, second):
        return [b["BlockIndex"] for b in ebs.list_changed_blocks(FirstSnapshotId=first, SecondSnapshotId=second)["ChangedBlocks"]]

    assert changed(service.snapshot, child) == [6]
    for first, second in ((service.snapshot, copy), (child, copy), (copy, child)):
        try:
            changed(first, second)
            raise AssertionError("a copy was compared with its source's lineage")
        except ClientError as error:
            assert error.response["Reason"] == "UNRELATED_SNAPSHOTS", error
    assert changed(copy, copy) == []
    # What is made of the copy is of the copy's lineage.
    other, second = attached_volume(service, copy)
    guest(service, other, "write -P 0x32 5M 4k", "flush")
    assert changed(copy, snapshot_of(service, other)) == [10]
    terminate(service, instance)
    terminate(service, second)


def test_SNP_7_what_was_not_cut_names_a_volume_that_is_none(service):
    ec2 = service.client("ec2")
    assert describe(service, service.snapshot)["VolumeId"] == "vol-ffffffff"
    volume = ec2.create_volume(AvailabilityZone=ZONE, SnapshotId=service.snapshot)["VolumeId"]
    cut = snapshot_of(service, volume)
    assert describe(service, cut)["VolumeId"] == volume
    copy = ec2.copy_snapshot(SourceRegion=service.region, SourceSnapshotId=cut)["SnapshotId"]
    assert describe(service, copy)["VolumeId"] == "vol-ffffffff"
    found = ec2.describe_snapshots(Filters=[{"Name": "volume-id", "Values": ["vol-ffffffff"]}])["Snapshots"]
    assert {service.snapshot, copy} <= {s["SnapshotId"] for s in found} and cut not in {s["SnapshotId"] for s in found}


def test_ED_12_a_snapshot_that_was_put_is_as_all_others(service):
    ec2, ebs = service.client("ec2"), service.client("ebs")
    block = b"put!" * (BLOCK // 4)
    snapshot = ebs.start_snapshot(VolumeSize=1, Description="put")["SnapshotId"]
    ebs.put_snapshot_block(
        SnapshotId=snapshot, BlockIndex=2, BlockData=block, DataLength=BLOCK, ChecksumAlgorithm="SHA256",
        Checksum=digest(block),
    )  # fmt: skip
    mapping = [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot}}]
    image = {"Name": "of blocks", "Architecture": "x86_64", "VirtualizationType": "hvm", "RootDeviceName": "/dev/xvda", "BlockDeviceMappings": mapping}
    # SNP-12: nothing is made of it while it is pending.
    for call, request in ((ec2.register_image, image), (ec2.create_volume, {"AvailabilityZone": ZONE, "SnapshotId": snapshot})):
        message = expect("IncorrectState", call, **request)
        assert message == "Snapshot is in invalid state - pending", message
    ebs.complete_snapshot(SnapshotId=snapshot, ChangedBlocksCount=1)
    completed(service, snapshot)
    ec2.create_tags(Resources=[snapshot], Tags=[{"Key": "k", "Value": "v"}])
    found = ec2.describe_snapshots(Filters=[{"Name": "description", "Values": ["put"]}, {"Name": "tag:k", "Values": ["v"]}])["Snapshots"]
    assert [s["SnapshotId"] for s in found] == [snapshot], found
    made = ec2.register_image(**image)["ImageId"]
    expect("InvalidSnapshot.InUse", ec2.delete_snapshot, SnapshotId=snapshot)
    volume, instance = attached_volume(service, snapshot)
    guest(service, volume, "read -P 0 0 1M", "read -P 0x70 1M 1")
    assert content(service, snapshot)[2 * BLOCK : 3 * BLOCK] == block
    ec2.deregister_image(ImageId=made)
    ec2.delete_snapshot(SnapshotId=snapshot)
    terminate(service, instance)
    pending = ebs.start_snapshot(VolumeSize=1)["SnapshotId"]
    ec2.delete_snapshot(SnapshotId=pending)
    expect("InvalidSnapshot.NotFound", ec2.describe_snapshots, SnapshotIds=[pending])


def in_parallel(*calls):
    """Outcomes of calls that begin together: what they answer, or the error's code."""
    gate = threading.Barrier(len(calls))

    def run(call):
        gate.wait()
        try:
            return call()
        except ClientError as error:
            return error.response["Error"]["Code"]

    with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
        return [outcome.result() for outcome in [pool.submit(run, call) for call in calls]]


def test_RACE_3_of_registering_and_deleting_one_comes_first(service):
    ec2, others = service.client("ec2"), [service.client("ec2") for _ in range(2)]
    volume = ec2.create_volume(AvailabilityZone=ZONE, Size=1)["VolumeId"]
    ways = set()
    for number in range(16):
        snapshot = snapshot_of(service, volume)
        request = {"Architecture": "x86_64", "VirtualizationType": "hvm", "RootDeviceName": "/dev/xvda"}
        request["BlockDeviceMappings"] = [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot}}]
        calls = [lambda: others[0].register_image(Name=f"race {number}", **request)["ImageId"], lambda: others[1].delete_snapshot(SnapshotId=snapshot)]
        made, deleted = in_parallel(*(calls if number % 2 else calls[::-1]))[:: 1 if number % 2 else -1]
        if isinstance(deleted, dict):
            assert made == "InvalidSnapshot.NotFound", (made, deleted)
            expect("InvalidSnapshot.NotFound", ec2.describe_snapshots, SnapshotIds=[snapshot])
            ways.add("deleted")
        else:
            assert deleted == "InvalidSnapshot.InUse" and made.startswith("ami-"), (made, deleted)
            assert describe(service, snapshot)["State"] == "completed"
            ec2.deregister_image(ImageId=made)
            ec2.delete_snapshot(SnapshotId=snapshot)
            ways.add("registered")
        assert ec2.describe_images(Filters=[{"Name": "name", "Values": ["race *"]}])["Images"] == []
    print("ways:", sorted(ways))


def test_TAG_12_requests_on_one_resource_are_done_one_after_the_other(service):
    clients = [service.client("ec2") for _ in range(12)]
    ec2 = clients[0]
    volume = ec2.create_volume(AvailabilityZone=ZONE, Size=1)["VolumeId"]

    def tags():
        return {t["Key"]: t["Value"] for t in ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0].get("Tags", [])}

    # TAG-1: 12 times 5 do not fit, and none is lost of those who were told that it is done.
    sets = [[{"Key": f"k{n}.{m}", "Value": "v"} for m in range(5)] for n in range(12)]
    done = in_parallel(*(lambda n=n: clients[n].create_tags(Resources=[volume], Tags=sets[n]) for n in range(12)))
    kept = [n for n, outcome in enumerate(done) if isinstance(outcome, dict)]
    assert len(kept) == 10 and sorted(o for o in done if not isinstance(o, dict)) == ["TagLimitExceeded"] * 2, done
    assert tags() == {tag["Key"]: "v" for n in kept for tag in sets[n]}
    # Several keys at once are one's or the other's, never of both.
    for _ in range(10):
        in_parallel(*(
            lambda n=n: clients[n].create_tags(Resources=[volume], Tags=[{"Key": tag["Key"], "Value": str(n)} for tag in sets[kept[0]]])
            for n in range(4)
        ))  # fmt: skip
        assert len({tags()[tag["Key"]] for tag in sets[kept[0]]}) == 1, tags()
    ec2.delete_volume(VolumeId=volume)


def test_SS_2_an_encrypted_snapshot_is_not_public():
    with kiln_test.api_service() as kiln:
        ec2, friend = kiln.client("ec2"), kiln.account("friend")
        volume = ec2.create_volume(AvailabilityZone=ZONE, Size=1)["VolumeId"]
        plain, secret = snapshot_of(kiln, volume), snapshot_of(kiln, volume)
        kiln.stop()
        encrypt(kiln, secret)
        kiln.start()
        ec2 = kiln.client("ec2")
        assert describe(kiln, secret)["Encrypted"] is True and describe(kiln, plain)["Encrypted"] is False

        def share(snapshot, entry):
            ec2.modify_snapshot_attribute(SnapshotId=snapshot, CreateVolumePermission={"Add": [entry]})

        def shared(snapshot):
            return ec2.describe_snapshot_attribute(SnapshotId=snapshot, Attribute="createVolumePermission")["CreateVolumePermissions"]

        expect("OperationNotPermitted", share, snapshot=secret, entry={"Group": "all"})
        assert shared(secret) == []
        share(secret, {"UserId": friend.id})
        share(plain, {"Group": "all"})
        assert shared(secret) == [{"UserId": friend.id}] and shared(plain) == [{"Group": "all"}]


def encrypt(kiln, snapshot):
    """Says of a snapshot that it is encrypted, which no request can, in the catalog of a stopped service."""
    with contextlib.closing(sqlite3.connect(os.path.join(kiln.data, "catalog.sqlite"))) as catalog, catalog:
        catalog.row_factory = sqlite3.Row
        row = dict(catalog.execute("SELECT * FROM snapshots WHERE id = ?", (snapshot,)).fetchone())
        row["doc"] = json.dumps({**json.loads(row["doc"]), "encrypted": True})
        crc = catalog_format.row_crc("snapshots", [row[name] for name in catalog_format.CHECKED["snapshots"].split()])
        catalog.execute("UPDATE snapshots SET doc = ?, crc = ? WHERE id = ?", (row["doc"], crc, snapshot))


if __name__ == "__main__":
    kiln_test.main()
