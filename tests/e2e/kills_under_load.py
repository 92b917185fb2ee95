#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the service under 4 KiB writes, 32 in flight, while snapshots of the volume are made and deleted, stored, their layers
merged, and space is taken back. After every kill the volume holds what was acknowledged; every snapshot holds one moment between
its request and its answer, when it appears and ever after; at the end the store is whole and nothing half made stays.

KILLS=N kills N times (6), KILN_SEED=S takes the same choices again; their moments are never quite the same.
"""

import os
import random
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import botocore.exceptions  # noqa: E402
import kiln_test  # noqa: E402
from kiln_test import numbers, wait_until  # noqa: E402

KILLS = int(os.environ.get("KILLS", "6"))
SEED = int(os.environ.get("KILN_SEED", random.randrange(1 << 32)))
PLACES = 4096  # 16 MiB
LEAST_WRITES = 200
MOST_SECONDS = 1.5  # of load and requests before a kill
MOST_SNAPSHOTS = 12  # more than eight: layers are merged
SETTLE_SECONDS = 120


class Requests:
    """Asks for one thing after the other until the service is gone. Whoever reads what it noted joins it before."""

    def __init__(self, kiln, volume, load, snapshots, choice):
        self.kiln, self.volume, self.load, self.choice = kiln, volume, load, choice
        self.ec2 = kiln.client("ec2")
        self.snapshots = dict(snapshots)  # identifier -> Bounds
        self.unanswered = None  # Bounds of the snapshot that was asked for when the service went
        self.deleted = set()  # asked for
        self.failure = None  # of a request, while the service was there
        self.thread = threading.Thread(target=self._ask)

    def _ask(self):
        try:
            while True:
                self.choice.choices([self._snapshot, self._delete, self._collect], [6, 3, 1])[0]()
        except (botocore.exceptions.HTTPClientError, botocore.exceptions.ConnectionError):
            pass  # it was killed before it answered
        except Exception as failure:  # pylint: disable=broad-except
            self.failure = failure

    def _snapshot(self):
        least = list(self.load.done)
        # What is on its way when the service goes may be in it.
        self.unanswered = numbers.Bounds(least, self.load.issued)
        made = self.ec2.create_snapshot(VolumeId=self.volume.identifier)["SnapshotId"]
        self.snapshots[made] = numbers.Bounds(least, list(self.load.issued))
        self.unanswered = None

    def _delete(self):
        if self.snapshots and (len(self.snapshots) > MOST_SNAPSHOTS or self.choice.random() < 0.5):
            gone = self.choice.choice(sorted(self.snapshots))
            self.deleted.add(gone)
            self.ec2.delete_snapshot(SnapshotId=gone)
            del self.snapshots[gone]

    def _collect(self):
        done = self.kiln.run("gc", check=False)
        if done.returncode != 0:
            self.ec2.describe_snapshots(OwnerIds=["self"])  # fails as well when it was killed meanwhile
            raise AssertionError(f"kiln gc: {done.stderr}")


@kiln_test.fixture
def served():
    print(f"KILN_SEED={SEED}", flush=True)
    with kiln_test.Kiln(*numbers.SMALL_MACHINE, "--gc-grace", "1") as kiln:
        yield numbers.Served(kiln)


def settled(kiln):
    """Snapshots by identifier, when none is pending any more."""
    found = {s["SnapshotId"]: s for s in kiln.client("ec2").describe_snapshots(OwnerIds=["self"])["Snapshots"]}
    return None if any(s["State"] == "pending" for s in found.values()) else (found,)


def check_snapshot(kiln, snapshot, bounds):
    path = os.path.join(kiln.home, "exported")
    kiln.run("export", snapshot, path, "--force")
    with open(path, "rb") as file:
        for place in range(PLACES):
            bounds.check(place, file.read(numbers.BLOCK))


def after_kill(kiln, requests):
    """What there is now, with what it must hold."""
    found = wait_until(lambda: settled(kiln), SETTLE_SECONDS, "no snapshot is pending", interval=0.1)[0]
    kept = {}
    for identifier, shown in found.items():
        bounds = requests.snapshots.get(identifier)
        if bounds is None and identifier in requests.deleted:
            continue  # the answer is missing, and it may not have been done
        if bounds is None and shown["VolumeId"] != requests.volume.identifier:
            continue  # that of the machine's disk
        if bounds is None:
            assert requests.unanswered, f"{identifier} was not asked for"
            bounds, requests.unanswered = requests.unanswered, None
            if shown["State"] == "error":
                kiln.client("ec2").delete_snapshot(SnapshotId=identifier)
                continue
            bounds = numbers.Bounds(bounds.least, list(bounds.most))
        assert shown["State"] == "completed", shown
        kept[identifier] = bounds
    missing = set(requests.snapshots) - set(kept) - requests.deleted
    assert not missing, f"{missing} were answered and are gone"
    return kept


def test_nothing_acknowledged_is_lost_and_every_snapshot_is_one_moment(served):
    kiln, choice = served.kiln, random.Random(SEED)
    load = numbers.Load(served.socket, PLACES)
    snapshots = {}
    for number in range(KILLS):
        with load:
            wait_until(lambda: load.acknowledged() > LEAST_WRITES, numbers.DEADLINE_SECONDS, "the load is on its way")
            requests = Requests(kiln, served, load, snapshots, choice)
            requests.thread.start()
            load.wait(choice.uniform(0, MOST_SECONDS))
            kiln.kill9()
        requests.thread.join(numbers.DEADLINE_SECONDS)
        assert not requests.thread.is_alive(), "the requests end with the service"
        if requests.failure:
            raise requests.failure
        kiln.start()
        handle = served.connect()
        load.check(handle)
        handle.shutdown()
        before, snapshots = set(snapshots), after_kill(kiln, requests)
        for identifier in sorted(snapshots):
            if identifier not in before or choice.random() < 0.2:
                check_snapshot(kiln, identifier, snapshots[identifier])
        print(f"kill {number + 1}: {load.count.value} writes, {len(snapshots)} snapshots", flush=True)
    for identifier, bounds in snapshots.items():
        check_snapshot(kiln, identifier, bounds)
    assert served.state() == "running"


def test_the_store_is_whole(served):
    kiln = served.kiln
    kiln.stop()
    done = kiln.run("fsck", "--data", kiln.data, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    kiln.start()


def test_nothing_half_made_is_left(served):
    kiln = served.kiln
    ec2 = kiln.client("ec2")
    served.end()
    for image in ec2.describe_images(Owners=["self"])["Images"]:
        ec2.deregister_image(ImageId=image["ImageId"])
    for snapshot in ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]:
        ec2.delete_snapshot(SnapshotId=snapshot["SnapshotId"])
    wait_until(lambda: not os.listdir(os.path.join(kiln.data, "layers")), 60, "no layer is left")

    def objects():
        kiln.run("gc", "--json")
        return os.listdir(os.path.join(kiln.data, "objects"))

    wait_until(lambda: not objects(), 60, "no object is left", interval=1)


if __name__ == "__main__":
    kiln_test.main(seconds=300 + 30 * KILLS)
