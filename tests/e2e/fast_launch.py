#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Fast launch with real guests: they prepare themselves and power off, launches find what they left on the disk, others take their
place, and the service may be killed meanwhile."""

import base64
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import wait_until  # noqa: E402

BOOT_SECONDS = 240
BY_SERVICE = [{"Name": "tag:CreatedBy", "Values": ["EC2 Fast Launch"]}]
# The guest powers itself off when its tags say what it is started for.
PREPARE = """#!/bin/sh
t=$(printf 'PUT /latest/api/token HTTP/1.0\\r\\nHost: m\\r\\nX-aws-ec2-metadata-token-ttl-seconds: 60\\r\\nContent-Length: 0\\r\\n\\r\\n' |
    nc -w 5 169.254.169.254 80 | tr -d '\\r' | tail -n 1)
by=$(timeout 10 wget -q -O - --header "X-aws-ec2-metadata-token: $t" http://169.254.169.254/latest/meta-data/tags/instance/CreatedBy)
[ "$by" = "EC2 Fast Launch" ] && poweroff
"""


def machines(ec2, *states):
    found = ec2.describe_instances(Filters=BY_SERVICE + [{"Name": "instance-state-name", "Values": list(states)}])["Reservations"]
    return [instance["InstanceId"] for reservation in found for instance in reservation["Instances"]]


def ready(ec2):
    """Ids of the snapshots that are prepared and not used, once no machine is at work."""
    if machines(ec2, "pending", "running", "stopping", "stopped"):
        return []
    return [snapshot["SnapshotId"] for snapshot in ec2.describe_snapshots(OwnerIds=["self"], Filters=BY_SERVICE)["Snapshots"] if snapshot["State"] == "completed"]


def boots(ec2, image):
    """How often the disk of a new instance was started, as its guest says it."""
    made = ec2.run_instances(ImageId=image, InstanceType="t2.nano", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    output = lambda: ec2.get_console_output(InstanceId=made, Latest=True).get("Output", "")  # noqa: E731
    wait_until(lambda: "TINY boots=" in output(), BOOT_SECONDS, "the guest boots")
    ec2.terminate_instances(InstanceIds=[made])
    return int(output().split("TINY boots=")[1].split()[0])


def test_FLN_3_FLN_4_FLN_5_guests_prepare_themselves_for_those_that_follow():
    with kiln_test.Kiln("--guest-memory-cap", "192", "--shutdown-grace", "60") as kiln:
        ec2 = kiln.client("ec2")
        command = ["import", kiln_test.tiny_image(), "--boot-mode", "legacy-bios", "--platform", "windows", "--name", "prepared", "--json"]
        image = json.loads(kiln.run(*command).stdout)["imageId"]
        data = {"InstanceType": "t2.nano", "UserData": base64.b64encode(PREPARE.encode()).decode()}
        ec2.create_launch_template(LaunchTemplateName="preparing", LaunchTemplateData=data)
        assert boots(ec2, image) == 1
        ec2.enable_fast_launch(
            ImageId=image, LaunchTemplate={"LaunchTemplateName": "preparing", "Version": "1"}, SnapshotConfiguration={"TargetResourceCount": 1}
        )

        def state():
            return ec2.describe_fast_launch_images()["FastLaunchImages"][0]["State"]

        wait_until(lambda: state() != "enabling", BOOT_SECONDS, "a snapshot is prepared")
        assert state() == "enabled", ec2.describe_fast_launch_images()
        (first,) = wait_until(lambda: ready(ec2), 60, "its machine is ended")
        assert boots(ec2, image) == 2, "it is launched from what was prepared"
        wait_until(lambda: machines(ec2, "running"), BOOT_SECONDS, "the next prepares itself")
        kiln.kill9()
        kiln.start()
        ec2 = kiln.client("ec2")
        (second,) = wait_until(lambda: ready(ec2), BOOT_SECONDS, "another is prepared")
        assert first != second and state() == "enabled", (first, second)
        assert boots(ec2, image) == 2
        ec2.disable_fast_launch(ImageId=image)
        wait_until(lambda: not ec2.describe_fast_launch_images()["FastLaunchImages"], 60, "it is disabled")
        wait_until(lambda: not machines(ec2, "pending", "running", "stopping", "stopped", "shutting-down"), 60, "no machine is left")
        assert ec2.describe_snapshots(OwnerIds=["self"], Filters=BY_SERVICE)["Snapshots"] == []
        assert boots(ec2, image) == 1


if __name__ == "__main__":
    kiln_test.main(seconds=1800)
