#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What an idle service holds in memory: after its first start, which imports the tiny Linux, and after the next."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import wait_until  # noqa: E402
from kiln_test.paths import ROOT  # noqa: E402

MOST_MB = 40


def resident_mb(kiln):
    with open(f"/proc/{kiln.process.pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmRSS:\s+(\d+) kB", file.read()).group(1)) / 1024


def test_an_idle_service_is_small():
    with kiln_test.Kiln("--provided-images", os.path.join(ROOT, "build/guests")) as kiln:
        with open(kiln.log, encoding="utf-8") as log:
            wait_until(lambda: " is stored: " in kiln_log(log), 120, "the provided image is imported and stored")
        wait_until(lambda: resident_mb(kiln) < MOST_MB, 30, f"less than {MOST_MB} MB are resident")
        print(f"after the first start {resident_mb(kiln):.1f} MB", flush=True)
        kiln.restart()
        assert kiln.client("ec2").describe_images(Owners=["amazon"])["Images"]
        assert resident_mb(kiln) < MOST_MB, resident_mb(kiln)
        print(f"after the next {resident_mb(kiln):.1f} MB", flush=True)


def kiln_log(file):
    file.seek(0)
    return file.read()


if __name__ == "__main__":
    kiln_test.main(seconds=240)
