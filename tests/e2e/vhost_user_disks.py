#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Instances whose disks are vhost-user devices: a guest boots from one, writes and syncs on three, and outlives kills of the
daemon without losing what it was told to be safe; it is stopped, started, and copied. Disks come and
go while another runs. Two guests, three boots. KILN_KILLS: how often the daemon is killed."""

import json
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import botocore.exceptions  # noqa: E402
import kiln_test  # noqa: E402
from kiln_test import records, wait_until  # noqa: E402

SEED = int(os.environ.get("KILN_SEED", random.randrange(1 << 32)))
KILLS = int(os.environ.get("KILN_KILLS", 5))
OPTIONS = ("--guest-memory-cap", "192", "--shutdown-grace", "60", "--disk-transport", "vhost-user")


def volumes_of(kiln, instance):
    return json.loads(kiln.run("inspect", instance).stdout)["volumes"]


def attachments(ec2, volume):
    return [a["State"] for a in ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["Attachments"]]


@kiln_test.fixture
def writer():
    print(f"KILN_SEED={SEED}", flush=True)
    with kiln_test.Kiln(*OPTIONS) as kiln:
        image = json.loads(kiln.run("import", records.writer_image(), "--boot-mode", "legacy-bios", "--name", "writer", "--json").stdout)["imageId"]
        made = records.Writer(kiln, image)
        made.wait_for(3)
        yield made


def check_image(writer, name, acknowledged):
    image = writer.ec2.create_image(InstanceId=writer.id, Name=name, NoReboot=True)["ImageId"]
    begun = writer.said("begin")
    found = records.in_image(writer.kiln, image)
    print(f"{name}: acknowledged {acknowledged}, {found}", flush=True)
    found.check_cut(acknowledged, begun)


def test_the_disks_of_the_instance_are_vhost_user_devices(writer):
    transports = [volume["transport"] for volume in volumes_of(writer.kiln, writer.id)]
    assert transports == ["vhost-user"] * 3, transports
    with open(f"/proc/{writer.kiln.machines()[writer.id]['pid']}/cmdline", "rb") as file:
        arguments = file.read().decode()
    assert arguments.count("vhost-user-blk-pci,") == 3 and "driver=nbd" not in arguments, arguments


def test_a_guest_that_writes_outlives_killed_daemons_and_loses_nothing(writer):
    choice = random.Random(SEED)
    for number in range(KILLS):
        writer.wait_for_more(choice.randrange(1, 4))
        # In the middle of something: the moment is what is tried, not something that is waited for.
        time.sleep(choice.random() / 20)
        acknowledged, process = writer.said("done"), writer.kiln.machines()[writer.id]["pid"]
        writer.kiln.kill9()
        began = time.monotonic()
        writer.kiln.start()
        ready = time.monotonic()
        writer.reconnect()
        assert writer.kiln.machines()[writer.id]["pid"] == process
        writer.wait_for(acknowledged + 2, 60)
        print(f"kill {number}: ready after {ready - began:.2f} s, two records later after {time.monotonic() - began:.2f} s", flush=True)
        if number == KILLS - 1 or number % 10 == 4:
            check_image(writer, f"after kill {number}", acknowledged + 2)
    assert writer.state() == "running" and writer.ends() == 0


def test_a_volume_comes_and_goes_while_a_guest_runs(writer):
    # Not the guest that writes: its script keeps it from hearing of disks.
    kiln, ec2 = writer.kiln, writer.ec2
    image = json.loads(kiln.run("import", kiln_test.tiny_image(), "--boot-mode", "legacy-bios", "--name", "tiny", "--json").stdout)["imageId"]
    made = ec2.run_instances(ImageId=image, InstanceType="t2.nano", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    wait_until(lambda: "TINY READY" in kiln.serial(made), 240, "the guest is up")
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    ec2.attach_volume(VolumeId=volume, InstanceId=made, Device="/dev/sdh")
    wait_until(lambda: attachments(ec2, volume) == ["attached"], 30, "the machine has the disk")
    try:
        ec2.detach_volume(VolumeId=volume, Force=True)
        raise AssertionError("a vhost-user disk was detached by force")
    except botocore.exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == "UnsupportedOperation", error
        assert "vhost-user" in error.response["Error"]["Message"], error
    assert attachments(ec2, volume) == ["attached"]
    ec2.detach_volume(VolumeId=volume)
    wait_until(lambda: not attachments(ec2, volume), 60, "the guest let the disk go")
    ec2.attach_volume(VolumeId=volume, InstanceId=made, Device="/dev/sdh")  # it can come again
    wait_until(lambda: attachments(ec2, volume) == ["attached"], 30, "the machine has the disk")
    assert "vhost-user" in [v["transport"] for v in volumes_of(kiln, made) if v["volumeId"] == volume]
    ec2.detach_volume(VolumeId=volume)
    wait_until(lambda: not attachments(ec2, volume), 60, "the guest let the disk go")
    ec2.delete_volume(VolumeId=volume)
    ec2.terminate_instances(InstanceIds=[made])


def test_it_is_stopped_and_started_on_its_disks_under_a_service_with_another_default(writer):
    writer.kiln.stop()
    at = writer.kiln.arguments.index("--disk-transport")
    del writer.kiln.arguments[at : at + 2]
    writer.kiln.start()
    writer.reconnect()
    writer.wait_for_more(2)
    writer.ec2.stop_instances(InstanceIds=[writer.id])
    wait_until(lambda: writer.state() == "stopped", 90, "it is stopped")
    last = writer.said("end")
    image = writer.ec2.create_image(InstanceId=writer.id, Name="stopped")["ImageId"]
    wait_until(lambda: writer.ec2.describe_images(ImageIds=[image])["Images"][0]["State"] == "available", 60, "the image is there")
    records.in_image(writer.kiln, image).check_equal(last)
    writer.ec2.start_instances(InstanceIds=[writer.id])
    writer.wait_for(last + 3)
    assert [volume["transport"] for volume in volumes_of(writer.kiln, writer.id)] == ["vhost-user"] * 3
    check_image(writer, "after the start", last + 3)


if __name__ == "__main__":
    kiln_test.main(seconds=600)
