# SPDX-License-Identifier: Apache-2.0
"""Rows "together": several disks at work at the same time, each written before. The peers have a process for each disk; Kiln's
reactors, one for each processor, divide the disks among themselves."""

from .measure import fill, in_turns, iops_of_all, row
from .targets import Workshop

DISKS = 4
DEPTH = 8
CONTROL = "raw files, no server"


def together(plan):
    with Workshop() as workshop, Workshop("--reactors", "1") as single:
        contestants = {
            "kiln": [workshop.volume() for _ in range(DISKS)],
            "one reactor": [single.volume() for _ in range(DISKS)],
            "qemu-nbd raw": [workshop.qemu_nbd(workshop.raw().path, "raw") for _ in range(DISKS)],
            CONTROL: [workshop.raw() for _ in range(DISKS)],
        }
        for targets in contestants.values():
            for target in targets:
                fill(target)
        for direction, target in (("read", 1.2), ("write", 1.1)):
            rounds = in_turns(
                {
                    name: lambda targets=targets, d=direction: iops_of_all(d, targets, f"--iodepth={DEPTH}", seconds=plan.seconds)
                    for name, targets in contestants.items()
                },
                plan.rounds,
                CONTROL,
                plan.attempts,
            )
            what = f"4 KiB random {direction}s of {DISKS} disks at once, {DEPTH} in flight on each"
            yield row(f"together.{direction}", what, rounds, "kiln", "qemu-nbd raw", unit="IOPS", target=target, peer_name="qemu-nbd raw, each its own")
            yield row(f"together.{direction}/one reactor", what, rounds, "kiln", "one reactor", unit="IOPS", peer_name="itself, one reactor")
            yield row(f"together.{direction}/raw", what, rounds, "kiln", CONTROL, unit="IOPS")
