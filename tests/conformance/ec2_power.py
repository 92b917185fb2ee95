#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Stop, start, reboot, status, attributes and console of instances over the scripted hypervisor."""

import base64
import contextlib
import json
import os
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from botocore.exceptions import ClientError  # noqa: E402
from kiln_test import wait_until  # noqa: E402
from kiln_test.query import query  # noqa: E402
from kiln_test.refusals import refusal  # noqa: E402

UNKNOWN = "i-0123456789abcdef0"
KEPT_SECONDS = 2


@kiln_test.fixture
def service():
    with kiln_test.api_service() as kiln:
        yield kiln


def one(ec2, instance):
    return ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]


def wait_for(ec2, instance, state):
    wait_until(lambda: one(ec2, instance)["State"]["Name"] == state, 30, f"{instance} is {state}")


def launch(kiln, ec2, **more):
    made = ec2.run_instances(ImageId=kiln.image, InstanceType="t2.nano", MinCount=1, MaxCount=1, **more)
    instance = made["Instances"][0]["InstanceId"]
    wait_for(ec2, instance, "running")
    return instance


def jobs(kiln, instance):
    """Work that is still under way, from the catalog itself."""
    with contextlib.closing(sqlite3.connect(os.path.join(kiln.data, "catalog.sqlite"))) as catalog:
        return catalog.execute("SELECT kind FROM jobs WHERE subject = ?", (instance,)).fetchall()


def test_STP_an_instance_stops_and_starts_with_its_volumes(service):
    ec2 = service.client("ec2")
    instance = launch(service, ec2)
    before = one(ec2, instance)
    change = ec2.stop_instances(InstanceIds=[instance])["StoppingInstances"][0]
    assert (change["PreviousState"]["Name"], change["CurrentState"]["Name"]) == ("running", "stopping"), change
    ec2.get_waiter("instance_stopped").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    stopped = one(ec2, instance)
    assert stopped["StateReason"]["Code"] == "Client.UserInitiatedShutdown"
    assert stopped["StateTransitionReason"].startswith("User initiated (")
    # STP-1: once more is no error and no change.
    again = ec2.stop_instances(InstanceIds=[instance])["StoppingInstances"][0]
    assert again["PreviousState"]["Name"] == again["CurrentState"]["Name"] == "stopped"

    change = ec2.start_instances(InstanceIds=[instance])["StartingInstances"][0]
    assert (change["PreviousState"]["Name"], change["CurrentState"]["Name"]) == ("stopped", "pending"), change
    wait_for(ec2, instance, "running")
    after = one(ec2, instance)
    assert after["LaunchTime"] > before["LaunchTime"]  # STP-3
    assert [m["Ebs"]["VolumeId"] for m in after["BlockDeviceMappings"]] == [
        m["Ebs"]["VolumeId"] for m in before["BlockDeviceMappings"]
    ]
    assert after.get("PrivateIpAddress") == before.get("PrivateIpAddress")  # STP-2
    assert "StateReason" not in after
    again = ec2.start_instances(InstanceIds=[instance])["StartingInstances"][0]
    assert again["PreviousState"]["Name"] == again["CurrentState"]["Name"] == "running"


def test_STP_1_force_stop_protection_and_hibernation(service):
    ec2 = service.client("ec2")
    instance = launch(service, ec2)
    ec2.modify_instance_attribute(InstanceId=instance, DisableApiStop={"Value": True})
    assert refusal(ec2.stop_instances, InstanceIds=[instance]) == (
        "OperationNotPermitted",
        f"The instance '{instance}' may not be stopped. Modify its 'disableApiStop' instance attribute and try again.",
    )
    ec2.modify_instance_attribute(InstanceId=instance, DisableApiStop={"Value": False})
    assert refusal(ec2.stop_instances, InstanceIds=[instance], Hibernate=True)[0] == "UnsupportedHibernationConfiguration"
    assert refusal(ec2.stop_instances, InstanceIds=[instance], DryRun=True)[0] == "DryRunOperation"
    assert one(ec2, instance)["State"]["Name"] == "running"
    service.aws("ec2", "stop-instances", "--force", "--instance-ids", instance)
    wait_for(ec2, instance, "stopped")


def test_STP_all_or_none_of_a_list(service):
    ec2 = service.client("ec2")
    instance = launch(service, ec2)
    code, message = refusal(ec2.stop_instances, InstanceIds=[instance, UNKNOWN])
    assert code == "InvalidInstanceID.NotFound" and message == f"The instance ID '{UNKNOWN}' does not exist", message
    assert one(ec2, instance)["State"]["Name"] == "running"
    gone = launch(service, ec2)
    ec2.terminate_instances(InstanceIds=[gone])
    wait_for(ec2, gone, "terminated")
    assert refusal(ec2.start_instances, InstanceIds=[instance, gone])[0] == "IncorrectInstanceState"
    assert refusal(ec2.stop_instances, InstanceIds=[instance, gone])[0] == "IncorrectInstanceState"
    assert one(ec2, instance)["State"]["Name"] == "running"
    assert refusal(ec2.start_instances, InstanceIds=["i-nonsense"])[0] == "InvalidInstanceID.Malformed"


def test_RBT_1_a_reboot_keeps_the_instance_running(service):
    ec2 = service.client("ec2")
    instance = launch(service, ec2)
    before = one(ec2, instance)["LaunchTime"]
    ec2.reboot_instances(InstanceIds=[instance])
    ec2.reboot_instances(InstanceIds=[instance])  # under way already
    wait_until(lambda: not jobs(service, instance), 30, "the reboot is over")
    seen = one(ec2, instance)
    assert (seen["State"]["Name"], seen["LaunchTime"]) == ("running", before), seen
    ec2.stop_instances(InstanceIds=[instance])
    wait_for(ec2, instance, "stopped")
    assert refusal(ec2.reboot_instances, InstanceIds=[instance])[0] == "IncorrectInstanceState"
    ec2.terminate_instances(InstanceIds=[instance])  # INS-1: straight away
    assert one(ec2, instance)["State"]["Name"] == "terminated"
    ec2.reboot_instances(InstanceIds=[instance])  # RBT-1: ignored


def test_RBT_a_stop_during_a_reboot_wins(service):
    ec2 = service.client("ec2")
    instance = launch(service, ec2)
    ec2.reboot_instances(InstanceIds=[instance])
    ec2.stop_instances(InstanceIds=[instance])
    wait_for(ec2, instance, "stopped")
    ec2.start_instances(InstanceIds=[instance])
    wait_for(ec2, instance, "running")


def test_INS_7_status_tells_of_running_instances(service):
    ec2 = service.client("ec2")
    running, stopped = launch(service, ec2), launch(service, ec2)
    ec2.stop_instances(InstanceIds=[stopped])
    wait_for(ec2, stopped, "stopped")

    def statuses(**asked):
        found = ec2.describe_instance_status(**asked)["InstanceStatuses"]
        return {s["InstanceId"]: s for s in found if s["InstanceId"] in (running, stopped)}

    seen = statuses()
    assert set(seen) == {running}, seen
    assert seen[running]["InstanceStatus"]["Status"] == "ok"
    assert seen[running]["SystemStatus"]["Details"] == [{"Name": "reachability", "Status": "passed"}]
    assert seen[running]["AvailabilityZone"] == "us-east-1a"
    shown = query(service, "DescribeInstanceStatus", {"InstanceId.1": running})
    ebs = "instanceStatusSet/item/attachedEbsStatus"
    assert shown.texts(f"{ebs}/status") == ["ok"] and shown.texts(f"{ebs}/details/item/name") == ["reachability"], shown.body
    assert shown.texts(f"{ebs}/details/item/status") == ["passed"] and shown.texts("instanceStatusSet/item/operator/managed") == ["false"]
    for name, value, expected in (
        ("attached-ebs-status.status", "ok", {running}), ("attached-ebs-status.status", "impaired", set()),
        ("event.code", "*", set()), ("event.not-before", "*", set()), ("operator.managed", "false", {running}),
    ):  # fmt: skip
        assert set(statuses(Filters=[{"Name": name, "Values": [value]}])) == expected, name
    everything = statuses(IncludeAllInstances=True)
    assert set(everything) == {running, stopped}
    assert everything[stopped]["InstanceStatus"]["Status"] == "not-applicable"
    assert statuses(InstanceIds=[stopped]) == {}
    named = statuses(IncludeAllInstances=True, Filters=[{"Name": "instance-state-name", "Values": ["stopped"]}])
    assert set(named) == {stopped}
    ec2.get_waiter("instance_status_ok").wait(InstanceIds=[running], WaiterConfig={"Delay": 1, "MaxAttempts": 10})
    assert refusal(ec2.describe_instance_status, InstanceIds=[UNKNOWN])[0] == "InvalidInstanceID.NotFound"


def test_STP_4_attributes_change_one_at_a_time_and_some_only_while_stopped(service):
    ec2 = service.client("ec2")
    instance = launch(service, ec2)
    change = ec2.modify_instance_attribute
    assert refusal(change, InstanceId=instance) == ("InvalidParameterCombination", "No attributes specified.")
    both = {"DisableApiTermination": {"Value": True}, "SourceDestCheck": {"Value": False}}
    assert refusal(change, InstanceId=instance, **both)[0] == "InvalidParameterCombination"
    assert refusal(change, InstanceId=instance, InstanceType={"Value": "t3.micro"}) == (
        "IncorrectInstanceState",
        f"The instance '{instance}' is not in the 'stopped' state.",
    )
    change(InstanceId=instance, InstanceInitiatedShutdownBehavior={"Value": "terminate"})
    change(InstanceId=instance, Attribute="sourceDestCheck", Value="False")  # WIRE-4
    change(
        InstanceId=instance,
        BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"DeleteOnTermination": False}}],
    )
    look = ec2.describe_instance_attribute
    shown = look(InstanceId=instance, Attribute="instanceInitiatedShutdownBehavior")
    assert shown["InstanceInitiatedShutdownBehavior"]["Value"] == "terminate"
    assert look(InstanceId=instance, Attribute="sourceDestCheck")["SourceDestCheck"]["Value"] is False
    devices = look(InstanceId=instance, Attribute="blockDeviceMapping")["BlockDeviceMappings"]
    assert devices[0]["DeviceName"] == "/dev/xvda" and devices[0]["Ebs"]["DeleteOnTermination"] is False
    wrong = [{"DeviceName": "/dev/sdz", "Ebs": {"DeleteOnTermination": True}}]
    assert refusal(change, InstanceId=instance, BlockDeviceMappings=wrong)[0] == "InvalidInstanceAttributeValue"

    ec2.stop_instances(InstanceIds=[instance])
    wait_for(ec2, instance, "stopped")
    change(InstanceId=instance, InstanceType={"Value": "t2.micro"})
    change(InstanceId=instance, UserData={"Value": b"#!/bin/sh\necho hello\n"})
    assert one(ec2, instance)["InstanceType"] == "t2.micro"
    stored = look(InstanceId=instance, Attribute="userData")["UserData"]["Value"]
    assert base64.b64decode(stored) == b"#!/bin/sh\necho hello\n"
    assert refusal(change, InstanceId=instance, UserData={"Value": b"x" * 16385})[1] == (
        "User data is limited to 16384 bytes"
    )
    assert refusal(change, InstanceId=instance, InstanceType={"Value": "t9.huge"})[0] == "InvalidInstanceAttributeValue"
    assert refusal(look, InstanceId=instance, Attribute="nonsense")[0] == "InvalidParameterValue"
    ec2.start_instances(InstanceIds=[instance])
    wait_for(ec2, instance, "running")


def test_CON_1_console_output_is_what_the_machine_wrote_to_its_serial_port(service):
    ec2 = service.client("ec2")
    instance = launch(service, ec2)
    seen = ec2.get_console_output(InstanceId=instance)
    assert seen["InstanceId"] == instance and "no guest runs here" in seen["Output"], seen
    assert service.aws("ec2", "get-console-output", "--instance-id", instance)["Output"] == seen["Output"]
    assert refusal(ec2.get_console_output, InstanceId=UNKNOWN)[0] == "InvalidInstanceID.NotFound"


def test_TRM_4_a_terminated_instance_is_described_for_a_while_and_then_forgotten():
    with kiln_test.Kiln("--hypervisor", "fake", "--keep-terminated", str(KEPT_SECONDS)) as kiln:
        path = os.path.join(kiln.home, "disk.raw")
        with open(path, "wb") as disk:
            disk.truncate(1 << 20)
        kiln.image = json.loads(kiln.run("import", path, "--name", "base", "--json").stdout)["imageId"]
        ec2 = kiln.client("ec2")
        token = {"ClientToken": "once"}
        instance = launch(kiln, ec2, TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "b"}]}], **token)
        ec2.terminate_instances(InstanceIds=[instance])
        wait_for(ec2, instance, "terminated")
        assert one(ec2, instance)["ImageId"] == kiln.image
        assert instance in kiln.serial_logs()

        def forgotten():
            try:
                return not one(ec2, instance)
            except ClientError as error:
                assert error.response["Error"]["Code"] == "InvalidInstanceID.NotFound", error
                return True

        wait_until(forgotten, KEPT_SECONDS + 30, "the instance is forgotten")
        assert ec2.describe_instances()["Reservations"] == [] and ec2.describe_tags()["Tags"] == []
        assert instance not in kiln.serial_logs()
        try:  # IDM-5: its client token is not
            launch(kiln, ec2, TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "b"}]}], **token)
            raise AssertionError("the token launched twice")
        except ClientError as error:
            assert error.response["Error"]["Code"] == "IdempotentInstanceTerminated", error


if __name__ == "__main__":
    kiln_test.main()
