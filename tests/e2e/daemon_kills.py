#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the daemon, while a guest writes and syncs and while an image of it is made. The guest goes on after the restart
and nothing it was told to be safe is missing; the image is right or has failed with a reason; nothing half made stays.
One guest, up to four boots."""

import json
import os
import random
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import botocore.exceptions  # noqa: E402
import kiln_test  # noqa: E402
from kiln_test import records, wait_until  # noqa: E402

SEED = int(os.environ.get("KILN_SEED", random.randrange(1 << 32)))
# Seconds from the request to the kill. A cut takes some ten milliseconds; a reboot's power-off a second, its boot ten.
NO_REBOOT_MOMENTS = (0.0, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.06, 0.1, 0.3)
REBOOT_MOMENTS = (0.02, 0.5, 2.0)


class Asked:
    """One CreateImage whose service is killed meanwhile."""

    def __init__(self, writer, name, no_reboot):
        self.kiln, self.writer, self.name = writer.kiln, writer, name
        self.acknowledged = writer.said("done")
        self.no_reboot = no_reboot
        self.answered = None
        self.thread = threading.Thread(target=self.ask)
        self.thread.start()

    def ask(self):
        try:
            self.answered = self.writer.ec2.create_image(InstanceId=self.writer.id, Name=self.name, NoReboot=self.no_reboot)["ImageId"]
        except (botocore.exceptions.ClientError, botocore.exceptions.HTTPClientError):
            pass  # it was killed before it answered

    def kill_after(self, seconds):
        threading.Event().wait(seconds)  # the moment is what is tried, not something that is waited for
        self.kiln.kill9()
        self.thread.join(30)
        self.begun = self.writer.said("begin")

    def outcome(self):
        """None when the request left no trace, else the image, no longer pending."""

        def settled():
            images = self.writer.ec2.describe_images(Owners=["self"], Filters=[{"Name": "name", "Values": [self.name]}])["Images"]
            return images if not images or images[0]["State"] != "pending" else None

        images = wait_until(lambda: (settled(),) if settled() is not None else None, 180, f"{self.name} is settled", interval=0.2)[0]
        assert images or not self.answered, "an image that was answered is gone"
        return images[0] if images else None


def check_snapshots(writer):
    """What is neither whole nor part of a failed image is half made."""
    images = writer.ec2.describe_images(Owners=["self"])["Images"]
    named = {m["Ebs"]["SnapshotId"] for i in images if i["State"] == "available" for m in i["BlockDeviceMappings"]}
    for snapshot in writer.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]:
        assert snapshot["State"] in ("completed", "error"), snapshot
        assert snapshot["SnapshotId"] in named or snapshot["State"] == "error", snapshot


def end_all(kiln, writer):
    """With the last image and volume everything goes: a layer or an object that stays belongs to something half made."""
    ec2 = writer.ec2
    ec2.terminate_instances(InstanceIds=[writer.id])
    wait_until(lambda: writer.state() == "terminated", 90, "it is terminated", interval=0.2)
    for image in ec2.describe_images(Owners=["self"])["Images"]:
        ec2.deregister_image(ImageId=image["ImageId"])
    for snapshot in ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]:
        ec2.delete_snapshot(SnapshotId=snapshot["SnapshotId"])
    assert not ec2.describe_volumes()["Volumes"]
    wait_until(lambda: not os.listdir(os.path.join(kiln.data, "layers")), 60, "no layer is left")

    def objects():
        kiln.run("gc", "--json")
        return os.listdir(os.path.join(kiln.data, "objects"))

    wait_until(lambda: not objects(), 60, "no object is left", interval=1)


@kiln_test.fixture
def writer():
    print(f"KILN_SEED={SEED}", flush=True)
    with kiln_test.Kiln("--guest-memory-cap", "192", "--shutdown-grace", "60", "--gc-grace", "1") as kiln:
        image = json.loads(kiln.run("import", records.writer_image(), "--boot-mode", "legacy-bios", "--name", "writer", "--json").stdout)["imageId"]
        made = records.Writer(kiln, image)
        made.wait_for(3)
        yield made


def start_again(writer):
    writer.kiln.start()
    writer.reconnect()


def test_a_guest_that_writes_outlives_killed_daemons_and_loses_nothing(writer):
    choice = random.Random(SEED)
    for number in range(4):
        writer.wait_for_more(choice.randrange(1, 4))
        acknowledged, process = writer.said("done"), writer.kiln.machines()[writer.id]["pid"]
        writer.kiln.kill9()
        start_again(writer)
        assert writer.kiln.machines()[writer.id]["pid"] == process
        writer.wait_for(acknowledged + 2, 60)
        image = writer.ec2.create_image(InstanceId=writer.id, Name=f"after kill {number}", NoReboot=True)["ImageId"]
        begun = writer.said("begin")
        found = records.in_image(writer.kiln, image)
        print(f"killed after {acknowledged}: {found}", flush=True)
        found.check_cut(acknowledged + 2, begun)
    assert writer.state() == "running" and writer.ends() == 0


def test_killed_while_it_makes_an_image_of_a_running_guest(writer):
    for number, moment in enumerate(NO_REBOOT_MOMENTS):
        writer.wait_for_more()
        asked = Asked(writer, f"no reboot {number}", True)
        asked.kill_after(moment)
        start_again(writer)
        image = asked.outcome()
        state = image["State"] if image else "never was"
        print(f"killed after {moment} s: {state}, {'answered' if asked.answered else 'not answered'}", flush=True)
        if state == "available":
            records.in_image(writer.kiln, image["ImageId"]).check_cut(asked.acknowledged, asked.begun)
        elif image:
            assert state == "failed" and image["StateReason"]["Message"] and not asked.answered, image
        check_snapshots(writer)
        writer.wait_for_more(2)
    assert writer.state() == "running" and writer.ends() == 0, "the guest was not disturbed"


def test_killed_while_it_makes_an_image_with_a_reboot(writer):
    for number, moment in enumerate(REBOOT_MOMENTS):
        writer.wait_for_more()
        ends = writer.ends()
        asked = Asked(writer, f"reboot {number}", False)
        asked.kill_after(moment)
        start_again(writer)
        image = asked.outcome()
        state = image["State"] if image else "never was"
        print(f"killed after {moment} s: {state}, {'answered' if asked.answered else 'not answered'}", flush=True)
        if state == "available":
            assert writer.ends() == ends + 1, "the guest was asked, once"
            records.in_image(writer.kiln, image["ImageId"]).check_equal(writer.said("end"))
            writer.wait_for(writer.said("end") + 2)
        elif image:
            assert state == "failed" and image["StateReason"]["Message"], image
        check_snapshots(writer)
        assert writer.state() == "running"


def test_nothing_half_made_is_left(writer):
    end_all(writer.kiln, writer)


if __name__ == "__main__":
    kiln_test.main(seconds=600)
