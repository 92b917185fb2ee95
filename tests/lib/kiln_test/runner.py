# SPDX-License-Identifier: Apache-2.0
"""Runs the test functions of one script and ends with the line `N passed, N failed[, N skipped]`.

    SCRIPT [--list] [--timeout SECONDS] [WORD ...]     only tests whose names contain one of the words

Tests are the functions named test_*, in the order they are written. A parameter of a test names a fixture of the script:
a generator function marked with @fixture, entered at its first use and left at the end, in reverse order. A test fails by
an exception, and is skipped by Skip(reason). Each has a time limit, after which an exception interrupts it. Processes that
a script left behind are ended and count as one failure.
"""

import argparse
import contextlib
import inspect
import os
import signal
import sys
import time
import traceback
import uuid

from . import processes

TEST_SECONDS = 120
MARK = "KILN_TEST_RUN"
RUN_ID = uuid.uuid4().hex
LOG_TAIL_LINES = 60

_watched = []
_fixtures = {}


class Skip(Exception):
    """The test cannot be done here; the reason is printed. Never for something tools/install-packages installs."""


class TimeLimit(Exception):
    """The test's time is over."""


def fixture(function):
    """Marks a generator function which sets up, yields a value, and takes down."""
    _fixtures[function.__name__] = contextlib.contextmanager(function)
    return function


def mark():
    """Environment that every process of this run inherits."""
    return {MARK: RUN_ID}


def watch(owner):
    """`owner.log_files()` is shown when a test fails."""
    _watched.append(owner)


def unwatch(owner):
    if owner in _watched:
        _watched.remove(owner)


def show_logs(owners=None):
    """The ends of the logs of these, or of all that are watched."""
    for owner in _watched if owners is None else owners:
        for label, path in owner.log_files():
            if not os.path.exists(path):
                print(f"    --- {label}: there is no {path}")
                continue
            with open(path, encoding="utf-8", errors="replace") as file:
                lines = file.read().replace("\r", "").splitlines()
            print(f"    --- {label}: {path}, the last of {len(lines)} lines")
            for line in lines[-LOG_TAIL_LINES:]:
                print(f"    | {line}")


def main(seconds=TEST_SECONDS):
    """`seconds` is the limit of each test, where neither --timeout nor KILN_TEST_SECONDS says another."""
    module = sys.modules["__main__"]
    arguments = _parse_arguments(module, seconds)
    tests = [(name, function) for name, function in vars(module).items() if _is_test(name, function)]
    if arguments.words:
        tests = [test for test in tests if any(word in test[0] for word in arguments.words)]
    if arguments.list:
        print("\n".join(name for name, _ in tests))
        return
    # When the suite's runner loses patience it sends SIGTERM: leave through the fixtures, so that nothing stays behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    signal.signal(signal.SIGALRM, _on_alarm)
    counts = _run_all(tests, arguments.timeout)
    left = processes.end_marked(MARK, RUN_ID)
    if left:
        print(f"FAIL processes left behind: {left}")
        counts["failed"] += 1
    skipped = f", {counts['skipped']} skipped" if counts["skipped"] else ""
    print(f"{counts['passed']} passed, {counts['failed']} failed{skipped}", flush=True)
    nothing_ran = not any(counts.values())
    sys.exit(1 if counts["failed"] or nothing_ran else 0)


def _parse_arguments(module, seconds):
    parser = argparse.ArgumentParser(description=(module.__doc__ or "").strip().split("\n")[0])
    parser.add_argument("words", nargs="*", metavar="WORD")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--timeout", type=float, default=float(os.environ.get("KILN_TEST_SECONDS", seconds)))
    return parser.parse_args()


def _is_test(name, function):
    return name.startswith("test_") and inspect.isfunction(function) and function.__module__ == "__main__"


def _run_all(tests, seconds):
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    try:
        with contextlib.ExitStack() as stack:
            values = {}
            for name, function in tests:
                counts[_run_one(name, function, seconds, stack, values)] += 1
    except Exception:  # pylint: disable=broad-except
        print("FAIL taking down the fixtures")
        traceback.print_exc(file=sys.stdout)
        counts["failed"] += 1
    return counts


def _run_one(name, function, seconds, stack, values):
    begin = time.monotonic()
    result, detail = "passed", ""
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        function(**{name: _value(name, stack, values) for name in inspect.signature(function).parameters})
    except Skip as skip:
        result, detail = "skipped", f": {skip}"
    except Exception:  # pylint: disable=broad-except
        signal.setitimer(signal.ITIMER_REAL, 0)
        result = "failed"
        traceback.print_exc(file=sys.stdout)
        show_logs()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    word = {"passed": "PASS", "failed": "FAIL", "skipped": "SKIP"}[result]
    print(f"{word} {name} ({time.monotonic() - begin:.2f} s){detail}", flush=True)
    return result


def _value(name, stack, values):
    if name not in values:
        if name not in _fixtures:
            raise LookupError(f"no @fixture named {name}")
        values[name] = stack.enter_context(_fixtures[name]())
    return values[name]


def _on_alarm(*_):
    raise TimeLimit("the test ran into its time limit")

