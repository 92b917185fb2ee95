#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Thousands of single bytes of a store are changed, one at a time, and all of it is read: each change is detected or unused,
and no wrong byte is served. FLIPS=N tries another number, SEED=N other bytes."""

import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test.paths import KILN  # noqa: E402

PROGRAM = os.path.join(os.path.dirname(os.path.realpath(KILN)), "kiln_flips")


def test_no_flipped_byte_is_served():
    """INT-2"""
    flips = int(os.environ.get("FLIPS", "3000"))
    command = [PROGRAM, "--flips", str(flips), "--seed", os.environ.get("SEED", "1")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60 + flips // 20, check=False)
    print(done.stdout, end="")
    assert done.returncode == 0, done.stdout + done.stderr
    counts = [tuple(map(int, found)) for found in re.findall(r"(\d+) detected, +(\d+) unused, (\d+) served", done.stdout)]
    assert len(counts) == 8 and sum(map(sum, counts)) > 0.98 * flips, done.stdout
    # A store in which nothing is detected is not being read.
    assert all(detected > 0 and served == 0 for detected, _, served in counts), done.stdout


if __name__ == "__main__":
    kiln_test.main()
