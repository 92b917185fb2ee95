# SPDX-License-Identifier: Apache-2.0
"""The map file of a layer: docs/formats/layer.md. Its superblock, and the checkpointed presence of blocks that it leads to."""

import struct

from .binary import BLOCK, Damage, Fields, crc32c, round_up

MAP_PAGES, DATA_CRC, MAP_MOVED, DATA_LOGGED = 1, 2, 16, 32
NOTHING = bytes(16)
ABSENT, DATA, ZERO = 0, 1, 2


class Unsupported(Damage):
    """Of a newer program: such a slot must not be hidden by an older one beside it."""


class Superblock:
    """One slot; raises Damage where it is none."""

    def __init__(self, where, data, base):
        self.fields = fields = Fields(where, data[base : base + BLOCK], base)
        fields.need(BLOCK, "a superblock")
        fields.expect(0, 8, b"KILNLAYR", "the magic")
        fields.checked(12, BLOCK, "the superblock")
        self.features = fields.number(10, "H")
        if fields.number(8, "H") != 1 or self.features & ~(MAP_PAGES | DATA_CRC | MAP_MOVED | DATA_LOGGED):
            raise Unsupported(where, base + 8, f"version {fields.number(8, 'H')}, features {self.features:#x} are not known")
        self.store, self.volume, self.layer = fields.text(16, 40, "store"), fields.text(56, 64, "volume"), fields.text(120, 64, "layer")
        self.size, self.shard_bytes, self.generation = fields.number(184, "Q"), fields.number(200, "Q"), fields.number(208, "Q")
        self.page_blocks = fields.number(196, "I")
        self.boot = fields.text(216, 40, "boot id")
        self.max_ring_bytes, self.head, self.head_seq = struct.unpack_from("<QQQ", fields.data, 296)
        self.prev_crc = fields.number(320, "I")
        self.floor_seq = fields.number(328, "Q")
        self.directory_pages = fields.number(336, "I")
        self.root_entry = fields.data[344:360]
        self.ring_bytes = fields.number(360, "Q") if self.features & MAP_PAGES else self.max_ring_bytes
        self.map_start, self.map_room = fields.number(368, "Q"), fields.number(376, "I")
        self.check()

    def check(self):
        """The rules of the fields; a slot that breaks them is none."""
        fields, ring = self.fields, self.ring_bytes
        if fields.number(192, "I") != BLOCK or not self.shard_bytes or self.shard_bytes % BLOCK or self.shard_bytes > 16 << 40:
            fields.fail(192, "the sizes of blocks or shards break the rules")
        if not self.page_blocks or self.page_blocks % 64 or self.page_blocks > 1 << 24:
            fields.fail(196, f"{self.page_blocks} blocks in a page")
        if not self.size or self.size % BLOCK or self.size > 64 << 40:
            fields.fail(184, f"size {self.size} breaks the rules")
        if not self.volume or not self.layer or not self.generation or not self.head_seq:
            fields.fail(56, "an id is empty, or generation or sequence number is 0")
        for at in (268, 324, 340):
            fields.zeros(at, 4)
        if not self.features & MAP_MOVED:
            fields.zeros(368, 12, "fields of map_moved")
        elif not self.features & MAP_PAGES or self.map_start % BLOCK or not 2 * BLOCK <= self.map_start <= 1 << 48 or self.map_room > 65536:
            fields.fail(368, f"a map at {self.map_start} with room for {self.map_room} directories")
        fields.zeros(380, BLOCK - 380)
        if ring % 512 or not 2048 <= ring <= self.max_ring_bytes <= 1 << 30 or self.max_ring_bytes % 512:
            fields.fail(360, f"a ring of {ring} of {self.max_ring_bytes} bytes")
        if self.head % 8 or self.head >= ring:
            fields.fail(304, f"the head is at {self.head} in a ring of {ring}")
        if not self.features & MAP_PAGES:
            fields.zeros(336, 32, "fields of map_pages")
            fields.zeros(304, 8, "the head's bytes")
        elif not 1 <= self.directory_pages <= 65536:
            fields.fail(336, f"{self.directory_pages} pages in a directory")
        if fields.number(264, "I"):
            raise Unsupported(fields.where, fields.base + 264, "the layer is encrypted")


class Map:
    """The valid superblock with the higher generation, and the presence of blocks as of its checkpoint: `state(block)`.
    `remarks` tells what a crash or damage has left in slots that are not in force."""

    def __init__(self, where, data):
        self.where, self.data, self.remarks = where, bytes(data), []
        found = []
        for base in (0, BLOCK):
            try:
                found.append(Superblock(where, self.data, base))
            except Unsupported:
                raise
            except Damage as damage:
                if any(self.data[base : base + BLOCK]):
                    self.remarks.append(str(damage))
        if not found:
            raise Damage(where, 0, f"no valid superblock: {'; '.join(self.remarks) or 'all zeros'}")
        self.head = max(found, key=lambda block: block.generation)
        for block in found:
            if block.fields.base != (block.generation - 1) % 2 * BLOCK:
                raise Damage(where, block.fields.base + 208, f"generation {block.generation} is in the other's slot")
        self.pages = {}
        self.places = []  # (offset, size, text) of the slots that are in force
        if self.head.features & MAP_PAGES:
            self._read_pages()
        elif len(data) != 2 * BLOCK:
            raise Damage(where, len(data), "a map file without pages is 8192 bytes long")

    def _read_pages(self):
        head = self.head
        blocks = head.size // BLOCK
        pages = -(-blocks // head.page_blocks)
        directories = -(-pages // head.directory_pages)
        begin, room = (head.map_start, head.map_room) if head.features & MAP_MOVED else (2 * BLOCK, directories)
        if room < directories:
            head.fields.fail(376, f"room for {room} of {directories} directories")
        root_bytes, dir_bytes = round_up(16 * room, BLOCK), round_up(16 * head.directory_pages, BLOCK)
        page_bytes = round_up(head.page_blocks // 4, BLOCK)
        root, root_gen = self._slot(head.root_entry, head.fields.base + 344, 1, 0, begin, root_bytes, head.generation)
        for n, entry, at in self._entries(root, directories):
            directory, gen = self._slot(entry, at, 2, n, begin + 2 * root_bytes + 2 * n * dir_bytes, dir_bytes, root_gen)
            here = min(head.directory_pages, pages - n * head.directory_pages)
            for m, inner, place in self._entries(directory, here):
                number = n * head.directory_pages + m
                start = begin + 2 * root_bytes + 2 * dir_bytes * room + 2 * number * page_bytes
                page, _ = self._slot(inner, place, 3, number, start, page_bytes, gen)
                self.pages[number] = self._page(page, number, blocks)

    def _slot(self, entry, at, kind, n, start, size, newest):
        """The slot that an entry names, as (its fields, its generation); None where nothing was set."""
        if entry == NOTHING:
            return None, 0
        crc, slot, gen = struct.unpack("<IIQ", entry)
        if slot > 1 or not 1 <= gen <= newest:
            raise Damage(self.where, at, f"an entry names slot {slot} of generation {gen}, at most {newest} can be")
        place = start + slot * size
        fields = Fields(self.where, self.data[place : place + size], place)
        what = f"{('root table', 'directory', 'page')[kind - 1]} {n}"
        fields.need(size, what)
        if crc32c(struct.pack("<QQQ", kind, n, gen), fields.data) != crc:
            fields.fail(0, f"crc32c of {what} is another than its entry at {at} says")
        self.places.append((place, size, f"{what}, slot {slot}, generation {gen}"))
        return fields, gen

    def _entries(self, fields, count):
        if not fields:
            return
        fields.zeros(16 * count, len(fields.data) - 16 * count, "entries behind the last")
        for n in range(count):
            entry = fields.data[16 * n : 16 * n + 16]
            if entry != NOTHING:
                yield n, entry, fields.base + 16 * n

    def _page(self, fields, number, blocks):
        plane = self.head.page_blocks // 8
        data, zero = (int.from_bytes(fields.data[s * plane : s * plane + plane], "little") for s in (0, 1))
        here = min(self.head.page_blocks, blocks - number * self.head.page_blocks)
        if data & zero or (data | zero) >> here:
            fields.fail(0, "a block is both data and zero, or lies behind the layer's end")
        fields.zeros(2 * plane, len(fields.data) - 2 * plane, "bytes behind the planes")
        return [data, zero]

    def apply(self, state, first, count):
        """Blocks become DATA or ZERO."""
        while count:
            number, place = divmod(first, self.head.page_blocks)
            here = min(count, self.head.page_blocks - place)
            mask = ((1 << here) - 1) << place
            data, zero = self.pages.get(number, (0, 0))
            data, zero = (data | mask, zero & ~mask) if state == DATA else (data & ~mask, zero | mask)
            self.pages[number] = [data, zero]
            first, count = first + here, count - here

    def runs(self):
        """(state, first block, count) of the blocks that are not absent, ascending."""
        for number, planes in sorted(self.pages.items()):
            texts = [bin(plane)[:1:-1].ljust(self.head.page_blocks, "0") for plane in planes]
            place = 0
            while place < self.head.page_blocks:
                bits = (texts[0][place], texts[1][place])
                ends = [text.find("10"[int(bit)], place) for text, bit in zip(texts, bits)]
                end = min(e if e >= 0 else self.head.page_blocks for e in ends)
                if bits != ("0", "0"):
                    yield DATA if bits[0] == "1" else ZERO, number * self.head.page_blocks + place, end - place
                place = end

    def lines(self):
        head = self.head
        yield f"map of layer {head.layer} of volume {head.volume} in store {head.store}: {head.size} bytes, shards of {head.shard_bytes}"
        yield f"{head.fields.base:>9} superblock of generation {head.generation}, features {head.features:#x}, boot id {head.boot or 'none'}"
        ring = f"ring of {head.ring_bytes}, at most {head.max_ring_bytes}"
        yield f"{'':>9} journal: head at {head.head}, record {head.head_seq} after crc {head.prev_crc:08x}, floor {head.floor_seq}; {ring}"
        for place, size, text in self.places:
            yield f"{place:>9} {text}, {size} bytes"
        yield from (f"{'':>9} {('', 'data', 'zero')[state]} blocks {first} to {first + count - 1}" for state, first, count in self.runs())
        yield from (f"not in force: {remark}" for remark in self.remarks)
