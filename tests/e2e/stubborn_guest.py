#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What becomes of a real machine whose guest never does what it is asked: it is a boot sector that writes one letter to the
serial port and halts. Rebooted, imaged, terminated, and its process killed."""

import contextlib
import json
import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import wait_until  # noqa: E402
from kiln_test.refusals import expect  # noqa: E402

# mov dx, 3f8h; mov al, 'K'; out dx, al; cli; hlt; and again
BOOT = b"\xba\xf8\x03\xb0K\xee\xfa\xf4\xeb\xfd"
GRACE, SECONDS = 3, 60


@kiln_test.fixture
def kiln():
    with kiln_test.Kiln("--guest-memory-cap", "64", "--shutdown-grace", str(GRACE)) as daemon:
        disk = os.path.join(daemon.home, "halt.raw")
        with open(disk, "wb") as file:
            file.write(BOOT.ljust(510, b"\0") + b"\x55\xaa")
            file.truncate(1 << 20)
        daemon.image = json.loads(daemon.run("import", disk, "--name", "halt", "--boot-mode", "legacy-bios", "--json").stdout)["imageId"]
        daemon.ec2 = daemon.client("ec2")
        yield daemon


@contextlib.contextmanager
def running(kiln, **more):
    """A machine whose guest has begun."""
    made = kiln.ec2.run_instances(ImageId=kiln.image, InstanceType="t2.nano", MinCount=1, MaxCount=1, **more)["Instances"][0]["InstanceId"]
    wait_until(lambda: starts(kiln, made) == 1, SECONDS, "the guest has begun")
    wait_for(kiln, made, "running")
    yield made
    kiln.ec2.terminate_instances(InstanceIds=[made])
    wait_for(kiln, made, "terminated")


def starts(kiln, instance):
    return kiln.serial(instance).count("K")


def describe(kiln, instance):
    return kiln.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]


def wait_for(kiln, instance, state):
    wait_until(lambda: describe(kiln, instance)["State"]["Name"] == state, SECONDS, f"{instance} is {state}")


def machine(kiln, instance):
    return json.loads(kiln.run("inspect", instance).stdout)["machine"]


def runs(process):
    """Whether it has a command line: one that has ended and nobody has waited for has none."""
    try:
        with open(f"/proc/{process}/cmdline", encoding="utf-8") as file:
            return bool(file.read())
    except FileNotFoundError:
        return False


def image_of(kiln, image):
    return kiln.ec2.describe_images(ImageIds=[image])["Images"][0]


def test_RBT_2_a_guest_that_does_not_power_off_is_reset_after_twice_the_grace(kiln):
    with running(kiln) as instance:
        before = machine(kiln, instance)
        begun = time.monotonic()
        kiln.ec2.reboot_instances(InstanceIds=[instance])
        while starts(kiln, instance) == 1 and time.monotonic() < begun + SECONDS:
            assert describe(kiln, instance)["State"]["Name"] == "running"
        took = time.monotonic() - begun
        assert starts(kiln, instance) == 2 and took >= 2 * GRACE, took
        after = machine(kiln, instance)
        assert (after["pid"], after["state"]) == (before["pid"], "running"), (before, after)


def test_TRM_2_a_guest_that_does_not_power_off_is_switched_off_after_the_grace(kiln):
    with running(kiln) as instance:
        process = machine(kiln, instance)["pid"]
        begun = time.monotonic()
        change = kiln.ec2.terminate_instances(InstanceIds=[instance])["TerminatingInstances"][0]
        assert change["CurrentState"]["Name"] == "shutting-down", change
        wait_for(kiln, instance, "terminated")
        assert time.monotonic() - begun >= GRACE, "the guest had its time"
        assert not runs(process), "its machine is gone"


def test_IMS_4_IMS_5_CI_13_CI_14_an_instance_that_ends_before_its_cut_fails_its_image(kiln):
    ec2 = kiln.ec2
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    attached = [{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 1, "DeleteOnTermination": True}}]
    with running(kiln, BlockDeviceMappings=attached) as instance:
        image = ec2.create_image(InstanceId=instance, Name="never cut")["ImageId"]
        seen = image_of(kiln, image)
        assert seen["State"] == "pending" and "StateReason" not in seen, seen
        # CI-14: while the guest is to power off.
        data = {m["DeviceName"]: m["Ebs"]["VolumeId"] for m in describe(kiln, instance)["BlockDeviceMappings"]}["/dev/sdf"]
        expect("IncorrectState", ec2.attach_volume, VolumeId=volume, InstanceId=instance, Device="/dev/sdg")
        expect("IncorrectState", ec2.detach_volume, VolumeId=data)
        ec2.terminate_instances(InstanceIds=[instance])
        wait_until(lambda: image_of(kiln, image)["State"] != "pending", SECONDS, "the image is settled")
        seen = image_of(kiln, image)
        assert seen["State"] == "failed" and seen["StateReason"]["Code"] == "Client.InstanceTerminated", seen
        assert seen["StateReason"]["Message"].startswith("Client.InstanceTerminated: "), seen
    # IMS-5: it stays listed, whatever happens, until it is deregistered.
    kiln.restart()
    ec2 = kiln.ec2 = kiln.client("ec2")
    assert image in [i["ImageId"] for i in ec2.describe_images(Owners=["self"])["Images"]]
    expect("InvalidAMIID.Unavailable", ec2.run_instances, ImageId=image, InstanceType="t2.nano", MinCount=1, MaxCount=1)
    ec2.deregister_image(ImageId=image)
    assert image not in [i["ImageId"] for i in ec2.describe_images(Owners=["self"])["Images"]]
    ec2.delete_volume(VolumeId=volume)


def test_IMS_6_CI_4_CI_14_an_image_is_pending_until_its_snapshots_are_completed(kiln):
    ec2 = kiln.ec2
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    with running(kiln) as instance:
        begun = time.monotonic()
        image = ec2.create_image(InstanceId=instance, Name="cut off")["ImageId"]
        assert image_of(kiln, image)["State"] == "pending"
        expect("InvalidAMIID.Unavailable", ec2.run_instances, ImageId=image, InstanceType="t2.nano", MinCount=1, MaxCount=1)
        wait_until(lambda: image_of(kiln, image)["State"] != "pending", SECONDS, "the image is settled", interval=0.01)
        seen = image_of(kiln, image)
        assert seen["State"] == "available" and time.monotonic() - begun >= 2 * GRACE, seen
        (entry,) = seen["BlockDeviceMappings"]
        assert ec2.describe_snapshots(SnapshotIds=[entry["Ebs"]["SnapshotId"]])["Snapshots"][0]["State"] == "completed"
        # CI-4: cut off, it goes on; and volumes come again.
        wait_until(lambda: starts(kiln, instance) == 2, SECONDS, "the guest has begun again")
        assert machine(kiln, instance)["state"] == "running" and describe(kiln, instance)["State"]["Name"] == "running"
        wait_until(lambda: attaches(kiln, volume, instance), SECONDS, "volumes are attached again")
        ec2.deregister_image(ImageId=image)


def attaches(kiln, volume, instance):
    try:
        return kiln.ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device="/dev/sdg")
    except kiln.ec2.exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == "IncorrectState", error
        return None


def test_INS_3_a_machine_that_dies_is_an_error_of_the_server(kiln):
    with running(kiln) as instance:
        kiln.ec2.modify_instance_attribute(InstanceId=instance, InstanceInitiatedShutdownBehavior={"Value": "terminate"})
        os.kill(machine(kiln, instance)["pid"], signal.SIGKILL)
        wait_for(kiln, instance, "stopped")  # that is no shutdown of the guest's
        seen = describe(kiln, instance)
        assert seen["StateReason"]["Code"] == seen["StateTransitionReason"] == "Server.InternalError", seen


def test_BDM_15_disks_have_the_volumes_id_and_the_order_of_their_names(kiln):
    devices = ["/dev/sdg", "/dev/xvdba", "/dev/sdf"]
    mapping = [{"DeviceName": device, "Ebs": {"VolumeSize": 1, "DeleteOnTermination": True}} for device in devices]
    with running(kiln, BlockDeviceMappings=mapping) as instance:
        volumes = {m["DeviceName"]: m["Ebs"]["VolumeId"] for m in describe(kiln, instance)["BlockDeviceMappings"]}
        with open(f"/proc/{machine(kiln, instance)['pid']}/cmdline", encoding="utf-8") as file:
            words = file.read().split("\0")
        disks = [dict(part.split("=", 1) for part in word.split(",") if "=" in part) for word in words if "serial=vol" in word]
        (root,) = [device for device in volumes if device not in devices]
        expected = [volumes[device].replace("-", "") for device in (root, "/dev/sdf", "/dev/sdg", "/dev/xvdba")]
        assert [disk["serial"] for disk in disks] == expected, (disks, volumes)
        assert [disk.get("bootindex") for disk in disks] == ["0", None, None, None], disks


if __name__ == "__main__":
    kiln_test.main(seconds=300)
