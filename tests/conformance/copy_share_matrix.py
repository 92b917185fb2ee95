#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What goes where: volumes, snapshots and images to another zone, region, account, and to everybody. The table of CP-20 in
docs/semantics/copies.md is what is tested: a line without a function here fails, and so does a function without a line. Where it
says `done`, the bytes are compared, and what a copy is described as; a refusal leaves everything as it was."""

import json
import os
import re
import subprocess
import sys
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from botocore.exceptions import ClientError  # noqa: E402
from kiln_test import query, wait_until  # noqa: E402
from kiln_test.disks import digest  # noqa: E402
from kiln_test.paths import ROOT  # noqa: E402

HERE, THERE = "us-east-1", "eu-west-1"
ZONE, OTHER_ZONE, ZONE_THERE = "us-east-1a", "us-east-1b", "eu-west-1a"
BLOCK = 524288
ORGANIZATION = "arn:aws:organizations::900000000001:organization/o-a1b2c3d4e5"
IN = ("--organization", "o-a1b2c3d4e5", "--management-account", "900000000001")
LINE = re.compile(r"^\| (volume|snapshot|image) \| ([^|]+) \| ([^|]+) \| (done|`([\w.]+)`)[^|]*\|$", re.M)
SOON = {"Delay": 0.1, "MaxAttempts": 600}
CELLS = {}


def cell(*key):
    def keep(function):
        assert key not in CELLS, key
        CELLS[key] = function
        return function

    return keep


def table():
    """What the document says: (what, where to, by what) and `done` or the code."""
    with open(os.path.join(ROOT, "docs/semantics/copies.md"), encoding="utf-8") as file:
        text = file.read()
    lines = {(found[1], found[2].strip(), found[3].strip()): found[5] or "done" for found in LINE.finditer(text)}
    assert len(lines) == len(re.findall(r"^\| (?:volume|snapshot|image) \|", text, re.M)), "a line is there twice, or says nothing that can be tested"
    return lines


@kiln_test.fixture
def kiln():
    with kiln_test.Kiln("--hypervisor", "fake") as daemon:
        path = os.path.join(daemon.home, "disk.raw")
        with open(path, "wb") as disk:
            disk.write(os.urandom(3 << 20))
            disk.truncate(1 << 30)
        daemon.bytes = digest(path)
        made = json.loads(daemon.run("import", path, "--name", "base", "--json").stdout)
        daemon.snapshot, daemon.image = made["snapshotId"], made["imageId"]
        daemon.wait_stored(daemon.snapshot)
        daemon.owner, daemon.friend, daemon.stranger, daemon.member = daemon, daemon.account("friend"), daemon.account("stranger"), daemon.account("member", *IN)
        daemon.clients = {}
        yield daemon


def ec2(kiln, who="owner", region=HERE):
    if (who, region) not in kiln.clients:
        kiln.clients[who, region] = getattr(kiln, who).client("ec2", region)
    return kiln.clients[who, region]


def copied(kiln, address):
    path = os.path.join(kiln.home, "read.raw")
    if os.path.exists(path):
        os.remove(path)
    subprocess.run(["nbdcopy", "--destination-is-zero", address, path], stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=120)
    return digest(path)


def bytes_of_volume(kiln, volume, who="owner", region=HERE):
    ready = ec2(kiln, who, region)
    wait_until(lambda: ready.describe_volumes(VolumeIds=[volume])["Volumes"][0]["State"] == "available", 30, "the volume is there")
    account = getattr(kiln, who)
    socket = json.loads(account.run("nbd", "--region", region, volume).stdout)["socket"]
    try:
        return copied(kiln, f"nbd+unix:///?socket={socket}")
    finally:
        account.run("nbd", "--region", region, "--stop", volume)


def bytes_of(kiln, thing, who="owner", region=HERE):
    """Of a snapshot or an image."""
    path = os.path.join(kiln.home, "out.raw")
    getattr(kiln, who).run("export", "--region", region, thing, path, "--force")
    return digest(path)


def same_bytes(kiln, got):
    assert got == kiln.bytes, "other bytes"


def volume_of(kiln, snapshot, who="owner", region=HERE, zone=ZONE):
    """A volume of the snapshot, compared."""
    made = ec2(kiln, who, region).create_volume(SnapshotId=snapshot, AvailabilityZone=zone)
    assert (made["Size"], made["SnapshotId"], made["AvailabilityZone"]) == (1, snapshot, zone), made
    same_bytes(kiln, bytes_of_volume(kiln, made["VolumeId"], who, region))
    return made["VolumeId"]


def volume(kiln):
    made = ec2(kiln).create_volume(SnapshotId=kiln.snapshot, AvailabilityZone=ZONE)["VolumeId"]
    ec2(kiln).get_waiter("volume_available").wait(VolumeIds=[made], WaiterConfig=SOON)
    return made


def snapshot_of(kiln, source):
    made = ec2(kiln).create_snapshot(VolumeId=source)["SnapshotId"]
    wait_until(lambda: ec2(kiln).describe_snapshots(SnapshotIds=[made])["Snapshots"][0]["State"] == "completed", 30, "the snapshot is completed")
    return made


def snapshot(kiln, **permission):
    """A snapshot of the owner's, and whom it is shared with."""
    made = ec2(kiln).copy_snapshot(SourceRegion=HERE, SourceSnapshotId=kiln.snapshot)["SnapshotId"]
    if permission:
        share_snapshot(kiln, made, **permission)
    return made


def share_snapshot(kiln, shared, **permission):
    ec2(kiln).modify_snapshot_attribute(SnapshotId=shared, CreateVolumePermission={"Add": [permission]})


def image(kiln, *permissions, snapshots=None):
    """An image of the owner's, whom it is shared with, and whom its snapshot is shared with."""
    made = register(kiln, snapshot(kiln, **(snapshots or {})))
    ec2(kiln).create_tags(Resources=[made], Tags=[{"Key": "owner", "Value": "alone"}])
    for permission in permissions:
        ec2(kiln).modify_image_attribute(ImageId=made, LaunchPermission={"Add": [permission]})
    return made


def register(kiln, of, who="owner", region=HERE):
    mapping = [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": of, "VolumeType": "gp3"}}]
    request = {"Name": uuid.uuid4().hex, "RootDeviceName": "/dev/xvda", "VirtualizationType": "hvm", "Architecture": "x86_64", "BootMode": "uefi", "EnaSupport": True}
    return ec2(kiln, who, region).register_image(**request, BlockDeviceMappings=mapping)["ImageId"]


def copy_snapshot(kiln, source, who="owner", to=HERE, **more):
    """Copies, and compares."""
    made = ec2(kiln, who, to).copy_snapshot(SourceRegion=HERE, SourceSnapshotId=source, **more)["SnapshotId"]
    was, now = ec2(kiln).describe_snapshots(SnapshotIds=[source])["Snapshots"][0], ec2(kiln, who, to).describe_snapshots(SnapshotIds=[made])["Snapshots"][0]
    for name in ("VolumeSize", "State", "Encrypted", "Progress"):
        assert was[name] == now[name], (name, was, now)
    assert now["OwnerId"] == account_of(kiln, who) and now["Description"] == ""
    told = ec2(kiln, who, to).describe_snapshot_attribute(SnapshotId=made, Attribute="createVolumePermission")
    assert told["CreateVolumePermissions"] == [], told
    same_bytes(kiln, bytes_of(kiln, made, who, to))
    return made


def copy_image(kiln, source, who="owner", to=HERE, **more):
    """Copies, and compares."""
    made = ec2(kiln, who, to).copy_image(Name=uuid.uuid4().hex, SourceImageId=source, SourceRegion=HERE, **more)["ImageId"]
    was, now = ec2(kiln).describe_images(ImageIds=[source])["Images"][0], ec2(kiln, who, to).describe_images(ImageIds=[made])["Images"][0]
    for name in ("Architecture", "BootMode", "EnaSupport", "Hypervisor", "ImageType", "RootDeviceName", "RootDeviceType", "State", "VirtualizationType", "PlatformDetails"):
        assert was[name] == now[name], (name, was, now)
    (before,), (after,) = was["BlockDeviceMappings"], now["BlockDeviceMappings"]
    assert before["Ebs"].pop("SnapshotId") != after["Ebs"].pop("SnapshotId") and before == after, (before, after)
    assert now["OwnerId"] == account_of(kiln, who) and not now["Public"] and "Tags" not in now, now
    told = ec2(kiln, who, to).describe_image_attribute(ImageId=made, Attribute="launchPermission")
    assert told["LaunchPermissions"] == [], told
    same_bytes(kiln, bytes_of(kiln, made, who, to))
    return made


def account_of(kiln, who):
    return kiln.client("sts").get_caller_identity()["Account"] if who == "owner" else getattr(kiln, who).id


def launch(kiln, of, who="owner", region=HERE, zone=ZONE):
    """Launches, and compares the root volume."""
    asked = ec2(kiln, who, region)
    request = {"ImageId": of, "InstanceType": "t3.nano", "MinCount": 1, "MaxCount": 1, "Placement": {"AvailabilityZone": zone}}
    made = asked.run_instances(**request)["Instances"][0]
    asked.get_waiter("instance_running").wait(InstanceIds=[made["InstanceId"]], WaiterConfig=SOON)
    shown = asked.describe_instances(InstanceIds=[made["InstanceId"]])["Reservations"][0]["Instances"][0]
    root = asked.describe_volumes(VolumeIds=[shown["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]])["Volumes"][0]
    assert shown["Placement"]["AvailabilityZone"] == root["AvailabilityZone"] == zone, (shown, root)
    (disk,) = json.loads(getattr(kiln, who).run("inspect", "--region", region, made["InstanceId"]).stdout)["volumes"]
    same_bytes(kiln, copied(kiln, f"nbd+unix:///?socket={disk['socket']}"))
    asked.terminate_instances(InstanceIds=[made["InstanceId"]])
    asked.get_waiter("instance_terminated").wait(InstanceIds=[made["InstanceId"]], WaiterConfig=SOON)


def raw(kiln, operation, who="owner", region=HERE, **parameters):
    """What the installed boto3 is too old to know."""
    keys = None if who == "owner" else getattr(kiln, who).pair
    answer = query(kiln, operation, {name.replace("_", "."): value for name, value in parameters.items()}, region=region, keys=keys)
    if answer.code:
        raise ClientError({"Error": {"Code": answer.code, "Message": answer.message}}, operation)
    return answer


def read_blocks(kiln, of, who):
    """All that the block API gives: where the bytes are, and the bytes."""
    ebs, path = getattr(kiln, who).client("ebs", HERE), os.path.join(kiln.home, "blocks.raw")
    with open(path, "wb") as file:
        for block in ebs.list_snapshot_blocks(SnapshotId=of)["Blocks"]:
            got = ebs.get_snapshot_block(SnapshotId=of, BlockIndex=block["BlockIndex"], BlockToken=block["BlockToken"])
            file.seek(block["BlockIndex"] * BLOCK)
            file.write(got["BlockData"].read())
        file.truncate(1 << 30)
    same_bytes(kiln, digest(path))


# ---- volumes


@cell("volume", "its zone", "CopyVolumes")
def _(kiln):
    source = volume(kiln)
    (made,) = raw(kiln, "CopyVolumes", SourceVolumeId=source).texts("volumeSet/item/volumeId")
    same_bytes(kiln, bytes_of_volume(kiln, made))
    was, now = (ec2(kiln).describe_volumes(VolumeIds=[name])["Volumes"][0] for name in (source, made))
    assert [now[name] for name in ("Size", "AvailabilityZone", "Encrypted")] == [was[name] for name in ("Size", "AvailabilityZone", "Encrypted")]


@cell("volume", "another zone", "CopyVolumes with `AvailabilityZone`")
def _(kiln):
    raw(kiln, "CopyVolumes", SourceVolumeId=volume(kiln), AvailabilityZone=OTHER_ZONE)


@cell("volume", "another zone", "CreateSnapshot, CreateVolume")
def _(kiln):
    volume_of(kiln, snapshot_of(kiln, volume(kiln)), zone=OTHER_ZONE)


@cell("volume", "another region", "CopyVolumes")
def _(kiln):
    raw(kiln, "CopyVolumes", SourceVolumeId=volume(kiln), region=THERE)


@cell("volume", "another region", "CreateSnapshot there")
def _(kiln):
    ec2(kiln, region=THERE).create_snapshot(VolumeId=volume(kiln))


@cell("volume", "another region", "CreateSnapshot, CopySnapshot, CreateVolume")
def _(kiln):
    copy = copy_snapshot(kiln, snapshot_of(kiln, volume(kiln)), to=THERE)
    volume_of(kiln, copy, region=THERE, zone=ZONE_THERE)


@cell("volume", "another account", "CopyVolumes")
def _(kiln):
    raw(kiln, "CopyVolumes", who="friend", SourceVolumeId=volume(kiln))


@cell("volume", "another account", "CreateSnapshot by that")
def _(kiln):
    ec2(kiln, "friend").create_snapshot(VolumeId=volume(kiln))


@cell("volume", "another account", "CreateSnapshot, sharing it, CreateVolume")
def _(kiln):
    made = snapshot_of(kiln, volume(kiln))
    share_snapshot(kiln, made, UserId=kiln.friend.id)
    volume_of(kiln, made, "friend", zone=OTHER_ZONE)


@cell("volume", "everybody", "CreateSnapshot, making it public, CreateVolume")
def _(kiln):
    made = snapshot_of(kiln, volume(kiln))
    share_snapshot(kiln, made, Group="all")
    volume_of(kiln, made, "stranger")


# ---- snapshots


@cell("snapshot", "another zone", "CreateVolume, in each zone")
def _(kiln):
    zones = [zone["ZoneName"] for zone in ec2(kiln).describe_availability_zones()["AvailabilityZones"] if zone.get("ZoneType", "availability-zone") == "availability-zone"]
    assert len(zones) > 1
    for zone in zones:
        volume_of(kiln, kiln.snapshot, zone=zone)


@cell("snapshot", "another zone", "CopySnapshot with `DestinationAvailabilityZone`")
def _(kiln):
    raw(kiln, "CopySnapshot", SourceRegion=HERE, SourceSnapshotId=kiln.snapshot, DestinationAvailabilityZone=OTHER_ZONE)


@cell("snapshot", "another region", "CreateVolume there")
def _(kiln):
    volume_of(kiln, snapshot(kiln), region=THERE, zone=ZONE_THERE)


@cell("snapshot", "another region", "RegisterImage there")
def _(kiln):
    register(kiln, snapshot(kiln), region=THERE)


@cell("snapshot", "another region", "CopySnapshot")
def _(kiln):
    copy_snapshot(kiln, snapshot(kiln), to=THERE)


@cell("snapshot", "another region", "CopySnapshot with `Encrypted`")
def _(kiln):
    copy_snapshot(kiln, snapshot(kiln), to=THERE, Encrypted=True)


MAKE_OF_SNAPSHOT = {
    "CreateVolume": lambda kiln, of, who: volume_of(kiln, of, who),
    "RegisterImage": lambda kiln, of, who: same_bytes(kiln, bytes_of(kiln, register(kiln, of, who), who)),
    "CopySnapshot": lambda kiln, of, who: copy_snapshot(kiln, of, who),
    "CopySnapshot to another region": lambda kiln, of, who: copy_snapshot(kiln, of, who, THERE),
    "ListSnapshotBlocks, GetSnapshotBlock": read_blocks,
}
for name, make in MAKE_OF_SNAPSHOT.items():
    cell("snapshot", "another account, not shared", name)(lambda kiln, make=make: make(kiln, snapshot(kiln, UserId=kiln.friend.id), "stranger"))
    cell("snapshot", "another account, shared with it", name)(lambda kiln, make=make: make(kiln, snapshot(kiln, UserId=kiln.friend.id), "friend"))
    cell("snapshot", "everybody", name)(lambda kiln, make=make: make(kiln, snapshot(kiln, Group="all"), "stranger"))


@cell("snapshot", "an organization", "ModifySnapshotAttribute")
def _(kiln):
    raw(kiln, "ModifySnapshotAttribute", SnapshotId=snapshot(kiln), CreateVolumePermission_Add_1_OrganizationArn=ORGANIZATION)


@cell("snapshot", "everybody, public access blocked", "ModifySnapshotAttribute")
def _(kiln):
    made = snapshot(kiln)
    raw(kiln, "EnableSnapshotBlockPublicAccess", State="block-new-sharing")
    try:
        share_snapshot(kiln, made, Group="all")
    finally:
        raw(kiln, "DisableSnapshotBlockPublicAccess")


@cell("snapshot", "everybody, public access blocked", "CreateVolume of one that was public")
def _(kiln):
    made = snapshot(kiln, Group="all")
    raw(kiln, "EnableSnapshotBlockPublicAccess", State="block-all-sharing")
    try:
        volume_of(kiln, made, "stranger")
    finally:
        raw(kiln, "DisableSnapshotBlockPublicAccess")


# ---- images


@cell("image", "another zone", "RunInstances, in each zone")
def _(kiln):
    for zone in ec2(kiln).describe_subnets()["Subnets"]:
        launch(kiln, kiln.image, zone=zone["AvailabilityZone"])


@cell("image", "another zone", "CopyImage with `DestinationAvailabilityZone`")
def _(kiln):
    raw(kiln, "CopyImage", Name="zone", SourceRegion=HERE, SourceImageId=kiln.image, DestinationAvailabilityZone=OTHER_ZONE)


@cell("image", "another region", "RunInstances there")
def _(kiln):
    launch(kiln, kiln.image, region=THERE, zone=ZONE_THERE)


@cell("image", "another region", "CopyImage")
def _(kiln):
    launch(kiln, copy_image(kiln, image(kiln, {"UserId": kiln.friend.id}), to=THERE), region=THERE, zone=ZONE_THERE)


@cell("image", "another region", "CopyImage with `Encrypted`")
def _(kiln):
    copy_image(kiln, image(kiln), to=THERE, Encrypted=True)


USE_IMAGE = {
    "DescribeImages": lambda kiln, of, who: ec2(kiln, who).describe_images(ImageIds=[of]),
    "RunInstances": launch,
    "CopyImage": copy_image,
    "CopyImage to another region": lambda kiln, of, who: copy_image(kiln, of, who, THERE),
}
for name, use in USE_IMAGE.items():
    cell("image", "another account, not shared", name)(lambda kiln, use=use: use(kiln, image(kiln, {"UserId": kiln.friend.id}, snapshots={"UserId": kiln.friend.id}), "stranger"))
    cell("image", "another account, shared with it", name)(lambda kiln, use=use: use(kiln, image(kiln, {"UserId": kiln.friend.id}), "friend"))
    cell("image", "an organization, by its member", name)(lambda kiln, use=use: use(kiln, image(kiln, {"OrganizationArn": ORGANIZATION}), "member"))
    cell("image", "everybody", name)(lambda kiln, use=use: use(kiln, image(kiln, {"Group": "all"}), "stranger"))
    if name.startswith("CopyImage"):
        shared = ("another account, shared with it with its snapshots", "everybody, with its snapshots")
        cell("image", shared[0], name)(lambda kiln, use=use: use(kiln, image(kiln, {"UserId": kiln.friend.id}, snapshots={"UserId": kiln.friend.id}), "friend"))
        cell("image", shared[1], name)(lambda kiln, use=use: use(kiln, image(kiln, {"Group": "all"}, snapshots={"Group": "all"}), "stranger"))


@cell("image", "everybody, public access blocked", "ModifyImageAttribute")
def _(kiln):
    raw(kiln, "EnableImageBlockPublicAccess", ImageBlockPublicAccessState="block-new-sharing")
    try:
        image(kiln, {"Group": "all"})
    finally:
        raw(kiln, "DisableImageBlockPublicAccess")


def others_have(kiln):
    """What everybody but the owner has, and the owner in the other region: a refusal adds nothing to it."""
    found = []
    for who, region in (("owner", THERE), ("friend", HERE), ("friend", THERE), ("stranger", HERE), ("stranger", THERE), ("member", HERE), ("member", THERE)):
        asked = ec2(kiln, who, region)
        found += [volume["VolumeId"] for volume in asked.describe_volumes()["Volumes"]]
        found += [snapshot["SnapshotId"] for snapshot in asked.describe_snapshots(OwnerIds=["self"])["Snapshots"]]
        found += [image["ImageId"] for image in asked.describe_images(Owners=["self"])["Images"]]
        found += [made["InstanceId"] for reservation in asked.describe_instances()["Reservations"] for made in reservation["Instances"]]
    return found


def try_all(kiln, what):
    wrong, wanted = [], {key: outcome for key, outcome in table().items() if key[0] == what}
    for key, outcome in wanted.items():
        before = others_have(kiln)
        try:
            CELLS[key](kiln)
            got = "done"
        except ClientError as error:
            got = error.response["Error"]["Code"]
        if got != outcome:
            wrong.append(f"{key}: {got}, the document says {outcome}")
        if got != "done" and others_have(kiln) != before:
            wrong.append(f"{key}: was refused, and something is there")
    assert wanted and not wrong, "\n".join(wrong)


def test_CP_20_the_table_and_what_is_tested_are_the_same():
    assert set(table()) - set(CELLS) == set(), "not tested"
    assert set(CELLS) - set(table()) == set(), "not in the document"


def test_CP_20_volumes(kiln):
    try_all(kiln, "volume")


def test_CP_20_SNP_15_SS_3_snapshots(kiln):
    try_all(kiln, "snapshot")


def test_CP_20_CP_2_images(kiln):
    try_all(kiln, "image")


if __name__ == "__main__":
    kiln_test.main(seconds=240)
