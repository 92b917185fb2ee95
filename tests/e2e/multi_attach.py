#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""VOL-11 with real guests: two have one volume, and each reads what the other wrote; also after the daemon was killed, after
the volume grew, over disks of both kinds, and after one of them let it go and got it back. Two guests, one boot each."""

import contextlib
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import wait_until  # noqa: E402
from kiln_test.disks import build_tiny  # noqa: E402
from kiln_test.paths import KILN, ROOT, clean_environment  # noqa: E402
from kiln_test.refusals import expect  # noqa: E402

BOOT_SECONDS = 240
SECONDS = 60
ZONE = "us-east-1a"
OPTIONS = ("--guest-memory-cap", "192", "--shutdown-grace", "20")


class Guest:
    def __init__(self, kiln, image):
        self.kiln, ec2 = kiln, kiln.client("ec2")
        made = ec2.run_instances(ImageId=image, InstanceType="t3.nano", MinCount=1, MaxCount=1)
        self.id = made["Instances"][0]["InstanceId"]

    def wait_ready(self):
        wait_until(lambda: self.answers(), BOOT_SECONDS, f"{self.id} listens")

    def answers(self):
        """Whole lines: the last one may still be being written."""
        return re.findall(r"^SHARED (.*?)\r?\n", self.kiln.serial(self.id), re.M)

    def ask(self, line):
        """Types the line and gives the guest's answer."""
        before = len(self.answers())
        command = [KILN, "console", self.id, "--data", self.kiln.data]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=clean_environment())
        try:
            process.stdin.write(f"{line}\n".encode())
            process.stdin.flush()
            wait_until(lambda: len(self.answers()) > before, SECONDS, f"{self.id} answers to {line}")
        finally:
            process.kill()
            process.wait()
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
        return self.answers()[before]

    def put(self, sector, text):
        assert self.ask(f"put {sector} {text}") == f"put {sector} {text}", self.answers()[-1]

    def reads(self, sector, text):
        got = self.ask(f"get {sector}")
        assert got == f"got {sector} {text}", (self.id, got)

    def gib(self):
        return int(self.ask("size").split()[1]) >> 21


def import_image(kiln):
    disk = build_tiny(os.path.join(ROOT, "guests/tiny/extras/shared-disk"), os.path.join(ROOT, "build/guests/tiny-shared-disk.raw"))
    return json.loads(kiln.run("import", disk, "--boot-mode", "legacy-bios", "--name", "shared", "--json").stdout)["imageId"]


def seen(kiln, volume):
    return kiln.client("ec2").describe_volumes(VolumeIds=[volume])["Volumes"][0]


def attachments(kiln, volume):
    return {a["InstanceId"]: a["State"] for a in seen(kiln, volume)["Attachments"]}


def attach(kiln, volume, guest):
    kiln.client("ec2").attach_volume(VolumeId=volume, InstanceId=guest.id, Device="/dev/sdf")
    wait_until(lambda: attachments(kiln, volume).get(guest.id) == "attached", SECONDS, f"{guest.id} has it")
    wait_until(lambda: guest.gib() > 0, SECONDS, f"the guest of {guest.id} sees it")


def exchange(first, second, words):
    """Each reads at once what the other wrote, also over the same sector."""
    for sector, word in enumerate(words):
        first.put(sector, f"{word} of the first")
        second.reads(sector, f"{word} of the first")
        second.put(sector, f"{word} of the second")
        first.reads(sector, f"{word} of the second")


def sockets(kiln, volume):
    shown = json.loads(kiln.run("inspect", volume).stdout)
    return {one["instanceId"]: (one["transport"], one["socket"]) for one in [shown, *shown.get("otherAttachments", [])]}


def test_VOL_11_what_one_guest_writes_the_other_reads():
    with kiln_test.Kiln(*OPTIONS) as kiln:
        made = import_image(kiln)
        first, second = Guest(kiln, made), Guest(kiln, made)
        for guest in (first, second):
            guest.wait_ready()
        ec2 = kiln.client("ec2")
        volume = ec2.create_volume(AvailabilityZone=ZONE, Size=4, VolumeType="io2", Iops=100, MultiAttachEnabled=True)["VolumeId"]
        for guest in (first, second):
            attach(kiln, volume, guest)
        assert len({path for _, path in sockets(kiln, volume).values()}) == 2, sockets(kiln, volume)
        exchange(first, second, ["one", "two", "three"])

        # Both see it grow, and a new daemon serves both.
        ec2.modify_volume(VolumeId=volume, Size=6)
        for guest in (first, second):
            wait_until(lambda g=guest: g.gib() == 6, SECONDS, f"{guest.id} sees the new size")
        exchange(first, second, ["grown"])
        kiln.kill9()
        kiln.start()
        exchange(second, first, ["after the kill", "again"])
        last = (6 << 21) - 1
        first.put(last, "the last sector")
        second.reads(last, "the last sector")

        # One lets it go; the other goes on, and the first finds what was written meanwhile.
        ec2 = kiln.client("ec2")
        expect("MissingParameter", ec2.detach_volume, VolumeId=volume)
        ec2.detach_volume(VolumeId=volume, InstanceId=first.id)
        wait_until(lambda: attachments(kiln, volume) == {second.id: "attached"}, SECONDS, "the first has let go")
        assert first.gib() == 0 and first.ask("get 0") == "failed"
        second.put(7, "alone")
        second.reads(7, "alone")
        attach(kiln, volume, first)
        first.reads(7, "alone")
        exchange(first, second, ["back"])

        # The second ends; the volume stays with the first, whatever the second's attachment said.
        change = [{"DeviceName": "/dev/sdf", "Ebs": {"DeleteOnTermination": True}}]
        ec2.modify_instance_attribute(InstanceId=second.id, BlockDeviceMappings=change)
        ec2.terminate_instances(InstanceIds=[second.id])
        wait_until(lambda: attachments(kiln, volume) == {first.id: "attached"}, SECONDS, "the second is gone")
        first.reads(7, "alone")
        first.put(8, "still there")
        first.reads(8, "still there")
        ec2.terminate_instances(InstanceIds=[first.id])
        wait_until(lambda: seen(kiln, volume)["State"] == "available", SECONDS, "nobody has it")


def test_VOL_11_a_disk_of_each_kind_serves_the_same_volume():
    with kiln_test.Kiln(*OPTIONS) as kiln:
        made = import_image(kiln)
        first = Guest(kiln, made)
        first.wait_ready()
        kiln.stop()
        kiln.arguments += ["--disk-transport", "vhost-user"]
        kiln.start()
        second = Guest(kiln, made)
        second.wait_ready()
        ec2 = kiln.client("ec2")
        volume = ec2.create_volume(AvailabilityZone=ZONE, Size=4, VolumeType="io2", Iops=100, MultiAttachEnabled=True)["VolumeId"]
        for guest in (first, second):
            attach(kiln, volume, guest)
        kinds = {instance: kind for instance, (kind, _) in sockets(kiln, volume).items()}
        assert kinds == {first.id: "nbd", second.id: "vhost-user"}, kinds
        exchange(first, second, ["one", "two"])
        expect("UnsupportedOperation", ec2.modify_volume, VolumeId=volume, Size=5)  # BDM-19
        kiln.kill9()
        kiln.start()
        exchange(first, second, ["after the kill"])
        ec2 = kiln.client("ec2")
        ec2.stop_instances(InstanceIds=[first.id], Force=True)
        ec2.get_waiter("instance_stopped").wait(InstanceIds=[first.id], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        second.put(9, "of the second alone")
        second.reads(9, "of the second alone")
        assert attachments(kiln, volume) == {first.id: "attached", second.id: "attached"}
        ec2.terminate_instances(InstanceIds=[first.id, second.id])


if __name__ == "__main__":
    kiln_test.main(seconds=1200)
