#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A launch that the memory has no room for is refused in words, before anything starts; here by the limit of a control group
that the service is in. And the kernel is told to end guests before the service."""

import contextlib
import json
import os
import sys
import tempfile
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import botocore.exceptions  # noqa: E402
import kiln_test  # noqa: E402
from kiln_test import wait_until  # noqa: E402

MIB = 1 << 20
LIMIT = 600 * MIB
V1 = "/sys/fs/cgroup/memory"
V2 = "/sys/fs/cgroup"


def own_group():
    """The directory of this process's memory group."""
    with open("/proc/self/cgroup", encoding="ascii") as file:
        for line in file.read().splitlines():
            _, controllers, path = line.split(":", 2)
            if "memory" in controllers.split(",") and os.path.exists(V1 + path):
                return V1 + path
            if not controllers and os.path.exists(f"{V2}{path}/memory.current"):
                return V2 + path
    raise kiln_test.Skip("no control group of memory can be seen here")


@contextlib.contextmanager
def limited():
    """This process, and what it starts, in a group with a limit."""
    before = own_group()
    top = V1 if before.startswith(V1) else V2
    try:
        group = tempfile.mkdtemp(prefix="kt-", dir=top)
    except OSError as error:
        raise kiln_test.Skip(f"no control group can be made here: {error}") from error
    try:
        name = "memory.limit_in_bytes" if top == V1 else "memory.max"
        if not os.path.exists(f"{group}/{name}"):
            raise kiln_test.Skip(f"{group} has no {name}")
        write(f"{group}/{name}", LIMIT)
        write(f"{group}/cgroup.procs", os.getpid())
        try:
            yield
        finally:
            write(f"{before}/cgroup.procs", os.getpid())
    finally:
        wait_until(lambda: removed(group), 20, f"{group} is empty")


def removed(group):
    with contextlib.suppress(OSError):
        os.rmdir(group)
    return not os.path.exists(group)


def write(path, value):
    with open(path, "w", encoding="ascii") as file:
        file.write(str(value))


def launch(kiln):
    image = json.loads(kiln.run("import", kiln_test.tiny_image(), "--name", "tiny", "--boot-mode", "legacy-bios", "--json").stdout)["imageId"]
    made = kiln.client("ec2").run_instances(ImageId=image, InstanceType="t3.nano", MinCount=1, MaxCount=1)
    return made["Instances"][0]["InstanceId"]


def metric(kiln, name):
    with urllib.request.urlopen(kiln.endpoint + "/metrics", timeout=10) as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith(name + " "):
                return float(line.split()[1])
    raise AssertionError(f"no {name}")


def oom_score(pid):
    with open(f"/proc/{pid}/oom_score_adj", encoding="ascii") as file:
        return int(file.read())


def test_a_launch_beyond_the_groups_limit_is_refused_and_a_smaller_guest_runs():
    with limited():
        with kiln_test.Kiln() as kiln:
            assert metric(kiln, "kiln_memory_bytes") == LIMIT
            assert 0 < metric(kiln, "kiln_memory_available_bytes") < LIMIT
            try:
                launch(kiln)
                raise AssertionError("512 MiB were promised")
            except botocore.exceptions.ClientError as refused:
                assert refused.response["Error"]["Code"] == "InsufficientInstanceCapacity", refused
                for word in ("of the 600 MiB its control group may use", "takes 512 MiB", "--guest-memory-cap", "--memory-overcommit"):
                    assert word in str(refused), refused
            assert not kiln.machines()
            assert not kiln.client("ec2").describe_instances()["Reservations"]
            assert "control group" in kiln.run("doctor", "--data", kiln.data, check=False).stdout
        with kiln_test.Kiln("--guest-memory-cap", "128") as kiln:
            instance = launch(kiln)
            wait_until(lambda: "TINY READY" in kiln.serial(instance), 240, f"{instance} has booted")
            assert oom_score(kiln.machines()[instance]["pid"]) == oom_score(kiln.process.pid) + 300
            assert metric(kiln, "kiln_memory_low") == 0


if __name__ == "__main__":
    kiln_test.main(seconds=400)
