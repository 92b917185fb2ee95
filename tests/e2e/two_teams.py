#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The story of two teams. A bakes an image from a guest that writes records and shares it with B, who launches it, copies it to
another region and launches it there. Then A disables it, deregisters it without and another one with its snapshots. B's guests
write on throughout, and boot again when everything of A's is gone; a stranger sees nothing at any point. Two guests at a time."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import records, wait_until  # noqa: E402
from kiln_test.refusals import expect  # noqa: E402

HERE, THERE = "us-east-1", "eu-west-1"
BAKED = 3  # records on all three volumes before A bakes


class Team:
    """An account and its clients in both regions."""

    def __init__(self, account):
        self.id = account.id
        self.ec2, self.there = account.client("ec2", HERE), account.client("ec2", THERE)

    def images(self, **request):
        return {image["ImageId"] for client in (self.ec2, self.there) for image in client.describe_images(**request)["Images"]}

    def snapshots(self, **request):
        return {snapshot["SnapshotId"] for client in (self.ec2, self.there) for snapshot in client.describe_snapshots(**request)["Snapshots"]}


def bake(kiln, team):
    """An image of a guest that has written its first records, and the snapshots it is of."""
    source = json.loads(kiln.team_a.run("import", records.writer_image(), "--boot-mode", "legacy-bios", "--name", "source", "--json").stdout)["imageId"]
    writer = records.Writer(kiln, source, team.ec2)
    writer.wait_for(BAKED)
    image = team.ec2.create_image(InstanceId=writer.id, Name="baked", NoReboot=True)["ImageId"]
    team.ec2.get_waiter("image_available").wait(ImageIds=[image], WaiterConfig={"Delay": 1})
    team.ec2.terminate_instances(InstanceIds=[writer.id])
    team.ec2.get_waiter("instance_terminated").wait(InstanceIds=[writer.id], WaiterConfig={"Delay": 1})
    mapping = team.ec2.describe_images(ImageIds=[image])["Images"][0]["BlockDeviceMappings"]
    return image, [entry["Ebs"]["SnapshotId"] for entry in mapping]


class Story:
    """Who is in it, and what the stranger could see before it began."""

    def __init__(self, kiln):
        self.kiln = kiln
        kiln.team_a = kiln.account("team-a")
        self.a, self.b, self.stranger = Team(kiln.team_a), Team(kiln.account("team-b")), Team(kiln.account("stranger"))
        self.before = self._of_stranger()
        self.guests = []

    def _of_stranger(self):
        return self.stranger.images(), self.stranger.images(ExecutableUsers=["self"]), self.stranger.snapshots(), self.stranger.snapshots(RestorableByUserIds=["self"])

    def chapter(self, what):
        """After each step: B's guests go on, the stranger sees what it saw."""
        for guest in self.guests:
            guest.wait_for_more()
            assert guest.ends() == 0, "the guest was never stopped"
        assert self._of_stranger() == self.before, what
        print(what, flush=True)


def test_two_teams():
    with kiln_test.Kiln("--guest-memory-cap", "192", "--shutdown-grace", "60") as kiln:
        story = Story(kiln)
        image, snapshots = bake(kiln, story.a)
        story.chapter("A has baked")
        expect("AuthFailure", story.b.ec2.run_instances, ImageId=image, InstanceType="t3.nano", MinCount=1, MaxCount=1)
        share(story, image, snapshots)
        retire(story, image, snapshots)
        outlive(story)


def share(story, image, snapshots):
    a, b = story.a, story.b
    a.ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"UserId": b.id}]})
    assert b.images(ExecutableUsers=["self"]) == {image}
    story.guests.append(records.Writer(story.kiln, image, b.ec2, with_volumes=False))
    story.guests[0].wait_for(BAKED + 1)
    story.chapter("B has launched A's image, and goes on where A's guest was")
    expect("InvalidRequest", b.there.copy_image, SourceImageId=image, SourceRegion=HERE, Name="copy")  # LP-8
    for snapshot in snapshots:
        a.ec2.modify_snapshot_attribute(SnapshotId=snapshot, CreateVolumePermission={"Add": [{"UserId": b.id}]})
    copy = b.there.copy_image(SourceImageId=image, SourceRegion=HERE, Name="copy")["ImageId"]
    b.there.get_waiter("image_available").wait(ImageIds=[copy], WaiterConfig={"Delay": 1})
    story.guests.append(records.Writer(story.kiln, copy, b.there, with_volumes=False))
    story.guests[1].wait_for(BAKED + 1)
    story.chapter("B has copied it to another region and launched it there")


def retire(story, image, snapshots):
    a, b = story.a, story.b
    a.ec2.enable_image_deprecation(ImageId=image, DeprecateAt="2035-01-01T00:00:00.000Z")
    assert b.ec2.describe_images(ImageIds=[image])["Images"][0]["DeprecationTime"] == "2035-01-01T00:00:00.000Z"
    story.chapter("A has said when it will be deprecated")
    kiln_test.query(story.kiln, "DisableImage", {"ImageId": image}, keys=story.kiln.team_a.pair)
    assert image not in b.images(ExecutableUsers=["self"])
    expect("AuthFailure", b.ec2.run_instances, ImageId=image, InstanceType="t3.nano", MinCount=1, MaxCount=1)
    story.chapter("A has disabled it, which took it from B")
    a.ec2.deregister_image(ImageId=image)
    assert set(snapshots) <= a.snapshots(OwnerIds=["self"])
    story.chapter("A has deregistered it and kept its snapshots")
    mapping = [{"DeviceName": device, "Ebs": {"SnapshotId": snapshot}} for device, snapshot in zip(("/dev/sda1", "/dev/sdf", "/dev/sdg"), snapshots)]
    again = a.ec2.register_image(Name="again", RootDeviceName="/dev/sda1", BlockDeviceMappings=mapping, VirtualizationType="hvm")["ImageId"]
    gone = kiln_test.query(story.kiln, "DeregisterImage", {"ImageId": again, "DeleteAssociatedSnapshots": "true"}, keys=story.kiln.team_a.pair)
    assert gone.status == 200, gone.body
    assert not set(snapshots) & a.snapshots(OwnerIds=["self"])
    story.chapter("A has registered it again and deregistered it with its snapshots")


def outlive(story):
    """Everything of A's is gone; the bytes that B's disks stand on are not."""
    for guest in story.guests:
        written = guest.said("done")
        guest.ec2.stop_instances(InstanceIds=[guest.id])
        wait_until(lambda g=guest: g.state() == "stopped", 90, "the instance is stopped")
        guest.ec2.start_instances(InstanceIds=[guest.id])
        guest.wait_for(written + 2)
    assert story._of_stranger() == story.before


if __name__ == "__main__":
    kiln_test.main(seconds=900)
