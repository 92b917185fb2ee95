#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""kiln import of the formats people have disks in, and of disks that must be refused. Bytes are compared through NBD."""

import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402

MIB = 1 << 20


@kiln_test.fixture
def service():
    with kiln_test.Kiln("--hypervisor", "fake") as kiln:
        kiln.raw = os.path.join(kiln.home, "disk.raw")
        with open(kiln.raw, "wb") as disk:
            disk.truncate(64 * MIB)
            for offset in (0, 3 * MIB + 4096, 40 * MIB, 64 * MIB - 4096):
                disk.seek(offset)
                disk.write(os.urandom(4096))
            disk.seek(20 * MIB)
            disk.write(b"\0" * MIB)  # allocated zeros
        yield kiln


def convert(source, target, form, *options):
    command = ["qemu-img", "convert", "-q", "-f", "raw", "-O", form, *options, source, target]
    subprocess.run(command, check=True, timeout=60)


def assert_same(kiln, snapshot, path):
    """A volume of the snapshot holds the bytes of the raw file, and zeros behind it."""
    ec2 = kiln.client("ec2")
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", SnapshotId=snapshot)["VolumeId"]
    served = json.loads(kiln.run("nbd", volume).stdout)
    subprocess.run(["qemu-img", "compare", "-q", "-f", "raw", "-F", "raw", path, served["uri"]], check=True, timeout=60)
    kiln.run("nbd", volume, "--stop")
    ec2.delete_volume(VolumeId=volume)


def test_every_format_gives_the_same_bytes(service):
    for form, options in (
        ("raw", []),
        ("qcow2", []),
        ("qcow2", ["-c"]),
        ("vmdk", []),
        ("vmdk", ["-o", "subformat=streamOptimized"]),
        ("vpc", ["-o", "force_size=on"]),
        ("vpc", ["-o", "force_size=on,subformat=fixed"]),
        ("vhdx", []),
    ):
        path = os.path.join(service.home, "disk." + form)
        target = path if form != "raw" else os.path.join(service.home, "again.raw")
        convert(service.raw, target, form, *options)
        name = "-".join([form, *options]).replace("=", "_").replace(",", "_")
        made = json.loads(service.run("import", target, "--name", name, "--json").stdout)
        assert made["dataBytes"] == 4 * 4096, (name, made)
        assert_same(service, made["snapshotId"], service.raw)
        os.unlink(target)


def test_64_TiB_with_a_little_data_is_a_little_work(service):
    path = os.path.join(service.home, "huge.qcow2")
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, "64T"], check=True, timeout=60)
    subprocess.run(["qemu-io", "-f", "qcow2", "-c", "write -P 7 60T 64k", path], check=True, stdout=subprocess.DEVNULL)
    made = json.loads(service.run("import", path, "--name", "huge", "--json").stdout)
    assert made["volumeSizeGiB"] == 65536 and made["dataBytes"] == 65536, made


def refused(service, path, words, *more):
    before = len(service.client("ec2").describe_volumes()["Volumes"])
    done = service.run("import", path, "--name", "refused", *more, check=False)
    assert done.returncode == 1 and words in done.stderr, done.stderr
    assert len(service.client("ec2").describe_volumes()["Volumes"]) == before


def test_a_disk_that_refers_to_another_file_is_refused(service):
    overlay = os.path.join(service.home, "overlay.qcow2")
    subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", "-b", service.raw, "-F", "raw", overlay], check=True, timeout=60
    )
    refused(service, overlay, "difference to another one")
    data = os.path.join(service.home, "data.raw")
    outside = os.path.join(service.home, "outside.qcow2")
    command = ["qemu-img", "create", "-q", "-f", "qcow2", "-o", f"data_file={data},data_file_raw=on", outside, "64M"]
    subprocess.run(command, check=True, timeout=60)
    refused(service, outside, "")


def test_a_damaged_disk_is_refused_and_nothing_is_left(service):
    path = os.path.join(service.home, "damaged.qcow2")
    convert(service.raw, path, "qcow2")
    with open(path, "r+b") as disk:
        disk.seek(8)
        disk.write(b"\xff" * 64)
    refused(service, path, "no qcow2 disk that can be read")
    refused(service, service.raw, "no vhdx disk that can be read", "--format", "vhdx")
    refused(service, service.raw, "--format takes", "--format", "qcow3")
    refused(service, service.home, "is not a regular file")
    refused(service, os.path.join(service.home, "missing"), "No such file")
    # A raw disk whose first bytes look like another format is raw when its owner says so.
    made = json.loads(service.run("import", path, "--name", "as raw", "--format", "raw", "--json").stdout)
    assert_same(service, made["snapshotId"], path)


if __name__ == "__main__":
    kiln_test.main()
