#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A volume's socket, spoken to by the NBD clients people use: nbdinfo, nbdcopy, qemu-io, qemu-img, fio. The scripted
hypervisor leaves the read-write socket to us."""

import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import wait_until  # noqa: E402

GIB = 1 << 30
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
        ec2 = kiln.client("ec2")
        instance = ec2.run_instances(ImageId=image, InstanceType="t2.nano", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
        seen = wait_until(lambda: self.inspect(instance), 20, "the volume is served")
        self.volume, self.socket = seen["volumeId"], seen["socket"]

    def inspect(self, instance):
        volume = json.loads(self.kiln.run("inspect", instance).stdout)["volumes"][0]
        return volume if volume["open"] else None

    @property
    def uri(self):
        return f"nbd+unix:///?socket={self.socket}"

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
    run(["nbdcopy", served.uri, copy])
    run(["cmp", served.disk, copy])
    os.unlink(copy)


def test_block_status_tells_data_from_zeros(served):
    # What lies in the image is told as data all over once it is stored: the answer comes from memory alone.
    served.qemu_io("write -z 200M 1M", "discard 300M 1M")
    extents = json.loads(run(["nbdinfo", "--map", "--json", served.uri]).stdout)

    def bytes_of_data(start, length):
        ends = [(e["offset"], e["offset"] + e["length"]) for e in extents if e["type"] == 0]
        return sum(max(0, min(end, start + length) - max(begin, start)) for begin, end in ends)

    for start, data in ((0, 1 << 20), (100 << 20, 1 << 20), (200 << 20, 0), (300 << 20, 0)):
        assert bytes_of_data(start, 1 << 20) == data, (start, extents)


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


def test_fio_verifies_random_writes_over_several_connections(served):
    options = ["--name=verify", "--ioengine=nbd", f"--uri={served.uri}", "--rw=randwrite", "--bsrange=512-64k", "--size=64M"]
    options += ["--offset=200M", "--iodepth=16", "--verify=crc32c", "--verify_fatal=1", "--randseed=7", "--bs_unaligned=0"]
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
