#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The current JavaScript SDK (tests/clients/js says which): an image's life, from blocks that are put to snapshots that go with it,
in tests/clients/js/image_life.mjs. tools/fetch-clients fetches it, some 50 MB."""

import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test.paths import ROOT, clean_environment  # noqa: E402

SCRIPT = os.path.join(ROOT, "tests/clients/js/image_life.mjs")
NODE = 20  # what the SDK asks for


def test_an_images_life():
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    if int(re.match(r"v(\d+)", version)[1]) < NODE:
        raise kiln_test.Skip(f"the SDK wants Node.js {NODE}, Debian has {version.strip()}")
    place = subprocess.run([os.path.join(ROOT, "tools/fetch-clients"), "js"], capture_output=True, text=True, check=True, timeout=300).stdout.strip()
    with open(SCRIPT, encoding="utf-8") as file:
        steps = re.findall(r'^    async "([^"]+)"\(', file.read(), re.M)
    with kiln_test.Kiln("--hypervisor", "fake") as kiln:
        other = kiln.account("other")
        environment = clean_environment(
            HOME=kiln.home, NODE_NO_WARNINGS="1", KILN_CLIENTS=place, KILN_ENDPOINT=kiln.endpoint, OWNER_KEY=kiln.access_key, OWNER_SECRET=kiln.secret_key,
            OTHER_KEY=other.access_key, OTHER_SECRET=other.secret_key,
        )  # fmt: skip
        done = subprocess.run(["node", SCRIPT], env=environment, cwd=kiln.home, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=200, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.splitlines() == [f"ok {step}" for step in steps] + ["all done"], done.stdout
        assert len(steps) > 10 and not done.stderr, done.stderr
        kiln.stop()
        kiln.run("fsck", "--data", kiln.data)
        kiln.start()


if __name__ == "__main__":
    kiln_test.main(seconds=500)
