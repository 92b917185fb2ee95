# SPDX-License-Identifier: Apache-2.0
"""Backups: docs/formats/backup.md. `Backup` reads one whole; `files` maps a path to its size and pieces."""

import hashlib
import re
import struct

from .binary import MIB, Damage, Fields, crc32c

NAME = r"[A-Za-z0-9_-][A-Za-z0-9._-]*"
PATHS = re.compile(rf"catalog\.sqlite|credentials|config|(layers|objects)/{NAME}|instances/{NAME}/{NAME}")


class Backup:
    """`files`: path -> (size, [(offset in it, bytes)]), in the order of the stream."""

    def __init__(self, where, data):
        self.where, self.data, self.files, self.told = where, memoryview(bytes(data)), {}, []
        Fields(where, self.data[:8]).expect(0, 8, b"KILNBAK1", "the magic")
        place = 8
        while True:
            kind, value, payload, end = self._record(place)
            if kind == b"E":
                break
            (self._file if kind == b"F" else self._piece)(place, value, payload)
            place = end
        self._end(place, value, payload, end)

    def _record(self, place):
        fields = Fields(self.where, self.data[place : place + 16], place)
        fields.need(16, "a record")
        kind, length, value = fields.data[:1], fields.number(4, "I"), fields.number(8, "Q")
        if kind not in (b"F", b"D", b"E") or length > MIB:
            fields.fail(0, f"a record of type {kind!r} with {length} bytes")
        fields.zeros(1, 3)
        whole = Fields(self.where, self.data[place : place + 20 + length], place)
        whole.need(20 + length, "a record")
        if crc32c(whole.data[:-4]) != whole.number(16 + length, "I"):
            whole.fail(16 + length, "crc32c of the record is another")
        return kind, value, whole.data[16:-4], place + 20 + length

    def _file(self, place, size, payload):
        path = payload.decode("ascii", "replace")
        if len(payload) > 255 or not PATHS.fullmatch(path) or path in self.files:
            raise Damage(self.where, place, f"the path {path!r} cannot be, or comes again")
        if "catalog.sqlite" in self.files:
            raise Damage(self.where, place, "a file behind the catalog")
        self.files[path] = (size, [])
        self.told.append((place, f"F {path}, {size} bytes"))

    def _piece(self, place, offset, payload):
        if not self.files or not payload:
            raise Damage(self.where, place, "data without a file, or none")
        size, pieces = self.files[list(self.files)[-1]]
        last = pieces[-1][0] + len(pieces[-1][1]) if pieces else 0
        if offset < last or offset + len(payload) > size:
            raise Damage(self.where, place, f"data at {offset} leaves the file or overlaps")
        pieces.append((offset, payload))
        self.told.append((place, f"D at {offset}, {len(payload)} bytes"))

    def _end(self, place, count, payload, end):
        if count != len(self.files) or "catalog.sqlite" not in self.files:
            raise Damage(self.where, place, f"{len(self.files)} files and not {count}, or no catalog")
        if payload != hashlib.sha256(self.data[:place]).digest():
            raise Damage(self.where, place, "SHA-256 of the backup is another")
        if end != len(self.data):
            raise Damage(self.where, end, "something follows the end")
        self.told.append((place, f"E {count} files, SHA-256 holds"))

    def content(self, path):
        """A file's bytes; only for those that fit into memory."""
        size, pieces = self.files[path]
        out = bytearray(size)
        for offset, payload in pieces:
            out[offset : offset + len(payload)] = payload
        return bytes(out)

    def lines(self):
        yield f"backup of {len(self.files)} files, {len(self.data)} bytes"
        yield from (f"{place:>9} {text}" for place, text in self.told)


def extents(where, data):
    """(offset, bytes) of an extent stream (docs/formats/extent-stream.md), then (size, b"")."""
    Fields(where, data[:8]).expect(0, 8, b"KILNEXT1", "the magic")
    place, last = 8, 0
    while True:
        fields = Fields(where, data[place : place + 12], place)
        fields.need(12, "an extent")
        offset, length = struct.unpack("<QI", fields.data)
        if length == 0:
            break
        payload = data[place + 12 : place + 12 + length]
        if offset % 4096 or offset < last or last % 4096 or length > 4 * MIB or len(payload) != length:
            fields.fail(0, f"an extent of {length} bytes at {offset} cannot be")
        yield offset, payload
        place, last = place + 12 + length, offset + length
    # Only the extent at the end of the disk may end within a block.
    if offset < last or (last % 4096 and offset != last):
        fields.fail(0, f"a disk of {offset} bytes ends before its data, or after a part of a block")
    if place + 12 != len(data):
        raise Damage(where, place + 12, "something follows the end")
    yield offset, b""


def extent_lines(where, data):
    found = list(extents(where, data))
    yield f"extent stream of a disk of {found[-1][0]} bytes, {len(found) - 1} extents"
    yield from (f"{offset:>9} {len(payload)} bytes" for offset, payload in found[:-1])


def record(kind, value, payload):
    """The bytes of a record, for those who write."""
    body = kind + bytes(3) + struct.pack("<IQ", len(payload), value) + payload
    return body + struct.pack("<I", crc32c(body))
