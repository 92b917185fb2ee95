# SPDX-License-Identifier: Apache-2.0
"""The two compressions of packs, by the libraries' own decoders. ValueError where the bytes are not what they should be."""

import ctypes
import ctypes.util
import functools


@functools.cache
def _library(name):
    found = ctypes.util.find_library(name)
    if not found:
        raise OSError(f"lib{name} is missing")
    return ctypes.CDLL(found)


def lz4_block(stored, plain_bytes):
    decode = _library("lz4").LZ4_decompress_safe
    out = ctypes.create_string_buffer(plain_bytes)
    return _whole(out, decode(stored, out, len(stored), plain_bytes), plain_bytes)


def zstd_frame(stored, plain_bytes):
    library = _library("zstd")
    decode, failed = library.ZSTD_decompress, library.ZSTD_isError
    decode.restype = ctypes.c_size_t
    decode.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]
    failed.argtypes = [ctypes.c_size_t]
    out = ctypes.create_string_buffer(plain_bytes)
    count = decode(out, plain_bytes, stored, len(stored))
    return _whole(out, -1 if failed(count) else count, plain_bytes)


def _whole(out, count, plain_bytes):
    if count != plain_bytes:
        raise ValueError(f"decodes to {count} bytes, not {plain_bytes}" if count >= 0 else "does not decode")
    return out.raw
