#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The console in Chromium, against a real daemon: key pairs, rules, lists longer than one request brings, sessions. Options are
run.mjs's."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import programs  # noqa: E402

if __name__ == "__main__":
    programs.stories("network", "paging", "session", "copy", "screenshot")
