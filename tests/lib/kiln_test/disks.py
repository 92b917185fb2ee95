# SPDX-License-Identifier: Apache-2.0
"""Guest images for tests, and a look into disks from outside."""

import hashlib
import os
import subprocess
import tempfile

from .paths import ROOT, TEMPORARY

# guests/lib/mkdisk.py puts the root file system behind 1 MiB of table, 1 MiB for GRUB and a 4 MiB EFI partition.
ROOT_OFFSET = 6 << 20


def tiny_image():
    """Path of the tiny guest's disk; never write to it."""
    return build_tiny(None, os.path.join(ROOT, "build/guests/tiny.raw"))


def build_tiny(rc_extra, out, agent=False):
    """Builds (if its inputs changed) the tiny guest with the script `rc_extra` run after each start."""
    command = [os.path.join(ROOT, "guests/tiny/build"), "--out", out] + (["--agent"] if agent else [])
    command += ["--rc-extra", rc_extra] if rc_extra else []
    subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True, timeout=300)
    return out


def digest(path):
    """Of where a file has data, and what; holes are passed over, and zeros count as holes."""
    found, at = hashlib.sha256(), 0
    with open(path, "rb") as file:
        end = os.fstat(file.fileno()).st_size
        while at < end:
            try:
                at = os.lseek(file.fileno(), at, os.SEEK_DATA) & ~4095
            except OSError:
                break
            piece = os.pread(file.fileno(), 4096, at)
            if piece.strip(b"\0"):
                found.update(b"%d:" % at + piece)
            at += 4096
    return found.hexdigest()


class Disk:
    """The bytes of a disk at rest, as a raw file, whose root file system begins at `offset`. Immutable."""

    def __init__(self, path, offset=ROOT_OFFSET):
        self.path = path
        self.file_system = f"{path}?offset={offset}" if offset else path

    @staticmethod
    def from_export(socket, export, directory=TEMPORARY):
        """Copies what is served over NBD on a unix socket into a new sparse file in `directory`."""
        handle, path = tempfile.mkstemp(prefix="disk-", suffix=".raw", dir=directory)
        os.close(handle)
        command = ["nbdcopy", "--destination-is-zero", f"nbd+unix:///{export}?socket={socket}", path]
        subprocess.run(command, stdin=subprocess.DEVNULL, check=True, timeout=120)
        return Disk(path)

    def read_file(self, name):
        """One file of the root file system, through debugfs; the journal is not replayed, so end the guest orderly."""
        return self._debugfs(f"cat {name}")

    def needs_recovery(self):
        """Whether the root file system's journal has to be replayed, as after a loss of power."""
        return "needs_recovery" in self._debugfs("features")

    def check(self):
        """Fails unless e2fsck finds the root file system clean."""
        command = ["/sbin/e2fsck", "-fn", self.file_system]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode != 0:
            raise AssertionError(f"e2fsck: exit {done.returncode}\n{done.stdout}{done.stderr}")

    def _debugfs(self, request):
        command = ["/sbin/debugfs", "-R", request, self.file_system]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
        complaints = [line for line in done.stderr.splitlines() if line and not line.startswith("debugfs 1.")]
        if done.returncode != 0 or complaints:
            raise AssertionError(f"debugfs {request}: {done.stderr.strip()}")
        return done.stdout
