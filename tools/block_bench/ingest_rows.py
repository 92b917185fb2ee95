# SPDX-License-Identifier: Apache-2.0
"""Row P9: how quickly new data is stored, compressed, and once where it repeats. Each function measures a few rows and yields them.

Before each turn some bytes of every 64 KiB of the data are changed, so that all of it is new to everybody.
"""

import concurrent.futures
import ctypes
import json
import os
import resource
import shutil
import time

from . import corpus
from .archivers import Borg, Restic
from .measure import Rounds, in_turns, row
from .targets import Workshop
from .writer import connect

CONTROL = "plain copy"
PIECE = 1 << 20
BLOCK_BYTES = 65536
ZSTD_LEVEL = 1
IMPORT_SECONDS = 600


def p9(plan):
    with Workshop() as workshop:
        path = corpus.one_file(workshop.path("data"), (64 if plan.quick else 512) * corpus.MIB)
        yield from destage(workshop, plan, path)
        yield from convert(workshop, plan, path)


def destage(workshop, plan, path):
    size = os.path.getsize(path)
    gigabytes = -(-size // (1 << 30))

    def kiln():
        """What the service uses from the snapshot of a new volume until it is stored; not what the writing cost."""
        corpus.stamp(path)
        volume = workshop.volume(gigabytes)
        copy_into(volume.socket, path)
        workshop.quiet()
        before = workshop.processor_seconds()
        workshop.snapshot(volume)
        used = workshop.processor_seconds() - before
        workshop.discard(volume.identifier)
        return size / used / 1e6

    rounds = in_turns({"kiln": kiln, "zstd": lambda: zstd_speed(path)}, plan.rounds)
    what = f"a snapshot of {size >> 20} MiB of new data is stored, by processor time"
    yield row("P9", what, rounds, "kiln", "zstd", unit="MB/s", target=0.7, peer_name="zstd 1, blocks of 64 KiB")


def copy_into(socket, path):
    """The file's bytes at the beginning of a volume, written and flushed."""
    handle = connect(socket)
    with open(path, "rb") as file:
        for offset in range(0, os.path.getsize(path), PIECE):
            handle.pwrite(file.read(PIECE), offset)
    handle.flush()
    handle.shutdown()


def zstd_speed(path):
    """Of the library's level 1 over the blocks, by processor time, on all processors as the service is: beside each other
    they get a little less done than one alone. `zstd -b1` counts by the clock, and with it the time in which it waits for a
    processor."""
    threads = os.cpu_count()
    with concurrent.futures.ProcessPoolExecutor(threads) as pool:
        used = sum(pool.map(zstd_seconds, [path] * threads, range(threads), [threads] * threads))
    return os.path.getsize(path) / used / 1e6


def zstd_seconds(path, first, step):
    """Processor time of one process for every `step`th block."""
    used = 0.0
    library = ctypes.CDLL("libzstd.so.1")
    library.ZSTD_createCCtx.restype = ctypes.c_void_p
    library.ZSTD_compressBound.restype = library.ZSTD_compressCCtx.restype = ctypes.c_size_t
    context = ctypes.c_void_p(library.ZSTD_createCCtx())
    room = library.ZSTD_compressBound(ctypes.c_size_t(BLOCK_BYTES))
    out, room = ctypes.create_string_buffer(room), ctypes.c_size_t(room)
    with open(path, "rb") as file:
        for offset in range(first * BLOCK_BYTES, os.path.getsize(path), step * BLOCK_BYTES):
            block = os.pread(file.fileno(), BLOCK_BYTES, offset)
            length = ctypes.c_size_t(len(block))
            begin = time.thread_time()
            made = library.ZSTD_compressCCtx(context, out, room, block, length, ZSTD_LEVEL)
            used += time.thread_time() - begin
            assert not library.ZSTD_isError(ctypes.c_size_t(made)), made
    library.ZSTD_freeCCtx(context)
    return used


def children_seconds():
    """Processor time of the programs that were started and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def convert(workshop, plan, path):
    """A raw disk taken in: by the clock, and by processor time."""
    size = os.path.getsize(path)
    contestants = {
        "kiln": lambda: take_in(workshop, path),
        "qemu-img": lambda: qemu_img(workshop, path),
        **{f"borg {name}": lambda name=name: archived(path, Borg(workshop.path("borg"), Borg.CHUNKERS[name])) for name in BORG},
        "restic": lambda: archived(path, Restic(workshop.path("restic"))),
        CONTROL: lambda: copied(workshop, path),
    }
    seconds = {}

    def measured(name):
        """By the clock; what it took of the processors is noted."""
        corpus.stamp(path)
        elapsed, used = contestants[name]()
        seconds.setdefault(name, []).append(used)
        return size / elapsed / 1e6

    rounds = in_turns({name: lambda name=name: measured(name) for name in contestants}, plan.rounds, CONTROL, plan.attempts)
    # Of the last attempt, if there were several: processor time does not move as the clock does.
    used = Rounds({name: [size / each / 1e6 for each in found[-plan.rounds :]] for name, found in seconds.items()}, None)
    what = f"a raw disk with {size >> 20} MiB of new data is taken in and stored"
    for identifier, how, figures in (("P9.convert", "by the clock", rounds), ("P9.convert.cpu", "by processor time", used)):
        for name, peer in PEERS.items():
            yield row(f"{identifier}/{name}", f"{what}, {how}", figures, "kiln", name, unit="MB/s", peer_name=peer)


BORG = ("its own chunks", "fixed 64 KiB")
PEERS = {"qemu-img": "qemu-img convert -c", **{f"borg {name}": f"borg create, zstd 1, {name}" for name in BORG}, "restic": "restic backup"}


def take_in(workshop, path):
    """Elapsed and used seconds of `kiln import` and of what it leaves to the service: until the image is stored."""
    workshop.quiet()
    service, client, begin = workshop.processor_seconds(), children_seconds(), time.monotonic()
    words = ["--boot-mode", "legacy-bios", "--name", f"disk {time.monotonic_ns()}", "--json"]
    done = workshop.kiln.run("import", path, *words, seconds=IMPORT_SECONDS)
    client = children_seconds() - client
    workshop.stored(json.loads(done.stdout)["snapshotId"], IMPORT_SECONDS)
    elapsed = time.monotonic() - begin
    workshop.quiet()
    return elapsed, workshop.processor_seconds() - service + client


def timed(work):
    before, begin = children_seconds(), time.monotonic()
    work()
    return time.monotonic() - begin, children_seconds() - before


def qemu_img(workshop, path):
    out = workshop.path("qcow2")
    took = timed(lambda: corpus.run(["qemu-img", "convert", "-q", "-f", "raw", "-c", "-O", "qcow2", path, out]))
    os.unlink(out)
    return took


def archived(path, archiver):
    took = timed(lambda: archiver.store(path))
    archiver.remove()
    return took


def copied(workshop, path):
    """The medium's share: copied and synced, nothing else."""
    out = workshop.path("copy")

    def work():
        shutil.copyfile(path, out)
        with open(out, "rb") as file:
            os.fdatasync(file.fileno())

    before, (elapsed, _) = time.process_time(), timed(work)
    used = time.process_time() - before
    os.unlink(out)
    return elapsed, used
