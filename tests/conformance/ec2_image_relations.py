#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What an image comes from, what names it, who uses it, and which images instances were launched from. These calls are newer than
Debian's boto3 and aws, so they are made by hand."""

import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import query  # noqa: E402

HERE, THERE = "us-east-1", "eu-west-1"
UNKNOWN = "ami-0123456789abcdef0"
ENTRY, REFERENCE, ITEM = "imageAncestryEntrySet/item/", "imageReferenceSet/item/", "instanceImageMetadataSet/item/"


@kiln_test.fixture
def kiln():
    with kiln_test.Kiln("--hypervisor", "fake") as daemon:
        path = os.path.join(daemon.home, "disk.raw")
        with open(path, "wb") as disk:
            disk.write(os.urandom(1 << 20))
            disk.truncate(8 << 20)
        daemon.base = json.loads(daemon.run("import", path, "--name", "base", "--json").stdout)
        daemon.friend, daemon.stranger = daemon.account("friend"), daemon.account("stranger")
        daemon.number = daemon.client("sts", HERE).get_caller_identity()["Account"]
        yield daemon


def ask(kiln, action, account=None, region=HERE, **parameters):
    """Flat parameters; a dot of a name is written as two underscores."""
    flat = {name.replace("__", "."): value for name, value in parameters.items()}
    return query(kiln, action, flat, region=region, keys=account.pair if account else None)


def fine(*arguments, **parameters):
    answer = ask(*arguments, **parameters)
    assert answer.status == 200, answer.body
    return answer


def refused(code, *arguments, **parameters):
    answer = ask(*arguments, **parameters)
    assert answer.code == code, f"{parameters}: {answer.status} {answer.body}"
    return answer.message


def make(kiln, name, *friends):
    ec2 = kiln.client("ec2", HERE)
    mapping = [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": kiln.base["snapshotId"]}}]
    image = ec2.register_image(Name=name, RootDeviceName="/dev/xvda", VirtualizationType="hvm", Architecture="x86_64", EnaSupport=True, BlockDeviceMappings=mapping)["ImageId"]
    if friends:
        ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"UserId": friend.id} for friend in friends]})
    return image


def launch(client, image, **more):
    return client.run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="t3.micro", **more)["Instances"][0]["InstanceId"]


def ancestors(kiln, image, account=None, region=HERE):
    return fine(kiln, "GetImageAncestry", account, region, ImageId=image).texts(ENTRY + "imageId")


def test_AN_1_an_image_has_all_its_ancestors_also_those_that_are_gone(kiln):
    ec2 = kiln.client("ec2", HERE)
    first = make(kiln, "first")
    second = ec2.copy_image(Name="second", SourceImageId=first, SourceRegion=HERE)["ImageId"]
    third = kiln.client("ec2", THERE).copy_image(Name="third", SourceImageId=second, SourceRegion=HERE)["ImageId"]
    instance = launch(kiln.client("ec2", THERE), third)
    fourth = kiln.client("ec2", THERE).create_image(InstanceId=instance, Name="fourth", NoReboot=True)["ImageId"]
    chain = [fourth, third, second, first]
    assert ancestors(kiln, fourth, region=THERE) == chain
    ec2.deregister_image(ImageId=second)
    ec2.deregister_image(ImageId=first)
    answer = fine(kiln, "GetImageAncestry", region=THERE, ImageId=fourth)
    assert answer.texts(ENTRY + "imageId") == chain
    assert answer.texts(ENTRY + "sourceImageId") == chain[1:]
    assert answer.texts(ENTRY + "sourceImageRegion") == [THERE, HERE, HERE]
    assert answer.texts(ENTRY + "imageOwnerAlias") == []
    dates = answer.texts(ENTRY + "creationDate")
    assert len(dates) == 4 and all(date.endswith(".000Z") and len(date) == 24 for date in dates), dates
    assert ancestors(kiln, make(kiln, "no source")) != []
    refused("InvalidAMIID.Unavailable", kiln, "GetImageAncestry", ImageId=first)
    refused("DryRunOperation", kiln, "GetImageAncestry", region=THERE, ImageId=fourth, DryRun="true")


def test_AN_1_a_stranger_learns_nothing_and_a_friend_no_more_than_ids(kiln):
    first = make(kiln, "hidden")
    second = kiln.client("ec2", HERE).copy_image(Name="shown", SourceImageId=first, SourceRegion=HERE)["ImageId"]
    kiln.client("ec2", HERE).modify_image_attribute(ImageId=second, LaunchPermission={"Add": [{"UserId": kiln.friend.id}]})
    answer = fine(kiln, "GetImageAncestry", kiln.friend, ImageId=second)
    assert answer.texts(ENTRY + "imageId") == [second, first]
    assert kiln.number not in answer.body and "hidden" not in answer.body and "shown" not in answer.body
    refused("InvalidAMIID.NotFound", kiln, "GetImageAncestry", kiln.friend, ImageId=first)
    refused("InvalidAMIID.NotFound", kiln, "GetImageAncestry", kiln.stranger, ImageId=second)
    refused("InvalidAMIID.NotFound", kiln, "GetImageAncestry", region=THERE, ImageId=second)
    refused("InvalidAMIID.NotFound", kiln, "GetImageAncestry", ImageId=UNKNOWN)
    refused("InvalidAMIID.Malformed", kiln, "GetImageAncestry", ImageId="ami-x")
    refused("MissingParameter", kiln, "GetImageAncestry")


def references(kiln, image, account=None, **parameters):
    answer = fine(kiln, "DescribeImageReferences", account, ImageId__1=image, **(parameters or {"IncludeAllResourceTypes": "true"}))
    return sorted(zip(answer.texts(REFERENCE + "resourceType"), answer.texts(REFERENCE + "arn")))


def test_AN_2_own_instances_templates_and_parameters_that_name_an_image(kiln):
    ec2, image = kiln.client("ec2", HERE), make(kiln, "named", kiln.friend)
    arn = f"arn:aws:%s:{HERE}:{kiln.number}:%s"
    instance = launch(ec2, image)
    template = ec2.create_launch_template(LaunchTemplateName="names", LaunchTemplateData={"ImageId": image})["LaunchTemplate"]["LaunchTemplateId"]
    for number in range(9):
        ec2.create_launch_template_version(LaunchTemplateId=template, LaunchTemplateData={"InstanceType": "t3.micro", "ImageId": UNKNOWN})
    ec2.create_launch_template(LaunchTemplateName="resolves", LaunchTemplateData={"ImageId": "resolve:ssm:/golden"})
    ssm = kiln.client("ssm", HERE)
    ssm.put_parameter(Name="/golden", Type="String", DataType="aws:ec2:image", Value=image)
    ssm.put_parameter(Name="no-image", Type="String", Value=image)
    launch(kiln.friend.client("ec2", HERE), image)
    everything = [("ec2:Instance", arn % ("ec2", f"instance/{instance}")), ("ec2:LaunchTemplate", arn % ("ec2", f"launch-template/{template}")), ("ssm:Parameter", arn % ("ssm", "parameter/golden"))]
    assert references(kiln, image) == everything
    assert [kind for kind, _ in references(kiln, image, kiln.friend)] == ["ec2:Instance"]
    assert references(kiln, image, kiln.stranger) == []

    depth = {"ResourceType__1__ResourceType": "ec2:LaunchTemplate", "ResourceType__1__ResourceTypeOption__1__OptionName": "version-depth"}
    assert references(kiln, image, **depth, ResourceType__1__ResourceTypeOption__1__OptionValue__1="9") == []
    assert references(kiln, image, **depth, ResourceType__1__ResourceTypeOption__1__OptionValue__1="10") == everything[1:2]
    ec2.create_launch_template_version(LaunchTemplateId=template, LaunchTemplateData={"InstanceType": "t3.micro"})
    assert references(kiln, image) == [everything[0], everything[2]]  # ten versions are looked at
    state = {"ResourceType__1__ResourceType": "ec2:Instance", "ResourceType__1__ResourceTypeOption__1__OptionName": "state-name", "ResourceType__1__ResourceTypeOption__1__OptionValue__1": "terminated"}
    assert references(kiln, image, **state) == []
    assert references(kiln, image, **state, ResourceType__1__ResourceTypeOption__1__OptionValue__2="running", ResourceType__1__ResourceTypeOption__1__OptionValue__3="pending") == everything[:1]
    ssm.delete_parameter(Name="/golden")
    ec2.delete_launch_template(LaunchTemplateId=template)
    ec2.deregister_image(ImageId=image)
    assert references(kiln, image) == everything[:1]
    kiln.restart()
    assert references(kiln, image) == everything[:1]


def test_AN_2_pages_and_mistakes(kiln):
    ec2, image, other = kiln.client("ec2", HERE), make(kiln, "often named"), make(kiln, "named too")
    for number in range(6):
        ec2.create_launch_template(LaunchTemplateName=f"often-{number}", LaunchTemplateData={"ImageId": image})
    ec2.create_launch_template(LaunchTemplateName="once", LaunchTemplateData={"ImageId": other})
    call = {"ImageId__1": image, "ImageId__2": other, "ImageId__3": image, "IncludeAllResourceTypes": "true"}
    first = fine(kiln, "DescribeImageReferences", **call, MaxResults="5")
    token = first.texts("nextToken")[0]
    second = fine(kiln, "DescribeImageReferences", **call, MaxResults="5", NextToken=token)
    arns = first.texts(REFERENCE + "arn") + second.texts(REFERENCE + "arn")
    assert len(first.texts(REFERENCE + "arn")) == 5 and len(set(arns)) == len(arns) == 7 and second.texts("nextToken") == []
    refused("InvalidNextToken", kiln, "DescribeImageReferences", kiln.stranger, **call, MaxResults="5", NextToken=token)

    def bad(code, **parameters):
        refused(code, kiln, "DescribeImageReferences", **({"ImageId__1": image} | parameters))

    bad("MissingParameter")
    bad("InvalidParameterCombination", IncludeAllResourceTypes="true", ResourceType__1__ResourceType="ec2:Instance")
    bad("InvalidParameterValue", ResourceType__1__ResourceType="ec2:Volume")
    bad("InvalidParameterValue", ResourceType__1__ResourceType="ec2:Instance", ResourceType__2__ResourceType="ec2:Instance")
    bad("InvalidParameterValue", IncludeAllResourceTypes="true", MaxResults="4")
    bad("InvalidAMIID.Malformed", ImageId__1="ami-x", IncludeAllResourceTypes="true")
    bad("InvalidParameterValue", IncludeAllResourceTypes="true", **{f"ImageId__{number}": f"ami-0123456789abcde{number:02}" for number in range(2, 12)})
    bad("DryRunOperation", IncludeAllResourceTypes="true", DryRun="true")
    for kind, name, value in (("ec2:Instance", "version-depth", "1"), ("ec2:LaunchTemplate", "state-name", "running"), ("ec2:Instance", "state-name", "asleep"), ("ec2:LaunchTemplate", "version-depth", "0"), ("ec2:LaunchTemplate", "version-depth", "10001"), ("ssm:Parameter", "version-depth", "1")):
        option = {"OptionName": name, "OptionValue__1": value}
        bad("InvalidParameterValue", ResourceType__1__ResourceType=kind, **{f"ResourceType__1__ResourceTypeOption__1__{key}": text for key, text in option.items()})
    refused("MissingParameter", kiln, "DescribeImageReferences", IncludeAllResourceTypes="true")


def report_of(kiln, image, *types, **more):
    named = {f"ResourceType__{number}__ResourceType": name for number, name in enumerate(types, 1)}
    return fine(kiln, "CreateImageUsageReport", ImageId=image, **named, **more).texts("reportId")[0]


def usage(kiln, report, **more):
    answer = fine(kiln, "DescribeImageUsageReportEntries", ReportId__1=report, **more)
    item = "imageUsageReportEntrySet/item/"
    return sorted(zip(answer.texts(item + "resourceType"), answer.texts(item + "accountId"), map(int, answer.texts(item + "usageCount"))))


def test_AN_3_the_owner_learns_how_many_others_use_an_image(kiln):
    image = make(kiln, "used", kiln.friend, kiln.stranger)
    friend, stranger = (account.client("ec2", HERE) for account in (kiln.friend, kiln.stranger))
    launch(kiln.client("ec2", HERE), image)  # the owner's own are no news
    gone = [launch(friend, image) for _ in range(3)][0]
    launch(stranger, image)
    friend.create_launch_template(LaunchTemplateName="theirs", LaunchTemplateData={"ImageId": image})
    report = report_of(kiln, image, "ec2:Instance", "ec2:LaunchTemplate", ClientToken="once")
    assert report.startswith("amiur-")
    assert report_of(kiln, image, "ec2:Instance", "ec2:LaunchTemplate", ClientToken="once") == report
    again = {"ImageId": image, "ResourceType__1__ResourceType": "ec2:Instance", "ResourceType__2__ResourceType": "ec2:LaunchTemplate", "ClientToken": "once"}
    refused("DryRunOperation", kiln, "CreateImageUsageReport", DryRun="true", **again)
    refused("IdempotentParameterMismatch", kiln, "CreateImageUsageReport", ImageId=image, ResourceType__1__ResourceType="ec2:Instance", ClientToken="once")
    counted = sorted([("ec2:Instance", kiln.friend.id, 3), ("ec2:Instance", kiln.stranger.id, 1), ("ec2:LaunchTemplate", kiln.friend.id, 1)])
    assert usage(kiln, report) == counted
    friend.terminate_instances(InstanceIds=[gone])
    friend.get_waiter("instance_terminated").wait(InstanceIds=[gone], WaiterConfig={"Delay": 1})
    assert usage(kiln, report) == counted  # it is of one moment
    later = report_of(kiln, image, "ec2:Instance", AccountId__1=kiln.friend.id)
    assert usage(kiln, later) == [("ec2:Instance", kiln.friend.id, 2)]
    assert usage(kiln, report, Filter__1__Name="account-id", Filter__1__Value__1=kiln.stranger.id) == [("ec2:Instance", kiln.stranger.id, 1)]
    assert usage(kiln, report, Filter__1__Name="resource-type", Filter__1__Value__1="*Template") == counted[2:]
    assert "i-" not in fine(kiln, "DescribeImageUsageReportEntries", ReportId__1=report).body.replace("ami-", "").split("requestId>")[2]

    shown = fine(kiln, "DescribeImageUsageReports", ReportId__1=report)
    item = "imageUsageReportSet/item/"
    assert shown.texts(item + "state") == ["available"] and shown.texts(item + "imageId") == [image]
    assert shown.texts(item + "resourceTypeSet/item/resourceType") == ["ec2:Instance", "ec2:LaunchTemplate"]
    assert shown.texts(item + "resourceTypeSet/item/resourceTypeOptionSet/item/optionValueSet/item") == ["10"]
    created, expires = (time.mktime(time.strptime(shown.texts(item + name)[0], "%Y-%m-%dT%H:%M:%S.%fZ")) for name in ("creationTime", "expirationTime"))
    assert abs(expires - created - 30 * 86400) < 3700
    assert set(fine(kiln, "DescribeImageUsageReports", ImageId__1=image).texts(item + "reportId")) == {report, later}
    kiln.restart()
    assert usage(kiln, report) == counted

    kiln.client("ec2", HERE).deregister_image(ImageId=image)
    assert usage(kiln, report) == counted
    refused("InvalidAMIID.Unavailable", kiln, "CreateImageUsageReport", ImageId=image, ResourceType__1__ResourceType="ec2:Instance")
    refused("DryRunOperation", kiln, "DeleteImageUsageReport", ReportId=report, DryRun="true")
    assert fine(kiln, "DeleteImageUsageReport", ReportId=report).texts("return") == ["true"]
    refused("InvalidImageUsageReportId.NotFound", kiln, "DeleteImageUsageReport", ReportId=report)
    refused("InvalidImageUsageReportId.NotFound", kiln, "DescribeImageUsageReportEntries", ReportId__1=report)


def test_AN_3_a_report_is_its_owners_and_is_tagged(kiln):
    image = make(kiln, "reported", kiln.friend)
    tags = {"TagSpecification__1__ResourceType": "image-usage-report", "TagSpecification__1__Tag__1__Key": "why", "TagSpecification__1__Tag__1__Value": "audit"}
    reports = [report_of(kiln, image, "ec2:Instance", **tags)] + [report_of(kiln, image, "ec2:Instance") for _ in range(2)]
    kiln.client("ec2", HERE).create_tags(Resources=[reports[1]], Tags=[{"Key": "late", "Value": "yes"}])
    item = "imageUsageReportSet/item/"
    for name, wanted in (("tag:why", reports[0]), ("tag:late", reports[1])):
        value = "audit" if name == "tag:why" else "yes"
        assert fine(kiln, "DescribeImageUsageReports", Filter__1__Name=name, Filter__1__Value__1=value).texts(item + "reportId") == [wanted]
    seen, token = [], None
    while token != []:
        page = fine(kiln, "DescribeImageUsageReports", ImageId__1=image, MaxResults="1", **({"NextToken": token[0]} if token else {}))
        seen, token = seen + page.texts(item + "reportId"), page.texts("nextToken")
    assert sorted(seen) == sorted(reports)
    for account in (kiln.friend, kiln.stranger):
        assert fine(kiln, "DescribeImageUsageReports", account).texts(item + "reportId") == []
        assert fine(kiln, "DescribeImageUsageReportEntries", account, ImageId__1=image).texts("imageUsageReportEntrySet/item") == []
        refused("InvalidImageUsageReportId.NotFound", kiln, "DescribeImageUsageReports", account, ReportId__1=reports[0])
        refused("InvalidImageUsageReportId.NotFound", kiln, "DeleteImageUsageReport", account, ReportId=reports[0])
        refused("InvalidImageUsageReportId.NotFound", kiln, "CreateTags", account, ResourceId__1=reports[0], Tag__1__Key="a", Tag__1__Value="b")
    refused("AuthFailure", kiln, "CreateImageUsageReport", kiln.friend, ImageId=image, ResourceType__1__ResourceType="ec2:Instance")

    def bad(code, **parameters):
        refused(code, kiln, "CreateImageUsageReport", **({"ImageId": image, "ResourceType__1__ResourceType": "ec2:Instance"} | parameters))

    bad("InvalidParameterValue", ResourceType__1__ResourceType="ec2:Volume")
    bad("InvalidParameterValue", ResourceType__2__ResourceType="ec2:Instance")
    bad("InvalidUserID.Malformed", AccountId__1="12")
    bad("InvalidParameterValue", **{f"AccountId__{number}": f"{number:012}" for number in range(1, 202)})
    bad("InvalidClientToken", ClientToken="t" * 129)
    for action in ("DescribeImageUsageReports", "DescribeImageUsageReportEntries"):
        refused("InvalidParameterValue", kiln, action, **{f"ImageId__{number}": f"ami-{number:017x}" for number in range(1, 202)})
    (shown,) = fine(kiln, "DescribeImageUsageReports", ReportId__1=reports[0]).texts(item + "creationTime")
    found = fine(kiln, "DescribeImageUsageReports", Filter__1__Name="creation-time", Filter__1__Value__1=shown).texts(item + "reportId")
    assert reports[0] in found, ("FLT-4", shown, found)
    bad("InvalidAMIID.Malformed", ImageId="ami-x")
    bad("InvalidAMIID.NotFound", ImageId=UNKNOWN)
    bad("DryRunOperation", DryRun="true")
    option = {"ResourceType__1__ResourceTypeOption__1__OptionName": "version-depth", "ResourceType__1__ResourceTypeOption__1__OptionValue__1": "5"}
    bad("InvalidParameterValue", **option)
    refused("MissingParameter", kiln, "CreateImageUsageReport", ImageId=image)
    refused("InvalidImageUsageReportId.Malformed", kiln, "DescribeImageUsageReports", ReportId__1="amiur-x")
    refused("InvalidParameterValue", kiln, "DescribeImageUsageReports", Filter__1__Name="colour", Filter__1__Value__1="red")


def metadata(kiln, account=None, **parameters):
    """Of each instance: the texts about its image."""
    answer = fine(kiln, "DescribeInstanceImageMetadata", account, **parameters)
    found = {}
    for element in answer.root.iter(query_name("instanceImageMetadataSet")):
        for item in element:
            image = item.find(query_name("imageMetadata"))
            found[item.findtext(query_name("instanceId"))] = {child.tag.split("}")[1]: child.text for child in image}
    return found


def query_name(name):
    return "{http://ec2.amazonaws.com/doc/2016-11-15/}" + name


def test_AN_4_instances_say_what_there_is_to_say_of_their_images(kiln):
    account = kiln.account("launcher")
    ec2, image = account.client("ec2", HERE), make(kiln, "metadata", account)
    tagged = {"TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "role", "Value": "web"}]}]}
    first, second = launch(ec2, image, **tagged), launch(ec2, image)
    told = metadata(kiln, account)
    assert set(told) == {first, second} and told[first] == told[second]
    assert told[first]["name"] == "metadata" and told[first]["imageOwnerId"] == kiln.number and told[first]["imageState"] == "available"
    assert (told[first]["imageAllowed"], told[first]["isPublic"], told[first]["imageId"]) == ("true", "false", image)
    assert first not in metadata(kiln) and set(metadata(kiln, account, InstanceId__1=second)) == {second}
    answer = fine(kiln, "DescribeInstanceImageMetadata", account, InstanceId__1=first)
    assert answer.texts(ITEM + "instanceType") == ["t3.micro"] and answer.texts(ITEM + "instanceOwnerId") + answer.texts(ITEM + "ownerId") == [account.id]
    assert answer.texts(ITEM + "operator/managed") == ["false"], answer.body
    assert answer.texts(ITEM + "tagSet/item/value") == ["web"] and answer.texts(ITEM + "zoneId") == ["use1-az1"], answer.body
    for name, value, wanted in (("tag:role", "web", {first}), ("owner-id", kiln.number, {first, second}), ("owner-id", account.id, set()), ("instance-type", "t3.*", {first, second}), ("availability-zone", HERE + "b", set()), ("instance-id", second, {second}), ("image-allowed", "true", {first, second})):
        assert set(metadata(kiln, account, Filter__1__Name=name, Filter__1__Value__1=value)) == wanted, name
    page = fine(kiln, "DescribeInstanceImageMetadata", account, MaxResults="1")
    rest = fine(kiln, "DescribeInstanceImageMetadata", account, MaxResults="1", NextToken=page.texts("nextToken")[0])
    assert sorted(page.texts(ITEM + "instanceId") + rest.texts(ITEM + "instanceId")) == sorted([first, second])
    assert rest.texts("nextToken") == []

    owner = kiln.client("ec2", HERE)
    owner.deregister_image(ImageId=image)
    assert metadata(kiln, account)[first]["imageState"] == "deregistered"
    other = make(kiln, "withdrawn", account)
    third = launch(ec2, other)
    owner.reset_image_attribute(ImageId=other, Attribute="launchPermission")
    assert metadata(kiln, account)[third] == {"imageId": other}
    refused("InvalidParameterValue", kiln, "DescribeInstanceImageMetadata", account, Filter__1__Name="colour", Filter__1__Value__1="red")
    refused("InvalidParameterCombination", kiln, "DescribeInstanceImageMetadata", account, InstanceId__1=first, MaxResults="5")
    refused("InvalidInstanceID.NotFound", kiln, "DescribeInstanceImageMetadata", InstanceId__1=first)
    refused("InvalidInstanceID.Malformed", kiln, "DescribeInstanceImageMetadata", InstanceId__1="i-x")
    refused("DryRunOperation", kiln, "DescribeInstanceImageMetadata", DryRun="true")


def test_ID_1_ids_are_long_for_every_resource(kiln):
    ec2 = kiln.client("ec2", HERE)
    statuses = ec2.describe_id_format()["Statuses"]
    assert {"image", "instance", "snapshot", "volume"} <= {status["Resource"] for status in statuses}
    assert all(status["UseLongIds"] for status in statuses)
    assert ec2.describe_id_format(Resource="image")["Statuses"] == [{"Resource": "image", "UseLongIds": True}]
    refused("InvalidParameterValue", kiln, "DescribeIdFormat", Resource="colour")
    assert ec2.describe_aggregate_id_format()["UseLongIdsAggregated"] is True
    assert len(kiln.aws("ec2", "describe-id-format")["Statuses"]) == len(statuses)


if __name__ == "__main__":
    kiln_test.main()
