#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""ResetInstanceAttribute, Monitor- and UnmonitorInstances, the metadata defaults of an account, GetPasswordData,
GetInstanceUefiData and DescribeInstanceCreditSpecifications."""

import json
import os
import sys

from botocore.exceptions import ClientError

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import uefi, wait_until  # noqa: E402
from kiln_test.query import query  # noqa: E402
from kiln_test.refusals import expect, refusal  # noqa: E402

UNKNOWN = "i-0123456789abcdef0"


@kiln_test.fixture
def service():
    with kiln_test.api_service() as kiln:
        yield kiln


def launch(kiln, ec2, instance_type="t2.nano", **more):
    made = ec2.run_instances(**{"ImageId": kiln.image, "InstanceType": instance_type, "MinCount": 1, "MaxCount": 1, **more})
    instance = made["Instances"][0]["InstanceId"]
    wait_until(lambda: one(ec2, instance)["State"]["Name"] == "running", 30, "it runs")
    return instance


def one(ec2, instance):
    return ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]


def stop(ec2, instance):
    ec2.stop_instances(InstanceIds=[instance])
    wait_until(lambda: one(ec2, instance)["State"]["Name"] == "stopped", 30, "it is stopped")


def test_STP_4_attributes_are_reset(service):
    ec2 = service.client("ec2")
    instance = launch(service, ec2)
    ec2.modify_instance_attribute(InstanceId=instance, SourceDestCheck={"Value": False})
    assert one(ec2, instance)["SourceDestCheck"] is False
    expect("DryRunOperation", ec2.reset_instance_attribute, InstanceId=instance, Attribute="sourceDestCheck", DryRun=True)
    assert one(ec2, instance)["SourceDestCheck"] is False
    ec2.reset_instance_attribute(InstanceId=instance, Attribute="sourceDestCheck")
    assert one(ec2, instance)["SourceDestCheck"] is True
    expect("IncorrectInstanceState", ec2.reset_instance_attribute, InstanceId=instance, Attribute="kernel")
    stop(ec2, instance)
    for attribute in ("kernel", "ramdisk"):
        ec2.reset_instance_attribute(InstanceId=instance, Attribute=attribute)
    assert "KernelId" not in one(ec2, instance)
    expect("InvalidParameterValue", ec2.reset_instance_attribute, InstanceId=instance, Attribute="userData")
    expect("InvalidInstanceID.NotFound", ec2.reset_instance_attribute, InstanceId=UNKNOWN, Attribute="kernel")
    other = service.account().client("ec2")
    expect("InvalidInstanceID.NotFound", other.reset_instance_attribute, InstanceId=instance, Attribute="sourceDestCheck")


def test_MON_1_monitoring_is_switched(service):
    ec2 = service.client("ec2")
    first, second = launch(service, ec2), launch(service, ec2, Monitoring={"Enabled": True})
    states = lambda: [one(ec2, i)["Monitoring"]["State"] for i in (first, second)]  # noqa: E731
    assert states() == ["disabled", "enabled"]
    answer = ec2.monitor_instances(InstanceIds=[first, second])["InstanceMonitorings"]
    assert [(e["InstanceId"], e["Monitoring"]["State"]) for e in answer] == [(first, "pending"), (second, "enabled")], answer
    assert states() == ["enabled", "enabled"]
    wanted = [{"Name": "monitoring-state", "Values": ["enabled"]}, {"Name": "instance-id", "Values": [first, second]}]
    assert len(ec2.describe_instances(Filters=wanted)["Reservations"]) == 2
    expect("DryRunOperation", ec2.unmonitor_instances, InstanceIds=[first], DryRun=True)
    expect("InvalidInstanceID.NotFound", ec2.unmonitor_instances, InstanceIds=[first, UNKNOWN])
    assert states() == ["enabled", "enabled"]
    answer = service.aws("ec2", "unmonitor-instances", "--instance-ids", first)["InstanceMonitorings"]
    assert answer[0]["Monitoring"]["State"] == "disabling" and states() == ["disabled", "enabled"], answer
    other = service.account().client("ec2")
    expect("InvalidInstanceID.NotFound", other.monitor_instances, InstanceIds=[first])
    ec2.terminate_instances(InstanceIds=[first])
    wait_until(lambda: one(ec2, first)["State"]["Name"] == "terminated", 30, "it is terminated")
    expect("IncorrectInstanceState", ec2.monitor_instances, InstanceIds=[second, first])


def defaults(kiln, action="GetInstanceMetadataDefaults", keys=None, region=None, **parameters):
    """What the installed clients are too old to know: the members of accountLevel, or of the answer."""
    answer = query(kiln, action, parameters, region=region, keys=keys)
    if answer.status != 200:
        raise ClientError({"Error": {"Code": answer.code, "Message": answer.message}}, action)
    level = answer.root.find("{*}accountLevel")
    members = answer.root if level is None else level
    return {member.tag.split("}")[1]: member.text for member in members if not member.tag.endswith("requestId")}


def modify(kiln, **parameters):
    return defaults(kiln, "ModifyInstanceMetadataDefaults", **parameters)


def test_IMDS_4_the_defaults_of_an_account(service):
    ec2 = service.client("ec2")
    assert defaults(service) == {"managedBy": "account"}
    options = lambda **more: one(ec2, launch(service, ec2, **more))["MetadataOptions"]  # noqa: E731
    plain = options()
    assert (plain["HttpTokens"], plain["HttpPutResponseHopLimit"], plain["HttpEndpoint"]) == ("optional", 1, "enabled"), plain
    assert modify(service, HttpTokens="required", HttpPutResponseHopLimit=3) == {"return": "true"}
    modify(service, InstanceMetadataTags="enabled")
    chosen = {"managedBy": "account", "httpTokens": "required", "httpPutResponseHopLimit": "3", "instanceMetadataTags": "enabled"}
    assert defaults(service) == chosen
    made = options()
    assert (made["HttpTokens"], made["HttpPutResponseHopLimit"], made["InstanceMetadataTags"]) == ("required", 3, "enabled"), made
    made = options(MetadataOptions={"HttpTokens": "optional", "InstanceMetadataTags": "disabled"})  # the request wins
    assert (made["HttpTokens"], made["HttpPutResponseHopLimit"], made["InstanceMetadataTags"]) == ("optional", 3, "disabled"), made
    tagged = [{"ResourceType": "instance", "Tags": [{"Key": "a b", "Value": "c"}]}]
    expect("InvalidParameterValue", ec2.run_instances, ImageId=service.image, MinCount=1, MaxCount=1, TagSpecifications=tagged)  # IMDS-11
    # An image says less than the account, and more than nobody.
    modern = ec2.copy_image(SourceRegion="us-east-1", SourceImageId=service.image, Name="modern")["ImageId"]
    assert query(service, "ModifyImageAttribute", {"ImageId": modern, "ImdsSupport.Value": "v2.0"}).status == 200
    modify(service, HttpTokens="optional", HttpPutResponseHopLimit=-1)
    made = options(ImageId=modern)
    assert (made["HttpTokens"], made["HttpPutResponseHopLimit"]) == ("optional", 2), made

    modify(service, HttpTokensEnforced="enabled")
    code, text = refusal(ec2.run_instances, ImageId=service.image, MinCount=1, MaxCount=1)
    assert code == "UnsupportedOperation" and "httpTokensEnforced" in text, text
    strict = launch(service, ec2, MetadataOptions={"HttpTokens": "required"})
    expect("UnsupportedOperation", ec2.modify_instance_metadata_options, InstanceId=strict, HttpTokens="optional")
    ec2.modify_instance_metadata_options(InstanceId=strict, HttpPutResponseHopLimit=2)
    assert defaults(service, keys=service.account().pair) == {"managedBy": "account"}
    assert defaults(service, region="eu-west-1") == {"managedBy": "account"}
    service.restart()
    chosen = {"managedBy": "account", "httpTokens": "optional", "httpTokensEnforced": "enabled", "instanceMetadataTags": "enabled"}
    assert defaults(service) == chosen
    modify(service, **{name: "no-preference" for name in ("HttpTokens", "HttpEndpoint", "InstanceMetadataTags", "HttpTokensEnforced")})
    assert defaults(service) == {"managedBy": "account"}
    for code, more in (
        ("InvalidParameterCombination", {}),
        ("InvalidParameterValue", {"HttpPutResponseHopLimit": 65}),
        ("InvalidParameterValue", {"HttpPutResponseHopLimit": 0}),
        ("InvalidParameterValue", {"HttpTokens": "perhaps"}),
        ("DryRunOperation", {"HttpTokens": "required", "DryRun": "true"}),
    ):
        expect(code, modify, kiln=service, **more)
    expect("DryRunOperation", defaults, kiln=service, DryRun="true")
    assert defaults(service) == {"managedBy": "account"}


def test_PWD_1_a_password_is_never_there(service):
    ec2 = service.client("ec2")
    instance = launch(service, ec2)
    answer = ec2.get_password_data(InstanceId=instance)
    assert answer["InstanceId"] == instance and answer["PasswordData"] == "" and answer["Timestamp"], answer
    expect("DryRunOperation", ec2.get_password_data, InstanceId=instance, DryRun=True)
    expect("InvalidInstanceID.NotFound", ec2.get_password_data, InstanceId=UNKNOWN)
    expect("InvalidInstanceID.NotFound", service.account().client("ec2").get_password_data, InstanceId=instance)


def test_BM_2_uefi_variables(service):
    ec2 = service.client("ec2")
    legacy = launch(service, ec2)
    expect("UnsupportedOperation", ec2.get_instance_uefi_data, InstanceId=legacy)
    expect("InvalidInstanceID.NotFound", ec2.get_instance_uefi_data, InstanceId=UNKNOWN)
    expect("InvalidInstanceID.Malformed", ec2.get_instance_uefi_data, InstanceId=service.image)  # as Terraform asks
    mapping = [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": service.snapshot}}]
    image = ec2.register_image(
        Name="uefi", Architecture="x86_64", RootDeviceName="/dev/xvda", BlockDeviceMappings=mapping, BootMode="uefi",
        VirtualizationType="hvm", EnaSupport=True,
    )["ImageId"]
    instance = launch(service, ec2, "t3.nano", ImageId=image)
    # A scripted machine has no firmware: what a real one keeps lies in a file of the instance.
    expect("IncorrectInstanceState", ec2.get_instance_uefi_data, InstanceId=instance)
    directory = os.path.join(service.data, "instances", instance)
    os.makedirs(directory, exist_ok=True)
    variables = {"BootOrder": b"\0\0", "Boot0000": os.urandom(100)}
    uefi.write_store(directory, variables)
    answer = ec2.get_instance_uefi_data(InstanceId=instance)
    assert answer["InstanceId"] == instance and uefi.decode(answer["UefiData"]) == variables
    expect("DryRunOperation", ec2.get_instance_uefi_data, InstanceId=instance, DryRun=True)
    expect("InvalidInstanceID.NotFound", service.account().client("ec2").get_instance_uefi_data, InstanceId=instance)
    stop(ec2, instance)
    assert uefi.decode(ec2.get_instance_uefi_data(InstanceId=instance)["UefiData"]) == variables
    ec2.terminate_instances(InstanceIds=[instance])
    wait_until(lambda: one(ec2, instance)["State"]["Name"] == "terminated", 30, "it is terminated")
    expect("IncorrectInstanceState", ec2.get_instance_uefi_data, InstanceId=instance)


def test_CRD_1_credits(service):
    ec2 = service.client("ec2")
    modern = ec2.register_image(
        Name="ena", Architecture="x86_64", RootDeviceName="/dev/xvda", VirtualizationType="hvm", EnaSupport=True,
        BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": service.snapshot}}],
    )["ImageId"]
    t2 = launch(service, ec2)
    t3 = launch(service, ec2, "t3.nano", ImageId=modern)
    asked = launch(service, ec2, "t3.nano", ImageId=modern, CreditSpecification={"CpuCredits": "standard"})
    eager = launch(service, ec2, CreditSpecification={"CpuCredits": "unlimited"})
    fixed = launch(service, ec2, "m1.small")

    def told(**more):
        found = ec2.describe_instance_credit_specifications(**more)["InstanceCreditSpecifications"]
        return {entry["InstanceId"]: entry["CpuCredits"] for entry in found}

    everything = {t2: "standard", t3: "unlimited", asked: "standard", eager: "unlimited", fixed: "standard"}
    assert told(InstanceIds=list(everything)) == everything
    unasked = told()
    assert unasked[t3] == unasked[eager] == "unlimited" and not {t2, asked, fixed} & set(unasked), unasked
    assert told(Filters=[{"Name": "instance-id", "Values": [asked]}]) == {asked: "standard"}
    expect("InvalidInstanceID.NotFound", ec2.describe_instance_credit_specifications, InstanceIds=[UNKNOWN])
    expect("InvalidParameterValue", ec2.describe_instance_credit_specifications, Filters=[{"Name": "type", "Values": ["x"]}])
    expect("InvalidParameterCombination", ec2.describe_instance_credit_specifications, InstanceIds=[t2], MaxResults=5)
    expect("DryRunOperation", ec2.describe_instance_credit_specifications, DryRun=True)
    other = service.account().client("ec2")
    assert other.describe_instance_credit_specifications()["InstanceCreditSpecifications"] == []
    answer = service.aws("ec2", "describe-instance-credit-specifications", "--instance-ids", t3)
    assert answer["InstanceCreditSpecifications"] == [{"InstanceId": t3, "CpuCredits": "unlimited"}], json.dumps(answer)


if __name__ == "__main__":
    kiln_test.main(seconds=240)
