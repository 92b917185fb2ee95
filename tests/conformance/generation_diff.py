#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Two generations of an image: the second is baked of an instance of the first, in which a known set of blocks was changed. What
ListChangedBlocks says of their snapshots is just that, is enough to make the second of the first, and costs what was changed: counted
in chunks and nodes that were read, and in bytes that were stored, never by clocks."""

import json
import os
import re
import subprocess
import sys
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import wait_until  # noqa: E402
from kiln_test.counters import Used  # noqa: E402
from kiln_test.disks import digest  # noqa: E402

BLOCK = 524288
MIB = 1 << 20
SOON = {"Delay": 0.1, "MaxAttempts": 600}


@kiln_test.fixture
def kiln():
    with kiln_test.Kiln("--hypervisor", "fake") as daemon:
        yield daemon


class Bakery:
    """Makes generations of one image, whose disk begins with `blocks` blocks of data."""

    def __init__(self, kiln, name, blocks, size=1):
        self.kiln, self.name, self.number = kiln, name, 0
        self.content = {index: os.urandom(BLOCK) for index in range(blocks)}
        path = os.path.join(kiln.home, name + ".raw")
        with open(path, "wb") as disk:
            for data in self.content.values():
                disk.write(data)
        made = json.loads(kiln.run("import", path, "--name", name, "--json").stdout)
        os.remove(path)
        kiln.wait_stored(made["snapshotId"])
        self.image, self.size = made["imageId"], size

    def bake(self, *writes):
        """Launches the image, writes (offset, bytes) as a guest would, and makes an image of that: its snapshot."""
        ec2 = self.kiln.client("ec2")
        mapping = [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": self.size}}]
        instance = ec2.run_instances(ImageId=self.image, InstanceType="t3.nano", MinCount=1, MaxCount=1, BlockDeviceMappings=mapping)["Instances"][0]["InstanceId"]
        ec2.get_waiter("instance_running").wait(InstanceIds=[instance], WaiterConfig=SOON)
        (disk,) = json.loads(self.kiln.run("inspect", instance).stdout)["volumes"]
        for offset, data in writes:
            self.write(disk["socket"], offset, data)
        self.number += 1
        self.image = ec2.create_image(InstanceId=instance, Name=f"{self.name} generation {self.number}")["ImageId"]
        ec2.get_waiter("image_available").wait(ImageIds=[self.image], WaiterConfig=SOON)
        ec2.terminate_instances(InstanceIds=[instance])
        ec2.get_waiter("instance_terminated").wait(InstanceIds=[instance], WaiterConfig=SOON)
        return ec2.describe_images(ImageIds=[self.image])["Images"][0]["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]

    def write(self, socket, offset, data):
        path = os.path.join(self.kiln.home, "piece")
        with open(path, "wb") as file:
            file.write(data)
        command = ["qemu-io", "-f", "raw", "-c", f"write -s {path} {offset} {len(data)}", f"nbd+unix:///?socket={socket}"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=True)
        assert f"wrote {len(data)}/{len(data)} bytes" in done.stdout, done.stdout + done.stderr
        for at in range(offset // BLOCK, (offset + len(data) - 1) // BLOCK + 1):
            whole = bytearray(self.content.get(at, bytes(BLOCK)))
            begin, end = max(offset, at * BLOCK), min(offset + len(data), (at + 1) * BLOCK)
            whole[begin - at * BLOCK : end - at * BLOCK] = data[begin - offset : end - offset]
            self.content[at] = bytes(whole)


def changed(ebs, first, second):
    found, token = {}, {}
    while True:
        page = ebs.list_changed_blocks(FirstSnapshotId=first, SecondSnapshotId=second, MaxResults=100, **token)
        for block in page["ChangedBlocks"]:
            assert block["BlockIndex"] not in found
            found[block["BlockIndex"]] = block
        if "NextToken" not in page:
            assert list(found) == sorted(found)
            return found
        token = {"NextToken": page["NextToken"]}


def read_block(ebs, snapshot, index, token):
    """Its bytes; zeros where there is no token for it."""
    return ebs.get_snapshot_block(SnapshotId=snapshot, BlockIndex=index, BlockToken=token)["BlockData"].read() if token else bytes(BLOCK)


def exported(kiln, snapshot):
    path = os.path.join(kiln.home, "out.raw")
    kiln.run("export", snapshot, path, "--force")
    return path


def metric(kiln, name):
    with urllib.request.urlopen(kiln.endpoint + "/metrics", timeout=30) as answer:
        return int(float(re.search(rf"^{name} (\S+)$", answer.read().decode(), re.M)[1]))


def test_ED_9_what_was_changed_and_nothing_else(kiln):
    bakery = Bakery(kiln, "exact", 48)
    first = bakery.bake()
    same = bakery.content[40]
    second = bakery.bake(
        (0, b"\1"),  # a byte; block 0
        (7 * BLOCK + 4096, os.urandom(4096)),
        (21 * BLOCK - 4096, os.urandom(8192)),  # over the border of 20 and 21
        (2047 * BLOCK, os.urandom(512)),  # where nothing was, at the end of the disk
        (30 * BLOCK, bytes(BLOCK)),  # nothing but zeros now
        (40 * BLOCK, same),  # written, and the same
        (47 * BLOCK, os.urandom(3 * BLOCK)),  # what was there last, and beyond it
    )
    expected = [0, 7, 20, 21, 30, 47, 48, 49, 2047]
    ebs = kiln.client("ebs")
    for stored in (False, True):  # at once, and once both are trees
        if stored:
            kiln.wait_stored(first)
            kiln.wait_stored(second)
        forth, back = changed(ebs, first, second), changed(ebs, second, first)
        assert list(forth) == expected and list(back) == expected, (stored, list(forth), list(back))
        with_token = [index for index, block in forth.items() if "FirstBlockToken" in block]
        assert with_token == [0, 7, 20, 21, 30, 47], (stored, with_token)
        if stored:
            assert [index for index, block in forth.items() if "SecondBlockToken" in block] == [0, 7, 20, 21, 47, 48, 49, 2047]
        for index, block in forth.items():
            assert read_block(ebs, second, index, block.get("SecondBlockToken")) == bakery.content.get(index, bytes(BLOCK)), index
    assert [tuple(found["BlockIndex"] for found in changed(ebs, at, at).values()) for at in (first, second)] == [(), ()]
    ranges = json.loads(kiln.run("diff", first, second, "--json").stdout)["ranges"]
    assert [index for part in ranges for index in range(part["offset"] // BLOCK, (part["offset"] + part["length"]) // BLOCK)] == expected
    # It is enough: the first disk with these blocks is the second.
    path = exported(kiln, first)
    with open(path, "r+b") as disk:
        for index, block in changed(ebs, first, second).items():
            disk.seek(index * BLOCK)
            disk.write(read_block(ebs, second, index, block.get("SecondBlockToken")))
    made = digest(path)
    assert made == digest(exported(kiln, second))


def test_ED_9_a_generation_in_which_nothing_was_changed(kiln):
    bakery = Bakery(kiln, "same", 8)
    first, second = bakery.bake(), bakery.bake()
    for stored in (False, True):
        if stored:
            kiln.wait_stored(first)
            kiln.wait_stored(second)
        assert changed(kiln.client("ebs"), first, second) == {}
    third = bakery.bake((3 * BLOCK, b"x"))
    kiln.wait_stored(third)
    assert list(changed(kiln.client("ebs"), first, third)) == [3]  # over a generation


def cost(kiln, name, blocks, size, touched):
    """Chunks and nodes that are read for the list of changes, with nothing in memory, and bytes that the second generation takes."""
    bakery = Bakery(kiln, name, blocks, size)
    first = bakery.bake()
    kiln.wait_stored(first)
    before = Used(kiln.data)
    second = bakery.bake(*((index * BLOCK, os.urandom(BLOCK)) for index in touched))
    kiln.wait_stored(second)
    wait_until(lambda: (Used(kiln.data) - before).files <= 0, 60, "the layers of its instance are gone")
    grown = Used(kiln.data) - before
    kiln.restart()
    begun = metric(kiln, "kiln_chunk_reads")
    assert list(changed(kiln.client("ebs"), first, second)) == list(touched)
    read = metric(kiln, "kiln_chunk_reads") - begun
    print(f"{blocks} blocks of data on {size} GiB, {len(touched)} changed: {read} chunks and nodes read, {grown.bytes} bytes more in the store")
    return read, grown.bytes


def test_ED_9_what_it_costs_is_what_was_changed(kiln):
    few = (3, 20, 45)
    small, small_bytes = cost(kiln, "small", 48, 1, few)
    large, large_bytes = cost(kiln, "large", 384, 1, few)
    wide, wide_bytes = cost(kiln, "wide", 48, 16384, few)
    many, many_bytes = cost(kiln, "many", 384, 1, tuple(range(0, 384, 8)))
    # Nodes on the way to what differs, on both sides, and no data; a larger disk has more levels, a node of each on either side.
    assert 0 < small <= 2 * 8 * len(few), small
    assert large <= small + 2 * len(few) and wide <= small + 2 * 4 * len(few), (small, large, wide)
    assert many <= 2 * 8 * 48 and many > large, (many, large)
    # And so with what is stored: what was written, and as much again for nodes and packs at the most.
    for name, taken, changes in (("small", small_bytes, 3), ("large", large_bytes, 3), ("wide", wide_bytes, 3), ("many", many_bytes, 48)):
        assert changes * BLOCK <= taken <= changes * BLOCK + changes * BLOCK // 2 + MIB, (name, taken)


if __name__ == "__main__":
    kiln_test.main(seconds=240)
