# SPDX-License-Identifier: Apache-2.0
"""Bounded waiting. Tests never sleep and hope: they name a condition and a deadline."""

import time


def wait_until(predicate, seconds, what, interval=0.05):
    """Calls `predicate` until it returns something true, and returns that; after `seconds` fails naming `what`."""
    end = time.monotonic() + seconds
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() >= end:
            raise AssertionError(f"not within {seconds} s: {what} (last: {value!r})")
        time.sleep(interval)
