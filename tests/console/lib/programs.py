# SPDX-License-Identifier: Apache-2.0
"""Runs Node's test programs, shows what they write as it comes, and counts their tests."""

import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOT = os.path.dirname(os.path.dirname(HERE))
CONSOLE = os.path.join(ROOT, "console")


def stories(*names):
    """These stories, one after the other, with a daemon and a browser of their own. Passes on the options of run.mjs."""
    packages(HERE, CONSOLE)
    text, code = _run(HERE, "node", "--test-reporter=tap", "run.mjs", *sys.argv[1:], *names)
    _finish(_count(r"^# pass (\d+)", text), _count(r"^# fail (\d+)", text), code)


def units():
    """The console's own unit tests."""
    packages(CONSOLE)
    text, code = _run(CONSOLE, "npx", "vitest", "run")
    _finish(_count(r"^\s*Tests .*?(\d+) passed", text), _count(r"^\s*Tests .*?(\d+) failed", text), code)


def packages(*folders):
    for folder in folders:
        subprocess.run([os.path.join(ROOT, "tools/npm-packages"), folder], check=True)


def _run(folder, *command):
    environment = dict(os.environ, NO_COLOR="1", FORCE_COLOR="0")
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        text = ""
        for line in process.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            text += line
    return text, process.returncode


def _count(pattern, text):
    return sum(int(number) for number in re.findall(pattern, text, re.M))


def _finish(passed, failed, code):
    if code and not failed:
        failed = 1
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)
