#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Packer's other ways to make images and volumes, with real guests: amazon-ebs with copies in another region that are shared with
accounts, amazon-ebsvolume, which leaves a volume, and amazon-ebssurrogate, which makes an image of a disk beside the root."""

import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import wait_until  # noqa: E402
from kiln_test.paths import ROOT, clean_environment  # noqa: E402

HERE, THERE = "us-east-1", "eu-west-1"
BOOT_SECONDS = 240


@kiln_test.fixture
def kiln():
    with kiln_test.Kiln("--guest-memory-cap", "256", "--provided-images", os.path.join(ROOT, "build/guests")) as daemon:
        wait_until(lambda: daemon.client("ec2").describe_images(Owners=["amazon"])["Images"], 60, "an image is provided")
        daemon.friend = daemon.account("friend")
        yield daemon


def build(kiln, kind, script, **more):
    """Runs one builder on the provided tiny Linux; what Packer printed."""
    builder = {
        "type": kind, "custom_endpoint_ec2": kiln.endpoint, "access_key": kiln.access_key, "secret_key": kiln.secret_key, "region": HERE,
        "skip_metadata_api_check": True, "instance_type": "t3.nano", "ssh_username": "root", "ssh_timeout": "10m",
        "source_ami_filter": {"filters": {"name": "tiny-linux-*"}, "owners": ["amazon"], "most_recent": True}, **more,
    }  # fmt: skip
    if kind != "amazon-ebsvolume":
        builder["skip_region_validation"] = True
    shell = {"type": "shell", "inline": script, "execute_command": "env {{ .Vars }} sh {{ .Path }}"}
    path = os.path.join(kiln.home, "template.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"builders": [builder], "provisioners": [shell]}, file)
    environment = clean_environment(HOME=kiln.home, CHECKPOINT_DISABLE="1", PACKER_CONFIG_DIR=kiln.home)
    done = subprocess.run(
        ["packer", "build", "-color=false", path], env=environment, cwd=kiln.home, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=900
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def own_image(client, name):
    (image,) = client.describe_images(Owners=["self"], Filters=[{"Name": "name", "Values": [name]}])["Images"]
    assert image["State"] == "available", image
    return image


def may_launch(client, image):
    told = client.describe_image_attribute(ImageId=image["ImageId"], Attribute="launchPermission")["LaunchPermissions"]
    return {entry.get("UserId", entry.get("Group")) for entry in told}


def boots(kiln, client, image, word):
    """A guest of the image says the word on its console."""
    made = client.run_instances(ImageId=image["ImageId"], InstanceType="t3.nano", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    wait_until(lambda: word in kiln.serial(made), BOOT_SECONDS, f"the guest says {word}")
    client.terminate_instances(InstanceIds=[made])


def test_images_are_copied_to_regions_and_shared(kiln):
    build(
        kiln, "amazon-ebs", ["echo baked >/etc/motd"], ami_name="everywhere", ami_regions=[HERE, THERE], ami_users=[kiln.friend.id], snapshot_users=[kiln.friend.id],
        tags={"Made by": "Packer"}, snapshot_tags={"Part of": "everywhere"},
        launch_block_device_mappings=[{"device_name": "/dev/sdf", "volume_size": 1, "volume_type": "gp2", "delete_on_termination": True}],
    )  # fmt: skip
    for region in (HERE, THERE):
        client = kiln.client("ec2", region)
        image = own_image(client, "everywhere")
        assert may_launch(client, image) == {kiln.friend.id} and {"Key": "Made by", "Value": "Packer"} in image["Tags"], (region, image)
        snapshots = [mapping["Ebs"]["SnapshotId"] for mapping in image["BlockDeviceMappings"]]
        assert len(snapshots) == 2, image["BlockDeviceMappings"]
        for snapshot in snapshots:
            told = client.describe_snapshot_attribute(SnapshotId=snapshot, Attribute="createVolumePermission")["CreateVolumePermissions"]
            assert told == [{"UserId": kiln.friend.id}], (region, told)
            assert {"Key": "Part of", "Value": "everywhere"} in client.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]["Tags"]
    boots(kiln, kiln.friend.client("ec2", THERE), image, "TINY READY")


def test_a_volume_is_filled_and_left(kiln):
    build(
        kiln, "amazon-ebsvolume", ["d=$(ls /dev/vdb /dev/nvme1n1 2>/dev/null | head -n1)", "echo left by Packer | dd of=$d bs=512 conv=sync", "sync"],
        ebs_volumes=[{"device_name": "/dev/sdf", "volume_size": 1, "volume_type": "gp2", "delete_on_termination": False, "tags": {"Name": "left"}}],
    )  # fmt: skip
    ec2 = kiln.client("ec2")
    wait_until(lambda: ec2.describe_volumes()["Volumes"][0]["State"] == "available", 60, "the volume is free")
    (volume,) = ec2.describe_volumes(Filters=[{"Name": "tag:Name", "Values": ["left"]}])["Volumes"]
    uri = json.loads(kiln.run("nbd", volume["VolumeId"]).stdout)["uri"]
    path = os.path.join(kiln.home, "left.raw")
    subprocess.run(["qemu-img", "dd", "-f", "raw", "-O", "raw", "bs=512", "count=1", f"if={uri}", f"of={path}"], check=True, stdout=subprocess.DEVNULL, timeout=60)
    with open(path, "rb") as file:
        assert file.read(15) == b"left by Packer\n"
    kiln.run("nbd", volume["VolumeId"], "--stop")
    ec2.delete_volume(VolumeId=volume["VolumeId"])


def test_an_image_is_made_of_a_disk_beside_the_root(kiln):
    root = {"device_name": "/dev/xvda", "source_device_name": "/dev/sdf", "volume_size": 1, "volume_type": "gp2", "delete_on_termination": True}
    build(
        kiln, "amazon-ebssurrogate", ["d=$(ls /dev/vdb /dev/nvme1n1 2>/dev/null | head -n1)", "s=$(ls /dev/vda /dev/nvme0n1 2>/dev/null | head -n1)", "sync", "dd if=$s of=$d bs=1M", "sync"],
        ami_name="surrogate", ami_virtualization_type="hvm", ami_root_device=root, ena_support=True,
        launch_block_device_mappings=[{"device_name": "/dev/sdf", "volume_size": 1, "volume_type": "gp2", "delete_on_termination": True}],
    )  # fmt: skip
    ec2 = kiln.client("ec2")
    image = own_image(ec2, "surrogate")
    assert image["RootDeviceName"] == "/dev/xvda" and len(image["BlockDeviceMappings"]) == 1, image
    boots(kiln, ec2, image, "TINY READY")


if __name__ == "__main__":
    kiln_test.main(seconds=1200)
