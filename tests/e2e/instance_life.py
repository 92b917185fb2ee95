#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A real guest through its life: started, rebooted, stopped and started again through the API, on the same disk."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import wait_until  # noqa: E402

BOOT_SECONDS = 240


def one(ec2, instance):
    return ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]


def plug_and_unplug(ec2, instance):
    """VOL-4, VOL-5: the guest's kernel takes a disk while it runs, and lets it go when asked."""
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device="/dev/sdf")
    ec2.get_waiter("volume_in_use").wait(VolumeIds=[volume], WaiterConfig={"Delay": 1, "MaxAttempts": 30})

    def attachments():
        return [a["State"] for a in ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["Attachments"]]

    wait_until(lambda: attachments() == ["attached"], 30, "the machine has the disk")
    ec2.detach_volume(VolumeId=volume)
    wait_until(lambda: not attachments(), 60, "the guest let the disk go")
    ec2.delete_volume(VolumeId=volume)


def look_while_it_starts(kiln, ec2, instance):
    """An instance can be inspected at any moment of its start."""
    seen = {"machine": {"state": "gone"}}
    while seen["machine"]["state"] != "running" or one(ec2, instance)["State"]["Name"] == "pending":
        seen = json.loads(kiln.run("inspect", instance).stdout)
        assert seen["machine"]["state"] in ("gone", "silent", "prelaunch", "running"), seen


def image_of(ec2, instance, name, **more):
    image = ec2.create_image(InstanceId=instance, Name=name, **more)["ImageId"]
    ec2.get_waiter("image_available").wait(ImageIds=[image], WaiterConfig={"Delay": 1, "MaxAttempts": 120})
    return image


def boot_of_a_clone(ec2, image, line):
    """An instance of the image boots and finds what its origin had written."""
    made = ec2.run_instances(ImageId=image, InstanceType="t2.nano", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    output = lambda: ec2.get_console_output(InstanceId=made).get("Output", "")  # noqa: E731
    wait_until(lambda: line in output(), BOOT_SECONDS, f"the clone says {line}")
    ec2.terminate_instances(InstanceIds=[made])


def test_RBT_1_STP_3_a_guest_reboots_stops_and_starts_on_its_own_disk():
    with kiln_test.Kiln("--guest-memory-cap", "192", "--shutdown-grace", "60") as kiln:
        ec2 = kiln.client("ec2")
        image = json.loads(kiln.run("import", kiln_test.tiny_image(), "--boot-mode", "legacy-bios", "--name", "tiny", "--json").stdout)["imageId"]
        launched = ec2.run_instances(ImageId=image, InstanceType="t2.nano", MinCount=1, MaxCount=1)
        instance = launched["Instances"][0]["InstanceId"]
        look_while_it_starts(kiln, ec2, instance)

        def console():
            return ec2.get_console_output(InstanceId=instance, Latest=True).get("Output", "")

        def wait_for_boot(number):
            wait_until(lambda: f"TINY boots={number}" in console(), BOOT_SECONDS, f"boot {number} is on the console")
            wait_until(lambda: console().count("TINY READY") == number, BOOT_SECONDS, f"boot {number} is complete")

        wait_for_boot(1)
        assert ec2.describe_instance_status(InstanceIds=[instance])["InstanceStatuses"][0]["InstanceStatus"]["Status"] == "ok"
        plug_and_unplug(ec2, instance)
        ec2.reboot_instances(InstanceIds=[instance])
        wait_for_boot(2)
        assert one(ec2, instance)["State"]["Name"] == "running"
        assert console().count("TINY down") == 1, "the guest was asked, not cut off"

        running = image_of(ec2, instance, "while it runs", NoReboot=True)
        assert console().count("TINY down") == 1, "CI-5: the guest runs on"
        boot_of_a_clone(ec2, running, "TINY boots=3")
        rebooted = image_of(ec2, instance, "with a reboot")
        wait_for_boot(3)
        assert one(ec2, instance)["State"]["Name"] == "running"  # CI-4
        assert console().count("TINY down") == 2, "the guest was asked, not cut off"
        assert rebooted != running

        ec2.stop_instances(InstanceIds=[instance])
        wait_until(lambda: one(ec2, instance)["State"]["Name"] == "stopped", 60, "it is stopped")
        assert console().count("TINY down") == 3, "the guest was asked, not cut off"
        ec2.start_instances(InstanceIds=[instance])
        wait_for_boot(4)
        ec2.terminate_instances(InstanceIds=[instance])
        wait_until(lambda: one(ec2, instance)["State"]["Name"] == "terminated", 60, "it is terminated")


if __name__ == "__main__":
    kiln_test.main(seconds=600)
