# SPDX-License-Identifier: Apache-2.0
"""The journal file of a layer: docs/formats/layer.md. `Journal` finds the records from the head on, and where they end."""

import struct

from .binary import BLOCK, Damage, Fields, crc32c

SET, ZERO, FLUSHED, FREEZE, CKPT, BOOT, LOGGED = range(1, 8)
LOGGED_BLOCK = 8 + BLOCK
NAMES = {SET: "SET", ZERO: "ZERO", FLUSHED: "FLUSHED", FREEZE: "FREEZE", CKPT: "CKPT", BOOT: "BOOT", LOGGED: "LOGGED"}


class Record:
    """A record that is consistent by itself."""

    def __init__(self, where, offset, header, payload):
        self.where, self.offset, self.payload = where, offset, payload
        self.seq, _, self.type = struct.unpack_from("<QIB", header)
        self.prev_crc, self.crc = struct.unpack_from("<II", header, 16)
        self.size = len(header) + len(payload)

    def fail(self, what):
        raise Damage(self.where, self.offset, f"record {self.seq}: {what}")

    def check(self, blocks):
        """A chained record that breaks a rule is damage."""
        size = {FLUSHED: 16, FREEZE: 128, CKPT: 8, BOOT: 40}.get(self.type, len(self.payload))
        if len(self.payload) != size or not size:
            self.fail(f"a payload of {len(self.payload)} bytes")
        if self.type in (SET, ZERO):
            for first, count in self.runs():
                if not count or first + count > blocks:
                    self.fail(f"run of {count} blocks at {first} leaves the layer")
        if self.type == LOGGED and (size < 16 + LOGGED_BLOCK or (size - 16) % LOGGED_BLOCK):
            self.fail(f"a payload of {size} bytes")
        if self.type in (FLUSHED, LOGGED) and max(self.numbers()[:2]) >= self.seq:
            self.fail(f"through {self.numbers()[:2]}, which comes later")
        if self.type == LOGGED:
            named = [block for block, _ in self.logged()]
            if named != sorted(set(named)) or named[-1] >= blocks:
                self.fail("its blocks are out of order, or leave the layer")
        if self.type in (FREEZE, BOOT):
            self.texts()

    def runs(self):
        for (run,) in struct.iter_unpack("<Q", self.payload):
            yield run & (1 << 40) - 1, run >> 40

    def numbers(self):
        return struct.unpack(f"<{len(self.payload) // 8}Q", self.payload)

    def logged(self):
        """(block, its data), ascending."""
        for at in range(16, len(self.payload), LOGGED_BLOCK):
            yield int.from_bytes(self.payload[at : at + 8], "little"), self.payload[at + 8 : at + LOGGED_BLOCK]

    def texts(self):
        fields, size = Fields(self.where, self.payload, self.offset + 24), 40 if self.type == BOOT else 64
        return [fields.text(at, size, "a text") for at in range(0, len(self.payload), size)]

    def line(self):
        if self.type in (SET, ZERO):
            said = ", ".join(f"{first}+{count}" for first, count in self.runs())
        elif self.type in (FREEZE, BOOT):
            said = ", ".join(text or "-" for text in self.texts())
        elif self.type == LOGGED:
            said = " ".join(map(str, self.numbers()[:2])) + " with " + ", ".join(str(block) for block, _ in self.logged())
        else:
            said = " ".join(map(str, self.numbers()))
        return f"{self.offset:>9} {self.seq:>6} {NAMES[self.type]:<7} {said}"


class Journal:
    """`records` from the head of `superblock` on; `end` is the offset in the file behind the last. `boot` is this host's boot id,
    or None where the files were taken to another."""

    def __init__(self, where, data, superblock, boot=None):
        self.where, self.data, self.head, self.remarks = where, bytes(data), superblock, []
        self._read_header()
        ring = self.data[BLOCK : BLOCK + superblock.ring_bytes]
        self.ring = ring + bytes(superblock.ring_bytes - len(ring))
        self.records = []
        self._read_records()
        self._judge_end(boot)

    def _read_header(self):
        fields = Fields(self.where, self.data[:BLOCK])
        fields.need(BLOCK, "the header")
        fields.expect(0, 8, b"KILNJRNL", "the magic")
        fields.checked(12, BLOCK, "the header")
        fields.expect(8, 4, b"\1\0\0\0", "version and flags")
        for at, size, name in ((16, 40, "store"), (56, 64, "volume"), (120, 64, "layer")):
            if fields.text(at, size, name) != getattr(self.head, name):
                fields.fail(at, f"another {name} than the map's")
        if fields.number(184, "Q") != self.head.max_ring_bytes:
            fields.fail(184, "another max_ring_bytes than the map's")
        self.seed = fields.number(192, "I")
        fields.zeros(196, BLOCK - 196)

    def _offset(self, place):
        return BLOCK + place % len(self.ring)

    def _bytes(self, place, size):
        place %= len(self.ring)
        first = self.ring[place : place + size]
        return first + self.ring[: size - len(first)]

    def _at(self, place, room):
        """The record at a place, if it is consistent by itself."""
        header = self._bytes(place, 24)
        size = int.from_bytes(header[8:12], "little")
        if room < 24 or size % 8 or size > min(65536, room - 24) or header[12] not in NAMES or any(header[13:16]):
            return None
        record = Record(self.where, self._offset(place), header, self._bytes(place + 24, size))
        return record if record.seq and crc32c(header[:20], record.payload) == record.crc else None

    def _read_records(self):
        self.place, self.room = self.head.head, len(self.ring)
        seq, before = self.head.head_seq, self.head.prev_crc
        while record := self._at(self.place, self.room):
            if record.seq != seq or record.prev_crc != before:
                break
            record.check(self.head.size // BLOCK)
            if self.records and self.records[-1].type == FREEZE:
                record.fail("nothing follows a FREEZE")
            self.records.append(record)
            seq, before = seq + 1, record.crc
            self.place, self.room = self.place + record.size, self.room - record.size
        self.end, self.last_seq = self._offset(self.place), seq - 1

    def _judge_end(self, boot):
        """Torn, or damaged?"""
        boots = [self.head.boot] + [record.texts()[0] for record in self.records if record.type == BOOT]
        self.same_boot = boot == boots[-1]
        if self.last_seq < self.head.floor_seq:
            raise Damage(self.where, self.end, f"ends with record {self.last_seq}; {self.head.floor_seq} was there")
        skipped = 0
        while skipped + 24 <= self.room:
            seq = int.from_bytes(self._bytes(self.place + skipped, 8), "little")
            found = self._at(self.place + skipped, self.room - skipped) if seq > self.last_seq else None
            if found:
                self._judge_leftover(found)
            skipped += found.size if found else 8
        if any(self._bytes(self.place, min(24, self.room))):
            self.remarks.append(f"offset {self.end}: behind the end lies a torn record, or what an earlier lap of the ring left")

    def _judge_leftover(self, record):
        why = None
        if self.records and self.records[-1].type == FREEZE:
            why = "nothing follows a FREEZE"
        elif self.same_boot:
            why = "the host did not restart"
        elif record.type in (FLUSHED, LOGGED) and len(record.payload) >= 16 and record.numbers()[1] > self.last_seq:
            why = f"it says that {record.numbers()[1]} was durable"
        elif record.type == CKPT and len(record.payload) == 8 and record.numbers()[0] > self.head.generation:
            why = f"it says that generation {record.numbers()[0]} was durable"
        if why:
            raise Damage(self.where, self.end, f"record {self.last_seq + 1} is damaged: {record.seq} is at {record.offset}, and {why}")
        self.remarks.append(f"offset {record.offset}: record {record.seq} was left by a crash")

    def replay(self, presence):
        """Applies the records to a Map; returns whether the layer is sealed. `logged` is then data by block that counts instead of
        what the shards have."""
        queue, boot, sealed, self.logged = [], self.head.boot, False, {}
        for record in self.records:
            if record.type in (SET, ZERO):
                queue.append(record)
            elif record.type in (FLUSHED, FREEZE):
                through = record.numbers()[0] if record.type == FLUSHED else record.seq
                queue = self._apply(presence, queue, through)
                sealed = record.type == FREEZE
                self.logged = {}
            elif record.type == LOGGED:
                queue = self._apply(presence, queue, record.numbers()[0])
                self.logged.update(record.logged())
            elif record.type == BOOT and record.texts()[0] != boot:
                queue, boot, self.logged = [], record.texts()[0], {}
        if self.same_boot:
            queue = self._apply(presence, queue, self.last_seq)
            self.logged = {}
        self.dropped = [record.seq for record in queue]
        return sealed

    @staticmethod
    def _apply(presence, queue, through):
        for record in queue:
            if record.seq <= through:
                for first, count in record.runs():
                    presence.apply(record.type, first, count)
        return [record for record in queue if record.seq > through]

    def lines(self):
        head = self.head
        yield f"journal of layer {head.layer} of volume {head.volume}: ring of {head.ring_bytes}, chain seed {self.seed:08x}"
        yield from (record.line() for record in self.records)
        yield f"{self.end:>9} end behind record {self.last_seq}"
        yield from (f"not in force: {remark}" for remark in self.remarks)
