#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Fast launch over the scripted hypervisor, whose guests never power themselves off: who may enable it for what, the machines that
are launched to prepare snapshots, what is told, and that nothing is left when it ends, however that comes. That snapshots come of it
and are used is shown by e2e/fast_launch.py with real guests, and by fast_launches_test.cpp."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import query, wait_until  # noqa: E402
from kiln_test.refusals import expect  # noqa: E402

REQUESTED = "Client.UserInitiated"
UNKNOWN = "ami-0123456789abcdef0"
SERVICE_TAG = {"Key": "CreatedBy", "Value": "EC2 Fast Launch"}


@kiln_test.fixture
def kiln():
    with kiln_test.api_service() as daemon:
        daemon.friend, daemon.stranger = daemon.account("friend"), daemon.account("stranger")
        yield daemon


def windows(kiln, name):
    """An image of its own for a test."""
    return json.loads(kiln.run("import", kiln.raw, "--name", name, "--platform", "windows", "--json").stdout)["imageId"]


def template(ec2, name, **data):
    return ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData={"InstanceType": "t3.nano", **data})["LaunchTemplate"]["LaunchTemplateId"]


def told(ec2, image):
    found = ec2.describe_fast_launch_images(ImageIds=[image])["FastLaunchImages"]
    return found[0] if found else None


def listed(ec2, image):
    """The same, of an image that may not be there for the caller any more."""
    return [item for item in ec2.describe_fast_launch_images()["FastLaunchImages"] if item["ImageId"] == image]


def machines(ec2, image, *states):
    """Those that prepare snapshots of the image, in these states; pending and running unless others are given."""
    of_image = [{"Name": "image-id", "Values": [image]}, {"Name": "tag:CreatedBy", "Values": [SERVICE_TAG["Value"]]}]
    of_image.append({"Name": "instance-state-name", "Values": list(states or ("pending", "running"))})
    return [instance for reservation in ec2.describe_instances(Filters=of_image)["Reservations"] for instance in reservation["Instances"]]


def nothing_left(ec2, image):
    """No record, no machine, no volume that belonged to one."""
    if told(ec2, image) or machines(ec2, image, "pending", "running", "stopping", "stopped", "shutting-down"):
        return False
    ended = {instance["InstanceId"] for instance in machines(ec2, image, "terminated")}
    return not any(attachment["InstanceId"] in ended for volume in ec2.describe_volumes()["Volumes"] for attachment in volume["Attachments"])


def test_FLN_1_only_windows_images_that_one_may_launch_and_only_so_many(kiln):
    ec2, image = kiln.client("ec2"), windows(kiln, "windows")
    enable = ec2.enable_fast_launch
    for code, parameters in (
        ("InvalidRequest", {"ImageId": kiln.image}),
        ("InvalidAMIID.NotFound", {"ImageId": UNKNOWN}),
        ("InvalidAMIID.Malformed", {"ImageId": "windows"}),
        ("InvalidParameterValue", {"ImageId": image, "ResourceType": "volume"}),
        ("InvalidParameterValue", {"ImageId": image, "MaxParallelLaunches": 5}),
        ("InvalidParameterValue", {"ImageId": image, "SnapshotConfiguration": {"TargetResourceCount": 0}}),
        ("InvalidLaunchTemplateId.NotFound", {"ImageId": image, "LaunchTemplate": {"LaunchTemplateId": "lt-0123456789abcdef0", "Version": "1"}}),
        ("DryRunOperation", {"ImageId": image, "DryRun": True}),
    ):
        expect(code, enable, **parameters)
    assert query(kiln, "EnableFastLaunch", {"ImageId": image, "LaunchTemplate.LaunchTemplateName": "any"}).code == "MissingParameter"
    for account in (kiln.friend, kiln.stranger):
        expect("AuthFailure", account.client("ec2").enable_fast_launch, ImageId=image)
        expect("AuthFailure", account.client("ec2").disable_fast_launch, ImageId=image)
    expect("InvalidRequest", ec2.disable_fast_launch, ImageId=image)
    # It is tried whether it can be launched so.
    wrong = template(ec2, "wrong", KeyName="nobody-has-it")
    expect("InvalidKeyPair.NotFound", enable, ImageId=image, LaunchTemplate={"LaunchTemplateId": wrong, "Version": "$Latest"})
    assert told(ec2, image) is None and machines(ec2, image, "terminated", "pending", "running") == []


def test_FLN_1_who_may_not_launch_may_not_enable(kiln):
    image, iam = windows(kiln, "policies"), kiln.client("iam")
    iam.create_user(UserName="enabler")
    keys = iam.create_access_key(UserName="enabler")["AccessKey"]
    user = kiln.client("ec2", access_key=keys["AccessKeyId"], secret_key=keys["SecretAccessKey"])

    def allow(*actions):
        policy = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": list(actions), "Resource": "*"}}
        iam.put_user_policy(UserName="enabler", PolicyName="some", PolicyDocument=json.dumps(policy))

    allow("ec2:EnableFastLaunch")
    expect("UnauthorizedOperation", user.enable_fast_launch, ImageId=image)
    allow("ec2:RunInstances")
    expect("UnauthorizedOperation", user.enable_fast_launch, ImageId=image)
    assert told(kiln.client("ec2"), image) is None
    allow("ec2:EnableFastLaunch", "ec2:RunInstances")
    expect("DryRunOperation", user.enable_fast_launch, ImageId=image, DryRun=True)


def test_FLN_3_machines_are_launched_as_the_template_says_and_are_told_by_their_tags(kiln):
    ec2, image = kiln.client("ec2"), windows(kiln, "prepared")
    account = kiln.client("sts").get_caller_identity()["Account"]
    made = template(ec2, "preparing", DisableApiTermination=True, InstanceInitiatedShutdownBehavior="terminate")
    answer = ec2.enable_fast_launch(
        ImageId=image, LaunchTemplate={"LaunchTemplateName": "preparing", "Version": "$Latest"}, SnapshotConfiguration={"TargetResourceCount": 8}
    )
    assert (answer["State"], answer["StateTransitionReason"], answer["OwnerId"]) == ("enabling", REQUESTED, account), answer
    assert answer["ResourceType"] == "snapshot" and answer["SnapshotConfiguration"] == {"TargetResourceCount": 8} and answer["MaxParallelLaunches"] == 6, answer
    assert answer["LaunchTemplate"] == {"LaunchTemplateId": made, "LaunchTemplateName": "preparing", "Version": "1"}, answer
    wait_until(lambda: len(machines(ec2, image, "running")) == 6, 30, "six machines run")
    for machine in machines(ec2, image):
        assert machine["InstanceType"] == "t3.nano" and machine["MetadataOptions"]["InstanceMetadataTags"] == "enabled", machine
        tags = {tag["Key"]: tag["Value"] for tag in machine["Tags"]}
        assert tags["CreatedByLaunchTemplateId"] == made and tags["CreatedByLaunchTemplateName"] == "preparing", tags
        assert tags["CreatedByLaunchTemplateVersion"] == "1" and tags["aws:ec2launchtemplate:id"] == made, tags
        (device,) = machine["BlockDeviceMappings"]
        volume = ec2.describe_volumes(VolumeIds=[device["Ebs"]["VolumeId"]])["Volumes"][0]
        assert SERVICE_TAG in volume["Tags"], volume
        behaviour = ec2.describe_instance_attribute(InstanceId=machine["InstanceId"], Attribute="instanceInitiatedShutdownBehavior")
        assert behaviour["InstanceInitiatedShutdownBehavior"]["Value"] == "stop", behaviour
    shown = kiln.aws("ec2", "describe-fast-launch-images", "--filters", "Name=state,Values=enabling")["FastLaunchImages"]
    assert [item["ImageId"] for item in shown] == [image] and shown[0]["StateTransitionTime"], shown
    for name, value, count in (("owner-id", account, 1), ("resource-type", "snapshot", 1), ("state", "enabled", 0)):
        found = ec2.describe_fast_launch_images(Filters=[{"Name": name, "Values": [value]}])["FastLaunchImages"]
        assert len(found) == count, (name, found)
    expect("InvalidParameterValue", ec2.describe_fast_launch_images, Filters=[{"Name": "colour", "Values": ["red"]}])
    expect("InvalidAMIID.NotFound", ec2.describe_fast_launch_images, ImageIds=[image, UNKNOWN])
    expect("InvalidAMIID.NotFound", kiln.stranger.client("ec2").describe_fast_launch_images, ImageIds=[image])
    assert len(machines(ec2, image)) == 6, "never more than six"
    # What is launched meanwhile is of the image.
    (own,) = ec2.run_instances(ImageId=image, InstanceType="t3.nano", MinCount=1, MaxCount=1)["Instances"]
    expect("DryRunOperation", ec2.disable_fast_launch, ImageId=image, DryRun=True)
    off = ec2.disable_fast_launch(ImageId=image)
    assert (off["State"], off["StateTransitionReason"], off["MaxParallelLaunches"]) == ("disabling", REQUESTED, 6), off
    wait_until(lambda: nothing_left(ec2, image), 30, "nothing is left")
    expect("InvalidRequest", ec2.disable_fast_launch, ImageId=image)
    ec2.get_waiter("instance_running").wait(InstanceIds=[own["InstanceId"]], WaiterConfig={"Delay": 1, "MaxAttempts": 30})


def test_FLN_5_a_machine_that_is_stopped_from_outside_prepares_nothing(kiln):
    ec2, image = kiln.client("ec2"), windows(kiln, "stopped")
    ec2.enable_fast_launch(ImageId=image, SnapshotConfiguration={"TargetResourceCount": 2})
    wait_until(lambda: len(machines(ec2, image, "running")) == 2, 30, "the machines run")
    first = machines(ec2, image)[0]
    assert first["InstanceType"] == "t3.medium", first
    ec2.stop_instances(InstanceIds=[first["InstanceId"]])
    wait_until(lambda: told(ec2, image)["State"] == "enabling-failed", 30, "it has failed")
    assert told(ec2, image)["StateTransitionReason"] == "Client.UserInitiatedShutdown: User initiated shutdown", told(ec2, image)
    wait_until(lambda: len(machines(ec2, image, "terminated")) == 2, 30, "both are ended")
    again = ec2.enable_fast_launch(ImageId=image, SnapshotConfiguration={"TargetResourceCount": 1})
    assert again["State"] == "enabling" and again["SnapshotConfiguration"]["TargetResourceCount"] == 1, again
    wait_until(lambda: len(machines(ec2, image, "running")) == 1, 30, "the next runs")
    ec2.terminate_instances(InstanceIds=[machines(ec2, image)[0]["InstanceId"]])
    wait_until(lambda: told(ec2, image)["State"] == "enabling-failed", 30, "it has failed again")
    ec2.disable_fast_launch(ImageId=image)
    wait_until(lambda: nothing_left(ec2, image), 30, "nothing is left")


def test_FLN_5_as_many_are_at_work_at_once_as_there_is_room_for():
    with kiln_test.api_service("--fake-memory", "1200") as kiln:  # for two of 512 MiB
        ec2, image = kiln.client("ec2"), windows(kiln, "crowded")
        small = {"LaunchTemplateId": template(ec2, "small"), "Version": "$Default"}
        ec2.enable_fast_launch(ImageId=image, LaunchTemplate=small, SnapshotConfiguration={"TargetResourceCount": 3})
        wait_until(lambda: len(machines(ec2, image, "running")) == 2, 30, "two machines run")
        expect("InsufficientInstanceCapacity", ec2.run_instances, ImageId=kiln.image, InstanceType="t3.nano", MinCount=1, MaxCount=1)
        assert told(ec2, image)["State"] == "enabling" and len(machines(ec2, image)) == 2, told(ec2, image)
        ec2.disable_fast_launch(ImageId=image)
        wait_until(lambda: nothing_left(ec2, image), 30, "nothing is left")


def killed_and_disabled(kiln, image, moment):
    """The service is killed when `moment` has come after enabling, and goes on until it is told to end all of it."""
    ec2 = kiln.client("ec2")
    ec2.enable_fast_launch(ImageId=image, SnapshotConfiguration={"TargetResourceCount": 3})
    wait_until(lambda: moment(ec2), 30, "the moment comes")
    kiln.kill9()
    kiln.start()
    ec2 = kiln.client("ec2")
    # Scripted machines end with the service: those that ran have failed, those that did not are launched.
    wait_until(lambda: told(ec2, image)["State"] == "enabling-failed" or len(machines(ec2, image, "running")) == 3, 30, "the work goes on")
    ec2.disable_fast_launch(ImageId=image)
    wait_until(lambda: nothing_left(ec2, image), 30, "nothing is left")


def test_FLN_5_a_killed_service_forgets_no_machine(kiln):
    image = windows(kiln, "killed")
    killed_and_disabled(kiln, image, lambda ec2: True)
    killed_and_disabled(kiln, image, lambda ec2: machines(ec2, image))
    killed_and_disabled(kiln, image, lambda ec2: len(machines(ec2, image, "running")) == 3)


def test_FLN_6_it_ends_with_the_right_to_launch_the_image(kiln):
    ec2, friend, image = kiln.client("ec2"), kiln.friend.client("ec2"), windows(kiln, "shared")
    entry = [{"UserId": kiln.friend.id}]
    ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": entry})
    for client in (ec2, friend):
        client.enable_fast_launch(ImageId=image, SnapshotConfiguration={"TargetResourceCount": 1})
    wait_until(lambda: machines(ec2, image, "running") and machines(friend, image, "running"), 30, "both machines run")
    assert "OwnerId" in told(ec2, image) and "OwnerId" not in told(friend, image)
    ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Remove": entry})
    assert {item["State"] for item in listed(friend, image)} <= {"disabling"}
    wait_until(lambda: not listed(friend, image) and not machines(friend, image), 30, "the friend's is gone")
    assert told(ec2, image)["State"] == "enabling" and len(machines(ec2, image)) == 1
    ec2.deregister_image(ImageId=image)
    wait_until(lambda: not listed(ec2, image) and not machines(ec2, image), 30, "the owner's is gone")


if __name__ == "__main__":
    kiln_test.main()
