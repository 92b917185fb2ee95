#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The console in Chromium, against a real daemon: runs run.mjs, whose options it passes on, and counts its steps. Then the
console's own unit tests."""

import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


def run(folder, *command):
    """What it wrote, shown as it comes."""
    environment = dict(os.environ, NO_COLOR="1", FORCE_COLOR="0")
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        text = ""
        for line in process.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            text += line
    return text, process.returncode


def count(pattern, text):
    return sum(int(number) for number in re.findall(pattern, text, re.M))


def main():
    for folder in (HERE, os.path.join(ROOT, "console")):
        subprocess.run([os.path.join(ROOT, "tools/npm-packages"), folder], check=True)
    units, units_code = run(os.path.join(ROOT, "console"), "npx", "vitest", "run")
    stories, stories_code = run(HERE, "node", "--test-reporter=tap", "run.mjs", *sys.argv[1:])
    passed = count(r"^# pass (\d+)", stories) + count(r"^\s*Tests .*?(\d+) passed", units)
    failed = count(r"^# fail (\d+)", stories) + count(r"^\s*Tests .*?(\d+) failed", units)
    if not failed and (units_code or stories_code):
        failed = 1
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
