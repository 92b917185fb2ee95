# SPDX-License-Identifier: Apache-2.0
"""Image trees: docs/formats/tree.md. `Root` and `Node` are records; `Tree` reads a content's bytes out of packs."""

import hashlib

from .binary import Damage, Fields
from .pack import CHUNK, NODE, ROOT

ABSENT = bytes(32)


def _power(value, low, high):
    return low <= value <= high and value & (value - 1) == 0


class Root:
    """A root record."""

    def __init__(self, where, data, base=0):
        fields = Fields(where, data, base)
        fields.need(96, "the root record")
        if len(data) != 96:
            fields.fail(96, "bytes behind the root record")
        fields.expect(0, 8, b"KILNROOT", "the magic")
        fields.checked(12, 96, "the root record")
        fields.expect(8, 4, b"\1\0\0\0", "version and flags")
        self.size, self.chunk_bytes = fields.number(16, "Q"), fields.number(24, "I")
        self.leaf_chunks, self.fanout = fields.number(28, "H"), fields.number(30, "H")
        self.height, digest = fields.data[32:34]
        fields.zeros(34, 6)
        self.domain, self.top = fields.data[40:56], fields.data[56:88]
        fields.zeros(88, 8)
        if digest != 1:
            fields.fail(33, f"digest {digest} is not known")
        if not (_power(self.chunk_bytes, 4096, 1 << 20) and _power(self.leaf_chunks, 1, 64) and _power(self.fanout, 2, 128)):
            fields.fail(24, "the geometry breaks the rules")
        if not 1 <= self.height <= 8 or self.span(self.height) > 1 << 62:
            fields.fail(32, "the height breaks the rules")
        if not 1 <= self.size <= self.span(self.height):
            fields.fail(16, f"size {self.size} is outside of the geometry")

    def span(self, level):
        """Bytes under a whole node of this level."""
        return self.chunk_bytes * self.leaf_chunks * self.fanout**level

    def slots(self, level):
        return self.fanout if level else self.leaf_chunks

    def lines(self):
        geometry = f"chunks of {self.chunk_bytes}, {self.leaf_chunks} in a leaf, fan-out {self.fanout}, height {self.height}"
        yield f"root: {self.size} bytes, {geometry}, domain {self.domain.hex()}"
        yield f"top node {self.top.hex() if self.top != ABSENT else 'absent: all zeros'}"


class Node:
    """A node or leaf: `ids` by slot."""

    def __init__(self, where, data, base=0):
        fields = Fields(where, data, base)
        fields.need(24, "the node")
        self.level, version = fields.data[:2]
        count, self.slots = fields.number(2, "H"), fields.number(4, "I")
        if self.level > 8 or version != 1:
            fields.fail(0, f"level {self.level}, version {version} is not known")
        if not _power(self.slots, 1, 64 if self.level == 0 else 128):
            fields.fail(4, f"{self.slots} slots cannot be")
        bitmap = int.from_bytes(fields.data[8:24], "little")
        if bitmap >> self.slots or bin(bitmap).count("1") != count or not count:
            fields.fail(8, "the bitmap does not agree with the number of ids")
        if len(data) != 24 + 32 * count:
            fields.fail(24, f"{len(data) - 24} bytes of ids, not {32 * count}")
        places = [slot for slot in range(self.slots) if bitmap >> slot & 1]
        self.ids = {slot: fields.data[24 + 32 * n : 56 + 32 * n] for n, slot in enumerate(places)}
        if ABSENT in self.ids.values():
            fields.fail(24, "the id of nothing")

    def lines(self):
        yield f"{'node' if self.level else 'leaf'} of level {self.level}, {len(self.ids)} of {self.slots} slots"
        for slot, name in self.ids.items():
            yield f"{slot:>9} {name.hex()}"


class Objects:
    """The entries of many packs by id. Immutable."""

    def __init__(self, packs):
        self.entries = {(entry.type, entry.id): (pack, entry) for pack in packs for entry in pack.entries}

    def get(self, kind, name):
        if (kind, name) not in self.entries:
            raise Damage("the packs", 0, f"no entry of type {kind} with id {name.hex()}")
        pack, entry = self.entries[(kind, name)]
        return pack.where, pack.plain(entry), entry.offset + 64


class Tree:
    """The bytes of a destaged content, by its root digest."""

    def __init__(self, objects, root_digest):
        self.objects = objects
        where, record, offset = objects.get(ROOT, root_digest)
        if hashlib.sha256(record).digest() != root_digest:
            raise Damage(where, offset, "the root record is not the one of its digest")
        self.root = Root(where, record, offset)
        self.size = self.root.size

    def chunks(self):
        """(offset, bytes) of every chunk that is there, ascending; the last may be longer than the content."""
        if self.root.top != ABSENT:
            yield from self._under(self.root.height, self.root.top, 0)

    def _under(self, level, name, start):
        where, data, offset = self.objects.get(NODE, name)
        node = Node(where, data, offset)
        if node.level != level or node.slots != self.root.slots(level):
            raise Damage(where, offset, f"level {node.level} with {node.slots} slots where level {level} should be")
        step = self.root.span(level - 1) if level else self.root.chunk_bytes
        for slot, child in node.ids.items():
            place = start + slot * step
            if place >= self.size:
                raise Damage(where, offset, f"slot {slot} lies behind the content's end")
            if level:
                yield from self._under(level - 1, child, place)
            else:
                yield place, self._chunk(child, place)

    def _chunk(self, name, place):
        where, data, offset = self.objects.get(CHUNK, name)
        if len(data) != self.root.chunk_bytes:
            raise Damage(where, offset, f"a chunk of {len(data)} bytes")
        if not any(data):
            raise Damage(where, offset, "a chunk of zeros is kept")
        if any(data[max(0, self.size - place) :]):
            raise Damage(where, offset, "data behind the content's end")
        return data
