#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A daemon whose directories are given by relative paths: a machine starts, and a daemon started elsewhere finds it again."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402


def test_machines_run_below_a_relative_directory():
    kiln = kiln_test.Kiln("--shutdown-grace", "1")  # nothing in this guest hears the button
    kiln.folder = kiln.home
    with kiln:
        path = os.path.join(kiln.home, "disk.raw")
        with open(path, "wb") as disk:
            disk.truncate(1 << 20)
        image = json.loads(kiln.run("import", path, "--name", "blank", "--boot-mode", "legacy-bios", "--json").stdout)["imageId"]
        ec2 = kiln.client("ec2")
        instance = ec2.run_instances(ImageId=image, InstanceType="t2.nano", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
        ec2.get_waiter("instance_running").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1})
        machine = kiln.machines()[instance]["pid"]
        kiln.kill9()
        kiln.folder = os.path.join(kiln.home, "data")
        kiln.start()
        ec2 = kiln.client("ec2")
        found = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
        assert found["State"]["Name"] == "running" and kiln.machines()[instance]["pid"] == machine, found
        ec2.terminate_instances(InstanceIds=[instance])
        ec2.get_waiter("instance_terminated").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1})


if __name__ == "__main__":
    kiln_test.main(seconds=180)
