#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A volume's socket, spoken to by the NBD clients people use: nbdinfo, nbdcopy, libnbd (what nbdsh runs), qemu-io,
qemu-img, fio; and by some that mean no good. The scripted hypervisor leaves the read-write socket to us."""

import contextlib
import errno
import json
import os
import socket
import struct
import subprocess
import sys

import nbd

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test.written import launch  # noqa: E402

MIB = 1 << 20
GIB = 1 << 30
LARGEST = 32 * MIB
PATTERN = bytes(range(256)) * 4096  # 1 MiB


class Served:
    """A volume over an imported disk, and the sockets it is served on."""

    def __init__(self, kiln):
        self.kiln = kiln
        self.disk = os.path.join(kiln.home, "disk.raw")
        with open(self.disk, "wb") as disk:
            disk.write(PATTERN)
            disk.seek(100 << 20)
            disk.write(PATTERN)
            disk.truncate(GIB)
        image = json.loads(kiln.run("import", self.disk, "--name", "disk", "--json").stdout)["imageId"]
        self.volume, self.socket = launch(kiln, image)

    @property
    def uri(self):
        return f"nbd+unix:///?socket={self.socket}"

    @contextlib.contextmanager
    def connect(self, simple=False):
        """A libnbd handle that sends whatever it is told to, sensible or not."""
        handle = nbd.NBD()
        handle.set_strict_mode(0)
        handle.set_request_structured_replies(not simple)
        handle.add_meta_context(nbd.CONTEXT_BASE_ALLOCATION)
        handle.connect_unix(self.socket)
        yield handle
        handle.shutdown()

    def qemu_io(self, *commands, check=True):
        words = [word for command in commands for word in ("-c", command)]
        done = run(["qemu-io", "-f", "raw", "-t", "none", *words, self.uri], check=check)
        assert not check or "failed" not in done.stdout, done.stdout
        return done


def run(command, check=True, seconds=60):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds, check=False)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done


@kiln_test.fixture
def served():
    with kiln_test.Kiln("--hypervisor", "fake") as kiln:
        yield Served(kiln)


def test_nbdinfo_sees_what_the_export_can_do(served):
    export = json.loads(run(["nbdinfo", "--json", served.uri]).stdout)["exports"][0]
    assert export["export-size"] == GIB, export
    for ability in ("can_flush", "can_fua", "can_trim", "can_zero", "can_multi_conn"):
        assert export[ability], (ability, export)
    assert not export["is_read_only"] and "base:allocation" in export["contexts"], export


def test_nbdcopy_gets_the_imported_disk_byte_for_byte(served):
    copy = os.path.join(served.kiln.home, "copy.raw")
    run(["nbdcopy", "--destination-is-zero", served.uri, copy])
    run(["cmp", served.disk, copy])
    os.unlink(copy)


def stored(served):
    """Waits until the image is a tree, so that its holes are not known from a layer any more."""
    (volume,) = served.kiln.client("ec2").describe_volumes(VolumeIds=[served.volume])["Volumes"]
    served.kiln.wait_stored(volume["SnapshotId"])


def test_block_status_tells_data_from_zeros_also_in_a_stored_image(served):
    stored(served)
    served.qemu_io("write -z 200M 1M", "discard 300M 1M", "write 400M 4k")
    extents = json.loads(run(["nbdinfo", "--map", "--json", served.uri]).stdout)
    data = [(extent["offset"], extent["length"]) for extent in extents if extent["type"] == 0]
    assert data == [(0, MIB), (100 * MIB, MIB), (400 * MIB, 4096)], extents
    assert all(extent["type"] in (0, 3) for extent in extents) and sum(extent["length"] for extent in extents) == GIB, extents
    mapped = json.loads(run(["qemu-img", "map", "-f", "raw", "--output=json", served.uri]).stdout)
    assert [(part["start"], part["length"]) for part in mapped if part["data"]] == data, mapped


def test_qemu_io_writes_zeroes_trims_and_flushes(served):
    served.qemu_io("write -P 0x5a 50M 64k", "write -P 0x77 51250k 1k", "flush")
    served.qemu_io("read -P 0x5a 50M 50k", "read -P 0x77 51250k 1k", "read -P 0x5a 51251k 13k")
    served.qemu_io("write -z 50M 32k", "discard 51232k 32k", "write -f -P 0x11 60M 512")
    served.qemu_io("read -P 0 50M 64k", "read -P 0x11 60M 512", "read -P 0 62915072 3584")
    # What lies below is untouched where nothing was written.
    served.qemu_io("write -P 0x22 4k 4k", "read -P 0x22 4k 4k")
    head = os.path.join(served.kiln.home, "head.raw")
    run(["nbdcopy", served.uri, head])
    with open(head, "rb") as copy:
        assert copy.read(4096) == PATTERN[:4096]
        copy.seek(8192)
        assert copy.read(4096) == PATTERN[:4096]
    os.unlink(head)


def test_writes_beyond_the_end_are_refused_and_the_read_only_socket_refuses_all(served):
    beyond = served.qemu_io("write 1G 4k", check=False)
    assert beyond.returncode != 0 or "failed" in beyond.stdout + beyond.stderr, beyond
    other = json.loads(served.kiln.run("nbd", served.volume).stdout)["socket"]
    info = json.loads(run(["nbdinfo", "--json", f"nbd+unix:///?socket={other}"]).stdout)["exports"][0]
    assert info["is_read_only"], info
    refused = run(["qemu-io", "-f", "raw", "-c", "write 0 4k", f"nbd+unix:///?socket={other}"], check=False)
    assert refused.returncode != 0 or "ermission" in refused.stdout + refused.stderr, refused
    served.kiln.run("nbd", served.volume, "--stop")


def refused(call, *arguments, **more):
    """The error that the server gave."""
    try:
        call(*arguments, **more)
    except nbd.Error as error:
        return error.errnum
    raise AssertionError("it was not refused")


def test_any_offset_and_length_is_served_up_to_32_mib(served):
    for simple in (False, True):
        with served.connect(simple) as disk:
            assert disk.get_structured_replies_negotiated() != simple
            for offset, length in ((500 * MIB, LARGEST), (500 * MIB + 1, LARGEST), (600 * MIB + 511, 1), (601 * MIB + 4095, 8194)):
                data = os.urandom(length)
                disk.pwrite(data, offset)
                assert disk.pread(length, offset) == data, (offset, length)
            assert disk.pread(0, 5) == b"" and disk.pread(0, GIB) == b""
            disk.pwrite(b"", 8192)
            disk.zero(0, 8192)
            disk.trim(0, 8192)
            assert disk.pread(8, 8192) == PATTERN[8192:8200]


def test_errors_are_those_of_the_protocol_and_the_connection_goes_on(served):
    with served.connect() as disk:
        assert refused(disk.pread, 4096, GIB - 1) == errno.EINVAL
        assert refused(disk.pwrite, b"x" * 4096, GIB - 1) == errno.ENOSPC
        assert refused(disk.zero, 4096, GIB - 1) == errno.ENOSPC
        assert refused(disk.trim, 4096, GIB - 1) == errno.EINVAL
        assert refused(disk.block_status, 4096, GIB - 1, lambda *_: 0) == errno.EINVAL
        assert refused(disk.pwrite, bytes(LARGEST + 1), 0) == errno.EINVAL
        assert refused(disk.cache, 4096, 0) == errno.EINVAL
        assert refused(disk.pwrite, b"x", 0, flags=nbd.CMD_FLAG_FAST_ZERO) == errno.EINVAL
        assert disk.pread(8, 8192) == PATTERN[8192:8200]
    other = json.loads(served.kiln.run("nbd", served.volume).stdout)["socket"]
    looking = nbd.NBD()
    looking.set_strict_mode(0)
    looking.connect_unix(other)
    assert looking.is_read_only()
    for change in ((looking.pwrite, b"x", 0), (looking.zero, 1, 0), (looking.trim, 1, 0)):
        assert refused(*change) == errno.EPERM, change
    looking.flush()
    looking.shutdown()
    served.kiln.run("nbd", served.volume, "--stop")


def test_flags_of_changes_and_reads(served):
    with served.connect() as disk:
        disk.pwrite(b"a" * 8192, 700 * MIB, flags=nbd.CMD_FLAG_FUA)
        disk.zero(100, 700 * MIB, flags=nbd.CMD_FLAG_FUA | nbd.CMD_FLAG_NO_HOLE)
        disk.zero(100, 700 * MIB + 4096, flags=nbd.CMD_FLAG_FAST_ZERO)
        disk.trim(4096, 700 * MIB, flags=nbd.CMD_FLAG_FUA)
        parts = []
        read = disk.pread_structured(8192, 700 * MIB, lambda data, at, status, _: parts.append((at, len(data), status)), flags=nbd.CMD_FLAG_DF)
        assert read == bytes(4096 + 100) + b"a" * 3996
        assert parts == [(700 * MIB, 8192, nbd.READ_DATA)], parts
        one = []
        disk.block_status(100 * MIB, 700 * MIB, lambda _, at, entries, __: one.extend(entries), flags=nbd.CMD_FLAG_REQ_ONE)
        assert one == [4096, nbd.STATE_HOLE | nbd.STATE_ZERO], one
        disk.zero(GIB - 600 * MIB, 600 * MIB)  # zeroes have no 32 MiB to keep to
        assert disk.pread(8192, 700 * MIB) == bytes(8192)


def test_connections_see_each_others_writes_and_one_flush_covers_all(served):
    with served.connect() as first, served.connect() as second, served.connect() as third:
        assert first.can_multi_conn()
        first.pwrite(b"1" * 4096, 800 * MIB)
        second.pwrite(b"2" * 4096, 801 * MIB)
        assert second.pread(4096, 800 * MIB) == b"1" * 4096 and third.pread(4096, 801 * MIB) == b"2" * 4096
        third.flush()
        assert first.pread(4096, 801 * MIB) == b"2" * 4096


def test_qemu_img_converts_to_and_from_a_volume(served):
    info = json.loads(run(["qemu-img", "info", "--output=json", "-f", "raw", served.uri]).stdout)
    assert info["virtual-size"] == GIB, info
    run(["qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", served.disk, served.uri])
    run(["qemu-img", "compare", "-f", "raw", "-F", "raw", served.disk, served.uri])
    copy = os.path.join(served.kiln.home, "copy.qcow2")
    run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", served.uri, copy])
    run(["qemu-img", "compare", "-f", "qcow2", "-F", "raw", copy, served.uri])
    run(["qemu-io", "-f", "qcow2", "-c", "write -P 0x66 900M 3M", "-c", "write -z 0 512k", copy])
    run(["qemu-img", "convert", "-n", "-f", "qcow2", "-O", "raw", copy, served.uri])
    run(["qemu-img", "compare", "-f", "qcow2", "-F", "raw", copy, served.uri])


def test_nbdcopy_fills_a_volume_over_several_connections(served):
    run(["nbdcopy", "--connections=4", "--requests=32", served.disk, served.uri])
    back = os.path.join(served.kiln.home, "back.raw")
    run(["nbdcopy", "--connections=4", "--destination-is-zero", served.uri, back])
    run(["cmp", served.disk, back])
    os.unlink(back)


def test_peers_that_break_the_protocol_harm_nobody_else(served):
    hello = struct.pack(">I", 3)
    go = b"IHAVEOPT" + struct.pack(">II", 7, 6) + struct.pack(">IH", 0, 0)
    request = struct.pack(">IHHQQI", 0x25609513, 0, 1, 1, 0, 0xFFFFFFFF)
    attacks = {
        "garbage for a greeting": b"\xff" * 4096,
        "an option without end": hello + b"IHAVEOPT" + struct.pack(">II", 7, 0xFFFFFFFF),
        "garbage for a request": hello + go + b"\0" * 4096,
        "a write of 4 GiB that never comes": hello + go + request + bytes(MIB),
        "half a request": hello + go + request[:13],
    }
    with served.connect() as disk:
        for what, sent in attacks.items():
            with socket.socket(socket.AF_UNIX) as peer:
                peer.settimeout(20)
                peer.connect(served.socket)
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it was cut off while it spoke
                    peer.sendall(sent)
            assert disk.pread(8, 8192) == PATTERN[8192:8200], what
    # More idle connections than are accepted wait their turn, and go.
    idle = [socket.socket(socket.AF_UNIX) for _ in range(80)]
    for peer in idle:
        peer.connect(served.socket)
    for peer in idle:
        peer.close()
    with served.connect() as disk:
        assert disk.pread(8, 8192) == PATTERN[8192:8200]


def test_fio_verifies_random_writes_over_several_connections(served):
    options = ["--name=verify", "--ioengine=nbd", f"--uri={served.uri}", "--rw=randwrite", "--bsrange=512-64k", "--size=64M"]
    options += ["--offset=200M", "--iodepth=16", "--verify=crc32c", "--verify_fatal=1", "--randseed=7", "--bs_unaligned=0"]
    options += ["--verify_state_save=0"]  # it would leave a file where it was started
    done = run(["fio", *options], seconds=100)
    assert "err= 0" in done.stdout, done.stdout


def test_acknowledged_writes_survive_a_kill_of_the_daemon(served):
    served.qemu_io("write -P 0x33 300M 1M", "flush", "write -P 0x44 302M 1M")
    served.kiln.kill9()
    served.kiln.start()
    # The scripted machine ended with its host, so the instance is stopping or stopped: look through the read-only socket.
    other = json.loads(served.kiln.run("nbd", served.volume).stdout)["socket"]
    run(["qemu-io", "-r", "-f", "raw", "-c", "read -P 0x33 300M 1M", "-c", "read -P 0x44 302M 1M", f"nbd+unix:///?socket={other}"])


if __name__ == "__main__":
    kiln_test.main()
