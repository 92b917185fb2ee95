# SPDX-License-Identifier: Apache-2.0
"""Row P12: how long it takes to say in which blocks two snapshots of a large, full volume differ.

Every block of 512 KiB of the volume has bytes of its own; then one of a hundred is changed, anywhere. What is measured is the whole
of `kiln diff`: the program's start, the service's answers, the list. The peer is an allowance.
"""

import json
import random
import time

import nbd

from .measure import in_turns, row
from .targets import Workshop
from .writer import BLOCK, connect

LEAF = 512 << 10
CHANGED = 100  # one of so many
IN_FLIGHT = 64
ALLOWED_MS = 1000
STORE_SECONDS = 3600


def p12(plan):
    gigabytes = 16 if plan.quick else 1024
    leaves = gigabytes * (1 << 30) // LEAF
    choice = random.Random(12)
    with Workshop() as workshop:
        volume = workshop.volume(gigabytes)
        write_leaves(volume, range(leaves), choice)
        first = stored_snapshot(workshop, volume)
        changed = choice.sample(range(leaves), leaves // CHANGED)
        write_leaves(volume, changed, choice)
        second = stored_snapshot(workshop, volume)

        def figure():
            begin = time.monotonic()
            told = json.loads(workshop.kiln.run("diff", first, second, "--json").stdout)
            took = time.monotonic() - begin
            assert told["differentBytes"] == len(changed) * LEAF, told["differentBytes"]
            return took * 1000

        rounds = in_turns({"kiln": figure, "allowance": lambda: ALLOWED_MS}, plan.rounds)
        what = f"kiln diff of two snapshots of {gigabytes} GiB, all blocks in use, {len(changed)} of {leaves} changed anywhere"
        less = {"more_is_better": False, "unit": "ms"}
        yield row("P12", what, rounds, "kiln", "allowance", target=1.0, peer_name="1 s", **less)


def write_leaves(volume, leaves, choice):
    """A block of 4 KiB in each, different from all others."""
    handle = connect(volume.socket)
    for leaf in leaves:
        while handle.aio_in_flight() >= IN_FLIGHT:
            handle.poll(-1)
        block = choice.randbytes(32).ljust(BLOCK, b"\0")
        handle.aio_pwrite(nbd.Buffer.from_bytearray(bytearray(block)), leaf * LEAF, lambda error: 1)
    while handle.aio_in_flight() > 0:
        handle.poll(-1)
    handle.flush()
    handle.shutdown()


def stored_snapshot(workshop, volume):
    made = workshop.ec2.create_snapshot(VolumeId=volume.identifier)["SnapshotId"]
    workshop.completed(made)
    workshop.stored(made, STORE_SECONDS)
    workshop.quiet(STORE_SECONDS)
    return made
