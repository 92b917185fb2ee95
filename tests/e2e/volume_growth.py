#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""VOL-8 with a real guest: its root and its data disk grow while it writes to them; it sees the new sizes without a reboot,
also from a daemon that was killed meanwhile, and loses nothing."""

import json
import os
import re
import sys

import nbd

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import wait_until  # noqa: E402
from kiln_test.disks import build_tiny  # noqa: E402
from kiln_test.paths import ROOT  # noqa: E402

BOOT_SECONDS = 240
SECONDS = 60
SECTORS = (1 << 30) // 512


def guest_image():
    return build_tiny(os.path.join(ROOT, "guests/tiny/extras/disk-sizes"), os.path.join(ROOT, "build/guests/tiny-disk-sizes.raw"))


class Guest:
    def __init__(self, kiln, image):
        self.kiln, self.ec2 = kiln, kiln.client("ec2")
        data = [{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 1, "DeleteOnTermination": True}}]
        made = self.ec2.run_instances(ImageId=image, InstanceType="t3.nano", MinCount=1, MaxCount=1, BlockDeviceMappings=data)
        self.id = made["Instances"][0]["InstanceId"]

    def volumes(self):
        """By device of the guest: vda is the root."""
        found = self.ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [self.id]}])["Volumes"]
        return {"vdb" if v["Attachments"][0]["Device"] == "/dev/sdf" else "vda": v["VolumeId"] for v in found}

    def sizes(self):
        """In GiB, as the guest saw them last."""
        told = re.findall(r"^DISKS vda=(\d+) vdb=(\d+)", self.kiln.serial(self.id), re.M)
        return tuple(int(n) // SECTORS for n in told[-1]) if told else ()

    def last_written(self):
        return [int(n) // SECTORS for n in re.findall(r"^LAST vdb (\d+)", self.kiln.serial(self.id), re.M)]

    def records(self):
        return max([int(n) for n in re.findall(r"^RECORDS (\d+)", self.kiln.serial(self.id), re.M)], default=0)

    def state(self):
        return self.ec2.describe_instances(InstanceIds=[self.id])["Reservations"][0]["Instances"][0]["State"]["Name"]


def completed(ec2, volume):
    found = ec2.describe_volumes_modifications(VolumeIds=[volume])["VolumesModifications"][0]
    return found["ModificationState"] == "completed"


def test_VOL_8_a_guest_sees_its_disks_grow_while_it_uses_them():
    with kiln_test.Kiln("--guest-memory-cap", "192") as kiln:
        image = json.loads(kiln.run("import", guest_image(), "--boot-mode", "legacy-bios", "--name", "sizes", "--json").stdout)["imageId"]
        guest = Guest(kiln, image)
        wait_until(lambda: guest.sizes() and guest.records() > 0, BOOT_SECONDS, "the guest writes")
        (root, data), disks = guest.sizes(), guest.volumes()
        assert data == 1, guest.sizes()

        guest.ec2.modify_volume(VolumeId=disks["vdb"], Size=3)
        guest.ec2.modify_volume(VolumeId=disks["vda"], Size=root + 4, VolumeType="gp3")
        wait_until(lambda: guest.sizes() == (root + 4, 3), SECONDS, "the guest sees both")
        for volume in disks.values():
            wait_until(lambda v=volume: completed(guest.ec2, v), SECONDS, f"{volume} is completed")
        wait_until(lambda: guest.last_written()[-1] == 3, SECONDS, "it writes to the end")
        before = guest.records()
        wait_until(lambda: guest.records() > before, SECONDS, "it writes on")

        # Over the end of what the map of its layer had places for, and with the daemon killed on the way.
        guest.ec2.modify_volume(VolumeId=disks["vdb"], Size=200)
        kiln.kill9()
        kiln.start()
        guest.ec2 = kiln.client("ec2")
        wait_until(lambda: guest.sizes() == (root + 4, 200), SECONDS, "the guest sees what the next daemon made")
        wait_until(lambda: completed(guest.ec2, disks["vdb"]), SECONDS, "it is completed")
        wait_until(lambda: guest.last_written()[-1] == 200, SECONDS, "it writes to the end")
        before = guest.records()
        wait_until(lambda: guest.records() > before, SECONDS, "it writes on")
        written = guest.records()

        guest.ec2.stop_instances(InstanceIds=[guest.id], Force=True)
        wait_until(lambda: guest.state() == "stopped", SECONDS, "it is stopped")
        handle = nbd.NBD()
        handle.connect_unix(json.loads(kiln.run("nbd", disks["vdb"]).stdout)["socket"])
        assert handle.get_size() == 200 << 30
        for record in range(1, written + 1):
            text = handle.pread(512, 512 * record).rstrip(b"\0").decode().strip()
            assert text == f"record {record}", (record, text)
        for size in (1, 3, 200):
            text = handle.pread(512, (size << 30) - 512).rstrip(b"\0").decode().strip()
            assert text == f"last of {size * SECTORS}", (size, text)
        handle.shutdown()
        # It starts with what it has.
        guest.ec2.start_instances(InstanceIds=[guest.id])
        wait_until(lambda: kiln.serial(guest.id).count("DISKS") > 3, BOOT_SECONDS, "it boots again")
        assert guest.sizes() == (root + 4, 200)


if __name__ == "__main__":
    kiln_test.main(seconds=900)
