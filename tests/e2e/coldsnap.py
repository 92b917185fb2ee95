#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""coldsnap, unmodified: disks go up and come down byte for byte, and an image that was uploaded can be launched."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test.paths import ROOT, clean_environment  # noqa: E402

PROGRAM = os.path.join(ROOT, "build/coldsnap/bin/coldsnap")
MIB = 1 << 20
GIB = 1 << 30


@kiln_test.fixture
def service():
    if not os.path.exists(PROGRAM):
        raise kiln_test.Skip("coldsnap is not there: tools/build-coldsnap makes it")
    with kiln_test.Kiln("--hypervisor", "fake") as kiln:
        yield kiln


def coldsnap(kiln, *words, check=True):
    environment = clean_environment(
        HOME=kiln.home, AWS_ACCESS_KEY_ID=kiln.access_key, AWS_SECRET_ACCESS_KEY=kiln.secret_key, AWS_EC2_METADATA_DISABLED="true"
    )
    command = [PROGRAM, "--endpoint", kiln.endpoint, "--region", kiln.region, *words]
    done = subprocess.run(
        command, env=environment, cwd=kiln.home, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False
    )
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


def write_disk(path, size):
    """Data at both ends, in the middle, and holes."""
    with open(path, "wb") as disk:
        disk.write(os.urandom(40 * MIB + 12345))
        disk.seek(size // 2 - 4096)
        disk.write(os.urandom(8192))
        disk.seek(size - 70000)
        disk.write(os.urandom(70000))


def same(path, other, size):
    """The other file begins as this one, and goes on with zeros to the gibibyte."""
    with open(path, "rb") as one, open(other, "rb") as two:
        for _ in range(0, size, MIB):
            piece = one.read(MIB)
            assert two.read(len(piece)) == piece
        rest = two.read()
        assert rest.count(0) == len(rest)
        assert two.tell() % GIB == 0


def upload(kiln, path, *options):
    done = coldsnap(kiln, "upload", "--no-progress", "--wait", *options, path)
    (snapshot,) = [word for word in done.stdout.split() if word.startswith("snap-") and word[5:].isalnum()][-1:]
    return snapshot


def test_a_disk_goes_up_and_comes_down(service):
    """S85, S88"""
    size = 1536 * MIB + 3 * 4096  # not whole blocks, nor whole gibibytes
    up, down = os.path.join(service.home, "up.raw"), os.path.join(service.home, "down.raw")
    write_disk(up, size)
    snapshot = upload(service, up, "--description", "by coldsnap")
    (seen,) = service.client("ec2").describe_snapshots(SnapshotIds=[snapshot])["Snapshots"]
    assert seen["State"] == "completed" and seen["VolumeSize"] == 2 and seen["Description"] == "by coldsnap", seen
    for _ in range(2):
        coldsnap(service, "download", "--no-progress", "--force", snapshot, down)
        same(up, down, size)
        service.wait_stored(snapshot)


def test_over_a_parent_without_zeros(service):
    """ED-4"""
    size = 64 * MIB
    up, down = os.path.join(service.home, "parent.raw"), os.path.join(service.home, "child.raw")
    write_disk(up, size)
    parent = upload(service, up, "--omit-zero-blocks")
    with open(up, "r+b") as disk:
        disk.seek(3 * MIB)
        disk.write(os.urandom(MIB))
    child = upload(service, up, "--omit-zero-blocks", "--parent-snapshot-id", parent)
    coldsnap(service, "download", "--no-progress", child, down)
    same(up, down, size)
    changed = service.client("ebs").list_changed_blocks(FirstSnapshotId=parent, SecondSnapshotId=child)["ChangedBlocks"]
    assert [b["BlockIndex"] for b in changed] == [6, 7], changed


def test_what_was_imported_comes_down(service):
    path, down = os.path.join(service.home, "disk.raw"), os.path.join(service.home, "imported.raw")
    write_disk(path, 200 * MIB)
    service.run("import", path, "--name", "disk")
    (image,) = service.client("ec2").describe_images(Owners=["self"])["Images"]
    coldsnap(service, "download", "--no-progress", image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"], down)
    same(path, down, 200 * MIB)


def test_mistakes_are_told(service):
    done = coldsnap(service, "download", "--no-progress", "snap-0123456789abcdef0", os.path.join(service.home, "none"), check=False)
    assert done.returncode != 0 and "snap-0123456789abcdef0" in done.stderr, done


if __name__ == "__main__":
    kiln_test.main(seconds=600)
