#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""kiln fsck: a whole store is whole; each kind of damage is found and named with what it hits; --repair mends what loses
nothing and leaves the rest; a store in use is refused."""

import glob
import json
import os
import shutil
import sqlite3
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test.paths import KILN  # noqa: E402
from kiln_test.written import Expected, Writer, launch  # noqa: E402

MIB = 1 << 20


def fsck(data, status, *more):
    done = subprocess.run([KILN, "fsck", "--data", data, "--json", *more], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
    return json.loads(done.stdout) if done.stdout else done.stderr


def import_disk(kiln, name, content):
    path = os.path.join(kiln.home, name + ".raw")
    with open(path, "wb") as disk:
        disk.write(content)
    return json.loads(kiln.run("import", path, "--name", name, "--json").stdout)


def stored(kiln, snapshot):
    result = json.loads(kiln.run("verify", snapshot, "--json").stdout)["results"][0]
    return result["rootDigest"] and not result["checkedBlocks"]


@kiln_test.fixture
def store():
    """The data directory of a stopped service: an image in packs, a volume with a layer over it."""
    with kiln_test.Kiln("--hypervisor", "fake") as kiln:
        kiln.made = import_disk(kiln, "first", os.urandom(MIB))
        kiln_test.wait_until(lambda: stored(kiln, kiln.made["snapshotId"]), 60, "a tree")
        kiln.refused = fsck(kiln.data, 2)
        ec2 = kiln.client("ec2")
        zone = ec2.describe_availability_zones()["AvailabilityZones"][0]["ZoneName"]
        kiln.volume = ec2.create_volume(AvailabilityZone=zone, SnapshotId=kiln.made["snapshotId"])["VolumeId"]
        ec2.get_waiter("volume_available").wait(VolumeIds=[kiln.volume])
        kiln.run("nbd", kiln.volume)  # makes the files of its layer
        kiln.run("nbd", kiln.volume, "--stop")
        kiln.stop()
        yield kiln


class Copy:
    """A copy of the store, to be damaged."""

    count = 0

    def __init__(self, kiln):
        Copy.count += 1
        self.data = os.path.join(kiln.home, f"copy-{Copy.count}")

        def no_sockets(folder, names):
            return [name for name in names if not os.path.isdir(path := os.path.join(folder, name)) and not os.path.isfile(path)]

        shutil.copytree(kiln.data, self.data, ignore=no_sockets)

    def files(self, pattern):
        return sorted(glob.glob(os.path.join(self.data, "**", pattern), recursive=True), key=os.path.getsize)

    def flip(self, path, place):
        with open(path, "r+b") as file:
            file.seek(place)
            byte = file.read(1)[0]
            file.seek(place)
            file.write(bytes([byte ^ 1]))

    def sql(self, statement):
        with sqlite3.connect(os.path.join(self.data, "catalog.sqlite")) as database:
            changed = database.execute(statement).rowcount
            assert changed > 0, statement
        database.close()


def kinds(told):
    return sorted({finding["kind"] for finding in told["findings"]})


def test_a_store_in_use_is_refused(store):
    """INT-4"""
    assert "runs on" in store.refused and "process" in store.refused, store.refused
    assert "no data directory" in fsck(os.path.join(store.home, "none"), 2)


def test_a_whole_store_is_whole(store):
    """INT-4"""
    told = fsck(Copy(store).data, 0)
    assert told["whole"] and told["findings"] == [] and told["packs"] >= 2 and told["layers"] == 1, told
    assert told["entries"] >= 16 + 6 and told["contents"] == 1, told
    words = subprocess.run([KILN, "fsck", "--data", Copy(store).data], capture_output=True, text=True, timeout=120, check=True).stdout
    assert words.endswith("whole\n"), words


def test_damage_in_a_pack_is_told_with_what_it_hits(store):
    """INT-4, INT-5: there is nothing to mend it from."""
    hit = {store.made["imageId"], store.made["snapshotId"], store.volume}
    for pick in (0, -1):  # nodes, chunks
        copy = Copy(store)
        pack = copy.files("pack-*")[pick]
        copy.flip(pack, 400)
        for more in ((), ("--repair",)):
            told = fsck(copy.data, 2, *more)
            assert kinds(told) == ["content", "pack"] and told["mended"] == 0, told
            assert any(os.path.basename(pack) in finding["subject"] for finding in told["findings"]), told
            assert set(sum((finding["hit"] for finding in told["findings"]), [])) == hit, told
    copy = Copy(store)
    os.remove(copy.files("pack-*")[-1])
    assert kinds(fsck(copy.data, 2)) == ["content", "pack"]


def test_the_index_is_made_again_from_the_footers(store):
    """INT-5"""
    for statement in ("DELETE FROM chunks", "UPDATE chunks SET place = place + 8"):
        copy = Copy(store)
        copy.sql(statement)
        told = fsck(copy.data, 2)
        assert "index" in kinds(told), told
        told = fsck(copy.data, 1, "--repair")
        assert told["whole"] and kinds(told) == ["index"] and all(finding["mended"] for finding in told["findings"]), told
        assert fsck(copy.data, 0)["findings"] == []


def test_what_nothing_names_goes_to_the_trash(store):
    """INT-5"""
    copy = Copy(store)
    pack = copy.files("pack-*")[0]
    stray = os.path.join(os.path.dirname(pack), os.path.basename(pack)[:-4] + "ffff")
    shutil.copy(pack, stray)
    layer = os.path.join(copy.data, "layers", "d-nobody.map")
    with open(layer, "wb") as file:
        file.write(b"x")
    told = fsck(copy.data, 2)
    assert kinds(told) == ["orphan"] and len(told["findings"]) == 2, told
    assert os.path.exists(stray) and os.path.exists(layer)
    told = fsck(copy.data, 1, "--repair")
    assert told["mended"] == 2 and not os.path.exists(stray) and not os.path.exists(layer), told
    assert sorted(os.listdir(os.path.join(copy.data, "trash"))) == sorted([os.path.basename(stray), "d-nobody.map"])
    assert fsck(copy.data, 0)["findings"] == []


def test_layers_that_are_missing_damaged_or_swapped(store):
    """INT-4"""
    copy = Copy(store)
    (path,) = copy.files("d-*.map")
    os.remove(path)
    told = fsck(copy.data, 2)
    assert kinds(told) == ["layer"] and told["findings"][0]["hit"] == [store.volume], told
    copy = Copy(store)
    (path,) = copy.files("d-*.map")
    copy.flip(path, 70)
    assert kinds(fsck(copy.data, 2)) == ["layer"]
    copy = Copy(store)
    (path,) = copy.files("d-*.jnl")
    os.truncate(path, 100)
    assert kinds(fsck(copy.data, 2)) == ["layer"]


def test_changed_data_of_a_sealed_layer_is_found_by_its_check_sums():
    """INT-4, INT-2"""
    with kiln_test.Kiln("--hypervisor", "fake") as kiln:
        image = import_disk(kiln, "first", os.urandom(MIB))
        volume, socket = launch(kiln, image["imageId"])
        writer = Writer(socket, Expected())
        writer.write(os.urandom(MIB), 8 * MIB)
        ec2 = kiln.client("ec2")
        made = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
        # The volume is open: its layer stays when it is stored.
        kiln.wait_stored(made)
        layer = json.loads(kiln.run("inspect", made).stdout)["contents"][0]["layer"]
        kiln.kill9()
        copy = Copy(kiln)
        assert fsck(copy.data, 0)["findings"] == []
        (crcs,) = copy.files(f"d-{layer}.crc")
        (data,) = copy.files(f"d-{layer}-*.blk")
        copy.flip(data, 8 * MIB + 5 * 4096 + 7)
        told = fsck(copy.data, 2)
        assert kinds(told) == ["content"], told
        (finding,) = told["findings"]
        assert layer in finding["what"] and f"bytes {8 * MIB + 5 * 4096} to" in finding["what"], finding
        assert set(finding["hit"]) == {made, volume}, finding
        copy.flip(data, 8 * MIB + 5 * 4096 + 7)
        assert fsck(copy.data, 0)["findings"] == []
        os.remove(crcs)
        assert "layer" in kinds(fsck(copy.data, 2))


def test_rows_that_name_what_is_not_there(store):
    """INT-4"""
    copy = Copy(store)
    copy.sql("DELETE FROM contents")
    told = fsck(copy.data, 2)
    assert "catalog" in kinds(told), told
    assert {finding["subject"] for finding in told["findings"]} >= {store.made["snapshotId"], store.volume}, told


if __name__ == "__main__":
    kiln_test.main()
