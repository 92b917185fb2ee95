#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""VOL-16: with --enforce-volume-limits a volume is no faster than its type and performance say, also after they were modified;
without it nothing is held back. HOST-IO-1: with --total-iops and --total-throughput all volumes together are no faster than that. What is counted is what a client got done in a time, as an upper bound alone: how near a busy
machine comes to it is nobody's promise (src/block/tests/throttle_test.cpp has that, on a simulated clock)."""

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import wait_until  # noqa: E402
from kiln_test.written import launch  # noqa: E402

SECONDS = 4
BLOCK = 4096
# What may come at one moment: a tenth of a second's worth.
MOMENT = 0.1


def fio_together(paths, **arguments):
    """The same, of clients of several volumes at once."""
    with ThreadPoolExecutor(len(paths)) as clients:
        done, took = zip(*clients.map(lambda path: fio(path, **arguments), paths))
    return done, max(took)


def fio(path, seconds=SECONDS, block=BLOCK):
    """Operations that clients got done with 32 always under way, and how long that took."""
    command = ["fio", "--name=load", "--ioengine=nbd", f"--uri=nbd+unix:///?socket={path}", "--rw=randread", f"--bs={block}", "--size=64M"]
    command += ["--iodepth=32", "--time_based", f"--runtime={seconds}", "--output-format=json", "--randrepeat=0"]
    begun = time.monotonic()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=100, check=True)
    took = time.monotonic() - begun
    told = done.stdout[done.stdout.index("{") :]  # behind what it remarks
    return json.loads(told)["jobs"][0]["read"]["total_ios"], took


def modify(ec2, volume, **changes):
    ec2.modify_volume(VolumeId=volume, **changes)

    def completed():
        return ec2.describe_volumes_modifications(VolumeIds=[volume])["VolumesModifications"][0]["ModificationState"] == "completed"

    wait_until(completed, 30, f"{volume} is modified")


def test_VOL_16_a_volume_is_no_faster_than_its_type_and_a_modification_counts_at_once():
    with kiln_test.api_service("--enforce-volume-limits") as kiln:
        ec2 = kiln.client("ec2")
        volume, path = launch(kiln, kiln.image)
        modify(ec2, volume, VolumeType="io2", Size=10, Iops=100)
        done, took = fio(path)
        assert 0 < done <= 100 * (took + MOMENT) + 1, (done, took)
        modify(ec2, volume, Iops=400)
        done, took = fio(path)
        assert 0 < done <= 400 * (took + MOMENT) + 1, (done, took)
        # By bytes: gp3's least is 125 MiB/s.
        modify(ec2, volume, VolumeType="gp3")
        done, took = fio(path, block=1 << 20)
        assert 0 < done <= 125 * (took + MOMENT) + 1, (done, took)


def test_VOL_16_without_the_option_nothing_is_counted():
    with kiln_test.api_service() as kiln:
        ec2 = kiln.client("ec2")
        volume, path = launch(kiln, kiln.image)
        modify(ec2, volume, VolumeType="io2", Size=10, Iops=100)

        def faster():  # however busy the machine is, it is not at a hundred a second for ever
            done, took = fio(path, seconds=1)
            return done > 100 * (took + MOMENT) + 1

        wait_until(faster, 60, "more is done than the limit would let")


def test_HOST_IO_1_all_volumes_together_are_no_faster_than_the_host_may_be():
    with kiln_test.api_service("--total-iops", "300") as kiln:
        paths = [launch(kiln, kiln.image)[1] for _ in range(2)]
        done, took = fio_together(paths)
        assert all(done) and sum(done) <= 300 * (took + MOMENT) + 1, (done, took)
    with kiln_test.api_service("--total-throughput", "50") as kiln:
        paths = [launch(kiln, kiln.image)[1] for _ in range(2)]
        done, took = fio_together(paths, block=1 << 20)
        assert all(done) and sum(done) <= 50 * (took + MOMENT) + 2, (done, took)  # a request larger than the bucket each


if __name__ == "__main__":
    kiln_test.main(seconds=200)
