#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Security groups through boto3 and aws: made, described, authorised, revoked, deleted, and what is refused."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import query, wait_until  # noqa: E402
from kiln_test.clients import AwsError  # noqa: E402
from kiln_test.refusals import expect  # noqa: E402

ALL_OUT = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}], "Ipv6Ranges": [], "PrefixListIds": [], "UserIdGroupPairs": []}]
UNKNOWN = "sg-0123456789abcdef0"


@kiln_test.fixture
def service():
    with kiln_test.api_service() as kiln:
        yield kiln


def make(ec2, name, **more):
    return ec2.create_security_group(GroupName=name, Description=f"group {name}", **more)["GroupId"]


def group_of(ec2, group):
    (found,) = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    return found


def tcp(port, *ranges, last=None, **more):
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": last or port, "IpRanges": [{"CidrIp": r} for r in ranges], **more}


def names(ec2, **query):
    return {g["GroupName"] for g in ec2.describe_security_groups(**query)["SecurityGroups"]}


def test_SG_1_SG_2_the_default_group_and_a_new_one(service):
    ec2 = service.client("ec2")
    (default,) = ec2.describe_security_groups(GroupNames=["default"])["SecurityGroups"]
    assert default["Description"] == "default VPC security group" and default["IpPermissionsEgress"] == ALL_OUT
    (own,) = default["IpPermissions"]
    assert own["IpProtocol"] == "-1" and own["UserIdGroupPairs"][0]["GroupId"] == default["GroupId"]
    tags = [{"Key": "role", "Value": "web"}]
    made = ec2.create_security_group(
        GroupName="web 1", Description="all of it", TagSpecifications=[{"ResourceType": "security-group", "Tags": tags}]
    )
    assert made["Tags"] == tags
    seen = group_of(ec2, made["GroupId"])
    assert seen["Tags"] == tags and seen["VpcId"] == default["VpcId"] and seen["IpPermissions"] == []
    assert seen["IpPermissionsEgress"] == ALL_OUT
    # Packer sends an empty VpcId.
    assert group_of(ec2, make(ec2, "packer", VpcId=""))["VpcId"] == default["VpcId"]
    ec2.get_waiter("security_group_exists").wait(GroupIds=[made["GroupId"]], WaiterConfig={"Delay": 1, "MaxAttempts": 2})


def test_SG_3_names_and_descriptions_are_checked(service):
    ec2 = service.client("ec2")
    make(ec2, "taken")
    message = expect("InvalidGroup.Duplicate", ec2.create_security_group, GroupName="taken", Description="x")
    assert message.startswith("The security group 'taken' already exists for VPC 'vpc-"), message
    for name in ("default", "sg-1234", "umlaut ä", "x" * 256, "semi|colon"):
        expect("InvalidParameterValue", ec2.create_security_group, GroupName=name, Description="x")
    expect("MissingParameter", ec2.create_security_group, GroupName="", Description="x")
    expect("MissingParameter", ec2.create_security_group, GroupName="a", Description="")
    expect("InvalidParameterValue", ec2.create_security_group, GroupName="a", Description="a|b")
    expect("InvalidVpcID.NotFound", ec2.create_security_group, GroupName="a", Description="x", VpcId="vpc-0123456789abcdef0")
    expect("InvalidVpcID.Malformed", ec2.create_security_group, GroupName="a", Description="x", VpcId="vpc-1")
    wrong = [{"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "b"}]}]
    expect("InvalidParameterValue", ec2.create_security_group, GroupName="a", Description="x", TagSpecifications=wrong)
    expect("DryRunOperation", ec2.create_security_group, GroupName="a", Description="x", DryRun=True)
    assert "a" not in names(ec2)


def test_SG_5_SG_11_rules_are_shown_by_traffic_and_by_themselves(service):
    ec2 = service.client("ec2")
    group, peer = make(ec2, "rules"), make(ec2, "peer")
    done = ec2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[
            tcp(22, "10.1.2.3/8", "0.0.0.0/0"),
            {"IpProtocol": "6", "FromPort": 22, "ToPort": 22, "UserIdGroupPairs": [{"GroupId": peer, "Description": "peers"}]},
            {"IpProtocol": "icmpv6", "Ipv6Ranges": [{"CidrIpv6": "2001:DB8::1/32"}]},
            {"IpProtocol": "47", "FromPort": 7, "ToPort": 9, "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "gre"}]},
        ],
        TagSpecifications=[{"ResourceType": "security-group-rule", "Tags": [{"Key": "why", "Value": "test"}]}],
    )
    assert done["Return"] and len(done["SecurityGroupRules"]) == 5
    first = done["SecurityGroupRules"][0]
    assert first["CidrIpv4"] == "10.0.0.0/8" and first["IpProtocol"] == "tcp" and first["FromPort"] == first["ToPort"] == 22
    assert first["SecurityGroupRuleId"].startswith("sgr-") and first["Tags"] == [{"Key": "why", "Value": "test"}] and not first["IsEgress"]
    shown = group_of(ec2, group)["IpPermissions"]
    assert [(p["IpProtocol"], p.get("FromPort")) for p in shown] == [("tcp", 22), ("icmpv6", -1), ("47", None)], shown
    assert [r["CidrIp"] for r in shown[0]["IpRanges"]] == ["10.0.0.0/8", "0.0.0.0/0"]
    assert shown[0]["UserIdGroupPairs"][0]["GroupId"] == peer and shown[0]["UserIdGroupPairs"][0]["Description"] == "peers"
    assert shown[1]["Ipv6Ranges"] == [{"CidrIpv6": "2001:db8::/32"}] and shown[2]["IpRanges"][0]["Description"] == "gre"
    rules = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])["SecurityGroupRules"]
    assert len(rules) == 6 and sum(r["IsEgress"] for r in rules) == 1
    # A rule without ports.
    (gre,) = [rule for rule in rules if rule["IpProtocol"] == "47"]
    assert (gre["FromPort"], gre["ToPort"]) == (-1, -1), gre
    tagged = ec2.describe_security_group_rules(Filters=[{"Name": "tag:why", "Values": ["t*"]}])["SecurityGroupRules"]
    assert {r["SecurityGroupRuleId"] for r in tagged} == {r["SecurityGroupRuleId"] for r in done["SecurityGroupRules"]}
    by_id = ec2.describe_security_group_rules(SecurityGroupRuleIds=[first["SecurityGroupRuleId"]])["SecurityGroupRules"]
    assert len(by_id) == 1 and by_id[0]["GroupId"] == group
    expect("InvalidSecurityGroupRuleId.NotFound", ec2.describe_security_group_rules, SecurityGroupRuleIds=["sgr-0123456789abcdef0"])
    expect("InvalidSecurityGroupRuleId.Malformed", ec2.describe_security_group_rules, SecurityGroupRuleIds=["rule"])


def test_SG_5_the_flat_parameters_mean_the_same(service):
    ec2 = service.client("ec2")
    group, peer = make(ec2, "flat"), make(ec2, "flat-peer")
    ec2.authorize_security_group_ingress(GroupName="flat", IpProtocol="tcp", FromPort=80, ToPort=81, CidrIp="0.0.0.0/0")
    ec2.authorize_security_group_ingress(GroupId=group, SourceSecurityGroupName="flat-peer")
    shown = {(p["IpProtocol"], p["FromPort"], p["ToPort"]): p for p in group_of(ec2, group)["IpPermissions"]}
    assert set(shown) == {("tcp", 80, 81), ("tcp", 0, 65535), ("udp", 0, 65535), ("icmp", -1, -1)}
    assert shown[("icmp", -1, -1)]["UserIdGroupPairs"][0]["GroupId"] == peer
    expect("InvalidParameterCombination", ec2.authorize_security_group_ingress, GroupId=group, SourceSecurityGroupName="flat-peer", IpProtocol="tcp")
    expect("InvalidParameterCombination", ec2.authorize_security_group_ingress, GroupId=group, IpProtocol="tcp", IpPermissions=[tcp(1, "10.0.0.0/8")])
    expect("InvalidParameterCombination", ec2.authorize_security_group_ingress, GroupId=group, GroupName="flat", IpPermissions=[tcp(1, "10.0.0.0/8")])
    done = ec2.revoke_security_group_ingress(GroupName="flat", IpProtocol="tcp", FromPort=80, ToPort=81, CidrIp="0.0.0.0/0")
    assert done["Return"] and "UnknownIpPermissions" not in done
    ec2.revoke_security_group_ingress(GroupId=group, SourceSecurityGroupName="flat-peer")
    assert group_of(ec2, group)["IpPermissions"] == []


def test_the_aws_cli_authorises_and_revokes(service):
    group = service.aws("ec2", "create-security-group", "--group-name", "cli", "--description", "made by aws")["GroupId"]
    for action in ("authorize", "revoke"):
        for direction in ("ingress", "egress"):
            done = service.aws(
                "ec2", f"{action}-security-group-{direction}", "--group-id", group, "--protocol", "tcp", "--port", "8000-8010", "--cidr", "10.0.0.0/8"
            )  # fmt: skip
            assert done["Return"] is True, done
    service.aws("ec2", "authorize-security-group-ingress", "--group-id", group, "--protocol", "icmp", "--port", "all", "--source-group", group)
    text = '[{"IpProtocol":"udp","FromPort":53,"ToPort":53,"IpRanges":[{"CidrIp":"10.0.0.0/8"}]}]'
    service.aws("ec2", "authorize-security-group-ingress", "--group-name", "cli", "--ip-permissions", text)
    (seen,) = service.aws("ec2", "describe-security-groups", "--group-names", "cli")["SecurityGroups"]
    assert {p["IpProtocol"] for p in seen["IpPermissions"]} == {"icmp", "udp"}
    service.aws("ec2", "delete-security-group", "--group-id", group)
    try:
        service.aws("ec2", "describe-security-groups", "--group-ids", group)
        raise AssertionError("a deleted group is still there")
    except AwsError as error:
        assert error.code == "InvalidGroup.NotFound", error


def test_SG_5_bad_rules_are_refused_and_change_nothing(service):
    ec2 = service.client("ec2")
    group = make(ec2, "strict")
    authorize = ec2.authorize_security_group_ingress
    good = tcp(22, "10.0.0.0/8")
    for bad, code in (
        (tcp(22, "10.0.0.0"), "InvalidParameterValue"),
        (tcp(22, "10.0.0.0/33"), "InvalidParameterValue"),
        (tcp(22, "300.0.0.0/8"), "InvalidParameterValue"),
        (tcp(70000, "10.0.0.0/8"), "InvalidParameterValue"),
        (tcp(-1, "10.0.0.0/8"), "InvalidParameterValue"),
        (tcp(80, "10.0.0.0/8", last=22), "InvalidParameterValue"),
        ({"IpProtocol": "tcp", "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}, "InvalidParameterValue"),
        ({"IpProtocol": "tcpp", "FromPort": 1, "ToPort": 1, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}, "InvalidParameterValue"),
        ({"IpProtocol": "256", "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}, "InvalidParameterValue"),
        ({"IpProtocol": "icmp", "FromPort": 300, "ToPort": 0, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}, "InvalidParameterValue"),
        ({"IpProtocol": "-1", "Ipv6Ranges": [{"CidrIpv6": "10.0.0.0/8"}]}, "InvalidParameterValue"),
        ({"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "a|b"}]}, "InvalidParameterValue"),
        (tcp(22), "MissingParameter"),
        ({"FromPort": 1, "ToPort": 1, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}, "MissingParameter"),
        (tcp(22, PrefixListIds=[{"PrefixListId": "pl-12345678"}]), "InvalidPrefixListID.NotFound"),
        (tcp(22, UserIdGroupPairs=[{"GroupId": UNKNOWN}]), "InvalidGroup.NotFound"),
        (tcp(22, UserIdGroupPairs=[{"GroupName": "nobody"}]), "InvalidGroup.NotFound"),
        (tcp(22, UserIdGroupPairs=[{"GroupId": "sg-1"}]), "InvalidGroupId.Malformed"),
        (tcp(22, UserIdGroupPairs=[{"GroupId": group, "UserId": "999999999999"}]), "InvalidGroup.NotFound"),
        (tcp(22, UserIdGroupPairs=[{"GroupId": group, "VpcPeeringConnectionId": "pcx-1"}]), "UnsupportedOperation"),
        (tcp(22, "10.0.0.0/8"), "InvalidParameterValue"),  # the good one again
    ):  # fmt: skip
        expect(code, authorize, GroupId=group, IpPermissions=[good, bad])
    expect("MissingParameter", authorize, GroupId=group)
    expect("MissingParameter", authorize, IpPermissions=[good])
    expect("InvalidGroup.NotFound", authorize, GroupId=UNKNOWN, IpPermissions=[good])
    expect("InvalidGroup.NotFound", authorize, GroupName="nobody", IpPermissions=[good])
    expect("InvalidGroupId.Malformed", authorize, GroupId="web", IpPermissions=[good])
    expect("DryRunOperation", authorize, GroupId=group, IpPermissions=[good], DryRun=True)
    assert group_of(ec2, group)["IpPermissions"] == []


def test_SG_6_SG_7_duplicates_and_too_many_rules(service):
    ec2 = service.client("ec2")
    group = make(ec2, "full")
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[tcp(22, "0.0.0.0/0")])
    message = expect(
        "InvalidPermission.Duplicate", ec2.authorize_security_group_ingress, GroupId=group,
        IpPermissions=[{"IpProtocol": "6", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "1.2.3.4/0", "Description": "else"}]}],
    )  # fmt: skip
    assert message == 'the specified rule "peer: 0.0.0.0/0, TCP, from port: 22, to port: 22, ALLOW" already exists', message
    many = [tcp(port, "10.0.0.0/8") for port in range(100, 160)]
    expect("RulesPerSecurityGroupLimitExceeded", ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=many)
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=many[1:])
    # The other direction has a count of its own, and holds the rule everything has.
    ec2.authorize_security_group_egress(GroupId=group, IpPermissions=[tcp(22, "0.0.0.0/0")])
    expect("InvalidPermission.Duplicate", ec2.authorize_security_group_egress, GroupId=group, IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}])


def test_SG_8_revoking_by_value_and_by_id(service):
    ec2 = service.client("ec2")
    group = make(ec2, "revoke")
    rules = ec2.authorize_security_group_ingress(
        GroupId=group, IpPermissions=[tcp(1, "10.0.0.0/8"), tcp(2, "10.0.0.0/8"), tcp(3, "10.0.0.0/8")]
    )["SecurityGroupRules"]
    expect("DryRunOperation", ec2.revoke_security_group_ingress, GroupId=group, IpPermissions=[tcp(1, "10.0.0.0/8")], DryRun=True)
    bodies = []
    ec2.meta.events.register("after-call.ec2.RevokeSecurityGroupIngress", lambda http_response, **_: bodies.append(http_response.text))
    done = ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[tcp(1, "10.0.0.0/8"), tcp(9, "10.0.0.0/8")])
    # Newer clients than Debian's read what was revoked from here.
    assert f"<securityGroupRuleId>{rules[0]['SecurityGroupRuleId']}</securityGroupRuleId>" in bodies[0], bodies
    assert [p["FromPort"] for p in done["UnknownIpPermissions"]] == [9]
    ids = [rules[1]["SecurityGroupRuleId"]]
    expect("InvalidSecurityGroupRuleId.NotFound", ec2.revoke_security_group_egress, GroupId=group, SecurityGroupRuleIds=ids)
    expect("InvalidSecurityGroupRuleId.NotFound", ec2.revoke_security_group_ingress, GroupId=group, SecurityGroupRuleIds=ids + ["sgr-0123456789abcdef0"])
    expect("InvalidParameterCombination", ec2.revoke_security_group_ingress, GroupId=group, SecurityGroupRuleIds=ids, IpPermissions=[tcp(2, "10.0.0.0/8")])
    ec2.revoke_security_group_ingress(GroupId=group, SecurityGroupRuleIds=ids)
    assert [p["FromPort"] for p in group_of(ec2, group)["IpPermissions"]] == [3]
    # Terraform takes the rule that everything may leave away from each group it makes.
    ec2.revoke_security_group_egress(GroupId=group, IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}])
    assert group_of(ec2, group)["IpPermissionsEgress"] == []


def test_SG_4_a_group_in_use_stays(service):
    ec2 = service.client("ec2")
    group, other = make(ec2, "used"), make(ec2, "user")
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[tcp(1, UserIdGroupPairs=[{"GroupId": group}])])
    ec2.authorize_security_group_ingress(GroupId=other, IpPermissions=[tcp(1, UserIdGroupPairs=[{"GroupId": group}])])
    message = expect("DependencyViolation", ec2.delete_security_group, GroupId=group)
    assert message == f"resource {group} has a dependent object", message
    ec2.revoke_security_group_ingress(GroupId=other, IpPermissions=[tcp(1, UserIdGroupPairs=[{"GroupId": group}])])
    made = ec2.run_instances(ImageId=service.image, InstanceType="t2.nano", MinCount=1, MaxCount=1, SecurityGroupIds=[group])
    instance = made["Instances"][0]["InstanceId"]
    expect("DependencyViolation", ec2.delete_security_group, GroupName="used")
    ec2.terminate_instances(InstanceIds=[instance])
    wait_until(
        lambda: ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]["State"]["Name"] == "terminated",
        30,
        "the instance is terminated",
    )
    expect("DryRunOperation", ec2.delete_security_group, GroupId=group, DryRun=True)
    ec2.delete_security_group(GroupId=group)
    ec2.delete_security_group(GroupName="user")
    expect("InvalidGroup.NotFound", ec2.delete_security_group, GroupId=group)
    expect("InvalidGroup.NotFound", ec2.delete_security_group, GroupName="used")
    expect("CannotDelete", ec2.delete_security_group, GroupName="default")
    expect("MissingParameter", ec2.delete_security_group)
    expect("InvalidGroupId.Malformed", ec2.delete_security_group, GroupId="used")


def test_SG_11_groups_are_found_and_paged(service):
    ec2 = service.client("ec2", region="eu-west-1")
    ids = {make(ec2, f"page-{i}") for i in range(6)}
    web = make(ec2, "filter-web")
    ec2.authorize_security_group_ingress(GroupId=web, IpPermissions=[tcp(443, "10.7.0.0/16", UserIdGroupPairs=[{"GroupName": "page-1"}])])

    def found(**filters):
        query = [{"Name": name.replace("__", ".").replace("_", "-"), "Values": value} for name, value in filters.items()]
        return names(ec2, Filters=query)

    assert found(group_name=["page-?"]) == {f"page-{i}" for i in range(6)}
    assert found(ip_permission__cidr=["10.7.*"]) == {"filter-web"} == found(ip_permission__to_port=["443"])
    assert found(ip_permission__group_name=["page-1"]) == {"filter-web"}
    assert found(egress__ip_permission__cidr=["0.0.0.0/0"], group_name=["filter-*"]) == {"filter-web"}
    assert found(description=["group page-2"]) == {"page-2"} and found(group_id=[web]) == {"filter-web"}
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    assert len(found(vpc_id=[vpc])) == 8 and found(vpc_id=["vpc-1"]) == set()
    expect("InvalidParameterValue", ec2.describe_security_groups, Filters=[{"Name": "colour", "Values": ["red"]}])
    assert names(ec2, GroupIds=[web, web], GroupNames=["page-1"]) == {"filter-web", "page-1"}
    expect("InvalidGroup.NotFound", ec2.describe_security_groups, GroupIds=[web, UNKNOWN])
    expect("InvalidGroup.NotFound", ec2.describe_security_groups, GroupNames=["nobody"])
    expect("InvalidGroupId.Malformed", ec2.describe_security_groups, GroupIds=["sg-xyz"])
    expect("DryRunOperation", ec2.describe_security_groups, DryRun=True)
    for action in ("DescribeSecurityGroups", "DescribeSecurityGroupRules"):
        assert query(service, action, {"MaxResults": "4"}).code == "InvalidParameterValue", action
    pages = list(ec2.get_paginator("describe_security_groups").paginate(PaginationConfig={"PageSize": 5}))
    assert [len(page["SecurityGroups"]) for page in pages] == [5, 3]
    assert {g["GroupId"] for page in pages for g in page["SecurityGroups"]} >= ids
    rules = list(ec2.get_paginator("describe_security_group_rules").paginate(PaginationConfig={"PageSize": 5}))
    seen = [r["SecurityGroupRuleId"] for page in rules for r in page["SecurityGroupRules"]]
    assert len(seen) == len(set(seen)) == 11 and len(rules) == 3, seen
    # Groups belong to a region and an account.
    assert "filter-web" not in names(service.client("ec2"))
    expect("InvalidGroup.NotFound", service.client("ec2").describe_security_groups, GroupIds=[web])


if __name__ == "__main__":
    kiln_test.main()
