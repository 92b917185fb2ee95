#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A snapshot of a running guest's root is an image of that instant: a guest made of it goes on from there, before and after
the snapshot was stored, whatever the first one did meanwhile. Deleting gives the space back. Three boots."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import wait_until  # noqa: E402

# Two guests that boot at a time under emulation take half a minute on a quiet machine.
BOOT_SECONDS = 240


def instance(ec2, instance_id):
    return ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]


def launch(ec2, image):
    made = ec2.run_instances(ImageId=image, InstanceType="t2.nano", MinCount=1, MaxCount=1)
    return made["Instances"][0]["InstanceId"]


def root_of(ec2, instance_id):
    return instance(ec2, instance_id)["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]


def wait_booted(kiln, instance_id, boots):
    wait_until(lambda: "TINY READY" in kiln.serial(instance_id), BOOT_SECONDS, f"{instance_id} boots", interval=0.2)
    assert f"TINY boots={boots}" in kiln.serial(instance_id), kiln.serial(instance_id)[-2000:]


def end(ec2, *instances):
    ec2.terminate_instances(InstanceIds=list(instances))
    ec2.get_waiter("instance_terminated").wait(InstanceIds=list(instances), WaiterConfig={"Delay": 1, "MaxAttempts": 120})


def snapshot_of_root(ec2, instance_id):
    snapshot = ec2.create_snapshot(VolumeId=root_of(ec2, instance_id))["SnapshotId"]
    ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[snapshot], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    return snapshot


def object_bytes(kiln):
    folder = os.path.join(kiln.data, "objects")
    return sum(os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder))


def test_a_snapshot_of_a_running_guest_boots_and_is_given_back():
    with kiln_test.Kiln("--guest-memory-cap", "192", "--shutdown-grace", "20", "--gc-grace", "1") as kiln:
        ec2 = kiln.client("ec2")
        imported = json.loads(kiln.run("import", kiln_test.tiny_image(), "--boot-mode", "legacy-bios", "--name", "tiny", "--json").stdout)
        first = launch(ec2, imported["imageId"])
        wait_booted(kiln, first, 1)
        # The guest synced its first line of /var/boots, and knows nothing of this.
        snapshot = snapshot_of_root(ec2, first)
        image = ec2.register_image(
            Name="of a running guest", Architecture="x86_64", VirtualizationType="hvm", RootDeviceName="/dev/sda1",
            BlockDeviceMappings=[{"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": snapshot}}],
        )["ImageId"]  # fmt: skip
        assert instance(ec2, first)["State"]["Name"] == "running"
        second = launch(ec2, image)
        wait_booted(kiln, second, 2)

        kiln.wait_stored(snapshot)
        end(ec2, first, second)
        assert "TINY down poweroff" in kiln.serial(first), "the cut did not disturb the guest"
        third = launch(ec2, image)
        wait_booted(kiln, third, 2)
        layers = json.loads(kiln.run("inspect", root_of(ec2, third)).stdout)["contents"]
        assert layers[0]["state"] == "rooted" and "layer" not in layers[0], layers

        extra = snapshot_of_root(ec2, third)
        kiln.wait_stored(extra)
        end(ec2, third)
        before = object_bytes(kiln)
        ec2.delete_snapshot(SnapshotId=extra)
        report = json.loads(kiln.run("gc", "--json").stdout)
        assert report["packsRemoved"] > 0 and object_bytes(kiln) == before - report["bytesRemoved"], (before, report)
        wait_until(lambda: not os.listdir(os.path.join(kiln.data, "layers")), 30, "no volume is left, and no layer")
        assert report["bytesKept"] == object_bytes(kiln) > 0, report


if __name__ == "__main__":
    kiln_test.main(seconds=600)
