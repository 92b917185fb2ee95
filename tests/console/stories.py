#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The console in Chromium, against a real daemon: the main story from signing in to deregistering an image, and an instance's
life. These build on each other, so they run one after the other; options are run.mjs's."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import programs  # noqa: E402

if __name__ == "__main__":
    programs.stories("story", "launch", "sharing", "instance")
