#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Eight guests of one image take what they write, and little more. Eight boots."""

import json
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import wait_until  # noqa: E402
from kiln_test.counters import Used  # noqa: E402

MIB = 1 << 20
GUESTS = 8
# They boot at the same time on whatever processors there are; a single one takes ten seconds of one.
BOOT_SECONDS = 480


def written(machine):
    """Bytes that the guest has written to its disks, as QEMU counts them, zeros by command too; asked through its spare
    control socket."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(30)
        client.connect(os.path.join(machine["runtime_directory"], "qmp2.sock"))
        with client.makefile("rw", encoding="utf-8") as stream:
            stream.readline()
            for order in ("qmp_capabilities", "query-blockstats"):
                stream.write(json.dumps({"execute": order}) + "\n")
                stream.flush()
                answer = {}
                while "return" not in answer:
                    answer = json.loads(stream.readline())
    return sum(device["stats"]["wr_bytes"] for device in answer["return"])


def test_eight_guests_take_what_they_write_and_a_mebibyte_each():
    with kiln_test.Kiln("--guest-memory-cap", "192", "--shutdown-grace", "60") as kiln:
        ec2 = kiln.client("ec2")
        made = json.loads(kiln.run("import", kiln_test.tiny_image(), "--boot-mode", "legacy-bios", "--name", "tiny", "--json").stdout)
        kiln.wait_stored(made["snapshotId"])
        # The layer it was imported into goes only then.
        wait_until(lambda: not os.listdir(os.path.join(kiln.data, "layers")), 60, "its layer is gone", interval=0.2)
        before = Used(kiln.data)
        launched = ec2.run_instances(ImageId=made["imageId"], InstanceType="t2.nano", MinCount=GUESTS, MaxCount=GUESTS)
        ids = [instance["InstanceId"] for instance in launched["Instances"]]
        for instance in ids:
            wait_until(lambda i=instance: "TINY READY" in kiln.serial(i), BOOT_SECONDS, f"{instance} boots", interval=0.2)
        told = [written(kiln.machines()[instance]) for instance in ids]
        grown = Used(kiln.data) - before
        print(f"{GUESTS} guests wrote {sum(told)} bytes; {grown}", flush=True)
        assert min(told) > 0, told
        assert 0 < grown.bytes <= sum(told) + GUESTS * MIB, (grown, told)
        assert grown.objects == 0, "nothing is copied for a launch"


if __name__ == "__main__":
    kiln_test.main(seconds=600)
