#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The main job, as thin as it can be: a disk becomes an image, the image a machine that boots, and what the guest wrote is
on its volume. Every step goes through the API with unmodified clients; nothing of it is simulated."""

import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import wait_until  # noqa: E402
from kiln_test.paths import ROOT  # noqa: E402

# Two boots through firmware and GRUB under emulation take 20 s on a quiet machine.
TWO_BOOTS_SECONDS = 180


def reboot_once_image():
    """The tiny guest that reboots once by itself and then powers off."""
    script = os.path.join(ROOT, "guests/tiny/extras/reboot-once")
    return kiln_test.build_tiny(script, os.path.join(ROOT, "build/guests/tiny-reboot-once.raw"))


def instance(ec2, instance_id):
    return ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]


def wait_for_state(ec2, instance_id, state, seconds):
    return wait_until(
        lambda: instance(ec2, instance_id)["State"]["Name"] == state, seconds, f"{instance_id} is {state}", interval=0.2
    )


def test_an_imported_disk_boots_reboots_powers_off_and_keeps_what_was_written():
    with kiln_test.Kiln("--guest-memory-cap", "192") as kiln:
        ec2 = kiln.client("ec2")
        imported = json.loads(kiln.run("import", reboot_once_image(), "--boot-mode", "legacy-bios", "--name", "tiny", "--json").stdout)
        # A second image over the same snapshot, as any client would register it.
        registered = kiln.aws(
            "ec2", "register-image", "--name", "tiny again", "--architecture", "x86_64", "--virtualization-type", "hvm",
            "--root-device-name", "/dev/sda1", "--block-device-mappings",
            json.dumps([{"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": imported["snapshotId"]}}]),
        )  # fmt: skip
        launched = ec2.run_instances(ImageId=registered["ImageId"], InstanceType="t2.nano", MinCount=1, MaxCount=1)
        machine = launched["Instances"][0]
        assert machine["State"] == {"Code": 0, "Name": "pending"}, machine["State"]
        instance_id = machine["InstanceId"]

        wait_for_state(ec2, instance_id, "running", 60)
        wait_for_state(ec2, instance_id, "stopped", TWO_BOOTS_SECONDS)
        assert "TINY extra boots=1" in kiln.serial(instance_id), "the first boot is on the serial console"
        assert "TINY extra boots=2" in kiln.serial(instance_id), "the second boot found what the first one wrote"
        stopped = instance(ec2, instance_id)
        assert stopped["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown", stopped["StateReason"]

        volume = stopped["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
        served = json.loads(kiln.run("nbd", volume).stdout)
        disk = kiln_test.Disk.from_export(served["socket"], "", kiln.home)
        disk.check()
        assert len(disk.read_file("/var/boots").splitlines()) == 2, disk.read_file("/var/boots")
        kiln.run("nbd", volume, "--stop")
        assert not os.path.exists(served["socket"])

        changes = ec2.terminate_instances(InstanceIds=[instance_id])["TerminatingInstances"]
        assert changes[0]["PreviousState"]["Name"] == "stopped", changes
        assert changes[0]["CurrentState"]["Name"] == "terminated", changes
        wait_until(lambda: not layers(kiln), 30, "the volume's layer is dropped, and the image's, which is stored by now")


def layers(kiln):
    """Ids of the layers on disk."""
    names = os.listdir(os.path.join(kiln.data, "layers"))
    return {re.search(r"layer-[0-9a-f]{17}", name).group() for name in names}


def test_a_machine_survives_the_daemon_being_killed_and_is_adopted_again():
    with kiln_test.Kiln("--guest-memory-cap", "192", "--shutdown-grace", "20") as kiln:
        ec2 = kiln.client("ec2")
        imported = json.loads(kiln.run("import", kiln_test.tiny_image(), "--boot-mode", "legacy-bios", "--name", "tiny", "--json").stdout)
        launched = ec2.run_instances(ImageId=imported["imageId"], InstanceType="t2.nano", MinCount=1, MaxCount=1)
        instance_id = launched["Instances"][0]["InstanceId"]
        wait_for_state(ec2, instance_id, "running", 60)
        before = json.loads(kiln.run("inspect", instance_id).stdout)["machine"]
        kiln.kill9()
        kiln.start()
        ec2 = kiln.client("ec2")
        assert instance(ec2, instance_id)["State"]["Name"] == "running"
        after = json.loads(kiln.run("inspect", instance_id).stdout)["machine"]
        assert after["pid"] == before["pid"], (before, after)
        wait_until(lambda: "TINY READY" in kiln.serial(instance_id), TWO_BOOTS_SECONDS, "the guest boots to its end")

        ec2.terminate_instances(InstanceIds=[instance_id])
        wait_for_state(ec2, instance_id, "terminated", 60)
        assert "TINY down poweroff" in kiln.serial(instance_id), "the guest was asked to power off"
        assert not runs(after["pid"]), "its process is gone"


def runs(pid):
    """Whether the process is alive; an orphan that nobody has reaped yet is not."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


if __name__ == "__main__":
    kiln_test.main(seconds=600)
