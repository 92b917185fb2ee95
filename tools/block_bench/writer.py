# SPDX-License-Identifier: Apache-2.0
"""Writes one after the other, timed, while something else happens to the volume."""

import multiprocessing
import os
import time

import nbd

DEADLINE_SECONDS = 120
BLOCK = 4096
PLACES = 262144  # within the first GiB


def connect(socket):
    handle = nbd.NBD()
    handle.connect_unix(socket)
    return handle


def longest(writes, window):
    """Of those that were under way at some moment of the window."""
    return max(end - begin for begin, end in writes if begin < window[1] and window[0] < end)


def percentile(values, of):
    """Of sorted values: the least of which `of` percent are not larger."""
    return values[-(-len(values) * of // 100) - 1]


class Writer:
    """A process that writes 4 KiB after 4 KiB and notes when each began and ended."""

    def __init__(self, socket):
        self.written = multiprocessing.Value("Q", 0)
        self.stop = multiprocessing.Event()
        self.ours, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=self._write, args=(socket, theirs), daemon=True)

    def __enter__(self):
        self.process.start()
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.join()

    def count(self):
        return self.written.value

    def finish(self):
        self.stop.set()
        assert self.ours.poll(DEADLINE_SECONDS), "the writer ends"
        return self.ours.recv()

    def _write(self, socket, answers):
        handle, writes, block = connect(socket), [], os.urandom(BLOCK)
        while not self.stop.is_set():
            begin = time.monotonic()
            handle.pwrite(block, (len(writes) * 7919 % PLACES) * BLOCK)
            writes.append((begin, time.monotonic()))
            self.written.value += 1
        answers.send(writes)
