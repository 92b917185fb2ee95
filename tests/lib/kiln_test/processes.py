# SPDX-License-Identifier: Apache-2.0
"""Ends the machines and network processes a daemon under test left running: exactly those, known by the runtime records in its data directory
(process id, start time and boot id; docs/internals/compute.md). A process id alone may have been reused."""

import glob
import json
import os
import select
import signal


def recorded_machines(data):
    """The runtime records of machines below `data`, as dictionaries; a record that is being removed is passed over."""
    return _records(data, "machine.json")


def _records(data, name):
    records = []
    for path in glob.glob(os.path.join(glob.escape(data), "**", name), recursive=True):
        try:
            with open(path, encoding="utf-8") as file:
                records.append(json.load(file))
        except (FileNotFoundError, json.JSONDecodeError):
            continue
    return records


def end_machines(data, seconds=10):
    """SIGKILLs every living machine of `data` and its network process, waits for each, and returns their process ids."""
    ended = []
    for record in recorded_machines(data) + _records(data, "network-process.json"):
        try:
            handle = os.pidfd_open(record["pid"])
        except ProcessLookupError:
            continue
        try:
            # The handle is open before the check, so what is checked is what gets the signal.
            if _is_same(record):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
                if not select.select([handle], [], [], seconds)[0]:
                    raise AssertionError(f"{record['id']} (process {record['pid']}) does not end")
                ended.append(record["pid"])
        except ProcessLookupError:
            pass
        finally:
            os.close(handle)
    return ended


def is_there(pid):
    """Whether the process runs: one that has ended and waits for its parent does not."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def end_marked(name, value):
    """SIGKILLs every process whose environment holds name=value, i.e. what this test program started, however far down,
    and describes them. A second net below end_machines, for what has no record."""
    wanted = f"{name}={value}".encode()
    ended = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            handle = os.pidfd_open(int(entry))
        except OSError:
            continue
        try:
            with open(f"/proc/{entry}/environ", "rb") as file:
                if wanted not in file.read().split(b"\0"):
                    continue
            with open(f"/proc/{entry}/cmdline", encoding="utf-8", errors="replace") as file:
                ended.append(f"{entry} {file.read().split(chr(0))[0]}")
            signal.pidfd_send_signal(handle, signal.SIGKILL)
        except OSError:
            continue
        finally:
            os.close(handle)
    return ended


def _is_same(record):
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        if file.read().strip() != record["boot_id"]:
            return False
    try:
        with open(f"/proc/{record['pid']}/stat", encoding="utf-8", errors="replace") as file:
            # The name field may hold anything, so fields count from the last parenthesis: the first one is number 3.
            fields = file.read().rpartition(")")[2].split()
    except FileNotFoundError:
        return False
    return int(fields[22 - 3]) == record["start_time"]
