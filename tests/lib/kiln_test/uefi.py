# SPDX-License-Identifier: Apache-2.0
"""UEFI variables for tests, read and written by docs/uefi.md alone: in EC2's form, and as the firmware of an instance keeps
them. What is made here is of one vendor and not authenticated."""

import base64
import os
import re
import struct
import zlib

from .paths import ROOT

VENDOR = bytes.fromhex("61dfe48bca93d211aa0d00e098032b8c")
ATTRIBUTES = 7  # not volatile, for boot services and for the running system
AUTHENTICATED = 0x20  # by time
VOLUME = bytes.fromhex("8d2bf1ff96768b4ca9852747075b4f50")
STORE = bytes.fromhex("782cf3aa7b949a43a1802e144ec37792")
ROOM = 65536


def dictionary():
    """The preset dictionary, of the source: nothing else here is taken from there."""
    with open(os.path.join(ROOT, "src/compute/uefi/aws_dictionary.cpp"), encoding="utf-8") as source:
        return base64.b64decode("".join(re.findall(r'^ +"([A-Za-z0-9+/=]+)";?$', source.read(), re.M)))


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def counted(data):
    return struct.pack("<Q", len(data)) + data


def seal(stream, version=0):
    """What stands behind the check sum, with a right one."""
    summed = struct.pack("<L", version) + stream
    return base64.b64encode(b"AMZNUEFI" + struct.pack("<L", crc32c(summed)) + summed).decode()


def encode(variables, zdict=b"", vendor=VENDOR):
    entries = struct.pack("<Q", len(variables))
    for name, data in variables.items():
        entries += counted(name.encode()) + counted(data) + vendor + struct.pack("<L", ATTRIBUTES)
    packer = zlib.compressobj(9, zdict=zdict) if zdict else zlib.compressobj(9)
    return seal(packer.compress(entries) + packer.flush())


def entries_of(text):
    """Every variable as name, data, vendor and attributes."""
    packed = base64.b64decode(text, validate=True)
    crc, version = struct.unpack_from("<LL", packed, 8)
    assert packed[:8] == b"AMZNUEFI" and crc == crc32c(packed[12:]) and version == 0, packed[:16]
    unpacker = zlib.decompressobj(zdict=dictionary())
    entries = unpacker.decompress(packed[16:])
    assert unpacker.eof and not unpacker.unused_data
    at = 0

    def take(size):
        nonlocal at
        at += size
        assert at <= len(entries), (at, len(entries))
        return entries[at - size : at]

    def take_counted():
        return take(struct.unpack("<Q", take(8))[0])

    found = []
    for _ in range(struct.unpack("<Q", take(8))[0]):
        name, data, vendor = take_counted().decode(), take_counted(), take(16)
        (attributes,) = struct.unpack("<L", take(4))
        if attributes & AUTHENTICATED:
            take(16)
            take_counted()
        found.append((name, data, vendor, attributes))
    assert at == len(entries), (at, len(entries))
    return found


def decode(text):
    """The variables of one that has no others than those that are made here."""
    found = entries_of(text)
    assert all(entry[2:] == (VENDOR, ATTRIBUTES) for entry in found), found
    variables = {name: data for name, data, _, _ in found}
    assert len(variables) == len(found), found
    return variables


def write_store(directory, variables):
    """As the firmware of an instance leaves its variables in the instance's directory."""
    area = b""
    for name, data in variables.items():
        title = (name + "\0").encode("utf-16-le")
        area += struct.pack("<HBxLQ16xLLL", 0x55AA, 0x3F, ATTRIBUTES, 0, 0, len(title), len(data)) + VENDOR + title + data
        area += b"\xff" * (-len(area) % 4)
    assert len(area) <= ROOM, len(area)
    header = struct.pack("<16x16sQ4sLHHHBBLL8x", VOLUME, 100 + ROOM, b"_FVH", 0, 72, 0, 0, 0, 2, 17, 4096)
    wrong = sum(struct.unpack("<36H", header)) & 0xFFFF
    header = header[:50] + struct.pack("<H", -wrong & 0xFFFF) + header[52:]
    header += struct.pack("<16sLBB6x", STORE, 28 + ROOM, 0x5A, 0xFE)
    with open(os.path.join(directory, "uefi-vars.fd"), "wb") as file:
        file.write(header + area.ljust(ROOM, b"\xff"))
