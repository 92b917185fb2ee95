#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A real guest goes on with another root volume: that of its launch, then that of a snapshot; its address stays, and a
service that is killed in the middle goes on with it."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import wait_until  # noqa: E402

BOOT_SECONDS = 240


def one(ec2, instance):
    return ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]


def root_of(ec2, instance):
    (root,) = one(ec2, instance)["BlockDeviceMappings"]
    return root["Ebs"]["VolumeId"]


def state_of(ec2, task):
    return ec2.describe_replace_root_volume_tasks(ReplaceRootVolumeTaskIds=[task])["ReplaceRootVolumeTasks"][0]["TaskState"]


def test_VOL_15_a_guest_boots_from_its_replaced_root():
    with kiln_test.Kiln("--guest-memory-cap", "192", "--shutdown-grace", "60") as kiln:
        ec2 = kiln.client("ec2")
        image = json.loads(kiln.run("import", kiln_test.tiny_image(), "--boot-mode", "legacy-bios", "--name", "tiny", "--json").stdout)["imageId"]
        launched = ec2.run_instances(ImageId=image, InstanceType="t2.nano", MinCount=1, MaxCount=1)
        instance = launched["Instances"][0]["InstanceId"]

        def console():
            return kiln.client("ec2").get_console_output(InstanceId=instance, Latest=True).get("Output", "")

        def wait_for(boots, ready):
            """The disk says how often it was booted; `ready` boots of any disk are complete."""
            wait_until(lambda: console().count("TINY READY") == ready, BOOT_SECONDS, f"boot {ready} is complete")
            seen = console().rsplit("TINY boots=", 1)[1].split()[0]
            assert seen == str(boots), (seen, boots)

        wait_for(1, 1)
        before = one(ec2, instance)
        ec2.reboot_instances(InstanceIds=[instance])
        wait_for(2, 2)
        first = root_of(ec2, instance)
        snapshot = ec2.create_snapshot(VolumeId=first)["SnapshotId"]
        ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[snapshot], WaiterConfig={"Delay": 1})

        task = ec2.create_replace_root_volume_task(InstanceId=instance)["ReplaceRootVolumeTask"]["ReplaceRootVolumeTaskId"]
        wait_until(lambda: state_of(ec2, task) == "succeeded", BOOT_SECONDS, "the root is replaced")
        wait_for(1, 3)  # the disk of the launch
        assert console().count("TINY down") == 2, "the guest was asked, not cut off"
        assert root_of(ec2, instance) != first

        task = ec2.create_replace_root_volume_task(InstanceId=instance, SnapshotId=snapshot, DeleteReplacedRootVolume=True)
        task = task["ReplaceRootVolumeTask"]["ReplaceRootVolumeTaskId"]
        wait_until(lambda: state_of(ec2, task) == "in-progress", 30, "the task has begun")
        kiln.kill9()
        kiln.start()
        ec2 = kiln.client("ec2")
        wait_until(lambda: state_of(ec2, task) == "succeeded", BOOT_SECONDS, "the next service goes on")
        wait_for(3, 4)  # the disk of the snapshot, once more
        after = one(ec2, instance)
        for field in ("PrivateIpAddress", "LaunchTime", "ImageId", "State"):
            assert after[field] == before[field], (field, before, after)
        ec2.terminate_instances(InstanceIds=[instance])
        wait_until(lambda: one(ec2, instance)["State"]["Name"] == "terminated", 60, "it is terminated")
        left = [volume["VolumeId"] for volume in ec2.describe_volumes()["Volumes"]]
        assert left == [first], "the first root stayed, the second was deleted, the third went with the instance"


if __name__ == "__main__":
    kiln_test.main(seconds=900)
