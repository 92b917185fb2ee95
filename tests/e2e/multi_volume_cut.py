#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""An image of a real guest with three volumes is of one instant: while it runs, with a reboot, and stopped. The guest writes
record n to its first data volume, then to the second, then to its root, each synced before the next. KILN_CUTS is the
number of cuts under load (5). One guest, two boots. Two launches of one image begin with the same bytes."""

import hashlib
import json
import os
import random
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import records, wait_until  # noqa: E402

CUTS = int(os.environ.get("KILN_CUTS", "5"))
SEED = int(os.environ.get("KILN_SEED", random.randrange(1 << 32)))


def available(ec2, image):
    def state():
        seen = ec2.describe_images(ImageIds=[image])["Images"][0]
        assert seen["State"] in ("pending", "available"), seen
        return seen["State"] == "available"

    wait_until(state, 180, f"{image} is available", interval=0.1)


def cut_under_load(kiln, writer, name):
    acknowledged = writer.said("done")
    image = writer.ec2.create_image(InstanceId=writer.id, Name=name, NoReboot=True)["ImageId"]
    begun = writer.said("begin")
    available(writer.ec2, image)
    return image, acknowledged, begun


def test_D27_cuts_of_three_volumes_are_of_one_instant():
    choice = random.Random(SEED)
    print(f"KILN_SEED={SEED} KILN_CUTS={CUTS}", flush=True)
    with kiln_test.Kiln("--guest-memory-cap", "192", "--shutdown-grace", "60") as kiln:
        source = json.loads(kiln.run("import", records.writer_image(), "--boot-mode", "legacy-bios", "--name", "writer", "--json").stdout)["imageId"]
        writer = records.Writer(kiln, source)
        writer.wait_for(3)
        cuts = []
        for number in range(CUTS):
            writer.wait_for_more(choice.randrange(1, 6))
            wait_until(lambda left=iter(range(choice.randrange(8))): next(left, None) is None, 10, "a moment", interval=0.01)
            cuts.append(cut_under_load(kiln, writer, f"cut {number}"))
        writer.wait_for_more()
        assert writer.state() == "running" and writer.ends() == 0, "the guest was not disturbed"
        for image, acknowledged, begun in cuts:
            found = records.in_image(kiln, image)
            print(f"{image}: acknowledged={acknowledged} {found} begun={begun}", flush=True)
            found.check_cut(acknowledged, begun)

        rebooted = writer.ec2.create_image(InstanceId=writer.id, Name="with a reboot")["ImageId"]
        available(writer.ec2, rebooted)
        assert writer.ends() == 1, "the guest was asked"
        last = writer.said("end")
        records.in_image(kiln, rebooted).check_equal(last)
        writer.wait_for(last + 2)  # CI-4: it goes on by itself, from where it was

        writer.ec2.stop_instances(InstanceIds=[writer.id])
        wait_until(lambda: writer.state() == "stopped", 90, "it is stopped", interval=0.2)
        stopped = writer.ec2.create_image(InstanceId=writer.id, Name="stopped")["ImageId"]
        available(writer.ec2, stopped)
        assert writer.ends() == 2 and writer.said("end") >= last + 2
        records.in_image(kiln, stopped).check_equal(writer.said("end"))


def digest(kiln, volume):
    """SHA-256 of all bytes of a volume, through its read-only export."""
    served = json.loads(kiln.run("nbd", volume).stdout)
    copy = subprocess.Popen(["nbdcopy", served["uri"], "-"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    total, size = hashlib.sha256(), 0
    while block := copy.stdout.read(1 << 20):
        total.update(block)
        size += len(block)
    assert copy.wait(60) == 0
    kiln.run("nbd", volume, "--stop")
    return total.hexdigest(), size


def test_two_launches_of_an_image_begin_with_the_same_bytes():
    # The scripted machine touches nothing, so that the volumes hold what a guest's first instruction would find.
    with kiln_test.Kiln("--hypervisor", "fake") as kiln:
        ec2 = kiln.client("ec2")
        image = json.loads(kiln.run("import", kiln_test.tiny_image(), "--boot-mode", "legacy-bios", "--name", "tiny", "--json").stdout)["imageId"]
        made = ec2.run_instances(ImageId=image, InstanceType="t2.nano", MinCount=2, MaxCount=2)["Instances"]

        def roots():
            seen = ec2.describe_instances(InstanceIds=[i["InstanceId"] for i in made])["Reservations"]
            running = [i for r in seen for i in r["Instances"] if i["State"]["Name"] == "running"]
            return [i["BlockDeviceMappings"][0]["Ebs"]["VolumeId"] for i in running] if len(running) == 2 else None

        first, second = (digest(kiln, volume) for volume in wait_until(roots, 60, "both run"))
        assert first == second and first[1] == 1 << 30, (first, second)


if __name__ == "__main__":
    kiln_test.main(seconds=600)
