# SPDX-License-Identifier: Apache-2.0
"""The time of day as a daemon sees it."""

import os
import subprocess

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "moved_clock.c")


def restart_later(kiln, seconds):
    """Starts the daemon anew, with a clock that is `seconds` ahead. Its clients' clocks stay: who calls it signs with a Signer of
    `age=-seconds`."""
    library = os.path.join(kiln.home, "moved_clock.so")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, SOURCE], check=True, timeout=60)
    options = ":".join(filter(None, [os.environ.get("ASAN_OPTIONS"), "verify_asan_link_order=0"]))
    kiln.environment = {"LD_PRELOAD": library, "KILN_TEST_SECONDS_AHEAD": str(seconds), "ASAN_OPTIONS": options}
    kiln.restart()
