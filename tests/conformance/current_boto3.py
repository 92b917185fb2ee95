#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The current boto3 (tests/clients/python says which): an image's life (tests/clients/python/image_life.py), and the scripts beside
this one that ask the most of a client's models. tools/fetch-clients fetches it."""

import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test.paths import ROOT, clean_environment  # noqa: E402

CLIENT = os.path.join(ROOT, "tests/clients/python")


@kiln_test.fixture
def python():
    done = subprocess.run([os.path.join(ROOT, "tools/fetch-clients"), "python"], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    yield os.path.join(done.stdout.strip(), "venv/bin/python")


def test_an_images_life(python):
    script = os.path.join(CLIENT, "image_life.py")
    with open(script, encoding="utf-8") as file:
        steps = re.findall(r"^@step\ndef (\w+)\(", file.read(), re.M)
    with open(os.path.join(CLIENT, "requirements.txt"), encoding="utf-8") as file:
        version = re.search(r"^boto3==(\S+)", file.read(), re.M)[1]
    with kiln_test.Kiln("--hypervisor", "fake") as kiln:
        other = kiln.account("other")
        environment = clean_environment(
            HOME=kiln.home, KILN_ENDPOINT=kiln.endpoint, OWNER_KEY=kiln.access_key, OWNER_SECRET=kiln.secret_key, OTHER_KEY=other.access_key,
            OTHER_SECRET=other.secret_key,
        )  # fmt: skip
        done = subprocess.run([python, script], env=environment, cwd=kiln.home, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=200, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.splitlines() == [f"ok {step}" for step in steps] + [f"all done with {version}"] and len(steps) > 8, done.stdout


def run_beside(python, script):
    done = subprocess.run([python, os.path.join(ROOT, "tests/conformance", script)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0 and re.search(r"^\d+ passed, 0 failed", done.stdout, re.M), done.stdout + done.stderr


def test_CL_1_its_waiters_and_paginators(python):
    run_beside(python, "waiters_paginators.py")


def test_IAM_17_its_temporary_keys(python):
    run_beside(python, "sts_sessions.py")


if __name__ == "__main__":
    kiln_test.main(seconds=400)
