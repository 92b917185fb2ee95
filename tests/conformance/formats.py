#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What the service leaves on a disk is what docs/formats says: a reader written from those documents alone (tools/kiln_formats)
finds the bytes that were written, and notices a changed byte wherever the documents promise that it can."""

import hashlib
import json
import os
import random
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests/lib"), os.path.join(ROOT, "tools")]
sys.dont_write_bytecode = True
import kiln_test  # noqa: E402
from kiln_formats import backup, layer, layer_journal, layer_map, pack, tree  # noqa: E402
from kiln_formats.binary import BLOCK, MIB, Damage  # noqa: E402
from kiln_formats.store import Store  # noqa: E402
from kiln_test import wait_until  # noqa: E402
from kiln_test.formats import dump, refused  # noqa: E402
from kiln_test.written import Writer, launch, make_disk  # noqa: E402

FLIPS = 120


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
        writer.scatter(600, 100 * MIB)
        writer.zero(64 * BLOCK, 100 * MIB)
        writer.zero(BLOCK, 2 * MIB)  # of the tree below
        writer.churn(900, 200 * MIB)  # records of 64 KiB and more: the volume is closed with a checkpoint
        writer.write(os.urandom(3 * BLOCK), 5 * MIB)
        writer.close()
        self.holds = writer.holds
        assert kiln.stop() == 0

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
        return active_layer(self.folder, self.volume)


def active_layer(folder, volume):
    """Where the files of a volume's active layer are, without their suffix."""
    store = Store(folder)
    try:
        return os.path.join(folder, "layers", "d-" + store.catalog.row("volumes", volume)["active_layer"])
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
    # An orderly close with that many records ends with a checkpoint: this is what pages say.
    assert pages_and_records(left.active_layer())[0]


def pages_and_records(stem):
    """How many pages a layer's map has, and how many records its journal has behind them."""
    presence = layer_map.Map(stem + ".map", layer.read(stem + ".map"))
    return len(presence.pages), len(read_journal(stem + ".jnl", layer.read(stem + ".jnl"), presence.head).records)


def read_journal(path, data, head, boot=None):
    return layer_journal.Journal(path, data, head, boot or layer.this_boot())


class Begun:
    """A daemon with a volume made from an image, and a writer on it, to be killed."""

    def __init__(self, kiln):
        self.kiln = kiln
        raw = os.path.join(kiln.home, "disk.raw")
        disk = make_disk(raw)
        image = json.loads(kiln.run("import", raw, "--name", "disk", "--json").stdout)
        self.volume, self.socket = launch(kiln, image["imageId"])
        self.writer = Writer(self.socket, disk)


def test_a_volume_of_a_service_that_was_killed_comes_out_of_pages_and_records():
    with kiln_test.Kiln("--hypervisor", "fake") as kiln:
        begun = Begun(kiln)
        # No flush: the end of a process loses nothing that was answered. This is half of a ring, and more.
        begun.writer.scatter(600, 100 * MIB)
        begun.writer.churn(2000, 200 * MIB)
        begun.writer.zero(MIB, 100 * MIB)
        begun.writer.zero(BLOCK, 2 * MIB)  # of the tree below
        kiln.kill9()
        check_store(kiln.data, {}, begun.volume, begun.writer.holds)
        assert all(pages_and_records(active_layer(kiln.data, begun.volume)))


def test_a_volume_that_grew_comes_out_of_a_map_that_moved():
    with kiln_test.Kiln("--hypervisor", "fake") as kiln:
        begun, ec2 = Begun(kiln), kiln.client("ec2")
        begun.writer.scatter(600, 100 * MIB)
        begun.writer.close()
        ec2.modify_volume(VolumeId=begun.volume, Size=200)

        def completed():
            return ec2.describe_volumes_modifications(VolumeIds=[begun.volume])["VolumesModifications"][0]["ModificationState"] == "completed"

        wait_until(completed, 30, "the volume has grown")
        writer = Writer(begun.socket, begun.writer.holds)
        writer.write(os.urandom(4 * BLOCK), (200 << 30) - 4 * BLOCK)
        writer.churn(900, 70 << 30)
        made = ec2.create_snapshot(VolumeId=begun.volume)["SnapshotId"]
        snapshots = {made: writer.holds.copy()}
        writer.write(os.urandom(BLOCK), 150 << 30)
        writer.close()
        assert kiln.stop() == 0
        check_store(kiln.data, snapshots, begun.volume, writer.holds)
        maps = [path for path in (os.path.join(kiln.data, "layers", n) for n in os.listdir(os.path.join(kiln.data, "layers"))) if path.endswith(".map")]
        assert any(layer_map.Map(path, layer.read(path)).head.features & layer_map.MAP_MOVED for path in maps), maps


def test_a_snapshot_that_is_not_destaged_comes_out_of_layers_over_a_tree():
    # Killed as soon as the snapshots are there, which is before the second is destaged: one is at a time, and the first is large.
    for _ in range(5):
        with kiln_test.Kiln("--hypervisor", "fake") as kiln:
            begun, snapshots = Begun(kiln), {}
            for n, size in enumerate((8 * MIB, MIB)):
                begun.writer.write(os.urandom(size), 20 * MIB + n * 64 * BLOCK)
                begun.writer.zero(BLOCK, 2 * MIB + n * BLOCK)
                made = kiln.client("ec2").create_snapshot(VolumeId=begun.volume)["SnapshotId"]
                snapshots[made] = begun.writer.holds.copy()
            kiln.kill9()
            check_store(kiln.data, snapshots, begun.volume, begun.writer.holds)
            store = Store(kiln.data)
            states = {store.catalog.row("contents", store.catalog.row("snapshots", name)["content"])["state"] for name in snapshots}
            store.close()
            if "layered" in states:
                return
    raise AssertionError("every snapshot was destaged before the service was killed")


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


def test_a_superblock_that_is_lost_costs_no_data(left):
    stem = left.active_layer()
    data = layer.read(stem + ".map")
    good = layer_map.Map(stem + ".map", data)
    base = good.head.fields.base
    other = layer_map.Map(stem + ".map", data[:base] + bytes(BLOCK) + data[base + BLOCK :])
    assert other.head.generation == good.head.generation - 1
    for presence in (good, other):
        read_journal(stem + ".jnl", layer.read(stem + ".jnl"), presence.head).replay(presence)
    assert list(good.runs()) == list(other.runs())


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


@kiln_test.fixture
def journal():
    """What a service that was killed has left of a journal: SET, ZERO and FLUSHED, and records behind the last flush."""
    with kiln_test.Kiln("--hypervisor", "fake") as kiln:
        begun = Begun(kiln)
        for n in range(3):
            begun.writer.churn(4, (20 + n) * MIB)
            begun.writer.handle.flush()
        begun.writer.churn(4, 30 * MIB)
        kiln.kill9()
        stem = active_layer(kiln.data, begun.volume)
        found = layer.read(stem + ".map")
        made = read_journal(stem + ".jnl", layer.read(stem + ".jnl"), layer_map.Map(stem + ".map", found).head)
        made.map = found
        yield made


def test_a_changed_byte_of_a_journal_is_noticed_up_to_its_end(journal):
    assert len(journal.records) > 20 and {r.type for r in journal.records} >= {layer_journal.SET, layer_journal.ZERO, layer_journal.FLUSHED}
    assert not journal.remarks and journal.records[0].offset == BLOCK, journal.remarks
    last = range(journal.records[-1].offset, journal.end)
    for place, changed in [*flips(journal.data, range(BLOCK)), *flips(journal.data, range(BLOCK, journal.end)), *flips(journal.data, last)]:
        read = lambda c=changed: read_journal(journal.where, c, journal.head)  # noqa: E731
        assert notices(read), f"nobody noticed that byte {place} was changed"


def test_a_changed_byte_before_the_last_flush_is_damage_after_a_start_of_the_host_too(journal):
    flushed = [record for record in journal.records if record.type == layer_journal.FLUSHED]
    durable = range(BLOCK, next(r for r in journal.records if r.seq == flushed[-1].numbers()[1] + 1).offset)
    for place, changed in flips(journal.data, durable):
        assert refused(lambda c=changed: read_journal(journal.where, c, journal.head, "another")), f"byte {place}"


def test_what_was_not_flushed_does_not_count_after_a_start_of_the_host(journal):
    first = [n * MIB // BLOCK for n in (20, 21, 22, 30)]
    for boot, places in ((layer.this_boot(), first), ("another", first[:3])):
        presence = layer_map.Map("map", journal.map)
        read_journal(journal.where, journal.data, presence.head, boot).replay(presence)
        assert list(presence.runs()) == [(layer_map.DATA, block, 4) for block in places], boot


def test_bytes_behind_the_end_of_a_journal_bring_nothing_back(journal):
    for place, changed in flips(journal.data, range(journal.end, len(journal.data))):
        found = read_journal(journal.where, changed, journal.head)
        assert [r.crc for r in found.records] == [r.crc for r in journal.records], f"byte {place} matters"


class Protected:
    """A volume's sealed layer as a service that was killed has left it: stored as a tree, with check sums, and still read."""

    def __init__(self, kiln):
        begun = Begun(kiln)
        begun.writer.write(os.urandom(6 * BLOCK), 20 * MIB)
        begun.writer.write(os.urandom(BLOCK), 4092 * BLOCK)  # the first block of a page
        begun.writer.zero(BLOCK, 4090 * BLOCK)
        client = kiln.client("ec2")
        made = client.create_snapshot(VolumeId=begun.volume)["SnapshotId"]
        # An open volume goes on reading the layer when it is stored.
        kiln.wait_stored(made)
        self.folder = os.path.join(kiln.data, "layers")
        self.name = json.loads(kiln.run("inspect", made).stdout)["contents"][0]["layer"]
        kiln.kill9()
        assert os.path.exists(os.path.join(self.folder, f"d-{self.name}.crc"))
        self.stem = os.path.join(self.folder, "d-" + self.name)
        self.blocks = [4092, *range(20 * MIB // BLOCK, 20 * MIB // BLOCK + 6)]

    def read(self):
        return list(layer.Layer(self.folder, self.name).blocks())

    def changed(self, path, places):
        """Changes one byte after the other in the file, and puts it back."""
        with open(path, "r+b") as file:
            for place in places:
                file.seek(place)
                (byte,) = file.read(1)
                for value in (byte ^ 0x20, byte):
                    file.seek(place)
                    file.write(bytes([value]))
                    file.flush()
                    if value != byte:
                        yield place


@kiln_test.fixture
def protected():
    with kiln_test.Kiln("--hypervisor", "fake") as kiln:
        yield Protected(kiln)


def test_a_changed_byte_of_a_sealed_layers_data_is_noticed(protected):
    whole = protected.read()
    assert [block for block, data in whole if data] == protected.blocks, whole
    dice = random.Random(1)
    for block in protected.blocks:
        places = [block * BLOCK + at for at in (0, BLOCK - 1, *(dice.randrange(BLOCK) for _ in range(10)))]
        for place in protected.changed(f"{protected.stem}-0000.blk", places):
            assert refused(protected.read), f"byte {place}"
    assert protected.read() == whole


def test_a_changed_byte_of_check_sums_in_force_is_noticed(protected):
    pages = sorted({block // 1023 for block in protected.blocks})
    assert len(pages) == 2
    dice = random.Random(2)
    places = [*dice.sample(range(BLOCK), 40)]
    for page in pages:
        places += [(1 + page) * BLOCK + at for at in dice.sample(range(BLOCK), 40)]
    for place in protected.changed(protected.stem + ".crc", places):
        assert refused(protected.read), f"byte {place}"
    os.rename(protected.stem + ".crc", protected.stem + ".gone")
    assert refused(protected.read), "check sums that are lost"


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


def test_the_dump_tool_prints_every_file_and_changes_none(left):
    paths = left.files("layers") + left.files("objects") + [os.path.join(left.folder, "catalog.sqlite"), left.backup]
    before = sorted(os.listdir(left.folder))
    done = dump(*paths)
    assert done.returncode == 0 and not done.stderr, done.stderr
    parts = done.stdout.split("== ")[1:]
    assert len(parts) == len(paths) and all(len(part.splitlines()) >= 2 for part in parts)
    assert left.kiln.secret_key not in done.stdout and "PRIVATE KEY" not in done.stdout
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
