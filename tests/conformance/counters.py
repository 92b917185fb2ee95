#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What launches, snapshots and clones cost, by counters: files made and bytes taken in the data directory, never by clocks.
Over the scripted hypervisor."""

import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import wait_until  # noqa: E402
from kiln_test.counters import Used  # noqa: E402

MIB = 1 << 20
ZONE = "us-east-1a"
LAUNCHES = 50
QUIET_SECONDS = 1


@kiln_test.fixture
def kiln():
    with kiln_test.Kiln("--hypervisor", "fake") as daemon:
        raw = os.path.join(daemon.home, "disk.raw")
        with open(raw, "wb") as disk:
            for offset in (0, 5 * MIB + 4096, 31 * MIB):
                disk.seek(offset)
                disk.write(os.urandom(MIB))
            disk.truncate(64 * MIB)
        daemon.image = json.loads(daemon.run("import", raw, "--name", "disk", "--json").stdout)
        settle(daemon, daemon.image["snapshotId"])
        yield daemon


def settle(kiln, snapshot):
    """What goes on in the background is part of what it costs: wait until the snapshot is stored."""
    kiln.wait_stored(snapshot)


def used(kiln):
    """What is there once the work in the background is over: layers that nobody needs are dropped by jobs of their own."""
    seen, since = Used(kiln.data), time.monotonic()

    def is_quiet():
        nonlocal seen, since
        now = Used(kiln.data)
        if (now - seen).files or (now - seen).objects:
            seen, since = now, time.monotonic()
        return time.monotonic() - since > QUIET_SECONDS

    wait_until(is_quiet, 60, "the store is quiet")
    return seen


def launch(ec2, image, count=1, size=None):
    mapping = [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": size, "VolumeType": "gp3"}}] if size else []
    made = ec2.run_instances(
        ImageId=image, InstanceType="t2.nano", MinCount=count, MaxCount=count, BlockDeviceMappings=mapping
    )  # fmt: skip
    ids = [instance["InstanceId"] for instance in made["Instances"]]
    wait_until(lambda: all(i["State"]["Name"] == "running" for i in instances(ec2, ids)), 60, f"{count} run")
    return ids


def instances(ec2, ids):
    return [i for r in ec2.describe_instances(InstanceIds=ids)["Reservations"] for i in r["Instances"]]


def root_of(ec2, instance):
    return instances(ec2, [instance])[0]["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]


def test_50_launches_of_one_image_take_less_than_a_mebibyte_each(kiln):
    ec2 = kiln.client("ec2")
    before = used(kiln)
    ids = launch(ec2, kiln.image["imageId"], LAUNCHES)
    grown = used(kiln) - before
    print(f"{LAUNCHES} launches: {grown}, {grown.bytes // LAUNCHES} bytes each")
    assert grown.bytes < LAUNCHES * MIB, grown
    assert grown.objects == 0, "no chunk is copied for a launch"
    ec2.terminate_instances(InstanceIds=ids)
    wait_until(lambda: all(i["State"]["Name"] == "terminated" for i in instances(ec2, ids)), 60, "all are terminated")


def costs(kiln, size):
    """What a launch, a snapshot and a clone take at this size in GiB, each after the one before is stored."""
    ec2 = kiln.client("ec2")
    steps = [used(kiln)]
    instance = launch(ec2, kiln.image["imageId"], size=size)[0]
    steps.append(used(kiln))
    snapshot = ec2.create_snapshot(VolumeId=root_of(ec2, instance))["SnapshotId"]
    ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[snapshot], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    settle(kiln, snapshot)
    steps.append(used(kiln))
    volume = ec2.create_volume(AvailabilityZone=ZONE, SnapshotId=snapshot, VolumeType="gp3")["VolumeId"]
    kiln.run("nbd", volume)  # opens it
    steps.append(used(kiln))
    kiln.run("nbd", volume, "--stop")
    return dict(zip(("launch", "snapshot", "clone"), (after - before for before, after in zip(steps, steps[1:]))))


def test_64_TiB_takes_as_many_files_and_objects_as_8_GiB(kiln):
    small, large = costs(kiln, 8), costs(kiln, 65536)
    for step, little in small.items():
        much = large[step]
        print(f"{step}: 8 GiB {little}; 64 TiB {much}")
        assert (much.files, much.objects) == (little.files, little.objects), (step, little, much)
        # A tree of 64 TiB has more levels, a node each; nothing grows with what is not there.
        assert much.bytes <= little.bytes + 128 * 1024, (step, little, much)


if __name__ == "__main__":
    kiln_test.main()
