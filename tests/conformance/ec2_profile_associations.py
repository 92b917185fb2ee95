#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Associate-, Disassociate-, Replace- and DescribeIamInstanceProfileAssociation(s): an instance gets, loses and changes its
profile, at launch and later; pages, filters, mistakes and strangers."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import wait_until  # noqa: E402
from kiln_test.refusals import expect, refusal  # noqa: E402

UNKNOWN = "iip-assoc-0123456789abcdef0"
TRUST = json.dumps(
    {"Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
)


@kiln_test.fixture
def service():
    with kiln_test.api_service() as kiln:
        iam = kiln.client("iam")
        kiln.arns = {}
        for name in ("Bakers", "Millers"):
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
            kiln.arns[name] = iam.create_instance_profile(InstanceProfileName=name)["InstanceProfile"]["Arn"]
            iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
        iam.create_instance_profile(InstanceProfileName="Nobody")
        yield kiln


def launch(kiln, ec2, **more):
    made = ec2.run_instances(ImageId=kiln.image, InstanceType="t2.nano", MinCount=1, MaxCount=1, **more)["Instances"][0]
    wait_until(lambda: one(ec2, made["InstanceId"])["State"]["Name"] == "running", 30, "it runs")
    return made["InstanceId"]


def one(ec2, instance):
    return ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]


def associations(ec2, instance):
    wanted = [{"Name": "instance-id", "Values": [instance]}]
    return ec2.describe_iam_instance_profile_associations(Filters=wanted)["IamInstanceProfileAssociations"]


def test_IPA_1_an_instance_gets_changes_and_loses_its_profile(service):
    ec2 = service.client("ec2")
    instance = launch(service, ec2)
    assert associations(ec2, instance) == [] and "IamInstanceProfile" not in one(ec2, instance)
    made = ec2.associate_iam_instance_profile(InstanceId=instance, IamInstanceProfile={"Name": "Bakers"})
    made = made["IamInstanceProfileAssociation"]
    assert made["State"] == "associating" and made["InstanceId"] == instance, made
    assert made["IamInstanceProfile"]["Arn"] == service.arns["Bakers"] and made["IamInstanceProfile"]["Id"].startswith("AIPA"), made
    (seen,) = associations(ec2, instance)
    assert seen["State"] == "associated" and seen["AssociationId"] == made["AssociationId"], seen
    assert one(ec2, instance)["IamInstanceProfile"] == made["IamInstanceProfile"]
    code, text = refusal(ec2.associate_iam_instance_profile, InstanceId=instance, IamInstanceProfile={"Name": "Millers"})
    assert code == "IncorrectState" and text == f"There is an existing association for instance {instance}", text

    changed = ec2.replace_iam_instance_profile_association(
        AssociationId=made["AssociationId"], IamInstanceProfile={"Arn": service.arns["Millers"]}
    )["IamInstanceProfileAssociation"]
    assert changed["AssociationId"] != made["AssociationId"] and changed["State"] == "associating", changed
    assert one(ec2, instance)["IamInstanceProfile"]["Arn"] == service.arns["Millers"]
    expect("InvalidAssociationID.NotFound", ec2.disassociate_iam_instance_profile, AssociationId=made["AssociationId"])

    gone = ec2.disassociate_iam_instance_profile(AssociationId=changed["AssociationId"])["IamInstanceProfileAssociation"]
    assert gone["State"] == "disassociating" and gone["AssociationId"] == changed["AssociationId"], gone
    assert associations(ec2, instance) == [] and "IamInstanceProfile" not in one(ec2, instance)
    expect("InvalidAssociationID.NotFound", ec2.disassociate_iam_instance_profile, AssociationId=changed["AssociationId"])
    again = service.aws("ec2", "associate-iam-instance-profile", "--instance-id", instance, "--iam-instance-profile", "Name=Bakers")
    assert again["IamInstanceProfileAssociation"]["AssociationId"] not in (made["AssociationId"], changed["AssociationId"])


def test_IPA_2_the_profile_of_a_launch_is_an_association(service):
    ec2 = service.client("ec2")
    instance = launch(service, ec2, IamInstanceProfile={"Name": "Bakers"})
    (made,) = associations(ec2, instance)
    assert made["State"] == "associated" and made["AssociationId"].startswith("iip-assoc-"), made
    assert associations(ec2, instance) == [made]
    changed = ec2.replace_iam_instance_profile_association(
        AssociationId=made["AssociationId"], IamInstanceProfile={"Name": "Millers"}
    )["IamInstanceProfileAssociation"]
    service.restart()
    ec2 = service.client("ec2")
    (seen,) = associations(ec2, instance)
    assert seen["AssociationId"] == changed["AssociationId"] and seen["IamInstanceProfile"]["Arn"] == service.arns["Millers"], seen
    wait_until(lambda: one(ec2, instance)["State"]["Name"] == "stopped", 30, "scripted machines end with the service")
    ec2.disassociate_iam_instance_profile(AssociationId=changed["AssociationId"])  # of a stopped instance
    ec2.associate_iam_instance_profile(InstanceId=instance, IamInstanceProfile={"Name": "Bakers"})
    ec2.terminate_instances(InstanceIds=[instance])
    wait_until(lambda: one(ec2, instance)["State"]["Name"] == "terminated", 30, "it is terminated")
    assert associations(ec2, instance) == []
    expect("IncorrectInstanceState", ec2.associate_iam_instance_profile, InstanceId=instance, IamInstanceProfile={"Name": "Bakers"})


def test_IPA_3_lists(service):
    ec2 = service.client("ec2")
    instances = [launch(service, ec2, IamInstanceProfile={"Name": "Bakers"}) for _ in range(6)]
    ids = [associations(ec2, instance)[0]["AssociationId"] for instance in instances]
    found = ec2.describe_iam_instance_profile_associations(AssociationIds=ids[1:3])["IamInstanceProfileAssociations"]
    assert [entry["AssociationId"] for entry in found] == ids[1:3], found
    pages, token = [], None
    while token != "":
        page = ec2.describe_iam_instance_profile_associations(MaxResults=5, **({"NextToken": token} if token else {}))
        pages += [entry["AssociationId"] for entry in page["IamInstanceProfileAssociations"]]
        token = page.get("NextToken", "")
    assert set(ids) <= set(pages) and len(pages) == len(set(pages)), pages
    state = [{"Name": "state", "Values": ["assoc*"]}, {"Name": "instance-id", "Values": instances[:2]}]
    found = ec2.describe_iam_instance_profile_associations(Filters=state)["IamInstanceProfileAssociations"]
    assert [entry["InstanceId"] for entry in found] == instances[:2], found
    expect("InvalidParameterValue", ec2.describe_iam_instance_profile_associations, Filters=[{"Name": "arn", "Values": ["x"]}])
    expect("InvalidParameterCombination", ec2.describe_iam_instance_profile_associations, AssociationIds=ids, MaxResults=5)
    told = service.aws("ec2", "describe-iam-instance-profile-associations", "--association-ids", ids[0])
    assert told["IamInstanceProfileAssociations"][0]["InstanceId"] == instances[0], told


def test_IPA_1_mistakes_and_strangers(service):
    ec2 = service.client("ec2")
    instance = launch(service, ec2)
    associate = ec2.associate_iam_instance_profile
    expect("InvalidInstanceID.NotFound", associate, InstanceId="i-0123456789abcdef0", IamInstanceProfile={"Name": "Bakers"})
    expect("InvalidInstanceID.Malformed", associate, InstanceId="i-zz", IamInstanceProfile={"Name": "Bakers"})
    code, text = refusal(associate, InstanceId=instance, IamInstanceProfile={"Name": "Unknown"})
    assert code == "InvalidParameterValue" and "iamInstanceProfile.name" in text, text
    code, text = refusal(associate, InstanceId=instance, IamInstanceProfile={"Name": "Nobody"})
    assert code == "InvalidParameterValue" and "has no associated IAM Roles" in text, text
    expect("MissingParameter", associate, InstanceId=instance, IamInstanceProfile={})
    both = {"Name": "Bakers", "Arn": service.arns["Bakers"]}
    expect("InvalidParameterCombination", associate, InstanceId=instance, IamInstanceProfile=both)
    for call in (ec2.disassociate_iam_instance_profile, lambda **p: ec2.replace_iam_instance_profile_association(IamInstanceProfile={"Name": "Bakers"}, **p)):
        expect("InvalidAssociationID.NotFound", call, AssociationId=UNKNOWN)
        expect("InvalidAssociationID.Malformed", call, AssociationId="assoc-1")
    expect("InvalidAssociationID.NotFound", ec2.describe_iam_instance_profile_associations, AssociationIds=[UNKNOWN])
    made = associate(InstanceId=instance, IamInstanceProfile={"Name": "Bakers"})["IamInstanceProfileAssociation"]["AssociationId"]
    other = service.account().client("ec2")
    expect("InvalidInstanceID.NotFound", other.associate_iam_instance_profile, InstanceId=instance, IamInstanceProfile={"Name": "Bakers"})
    expect("InvalidAssociationID.NotFound", other.disassociate_iam_instance_profile, AssociationId=made)
    expect("InvalidAssociationID.NotFound", other.describe_iam_instance_profile_associations, AssociationIds=[made])
    assert other.describe_iam_instance_profile_associations()["IamInstanceProfileAssociations"] == []
    assert associations(ec2, instance)[0]["AssociationId"] == made


if __name__ == "__main__":
    kiln_test.main(seconds=180)
