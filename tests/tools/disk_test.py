#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The guest builder: its disk is what docs/internals/guests.md says, and is built again only when something changed."""

import os
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test.paths import ROOT  # noqa: E402

SECTOR = 512


def test_the_tiny_disk_has_the_three_partitions():
    with open(kiln_test.tiny_image(), "rb") as disk:
        assert disk.read(SECTOR)[510:] == b"\x55\xaa"
        header = disk.read(SECTOR)
        assert header[:8] == b"EFI PART"
        disk.seek(2 * SECTOR)
        table = disk.read(128 * 128)
    starts = {}
    for index in range(128):
        entry = table[index * 128 : (index + 1) * 128]
        if any(entry[:16]):
            starts[index + 1] = struct.unpack("<Q", entry[32:40])[0] * SECTOR
    assert starts == {1: 6 << 20, 14: 1 << 20, 15: 2 << 20}, starts


def test_the_root_file_system_is_clean_and_belongs_to_root():
    disk = kiln_test.Disk(kiln_test.tiny_image())
    disk.check()
    assert disk.read_file("/etc/passwd").startswith("root:x:0:0:")
    assert disk.read_file("/sbin/init").startswith("#!/bin/sh\n")
    assert "linux /boot/vmlinuz root=UUID=" in disk.read_file("/boot/grub/grub.cfg")
    owners = subprocess.run(
        ["/sbin/debugfs", "-R", "ls -l /sbin", f"{disk.path}?offset={6 << 20}"], capture_output=True, text=True, check=True
    ).stdout
    # inode, mode, (links), uid, gid
    rows = [line.split() for line in owners.splitlines() if line.strip()]
    assert rows and all(row[3:5] == ["0", "0"] for row in rows), owners


def test_a_script_given_as_rc_extra_is_on_the_disk_and_changes_are_noticed():
    with tempfile.TemporaryDirectory(prefix="kt-") as folder:
        script, out = os.path.join(folder, "extra"), os.path.join(folder, "disk.raw")
        for text in ("#!/bin/sh\necho one\n", "#!/bin/sh\necho two\n"):
            with open(script, "w", encoding="ascii") as file:
                file.write(text)
            kiln_test.build_tiny(script, out)
            assert kiln_test.Disk(out).read_file("/etc/rc.extra") == text
        before = os.stat(out)
        kiln_test.build_tiny(script, out)
        assert os.stat(out).st_ino == before.st_ino, "an unchanged disk was built again"


def test_without_privileges_the_disk_is_the_same():
    if os.geteuid() != 0:
        raise kiln_test.Skip("runs without privileges already: every other test here shows it")
    with tempfile.TemporaryDirectory(prefix="kt-") as folder:
        os.chmod(folder, 0o777)
        code = (
            "import sys; sys.dont_write_bytecode = True; sys.path.insert(0, sys.argv[1]); import mkdisk, os\n"
            "tree = sys.argv[2] + '/tree'; os.makedirs(tree + '/sbin'); open(tree + '/sbin/init', 'w').close()\n"
            "mkdisk.make_disk(tree, sys.argv[2] + '/disk.raw', 16, mkdisk.DiskIds('x'), '/k', None, '')\n"
        )
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "/usr/bin/python3", "-c", code]
        done = subprocess.run(
            command + [os.path.join(ROOT, "guests/lib"), folder], capture_output=True, text=True, timeout=60, check=False
        )
        if "unshare" in done.stderr and done.returncode != 0:
            raise kiln_test.Skip("this host allows no user namespaces: " + done.stderr.strip().splitlines()[-1])
        assert done.returncode == 0, done.stderr
        listing = subprocess.run(
            ["/sbin/debugfs", "-R", "ls -l /sbin", f"{folder}/disk.raw?offset={6 << 20}"], capture_output=True, text=True
        ).stdout
        rows = [line.split() for line in listing.splitlines() if line.strip()]
        assert rows and all(row[3:5] == ["0", "0"] for row in rows), listing


if __name__ == "__main__":
    kiln_test.main()
