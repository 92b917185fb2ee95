# SPDX-License-Identifier: Apache-2.0
"""Bytes put on volumes through their exports, and the account of what they have to hold since."""

import json
import os

import nbd

from .waiting import wait_until

BLOCK, MIB = 4096, 1 << 20
TEXT = b"compresses well. " * 4096


class Expected:
    """What a disk has to hold: block -> bytes, of the blocks that are not zeros."""

    def __init__(self):
        self.blocks = {}

    def write(self, data, offset):
        for at in range(0, len(data), BLOCK):
            self.blocks[(offset + at) // BLOCK] = data[at : at + BLOCK]

    def zero(self, size, offset):
        for block in range(offset // BLOCK, (offset + size) // BLOCK):
            self.blocks.pop(block, None)

    def copy(self):
        other = Expected()
        other.blocks = dict(self.blocks)
        return other


class Writer:
    """A volume's export and what it has to hold from now on."""

    def __init__(self, socket, holds):
        self.handle, self.holds = nbd.NBD(), holds
        self.handle.connect_unix(socket)

    def write(self, data, offset):
        self.handle.pwrite(data, offset)
        self.holds.write(data, offset)

    def zero(self, size, offset):
        self.handle.zero(size, offset)
        self.holds.zero(size, offset)

    def scatter(self, count, start):
        """Every second block: each write is a record of its own in the journal."""
        for n in range(count):
            self.write((n + 1).to_bytes(8, "little") * (BLOCK // 8), start + 2 * n * BLOCK)

    def churn(self, count, start):
        """Writes and zeroes of the same few blocks: two records each, and little space. The last write stays."""
        for n in range(count):
            self.zero(BLOCK, start + n % 8 * BLOCK)
            self.write((n + 1).to_bytes(8, "little") * (BLOCK // 8), start + n % 8 * BLOCK)

    def close(self):
        self.handle.flush()
        self.handle.shutdown()


def make_disk(path):
    """Writes a raw disk of 8 MiB; what it holds."""
    disk = Expected()
    for offset, data in ((0, os.urandom(BLOCK)), (2 * MIB, TEXT), (5 * MIB + BLOCK, os.urandom(17 * BLOCK)), (8 * MIB - BLOCK, os.urandom(BLOCK))):
        disk.write(data, offset)
    with open(path, "wb") as file:
        file.truncate(8 * MIB)
        for block, data in disk.blocks.items():
            file.seek(block * BLOCK)
            file.write(data)
    return disk


def launch(kiln, image):
    """The volume of a new instance and the socket of its export."""
    made = kiln.client("ec2").run_instances(ImageId=image, InstanceType="t2.nano", MinCount=1, MaxCount=1)
    instance = made["Instances"][0]["InstanceId"]

    def running():
        told = kiln.client("ec2").describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
        return told["State"]["Name"] == "running"

    wait_until(running, 30, "the instance runs")
    (disk,) = json.loads(kiln.run("inspect", instance).stdout)["volumes"]
    return disk["volumeId"], disk["socket"]
