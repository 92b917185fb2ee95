# SPDX-License-Identifier: Apache-2.0
"""What tests of the formats share: whether the reader refuses, and the dump tool. The reader (tools/) must be on the path."""

import os
import subprocess

from kiln_formats.binary import Damage

from .paths import ROOT


def refused(read):
    try:
        read()
    except Damage:
        return True
    return False


def dump(*arguments):
    command = [os.path.join(ROOT, "tools/dump"), *arguments]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
