# SPDX-License-Identifier: Apache-2.0
"""Row read-ahead: how quickly a disk is read from end to end that lies compressed in packs, as a guest that boots or copies it does.

Nothing is at hand on either side: the service and the server were started for the turn, and the kernel was told to forget their
files. There is no aim: the row is to be looked at.
"""

import json
import os
import subprocess

from . import corpus
from .measure import fio, in_turns, row
from .targets import Workshop

CONTROL = "raw file, no server"
PEER = "qemu-nbd compressed qcow2"
IMPORT_SECONDS = 600


def read_ahead(plan):
    with Workshop() as workshop:
        path = corpus.one_file(workshop.path("data"), (96 if plan.quick else 512) * corpus.MIB)
        size = os.path.getsize(path)
        snapshot = imported(workshop, path)
        table = workshop.path("qcow2")
        command = ["qemu-img", "convert", "-q", "-f", "raw", "-c", "-O", "qcow2", "-o", "compression_type=zstd", path, table]
        subprocess.run(command, check=True, timeout=IMPORT_SECONDS)
        raw = workshop.raw(size)
        corpus.run(["cp", path, raw.path])
        for in_flight in (1, 4):
            contestants = {
                "kiln": lambda n=in_flight: ours(workshop, snapshot, size, n),
                PEER: lambda n=in_flight: peers(workshop, table, size, n),
                CONTROL: lambda n=in_flight: speed(raw, size, n),
            }
            rounds = in_turns(contestants, plan.rounds, CONTROL, plan.attempts)
            what = f"{size >> 20} MiB that are stored compressed, read from end to end, nothing at hand: 128 KiB, {in_flight} in flight"
            for name in (PEER, CONTROL):
                identifier = f"read-ahead.qd{in_flight}" + ("" if name == PEER else f"/{name}")
                yield row(identifier, what, rounds, "kiln", name, unit="MB/s", peer_name=name)


def imported(workshop, path):
    words = ["--boot-mode", "legacy-bios", "--name", "disk", "--json"]
    done = workshop.kiln.run("import", path, *words, seconds=IMPORT_SECONDS)
    snapshot = json.loads(done.stdout)["snapshotId"]
    workshop.stored(snapshot, IMPORT_SECONDS)
    workshop.quiet()
    return snapshot


def ours(workshop, snapshot, size, in_flight):
    """A new volume of the snapshot, which reads from the packs, after a start of the service."""
    workshop.start_anew()
    forget(os.path.join(workshop.kiln.data, "objects"))
    volume = workshop.volume(-(-size // (1 << 30)), SnapshotId=snapshot)
    figure = speed(volume, size, in_flight)
    workshop.discard(volume.identifier)
    return figure


def peers(workshop, table, size, in_flight):
    server = workshop.qemu_nbd(table, "qcow2")
    figure = speed(server, size, in_flight)
    workshop.drop(server)
    return figure


def speed(target, size, in_flight):
    """MB/s."""
    job = fio(target, "--rw=read", "--bs=128k", f"--iodepth={in_flight}", seconds=None, size=str(size))
    return job["read"]["bw_bytes"] / 1e6


def forget(directory):
    """Has the kernel drop what it keeps of all files below: they are on the medium."""
    found = 0
    for folder, _, names in os.walk(directory):
        for name in names:
            descriptor = os.open(os.path.join(folder, name), os.O_RDONLY)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)
            found += 1
    assert found > 0, f"{directory} has files"
