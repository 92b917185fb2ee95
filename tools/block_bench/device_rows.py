# SPDX-License-Identifier: Apache-2.0
"""Rows P1 to P5: a volume as a disk, beside other NBD servers over the same file system.

Every contestant has 1 GiB that was written before: "warm", no block is met for the first time, except in the rows that
say so. Each function measures a few rows and yields them.
"""

from .measure import fill, in_turns, iops, megabytes, row

CONTROL = "raw file, no server"


class Devices:
    """The contestants of the steady rows. One owner thread."""

    def __init__(self, workshop):
        raw, served, kit = workshop.raw(), workshop.raw(), workshop.raw()
        table = workshop.qcow2()
        self.kiln = workshop.volume()
        self.all = {
            "kiln": self.kiln,
            "qemu-nbd raw": workshop.qemu_nbd(served.path, "raw"),
            "qemu-nbd qcow2": workshop.qemu_nbd(table, "qcow2"),
            "nbdkit file": workshop.nbdkit(kit.path),
            CONTROL: raw,
        }
        for target in self.all.values():
            fill(target)

    def turns(self, figure, plan, names=None):
        chosen = {name: target for name, target in self.all.items() if names is None or name in names}
        return in_turns({name: lambda target=target: figure(target) for name, target in chosen.items()}, plan.rounds, CONTROL, plan.attempts)


def beside_all(identifier, what, rounds, target, unit="IOPS"):
    """The row against qemu-nbd raw, whose target is promised, and one against each other peer to be looked at."""
    yield row(identifier, what, rounds, "kiln", "qemu-nbd raw", unit=unit, target=target)
    for name in rounds.figures:
        if name not in ("kiln", "qemu-nbd raw"):
            yield row(f"{identifier}/{name}", what, rounds, "kiln", name, unit=unit)


def p1(devices, plan):
    for depth, target in ((1, 1.2), (32, 1.5)):
        rounds = devices.turns(lambda t, d=depth: iops("read", t, f"--iodepth={d}", seconds=plan.seconds), plan)
        yield from beside_all(f"P1.qd{depth}", f"4 KiB random reads, {depth} in flight", rounds, target)


def p2(devices, plan):
    for depth, target in ((1, 1.1), (32, 1.3)):
        rounds = devices.turns(lambda t, d=depth: iops("write", t, f"--iodepth={d}", seconds=plan.seconds), plan)
        yield from beside_all(f"P2.qd{depth}", f"4 KiB random writes, {depth} in flight", rounds, target)


def p4(devices, plan):
    names = ("kiln", "qemu-nbd raw", "qemu-nbd qcow2", CONTROL)
    rounds = devices.turns(lambda t: iops("write", t, "--fsync=1", seconds=plan.seconds), plan, names)
    yield from beside_all("P4", "4 KiB random writes, a flush after each", rounds, 1.0)


def p5(devices, plan):
    for direction, target in (("read", 1.2), ("write", 1.2)):
        rounds = devices.turns(lambda t, d=direction: megabytes(d, t, seconds=plan.seconds), plan)
        yield from beside_all(f"P5.{direction}", f"sequential {direction}s of 1 MiB, 4 in flight", rounds, target, "MB/s")


def first_touch(workshop, devices, plan):
    """P3 and P4.first: what writes cost while blocks are met for the first time after a snapshot. The peers get a new
    overlay, the control a new sparse file."""
    base = workshop.qcow2()
    server = workshop.qemu_nbd(base, "qcow2")
    fill(server)
    workshop.drop(server)
    subclusters = ["-o", "extended_l2=on,cluster_size=128k"]

    def overlay(options, how):
        def figure():
            served = workshop.qemu_nbd(workshop.qcow2(backing=base, options=options), "qcow2")
            result = how(served)
            workshop.drop(served)
            return result

        return figure

    def kiln(how):
        def figure():
            workshop.snapshot(devices.kiln)
            return how(devices.kiln)

        return figure

    def sparse():
        served = workshop.qemu_nbd(workshop.raw().path, "raw")
        result = deep(served)
        workshop.drop(served)
        return result

    def deep(target):
        return iops("write", target, "--iodepth=32", seconds=plan.seconds)

    def flushed(target):
        return iops("write", target, "--fsync=1", seconds=plan.seconds)

    def steady():
        fill(devices.kiln)
        return deep(devices.kiln)

    contestants = {
        "kiln": kiln(deep),
        "kiln steady": steady,
        "raw sparse file": lambda: deep(workshop.raw()),
        "qemu-nbd raw": sparse,
        "qcow2 overlay": overlay([], deep),
        "qcow2 overlay, extended L2": overlay(subclusters, deep),
        CONTROL: lambda: deep(devices.all[CONTROL]),
    }
    rounds = in_turns(contestants, plan.rounds, CONTROL, plan.attempts)
    what = "4 KiB random writes, 32 in flight, first touch after a snapshot"
    yield row("P3", what, rounds, "kiln", "kiln steady", unit="IOPS", target=0.85, peer_name="itself, steady")
    yield row("P3.raw", what, rounds, "kiln", "raw sparse file", unit="IOPS", target=0.9, peer_name="a new sparse file, no server")
    yield row("P3.nbd", what, rounds, "kiln", "qemu-nbd raw", unit="IOPS", target=0.9, peer_name="qemu-nbd raw, a new sparse file")
    for name in ("qcow2 overlay", "qcow2 overlay, extended L2"):
        yield row(f"P3/{name}", what, rounds, "kiln", name, unit="IOPS", peer_name=f"qemu-nbd {name}")
    contestants = {
        "kiln": kiln(flushed),
        "qemu-nbd raw": lambda: flushed(devices.all["qemu-nbd raw"]),
        "qcow2 overlay": overlay([], flushed),
        CONTROL: lambda: flushed(devices.all[CONTROL]),
    }
    rounds = in_turns(contestants, plan.rounds, CONTROL, plan.attempts)
    what = "4 KiB random writes, a flush after each, first touch after a snapshot"
    yield row("P4.first", what, rounds, "kiln", "qemu-nbd raw", unit="IOPS", target=0.6, peer_name="qemu-nbd raw, written before")
    yield row("P4.first/qcow2 overlay", what, rounds, "kiln", "qcow2 overlay", unit="IOPS", peer_name="qemu-nbd qcow2 overlay")
