#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""kiln serve --reserve: with only the reserve left, what is new is refused and everything else goes on."""

import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test.paths import KILN, clean_environment  # noqa: E402
from kiln_test.refusals import expect  # noqa: E402

MIB = 1 << 20


def disk_file(kiln):
    path = os.path.join(kiln.home, "disk.raw")
    with open(path, "wb") as disk:
        disk.write(b"kiln" * 1024)
        disk.truncate(MIB)
    return path


def test_SPC_1_with_only_the_reserve_left_nothing_new_is_begun():
    with kiln_test.Kiln("--hypervisor", "fake", "--gc-grace", "1", "--reserve", "1M") as kiln:
        image = json.loads(kiln.run("import", disk_file(kiln), "--name", "first", "--json").stdout)
        ec2 = kiln.client("ec2")
        instance = ec2.run_instances(ImageId=image["imageId"], MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
        ec2.get_waiter("instance_running").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
        volume = ec2.describe_volumes()["Volumes"][0]["VolumeId"]
        root = [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": image["snapshotId"]}}]
        register = {"Architecture": "x86_64", "VirtualizationType": "hvm", "RootDeviceName": "/dev/xvda", "BlockDeviceMappings": root}

        # Larger than any disk.
        kiln.arguments[-1] = "1000TiB"
        kiln.restart()
        ec2 = kiln.client("ec2")
        message = expect("InsufficientVolumeCapacity", ec2.create_snapshot, VolumeId=volume)
        assert "1000.0 TiB" in message and "kiln gc" in message and "--reserve" in message and " are free" in message, message
        expect("InsufficientVolumeCapacity", ec2.create_snapshots, InstanceSpecification={"InstanceId": instance})
        expect("InsufficientVolumeCapacity", ec2.create_image, InstanceId=instance, Name="second", NoReboot=True)
        expect("InsufficientVolumeCapacity", ec2.create_image, InstanceId=instance, Name="second", DryRun=True)
        expect("InsufficientVolumeCapacity", ec2.register_image, Name="second", **register)
        expect("InsufficientVolumeCapacity", ec2.create_volume, AvailabilityZone="us-east-1a", Size=1)
        expect("InsufficientInstanceCapacity", ec2.run_instances, ImageId=image["imageId"], MinCount=1, MaxCount=1)
        refused = kiln.run("import", disk_file(kiln), "--name", "second", check=False)
        assert refused.returncode != 0 and "not enough space for an import" in refused.stderr, refused.stderr

        # A mistake is told before the lack of space.
        expect("InvalidAMIName.Duplicate", ec2.register_image, Name="first", **register)
        expect("InvalidAMIID.NotFound", ec2.run_instances, ImageId="ami-" + "0" * 17, MinCount=1, MaxCount=1)
        # Nothing half made stays.
        assert [i["Name"] for i in ec2.describe_images(Owners=["self"])["Images"]] == ["first"]
        assert len(ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]) == 1
        assert len(ec2.describe_volumes()["Volumes"]) == 1

        # What makes space, and what needs none, goes on.
        ec2.stop_instances(InstanceIds=[instance])
        ec2.get_waiter("instance_stopped").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
        ec2.start_instances(InstanceIds=[instance])
        ec2.create_tags(Resources=[instance], Tags=[{"Key": "k", "Value": "v"}])
        ec2.terminate_instances(InstanceIds=[instance])
        ec2.get_waiter("instance_terminated").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
        ec2.deregister_image(ImageId=image["imageId"])
        ec2.delete_snapshot(SnapshotId=image["snapshotId"])
        kiln.run("gc")


def test_SPC_1_a_launch_that_was_accepted_before_is_repeated_by_its_token():
    with kiln_test.Kiln("--hypervisor", "fake", "--reserve", "0") as kiln:
        image = json.loads(kiln.run("import", disk_file(kiln), "--name", "first", "--json").stdout)["imageId"]
        launch = {"ImageId": image, "MinCount": 1, "MaxCount": 1, "ClientToken": "once"}
        first = kiln.client("ec2").run_instances(**launch)["Instances"][0]["InstanceId"]
        kiln.arguments[-1] = "1000TiB"
        kiln.restart()
        assert kiln.client("ec2").run_instances(**launch)["Instances"][0]["InstanceId"] == first


def test_a_reserve_that_is_none_is_refused_at_the_start():
    for text in ("lots", "91%", "-1", "3GB"):
        command = [KILN, "serve", "--ephemeral", "--hypervisor", "fake", "--listen", "127.0.0.1:0", f"--reserve={text}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=clean_environment(), check=False)
        assert done.returncode != 0 and "--reserve" in done.stderr and text in done.stderr, done.stderr


if __name__ == "__main__":
    kiln_test.main()
