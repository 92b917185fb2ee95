#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What every answer has in common: headers, dry runs, orders, ids and whose they are, filters, and where pages are refused."""

import os
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from botocore import auth, awsrequest, credentials  # noqa: E402
from kiln_test import query  # noqa: E402
from kiln_test.refusals import expect  # noqa: E402

THERE = "eu-west-1"


@kiln_test.fixture
def service():
    with kiln_test.api_service() as kiln:
        kiln.things = make_one_of_each(kiln)
        yield kiln


def make_one_of_each(kiln):
    """One id of each kind, by prefix."""
    ec2 = kiln.client("ec2")
    made = ec2.run_instances(ImageId=kiln.image, InstanceType="t2.nano", MinCount=1, MaxCount=1)
    (instance,) = made["Instances"]
    group = ec2.create_security_group(GroupName="wire", Description="wire")["GroupId"]
    (rule,) = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])["SecurityGroupRules"]
    return {
        "ami": kiln.image, "snap": kiln.snapshot, "i": instance["InstanceId"], "r": made["ReservationId"],
        "vol": ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"],
        "key": ec2.create_key_pair(KeyName="wire")["KeyPairId"], "vpc": instance["VpcId"], "subnet": instance["SubnetId"],
        "sg": group, "sgr": rule["SecurityGroupRuleId"], "eni": instance["NetworkInterfaces"][0]["NetworkInterfaceId"],
        "lt": ec2.create_launch_template(LaunchTemplateName="wire", LaunchTemplateData={"InstanceType": "t2.nano"})["LaunchTemplate"]["LaunchTemplateId"],
    }  # fmt: skip


def send(kiln, parameters, keys=None):
    """Status, headers and text of the answer."""
    body = urllib.parse.urlencode({"Version": "2016-11-15", **parameters})
    request = awsrequest.AWSRequest("POST", kiln.endpoint + "/", data=body)
    request.headers["Content-Type"] = "application/x-www-form-urlencoded"
    auth.SigV4Auth(credentials.Credentials(*(keys or (kiln.access_key, kiln.secret_key))), "ec2", "us-east-1").add_auth(request)
    raw = urllib.request.Request(kiln.endpoint + "/", data=body.encode(), headers=dict(request.headers), method="POST")
    try:
        with urllib.request.urlopen(raw, timeout=30) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()


def test_WIRE_7_the_request_id_is_in_the_header_too(service):
    seen = set()
    for parameters, status, element in (
        ({"Action": "DescribeRegions"}, 200, "requestId"),
        ({"Action": "DescribeRegions", "DryRun": "true"}, 412, "RequestID"),
        ({"Action": "FlyToTheMoon"}, 400, "RequestID"),
    ):
        got, headers, text = send(service, parameters)
        assert (got, headers["Content-Type"]) == (status, "text/xml;charset=UTF-8"), (got, headers.items())
        (told,) = re.findall(f"<{element}>([0-9a-f-]+)</{element}>", text)
        assert headers["x-amzn-requestid"] == told and len(told) == 36, (told, headers.items())
        seen.add(told)
    assert len(seen) == 3, "each request has its own"


def test_WIRE_8_a_dry_run_comes_after_keys_syntax_and_ids_and_changes_nothing(service):
    ec2, things = service.client("ec2"), service.things
    calls = {
        "RunInstances": {"ImageId": service.image, "MinCount": "1", "MaxCount": "1", "InstanceType": "t2.nano"},
        "TerminateInstances": {"InstanceId.1": things["i"]},
        "CreateVolume": {"AvailabilityZone": "us-east-1a", "Size": "1"},
        "DeleteVolume": {"VolumeId": things["vol"]},
        "CreateSnapshot": {"VolumeId": things["vol"]},
        "CreateTags": {"ResourceId.1": things["vol"], "Tag.1.Key": "a", "Tag.1.Value": "b"},
        "DeleteKeyPair": {"KeyName": "wire"},
        "DeregisterImage": {"ImageId": service.image},
        "DescribeInstances": {},
    }
    stranger = service.account("dry")

    def state():
        kinds = (ec2.describe_instances, ec2.describe_volumes, ec2.describe_key_pairs, ec2.describe_images, ec2.describe_tags)
        answers = [call(**({"Owners": ["self"]} if call == ec2.describe_images else {})) for call in kinds]
        return [{name: value for name, value in answer.items() if name != "ResponseMetadata"} for answer in answers]

    ec2.get_waiter("instance_running").wait(InstanceIds=[things["i"]], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    before = state()
    for action, parameters in calls.items():
        dry = {"Action": action, "DryRun": "true", **parameters}
        status, _, text = send(service, dry)
        assert status == 412 and "<Code>DryRunOperation</Code>" in text, (action, status, text)
        status, _, text = send(service, dry, (service.access_key, "x" * 40))
        assert status in (401, 403) and "<Code>AuthFailure</Code>" in text, (action, status, text)
        status, _, text = send(service, {**dry, "Colour": "red"})
        assert status == 400 and "<Code>UnknownParameter</Code>" in text, (action, status, text)
        status, _, text = send(service, {**dry, "DryRun": "maybe"})
        assert status == 400 and "<Code>InvalidParameterValue</Code>" in text, (action, status, text)
    # What a request without it would be refused for, it is refused for.
    for action, parameters, code in (
        ("TerminateInstances", {"InstanceId.1": "i-0123456789abcdef0"}, "InvalidInstanceID.NotFound"),
        ("TerminateInstances", {"InstanceId.1": "i-x"}, "InvalidInstanceID.Malformed"),
        ("DeleteVolume", {"VolumeId": "vol-0123456789abcdef0"}, "InvalidVolume.NotFound"),
        ("RunInstances", dict(calls["RunInstances"], InstanceType="t9.huge"), "InvalidParameterValue"),
    ):
        assert query(service, action, {"DryRun": "true", **parameters}).code == code, action
    assert query(service, "DeleteVolume", {"DryRun": "true", "VolumeId": things["vol"]}, keys=stranger.pair).code == "InvalidVolume.NotFound"
    assert state() == before


FILTERED = (
    "DescribeAvailabilityZones", "DescribeDhcpOptions", "DescribeFastSnapshotRestores", "DescribeImages", "DescribeImageUsageReportEntries",
    "DescribeImageUsageReports", "DescribeInstanceCreditSpecifications", "DescribeInstanceImageMetadata", "DescribeInstanceStatus",
    "DescribeInstanceTopology", "DescribeInstanceTypeOfferings", "DescribeInstanceTypes", "DescribeInstances", "DescribeInternetGateways",
    "DescribeKeyPairs", "DescribeLaunchTemplates", "DescribeNetworkAcls", "DescribeNetworkInterfaces", "DescribeRegions",
    "DescribeReplaceRootVolumeTasks", "DescribeRouteTables", "DescribeSecurityGroupRules", "DescribeSecurityGroups", "DescribeSnapshots",
    "DescribeSubnets", "DescribeTags", "DescribeVolumeStatus", "DescribeVolumes", "DescribeVolumesModifications", "DescribeVpcs",
)  # fmt: skip


def test_WIRE_8_a_dry_description_is_refused_as_the_description_is(service):
    for action in FILTERED:
        wrong = {"Filter.1.Name": "colour", "Filter.1.Value.1": "red"}
        answer = query(service, action, {"DryRun": "true", **wrong})
        assert (answer.code, answer.message) == ("InvalidParameterValue", "The filter 'colour' is invalid"), (action, answer.body)
    for action, parameters, code in (
        ("DescribeImages", {"ImageId.1": "ami-0123456789abcdef0"}, "InvalidAMIID.NotFound"),
        ("DescribeImages", {"Owner.1": "amazonia"}, "InvalidUserID.Malformed"),
        ("DescribeImages", {"MaxResults": "0"}, "InvalidParameterValue"),
        ("DescribeSnapshots", {"SnapshotId.1": "snap-0123456789abcdef0"}, "InvalidSnapshot.NotFound"),
        ("DescribeSnapshots", {"MaxResults": "4"}, "InvalidParameterValue"),
        ("DescribeVolumes", {"VolumeId.1": "vol-0123456789abcdef0"}, "InvalidVolume.NotFound"),
        ("DescribeInstances", {"InstanceId.1": "i-0123456789abcdef0"}, "InvalidInstanceID.NotFound"),
        ("DescribeInstances", {"NextToken": "none"}, "InvalidNextToken"),
        ("DescribeInstanceImageMetadata", {"InstanceId.1": "i-0123456789abcdef0"}, "InvalidInstanceID.NotFound"),
        ("DescribeTags", {"NextToken": "none"}, "InvalidNextToken"),
        ("DescribeKeyPairs", {"KeyName.1": "nobody's"}, "InvalidKeyPair.NotFound"),
    ):
        assert query(service, action, parameters).code == code, action
        assert query(service, action, {"DryRun": "true", **parameters}).code == code, action
        assert query(service, action, {"DryRun": "true"}).code == "DryRunOperation", action


def test_WIRE_8_IDM_2_a_dry_run_is_one_also_with_a_token_that_is_known(service):
    template = {"LaunchTemplateName": "dry", "LaunchTemplateData.InstanceType": "t2.nano"}
    for action, parameters, change in (
        ("RunInstances", {"ImageId": service.image, "MinCount": "1", "MaxCount": "1", "InstanceType": "t2.nano"}, {"EbsOptimized": "true"}),
        ("CreateVolume", {"AvailabilityZone": "us-east-1a", "Size": "1"}, {"Size": "2"}),
        ("CopyVolumes", {"SourceVolumeId": service.things["vol"]}, {"Size": "2"}),
        ("CopyImage", {"Name": "dry", "SourceImageId": service.image, "SourceRegion": "us-east-1"}, {"Description": "other"}),
        ("CreateLaunchTemplate", template, {"VersionDescription": "other"}),
        ("CreateLaunchTemplateVersion", template, {"VersionDescription": "other"}),
        ("ModifyLaunchTemplate", {"LaunchTemplateName": "dry", "SetDefaultVersion": "1"}, {"SetDefaultVersion": "2"}),
    ):
        known = {**parameters, "ClientToken": "known"}
        first = query(service, action, known)
        assert first.status == 200, (action, first.body)
        assert query(service, action, known).status == 200, action
        dry = query(service, action, {**known, "DryRun": "true"})
        assert (dry.status, dry.code) == (412, "DryRunOperation"), (action, dry.body)
        assert query(service, action, {**known, **change, "DryRun": "true"}).code == "IdempotentParameterMismatch", action


def test_WIRE_10_lists_come_by_time_then_id(service):
    ec2 = service.client("ec2")
    volumes = [ec2.create_volume(AvailabilityZone="us-east-1b", Size=1)["VolumeId"] for _ in range(8)]
    reservations = [
        ec2.run_instances(ImageId=service.image, InstanceType="t2.nano", MinCount=count, MaxCount=count, Placement={"AvailabilityZone": "us-east-1b"})
        for count in (4, 1, 3)
    ]  # fmt: skip
    here = [{"Name": "availability-zone", "Values": ["us-east-1b"]}, {"Name": "size", "Values": ["1"]}]
    for _ in range(2):
        listed = ec2.describe_volumes(Filters=here)["Volumes"]
        assert [v["VolumeId"] for v in listed if v["VolumeId"] in volumes] == volumes
        keys = [(v["CreateTime"], v["VolumeId"]) for v in listed]
        # boto3 shows milliseconds, as the service keeps them.
        assert keys == sorted(keys), keys
        shown = ec2.describe_instances(Filters=here[:1])["Reservations"]
        assert [r["ReservationId"] for r in shown] == [r["ReservationId"] for r in reservations]
        for reservation in shown:  # of one instant
            ids = [i["InstanceId"] for i in reservation["Instances"]]
            assert ids == sorted(ids), ids
        service.restart()
        ec2 = service.client("ec2")
    ids = [i["InstanceId"] for r in reservations for i in r["Instances"]]
    ec2.terminate_instances(InstanceIds=ids)
    for volume in volumes:
        ec2.delete_volume(VolumeId=volume)


def test_ID_2_every_kind_has_its_prefix(service):
    for prefix, made in service.things.items():
        assert re.fullmatch(prefix + "-[0-9a-f]{17}", made), (prefix, made)
    assert len({made.split("-")[1] for made in service.things.values()}) == len(service.things)


def lookups(ec2, things):
    """For each kind what finds it by its id, and the code of what is not there."""
    return (
        (ec2.describe_images, {"ImageIds": [things["ami"]]}, "InvalidAMIID.NotFound"),
        (ec2.delete_snapshot, {"SnapshotId": things["snap"]}, "InvalidSnapshot.NotFound"),
        (ec2.describe_instances, {"InstanceIds": [things["i"]]}, "InvalidInstanceID.NotFound"),
        (ec2.describe_volumes, {"VolumeIds": [things["vol"]]}, "InvalidVolume.NotFound"),
        (ec2.describe_key_pairs, {"KeyPairIds": [things["key"]]}, "InvalidKeyPair.NotFound"),
        (ec2.describe_vpcs, {"VpcIds": [things["vpc"]]}, "InvalidVpcID.NotFound"),
        (ec2.describe_subnets, {"SubnetIds": [things["subnet"]]}, "InvalidSubnetID.NotFound"),
        (ec2.describe_security_groups, {"GroupIds": [things["sg"]]}, "InvalidGroup.NotFound"),
        (ec2.describe_security_group_rules, {"SecurityGroupRuleIds": [things["sgr"]]}, "InvalidSecurityGroupRuleId.NotFound"),
        (ec2.describe_network_interfaces, {"NetworkInterfaceIds": [things["eni"]]}, "InvalidNetworkInterfaceID.NotFound"),
        (ec2.describe_launch_templates, {"LaunchTemplateIds": [things["lt"]]}, "InvalidLaunchTemplateId.NotFound"),
    )


def test_REG_1_ID_3_ACC_1_everything_is_of_one_account_and_one_region(service):
    own, elsewhere, stranger = service.client("ec2"), service.client("ec2", THERE), service.account("stranger").client("ec2")
    for call, request, _ in lookups(own, service.things):
        if call != own.delete_snapshot:
            call(**request)
    assert own.describe_snapshots(SnapshotIds=[service.snapshot])["Snapshots"]
    for ec2 in (elsewhere, stranger):
        for call, request, code in lookups(ec2, service.things):
            expect(code, call, **request)
    for ec2 in (elsewhere, stranger):  # nor are they listed
        for call, member in (
            (ec2.describe_images, "Images"), (ec2.describe_snapshots, "Snapshots"), (ec2.describe_instances, "Reservations"),
            (ec2.describe_volumes, "Volumes"), (ec2.describe_key_pairs, "KeyPairs"), (ec2.describe_network_interfaces, "NetworkInterfaces"),
            (ec2.describe_launch_templates, "LaunchTemplates"), (ec2.describe_tags, "Tags"),
        ):  # fmt: skip
            assert call()[member] == [], (member, call())
    assert service.things["sg"] not in str(stranger.describe_security_groups()) + str(elsewhere.describe_security_groups())


def test_ID_3_an_id_is_never_used_again(service):
    ec2 = service.client("ec2")
    chosen = "ami-00000000000000abc"
    words = ["import", service.raw, "--image-id", chosen, "--json"]
    service.run(*words, "--name", "first life")
    ec2.deregister_image(ImageId=chosen)
    done = service.run(*words, "--name", "second life", check=False)
    assert done.returncode == 1 and "ids are never used again" in done.stderr, done.stderr
    service.restart()
    done = service.run(*words, "--name", "third life", check=False)
    assert done.returncode == 1 and "ids are never used again" in done.stderr, done.stderr


def test_REG_5_snapshots_lie_in_their_region(service):
    volume = service.things["vol"]
    made = query(service, "CreateSnapshot", {"VolumeId": volume, "Location": ""})
    assert made.status == 200, made.body
    (snapshot,) = made.texts("snapshotId")
    expect("InvalidSnapshot.NotFound", service.client("ec2", THERE).describe_snapshots, SnapshotIds=[snapshot])
    sets = {"InstanceSpecification.InstanceId": service.things["i"]}
    for action, request in (("CreateSnapshot", {"VolumeId": volume}), ("CreateSnapshots", sets)):
        for name, value, code in (
            ("Location", "local", "InvalidParameterValue"),
            ("Location", "regional", "InvalidParameterValue"),
            ("OutpostArn", "arn:aws:outposts:us-east-1:1:outpost/op-1", "InvalidParameterValue"),
        ):
            answer = query(service, action, request | {name: value})
            assert answer.code == code and name.lower() in answer.message.lower(), (action, name, answer.body)
    service.client("ec2").delete_snapshot(SnapshotId=snapshot)


def test_FLT_2_names_and_values_are_case_sensitive(service):
    ec2 = service.client("ec2")
    ec2.create_tags(Resources=[service.things["vol"]], Tags=[{"Key": "Stage", "Value": "Test"}])

    def found(name, value):
        return [v["VolumeId"] for v in ec2.describe_volumes(Filters=[{"Name": name, "Values": [value]}])["Volumes"]]

    assert found("tag:Stage", "Test") == found("tag-key", "Stage") == [service.things["vol"]]
    assert found("tag:stage", "Test") == found("tag:Stage", "test") == found("tag-key", "STAGE") == found("tag-value", "TEST") == []
    assert service.things["vol"] in found("status", "available") and found("status", "Available") == found("status", "AVAIL*") == []
    for name in ("Status", "STATUS", "Tag:Stage", "Tag-Key"):
        message = expect("InvalidParameterValue", ec2.describe_volumes, Filters=[{"Name": name, "Values": ["available"]}])
        assert message == f"The filter '{name}' is invalid", message


def test_FLT_4_wildcards_look_at_the_text_of_numbers_dates_and_booleans(service):
    ec2 = service.client("ec2")
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=137)
    day = volume["CreateTime"].strftime("%Y-%m-%d")

    def has(call, member, key, wanted, name, value):
        return wanted in [entry[key] for entry in call(Filters=[{"Name": name, "Values": [value]}])[member]]

    for call, member, key, wanted, name, yes, no in (
        (ec2.describe_volumes, "Volumes", "VolumeId", volume["VolumeId"], "size", ("1?7", "13*", "*7"), ("1?", "?7", "8*")),
        (ec2.describe_volumes, "Volumes", "VolumeId", volume["VolumeId"], "create-time", (day + "*", "20??-*T*Z"), ("1*", day, day + "?")),
        (ec2.describe_volumes, "Volumes", "VolumeId", volume["VolumeId"], "encrypted", ("f*", "?????", "false"), ("t*", "????", "fals")),
        (ec2.describe_images, "Images", "ImageId", service.image, "is-public", ("f*e",), ("t*",)),
        (ec2.describe_images, "Images", "ImageId", service.image, "creation-date", ("20*.000Z",), ("19*",)),
        (ec2.describe_images, "Images", "ImageId", service.image, "block-device-mapping.volume-size", ("?",), ("??",)),
        (ec2.describe_snapshots, "Snapshots", "SnapshotId", service.snapshot, "progress", ("1*%",), ("?%",)),
    ):
        for value in yes:
            assert has(call, member, key, wanted, name, value), (name, value)
        for value in no:
            assert not has(call, member, key, wanted, name, value), (name, value)
    ec2.delete_volume(VolumeId=volume["VolumeId"])


def test_PAG_4_ids_and_a_page_size_go_together_only_where_EC2_takes_both(service):
    ec2, things = service.client("ec2"), service.things
    for call, ids in (
        (ec2.describe_instances, {"InstanceIds": [things["i"]]}),
        (ec2.describe_instance_status, {"InstanceIds": [things["i"]]}),
        (ec2.describe_volumes, {"VolumeIds": [things["vol"]]}),
        (ec2.describe_volumes_modifications, {"VolumeIds": [things["vol"]]}),
    ):
        expect("InvalidParameterCombination", call, **ids, MaxResults=5)
    ec2.describe_instances(InstanceIds=[things["i"]])
    ec2.describe_instances(MaxResults=5)
    taken = ec2.describe_snapshots(SnapshotIds=[service.snapshot], MaxResults=5)["Snapshots"]
    assert [s["SnapshotId"] for s in taken] == [service.snapshot], taken
    both = query(service, "DescribeImages", {"ImageId.1": service.image, "MaxResults": "1"})
    assert both.texts("imagesSet/item/imageId") == [service.image], both.body


def test_DI_12_times_of_images_are_whole_seconds_and_some_things_are_the_owners(service):
    ec2 = service.client("ec2")
    stranger = service.account("reader")
    ec2.modify_image_attribute(ImageId=service.image, LaunchPermission={"Add": [{"UserId": stranger.id}]})
    ec2.enable_image_deprecation(ImageId=service.image, DeprecateAt=time.strftime("%Y-%m-%dT%H:%M:00Z", time.gmtime(time.time() + 86400)))
    request = {"ImageId.1": service.image}
    own, other = query(service, "DescribeImages", request), query(service, "DescribeImages", request, keys=stranger.pair)
    for answer in (own, other):
        for member in ("creationDate", "deprecationTime"):
            (text,) = answer.texts("imagesSet/item/" + member)
            assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z", text), (member, text)
    (launched,) = own.texts("imagesSet/item/lastLaunchedTime")  # by the fixture
    assert re.fullmatch(r"20.*\.000Z", launched) and own.texts("imagesSet/item/deregistrationProtection") == ["disabled"], own.body
    assert other.texts("imagesSet/item/lastLaunchedTime") == other.texts("imagesSet/item/deregistrationProtection") == [], other.body
    ec2.reset_image_attribute(ImageId=service.image, Attribute="launchPermission")


if __name__ == "__main__":
    kiln_test.main()
