# SPDX-License-Identifier: Apache-2.0
"""A layer's files together: docs/formats/layer.md. What it says of each block, and the bytes it has."""

import os

from .binary import BLOCK, Damage
from .layer_crc import DataCrcs
from .layer_journal import Journal
from .layer_map import DATA, DATA_CRC, Map


def this_boot():
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


def read(path):
    with open(path, "rb") as file:
        return file.read()


class Layer:
    """`folder`/d-`name`.*; `boot` as in Journal."""

    def __init__(self, folder, name, boot=None):
        self.stem = os.path.join(folder, f"d-{name}")
        self.map = Map(f"{self.stem}.map", read(f"{self.stem}.map"))
        if self.map.head.layer != name:
            raise Damage(self.map.where, 120, f"this is layer {self.map.head.layer}: the files were swapped")
        self.journal = Journal(f"{self.stem}.jnl", read(f"{self.stem}.jnl"), self.map.head, boot)
        self.sealed = self.journal.replay(self.map)
        self.size, self.shard_bytes = self.map.head.size, self.map.head.shard_bytes
        self.crcs = self._crcs()

    def _crcs(self):
        """The check sums of the data; None for a layer that has none."""
        head, path = self.map.head, f"{self.stem}.crc"
        if head.features & DATA_CRC and not self.sealed:
            raise Damage(self.journal.where, self.journal.end, "its data has check sums, and the layer is not sealed")
        if not os.path.exists(path):
            if head.features & DATA_CRC:
                raise Damage(path, 0, "the check sums of the data are missing")
            return None
        crcs = DataCrcs(path, read(path))
        if (crcs.store, crcs.volume, crcs.layer, crcs.size) != (head.store, head.volume, head.layer, head.size):
            raise Damage(path, 16, f"these are the check sums of layer {crcs.layer}")
        return crcs

    def blocks(self):
        """(block, bytes or None for zeros) for each block that is not absent, ascending."""
        for state, first, count in self.map.runs():
            for block in range(first, first + count):
                yield block, self._data(block) if state == DATA else None

    def _data(self, block):
        if block in self.journal.logged:
            return self.journal.logged[block]
        shard, place = divmod(block * BLOCK, self.shard_bytes)
        path, length = f"{self.stem}-{shard:04}.blk", min(self.shard_bytes, self.size - shard * self.shard_bytes)
        if not os.path.exists(path) or not length <= os.stat(path).st_size <= self.shard_bytes:
            raise Damage(path, 0, f"is missing, or not {length} bytes long or, after a growth, more")
        with open(path, "rb") as file:
            file.seek(place)
            data = file.read(BLOCK)
        if self.crcs:
            self.crcs.check(path, place, block, data)
        return data
