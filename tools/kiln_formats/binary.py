# SPDX-License-Identifier: Apache-2.0
"""What all formats share: little-endian fields at offsets, texts, reserved bytes, crc32c, and Damage."""

import struct

MIB = 1 << 20
BLOCK = 4096


class Damage(Exception):
    """A file that breaks its format: where, at which offset, and what is wrong."""

    def __init__(self, where, offset, what):
        super().__init__(f"{where}: offset {offset}: {what}")
        self.offset, self.what = offset, what


def _table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return tuple(table)


_CRC = _table()


def crc32c(*parts):
    """The Castagnoli polynomial, over the parts one after the other. Slow: made for files of a few MiB."""
    crc, table = 0xFFFFFFFF, _CRC
    for part in parts:
        for byte in part:
            crc = table[(crc ^ byte) & 255] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


class Fields:
    """Named places in `data`, which begins at `base` of the file `where`. Immutable."""

    def __init__(self, where, data, base=0):
        self.where, self.data, self.base = where, bytes(data), base

    def need(self, size, what):
        if len(self.data) < size:
            self.fail(len(self.data), f"{what} is cut short: {len(self.data)} of {size} bytes")

    def fail(self, at, what):
        raise Damage(self.where, self.base + at, what)

    def number(self, at, form):
        """One number; `form` is of the module struct (B, H, I, Q)."""
        return struct.unpack_from("<" + form, self.data, at)[0]

    def expect(self, at, size, value, what):
        found = self.data[at : at + size]
        if found != value:
            self.fail(at, f"{what} is {found!r}, not {value!r}")

    def zeros(self, at, size, what="reserved bytes"):
        found = self.data[at : at + size]
        for place, byte in enumerate(found):
            if byte:
                self.fail(at + place, f"{what} are not 0")

    def text(self, at, size, what):
        """UTF-8 padded with zeros, at least one."""
        raw = self.data[at : at + size]
        text, _, rest = raw.partition(b"\0")
        if len(text) == size or any(rest):
            self.fail(at, f"{what} is not padded with zeros")
        try:
            return text.decode()
        except UnicodeDecodeError:
            self.fail(at, f"{what} is not UTF-8")

    def checked(self, at, size, what):
        """The crc32c of the first `size` bytes, with the four bytes at `at` taken as 0, stands at `at`."""
        found = crc32c(self.data[:at], bytes(4), self.data[at + 4 : size])
        if self.number(at, "I") != found:
            self.fail(at, f"crc32c of {what} is {self.number(at, 'I'):08x}, the bytes have {found:08x}")


def round_up(value, step):
    return -(-value // step) * step
