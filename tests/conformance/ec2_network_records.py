#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What every VPC has (gateway, routes, ACL, DHCP options), rules of groups changed in place, and attributes of interfaces."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test.calls import Signer, call  # noqa: E402
from kiln_test.refusals import expect  # noqa: E402

DIGITS = "0123456789abcdef0"


def alone(test):
    """With a service of its own: there are only so many VPCs, and what is default can be deleted."""

    def run():
        with kiln_test.api_service() as service:
            test(service)

    run.__name__ = test.__name__
    return run


def filtered(name, *values):
    return [{"Name": name, "Values": list(values)}]


def records(ec2, **more):
    """Of each kind those of this request."""
    return {
        "igw": ec2.describe_internet_gateways(**more)["InternetGateways"],
        "rtb": ec2.describe_route_tables(**more)["RouteTables"],
        "acl": ec2.describe_network_acls(**more)["NetworkAcls"],
        "dopt": ec2.describe_dhcp_options(**more)["DhcpOptions"],
    }


@alone
def test_NET_18_the_default_vpc_has_a_gateway_routes_an_acl_and_dhcp_options(service):
    ec2 = service.client("ec2")
    found = records(ec2)
    (vpc,) = ec2.describe_vpcs()["Vpcs"]
    subnets = {s["SubnetId"] for s in ec2.describe_subnets()["Subnets"]}
    (gateway,), (table,), (acl,), (options,) = found.values()
    assert gateway["Attachments"] == [{"State": "available", "VpcId": vpc["VpcId"]}] and gateway["OwnerId"] == vpc["OwnerId"]
    (main,) = table["Associations"]
    assert main["Main"] and main["RouteTableId"] == table["RouteTableId"] and "SubnetId" not in main
    assert table["VpcId"] == vpc["VpcId"] and [(r["DestinationCidrBlock"], r["GatewayId"], r["State"]) for r in table["Routes"]] == [
        (vpc["CidrBlock"], "local", "active"),
        ("0.0.0.0/0", gateway["InternetGatewayId"], "active"),
    ]
    assert acl["IsDefault"] and acl["VpcId"] == vpc["VpcId"] and {a["SubnetId"] for a in acl["Associations"]} == subnets
    assert {(e["Egress"], e["RuleNumber"], e["RuleAction"]) for e in acl["Entries"]} == {
        (True, 100, "allow"), (True, 32767, "deny"), (False, 100, "allow"), (False, 32767, "deny"),
    }  # fmt: skip
    assert options["DhcpOptionsId"] == vpc["DhcpOptionsId"]
    assert {c["Key"]: [v["Value"] for v in c["Values"]] for c in options["DhcpConfigurations"]} == {
        "domain-name": ["ec2.internal"],
        "domain-name-servers": ["AmazonProvidedDNS"],
    }
    service.restart()
    assert records(service.client("ec2")) == found, "ids stay"
    other = records(service.client("ec2", region="eu-west-1"))
    assert other["dopt"][0]["DhcpConfigurations"][0]["Values"] == [{"Value": "eu-west-1.compute.internal"}]
    assert service.aws("ec2", "describe-route-tables")["RouteTables"] == [table]


@alone
def test_NET_18_another_vpc_has_no_gateway(service):
    ec2 = service.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]
    subnet = ec2.create_subnet(VpcId=vpc["VpcId"], CidrBlock="10.1.1.0/24")["Subnet"]["SubnetId"]
    assert ec2.describe_internet_gateways(Filters=filtered("attachment.vpc-id", vpc["VpcId"]))["InternetGateways"] == []
    # As Terraform asks for them after it made a VPC.
    mine = filtered("vpc-id", vpc["VpcId"])
    (table,) = ec2.describe_route_tables(Filters=mine + filtered("association.main", "true"))["RouteTables"]
    assert [(r["DestinationCidrBlock"], r["GatewayId"]) for r in table["Routes"]] == [("10.1.0.0/16", "local")]
    (acl,) = ec2.describe_network_acls(Filters=mine + filtered("default", "true"))["NetworkAcls"]
    assert [a["SubnetId"] for a in acl["Associations"]] == [subnet]
    (options,) = ec2.describe_dhcp_options(DhcpOptionsIds=[vpc["DhcpOptionsId"]])["DhcpOptions"]
    ec2.create_tags(Resources=[table["RouteTableId"], acl["NetworkAclId"], options["DhcpOptionsId"]], Tags=[{"Key": "of", "Value": "mine"}])
    by_tag = records(ec2, Filters=filtered("tag:of", "mine"))
    assert [len(found) for found in by_tag.values()] == [0, 1, 1, 1] and by_tag["rtb"][0]["RouteTableId"] == table["RouteTableId"]
    assert {t["ResourceType"] for t in ec2.describe_tags(Filters=filtered("key", "of"))["Tags"]} == {"route-table", "network-acl", "dhcp-options"}
    gateway = table["RouteTableId"].replace("rtb", "igw")
    expect("InvalidInternetGatewayID.NotFound", ec2.create_tags, Resources=[gateway], Tags=[{"Key": "a", "Value": "b"}])
    expect("InvalidInternetGatewayID.NotFound", ec2.describe_internet_gateways, InternetGatewayIds=[gateway])
    ec2.delete_subnet(SubnetId=subnet)
    ec2.delete_vpc(VpcId=vpc["VpcId"])
    assert ec2.describe_tags(Filters=filtered("key", "of"))["Tags"] == []
    expect("InvalidRouteTableID.NotFound", ec2.describe_route_tables, RouteTableIds=[table["RouteTableId"]])


@alone
def test_FLT_IDL_PAG_records_are_found_and_paged(service):
    ec2 = service.client("ec2")
    for i in range(3):
        ec2.create_vpc(CidrBlock=f"10.{i}.0.0/16")
    for name, value, count in (
        ("route.gateway-id", "local", 4),
        ("route.gateway-id", "igw-*", 1),
        ("route.destination-cidr-block", "10.2.0.0/16", 1),
        ("route.nat-gateway-id", "*", 0),
        ("association.main", "false", 0),
    ):
        assert len(ec2.describe_route_tables(Filters=filtered(name, value))["RouteTables"]) == count, name
    for name, value, count in (("entry.egress", "true", 4), ("entry.rule-action", "deny", 4), ("entry.rule-number", "101", 0), ("association.subnet-id", "*", 1)):
        assert len(ec2.describe_network_acls(Filters=filtered(name, value))["NetworkAcls"]) == count, name
    assert len(ec2.describe_dhcp_options(Filters=filtered("key", "domain-name"))["DhcpOptions"]) == 4
    assert ec2.describe_dhcp_options(Filters=filtered("value", "example.com"))["DhcpOptions"] == []
    names = "private-dns-name-options-on-launch."
    all_of_them = len(ec2.describe_subnets()["Subnets"])
    for name, value, count in (
        (names + "hostname-type", "ip-name", all_of_them),
        (names + "enable-resource-name-dns-a-record", "true", 0),
        ("outpost-arn", "*", 0),
        ("ipv6-cidr-block-association.state", "*", 0),  # FLT-10
    ):
        assert len(ec2.describe_subnets(Filters=filtered(name, value))["Subnets"]) == count, name
    assert ec2.describe_vpcs(Filters=filtered("ipv6-cidr-block-association.ipv6-pool", "*"))["Vpcs"] == []
    assert ec2.describe_network_interfaces(Filters=filtered("association.allocation-id", "*"))["NetworkInterfaces"] == []
    ec2.create_vpc(CidrBlock="10.3.0.0/16")
    ids = [table["RouteTableId"] for table in ec2.describe_route_tables()["RouteTables"]]
    assert len(ids) == 5 == len(ec2.describe_route_tables(MaxResults=5)["RouteTables"])
    signer = Signer((service.access_key, service.secret_key))  # boto3 does not send so few
    assert call(service.endpoint, "ec2", "DescribeNetworkAcls", {"MaxResults": "4"}, signer).code == "InvalidParameterValue"
    for describe, kind, codes in (
        (ec2.describe_internet_gateways, "InternetGatewayIds", ("igw", "InvalidInternetGatewayI")),
        (ec2.describe_route_tables, "RouteTableIds", ("rtb", "InvalidRouteTableI")),
        (ec2.describe_network_acls, "NetworkAclIds", ("acl", "InvalidNetworkAclI")),
        (ec2.describe_dhcp_options, "DhcpOptionsIds", ("dopt", "InvalidDhcpOption")),
    ):
        prefix, code = codes
        expect({"dopt": "InvalidDhcpOptionID.NotFound"}.get(prefix, code + "D.NotFound"), describe, **{kind: [f"{prefix}-{DIGITS}"]})
        expect({"dopt": "InvalidDhcpOptionsId.Malformed"}.get(prefix, code + "d.Malformed"), describe, **{kind: [f"vpc-{DIGITS}"]})
        expect("DryRunOperation", describe, DryRun=True)
        expect("InvalidParameterValue", describe, Filters=filtered("colour", "red"))
    stranger = service.account("stranger").client("ec2")
    expect("InvalidRouteTableID.NotFound", stranger.describe_route_tables, RouteTableIds=[ids[0]])
    expect("InvalidRouteTableID.NotFound", stranger.create_tags, Resources=[ids[0]], Tags=[{"Key": "a", "Value": "b"}])


def rules_of(ec2, group, egress=False):
    found = ec2.describe_security_group_rules(Filters=filtered("group-id", group))["SecurityGroupRules"]
    return [rule for rule in found if rule["IsEgress"] == egress]


@alone
def test_SG_12_rules_are_changed_in_place(service):
    ec2 = service.client("ec2")
    group = ec2.create_security_group(GroupName="web", Description="web")["GroupId"]
    peer = ec2.create_security_group(GroupName="peer", Description="peer")["GroupId"]
    made = ec2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "192.0.2.0/24", "Description": "ssh"}, {"CidrIp": "198.51.100.0/24"}]},
            {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "UserIdGroupPairs": [{"GroupId": peer}]},
        ],
        TagSpecifications=[{"ResourceType": "security-group-rule", "Tags": [{"Key": "of", "Value": "test"}]}],
    )["SecurityGroupRules"]
    one, two, third = (rule["SecurityGroupRuleId"] for rule in made)
    before = rules_of(ec2, group)

    def modify(*updates, **more):
        return ec2.modify_security_group_rules(
            **{"GroupId": group, "SecurityGroupRules": [{"SecurityGroupRuleId": rule, "SecurityGroupRule": value} for rule, value in updates], **more}
        )

    def ipv4(cidr, port=22, **more):
        return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "CidrIpv4": cidr, **more}

    def refused(code, *updates, **more):
        expect(code, lambda **_: modify(*updates, **more))
        assert rules_of(ec2, group) == before, "nothing is changed"

    refused("InvalidPermission.Duplicate", (one, ipv4("198.51.100.7/24")))
    refused("InvalidPermission.Duplicate", (one, ipv4("203.0.113.0/24")), (two, ipv4("203.0.113.0/24")))
    refused("InvalidSecurityGroupRuleId.NotFound", (one, ipv4("203.0.113.0/24")), (f"sgr-{DIGITS}", ipv4("203.0.113.0/24", 23)))
    refused("InvalidSecurityGroupRuleId.Malformed", ("sgr-1", ipv4("203.0.113.0/24")))
    refused("InvalidParameterValue", (one, ipv4("203.0.113.0/24")), (one, ipv4("203.0.113.0/24", 23)))
    refused("InvalidParameterValue", (one, ipv4("203.0.113.0/24", 70000)))
    refused("InvalidParameterValue", (one, ipv4("everywhere")))
    refused("InvalidParameterValue", (one, {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIpv6": "2001:db8::/32"}))
    refused("InvalidParameterCombination", (one, ipv4("203.0.113.0/24", CidrIpv6="2001:db8::/32")))
    refused("MissingParameter", (one, {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}))
    refused("InvalidGroup.NotFound", (third, {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "ReferencedGroupId": f"sg-{DIGITS}"}))
    refused("InvalidPrefixListID.NotFound", (one, {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "PrefixListId": f"pl-{DIGITS}"}))
    refused("InvalidGroup.NotFound", (one, ipv4("203.0.113.0/24")), GroupId=f"sg-{DIGITS}")
    refused("DryRunOperation", (one, ipv4("203.0.113.0/24")), DryRun=True)
    # Two rules change places: what counts is what they have become.
    assert modify((one, ipv4("198.51.100.0/24")), (two, ipv4("192.0.2.9/24", Description="was one")))["Return"]
    now = {rule["SecurityGroupRuleId"]: rule for rule in rules_of(ec2, group)}
    assert list(now) == [rule["SecurityGroupRuleId"] for rule in before]
    assert now[one]["CidrIpv4"] == "198.51.100.0/24" and "Description" not in now[one]
    assert now[two]["CidrIpv4"] == "192.0.2.0/24" and now[two]["Description"] == "was one" and now[two]["Tags"] == [{"Key": "of", "Value": "test"}]
    (egress,) = rules_of(ec2, group, egress=True)
    modify((egress["SecurityGroupRuleId"], {"IpProtocol": "-1", "CidrIpv4": "10.0.0.0/8"}))
    assert [rule["CidrIpv4"] for rule in rules_of(ec2, group, egress=True)] == ["10.0.0.0/8"]
    stranger = service.account("stranger").client("ec2")
    update = [{"SecurityGroupRuleId": one, "SecurityGroupRule": ipv4("203.0.113.0/24")}]
    expect("InvalidGroup.NotFound", stranger.modify_security_group_rules, GroupId=group, SecurityGroupRules=update)


@alone
def test_NET_19_attributes_of_an_interface(service):
    ec2 = service.client("ec2")
    made = ec2.run_instances(ImageId=service.image, InstanceType="t2.nano", MinCount=1, MaxCount=1)["Instances"][0]
    instance, interface = made["InstanceId"], made["NetworkInterfaces"][0]["NetworkInterfaceId"]
    attachment = made["NetworkInterfaces"][0]["Attachment"]["AttachmentId"]
    web = ec2.create_security_group(GroupName="web", Description="web")["GroupId"]
    modify = ec2.modify_network_interface_attribute

    def shown():
        return ec2.describe_network_interfaces(NetworkInterfaceIds=[interface])["NetworkInterfaces"][0]

    modify(NetworkInterfaceId=interface, Description={"Value": "front door"})
    modify(NetworkInterfaceId=interface, SourceDestCheck={"Value": False})
    modify(NetworkInterfaceId=interface, Groups=[web])
    modify(NetworkInterfaceId=interface, Attachment={"AttachmentId": attachment, "DeleteOnTermination": True})
    assert shown()["Description"] == "front door" and not shown()["SourceDestCheck"] and [g["GroupId"] for g in shown()["Groups"]] == [web]
    seen = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    assert seen["NetworkInterfaces"][0]["Description"] == "front door" and [g["GroupId"] for g in seen["SecurityGroups"]] == [web]
    assert len(ec2.describe_network_interfaces(Filters=filtered("description", "front*"))["NetworkInterfaces"]) == 1
    expect("DependencyViolation", ec2.delete_security_group, GroupId=web)
    before = shown()
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    (other,) = ec2.describe_security_groups(Filters=filtered("vpc-id", vpc))["SecurityGroups"]
    for code, parameters in (
        ("InvalidParameterCombination", {}),
        ("InvalidParameterCombination", {"Description": {"Value": "x"}, "SourceDestCheck": {"Value": True}}),
        ("InvalidParameterValue", {"Description": {"Value": "x" * 256}}),
        ("InvalidGroup.NotFound", {"Groups": [f"sg-{DIGITS}"]}),
        ("InvalidParameter", {"Groups": [other["GroupId"]]}),
        ("InvalidAttachmentID.NotFound", {"Attachment": {"AttachmentId": f"eni-attach-{DIGITS}", "DeleteOnTermination": True}}),
        ("MissingParameter", {"Attachment": {"DeleteOnTermination": True}}),
        ("UnsupportedOperation", {"Attachment": {"AttachmentId": attachment, "DeleteOnTermination": False}}),
        ("UnsupportedOperation", {"EnaSrdSpecification": {"EnaSrdEnabled": True}}),
        ("DryRunOperation", {"Description": {"Value": "x"}, "DryRun": True}),
    ):
        expect(code, modify, NetworkInterfaceId=interface, **parameters)
    assert shown() == before
    expect("InvalidNetworkInterfaceID.NotFound", modify, NetworkInterfaceId=f"eni-{DIGITS}", Description={"Value": "x"})
    expect("InvalidNetworkInterfaceId.Malformed", modify, NetworkInterfaceId="eni-1", Description={"Value": "x"})
    stranger = service.account("stranger").client("ec2")
    expect("InvalidNetworkInterfaceID.NotFound", stranger.modify_network_interface_attribute, NetworkInterfaceId=interface, Description={"Value": "x"})


if __name__ == "__main__":
    kiln_test.main()
