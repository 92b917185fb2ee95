#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Launch templates through boto3 and Debian's aws: versions and what they hold, describing with filters and pages, deleting, tags,
and launching by them: who wins where request and template both say something."""

import base64
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import query, wait_until  # noqa: E402
from kiln_test.refusals import expect, refusal  # noqa: E402

UNKNOWN = "lt-0123456789abcdef0"
ID = "aws:ec2launchtemplate:id"
VERSION = "aws:ec2launchtemplate:version"


@kiln_test.fixture
def service():
    with kiln_test.api_service() as kiln:
        yield kiln


def create(ec2, name, data, **more):
    return ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData=data, **more)["LaunchTemplate"]


def version(ec2, template, number="$Latest", **more):
    answer = ec2.describe_launch_template_versions(LaunchTemplateId=template, Versions=[str(number)], **more)
    return answer["LaunchTemplateVersions"][0]


def numbers(ec2, template, **more):
    answer = ec2.describe_launch_template_versions(LaunchTemplateId=template, **more)
    return [found["VersionNumber"] for found in answer["LaunchTemplateVersions"]]


def by(template, number=None):
    return {"LaunchTemplateId": template} | ({"Version": str(number)} if number else {})


def launch(ec2, template, number=None, count=1, **more):
    made = ec2.run_instances(LaunchTemplate=by(template, number), MinCount=count, MaxCount=count, **more)
    return made["Instances"][0]["InstanceId"]


def instance(ec2, instance_id):
    return ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]


def attribute(ec2, instance_id, name):
    return ec2.describe_instance_attribute(InstanceId=instance_id, Attribute=name)


def tags_of(ec2, resource):
    return {t["Key"]: t["Value"] for t in ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [resource]}])["Tags"]}


def filtered(name, *values):
    return [{"Name": name, "Values": list(values)}]


def specification(kind, **tags):
    return {"ResourceType": kind, "Tags": [{"Key": k, "Value": v} for k, v in tags.items()]}


def count_instances(ec2):
    return sum(len(r["Instances"]) for r in ec2.describe_instances()["Reservations"])


def test_LT_1_LT_5_what_was_given_is_what_is_shown(service):
    ec2 = service.client("ec2")
    data = {
        "ImageId": "ami-0123456789abcdef0", "InstanceType": "t3.nano", "KeyName": "nobody's", "EbsOptimized": False,
        "UserData": base64.b64encode(b"#!/bin/sh\n").decode(), "DisableApiTermination": True, "DisableApiStop": False,
        "InstanceInitiatedShutdownBehavior": "terminate", "Monitoring": {"Enabled": True}, "RamDiskId": "ari-01234567",
        "Placement": {"AvailabilityZone": "us-east-1b", "Tenancy": "dedicated", "PartitionNumber": 3},
        "IamInstanceProfile": {"Name": "none such"}, "SecurityGroupIds": ["sg-2", "sg-1"],
        "BlockDeviceMappings": [
            {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 9, "VolumeType": "gp3", "Iops": 4000, "Throughput": 200, "Encrypted": True, "KmsKeyId": "alias/x"}},
            {"DeviceName": "/dev/sdg", "NoDevice": ""}, {"DeviceName": "/dev/sdh", "VirtualName": "ephemeral0"},
        ],
        "TagSpecifications": [specification("instance", Name="web", empty=""), specification("spot-instances-request", a="b")],
        "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 3, "InstanceMetadataTags": "enabled"},
        "CreditSpecification": {"CpuCredits": "unlimited"}, "CpuOptions": {"CoreCount": 2, "ThreadsPerCore": 1},
        "InstanceMarketOptions": {"MarketType": "spot", "SpotOptions": {"MaxPrice": "0.05"}},
        "HibernationOptions": {"Configured": True}, "LicenseSpecifications": [{"LicenseConfigurationArn": "arn:aws:x"}],
        "MaintenanceOptions": {"AutoRecovery": "disabled"}, "CapacityReservationSpecification": {"CapacityReservationPreference": "none"},
    }  # fmt: skip
    made = ec2.create_launch_template(
        LaunchTemplateName="everything", LaunchTemplateData=data, VersionDescription="the first",
        TagSpecifications=[specification("launch-template", team="web")],
    )  # fmt: skip
    template = made["LaunchTemplate"]
    assert template["LaunchTemplateId"].startswith("lt-") and len(template["LaunchTemplateId"]) == 20
    assert template["DefaultVersionNumber"] == template["LatestVersionNumber"] == 1
    assert template["CreatedBy"].endswith(":root") and template["Tags"] == [{"Key": "team", "Value": "web"}]
    assert made["Warning"]["Errors"][0]["Code"] == "UnsupportedOperation", made["Warning"]  # LT-5
    shown = version(ec2, template["LaunchTemplateId"], 1)
    assert shown["LaunchTemplateData"] == data, shown["LaunchTemplateData"]
    assert shown["VersionDescription"] == "the first" and shown["DefaultVersion"] is True and shown["VersionNumber"] == 1
    assert shown["LaunchTemplateName"] == "everything" and shown["CreateTime"] == template["CreateTime"]
    requirements = {"VCpuCount": {"Min": 1, "Max": 4}, "MemoryMiB": {"Min": 512}, "MemoryGiBPerVCpu": {"Min": 0.5}, "CpuManufacturers": ["intel"]}
    other = create(ec2, "requirements", {"InstanceRequirements": requirements})["LaunchTemplateId"]
    assert version(ec2, other)["LaunchTemplateData"] == {"InstanceRequirements": requirements}
    for action, path in (("DescribeLaunchTemplates", "launchTemplates"), ("DescribeLaunchTemplateVersions", "launchTemplateVersionSet")):
        name = {"LaunchTemplateName.1" if action == "DescribeLaunchTemplates" else "LaunchTemplateName": "everything"}
        assert query(service, action, name).texts(f"{path}/item/operator/managed") == ["false"], action
    service.restart()
    ec2 = service.client("ec2")
    assert version(ec2, template["LaunchTemplateId"], 1) == shown
    assert "Warning" not in ec2.create_launch_template(LaunchTemplateName="sound", LaunchTemplateData={"ImageId": "ami-01234567"})


def test_LT_1_LT_4_LT_5_what_is_refused(service):
    ec2 = service.client("ec2")
    data = {"KeyName": "k"}
    template = create(ec2, "taken", data)["LaunchTemplateId"]
    message = expect("InvalidLaunchTemplateName.AlreadyExistsException", ec2.create_launch_template, LaunchTemplateName="taken", LaunchTemplateData=data)
    assert message == "Launch template name already in use."
    for name in ("ab", "x" * 129, "no spaces", "no*stars", "ünïcode"):
        answer = query(service, "CreateLaunchTemplate", {"LaunchTemplateName": name, "LaunchTemplateData.KeyName": "k"})
        assert answer.code == "InvalidLaunchTemplateName.MalformedException", name
    assert query(service, "CreateLaunchTemplate", {"LaunchTemplateName": "nothing"}).code == "MissingParameter"
    assert query(service, "CreateLaunchTemplate", {"LaunchTemplateName": "odd", "LaunchTemplateData.Colour": "red"}).code == "UnknownParameter"

    def refused(code, **more):
        expect(code, ec2.create_launch_template, **({"LaunchTemplateName": "new", "LaunchTemplateData": data} | more))

    refused("InvalidUserData.Malformed", LaunchTemplateData={"UserData": "?"})
    refused("InvalidParameterValue", LaunchTemplateData={"UserData": base64.b64encode(bytes(16385)).decode()})
    refused("InvalidParameterValue", VersionDescription="x" * 256)
    refused("InvalidParameterCombination", LaunchTemplateData={"InstanceType": "t3.nano", "InstanceRequirements": {"VCpuCount": {"Min": 1}, "MemoryMiB": {"Min": 1}}})
    refused("InvalidParameterValue", LaunchTemplateData={"TagSpecifications": [specification("image", a="b")]})
    refused("InvalidParameterValue", LaunchTemplateData={"InstanceInitiatedShutdownBehavior": "explode"})
    refused("InvalidParameterValue", TagSpecifications=[specification("instance", a="b")])
    refused("InvalidClientToken", ClientToken="t" * 129)
    refused("DryRunOperation", DryRun=True)
    assert ec2.describe_launch_templates(Filters=filtered("launch-template-name", "new"))["LaunchTemplates"] == []

    one = {"LaunchTemplateData": data}
    assert UNKNOWN in expect("InvalidLaunchTemplateId.NotFound", ec2.create_launch_template_version, LaunchTemplateId=UNKNOWN, **one)
    assert "none" in expect("InvalidLaunchTemplateName.NotFoundException", ec2.create_launch_template_version, LaunchTemplateName="none", **one)
    expect("InvalidLaunchTemplateId.Malformed", ec2.create_launch_template_version, LaunchTemplateId="lt-x", **one)
    expect("InvalidParameterCombination", ec2.create_launch_template_version, LaunchTemplateId=template, LaunchTemplateName="taken", **one)
    expect("MissingParameter", ec2.create_launch_template_version, **one)
    message = expect("InvalidLaunchTemplateId.VersionNotFound", ec2.create_launch_template_version, LaunchTemplateId=template, SourceVersion="2", **one)
    assert message == f"Could not find the specified version 2 for the launch template with ID {template}."
    message = expect("InvalidParameterValue", ec2.create_launch_template_version, LaunchTemplateId=template, SourceVersion="newest", **one)
    assert "either '$Default', '$Latest', or a numeric version" in message
    expect("DryRunOperation", ec2.create_launch_template_version, LaunchTemplateId=template, DryRun=True, **one)
    assert numbers(ec2, template) == [1]
    expect("MissingParameter", ec2.modify_launch_template, LaunchTemplateId=template)
    expect("InvalidLaunchTemplateId.VersionNotFound", ec2.modify_launch_template, LaunchTemplateId=template, DefaultVersion="7")
    expect("DryRunOperation", ec2.modify_launch_template, LaunchTemplateId=template, DefaultVersion="1", DryRun=True)
    expect("DryRunOperation", ec2.delete_launch_template, LaunchTemplateId=template, DryRun=True)
    expect("DryRunOperation", ec2.delete_launch_template_versions, LaunchTemplateId=template, Versions=["1"], DryRun=True)
    expect("InvalidLaunchTemplateId.NotFound", ec2.describe_launch_templates, LaunchTemplateIds=[UNKNOWN])
    expect("InvalidLaunchTemplateName.NotFoundException", ec2.describe_launch_templates, LaunchTemplateNames=["none"])
    message = expect("InvalidLaunchTemplateId.NotFound", ec2.describe_launch_templates, LaunchTemplateIds=[template, UNKNOWN])
    assert message == "At least one of the launch templates specified in the request does not exist."
    expect("InvalidParameterValue", ec2.describe_launch_templates, Filters=filtered("colour", "red"))
    assert query(service, "DescribeLaunchTemplates", {"MaxResults": "0"}).code == "InvalidParameterValue"


def test_LT_2_LT_3_versions(service):
    ec2 = service.client("ec2")
    disk = {"DeviceName": "/dev/sdf", "Ebs": {"SnapshotId": service.snapshot, "VolumeSize": 2}}
    template = create(ec2, "versions", {"ImageId": service.image, "KeyName": "one", "BlockDeviceMappings": [disk]})["LaunchTemplateId"]

    def add(data, **more):
        return ec2.create_launch_template_version(LaunchTemplateId=template, LaunchTemplateData=data, **more)["LaunchTemplateVersion"]

    second = add({"KeyName": "two"}, SourceVersion="1", VersionDescription="with a key")
    bare = {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 2}}
    assert second["VersionNumber"] == 2 and second["DefaultVersion"] is False and second["VersionDescription"] == "with a key"
    assert second["LaunchTemplateData"] == {"ImageId": service.image, "KeyName": "two", "BlockDeviceMappings": [bare]}
    assert add({"BlockDeviceMappings": [disk]}, SourceVersion="$Latest")["LaunchTemplateData"]["BlockDeviceMappings"] == [disk]
    assert add({"InstanceType": "t3.nano"})["LaunchTemplateData"] == {"InstanceType": "t3.nano"}
    assert add({"InstanceType": "t3.micro"}, SourceVersion="$Default")["LaunchTemplateData"]["KeyName"] == "one"
    assert "VersionDescription" not in version(ec2, template)
    # IDM-2
    request = {"LaunchTemplateName": "versions", "LaunchTemplateData": {"KeyName": "t"}, "ClientToken": "again"}
    again = [ec2.create_launch_template_version(**request)["LaunchTemplateVersion"]["VersionNumber"] for _ in range(2)]
    assert again == [6, 6]
    expect("IdempotentParameterMismatch", ec2.create_launch_template_version, **(request | {"LaunchTemplateData": {"KeyName": "u"}}))

    assert numbers(ec2, template) == [6, 5, 4, 3, 2, 1]
    assert numbers(ec2, template, MinVersion="2", MaxVersion="4") == [4, 3, 2]
    assert numbers(ec2, template, Versions=["$Latest", "$Default", "3", "3"]) == [6, 3, 1]
    assert numbers(ec2, template, Filters=filtered("instance-type", "t3.*")) == [5, 4]
    assert numbers(ec2, template, Filters=filtered("is-default-version", "true")) == [1]
    assert numbers(ec2, template, Filters=filtered("image-id", service.image), MinVersion="3") == [5, 3]
    pages = ec2.get_paginator("describe_launch_template_versions").paginate(LaunchTemplateName="versions", PaginationConfig={"PageSize": 4})
    assert [[v["VersionNumber"] for v in page["LaunchTemplateVersions"]] for page in pages] == [[6, 5, 4, 3], [2, 1]]
    expect("InvalidLaunchTemplateId.VersionNotFound", ec2.describe_launch_template_versions, LaunchTemplateId=template, Versions=["1", "9"])
    expect("InvalidParameterCombination", ec2.describe_launch_template_versions, LaunchTemplateId=template, Versions=["1"], MaxVersion="2")
    expect("MissingParameter", ec2.describe_launch_template_versions, Versions=["1"])

    changed = ec2.modify_launch_template(LaunchTemplateId=template, DefaultVersion="4")["LaunchTemplate"]
    assert changed["DefaultVersionNumber"] == 4 and changed["LatestVersionNumber"] == 6
    gone = ec2.delete_launch_template_versions(LaunchTemplateId=template, Versions=["6", "4", "9", "1"])
    done = [(i["VersionNumber"], i["LaunchTemplateId"], i["LaunchTemplateName"]) for i in gone["SuccessfullyDeletedLaunchTemplateVersions"]]
    assert done == [(6, template, "versions"), (1, template, "versions")]
    failed = {i["VersionNumber"]: i["ResponseError"]["Code"] for i in gone["UnsuccessfullyDeletedLaunchTemplateVersions"]}
    assert failed == {4: "unexpectedError", 9: "launchTemplateVersionDoesNotExist"}
    unknown = ec2.delete_launch_template_versions(LaunchTemplateName="none", Versions=["1"])["UnsuccessfullyDeletedLaunchTemplateVersions"]
    assert unknown[0]["ResponseError"]["Code"] == "launchTemplateNameDoesNotExist" and unknown[0]["LaunchTemplateName"] == "none"
    expect("InvalidParameterValue", ec2.delete_launch_template_versions, LaunchTemplateId=template, Versions=["2"] * 201)
    assert numbers(ec2, template, Versions=["$Latest"]) == [5] and add({"KeyName": "k"})["VersionNumber"] == 7
    was = ec2.delete_launch_template(LaunchTemplateName="versions")["LaunchTemplate"]
    assert was["LaunchTemplateId"] == template and was["LatestVersionNumber"] == 7
    expect("InvalidLaunchTemplateId.NotFound", ec2.describe_launch_template_versions, LaunchTemplateId=template)
    expect("InvalidLaunchTemplateId.NotFound", ec2.delete_launch_template, LaunchTemplateId=template)
    assert create(ec2, "versions", {"KeyName": "k"})["LaunchTemplateId"] != template


def test_LT_9_LT_11_templates_are_found_by_name_tag_and_page(service):
    account = service.account("describer")
    ec2 = account.client("ec2")
    ids = [create(ec2, f"page/{i}", {"KeyName": "k"}, TagSpecifications=[specification("launch-template", n=str(i), all="")])["LaunchTemplateId"] for i in range(3)]
    pages = list(ec2.get_paginator("describe_launch_templates").paginate(PaginationConfig={"PageSize": 2}))
    assert [[t["LaunchTemplateId"] for t in page["LaunchTemplates"]] for page in pages] == [ids[:2], ids[2:]]

    def found(**more):
        return [t["LaunchTemplateName"] for t in ec2.describe_launch_templates(**more)["LaunchTemplates"]]

    assert found(LaunchTemplateNames=["page/2", "page/0"]) == ["page/0", "page/2"]
    assert found(LaunchTemplateIds=[ids[1], ids[1]]) == ["page/1"]
    assert found(Filters=filtered("launch-template-name", "page/[01]", "*/1")) == ["page/1"]
    assert found(Filters=filtered("tag:n", "0", "2")) == ["page/0", "page/2"] and len(found(Filters=filtered("tag-key", "all"))) == 3
    assert found(Filters=filtered("create-time", "2???-*")) == ["page/0", "page/1", "page/2"]
    ec2.create_tags(Resources=[ids[0]], Tags=[{"Key": "late", "Value": "yes"}])
    ec2.delete_tags(Resources=[ids[0]], Tags=[{"Key": "all"}])
    assert tags_of(ec2, ids[0]) == {"n": "0", "late": "yes"}
    types = {t["ResourceType"] for t in ec2.describe_tags(Filters=filtered("resource-type", "launch-template"))["Tags"]}
    assert types == {"launch-template"}
    expect("InvalidLaunchTemplateId.NotFound", ec2.create_tags, Resources=[UNKNOWN], Tags=[{"Key": "a", "Value": "b"}])
    both = ec2.describe_launch_template_versions(Versions=["$Latest", "$Default"])["LaunchTemplateVersions"]
    assert [v["LaunchTemplateId"] for v in both] == ids
    # Another account, and another region, have none of them.
    for other in (service.client("ec2"), account.client("ec2", "eu-west-1")):
        assert not set(ids) & {t["LaunchTemplateId"] for t in other.describe_launch_templates()["LaunchTemplates"]}
        expect("InvalidLaunchTemplateId.NotFound", other.describe_launch_template_versions, LaunchTemplateId=ids[0])
        expect("InvalidLaunchTemplateId.NotFound", other.run_instances, LaunchTemplate=by(ids[0]), MinCount=1, MaxCount=1)
        expect("InvalidLaunchTemplateId.NotFound", other.create_tags, Resources=[ids[0]], Tags=[{"Key": "a", "Value": "b"}])
        assert other.delete_launch_template_versions(LaunchTemplateId=ids[0], Versions=["1"])["SuccessfullyDeletedLaunchTemplateVersions"] == []
    ec2.delete_launch_template(LaunchTemplateId=ids[0])
    assert tags_of(ec2, ids[0]) == {}


def test_LT_6_LT_12_a_template_gives_everything_a_request_does_not(service):
    ec2 = service.client("ec2")
    ec2.create_key_pair(KeyName="pair")
    group = ec2.create_security_group(GroupName="of the template", Description="d")["GroupId"]
    data = {
        "ImageId": service.image, "InstanceType": "t3.nano", "KeyName": "pair", "EbsOptimized": True, "SecurityGroups": ["of the template"],
        "UserData": base64.b64encode(b"echo hello").decode(), "DisableApiTermination": True, "DisableApiStop": True,
        "InstanceInitiatedShutdownBehavior": "terminate", "Placement": {"AvailabilityZone": "us-east-1b", "Tenancy": "default"},
        "Monitoring": {"Enabled": False}, "CreditSpecification": {"CpuCredits": "standard"},
        "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 5},
        "CapacityReservationSpecification": {"CapacityReservationPreference": "none"},
        "BlockDeviceMappings": [
            {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 8, "VolumeType": "gp3", "Iops": 3500}},
            {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 2, "DeleteOnTermination": True}},
        ],
        "TagSpecifications": [specification("instance", Name="template", kept="yes"), specification("volume", of="template")],
    }  # fmt: skip
    template = create(ec2, "all-of-it", data)["LaunchTemplateId"]
    made = launch(ec2, template)
    shown = instance(ec2, made)
    assert shown["ImageId"] == service.image and shown["InstanceType"] == "t3.nano" and shown["KeyName"] == "pair" and shown["EbsOptimized"]
    assert [g["GroupId"] for g in shown["SecurityGroups"]] == [group] and shown["Placement"]["AvailabilityZone"] == "us-east-1b"
    assert shown["MetadataOptions"]["HttpTokens"] == "required" and shown["MetadataOptions"]["HttpPutResponseHopLimit"] == 5
    assert shown["CapacityReservationSpecification"] == {"CapacityReservationPreference": "none"}, shown  # RUN-16
    assert tags_of(ec2, made) == {"Name": "template", "kept": "yes", ID: template, VERSION: "1"}
    assert attribute(ec2, made, "disableApiTermination")["DisableApiTermination"]["Value"] is True
    assert attribute(ec2, made, "disableApiStop")["DisableApiStop"]["Value"] is True
    assert attribute(ec2, made, "instanceInitiatedShutdownBehavior")["InstanceInitiatedShutdownBehavior"]["Value"] == "terminate"
    assert base64.b64decode(attribute(ec2, made, "userData")["UserData"]["Value"]) == b"echo hello"
    volumes = {v["Attachments"][0]["Device"]: v for v in ec2.describe_volumes(Filters=filtered("attachment.instance-id", made))["Volumes"]}
    root, more = volumes["/dev/xvda"], volumes["/dev/sdf"]
    assert root["Size"] == 8 and root["VolumeType"] == "gp3" and root["Iops"] == 3500 and root["SnapshotId"] == service.snapshot
    assert more["Size"] == 2 and more["Attachments"][0]["DeleteOnTermination"] and more["Tags"] == [{"Key": "of", "Value": "template"}]

    other = launch(
        ec2, template, "$Default", InstanceType="t2.nano", DisableApiTermination=False, UserData="echo bye",
        BlockDeviceMappings=[{"DeviceName": "xvda", "Ebs": {"VolumeSize": 9}}, {"DeviceName": "/dev/sdf", "NoDevice": ""}, {"DeviceName": "/dev/sdg", "Ebs": {"VolumeSize": 1}}],
        MetadataOptions={"HttpPutResponseHopLimit": 2}, TagSpecifications=[specification("instance", Name="request", new="1")],
        CapacityReservationSpecification={"CapacityReservationPreference": "open"},
    )  # fmt: skip
    shown = instance(ec2, other)
    assert shown["InstanceType"] == "t2.nano" and shown["KeyName"] == "pair" and shown["MetadataOptions"]["HttpTokens"] == "optional"
    assert shown["CapacityReservationSpecification"] == {"CapacityReservationPreference": "open"}, shown
    assert tags_of(ec2, other) == {"Name": "request", "kept": "yes", "new": "1", ID: template, VERSION: "1"}
    assert attribute(ec2, other, "disableApiTermination")["DisableApiTermination"]["Value"] is False
    assert attribute(ec2, other, "disableApiStop")["DisableApiStop"]["Value"] is True
    assert base64.b64decode(attribute(ec2, other, "userData")["UserData"]["Value"]) == b"echo bye"
    volumes = {v["Attachments"][0]["Device"]: v for v in ec2.describe_volumes(Filters=filtered("attachment.instance-id", other))["Volumes"]}
    assert {d: v["Size"] for d, v in volumes.items()} == {"/dev/xvda": 9, "/dev/sdg": 1} and volumes["/dev/xvda"]["Iops"] == 3500
    # LT-12: the service's own tags are nobody's to change.
    expect("InvalidParameterValue", ec2.create_tags, Resources=[made], Tags=[{"Key": ID, "Value": "lt-0"}])
    expect("InvalidParameterValue", ec2.delete_tags, Resources=[made], Tags=[{"Key": ID}])
    ec2.delete_tags(Resources=[made])
    assert tags_of(ec2, made) == {ID: template, VERSION: "1"}
    found = ec2.describe_instances(Filters=filtered(f"tag:{ID}", template))["Reservations"]
    assert {i["InstanceId"] for r in found for i in r["Instances"]} == {made, other}


def test_LT_6_network_interfaces_and_what_may_not_go_together(service):
    ec2 = service.client("ec2")
    subnet = ec2.describe_subnets(Filters=filtered("availability-zone", "us-east-1a"))["Subnets"][0]["SubnetId"]
    group = ec2.create_security_group(GroupName="interface", Description="d")["GroupId"]
    interface = {"DeviceIndex": 0, "SubnetId": subnet, "Groups": [group], "AssociatePublicIpAddress": False, "Description": "of the template"}
    template = create(ec2, "interface", {"ImageId": service.image, "NetworkInterfaces": [interface]})["LaunchTemplateId"]
    assert version(ec2, template)["LaunchTemplateData"]["NetworkInterfaces"] == [interface]
    made = instance(ec2, launch(ec2, template))
    assert made["SubnetId"] == subnet and [g["GroupId"] for g in made["SecurityGroups"]] == [group]
    assert made["NetworkInterfaces"][0]["Description"] == "of the template"
    # A list of the request takes the place of the template's whole list.
    other = instance(ec2, launch(ec2, template, NetworkInterfaces=[{"DeviceIndex": 0, "Description": "of the request"}]))
    assert other["NetworkInterfaces"][0]["Description"] == "of the request" and [g["GroupName"] for g in other["SecurityGroups"]] == ["default"]

    def refused(code, **more):
        return expect(code, ec2.run_instances, **({"LaunchTemplate": by(template), "MinCount": 1, "MaxCount": 1} | more))

    before = count_instances(ec2)
    refused("InvalidParameterCombination", SecurityGroupIds=[group])
    refused("InvalidParameterCombination", SubnetId=subnet)
    refused("InvalidLaunchTemplateId.VersionNotFound", LaunchTemplate=by(template, 2))
    refused("InvalidParameterValue", LaunchTemplate=by(template, "latest"))
    refused("InvalidParameterCombination", LaunchTemplate=by(template) | {"LaunchTemplateName": "interface"})
    refused("DryRunOperation", DryRun=True)

    def kept_and_refused(code, word, **data):
        answer = ec2.create_launch_template_version(LaunchTemplateId=template, LaunchTemplateData={"ImageId": service.image} | data)
        assert word in refused(code, LaunchTemplate=by(template, "$Latest")), data
        return answer.get("Warning", {}).get("Errors", [{}])[0].get("Code")

    unbuilt = "UnsupportedOperation"
    assert kept_and_refused(unbuilt, "InstanceMarketOptions", InstanceMarketOptions={"MarketType": "spot"}) == unbuilt
    assert kept_and_refused(unbuilt, "InstanceRequirements", InstanceRequirements={"VCpuCount": {"Min": 1}, "MemoryMiB": {"Min": 1}}) == unbuilt
    assert kept_and_refused(unbuilt, "KernelId", KernelId="aki-01234567") == unbuilt
    assert kept_and_refused(unbuilt, "Placement", Placement={"GroupName": "near"}) == unbuilt
    assert kept_and_refused("InvalidAMIID.Malformed", "ami-x", ImageId="ami-x") == "InvalidAMIID.Malformed"
    # What needs the catalog is said by the launch alone.
    assert kept_and_refused("InvalidAMIID.NotFound", "ami-0123", ImageId="ami-0123456789abcdef0") is None
    assert kept_and_refused("InvalidKeyPair.NotFound", "mine", KeyName="mine") is None
    assert kept_and_refused("InvalidParameterValue", "t9.huge", InstanceType="t9.huge") is None
    no_image = create(ec2, "no-image", {"InstanceType": "t3.nano"})["LaunchTemplateId"]
    assert "ImageId" in refused("MissingParameter", LaunchTemplate=by(no_image))
    assert count_instances(ec2) == before
    assert instance(ec2, launch(ec2, no_image, ImageId=service.image))["InstanceType"] == "t3.nano"


def test_LT_6_a_repeated_launch_starts_nothing_whatever_became_of_the_template(service):
    ec2 = service.client("ec2")
    template = create(ec2, "repeated", {"ImageId": service.image, "Placement": {"AvailabilityZone": "us-east-1a"}})["LaunchTemplateId"]
    first = launch(ec2, template, "$Latest", ClientToken="once")
    before = count_instances(ec2)
    zone = {"ImageId": service.image, "Placement": {"AvailabilityZone": "us-east-1b"}}
    ec2.create_launch_template_version(LaunchTemplateId=template, LaunchTemplateData=zone)
    assert launch(ec2, template, "$Latest", ClientToken="once") == first
    expect("IdempotentParameterMismatch", launch, ec2=ec2, template=template, number=1, ClientToken="once")
    ec2.delete_launch_template(LaunchTemplateId=template)
    assert launch(ec2, template, "$Latest", ClientToken="once") == first and count_instances(ec2) == before
    expect("InvalidLaunchTemplateId.NotFound", launch, ec2=ec2, template=template, number="$Latest", ClientToken="twice")
    assert tags_of(ec2, first)[ID] == template


def test_LT_8_RUN_14_an_image_by_a_parameter(service):
    ec2 = service.client("ec2")
    service.run("import", service.raw, "--name", "provided", "--provide", "/aws/service/test/template")
    image = service.client("ssm").get_parameter(Name="/aws/service/test/template")["Parameter"]["Value"]
    alias = "resolve:ssm:/aws/service/test/template"
    template = create(ec2, "alias", {"ImageId": alias})["LaunchTemplateId"]
    assert version(ec2, template)["LaunchTemplateData"]["ImageId"] == alias

    def shown(action, **more):  # boto3 does not know ResolveAlias yet
        answer = query(service, action, {"LaunchTemplateId": template, **more})
        return answer.texts("launchTemplateVersionSet/item/launchTemplateData/imageId") + answer.texts("launchTemplateVersion/launchTemplateData/imageId")

    assert shown("DescribeLaunchTemplateVersions", ResolveAlias="true") == [image]
    assert shown("DescribeLaunchTemplateVersions", ResolveAlias="false") == [alias]
    assert shown("CreateLaunchTemplateVersion", ResolveAlias="true", **{"LaunchTemplateData.ImageId": alias + ":1"}) == [image]
    ec2.create_launch_template_version(LaunchTemplateId=template, LaunchTemplateData={"ImageId": alias + "/nothing"})
    assert shown("DescribeLaunchTemplateVersions", ResolveAlias="true") == [alias + "/nothing", image, image]
    for number in (1, 2):
        assert instance(ec2, launch(ec2, template, number))["ImageId"] == image
    code, message = refusal(launch, ec2=ec2, template=template, number=3)
    assert code == "InvalidParameterValue" and "/aws/service/test/template/nothing" in message


def test_LT_10_the_data_of_an_instance_launches_one_like_it(service):
    ec2 = service.client("ec2")
    ec2.create_key_pair(KeyName="model")
    # In a subnet whose instances have no public addresses but those that ask for one.
    own = ec2.describe_subnets(Filters=[{"Name": "availability-zone", "Values": ["us-east-1b"]}])["Subnets"][0]["SubnetId"]
    ec2.modify_subnet_attribute(SubnetId=own, MapPublicIpOnLaunch={"Value": False})
    first = ec2.run_instances(
        ImageId=service.image, InstanceType="t3.nano", MinCount=1, MaxCount=1, KeyName="model", UserData="echo", DisableApiStop=True,
        InstanceInitiatedShutdownBehavior="terminate", MetadataOptions={"HttpTokens": "required"}, CreditSpecification={"CpuCredits": "standard"},
        CapacityReservationSpecification={"CapacityReservationPreference": "none"},
        NetworkInterfaces=[{"DeviceIndex": 0, "SubnetId": own, "AssociatePublicIpAddress": True}],
        BlockDeviceMappings=[{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 8, "VolumeType": "gp3", "Iops": 3200, "DeleteOnTermination": True}}],
        TagSpecifications=[specification("instance", Name="model")],
    )["Instances"][0]["InstanceId"]  # fmt: skip
    wait_until(lambda: instance(ec2, first)["State"]["Name"] == "running", 30, "it runs")
    expect("DryRunOperation", ec2.get_launch_template_data, InstanceId=first, DryRun=True)
    data = ec2.get_launch_template_data(InstanceId=first)["LaunchTemplateData"]
    assert data["ImageId"] == service.image and data["KeyName"] == "model" and base64.b64decode(data["UserData"]) == b"echo"
    disks = {m["DeviceName"]: m["Ebs"] for m in data["BlockDeviceMappings"]}
    assert disks["/dev/xvda"]["SnapshotId"] == service.snapshot and disks["/dev/sdf"]["Iops"] == 3200 and disks["/dev/sdf"]["VolumeSize"] == 8
    assert data["TagSpecifications"] == [specification("instance", Name="model")]
    assert data["CreditSpecification"] == {"CpuCredits": "standard"} and data["Placement"]["AvailabilityZone"] == "us-east-1b", data
    assert data["CapacityReservationSpecification"] == {"CapacityReservationPreference": "none"}, data
    assert data["NetworkInterfaces"][0]["AssociatePublicIpAddress"] is True and data["NetworkInterfaces"][0]["SubnetId"] == own, data
    made = ec2.create_launch_template(LaunchTemplateName="like-it", LaunchTemplateData=data)
    assert "Warning" not in made, made
    second = launch(ec2, made["LaunchTemplate"]["LaunchTemplateId"])
    wait_until(lambda: instance(ec2, second)["State"]["Name"] == "running", 30, "it runs")
    assert ec2.get_launch_template_data(InstanceId=second)["LaunchTemplateData"] == data
    assert tags_of(ec2, second)[VERSION] == "1"
    expect("InvalidInstanceID.NotFound", ec2.get_launch_template_data, InstanceId="i-0123456789abcdef0")
    expect("InvalidInstanceID.Malformed", ec2.get_launch_template_data, InstanceId="i-x")
    expect("InvalidInstanceID.NotFound", service.account("stranger").client("ec2").get_launch_template_data, InstanceId=first)


def test_LT_3_LT_6_the_aws_cli(service):
    data = {"ImageId": service.image, "InstanceType": "t3.nano"}
    made = service.aws("ec2", "create-launch-template", "--launch-template-name", "cli", "--launch-template-data", json.dumps(data))["LaunchTemplate"]
    more = service.aws("ec2", "create-launch-template-version", "--launch-template-name", "cli", "--source-version", "1", "--launch-template-data", '{"EbsOptimized":true}')
    assert more["LaunchTemplateVersion"]["LaunchTemplateData"] == data | {"EbsOptimized": True}
    changed = service.aws("ec2", "modify-launch-template", "--launch-template-name", "cli", "--default-version", "2")
    assert changed["LaunchTemplate"]["DefaultVersionNumber"] == 2
    seen = service.aws("ec2", "describe-launch-template-versions", "--launch-template-name", "cli", "--versions", "$Latest", "$Default")
    assert [v["VersionNumber"] for v in seen["LaunchTemplateVersions"]] == [2]
    ran = service.aws("ec2", "run-instances", "--launch-template", "LaunchTemplateName=cli,Version=$Latest")["Instances"][0]
    assert ran["EbsOptimized"] is True and {"Key": VERSION, "Value": "2"} in ran["Tags"]
    gone = service.aws("ec2", "delete-launch-template-versions", "--launch-template-name", "cli", "--versions", "1")
    assert gone["SuccessfullyDeletedLaunchTemplateVersions"][0]["VersionNumber"] == 1
    assert service.aws("ec2", "delete-launch-template", "--launch-template-name", "cli")["LaunchTemplate"]["LaunchTemplateId"] == made["LaunchTemplateId"]


if __name__ == "__main__":
    kiln_test.main(seconds=300)
