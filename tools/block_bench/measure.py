# SPDX-License-Identifier: Apache-2.0
"""Measuring: one run of fio, and contestants in turns.

A row compares two figures of one round, so that what slows the machine for a minute slows both: its ratio is the median
of the rounds' ratios, and its spread the least and the greatest of them. A control without any server runs in every round; when
its figures move by more than a fifth, the machine was not the same throughout, and all is measured again, at most
three times in all. The calmest time counts, and is marked noisy if it was not calm.
"""

import json
import statistics
import subprocess

MOST_DRIFT = 0.20
ATTEMPTS = 3
FIO_SECONDS = 90
# The same bytes everywhere: what a snapshot leaves to store in the background is then little, and soon done.
CONTENT = ["--buffer_pattern=0x6b696c6e", "--scramble_buffers=0"]


def fio_all(targets, *options, seconds=2, size="1G"):
    """What fio --output-format=json says of the jobs that these options describe, one for each target, at the same time."""
    command = ["fio", f"--size={size}", "--output-format=json", "--randrepeat=0", *CONTENT]
    command += ["--time_based", f"--runtime={int(seconds * 1000)}ms"] if seconds else []
    command += options
    for number, target in enumerate(targets):
        command += [f"--name=job{number}", *target.engine]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=FIO_SECONDS, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    jobs = json.loads(done.stdout[done.stdout.index("{") :])["jobs"]
    assert len(jobs) == len(targets) and all(job["error"] == 0 for job in jobs), jobs
    return jobs


def fio(target, *options, **more):
    return fio_all([target], *options, **more)[0]


def iops(direction, target, *options, **more):
    return fio(target, f"--rw=rand{direction}", "--bs=4k", *options, **more)[direction]["iops"]


def iops_of_all(direction, targets, *options, **more):
    """The sum of what they do at the same time."""
    jobs = fio_all(targets, f"--rw=rand{direction}", "--bs=4k", *options, **more)
    return sum(job[direction]["iops"] for job in jobs)


def megabytes(direction, target, *options, **more):
    """MB/s of sequential requests of 1 MiB, four at a time."""
    job = fio(target, f"--rw={direction}", "--bs=1M", "--iodepth=4", *options, **more)
    return job[direction]["bw_bytes"] / 1e6


def fill(target, size="1G"):
    """Every block written once."""
    fio(target, "--rw=write", "--bs=1M", "--iodepth=4", "--end_fsync=1", seconds=None, size=size)


class Rounds:
    """Figures by contestant, one per round; `drift` is by how much the control moved. Immutable."""

    def __init__(self, figures, control):
        self.figures = figures
        watched = figures.get(control)
        self.drift = (max(watched) - min(watched)) / statistics.median(watched) if watched else 0.0

    def median(self, name):
        return statistics.median(self.figures[name])

    def ratios(self, name, peer, more_is_better=True):
        pairs = zip(self.figures[name], self.figures[peer])
        return [a / b if more_is_better else b / a for a, b in pairs]


def in_turns(contestants, rounds, control=None, attempts=ATTEMPTS):
    """Calls each contestant (name: callable that returns a figure) once per round, forwards and backwards by turns."""
    best = None
    for _ in range(attempts if control else 1):
        figures = {name: [] for name in contestants}
        for number in range(rounds):
            for name in list(contestants) if number % 2 == 0 else list(contestants)[::-1]:
                figures[name].append(contestants[name]())
        got = Rounds(figures, control)
        if best is None or got.drift < best.drift:
            best = got
        if best.drift <= MOST_DRIFT:
            break
    return best


def row(identifier, what, rounds, ours, peer, **more):
    """A row of the results. `more`: peer_name, unit, target, more_is_better, noisy_above."""
    ratios = rounds.ratios(ours, peer, more.get("more_is_better", True))
    made = {
        "id": identifier,
        "what": what,
        "kiln": round(rounds.median(ours), 1),
        "peer": round(rounds.median(peer), 1),
        "peer_name": more.get("peer_name", peer),
        "unit": more["unit"],
        "ratio": round(statistics.median(ratios), 3),
        "target": more.get("target"),
        "spread": [round(min(ratios), 3), round(max(ratios), 3)],
        "rounds": len(ratios),
    }
    if rounds.drift > MOST_DRIFT:
        made["noisy"] = round(rounds.drift, 2)
    return made
