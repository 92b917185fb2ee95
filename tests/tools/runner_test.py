#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The test runner itself: it must count, skip, interrupt and clean up, or every other result is worth nothing."""

import json
import os
import subprocess
import sys
import tempfile

LIBRARY = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib")
sys.path.insert(0, LIBRARY)
import kiln_test  # noqa: E402
from kiln_test import processes  # noqa: E402

HEAD = "import os, subprocess, sys, time\nsys.path.insert(0, {library!r})\nimport kiln_test\n"
TAIL = '\nif __name__ == "__main__":\n    kiln_test.main()\n'


def run_script(body, *arguments):
    """Exit code and output lines of a script with these tests."""
    with tempfile.TemporaryDirectory(prefix="kt-") as folder:
        path = os.path.join(folder, "script.py")
        with open(path, "w", encoding="utf-8") as file:
            file.write(HEAD.format(library=LIBRARY) + body + TAIL)
        command = ["/usr/bin/python3", path, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout.splitlines()


def test_passes_failures_and_skips_are_counted():
    code, lines = run_script(
        "def test_a(): pass\ndef test_b(): assert 1 == 2\ndef test_c(): raise kiln_test.Skip('no reason')\n"
    )
    assert code == 1
    assert lines[-1] == "1 passed, 1 failed, 1 skipped", lines
    assert any(line.startswith("SKIP test_c") and line.endswith(": no reason") for line in lines), lines


def test_a_script_without_tests_fails():
    code, lines = run_script("def no_test(): pass\n")
    assert (code, lines[-1]) == (1, "0 passed, 0 failed")


def test_words_choose_tests():
    code, lines = run_script("def test_good(): pass\ndef test_bad(): assert False\n", "goo")
    assert (code, lines[-1]) == (0, "1 passed, 0 failed")


def test_a_test_that_hangs_is_interrupted_and_the_next_one_runs():
    code, lines = run_script("def test_a(): time.sleep(30)\ndef test_b(): pass\n", "--timeout", "0.3")
    assert (code, lines[-1]) == (1, "1 passed, 1 failed"), lines


def test_a_fixture_is_made_once_and_taken_down_at_the_end():
    code, lines = run_script(
        "@kiln_test.fixture\ndef thing():\n    print('up')\n    yield 7\n    print('down')\n"
        "def test_a(thing): assert thing == 7\ndef test_b(thing): assert thing == 8\n"
    )
    assert (code, lines[-1]) == (1, "1 passed, 1 failed")
    assert lines.count("up") == 1 and lines[-2] == "down", lines


def test_a_process_left_behind_is_ended_and_counts_as_a_failure():
    code, lines = run_script(
        "def test_a():\n"
        "    environment = dict(os.environ, **kiln_test.runner.mark())\n"
        "    child = subprocess.Popen(['sleep', '60'], env=environment, start_new_session=True)\n"
        "    kiln_test.wait_until(lambda: open(f'/proc/{child.pid}/cmdline').read().startswith('sleep'), 5, 'exec')\n"
        "    print('child', child.pid)\n"
    )
    assert (code, lines[-1]) == (1, "1 passed, 1 failed"), lines
    pid = int(next(line for line in lines if line.startswith("child ")).split()[1])
    kiln_test.wait_until(lambda: not is_running(pid), 5, f"end of process {pid}")


def test_only_the_process_a_runtime_record_means_is_ended():
    with subprocess.Popen(["sleep", "60"]) as child, tempfile.TemporaryDirectory(prefix="kt-") as data:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            boot_id = file.read().strip()
        with open(f"/proc/{child.pid}/stat", encoding="ascii") as file:
            start_time = int(file.read().rpartition(")")[2].split()[19])
        for wrong in ({"start_time": start_time + 1}, {"boot_id": "another"}):
            write_record(data, {"id": "i-1", "pid": child.pid, "start_time": start_time, "boot_id": boot_id, **wrong})
            assert processes.end_machines(data) == []
            assert child.poll() is None
        write_record(data, {"id": "i-1", "pid": child.pid, "start_time": start_time, "boot_id": boot_id})
        assert processes.end_machines(data) == [child.pid]
        assert child.wait(5) == -9


def test_wait_until_names_what_did_not_happen():
    try:
        kiln_test.wait_until(lambda: 0, 0.1, "the moon to fall")
    except AssertionError as failure:
        assert "the moon to fall" in str(failure)
    else:
        raise AssertionError("no failure")


def write_record(data, record):
    os.makedirs(os.path.join(data, "instances/i-1"), exist_ok=True)
    with open(os.path.join(data, "instances/i-1/machine.json"), "w", encoding="utf-8") as file:
        json.dump(record, file)


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


if __name__ == "__main__":
    kiln_test.main()
