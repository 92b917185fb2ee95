# SPDX-License-Identifier: Apache-2.0
"""The check sums of a sealed layer's data: docs/formats/layer.md, "Check sums of data"."""

import struct

from .binary import BLOCK, Damage, Fields, crc32c

PAGE_BLOCKS = 1023


class DataCrcs:
    """The file d-LAYER.crc. A page is looked at when a block of it is asked for."""

    def __init__(self, where, data):
        self.where, self.data = where, bytes(data)
        fields = Fields(where, self.data[:BLOCK])
        fields.need(BLOCK, "a header of check sums")
        fields.expect(0, 8, b"KILNDCRC", "the magic")
        fields.checked(12, BLOCK, "the header")
        if fields.number(8, "H") != 1:
            fields.fail(8, f"version {fields.number(8, 'H')} is not known")
        fields.zeros(10, 2, "flags")
        fields.zeros(196, BLOCK - 196)
        self.store, self.volume, self.layer = fields.text(16, 40, "store"), fields.text(56, 64, "volume"), fields.text(120, 64, "layer")
        self.size, self.seed = fields.number(184, "Q"), self.data[12:16]
        if not self.size or self.size % BLOCK or fields.number(192, "I") != PAGE_BLOCKS:
            fields.fail(184, f"size {self.size}, {fields.number(192, 'I')} blocks in a page")
        self.pages = -(-(self.size // BLOCK) // PAGE_BLOCKS)
        if len(self.data) != BLOCK * (1 + self.pages):
            raise Damage(where, len(self.data), f"the file has to be {BLOCK * (1 + self.pages)} bytes long")
        self._checked = {}

    def page(self, number):
        """The crcs of the page's blocks, 0 for those that had no data."""
        if number not in self._checked:
            base = BLOCK * (1 + number)
            found = self.data[base : base + BLOCK]
            if struct.unpack_from("<I", found)[0] != crc32c(self.seed, struct.pack("<Q", number), found[4:]):
                raise Damage(self.where, base, f"crc32c of page {number} is wrong")
            self._checked[number] = struct.unpack_from(f"<{PAGE_BLOCKS}I", found, 4)
        return self._checked[number]

    def check(self, where, place, block, data):
        """`data` is of that block, and lies at `place` of the file `where`."""
        if self.page(block // PAGE_BLOCKS)[block % PAGE_BLOCKS] != crc32c(data):
            raise Damage(where, place, f"block {block} of the layer does not have its check sum")

    def blocks(self, first, count):
        """Those of the range that have a check sum. (A crc of 0 is taken for none here.)"""
        for number in range(first // PAGE_BLOCKS, -(-(first + count) // PAGE_BLOCKS)):
            base = BLOCK * (1 + number)
            if not any(self.data[base : base + BLOCK]):
                continue  # no data in this page's range
            for n, crc in enumerate(self.page(number)):
                if crc and first <= number * PAGE_BLOCKS + n < first + count:
                    yield number * PAGE_BLOCKS + n

    def lines(self):
        yield f"check sums of the data of layer {self.layer} of volume {self.volume} in store {self.store}: {self.size} bytes"
        for number in range(self.pages):
            base = BLOCK * (1 + number)
            if any(self.data[base : base + BLOCK]):
                crcs = self.page(number)
                yield f"{base:>9} page {number}, blocks from {number * PAGE_BLOCKS}, {sum(map(bool, crcs))} check sums"
