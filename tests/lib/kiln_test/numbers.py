# SPDX-License-Identifier: Apache-2.0
"""Numbers written all over a volume, many at a time, and the account of which of them a block may hold afterwards.

The volume is that of a real machine with an empty disk, which survives the service as guests do, so that the volume is served
again as soon as there is a service. The load comes through the volume's socket beside it.
"""

import contextlib
import ctypes
import json
import multiprocessing
import os
import struct

import nbd

from .waiting import wait_until

BLOCK = 4096
IN_FLIGHT = 32
STRIDE = 7919  # prime: every place has its turn before one comes again
AT_ONCE = 256  # blocks that are read and checked
DEADLINE_SECONDS = 120
EMPTY_DISK_BYTES = 1 << 20
# Of a service with such machines.
SMALL_MACHINE = ("--guest-memory-cap", "64", "--shutdown-grace", "1")


class Served:
    """A data volume of 1 GiB of a running machine."""

    def __init__(self, kiln):
        self.kiln = kiln
        path = os.path.join(kiln.home, "empty")
        with open(path, "wb") as file:
            file.write(b"\1")
            file.truncate(EMPTY_DISK_BYTES)
        image = json.loads(kiln.run("import", path, "--boot-mode", "legacy-bios", "--name", "empty", "--json").stdout)["imageId"]
        data = [{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 1, "DeleteOnTermination": True}}]
        made = kiln.client("ec2").run_instances(
            ImageId=image, InstanceType="t2.nano", MinCount=1, MaxCount=1, BlockDeviceMappings=data
        )  # fmt: skip
        self.instance = made["Instances"][0]["InstanceId"]
        wait_until(lambda: self.state() == "running", DEADLINE_SECONDS, "the machine runs")
        shown = json.loads(kiln.run("inspect", self.instance).stdout)["volumes"]
        volume = next(volume for volume in shown if volume["device"] == "/dev/sdf")
        self.identifier, self.socket = volume["volumeId"], volume["socket"]

    def state(self):
        return self.kiln.client("ec2").describe_instances(InstanceIds=[self.instance])["Reservations"][0]["Instances"][0]["State"]["Name"]

    def connect(self, interval=0.001):
        """A connection, as soon as the volume is served."""
        return wait_until(lambda: reached(self.socket), DEADLINE_SECONDS, "the volume is served", interval=interval)

    def end(self):
        self.kiln.client("ec2").terminate_instances(InstanceIds=[self.instance])
        wait_until(lambda: self.state() == "terminated", DEADLINE_SECONDS, "the machine is gone")


def reached(socket):
    with contextlib.suppress(nbd.Error):
        handle = nbd.NBD()
        handle.connect_unix(socket)
        return handle
    return None


class Bounds:
    """Of each place the least and the greatest number that it may hold."""

    def __init__(self, least, most):
        self.least, self.most = least, most

    def check(self, place, found):
        number = struct.unpack_from("<Q", found)[0]
        least, most = self.least[place], self.most[place]
        assert least <= number <= most, f"block {place}: {number} is there, at least {least} and at most {most} was expected"
        assert found == block_of(number), f"block {place}: {number} is not whole"
        return number


class Load:
    """Each time it is entered a process that goes on to write 1, 2, 3... all over the volume's beginning, many at a time, until its
    peer is gone. What it was about to write, and what was acknowledged, is told in shared memory."""

    def __init__(self, socket, places):
        self.socket, self.places = socket, places
        self.issued = multiprocessing.RawArray(ctypes.c_uint64, places)  # by place: the last number
        self.done = multiprocessing.RawArray(ctypes.c_uint64, places)
        self.last = multiprocessing.RawValue(ctypes.c_uint64, 0)
        self.count = multiprocessing.RawValue(ctypes.c_uint64, 0)  # acknowledged since it was entered
        self.process = None

    def __enter__(self):
        self.count.value = 0
        self.process = multiprocessing.Process(target=self._write, daemon=True)
        self.process.start()
        return self

    def __exit__(self, *_):
        self.process.join(DEADLINE_SECONDS)
        self.process.kill()
        self.process.join()

    def acknowledged(self):
        assert self.process.is_alive(), "the load ended by itself"
        return self.count.value

    def wait(self, seconds):
        """The load is what takes this time."""
        self.process.join(seconds)
        assert self.process.is_alive(), "the load ended by itself"

    def check(self, handle):
        """Every block holds the last number that was acknowledged for it, or one that was on its way, and holds it throughout."""
        bounds = Bounds(self.done, self.issued)
        for first in range(0, self.places, AT_ONCE):
            found = handle.pread(AT_ONCE * BLOCK, first * BLOCK)
            for place in range(first, first + AT_ONCE):
                self.done[place] = bounds.check(place, found[(place - first) * BLOCK : (place - first + 1) * BLOCK])

    def _write(self):
        handle = nbd.NBD()
        handle.connect_unix(self.socket)
        with contextlib.suppress(nbd.Error):
            while True:
                while handle.aio_in_flight() < IN_FLIGHT:
                    self.last.value += 1
                    self._issue(handle, self.last.value)
                handle.poll(-1)

    def _issue(self, handle, number):
        place = number * STRIDE % self.places
        self.issued[place] = number

        def completed(error):
            if error.value == 0:
                self.done[place] = number
                self.count.value += 1
            return 1

        handle.aio_pwrite(nbd.Buffer.from_bytearray(bytearray(block_of(number))), place * BLOCK, completed)


def block_of(number):
    return struct.pack("<Q", number) * (BLOCK // 8)
