# SPDX-License-Identifier: Apache-2.0
"""A guest that writes numbered records to two data volumes and its root (guests/tiny/extras/record-writer), and the records
as they lie in the volumes of an image."""

import contextlib
import json
import os
import re
import subprocess

from .disks import ROOT_OFFSET, Disk, build_tiny
from .paths import ROOT
from .waiting import wait_until

SLOT_BYTES = 512
# Far more records than a test writes; the rest of a volume is not looked at.
RECORD_BYTES = 8 << 20
ROOT_BYTES = 57 << 20  # of its partition
BOOT_SECONDS = 240


def writer_image():
    """Path of the disk of a guest that writes records from its start on; never write to it."""
    script = os.path.join(ROOT, "guests/tiny/extras/record-writer")
    return build_tiny(script, os.path.join(ROOT, "build/guests/tiny-record-writer.raw"))


class Writer:
    """One instance with two data volumes, whose guest writes records; with `with_volumes=False` they come with the image."""

    def __init__(self, kiln, image, ec2=None, with_volumes=True):
        self.kiln, self.ec2 = kiln, ec2 or kiln.client("ec2")
        data = [{"DeviceName": f"/dev/sd{letter}", "Ebs": {"VolumeSize": 1, "DeleteOnTermination": True}} for letter in "fg" if with_volumes]
        made = self.ec2.run_instances(
            ImageId=image, InstanceType="t3.nano", MinCount=1, MaxCount=1, BlockDeviceMappings=data
        )  # fmt: skip
        self.id = made["Instances"][0]["InstanceId"]

    def reconnect(self):
        """After the daemon was started again: it has another port."""
        self.ec2 = self.kiln.client("ec2")

    def state(self):
        return self.ec2.describe_instances(InstanceIds=[self.id])["Reservations"][0]["Instances"][0]["State"]["Name"]

    def said(self, word):
        """The highest number told with `word`: begin, done or end; 0 before the first."""
        found = re.findall(rf"^WRITER {word} (\d+)$", self.kiln.serial(self.id), re.M)
        return int(found[-1]) if found else 0

    def ends(self):
        return len(re.findall(r"^WRITER end \d+$", self.kiln.serial(self.id), re.M))

    def wait_for(self, record, seconds=BOOT_SECONDS):
        """Returns once this record is on all volumes."""
        wait_until(lambda: self.said("done") >= record, seconds, f"record {record} is written", interval=0.02)

    def wait_for_more(self, count=1, seconds=60):
        self.wait_for(self.said("done") + count, seconds)


class Found:
    """Last record on each volume of an image: v1, v2, root. Every record before it is there, and none after it."""

    def __init__(self, v1, v2, root):
        self.v1, self.v2, self.root = v1, v2, root

    def __repr__(self):
        return f"v1={self.v1} v2={self.v2} root={self.root}"

    def check_cut(self, acknowledged, begun):
        """D27: at one instant, between what was acknowledged before and what had begun after."""
        assert self.v1 >= self.v2 >= self.root >= self.v1 - 1, self
        assert self.root >= acknowledged, (self, "acknowledged before the request", acknowledged)
        assert self.v1 <= begun, (self, "begun when the response arrived", begun)

    def check_equal(self, last):
        assert self.v1 == self.v2 == self.root == last, (self, "the last whole round", last)


def in_image(kiln, image):
    """The records in the snapshots of an image, through volumes made of them and read-only exports."""
    ec2 = kiln.client("ec2")
    mapping = ec2.describe_images(ImageIds=[image])["Images"][0]["BlockDeviceMappings"]
    snapshots = {entry["DeviceName"]: entry["Ebs"]["SnapshotId"] for entry in mapping}
    assert len(snapshots) == 3, mapping
    last = [_on_disk(kiln, ec2, snapshots.pop(device), name) for device, name in (("/dev/sdf", "v1"), ("/dev/sdg", "v2"))]
    return Found(*last, _on_root(kiln, ec2, snapshots.popitem()[1]))


@contextlib.contextmanager
def exported(kiln, ec2, snapshot):
    """URI of a read-only export of a snapshot's bytes."""
    volume = ec2.create_volume(AvailabilityZone=f"{kiln.region}a", SnapshotId=snapshot)["VolumeId"]
    wait_until(lambda: ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["State"] == "available", 30, "the volume is there")
    yield json.loads(kiln.run("nbd", volume).stdout)["uri"]
    kiln.run("nbd", volume, "--stop")
    ec2.delete_volume(VolumeId=volume)


def copy_part(uri, offset, size, path):
    """Copies `size` bytes at `offset` of an export into a file; both are whole MiB. qemu-img 7.2 counts from the beginning of
    the input; one that counts from `offset` copies some more."""
    words = ["qemu-img", "dd", "-f", "raw", "-O", "raw", "bs=1M", f"skip={offset >> 20}", f"count={(offset + size) >> 20}"]
    words += [f"if={uri}", f"of={path}"]
    subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True, timeout=120)


def _on_disk(kiln, ec2, snapshot, name):
    path = os.path.join(kiln.home, "records.raw")
    with exported(kiln, ec2, snapshot) as uri:
        copy_part(uri, 0, RECORD_BYTES, path)
    with open(path, "rb") as file:
        last = last_record(file.read(), name)
    os.unlink(path)
    return last


def _on_root(kiln, ec2, snapshot):
    path = os.path.join(kiln.home, "root.raw")
    with exported(kiln, ec2, snapshot) as uri:
        copy_part(uri, ROOT_OFFSET, ROOT_BYTES, path)
    # As a kernel would after a loss of power. 0: nothing to do, 1: the journal was replayed.
    command = ["/sbin/e2fsck", "-E", "journal_only", "-p", path]  # it cannot do so at an offset
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    disk = Disk(path, 0)
    disk.check()
    last = last_record(disk.read_file("/var/records").encode(), "root")
    os.unlink(path)
    return last


def last_record(data, name):
    """The number of the last record; fails where one is missing, damaged or follows a gap."""
    last = 0
    for number in range(1, len(data) // SLOT_BYTES):
        slot = data[number * SLOT_BYTES : (number + 1) * SLOT_BYTES]
        if slot == f"{name} {number}\n".encode().ljust(SLOT_BYTES, b"\0"):
            assert last == number - 1, f"{name}: record {number} follows {last}"
            last = number
        else:
            assert not any(slot), f"{name}: slot {number} holds {slot[:40]!r}"
    return last
