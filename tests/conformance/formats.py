#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What the service leaves on a disk is what docs/formats says: a reader written from those documents alone (tools/kiln_formats)
finds the bytes that were written, and notices a changed byte wherever the documents promise that it can."""

import hashlib
import json
import os
import random
import subprocess
import sys

import nbd

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests/lib"), os.path.join(ROOT, "tools")]
sys.dont_write_bytecode = True
import kiln_test  # noqa: E402
from kiln_formats import backup, layer, layer_journal, layer_map, pack, tree  # noqa: E402
from kiln_formats.binary import BLOCK, MIB, Damage  # noqa: E402
from kiln_formats.store import Store  # noqa: E402
from kiln_test import wait_until  # noqa: E402

FLIPS = 120
# Each is a record of its own in the journal; so many are enough for a checkpoint when the volume is closed.
SCATTERED = 2400
TEXT = b"compresses well. " * 4096


class Expected:
    """What a disk has to hold: block -> bytes, of the blocks that are not zeros."""

    def __init__(self):
        self.blocks = {}

    def write(self, data, offset):
        for at in range(0, len(data), BLOCK):
            self.blocks[(offset + at) // BLOCK] = data[at : at + BLOCK]

    def zero(self, size, offset):
        for block in range(offset // BLOCK, (offset + size) // BLOCK):
            self.blocks.pop(block, None)

    def copy(self):
        other = Expected()
        other.blocks = dict(self.blocks)
        return other


class Writer:
    """A volume's export and what it has to hold from now on."""

    def __init__(self, socket, holds):
        self.handle, self.holds = nbd.NBD(), holds
        self.handle.connect_unix(socket)

    def write(self, data, offset):
        self.handle.pwrite(data, offset)
        self.holds.write(data, offset)

    def zero(self, size, offset):
        self.handle.zero(size, offset)
        self.holds.zero(size, offset)

    def scatter(self, start):
        for n in range(SCATTERED):
            self.write(n.to_bytes(8, "little") * (BLOCK // 8) if n else b"\1" * BLOCK, start + 2 * n * BLOCK)

    def close(self):
        self.handle.flush()
        self.handle.shutdown()


def make_disk(path):
    disk = Expected()
    for offset, data in ((0, os.urandom(BLOCK)), (2 * MIB, TEXT), (5 * MIB + BLOCK, os.urandom(17 * BLOCK)), (8 * MIB - BLOCK, os.urandom(BLOCK))):
        disk.write(data, offset)
    with open(path, "wb") as file:
        file.truncate(8 * MIB)
        for block, data in disk.blocks.items():
            file.seek(block * BLOCK)
            file.write(data)
    return disk


def launch(kiln, image):
    """The volume of a new instance and the socket of its export."""
    made = kiln.client("ec2").run_instances(ImageId=image, InstanceType="t2.nano", MinCount=1, MaxCount=1)
    instance = made["Instances"][0]["InstanceId"]

    def running():
        told = kiln.client("ec2").describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
        return told["State"]["Name"] == "running"

    wait_until(running, 30, "the instance runs")
    (disk,) = json.loads(kiln.run("inspect", instance).stdout)["volumes"]
    return disk["volumeId"], disk["socket"]


class Left:
    """The data directory of a service that was stopped, and what was written before."""

    def __init__(self, kiln):
        self.kiln, self.folder, self.snapshots = kiln, kiln.data, {}
        raw = os.path.join(kiln.home, "disk.raw")
        disk = make_disk(raw)
        image = json.loads(kiln.run("import", raw, "--name", "disk", "--json").stdout)
        self.snapshots[image["snapshotId"]] = disk.copy()
        self.volume, socket = launch(kiln, image["imageId"])
        writer = Writer(socket, disk)
        writer.write(os.urandom(8 * BLOCK), 64 * MIB)
        writer.zero(BLOCK, 0)
        self.snapshot(writer)
        writer.zero(2 * MIB, 4 * MIB)
        writer.write(b"\7" * BLOCK, 700 * MIB)
        self.snapshot(writer)
        for name in self.snapshots:
            self.await_stored(name)
        self.backup = os.path.join(kiln.home, "store.kiln")
        kiln.run("backup", self.backup)
        writer.scatter(100 * MIB)
        writer.zero(64 * BLOCK, 100 * MIB)
        writer.write(os.urandom(3 * BLOCK), 5 * MIB)
        writer.close()
        self.holds = writer.holds
        assert kiln.stop() == 0
        self.layers = os.path.join(self.folder, "layers")

    def snapshot(self, writer):
        made = self.kiln.client("ec2").create_snapshot(VolumeId=self.volume)["SnapshotId"]
        self.snapshots[made] = writer.holds.copy()
        return made

    def await_stored(self, snapshot):
        def stored():
            told = self.kiln.client("ec2").describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]
            return told["State"] == "completed"

        wait_until(stored, 60, f"{snapshot} is completed")

    def files(self, part, suffix=""):
        folder = os.path.join(self.folder, part)
        return [os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name.endswith(suffix)]

    def largest(self, part, suffix=""):
        return max(self.files(part, suffix), key=lambda path: os.stat(path).st_size)

    def active_layer(self):
        store = Store(self.folder, layer.this_boot())
        try:
            return os.path.join(self.layers, "d-" + store.catalog.row("volumes", self.volume)["active_layer"])
        finally:
            store.close()


@kiln_test.fixture
def left():
    with kiln_test.Kiln("--hypervisor", "fake") as kiln:
        yield Left(kiln)


def compare(found, expected, what):
    other = sorted(set(found) ^ set(expected.blocks)) or sorted(b for b in found if found[b] != expected.blocks[b])
    assert not other, f"{what}: {len(other)} blocks are other than what was written: {other[:8]}"


def check_store(folder, snapshots, volume=None, holds=None):
    store = Store(folder, layer.this_boot())
    try:
        for name, expected in snapshots.items():
            compare(store.snapshot(name), expected, name)
        if volume:
            compare(store.volume(volume), holds, volume)
    finally:
        store.close()


def test_snapshots_come_out_of_packs_and_trees_as_they_were_written(left):
    assert len(left.snapshots) == 3
    check_store(left.folder, left.snapshots)


def test_a_volume_comes_out_of_its_layer_over_its_tree_as_it_was_written(left):
    check_store(left.folder, {}, left.volume, left.holds)
    # What makes this a test of both halves: checkpointed pages, and records behind them.
    stem = left.active_layer()
    presence = layer_map.Map(stem + ".map", layer.read(stem + ".map"))
    assert presence.pages and presence.head.generation > 1, presence.head.generation


def test_a_store_that_was_killed_is_read_as_it_was():
    with kiln_test.Kiln("--hypervisor", "fake") as kiln:
        raw = os.path.join(kiln.home, "disk.raw")
        disk = make_disk(raw)
        image = json.loads(kiln.run("import", raw, "--name", "disk", "--json").stdout)
        volume, socket = launch(kiln, image["imageId"])
        writer = Writer(socket, disk)
        snapshots = {}
        for round_ in range(3):
            writer.write(os.urandom(256 * BLOCK), (20 + round_) * MIB)
            writer.zero(BLOCK, (20 + round_) * MIB + 8 * BLOCK)
            made = kiln.client("ec2").create_snapshot(VolumeId=volume)["SnapshotId"]
            snapshots[made] = writer.holds.copy()
        writer.write(b"\5" * BLOCK, 20 * MIB)  # no flush: the end of a process loses nothing that was answered
        kiln.kill9()
        check_store(kiln.data, snapshots, volume, writer.holds)


def test_the_chunk_index_says_what_the_footers_of_the_packs_say(left):
    store = Store(left.folder)
    try:
        footers = {}
        for found in store.packs:
            for e in found.entries:
                footers[(e.id, found.id)] = (e.offset, e.stored_bytes, e.plain_bytes, e.type, e.codec, e.enc)
        assert footers and store.catalog.chunks() == footers
    finally:
        store.close()


def test_a_backup_holds_the_snapshots_byte_for_byte(left):
    found = backup.Backup(left.backup, layer.read(left.backup))
    place = os.path.join(left.kiln.home, "from-backup")
    for path in found.files:
        if path.startswith("objects/") or path == "catalog.sqlite":
            os.makedirs(os.path.dirname(os.path.join(place, path)), exist_ok=True)
            with open(os.path.join(place, path), "wb") as file:
                file.write(found.content(path))
    check_store(place, left.snapshots)


def flips(data, places=None):
    """Copies of `data` with one byte changed, at places drawn from all of it or from `places`: (place, copy)."""
    dice = random.Random(len(data))
    places = range(len(data)) if places is None else places
    for place in sorted(dice.sample(places, min(FLIPS, len(places)))):
        changed = bytearray(data)
        changed[place] ^= 1 << dice.randrange(8)
        yield place, bytes(changed)


def notices(read):
    """Whether a reader refuses, or remarks upon, what it is given."""
    try:
        return bool(read().remarks)
    except Damage:
        return True


def test_a_changed_byte_of_a_pack_is_noticed(left):
    for path in (left.largest("objects"), min(left.files("objects"), key=lambda name: os.stat(name).st_size)):
        data = layer.read(path)
        pack.Pack(path, data)
        for place, changed in flips(data):
            try:
                pack.Pack(path, changed)
            except Damage:
                continue
            raise AssertionError(f"{path}: nobody noticed that byte {place} was changed")


def test_a_changed_byte_of_a_backup_is_noticed(left):
    # Of a small one: what is read for each flip is all of it.
    data = small_backup(left.backup)
    backup.Backup("small", data)
    for place, changed in flips(data):
        try:
            backup.Backup("small", changed)
        except Damage:
            continue
        raise AssertionError(f"nobody noticed that byte {place} was changed")


def small_backup(path):
    """The same stream with the first piece of each file only, ended anew as the document says."""
    whole = backup.Backup(path, layer.read(path))
    out = bytearray(b"KILNBAK1")
    for name, (size, pieces) in whole.files.items():
        out += backup.record(b"F", size, name.encode())
        for offset, payload in pieces[:1]:
            out += backup.record(b"D", offset, payload[:512])
    return bytes(out + backup.record(b"E", len(whole.files), hashlib.sha256(out).digest()))


def test_a_changed_byte_of_a_map_is_noticed_where_it_is_in_force(left):
    path = left.active_layer() + ".map"
    data = layer.read(path)
    good = layer_map.Map(path, data)
    assert not good.remarks, good.remarks
    kinds = {text.split()[0] for _, _, text in good.places}
    assert kinds == {"root", "directory", "page"}, kinds
    in_force = [*range(2 * BLOCK)] + [at for start, size, _ in good.places for at in range(start, start + size)]
    for place, changed in flips(data, in_force):
        assert notices(lambda c=changed: layer_map.Map(path, c)), f"nobody noticed that byte {place} was changed"


def test_slots_of_a_map_that_nothing_names_are_not_used(left):
    path = left.active_layer() + ".map"
    data = layer.read(path)
    good = layer_map.Map(path, data)
    used = {at // BLOCK for start, size, _ in good.places for at in range(start, start + size)} | {0, 1}
    unused = [at for block in range(len(data) // BLOCK) if block not in used for at in range(block * BLOCK, block * BLOCK + BLOCK)]
    assert unused, "every slot is named"
    for place, changed in flips(data, unused):
        found = layer_map.Map(path, changed)
        assert found.pages == good.pages and not found.remarks, f"byte {place} matters"


def journal_of(left):
    """A journal with records in it: path, bytes, superblock, and the journal as it is."""
    for path in left.files("layers", ".jnl"):
        presence = layer_map.Map(path[:-4] + ".map", layer.read(path[:-4] + ".map"))
        found = layer_journal.Journal(path, layer.read(path), presence.head, layer.this_boot())
        if found.records:
            return path, found.data, presence.head, found
    raise AssertionError("no journal has a record")


def test_a_changed_byte_of_a_journal_is_noticed_up_to_its_end(left):
    path, data, head, good = journal_of(left)
    assert not good.remarks and good.records[0].offset < good.end, (good.remarks, good.end)
    in_force = [*range(BLOCK)] + [*range(good.records[0].offset, good.end)]
    for place, changed in [*flips(data, in_force), *flips(data, range(good.records[-1].offset, good.end))]:
        read = lambda c=changed: layer_journal.Journal(path, c, head, layer.this_boot())  # noqa: E731
        assert notices(read), f"nobody noticed that byte {place} was changed"


def test_bytes_behind_the_end_of_a_journal_bring_nothing_back(left):
    path, data, head, good = journal_of(left)
    for place, changed in flips(data, range(good.end, len(data))):
        found = layer_journal.Journal(path, changed, head, layer.this_boot())
        assert [r.crc for r in found.records] == [r.crc for r in good.records], f"byte {place} matters"


def test_a_changed_byte_of_a_node_or_root_record_makes_another_id(left):
    store = Store(left.folder)
    try:
        for (kind, name), (found, entry) in store.objects.entries.items():
            if kind != pack.CHUNK:
                plain = found.plain(entry)
                for place, changed in list(flips(plain))[:10]:
                    assert hashlib.sha256(changed).digest() != name, place
                    if kind == pack.ROOT:
                        assert refused(lambda c=changed: tree.Root("root", c)), f"byte {place} of a root record"
    finally:
        store.close()


def refused(read):
    try:
        read()
    except Damage:
        return True
    return False


def dump(*paths):
    command = [os.path.join(ROOT, "tools/dump"), *paths]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)


def test_the_dump_tool_prints_every_file_and_changes_none(left):
    paths = left.files("layers") + left.files("objects") + [os.path.join(left.folder, "catalog.sqlite"), left.backup]
    before = sorted(os.listdir(left.folder))
    done = dump(*paths)
    assert done.returncode == 0 and not done.stderr, done.stderr
    parts = done.stdout.split("== ")[1:]
    assert len(parts) == len(paths) and all(len(part.splitlines()) >= 2 for part in parts)
    assert left.kiln.secret_key not in done.stdout
    assert sorted(os.listdir(left.folder)) == before


def test_the_dump_tool_names_the_offset_of_what_is_damaged(left):
    path = left.largest("objects")
    data = bytearray(layer.read(path))
    data[pack.HEADER + pack.ENTRY + 3] ^= 1
    damaged = os.path.join(left.kiln.home, "damaged")
    with open(damaged, "wb") as file:
        file.write(data)
    done = dump(damaged)
    assert done.returncode == 1 and f"offset {pack.HEADER + 56}: crc32c of the entry" in done.stderr, done.stderr
    done = dump(left.kiln.log)
    assert done.returncode == 1 and "no file of Kiln's" in done.stderr, done.stderr


if __name__ == "__main__":
    kiln_test.main()
