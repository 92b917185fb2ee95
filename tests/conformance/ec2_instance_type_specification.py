#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""ReplaceImageInstanceTypeSpecification: an image's owner says on which instance types it runs, and launches, changes of an
instance's type and new roots keep to it; copies and images of instances have it as well."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import wait_until  # noqa: E402
from kiln_test.query import query  # noqa: E402
from kiln_test.refusals import expect  # noqa: E402

REPLACE = "ReplaceImageInstanceTypeSpecification"
SHOWN = "imagesSet/item/instanceTypeSpecification"


@kiln_test.fixture
def service():
    with kiln_test.api_service() as kiln:
        yield kiln


def replace(kiln, image, supported=(), unsupported=(), keys=None, **more):
    parameters = {"ImageId": image, **more}
    for name, types in (("SupportedInstanceType", supported), ("UnsupportedInstanceType", unsupported)):
        for number, pattern in enumerate(types, 1):
            parameters[f"InstanceTypeSpecification.{name}.{number}"] = pattern
    return query(kiln, REPLACE, parameters, keys=keys)


def set_types(kiln, image, supported=(), unsupported=()):
    answer = replace(kiln, image, supported, unsupported)
    assert answer.status == 200 and answer.texts("returnValue") == ["true"], answer.body


def shown(kiln, image, keys=None):
    """What DescribeImages says: supported and unsupported types; nothing without a specification."""
    answer = query(kiln, "DescribeImages", {"ImageId.1": image}, keys=keys)
    assert answer.texts("imagesSet/item/imageId") == [image], answer.body
    if not answer.texts(SHOWN):
        return None
    return tuple(answer.texts(f"{SHOWN}/{name}/item/instanceType") for name in ("supportedInstanceTypeSet", "unsupportedInstanceTypeSet"))


def may_launch(ec2, image, instance_type, **more):
    wanted = {"ImageId": image, "InstanceType": instance_type, "MinCount": 1, "MaxCount": 1, "DryRun": True, **more}
    return expect("DryRunOperation", ec2.run_instances, **wanted)


def may_not_launch(ec2, image, instance_type):
    wanted = {"ImageId": image, "InstanceType": instance_type, "MinCount": 1, "MaxCount": 1}
    message = expect("InvalidParameterCombination", ec2.run_instances, **wanted)
    assert image in message and instance_type in message, message


def state_of(ec2, instance):
    return ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]["State"]["Name"]


def launch(ec2, image, instance_type):
    made = ec2.run_instances(ImageId=image, InstanceType=instance_type, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    wait_until(lambda: state_of(ec2, made) == "running", 30, "it runs")
    return made


def test_ITS_1_it_is_set_replaced_shown_and_removed(service):
    image = service.image
    assert shown(service, image) is None
    set_types(service, image, ["t2.*", "m4.large"], ["t2.nano"])
    assert shown(service, image) == (["t2.*", "m4.large"], ["t2.nano"])
    set_types(service, image, unsupported=["t2.micro"])
    assert shown(service, image) == ([], ["t2.micro"])
    service.stop()
    service.start()
    assert shown(service, image) == ([], ["t2.micro"])
    other = service.account("other")
    assert replace(service, image, ["t2.*"], keys=other.pair).code == "AuthFailure"
    service.client("ec2").modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"UserId": other.id}]})
    assert shown(service, image, other.pair) == ([], ["t2.micro"])
    assert replace(service, image, ["t2.*"], keys=other.pair).code == "AuthFailure"
    assert replace(service, image, ["t2.*"], DryRun="true").code == "DryRunOperation"
    assert shown(service, image) == ([], ["t2.micro"])
    set_types(service, image)
    assert shown(service, image) is None
    assert replace(service, "ami-0123456789abcdef0").code == "InvalidAMIID.NotFound"
    assert query(service, REPLACE, {}).code == "MissingParameter"


def test_ITS_2_patterns(service):
    for wrong in ("T2.nano", "t2.nano,t2.micro", "t2.?", "x" * 31):
        answer = replace(service, service.image, ["t2.*", wrong])
        assert answer.code == "InvalidParameterValue" and wrong in answer.message, answer.body
    assert replace(service, service.image, unsupported=["t2.nano"] * 401).code == "InvalidParameterValue"
    assert shown(service, service.image) is None


def test_ITS_3_launches_keep_to_it(service):
    ec2, image = service.client("ec2"), service.image
    set_types(service, image, ["t2.*"], ["t2.micro"])
    may_launch(ec2, image, "t2.nano")
    may_not_launch(ec2, image, "t2.micro")
    set_types(service, image, ["t2.nano", "t2.mi*"], ["t2.micro"])
    may_launch(ec2, image, "t2.nano")
    may_not_launch(ec2, image, "t2.micro")
    may_not_launch(ec2, image, "t2.small")
    data = {"ImageId": image, "InstanceType": "t2.micro"}
    template = ec2.create_launch_template(LaunchTemplateName="small", LaunchTemplateData=data)["LaunchTemplate"]["LaunchTemplateId"]
    by_template = {"LaunchTemplate": {"LaunchTemplateId": template}, "MinCount": 1, "MaxCount": 1}
    assert "t2.micro" in expect("InvalidParameterCombination", ec2.run_instances, **by_template)
    expect("DryRunOperation", ec2.run_instances, **by_template, InstanceType="t2.nano", DryRun=True)
    set_types(service, image)
    may_launch(ec2, image, "t2.micro")


def test_ITS_3_instances_stay_and_their_changes_keep_to_it(service):
    ec2, image = service.client("ec2"), service.image
    instance = launch(ec2, image, "t2.nano")
    set_types(service, image, unsupported=["t2.nano", "t2.micro"])
    assert state_of(ec2, instance) == "running"
    ec2.stop_instances(InstanceIds=[instance])
    wait_until(lambda: state_of(ec2, instance) == "stopped", 30, "it has stopped")
    change = {"InstanceId": instance, "InstanceType": {"Value": "t2.micro"}}
    assert image in expect("InvalidParameterCombination", ec2.modify_instance_attribute, **change)
    ec2.start_instances(InstanceIds=[instance])  # with the type that it had before
    wait_until(lambda: state_of(ec2, instance) == "running", 30, "it runs again")
    # A root of an image that does not run on its type.
    other = ec2.copy_image(Name="other", SourceImageId=image, SourceRegion="us-east-1")["ImageId"]
    ec2.get_waiter("image_available").wait(ImageIds=[other], WaiterConfig={"Delay": 1})
    message = expect("InvalidParameterCombination", ec2.create_replace_root_volume_task, InstanceId=instance, ImageId=other)
    assert other in message, message
    ec2.terminate_instances(InstanceIds=[instance])
    set_types(service, image)


def test_ITS_4_copies_and_images_of_instances_have_it(service):
    ec2, image = service.client("ec2"), service.image
    other = service.account("copier")
    theirs = other.client("ec2")
    set_types(service, image, ["t2.*"], ["t2.micro"])
    instance = launch(ec2, image, "t2.nano")
    made = ec2.create_image(InstanceId=instance, Name="of an instance", NoReboot=True)["ImageId"]
    assert shown(service, made) == (["t2.*"], ["t2.micro"])
    ec2.get_waiter("image_available").wait(ImageIds=[made], WaiterConfig={"Delay": 1})
    may_not_launch(ec2, made, "t2.micro")
    copied = ec2.copy_image(Name="copied", SourceImageId=made, SourceRegion="us-east-1")["ImageId"]
    assert shown(service, copied) == (["t2.*"], ["t2.micro"])
    # What its owner says of the image says nothing of those that were made of it before.
    set_types(service, made)
    assert shown(service, made) is None
    assert shown(service, copied) == (["t2.*"], ["t2.micro"])
    ec2.get_waiter("image_available").wait(ImageIds=[copied], WaiterConfig={"Delay": 1})
    may_not_launch(ec2, copied, "t2.micro")
    may_launch(ec2, made, "t2.micro")
    # Whoever has it shared runs it where its owner lets it run.
    ec2.modify_image_attribute(ImageId=copied, LaunchPermission={"Add": [{"UserId": other.id}]})
    may_not_launch(theirs, copied, "t2.micro")
    may_launch(theirs, copied, "t2.nano")
    ec2.terminate_instances(InstanceIds=[instance])
    set_types(service, image)


if __name__ == "__main__":
    kiln_test.main()
