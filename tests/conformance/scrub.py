#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The background reading of all that is stored (INT-6): what monitoring sees of it, with and without damage."""

import glob
import json
import os
import sys
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402

MIB = 1 << 20


def metric(kiln, name):
    with urllib.request.urlopen(kiln.endpoint + "/metrics", timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(name + " "))


def next_pass(kiln):
    done = metric(kiln, "kiln_scrub_passes")
    kiln_test.wait_until(lambda: metric(kiln, "kiln_scrub_passes") > done + 1, 60, "another pass, whole")


def test_damage_that_nobody_reads_is_found():
    with kiln_test.Kiln("--hypervisor", "fake", "--scrub-period", "1") as kiln:
        path = os.path.join(kiln.home, "disk.raw")
        with open(path, "wb") as disk:
            disk.write(os.urandom(MIB))
        made = json.loads(kiln.run("import", path, "--name", "disk", "--json").stdout)
        kiln.wait_stored(made["snapshotId"])
        next_pass(kiln)
        assert metric(kiln, "kiln_scrub_damaged_packs") == 0
        assert metric(kiln, "kiln_scrub_end_time_seconds") > 1.7e9
        (pack,) = sorted(glob.glob(os.path.join(kiln.data, "objects", "pack-*")), key=os.path.getsize)[-1:]
        with open(pack, "r+b") as file:
            file.seek(MIB // 2)
            (byte,) = file.read(1)
            file.seek(MIB // 2)
            file.write(bytes([byte ^ 1]))
        next_pass(kiln)
        assert metric(kiln, "kiln_scrub_damaged_packs") == 1
        with open(kiln.log, encoding="utf-8") as log:
            text = log.read()
        assert "is damaged" in text and os.path.basename(pack).split("-")[-1] in text, text[-2000:]


if __name__ == "__main__":
    kiln_test.main()
