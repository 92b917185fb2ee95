# SPDX-License-Identifier: Apache-2.0
"""Row P16: how long a running machine's volume is away when the service is killed under load, and whether anything it
acknowledged is missing afterwards.

The machine is a real one, with an empty disk: it survives the service as guests do, and its data volume is served again as soon as
there is a service. The load comes through the volume's socket beside it.
"""

import contextlib
import ctypes
import json
import multiprocessing
import os
import struct
import threading
import time

import nbd
from kiln_test import Kiln, wait_until

from .measure import in_turns, row
from .writer import BLOCK, DEADLINE_SECONDS, connect

ALLOWED_MS = 1000
IN_FLIGHT = 32
PLACES = 1 << 18  # one GiB of blocks
STRIDE = 7919  # prime: every place has its turn before one comes again
LEAST_WRITES = 1000
AT_ONCE = 256  # blocks that are read and checked
EMPTY_DISK_BYTES = 1 << 20
SMALL_MACHINE = ("--guest-memory-cap", "64", "--shutdown-grace", "1")


def p16(plan):
    with Kiln(*SMALL_MACHINE) as kiln:
        volume = Served(kiln)
        load = Load(volume.socket)
        rounds = in_turns({"kiln": lambda: recovery(kiln, volume, load, plan.seconds * 5), "allowance": lambda: ALLOWED_MS}, plan.rounds)
        volume.end()
    what = f"from the start after a kill -9 under 4 KiB writes, {IN_FLIGHT} in flight, to the first read; no acknowledged write missing"
    yield row("P16", what, rounds, "kiln", "allowance", target=1.0, peer_name="1 s", more_is_better=False, unit="ms")


class Served:
    """The data volume of a running machine."""

    def __init__(self, kiln):
        self.kiln = kiln
        path = os.path.join(kiln.home, "empty")
        with open(path, "wb") as file:
            file.write(b"\1")
            file.truncate(EMPTY_DISK_BYTES)
        image = json.loads(kiln.run("import", path, "--boot-mode", "legacy-bios", "--name", "empty", "--json").stdout)["imageId"]
        data = [{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": PLACES * BLOCK >> 30, "DeleteOnTermination": True}}]
        made = kiln.client("ec2").run_instances(
            ImageId=image, InstanceType="t2.nano", MinCount=1, MaxCount=1, BlockDeviceMappings=data
        )  # fmt: skip
        self.instance = made["Instances"][0]["InstanceId"]
        wait_until(lambda: self.state() == "running", DEADLINE_SECONDS, "the machine runs")
        shown = json.loads(kiln.run("inspect", self.instance).stdout)["volumes"]
        self.socket = next(volume["socket"] for volume in shown if volume["device"] == "/dev/sdf")

    def state(self):
        return self.kiln.client("ec2").describe_instances(InstanceIds=[self.instance])["Reservations"][0]["Instances"][0]["State"]["Name"]

    def end(self):
        self.kiln.client("ec2").terminate_instances(InstanceIds=[self.instance])


def recovery(kiln, volume, load, seconds):
    """Milliseconds. Fails when a write is missing."""
    with load:
        wait_until(lambda: load.acknowledged() > LEAST_WRITES, DEADLINE_SECONDS, "the load is on its way")
        load.wait(seconds)
        kiln.kill9()
    starting = threading.Thread(target=kiln.start)
    begin = time.monotonic()
    starting.start()
    handle = wait_until(lambda: reached(volume.socket), DEADLINE_SECONDS, "the volume is served again", interval=0.001)
    handle.pread(BLOCK, 0)
    took = time.monotonic() - begin
    starting.join()
    load.check(handle)
    handle.shutdown()
    assert volume.state() == "running"
    return took * 1000


def reached(socket):
    with contextlib.suppress(nbd.Error):
        return connect(socket)
    return None


class Load:
    """Each time it is entered a process that goes on to write 1, 2, 3... all over the volume, many at a time, until its peer is
    gone. What it was about to write, and what was acknowledged, is told in shared memory."""

    def __init__(self, socket):
        self.socket = socket
        self.issued = multiprocessing.RawArray(ctypes.c_uint64, PLACES)  # by place: the last number
        self.done = multiprocessing.RawArray(ctypes.c_uint64, PLACES)
        self.last = multiprocessing.RawValue(ctypes.c_uint64, 0)
        self.count = multiprocessing.RawValue(ctypes.c_uint64, 0)  # acknowledged since it was entered
        self.process = None

    def __enter__(self):
        self.count.value = 0
        self.process = multiprocessing.Process(target=self._write, daemon=True)
        self.process.start()

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
        for first in range(0, PLACES, AT_ONCE):
            found = handle.pread(AT_ONCE * BLOCK, first * BLOCK)
            for place in range(first, first + AT_ONCE):
                self._check(place, found[(place - first) * BLOCK : (place - first + 1) * BLOCK])

    def _check(self, place, found):
        least, most = self.done[place], self.issued[place]
        number = struct.unpack_from("<Q", found)[0]
        assert least <= number <= most, f"block {place}: {number} is there, {least} was acknowledged, {most} was written"
        assert found == block_of(number), f"block {place}: {number} is not whole"
        self.done[place] = number

    def _write(self):
        handle = connect(self.socket)
        with contextlib.suppress(nbd.Error):
            while True:
                while handle.aio_in_flight() < IN_FLIGHT:
                    self.last.value += 1
                    self._issue(handle, self.last.value)
                handle.poll(-1)

    def _issue(self, handle, number):
        place = number * STRIDE % PLACES
        self.issued[place] = number

        def completed(error):
            if error.value == 0:
                self.done[place] = number
                self.count.value += 1
            return 1

        handle.aio_pwrite(nbd.Buffer.from_bytearray(bytearray(block_of(number))), place * BLOCK, completed)


def block_of(number):
    return struct.pack("<Q", number) * (BLOCK // 8)
