#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Extent streams are what docs/formats says, read by tools/kiln_formats; and that reader understands the files of every version
that was ever written, which lie beside the unit tests."""

import os
import sys
import urllib.request

from botocore import auth, awsrequest, credentials

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests/lib"), os.path.join(ROOT, "tools")]
sys.dont_write_bytecode = True
import kiln_test  # noqa: E402
from kiln_formats.backup import extents  # noqa: E402
from kiln_formats.binary import BLOCK, MIB  # noqa: E402
from kiln_test.formats import dump, refused  # noqa: E402
from kiln_test.written import Expected, make_disk  # noqa: E402

GOLDEN = os.path.join(ROOT, "src/block/tests/data")


def fetch(kiln, target):
    request = awsrequest.AWSRequest("GET", kiln.endpoint + target)
    auth.SigV4Auth(credentials.Credentials(kiln.access_key, kiln.secret_key), "kiln", kiln.region).add_auth(request)
    with urllib.request.urlopen(urllib.request.Request(request.url, headers=dict(request.headers)), timeout=30) as answer:
        return answer.read()


class Stream:
    """A snapshot as an extent stream, and what it has to hold."""

    def __init__(self, kiln):
        raw = os.path.join(kiln.home, "disk.raw")
        self.holds = make_disk(raw)
        kiln.run("import", raw, "--name", "disk")
        (made,) = kiln.client("ec2").describe_snapshots(OwnerIds=["self"])["Snapshots"]
        self.data = fetch(kiln, f"/kiln/v1/snapshots/{made['SnapshotId']}/data")
        self.file = os.path.join(kiln.home, "stream")
        with open(self.file, "wb") as file:
            file.write(self.data)


@kiln_test.fixture
def stream():
    with kiln_test.Kiln("--hypervisor", "fake") as kiln:
        yield Stream(kiln)


def test_an_export_is_an_extent_stream_of_the_bytes(stream):
    *found, (size, _) = extents("the stream", stream.data)
    assert size == 1 << 30, size
    read = Expected()
    for offset, data in found:
        read.write(data, offset)
    blocks = {block: data for block, data in read.blocks.items() if any(data)}
    assert blocks == stream.holds.blocks, sorted(set(blocks) ^ set(stream.holds.blocks))
    done = dump(stream.file)
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 1 + len(found), done


def stream_refused(data):
    return refused(lambda: list(extents("the stream", data)))


def test_an_extent_stream_that_is_cut_or_continued_is_refused(stream):
    for cut in range(0, len(stream.data), 997):
        assert stream_refused(stream.data[:cut]), f"cut at {cut}"
    assert stream_refused(stream.data + b"\0")
    # An extent that goes back, one that is not aligned, one that is too long, a disk that ends before its data.
    head, (first, length) = stream.data[:8], next((o, len(d)) for o, d in extents("the stream", stream.data))
    one = stream.data[8 : 20 + length]
    end = stream.data[-12:]
    assert not stream_refused(head + one + end)
    long = one[:8] + (4 * MIB + BLOCK).to_bytes(4, "little") + bytes(4 * MIB + BLOCK)
    for bad in (one + one + end, b"\1" + one[1:] + end, long + end, one + bytes(12)):
        assert stream_refused(head + bad), bad[:12]
    assert first == 0


def test_the_files_of_every_version_are_read():
    versions = ("layer-v1", "layer-v1-map-pages", "layer-v1-data-crc")
    layers = [os.path.join(GOLDEN, version, f"d-l-golden.{kind}") for version in versions for kind in ("map", "jnl")]
    crcs = [os.path.join(GOLDEN, "layer-v1-data-crc", f"d-l-golden{kind}") for kind in (".crc", "-0000.blk")]
    packs = [os.path.join(GOLDEN, "image", f"pack-v1-{codec}.bin") for codec in range(3)]
    records = [os.path.join(GOLDEN, "image", name) for name in ("node-v1.bin", "root-v1.bin")]
    done = dump(*layers, *crcs, *packs, *records)
    assert done.returncode == 0 and not done.stderr, done.stderr
    presence = ["data blocks 1 to 1", "zero blocks 2 to 3", "data blocks 4 to 4", "zero blocks 5 to 6"]
    for journal in (dump(layers[1]).stdout, dump(layers[3]).stdout):
        assert "the layer is sealed" in journal and all(line in journal for line in presence), journal
    assert "data blocks 290 to 299" in dump(layers[2]).stdout
    assert "page 0, blocks from 0, 11 check sums" in dump(crcs[0]).stdout
    assert "1 blocks have their check sums" in dump(crcs[1]).stdout
    for codec, path in zip(("none", "lz4", "zstd"), packs):
        assert f" {codec}: " in dump(path).stdout, path


if __name__ == "__main__":
    kiln_test.main()
