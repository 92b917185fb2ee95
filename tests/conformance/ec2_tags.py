#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""CreateTags, DeleteTags and DescribeTags over images, snapshots, volumes and instances, with the mistakes people make."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import query, wait_until  # noqa: E402
from kiln_test.refusals import expect  # noqa: E402


@kiln_test.fixture
def kiln():
    with kiln_test.Kiln("--hypervisor", "fake") as daemon:
        path = os.path.join(daemon.home, "disk.raw")
        with open(path, "wb") as disk:
            disk.write(b"kiln" * 1024)
            disk.truncate(1 << 20)
        made = json.loads(daemon.run("import", path, "--name", "base", "--json").stdout)
        daemon.image, daemon.snapshot = made["imageId"], made["snapshotId"]
        daemon.ec2 = daemon.client("ec2")
        instance = daemon.ec2.run_instances(ImageId=daemon.image, InstanceType="t2.nano", MinCount=1, MaxCount=1)["Instances"][0]
        daemon.instance = instance["InstanceId"]
        mapping = wait_until(lambda: describe_instance(daemon)["BlockDeviceMappings"], 30, "the instance has its volume")
        daemon.volume = mapping[0]["Ebs"]["VolumeId"]
        yield daemon


def describe_instance(kiln):
    return kiln.ec2.describe_instances(InstanceIds=[kiln.instance])["Reservations"][0]["Instances"][0]


def tags(*pairs):
    return [{"Key": key, "Value": value} for key, value in pairs]


def seen(kiln, *filters):
    """(key, value, resource) of the tags found, sorted."""
    found = kiln.ec2.describe_tags(Filters=[{"Name": name, "Values": values} for name, values in filters])["Tags"]
    return sorted((tag["Key"], tag["Value"], tag["ResourceId"]) for tag in found)


def test_TAG_3_TAG_10_every_kind_of_resource_is_tagged_and_found_by_it(kiln):
    everything = {"image": kiln.image, "snapshot": kiln.snapshot, "instance": kiln.instance, "volume": kiln.volume}
    kiln.ec2.create_tags(Resources=list(everything.values()), Tags=tags(("env", "prod"), ("Größe", "ä b"), ("empty", "")))
    found = kiln.ec2.describe_tags(Filters=[{"Name": "key", "Values": ["env"]}])["Tags"]
    assert {tag["ResourceType"]: tag["ResourceId"] for tag in found} == everything
    assert all(tag["Key"] == "env" and tag["Value"] == "prod" for tag in found)
    by_tag = [{"Name": "tag:Größe", "Values": ["ä ?"]}, {"Name": "tag-key", "Values": ["empty"]}]
    assert kiln.ec2.describe_images(Filters=by_tag)["Images"][0]["ImageId"] == kiln.image
    assert kiln.ec2.describe_instances(Filters=by_tag)["Reservations"][0]["Instances"][0]["InstanceId"] == kiln.instance
    assert describe_instance(kiln)["Tags"] == tags(("Größe", "ä b"), ("empty", ""), ("env", "prod"))
    assert len(seen(kiln, ("resource-id", [kiln.image]))) == 3
    assert seen(kiln, ("resource-type", ["volume"]), ("value", ["p*"])) == [("env", "prod", kiln.volume)]
    assert seen(kiln, ("tag:env", ["prod"]), ("resource-type", ["image", "snapshot"])) == sorted(
        [("env", "prod", kiln.image), ("env", "prod", kiln.snapshot)]
    )
    # Terraform asks so on every read.
    assert seen(kiln, ("resource-id", [kiln.instance]), ("key", ["aws:ec2launchtemplate:id"])) == []
    kiln.ec2.create_tags(Resources=[kiln.image], Tags=tags(("env", "test")))
    assert seen(kiln, ("key", ["env"]), ("resource-id", [kiln.image])) == [("env", "test", kiln.image)]

    kiln.ec2.delete_tags(Resources=[kiln.image, kiln.volume], Tags=tags(("env", "prod")))
    assert {tag[2] for tag in seen(kiln, ("key", ["env"]))} == {kiln.image, kiln.snapshot, kiln.instance}
    kiln.ec2.delete_tags(Resources=list(everything.values()), Tags=[{"Key": "env"}, {"Key": "never there"}])
    assert seen(kiln, ("key", ["env"])) == []
    kiln.ec2.delete_tags(Resources=[kiln.image], Tags=tags(("Größe", ""), ("empty", "")))
    assert seen(kiln, ("resource-id", [kiln.image])) == [("Größe", "ä b", kiln.image)]
    kiln.ec2.delete_tags(Resources=list(everything.values()))
    assert seen(kiln) == [] and "Tags" not in kiln.ec2.describe_images(ImageIds=[kiln.image])["Images"][0]

    kiln.aws("ec2", "create-tags", "--resources", kiln.image, kiln.instance, "--tags", "Key=Name,Value=by aws", "Key=bare")
    listed = kiln.aws("ec2", "describe-tags", "--filters", f"Name=resource-id,Values={kiln.image}")["Tags"]
    assert [(tag["Key"], tag["Value"]) for tag in listed] == [("Name", "by aws"), ("bare", "")], listed
    kiln.aws("ec2", "delete-tags", "--resources", kiln.image, kiln.instance, "--tags", "Key=Name", "Key=bare,Value=")
    assert seen(kiln) == []


def test_TAG_8_key_pairs_are_tagged_and_lose_their_tags_with_themselves(kiln):
    pair = kiln.ec2.create_key_pair(KeyName="tagged")["KeyPairId"]
    kiln.ec2.create_tags(Resources=[pair], Tags=tags(("env", "prod")))
    (found,) = kiln.ec2.describe_tags(Filters=[{"Name": "resource-type", "Values": ["key-pair"]}])["Tags"]
    assert found["ResourceId"] == pair
    assert kiln.ec2.describe_key_pairs(Filters=[{"Name": "tag:env", "Values": ["prod"]}])["KeyPairs"][0]["Tags"] == tags(("env", "prod"))
    kiln.ec2.delete_key_pair(KeyName="tagged")
    assert seen(kiln, ("resource-id", [pair])) == []
    expect("InvalidKeyPair.NotFound", kiln.ec2.create_tags, Resources=[pair], Tags=tags(("env", "prod")))


def test_TAG_1_TAG_2_ID_5_the_mistakes_change_nothing(kiln):
    create, image = kiln.ec2.create_tags, kiln.image

    def refused(code, *pairs, resources=(image,), call=create):
        return expect(code, call, Resources=list(resources), Tags=tags(*pairs))

    message = refused("InvalidParameterValue", ("AWS:x", "y"))
    assert message == "Tag keys starting with 'aws:' are reserved for internal use", message
    refused("InvalidParameterValue", ("aws:x", "y"), call=kiln.ec2.delete_tags)
    message = refused("InvalidParameterValue", ("", "y"))
    assert message == "Tag key cannot be null or empty", message
    message = refused("InvalidParameterValue", ("k", "1"), ("k", "2"))
    assert message == "Duplicate tag key 'k' specified.", message
    refused("InvalidParameterValue", ("k" * 129, ""))
    refused("InvalidParameterValue", ("k", "ä" * 257))
    refused("MissingParameter")
    expect("MissingParameter", create, Resources=[], Tags=tags(("k", "v")))
    message = refused("InvalidID", ("k", "v"), resources=[image, "xyz-0123456789abcdef0"])
    assert message == "The ID 'xyz-0123456789abcdef0' is not valid", message
    refused("InvalidAMIID.Malformed", ("k", "v"), resources=["i-0123456789abcdef0", "ami-1"])
    refused("InvalidInstanceID.NotFound", ("k", "v"), resources=[image, "i-0123456789abcdef0"])
    refused("InvalidAMIID.NotFound", ("k", "v"), resources=["ami-0123456789abcdef0", image])
    refused("InvalidSnapshot.NotFound", ("k", "v"), resources=[image, "snap-0123456789abcdef0"])
    refused("InvalidVolume.NotFound", ("k", "v"), resources=[image, "vol-0123456789abcdef0"])
    refused("InvalidParameterValue", ("k", "v"), resources=[image] * 1001)
    refused("TagLimitExceeded", *((f"k{n}", "") for n in range(51)))
    expect("DryRunOperation", create, Resources=[image], Tags=tags(("k", "v")), DryRun=True)
    elsewhere = kiln.client("ec2", region="eu-west-1")
    expect("InvalidAMIID.NotFound", elsewhere.create_tags, Resources=[image], Tags=tags(("k", "v")))
    message = expect("InvalidParameterValue", kiln.ec2.describe_tags, Filters=[{"Name": "colour", "Values": ["red"]}])
    assert message == "The filter 'colour' is invalid", message
    expect("DryRunOperation", kiln.ec2.describe_tags, DryRun=True)
    expect("DryRunOperation", kiln.ec2.delete_tags, Resources=[image], DryRun=True)
    assert seen(kiln) == []

    create(Resources=[image], Tags=tags(*((f"k{n}", "ü" * 256) for n in range(50))))
    create(Resources=[image], Tags=tags(("k7", "new")))
    message = refused("TagLimitExceeded", ("one more", ""), resources=[kiln.volume, image])
    assert image in message, message
    assert len(seen(kiln)) == 50
    kiln.ec2.delete_tags(Resources=[image])


def test_TAG_4_ERR_3_tags_of_another_account(kiln):
    other = kiln.account().client("ec2")
    codes = {kiln.image: "AMIID", kiln.snapshot: "Snapshot", kiln.instance: "InstanceID", kiln.volume: "Volume"}
    for resource, kind in codes.items():
        expect(f"Invalid{kind}.NotFound", other.create_tags, Resources=[resource], Tags=tags(("k", "v")))
        expect(f"Invalid{kind}.NotFound", other.delete_tags, Resources=[resource], Tags=tags(("k", "v")))
    kiln.ec2.modify_image_attribute(ImageId=kiln.image, LaunchPermission={"Add": [{"Group": "all"}]})
    other.create_tags(Resources=[kiln.image], Tags=tags(("k", "others")))
    kiln.ec2.create_tags(Resources=[kiln.image], Tags=tags(("k", "mine")))
    assert [tag["Value"] for tag in other.describe_tags()["Tags"]] == ["others"]
    assert seen(kiln) == [("k", "mine", kiln.image)]
    kiln.ec2.delete_tags(Resources=[kiln.image])
    assert [tag["Value"] for tag in other.describe_tags()["Tags"]] == ["others"]
    kiln.ec2.reset_image_attribute(ImageId=kiln.image, Attribute="launchPermission")


def test_PAG_1_PAG_3_tags_in_pages(kiln):
    kiln.ec2.create_tags(Resources=[kiln.image, kiln.volume], Tags=tags(*((f"page/{n} x", f"{n % 2}") for n in range(9))))
    paginator = kiln.ec2.get_paginator("describe_tags")
    pages = [page["Tags"] for page in paginator.paginate(PaginationConfig={"PageSize": 5})]
    assert [len(page) for page in pages] == [5, 5, 5, 3]
    assert [tag for page in pages for tag in page] == kiln.ec2.describe_tags()["Tags"]
    odd = paginator.paginate(Filters=[{"Name": "value", "Values": ["?"]}, {"Name": "tag:page/3 x", "Values": ["1"]}], PaginationConfig={"PageSize": 5})
    assert [tag["Key"] for page in odd for tag in page["Tags"]] == ["page/3 x"] * 2
    message = expect("InvalidParameterValue", kiln.ec2.describe_tags, MaxResults=4)
    assert message == "Value ( 4 ) for parameter maxResults is invalid. Expecting a value greater than 5.", message
    token = kiln.ec2.describe_tags(MaxResults=5)["NextToken"]
    expect("InvalidNextToken", kiln.ec2.describe_tags, MaxResults=5, NextToken=token, Filters=[{"Name": "key", "Values": ["x"]}])
    expect("InvalidNextToken", kiln.ec2.describe_tags, MaxResults=5, NextToken="bm90aGluZw==")
    kiln.ec2.delete_tags(Resources=[kiln.image, kiln.volume])


def test_TAG_8_tags_go_with_their_image(kiln):
    flat = {"BlockDeviceMapping.1.DeviceName": "xvda", "BlockDeviceMapping.1.Ebs.SnapshotId": kiln.snapshot, "RootDeviceName": "xvda"}
    more = {"TagSpecification.1.ResourceType": "image", "TagSpecification.1.Tag.1.Key": "made", "TagSpecification.1.Tag.1.Value": "with"}
    answer = query(kiln, "RegisterImage", {"Name": "to go", **flat, **more})
    image = answer.texts("imageId")[0]
    assert seen(kiln) == [("made", "with", image)]
    kiln.ec2.deregister_image(ImageId=image)
    assert seen(kiln) == []
    expect("InvalidAMIID.Unavailable", kiln.ec2.create_tags, Resources=[image], Tags=tags(("k", "v")))


if __name__ == "__main__":
    kiln_test.main()
