# SPDX-License-Identifier: Apache-2.0
"""Writes an initial RAM file system (cpio "newc", gzip). Everything belongs to root and carries one time stamp, so equal
inputs give equal bytes; no cpio program and no privileges are needed."""

import gzip
import stat


class Initramfs:
    """Collects entries, then `pack()` returns the archive. Parents must be added before their children."""

    def __init__(self, mtime):
        self._mtime = mtime
        self._inode = 0
        self._parts = []

    def directory(self, path):
        self._add(path, stat.S_IFDIR | 0o755, b"")

    def file(self, path, data, mode=0o644):
        self._add(path, stat.S_IFREG | mode, data)

    def symlink(self, path, target):
        self._add(path, stat.S_IFLNK | 0o777, target.encode())

    def pack(self):
        self._add("TRAILER!!!", 0, b"")
        archive = b"".join(self._parts)
        # Level 1: the guest unpacks it under emulation, and GRUB reads it slowly; the sizes hardly differ.
        return gzip.compress(archive, compresslevel=1, mtime=self._mtime)

    def _add(self, path, mode, data):
        self._inode += 1
        name = path.encode() + b"\0"
        links = 2 if stat.S_ISDIR(mode) else 1
        fields = [self._inode, mode, 0, 0, links, self._mtime, len(data), 0, 0, 0, 0, len(name), 0]
        header = b"070701" + b"".join(b"%08X" % value for value in fields)
        self._parts.append(_padded(header + name) + _padded(data))


def _padded(data):
    return data + b"\0" * (-len(data) % 4)
