# SPDX-License-Identifier: Apache-2.0
"""Row P6: what a volume costs to read when it was snapshotted many times.

Three volumes hold the same bytes: one with a snapshot after each round of writes, one with two snapshots, and one that was never
snapshotted. They are measured at rest: the newest snapshot is stored, and the service has nothing left to do.
"""

import random

from .measure import fill, in_turns, iops, row
from .targets import Workshop
from .writer import BLOCK, connect

CONTROL = "raw file, no server"
WRITES = 128  # between two snapshots, of 4 KiB each
PIECE = 1 << 20
DEEP, SHALLOW, NEVER = "kiln", "kiln, 2 snapshots deep", "kiln, never snapshotted"
# Hundreds of snapshots are cut in seconds and stored one after the other.
STORE_SECONDS = 3600


def p6(plan):
    depth, size = (16, 256 << 20) if plan.quick else (plan.depth, 1 << 30)
    what = f"depth {depth}, every snapshot stored, after {WRITES} random 4 KiB writes each to {size >> 20} MiB"
    with Workshop() as workshop:
        volumes = {name: workshop.volume() for name in (DEEP, SHALLOW, NEVER)}
        contestants = {**volumes, CONTROL: workshop.raw(size)}
        fill(contestants[CONTROL], size)
        write_alike(workshop, volumes, depth, size)
        for identifier, in_flight in (("P6", 32), ("P6.qd1", 1)):

            def figure(target, in_flight=in_flight):
                return iops("read", target, f"--iodepth={in_flight}", seconds=plan.seconds, size=size)

            turns = {name: lambda target=target, figure=figure: figure(target) for name, target in contestants.items()}
            rounds = in_turns(turns, plan.rounds, CONTROL, plan.attempts)
            said = f"4 KiB random reads, {in_flight} in flight, {what}"
            yield row(identifier, said, rounds, DEEP, NEVER, unit="IOPS", target=0.97, peer_name="itself, never snapshotted")
            yield row(f"{identifier}/2 deep", said, rounds, DEEP, SHALLOW, unit="IOPS", peer_name="itself, 2 snapshots deep")
            yield row(f"{identifier}/raw", said, rounds, DEEP, CONTROL, unit="IOPS", peer_name=CONTROL)


def write_alike(workshop, volumes, depth, size):
    """The same writes to all, and snapshots where there are to be some."""
    choice = random.Random(6)
    handles = {name: connect(volume.socket) for name, volume in volumes.items()}

    def write(data, offset):
        for handle in handles.values():
            handle.pwrite(data, offset)

    for offset in range(0, size, PIECE):
        write(compressible(choice, PIECE), offset)
    cut = {DEEP: None, SHALLOW: None}
    for number in range(depth):
        if number > 0:
            for _ in range(WRITES):
                write(compressible(choice, BLOCK), choice.randrange(size // BLOCK) * BLOCK)
        for name in cut:
            if name == DEEP or number in (0, depth - 1):
                cut[name] = workshop.ec2.create_snapshot(VolumeId=volumes[name].identifier)["SnapshotId"]
                # Where many are waiting to be stored it is pending for as long as there are too many.
                workshop.completed(cut[name], STORE_SECONDS)
    for handle in handles.values():
        handle.flush()
        handle.shutdown()
    for snapshot in cut.values():
        workshop.stored(snapshot, STORE_SECONDS)
    workshop.quiet(STORE_SECONDS)


def compressible(choice, size):
    """As much as programs and documents are: by half."""
    half = choice.randbytes(size // 2)
    return b"".join(half[at : at + 32] + bytes(32) for at in range(0, size // 2, 32))
