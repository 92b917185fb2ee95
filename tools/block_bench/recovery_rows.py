# SPDX-License-Identifier: Apache-2.0
"""Row P16: how long a running machine's volume is away when the service is killed under load, and whether anything it
acknowledged is missing afterwards."""

import threading
import time

from kiln_test import Kiln, numbers, wait_until

from .measure import in_turns, row

ALLOWED_MS = 1000
PLACES = 1 << 18  # one GiB of blocks
LEAST_WRITES = 1000


def p16(plan):
    with Kiln(*numbers.SMALL_MACHINE) as kiln:
        volume = numbers.Served(kiln)
        load = numbers.Load(volume.socket, PLACES)
        rounds = in_turns({"kiln": lambda: recovery(kiln, volume, load, plan.seconds * 5), "allowance": lambda: ALLOWED_MS}, plan.rounds)
        volume.end()
    what = f"from the start after a kill -9 under 4 KiB writes, {numbers.IN_FLIGHT} in flight, to the first read; no acknowledged write missing"
    yield row("P16", what, rounds, "kiln", "allowance", target=1.0, peer_name="1 s", more_is_better=False, unit="ms")


def recovery(kiln, volume, load, seconds):
    """Milliseconds. Fails when a write is missing."""
    with load:
        wait_until(lambda: load.acknowledged() > LEAST_WRITES, numbers.DEADLINE_SECONDS, "the load is on its way")
        load.wait(seconds)
        kiln.kill9()
    starting = threading.Thread(target=kiln.start)
    begin = time.monotonic()
    starting.start()
    handle = volume.connect()
    handle.pread(numbers.BLOCK, 0)
    took = time.monotonic() - begin
    starting.join()
    load.check(handle)
    handle.shutdown()
    assert volume.state() == "running"
    return took * 1000
