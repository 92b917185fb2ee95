#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The unit tests of the console's own code."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import programs  # noqa: E402

if __name__ == "__main__":
    programs.units()
