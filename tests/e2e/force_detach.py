#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""VOL-5 with Force: a real machine whose guest never lets go of a disk, since it is nothing but a boot sector that halts. The
volume becomes available all the same, the machine runs on, and the volume goes to another machine and back."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import wait_until  # noqa: E402
from kiln_test.refusals import expect  # noqa: E402

HALT = b"\xfa\xf4\xeb\xfd"  # cli; hlt; and again
SECONDS = 60


def launch(kiln, ec2, image):
    made = ec2.run_instances(ImageId=image, InstanceType="t2.nano", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    wait_until(lambda: state_of(ec2, made) == "running", SECONDS, f"{made} runs")
    return made


def state_of(ec2, instance):
    return ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]["State"]["Name"]


def test_VOL_5_force_takes_a_volume_from_a_guest_that_keeps_it():
    with kiln_test.Kiln("--guest-memory-cap", "64") as kiln:
        ec2 = kiln.client("ec2")
        disk = os.path.join(kiln.home, "halt.raw")
        with open(disk, "wb") as file:
            file.write(HALT.ljust(510, b"\0") + b"\x55\xaa")
            file.truncate(1 << 20)
        made = json.loads(kiln.run("import", disk, "--name", "halt", "--boot-mode", "legacy-bios", "--json").stdout)
        first, second = (launch(kiln, ec2, made["imageId"]) for _ in range(2))
        volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]

        def seen():
            return ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]

        def attach(instance):
            ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device="/dev/sdf")
            wait_until(lambda: seen()["Attachments"][0]["State"] == "attached", SECONDS, f"{instance} has it")

        attach(first)
        ec2.detach_volume(VolumeId=volume)
        wait_until(lambda: seen()["Attachments"][0]["State"] == "busy", SECONDS, "the guest keeps it")
        expect("VolumeInUse", ec2.attach_volume, VolumeId=volume, InstanceId=second, Device="/dev/sdf")
        assert ec2.detach_volume(VolumeId=volume, Force=True)["InstanceId"] == first
        wait_until(lambda: seen()["State"] == "available", SECONDS, "it is taken")
        assert seen()["Attachments"] == []

        attach(second)
        ec2.detach_volume(VolumeId=volume, Force=True)  # at once, without asking first
        wait_until(lambda: seen()["State"] == "available", SECONDS, "it is taken again")
        attach(first)  # which has the device still, over nothing
        kiln.kill9()
        kiln.start()
        ec2 = kiln.client("ec2")
        ec2.detach_volume(VolumeId=volume, Force=True)
        wait_until(lambda: seen()["State"] == "available", SECONDS, "it is taken by a new daemon")
        for instance in (first, second):
            assert state_of(ec2, instance) == "running"
            assert json.loads(kiln.run("inspect", instance).stdout)["machine"]["state"] == "running"
            ec2.stop_instances(InstanceIds=[instance], Force=True)
        for instance in (first, second):
            wait_until(lambda i=instance: state_of(ec2, i) == "stopped", SECONDS, f"{instance} is stopped")
        attach(first)
        root = ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [second]}])["Volumes"][0]["VolumeId"]
        assert ec2.detach_volume(VolumeId=root, Force=True)["InstanceId"] == second
        ec2.terminate_instances(InstanceIds=[first, second])


if __name__ == "__main__":
    kiln_test.main(seconds=600)
