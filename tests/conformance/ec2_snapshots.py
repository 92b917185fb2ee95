#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Snapshots over the scripted hypervisor, whose disks are written through their own sockets: what is in a snapshot, what
DescribeSnapshots shows, deletion, sets, mistakes, garbage collection, and a daemon that is killed."""

import datetime
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test.refusals import expect  # noqa: E402

NOBODY = "snap-0123456789abcdef0"


@kiln_test.fixture
def service():
    with kiln_test.api_service("--gc-grace", "0") as kiln:
        yield kiln


def launch(kiln, image=None, devices=()):
    """A running instance; its id and its volumes by device."""
    ec2 = kiln.client("ec2")
    mappings = [{"DeviceName": device, "Ebs": {"VolumeSize": 1, "DeleteOnTermination": True}} for device in devices]
    made = ec2.run_instances(
        ImageId=image or kiln.image, InstanceType="t2.nano", MinCount=1, MaxCount=1, BlockDeviceMappings=mappings
    )
    instance = made["Instances"][0]["InstanceId"]
    ec2.get_waiter("instance_running").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    seen = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    return instance, {m["DeviceName"]: m["Ebs"]["VolumeId"] for m in seen["BlockDeviceMappings"]}


def terminate(kiln, *instances):
    ec2 = kiln.client("ec2")
    ec2.terminate_instances(InstanceIds=list(instances))
    ec2.get_waiter("instance_terminated").wait(InstanceIds=list(instances), WaiterConfig={"Delay": 1, "MaxAttempts": 30})


def inspect(kiln, resource):
    return json.loads(kiln.run("inspect", resource).stdout)


def qemu_io(socket, commands, *options):
    words = [word for command in commands for word in ("-c", command)]
    command = ["qemu-io", *options, "-f", "raw", *words, "nbd+unix:///?socket=" + socket]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0 and "failed" not in done.stdout, done.stdout + done.stderr


def guest(kiln, volume, *commands):
    """What a guest would do: qemu-io commands on the volume's own socket."""
    qemu_io(inspect(kiln, volume)["socket"], commands)


def look(kiln, volume, *commands):
    """The same, read-only, on a volume that need not be open."""
    socket = json.loads(kiln.run("nbd", volume).stdout)["socket"]
    qemu_io(socket, commands, "-r")
    kiln.run("nbd", volume, "--stop")


def completed(kiln, *snapshots):
    kiln.client("ec2").get_waiter("snapshot_completed").wait(
        SnapshotIds=list(snapshots), WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )


def register(kiln, snapshot, name):
    mapping = [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot}}]
    return kiln.client("ec2").register_image(
        Name=name, Architecture="x86_64", VirtualizationType="hvm", RootDeviceName="/dev/xvda", BlockDeviceMappings=mapping
    )["ImageId"]


def test_SNP_2_a_snapshot_has_what_was_written_before_it_and_nothing_later(service):
    ec2 = service.client("ec2")
    instance, volumes = launch(service)
    root = volumes["/dev/xvda"]
    guest(service, root, "write -P 0x41 64k 256k", "flush")
    made = ec2.create_snapshot(
        VolumeId=root, Description="nightly",
        TagSpecifications=[{"ResourceType": "snapshot", "Tags": [{"Key": "Name", "Value": "db"}]}],
    )  # fmt: skip
    snapshot = made["SnapshotId"]
    assert made["State"] == "pending" and made["Progress"] == "" and made["VolumeId"] == root, made
    assert made["VolumeSize"] == 1 and made["Description"] == "nightly" and not made["Encrypted"], made
    assert made["Tags"] == [{"Key": "Name", "Value": "db"}], made
    guest(service, root, "write -P 0x42 64k 128k", "flush")
    completed(service, snapshot)
    seen = ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]
    assert seen["State"] == "completed" and seen["Progress"] == "100%" and seen["StorageTier"] == "standard", seen
    assert seen["StartTime"] == made["StartTime"], seen
    assert seen["StartTime"] <= datetime.datetime.now(datetime.timezone.utc)

    # Launched before and after it was stored, and after a kill: the same bytes.
    image = register(service, snapshot, "copy")
    one, copies = launch(service, image)
    guest(service, copies["/dev/xvda"], "read -P 0x41 64k 256k", "read -P 0 512k 64k", "write -P 0x43 64k 64k")
    service.wait_stored(snapshot)
    guest(service, copies["/dev/xvda"], "read -P 0x43 64k 64k", "read -P 0x41 128k 192k")
    guest(service, root, "read -P 0x42 64k 128k", "read -P 0x41 192k 128k")
    service.kill9()
    service.start()
    two, again = launch(service, image)
    guest(service, again["/dev/xvda"], "read -P 0x41 64k 256k")
    look(service, root, "read -P 0x42 64k 128k", "read -P 0x41 192k 128k")
    terminate(service, instance, one, two)


def test_the_cli_makes_finds_and_deletes_a_snapshot(service):
    instance, volumes = launch(service)
    made = service.aws("ec2", "create-snapshot", "--volume-id", volumes["/dev/xvda"], "--description", "by the cli")
    service.aws("ec2", "wait", "snapshot-completed", "--snapshot-ids", made["SnapshotId"])
    found = service.aws("ec2", "describe-snapshots", "--owner-ids", "self", "--filters", "Name=description,Values=by*cli")
    assert [s["SnapshotId"] for s in found["Snapshots"]] == [made["SnapshotId"]], found
    assert service.aws("ec2", "delete-snapshot", "--snapshot-id", made["SnapshotId"]) is None
    try:
        service.aws("ec2", "describe-snapshots", "--snapshot-ids", made["SnapshotId"])
        raise AssertionError("a deleted snapshot is shown")
    except kiln_test.AwsError as error:
        assert error.code == "InvalidSnapshot.NotFound", error
        assert error.message == f"The snapshot '{made['SnapshotId']}' does not exist.", error
    terminate(service, instance)


def test_SNP_8_a_set_is_cut_at_once_with_its_volumes_tags(service):
    ec2 = service.client("ec2")
    tags = [{"ResourceType": "volume", "Tags": [{"Key": "of", "Value": "volume"}, {"Key": "both", "Value": "volume"}]}]
    made = ec2.run_instances(
        ImageId=service.image, InstanceType="t2.nano", MinCount=1, MaxCount=1, TagSpecifications=tags,
        BlockDeviceMappings=[{"DeviceName": f"/dev/sd{d}", "Ebs": {"VolumeSize": 1, "DeleteOnTermination": True}} for d in "gf"],
    )  # fmt: skip
    instance = made["Instances"][0]["InstanceId"]
    ec2.get_waiter("instance_running").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    seen = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    volumes = {m["DeviceName"]: m["Ebs"]["VolumeId"] for m in seen["BlockDeviceMappings"]}
    for number, device in enumerate(sorted(volumes)):
        guest(service, volumes[device], f"write -P {number + 1} 0 64k")
    cut = ec2.create_snapshots(
        InstanceSpecification={"InstanceId": instance}, CopyTagsFromSource="volume", Description="all",
        TagSpecifications=[{"ResourceType": "snapshot", "Tags": [{"Key": "both", "Value": "request"}]}],
    )["Snapshots"]  # fmt: skip
    assert [s["VolumeId"] for s in cut] == [volumes["/dev/xvda"], volumes["/dev/sdf"], volumes["/dev/sdg"]], cut
    assert {s["State"] for s in cut} == {"pending"} and len({s["StartTime"] for s in cut}) == 1, cut
    assert sorted((t["Key"], t["Value"]) for t in cut[1]["Tags"]) == [("both", "request"), ("of", "volume")], cut
    completed(service, *(s["SnapshotId"] for s in cut))
    few = ec2.create_snapshots(
        InstanceSpecification={
            "InstanceId": instance, "ExcludeBootVolume": True, "ExcludeDataVolumeIds": [volumes["/dev/sdg"]],
        },
    )["Snapshots"]  # fmt: skip
    assert [s["VolumeId"] for s in few] == [volumes["/dev/sdf"]], few
    expect(
        "InvalidParameterValue", ec2.create_snapshots,
        InstanceSpecification={"InstanceId": instance, "ExcludeDataVolumeIds": [volumes["/dev/xvda"]]},
    )  # fmt: skip
    terminate(service, instance)
    expect("IncorrectInstanceState", ec2.create_snapshots, InstanceSpecification={"InstanceId": instance})


def test_SNP_20_SNP_21_an_image_holds_its_snapshot_and_an_instance_outlives_one(service):
    ec2 = service.client("ec2")
    message = expect("InvalidSnapshot.InUse", ec2.delete_snapshot, SnapshotId=service.snapshot)
    assert message == f"The snapshot {service.snapshot} is currently in use by {service.image}", message
    instance, volumes = launch(service)
    root = volumes["/dev/xvda"]
    guest(service, root, "write -P 0x51 0 64k")
    first = ec2.create_snapshot(VolumeId=root)["SnapshotId"]
    guest(service, root, "write -P 0x52 64k 64k")
    second = ec2.create_snapshot(VolumeId=root)["SnapshotId"]
    ec2.delete_snapshot(SnapshotId=first)
    expect("InvalidSnapshot.NotFound", ec2.delete_snapshot, SnapshotId=first)
    completed(service, second)
    one, copies = launch(service, register(service, second, "second"))
    guest(service, copies["/dev/xvda"], "read -P 0x51 0 64k", "read -P 0x52 64k 64k")
    service.wait_stored(second)
    guest(service, root, "read -P 0x51 0 64k", "read -P 0x52 64k 64k")
    terminate(service, instance, one)


def test_DescribeSnapshots_pages_and_scopes(service):
    ec2 = service.client("ec2")
    instance, volumes = launch(service)
    ids = set()
    for _ in range(7):
        ids.add(ec2.create_snapshot(VolumeId=volumes["/dev/xvda"])["SnapshotId"])
    query = {"Filters": [{"Name": "volume-id", "Values": [volumes["/dev/xvda"]]}]}
    pages = list(ec2.get_paginator("describe_snapshots").paginate(PaginationConfig={"PageSize": 5}, **query))
    assert [len(p["Snapshots"]) for p in pages] == [5, 2], pages
    assert {s["SnapshotId"] for p in pages for s in p["Snapshots"]} == ids
    stranger = service.account().client("ec2")
    one = sorted(ids)[0]
    assert stranger.describe_snapshots()["Snapshots"] == []
    assert stranger.describe_snapshots(SnapshotIds=[one])["Snapshots"] == [], "one that is another's is left out"
    expect("InvalidSnapshot.NotFound", stranger.delete_snapshot, SnapshotId=one)
    expect("InvalidVolume.NotFound", stranger.create_snapshot, VolumeId=volumes["/dev/xvda"])
    assert ec2.describe_snapshots(OwnerIds=["amazon"])["Snapshots"] == []
    assert ec2.describe_snapshots(RestorableByUserIds=["all"])["Snapshots"] == []
    assert ids <= {s["SnapshotId"] for s in ec2.describe_snapshots(OwnerIds=["self"], MaxResults=1000)["Snapshots"]}
    west = service.client("ec2", region="us-west-2")
    expect("InvalidSnapshot.NotFound", west.describe_snapshots, SnapshotIds=[one])
    for snapshot in ids:
        ec2.delete_snapshot(SnapshotId=snapshot)
    terminate(service, instance)


def test_mistakes_get_their_codes_and_change_nothing(service):
    ec2 = service.client("ec2")
    instance, volumes = launch(service)
    root = volumes["/dev/xvda"]
    before = ec2.describe_snapshots()["Snapshots"]
    tags = [{"ResourceType": "volume", "Tags": [{"Key": "a", "Value": "b"}]}]
    for code, call, parameters in (
        ("InvalidParameterValue", ec2.create_snapshot, {"VolumeId": "volume"}),
        ("InvalidVolume.NotFound", ec2.create_snapshot, {"VolumeId": "vol-0123456789abcdef0"}),
        ("InvalidParameterValue", ec2.create_snapshot, {"VolumeId": root, "Description": "x" * 256}),
        ("InvalidParameterValue", ec2.create_snapshot, {"VolumeId": root, "TagSpecifications": tags}),
        ("InvalidParameterValue", ec2.create_snapshot, {"VolumeId": root, "OutpostArn": "arn:aws:outposts:x"}),
        ("DryRunOperation", ec2.create_snapshot, {"VolumeId": root, "DryRun": True}),
        ("InvalidInstanceID.NotFound", ec2.create_snapshots, {"InstanceSpecification": {"InstanceId": "i-0123456789abcdef0"}}),
        ("InvalidInstanceID.Malformed", ec2.create_snapshots, {"InstanceSpecification": {"InstanceId": "instance"}}),
        (
            "InvalidParameterCombination",
            ec2.create_snapshots,
            {"InstanceSpecification": {"InstanceId": instance, "ExcludeBootVolume": True}},
        ),
        ("DryRunOperation", ec2.create_snapshots, {"InstanceSpecification": {"InstanceId": instance}, "DryRun": True}),
        ("InvalidSnapshot.NotFound", ec2.delete_snapshot, {"SnapshotId": NOBODY}),
        ("InvalidSnapshot.NotFound", ec2.describe_snapshots, {"SnapshotIds": [NOBODY]}),
        ("InvalidParameterValue", ec2.describe_snapshots, {"MaxResults": 4}),
        ("InvalidNextToken", ec2.describe_snapshots, {"NextToken": "garbage"}),
        ("InvalidParameterValue", ec2.describe_snapshots, {"Filters": [{"Name": "colour", "Values": ["red"]}]}),
        ("InvalidUserID.Malformed", ec2.describe_snapshots, {"OwnerIds": ["me"]}),
        ("DryRunOperation", ec2.describe_snapshots, {"DryRun": True}),
    ):
        expect(code, call, **parameters)
    malformed = expect("InvalidParameterValue", ec2.delete_snapshot, SnapshotId="snapshot")
    assert "snap-" in malformed, malformed
    assert ec2.describe_snapshots()["Snapshots"] == before
    terminate(service, instance)


def test_gc_takes_back_what_was_deleted_and_nothing_else(service):
    ec2 = service.client("ec2")
    instance, volumes = launch(service)
    root = volumes["/dev/xvda"]
    noise = os.path.join(service.home, "noise")
    with open(noise, "wb") as file:
        file.write(os.urandom(8 << 20))
    guest(service, root, f"write -s {noise} 1M 8M")
    kept = ec2.create_snapshot(VolumeId=root)["SnapshotId"]
    with open(noise, "wb") as file:
        file.write(os.urandom(8 << 20))
    guest(service, root, f"write -s {noise} 16M 8M")
    gone = ec2.create_snapshot(VolumeId=root)["SnapshotId"]
    service.wait_stored(kept)
    service.wait_stored(gone)
    first = json.loads(service.run("gc", "--json").stdout)
    assert first["over"] and first["bytesKept"] > 16 << 20, first
    ec2.delete_snapshot(SnapshotId=gone)
    terminate(service, instance)
    second = json.loads(service.run("gc", "--json").stdout)
    assert 8 << 20 <= second["bytesRemoved"] < 10 << 20, second
    objects = os.path.join(service.data, "objects")
    assert sum(os.path.getsize(os.path.join(objects, name)) for name in os.listdir(objects)) == second["bytesKept"], second
    again, copies = launch(service, register(service, kept, "kept"))
    guest(service, copies["/dev/xvda"], "read 1M 8M")
    terminate(service, again)


if __name__ == "__main__":
    kiln_test.main()
