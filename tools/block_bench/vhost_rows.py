# SPDX-License-Identifier: Apache-2.0
"""Rows vhost: a volume as a vhost-user disk, beside QEMU's storage daemon over a raw file.

The client is build/dev's vhost_load: fio has no engine for vhost-user without a further library.
"""

import os
import subprocess

from kiln_test.paths import KILN

from .measure import fill, in_turns, iops, row
from .targets import GIB, Server, Workshop

LOAD_SECONDS = 120
CONTROL = "raw file, no server"


class Disk:
    """A vhost-user-blk device of 1 GiB at a socket."""

    def __init__(self, socket):
        self.socket = socket

    def load(self, what, *words):
        program = os.path.join(os.path.dirname(os.path.realpath(KILN)), "vhost_load")
        done = subprocess.run([program, self.socket, what, str(GIB), *map(str, words)], capture_output=True, text=True, timeout=LOAD_SECONDS, check=False)
        assert done.returncode == 0, done.stderr
        return float(done.stdout)


def storage_daemon(workshop, path):
    socket = workshop.path("sock")
    command = [
        "qemu-storage-daemon",
        *("--blockdev", f"driver=file,node-name=file,filename={path},cache.direct=on,aio=io_uring,discard=unmap"),
        *("--blockdev", "driver=raw,node-name=disk,file=file"),
        *("--export", f"type=vhost-user-blk,id=export,node-name=disk,writable=on,addr.type=unix,addr.path={socket}"),
    ]
    return workshop.keep(Server(command, socket))


def vhost(plan):
    with Workshop("--disk-transport", "vhost-user") as workshop:
        control = workshop.raw()
        fill(control)
        kiln = Disk(workshop.volume().socket)
        peer = Disk(storage_daemon(workshop, workshop.raw().path).socket)
        for disk in (kiln, peer):
            disk.load("fill")
        for direction in ("read", "write"):
            for depth in (1, 32):
                contestants = {
                    "kiln": lambda d=direction, n=depth: kiln.load(d, n, plan.seconds),
                    "storage daemon": lambda d=direction, n=depth: peer.load(d, n, plan.seconds),
                    CONTROL: lambda d=direction, n=depth: iops(d, control, f"--iodepth={n}", seconds=plan.seconds),
                }
                rounds = in_turns(contestants, plan.rounds, CONTROL, plan.attempts)
                what = f"4 KiB random {direction}s, {depth} in flight, over vhost-user"
                identifier = f"vhost.{direction}.qd{depth}"
                yield row(identifier, what, rounds, "kiln", "storage daemon", unit="IOPS", target=1.0, peer_name="qemu-storage-daemon, raw")
                yield row(f"{identifier}/raw", what, rounds, "kiln", CONTROL, unit="IOPS")
