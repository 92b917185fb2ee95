#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""kiln reset empties the data directory of a stopped service, after saying what goes, and removes nothing but what is kiln's."""

import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test.paths import KILN, TEMPORARY, clean_environment  # noqa: E402


def run(*words, seconds=60, check=True):
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=False, env=clean_environment())
    assert not check or done.returncode == 0, done.stderr
    return done


def add_image(kiln):
    raw = os.path.join(kiln.home, "disk.raw")
    with open(raw, "wb") as disk:
        disk.write(os.urandom(4096))
        disk.truncate(1 << 20)
    kiln.run("import", raw, "--name", "disk")


def test_BAK_6_reset_empties_a_stopped_store_and_touches_nothing_else():
    with kiln_test.Kiln("--hypervisor", "fake") as kiln:
        refused = run(KILN, "reset", "--data", kiln.data, "--yes", check=False)
        says = f"a service (process {kiln.process.pid}) runs on {kiln.data}".encode()
        assert refused.returncode == 1 and says in refused.stderr, refused.stderr
        add_image(kiln)
        kiln.stop()
        letters = [os.path.join(kiln.data, name) for name in ("letter", "layers/letter", "instances/letter")]
        for path in letters:
            with open(path, "w", encoding="ascii") as file:
                file.write("dear")
        asked = run(KILN, "reset", "--data", kiln.data, check=False)
        assert asked.returncode == 1 and b"--yes" in asked.stderr, asked.stderr
        assert os.path.exists(os.path.join(kiln.data, "catalog.sqlite"))
        done = run(KILN, "reset", "--data", kiln.data, "--yes")
        assert b"images: 1, snapshots: 1, volumes: 0, instances: 0, accounts: 1" in done.stderr, done.stderr
        assert b"3 files" in done.stdout, done.stdout
        left = sorted(os.path.relpath(os.path.join(folder, name), kiln.data) for folder, _, names in os.walk(kiln.data) for name in names)
        assert left == ["instances/letter", "layers/letter", "letter"], left
        again = run(KILN, "reset", "--data", kiln.data, "--yes", check=False)
        assert again.returncode == 1 and b"no data directory" in again.stderr, again.stderr
        old = kiln.access_key
        kiln.start()
        assert kiln.access_key != old
        assert not kiln.client("ec2").describe_images(Owners=["self"])["Images"]
        assert not kiln.client("ec2").describe_instances()["Reservations"]


def test_BAK_6_a_reset_that_was_cut_short_is_finished_before_anything_else():
    with kiln_test.Kiln("--hypervisor", "fake") as kiln:
        kiln.stop()
        with open(os.path.join(kiln.data, "resetting"), "w", encoding="ascii"):
            pass
        os.remove(os.path.join(kiln.data, "catalog.sqlite"))
        command = [KILN, "serve", "--data", kiln.data, "--hypervisor", "fake", "--listen", "127.0.0.1:0"]
        done = run(*command, check=False, seconds=30)
        assert done.returncode == 1 and b"kiln reset" in done.stderr, done.stderr
        run(KILN, "reset", "--data", kiln.data, "--yes")
        assert not os.listdir(kiln.data), os.listdir(kiln.data)


def test_BAK_6_reset_refuses_what_is_no_store():
    with tempfile.TemporaryDirectory(dir=TEMPORARY) as place:
        for name in ("lock", "catalog.sqlite"):
            with open(os.path.join(place, name), "w", encoding="ascii") as file:
                file.write("mine")
        for path in (place, "/", os.path.join(place, "missing")):
            done = run(KILN, "reset", "--data", path, "--yes", check=False)
            assert done.returncode == 1 and b"no data directory" in done.stderr, (path, done.stderr)
        assert sorted(os.listdir(place)) == ["catalog.sqlite", "lock"]


if __name__ == "__main__":
    kiln_test.main()
