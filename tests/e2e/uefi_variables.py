#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A real firmware takes the variables of its instance's image for its own: it adds to them, they stay through a killed service,
a stop and a start, and go into an image of the instance and from there into the next one."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import tiny_image, uefi, wait_until  # noqa: E402

FIRMWARE_SECONDS = 240
SECONDS = 120
VENDOR = bytes(range(16))  # no firmware knows it
NAME, DATA = "KilnTest", b"from the image"


def launch(ec2, image):
    return ec2.run_instances(ImageId=image, InstanceType="t3.nano", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]


def image_with(ec2, name, snapshot, data):
    return ec2.register_image(
        Name=name, Architecture="x86_64", VirtualizationType="hvm", EnaSupport=True, BootMode="uefi", RootDeviceName="/dev/xvda",
        BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot}}],
        UefiData=uefi.encode({NAME: data}, uefi.dictionary(), VENDOR),
    )["ImageId"]  # fmt: skip


def variables(ec2, instance):
    text = ec2.get_instance_uefi_data(InstanceId=instance)["UefiData"]
    return {(name, vendor): data for name, data, vendor, _ in uefi.entries_of(text)}


def shown(ec2, instance):
    return ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]


def wait_firmware(ec2, instance):
    """The firmware has run: it has written variables of its own beside ours."""
    ec2.get_waiter("instance_running").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1, "MaxAttempts": SECONDS})
    wait_until(lambda: len(variables(ec2, instance)) > 1, FIRMWARE_SECONDS, "the firmware writes variables")
    assert variables(ec2, instance)[(NAME, VENDOR)] == DATA


def test_BM_2_CI_10_variables_go_from_image_to_image():
    with kiln_test.Kiln("--guest-memory-cap", "256", "--shutdown-grace", "5") as kiln:
        ec2 = kiln.client("ec2")
        plain = json.loads(kiln.run("import", tiny_image(), "--boot-mode", "uefi", "--name", "plain", "--json").stdout)["imageId"]
        mapping = ec2.describe_images(ImageIds=[plain])["Images"][0]["BlockDeviceMappings"]
        snapshot = mapping[0]["Ebs"]["SnapshotId"]
        image = image_with(ec2, "with variables", snapshot, DATA)
        instance = launch(ec2, image)
        wait_firmware(ec2, instance)
        ec2.deregister_image(ImageId=image)

        kiln.kill9()
        kiln.start()
        ec2 = kiln.client("ec2")
        assert variables(ec2, instance)[(NAME, VENDOR)] == DATA
        ec2.stop_instances(InstanceIds=[instance], Force=True)
        ec2.get_waiter("instance_stopped").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1, "MaxAttempts": SECONDS})
        before = variables(ec2, instance)
        second = ec2.create_image(InstanceId=instance, Name="of the instance")["ImageId"]
        ec2.get_waiter("image_available").wait(ImageIds=[second], WaiterConfig={"Delay": 1, "MaxAttempts": SECONDS})
        data = ec2.describe_image_attribute(ImageId=second, Attribute="uefiData")["UefiData"]["Value"]
        assert {(name, vendor): data for name, data, vendor, _ in uefi.entries_of(data)} == before
        ec2.start_instances(InstanceIds=[instance])
        wait_firmware(ec2, instance)

        other = launch(ec2, second)
        wait_firmware(ec2, other)

        # What has no room in the firmware's store: the instance says so.
        full = launch(ec2, image_with(ec2, "too much", snapshot, bytes(1 << 19)))
        wait_until(lambda: shown(ec2, full)["State"]["Name"] == "terminated", SECONDS, "the launch fails")  # no waiter: pending is an error to it
        reason = shown(ec2, full)["StateReason"]
        assert reason["Code"] == "Client.InternalError" and "the firmware's store has room for" in reason["Message"], reason


if __name__ == "__main__":
    kiln_test.main(seconds=900)
