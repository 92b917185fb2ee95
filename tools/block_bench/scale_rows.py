# SPDX-License-Identifier: Apache-2.0
"""Rows P7, P8 and P15: what must not depend on a volume's size. Each function measures a few rows and yields them.

Where the aim is a figure and no other program, the "peer" is that allowance, so that the ratio says how much of it is left.
"""

import os
import time

from kiln_test import wait_until

from .measure import fill, in_turns, iops, row
from .writer import DEADLINE_SECONDS, Writer, connect, longest, percentile

SMALL_GIB, LARGE_GIB = 1, 65536
CUTS = 25  # in one round
PAUSE_MS = 10
IDLE_VOLUMES = 20
IDLE_MIB, LARGE_MIB = 2, 160
MIB = 1 << 20


def p7(workshop, plan):
    """The longest write during each of some snapshots: what its guest feels of them."""
    volumes = {size: workshop.volume(size) for size in (SMALL_GIB, LARGE_GIB)}
    sparse = workshop.raw()

    def stall(volume):
        with Writer(volume.socket) as writer:
            windows = []
            for _ in range(CUTS):
                before = writer.count()
                wait_until(lambda: writer.count() > before + 100, DEADLINE_SECONDS, "the writer writes", interval=0.001)
                begin = time.monotonic()
                made = workshop.ec2.create_snapshot(VolumeId=volume.identifier)["SnapshotId"]
                workshop.completed(made)
                windows.append((begin, time.monotonic()))
            writes = writer.finish()
        workshop.quiet()
        return percentile(sorted(longest(writes, window) for window in windows), 99) * 1000

    def allowance():
        """Ten milliseconds and what one flush takes on this file system now."""
        with open(sparse.path, "r+b") as file:
            file.write(os.urandom(4096))
            file.flush()
            begin = time.monotonic()
            os.fdatasync(file.fileno())
            return PAUSE_MS + (time.monotonic() - begin) * 1000

    rounds = in_turns(
        {"small": lambda: stall(volumes[SMALL_GIB]), "large": lambda: stall(volumes[LARGE_GIB]), "allowance": allowance}, plan.rounds
    )
    what = f"longest 4 KiB write during a snapshot, p99 of {CUTS}"
    less = {"more_is_better": False, "unit": "ms"}
    yield row("P7", f"{what}; 64 TiB", rounds, "large", "allowance", target=1.0, peer_name="10 ms and one flush", **less)
    yield row("P7.size", f"{what}; 64 TiB beside 1 GiB", rounds, "large", "small", target=0.83, peer_name="itself, 1 GiB", **less)


def p8(workshop, plan):
    """From nothing to the first byte of a new disk over an old one."""
    base = workshop.qcow2()
    server = workshop.qemu_nbd(base, "qcow2")
    fill(server)
    workshop.drop(server)

    def ours(size):
        source = workshop.volume(size)
        snapshot = workshop.snapshot(source)

        def figure():
            begin = time.monotonic()
            made = workshop.create_volume(size, SnapshotId=snapshot)
            socket = workshop.attach_at_once(made, source)
            handle = connect(socket)
            handle.pread(4096, 0)
            took = time.monotonic() - begin
            handle.shutdown()
            workshop.discard(made)
            return took * 1000

        return figure

    def overlay():
        begin = time.monotonic()
        served = workshop.qemu_nbd(workshop.qcow2(backing=base), "qcow2")
        handle = connect(served.socket)
        handle.pread(4096, 0)
        took = time.monotonic() - begin
        handle.shutdown()
        workshop.drop(served)
        return took * 1000

    rounds = in_turns({"small": ours(SMALL_GIB), "large": ours(LARGE_GIB), "overlay": overlay}, plan.rounds * 3)
    what = "CreateVolume of a snapshot, AttachVolume, first 4 KiB read"
    less = {"more_is_better": False, "unit": "ms"}
    yield row("P8", f"{what}; 64 TiB", rounds, "large", "overlay", target=1.0, peer_name="qemu-img create -b and qemu-nbd", **less)
    yield row("P8.size", f"{what}; 64 TiB beside 1 GiB", rounds, "large", "small", target=0.83, peer_name="itself, 1 GiB", **less)


def p15(workshop, plan):
    """Memory. A volume that is attached and does nothing, and one with writes all over 64 TiB."""

    def allowed(figure, most):
        return in_turns({"kiln": figure, "allowance": lambda: most}, 1)

    workshop.quiet()
    before = workshop.resident_bytes()
    idle = [workshop.volume() for _ in range(IDLE_VOLUMES)]
    workshop.quiet()
    each = (workshop.resident_bytes() - before) / MIB / IDLE_VOLUMES
    for volume in idle:
        workshop.discard(volume.identifier)
    less = {"more_is_better": False, "unit": "MiB"}
    what = f"memory of an attached volume that does nothing, of {IDLE_VOLUMES}"
    yield row("P15.idle", what, allowed(lambda: max(each, 0.01), IDLE_MIB), "kiln", "allowance", target=1.0, peer_name="2 MiB", **less)
    large = workshop.volume(LARGE_GIB)

    def random_load():
        iops("write", large, "--iodepth=32", "--norandommap", seconds=plan.seconds * 10, size="64T")
        return workshop.resident_bytes() / MIB

    what = "memory of the service after random 4 KiB writes all over 64 TiB"
    yield row("P15.64tib", what, allowed(random_load, LARGE_MIB), "kiln", "allowance", target=1.0, peer_name="160 MiB", **less)
