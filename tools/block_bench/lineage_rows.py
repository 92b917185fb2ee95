# SPDX-License-Identifier: Apache-2.0
"""Row P10: what a disk and its successors take, stored: snapshots of a volume beside archives of the same disks."""

import os

from . import corpus
from .archivers import Borg, Restic, allocated
from .measure import in_turns, row
from .targets import Workshop
from .writer import BLOCK, connect

PIECE = 1 << 20
SUCCESSORS = 2
STORE_SECONDS = 600


def p10(plan):
    """Over a service of its own, so that nothing else is among its packs."""
    files, image = (64, 256) if plan.quick else (512, 1024)
    with Workshop() as workshop:
        lineage = corpus.Lineage(workshop.directory, files * corpus.MIB)
        disks = [lineage.first(workshop.path("raw"), image * corpus.MIB)]
        for _ in range(SUCCESSORS):
            disks.append(lineage.next(disks[-1], workshop.path("raw")))
        contestants = {
            "kiln": lambda: snapshots_of(workshop, disks),
            "restic": lambda: archives_of(Restic(workshop.path("restic")), disks),
        }
        for name, chunker in Borg.CHUNKERS.items():
            contestants[f"borg, {name}"] = lambda chunker=chunker: archives_of(Borg(workshop.path("borg"), chunker), disks)
        rounds = in_turns(contestants, 1)
    borgs = sorted((name for name in contestants if name.startswith("borg")), key=rounds.median)
    what = f"an ext4 image with {files} MiB of files and {SUCCESSORS} successors, stored"
    less = {"more_is_better": False, "unit": "MB"}
    yield row("P10", what, rounds, "kiln", borgs[0], target=0.95, **less)
    for name in [*borgs[1:], "restic"]:
        yield row(f"P10/{name}", what, rounds, "kiln", name, **less)


def archives_of(archiver, disks):
    for disk in disks:
        archiver.store(disk)
    return archiver.stored_bytes() / 1e6


def snapshots_of(workshop, disks):
    """A volume becomes each disk after the other, as a guest would have changed it, and is snapshotted each time."""
    objects = os.path.join(workshop.kiln.data, "objects")
    before = allocated(objects)
    volume = workshop.volume(-(-os.path.getsize(disks[0]) // (1 << 30)))
    handle = connect(volume.socket)
    for old, new in zip([None, *disks], disks):
        become(handle, old, new)
        handle.flush()
        made = workshop.ec2.create_snapshot(VolumeId=volume.identifier)["SnapshotId"]
        workshop.completed(made)
        workshop.stored(made, STORE_SECONDS)
    handle.shutdown()
    workshop.quiet()
    return (allocated(objects) - before) / 1e6


def become(handle, old, new):
    """Writes the blocks in which the files differ; without an old one those that are not zeros."""
    with open(new, "rb") as after, open(old or os.devnull, "rb") as before:
        offset = 0
        while piece := after.read(PIECE):
            was = before.read(PIECE) or bytes(len(piece))
            if piece != was:
                for at in range(0, len(piece), BLOCK):
                    if piece[at : at + BLOCK] != was[at : at + BLOCK]:
                        handle.pwrite(piece[at : at + BLOCK], offset + at)
            offset += len(piece)
