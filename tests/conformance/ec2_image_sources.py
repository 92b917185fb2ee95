#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Which image a registered one is said to come from: what the snapshot of its root knows, over volumes, snapshots, copies, images and
roots that are detached or replaced; and who is not told."""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import wait_until  # noqa: E402
from kiln_test.query import query  # noqa: E402

HERE, THERE = "us-east-1", "eu-west-1"


@kiln_test.fixture
def kiln():
    with kiln_test.api_service() as daemon:
        daemon.friend = daemon.account("friend")
        yield daemon


def wait(ec2, waiter, **what):
    ec2.get_waiter(waiter).wait(**what, WaiterConfig={"Delay": 1, "MaxAttempts": 60})


def register(ec2, name, snapshot):
    mapping = [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot}}]
    return ec2.register_image(Name=name, RootDeviceName="/dev/xvda", VirtualizationType="hvm", Architecture="x86_64", EnaSupport=True, BlockDeviceMappings=mapping)["ImageId"]


def launch(ec2, image, **more):
    return ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="t3.micro", **more)["Instances"][0]["InstanceId"]


def ancestors(kiln, image, account=None):
    answer = query(kiln, "GetImageAncestry", {"ImageId": image}, region=HERE, keys=account.pair if account else None)
    assert answer.status == 200, answer.body
    return answer.texts("imageAncestryEntrySet/item/imageId")


def source(kiln, snapshot, account=None, region=HERE):
    """The id and region of the image that one registered of this snapshot is said to come from; nothing without one."""
    ec2 = (account or kiln).client("ec2", region)
    wait(ec2, "snapshot_completed", SnapshotIds=[snapshot])
    image = register(ec2, f"of {snapshot} {time.monotonic_ns()}", snapshot)
    answer = query(kiln, "DescribeImages", {"ImageId.1": image}, region=region, keys=account.pair if account else None)
    assert answer.status == 200, answer.body
    return answer.texts("imagesSet/item/sourceImageId") + answer.texts("imagesSet/item/sourceImageRegion")


def root_of(ec2, instance):
    wait(ec2, "instance_running", InstanceIds=[instance])
    seen = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    (root,) = [mapping["Ebs"]["VolumeId"] for mapping in seen["BlockDeviceMappings"] if mapping["DeviceName"] == seen["RootDeviceName"]]
    return root


def test_RI_16_an_image_of_a_root_volumes_snapshot_comes_from_what_was_launched(kiln):
    ec2, there = kiln.client("ec2", HERE), kiln.client("ec2", THERE)
    launched, other = register(ec2, "was launched", kiln.snapshot), register(ec2, "took its place", kiln.snapshot)
    data = [{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 1}}]
    instance = launch(ec2, launched, BlockDeviceMappings=data)
    root, known = root_of(ec2, instance), [launched, HERE]
    cut = ec2.create_snapshot(VolumeId=root)["SnapshotId"]
    assert source(kiln, cut) == known
    image = register(ec2, "a child", cut)
    assert ancestors(kiln, image) == [image, launched]
    found = ec2.describe_images(Owners=["self"], Filters=[{"Name": "source-image-id", "Values": [launched]}])["Images"]
    assert image in [one["ImageId"] for one in found] and launched not in [one["ImageId"] for one in found], found

    # Of all volumes at once: the root's knows it, the other one is not of an image.
    both = {one["VolumeId"]: one["SnapshotId"] for one in ec2.create_snapshots(InstanceSpecification={"InstanceId": instance})["Snapshots"]}
    assert source(kiln, both.pop(root)) == known
    assert [source(kiln, snapshot) for snapshot in both.values()] == [[]]
    assert source(kiln, kiln.snapshot) == []

    # Copies keep it, also in another region; so do volumes that are made of a snapshot, and snapshots of these.
    assert source(kiln, there.copy_snapshot(SourceSnapshotId=cut, SourceRegion=HERE)["SnapshotId"], region=THERE) == known
    volume = ec2.create_volume(SnapshotId=cut, AvailabilityZone=HERE + "a")["VolumeId"]
    wait(ec2, "volume_available", VolumeIds=[volume])
    assert source(kiln, ec2.create_snapshot(VolumeId=volume)["SnapshotId"]) == known
    copied = query(kiln, "CopyVolumes", {"SourceVolumeId": volume}, region=HERE)
    assert copied.status == 200, copied.body
    (copy,) = copied.texts("volumeSet/item/volumeId")
    wait(ec2, "volume_available", VolumeIds=[copy])
    assert source(kiln, ec2.create_snapshot(VolumeId=copy)["SnapshotId"]) == known

    # What is written over such a snapshot.
    ebs = kiln.client("ebs", HERE)
    for parent, expected in (({"ParentSnapshotId": cut}, known), ({}, [])):
        written = ebs.start_snapshot(VolumeSize=1, **parent)["SnapshotId"]
        ebs.complete_snapshot(SnapshotId=written, ChangedBlocksCount=0)
        assert source(kiln, written) == expected, parent

    # What CreateImage makes, and what was launched of that.
    made = ec2.create_image(InstanceId=instance, Name="made", NoReboot=True)["ImageId"]
    wait(ec2, "image_available", ImageIds=[made])
    described = ec2.describe_images(ImageIds=[made])["Images"][0]
    assert source(kiln, described["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]) == known
    child = launch(ec2, made)
    loose = root_of(ec2, child)
    assert source(kiln, ec2.create_snapshot(VolumeId=loose)["SnapshotId"]) == [made, HERE]

    # A root that was taken off, and whose image is gone.
    ec2.stop_instances(InstanceIds=[child])
    wait(ec2, "instance_stopped", InstanceIds=[child])
    ec2.detach_volume(VolumeId=loose)
    wait(ec2, "volume_available", VolumeIds=[loose])
    ec2.deregister_image(ImageId=made)
    assert source(kiln, ec2.create_snapshot(VolumeId=loose)["SnapshotId"]) == [made, HERE]

    # A root that was replaced by another image's.
    task = ec2.create_replace_root_volume_task(InstanceId=instance, ImageId=other)["ReplaceRootVolumeTask"]["ReplaceRootVolumeTaskId"]

    def state():
        return ec2.describe_replace_root_volume_tasks(ReplaceRootVolumeTaskIds=[task])["ReplaceRootVolumeTasks"][0]["TaskState"]

    wait_until(lambda: state() == "succeeded", 60, "the root is replaced")
    assert source(kiln, ec2.create_snapshot(VolumeId=root_of(ec2, instance))["SnapshotId"]) == [other, HERE]


def test_RI_16_no_private_image_is_told_to_who_was_given_a_snapshot(kiln):
    ec2, friends = kiln.client("ec2", HERE), kiln.friend.client("ec2", HERE)
    launched = register(ec2, "not shared", kiln.snapshot)
    cut = ec2.create_snapshot(VolumeId=root_of(ec2, launch(ec2, launched)))["SnapshotId"]
    wait(ec2, "snapshot_completed", SnapshotIds=[cut])
    ec2.modify_snapshot_attribute(SnapshotId=cut, Attribute="createVolumePermission", OperationType="add", UserIds=[kiln.friend.id])
    copy = friends.copy_snapshot(SourceSnapshotId=cut, SourceRegion=HERE)["SnapshotId"]
    assert source(kiln, cut, kiln.friend) == source(kiln, copy, kiln.friend) == []
    image = register(friends, "from a stranger", cut)
    assert ancestors(kiln, image, kiln.friend) == [image]
    ec2.modify_image_attribute(ImageId=launched, LaunchPermission={"Add": [{"UserId": kiln.friend.id}]})
    assert source(kiln, cut, kiln.friend) == source(kiln, copy, kiln.friend) == [launched, HERE]
    assert ancestors(kiln, image, kiln.friend) == [image]  # it stays what it was registered as


if __name__ == "__main__":
    kiln_test.main()
