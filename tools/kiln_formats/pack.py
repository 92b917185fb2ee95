# SPDX-License-Identifier: Apache-2.0
"""Packs: docs/formats/pack.md. `Pack` reads one whole, every check sum and every id."""

import hashlib
import struct

from . import codecs
from .binary import MIB, Damage, Fields

HEADER, ENTRY, ROW, FENCE, TRAILER = 128, 64, 48, 1024, 64
CHUNK, NODE, ROOT = 1, 2, 3
TYPES = {CHUNK: "chunk", NODE: "node", ROOT: "root"}
CODECS = {0: "none", 1: "lz4", 2: "zstd"}
KINDS = {1: "data", 2: "node"}


class Entry:
    """A row of the footer: where an id lies."""

    def __init__(self, fields, at):
        self.id = fields.data[at : at + 32]
        self.offset, self.stored_bytes, self.plain_bytes = struct.unpack_from("<III", fields.data, at + 32)
        self.type, self.codec, self.enc, reserved = fields.data[at + 44 : at + 48]
        if self.type not in TYPES or self.codec not in CODECS or self.enc or reserved:
            fields.fail(at + 44, f"type {self.type}, codec {self.codec}, enc {self.enc}, reserved {reserved} is not known")
        if not self.stored_bytes or not 1 <= self.plain_bytes <= MIB:
            fields.fail(at + 36, f"{self.stored_bytes} stored, {self.plain_bytes} plain bytes cannot be")
        if self.type != CHUNK and self.codec:
            fields.fail(at + 45, "a node or root record is compressed")


class Pack:
    """All of a pack, checked; `plain` gives the bytes of an entry."""

    def __init__(self, where, data):
        self.where, self.data = where, bytes(data)
        if len(data) > 64 * MIB:
            raise Damage(where, 64 * MIB, "a pack is at most 64 MiB long")
        self._read_header()
        self._read_footer()
        self._read_entries()

    def _read_header(self):
        fields = Fields(self.where, self.data[:HEADER])
        fields.need(HEADER, "the header")
        fields.expect(0, 8, b"KILNPACK", "the magic")
        fields.checked(12, HEADER, "the header")
        fields.expect(8, 4, struct.pack("<HH", 1, 0), "version and features")
        self.store = fields.text(16, 40, "the store uuid")
        self.kind, self.digest = fields.data[56:58]
        if self.kind not in KINDS or self.digest != 1:
            fields.fail(56, f"kind {self.kind}, digest {self.digest} is not known")
        fields.zeros(58, 6)
        self.domain, self.id = fields.data[64:80], fields.data[80:96]
        self.epoch = fields.number(96, "Q")
        fields.zeros(104, 24)

    def _read_footer(self):
        end = len(self.data)
        trailer = Fields(self.where, self.data[max(0, end - TRAILER) :], max(0, end - TRAILER))
        trailer.need(TRAILER, "the trailer")
        trailer.expect(56, 8, b"KILNPEND", "the magic at the end")
        count, size, self.footer_offset = struct.unpack_from("<IIQ", trailer.data)
        if not 1 <= count <= 4096 or size != HEADER + count * ROW + FENCE + TRAILER or self.footer_offset + size != end:
            trailer.fail(0, f"{count} entries, footer of {size} bytes at {self.footer_offset} cannot be")
        footer = Fields(self.where, self.data[self.footer_offset :], self.footer_offset)
        body = footer.data[:-TRAILER]
        if hashlib.sha256(body + trailer.data[:16]).digest() != trailer.data[16:48]:
            trailer.fail(16, "SHA-256 of the footer is another")
        if trailer.number(48, "H") != 1:
            trailer.fail(48, f"version {trailer.number(48, 'H')} is not known")
        trailer.zeros(50, 6)
        if footer.data[:HEADER] != self.data[:HEADER]:
            footer.fail(0, "the copy of the header differs")
        self.entries = [Entry(footer, HEADER + n * ROW) for n in range(count)]
        if any(a.id >= b.id for a, b in zip(self.entries, self.entries[1:])):
            footer.fail(HEADER, "ids do not ascend")
        fence = struct.unpack_from("<256I", footer.data, HEADER + count * ROW)
        if list(fence) != [sum(e.id[0] <= first for e in self.entries) for first in range(256)]:
            footer.fail(HEADER + count * ROW, "the fence does not count the entries")

    def _read_entries(self):
        place = HEADER
        for entry in sorted(self.entries, key=lambda e: e.offset):
            if entry.offset != place:
                raise Damage(self.where, place, f"the next entry begins at {entry.offset}: entries have no gaps")
            place += ENTRY + entry.stored_bytes
            self._check_entry(entry)
        if place != self.footer_offset:
            raise Damage(self.where, place, "a gap before the footer")

    def _check_entry(self, entry):
        fields = Fields(self.where, self.data[entry.offset : min(entry.offset + ENTRY + entry.stored_bytes, self.footer_offset)], entry.offset)
        fields.need(ENTRY + entry.stored_bytes, "an entry")
        fields.checked(56, len(fields.data), "the entry")
        said = entry.id + bytes((entry.type, entry.codec, entry.enc, 0)) + struct.pack("<II", entry.stored_bytes, entry.plain_bytes)
        fields.expect(0, 44, said, "what the entry says of itself")
        fields.zeros(44, 12, "the nonce's bytes")
        fields.zeros(60, 4)
        if (entry.type == CHUNK) != (self.kind == 1):
            fields.fail(32, f"a {TYPES[entry.type]} in a {KINDS[self.kind]} pack")
        if hashlib.sha256(self.plain(entry)).digest() != entry.id:
            fields.fail(ENTRY, f"the bytes are not those of id {entry.id.hex()}")

    def plain(self, entry):
        start = entry.offset + ENTRY
        stored = self.data[start : start + entry.stored_bytes]
        try:
            plain = (lambda s, n: s, codecs.lz4_block, codecs.zstd_frame)[entry.codec](stored, entry.plain_bytes)
        except ValueError as error:
            raise Damage(self.where, start, str(error)) from None
        if len(plain) != entry.plain_bytes:
            raise Damage(self.where, start, f"{len(plain)} bytes stored plainly, not {entry.plain_bytes}")
        return plain

    def lines(self):
        """What tools/dump prints."""
        yield f"pack {self.id.hex()} store {self.store} kind {KINDS[self.kind]} epoch {self.epoch} domain {self.domain.hex()}"
        for entry in sorted(self.entries, key=lambda e: e.offset):
            sizes = f"{entry.stored_bytes} stored, {entry.plain_bytes} plain"
            yield f"{entry.offset:>9} {TYPES[entry.type]:<5} {entry.id.hex()} {CODECS[entry.codec]}: {sizes}"
        yield f"{self.footer_offset:>9} footer: {len(self.entries)} entries, SHA-256 holds; {len(self.data)} bytes in all"
