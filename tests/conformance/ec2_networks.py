#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The default network, launches into it, and accounts that do not see each other's."""

import ipaddress
import os
import sys
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import query, wait_until  # noqa: E402
from kiln_test.refusals import expect  # noqa: E402

ZONES = [f"us-east-1{letter}" for letter in "abcdef"]
UNKNOWN_SUBNET = "subnet-0123456789abcdef0"


@kiln_test.fixture
def service():
    with kiln_test.api_service() as kiln:
        yield kiln


def launch(service, ec2=None, count=1, **more):
    ec2 = ec2 or service.client("ec2")
    return ec2.run_instances(ImageId=service.image, InstanceType="t2.nano", MinCount=count, MaxCount=count, **more)["Instances"]


def instance_of(ec2, instance):
    return ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]


def end(ec2, ids):
    ec2.terminate_instances(InstanceIds=ids)
    wait_until(lambda: all(instance_of(ec2, i)["State"]["Name"] == "terminated" for i in ids), 30, f"{ids} are terminated")


def subnets(ec2, **query):
    return {s["AvailabilityZone"]: s for s in ec2.describe_subnets(**query)["Subnets"]}


def test_NET_1_an_account_has_a_default_network_in_every_region(service):
    ec2 = service.client("ec2")
    (vpc,) = ec2.describe_vpcs()["Vpcs"]
    assert vpc["IsDefault"] and vpc["CidrBlock"] == "172.31.0.0/16" and vpc["State"] == "available"
    assert vpc["CidrBlockAssociationSet"][0]["CidrBlockState"]["State"] == "associated"
    found = subnets(ec2)
    assert list(found) == ZONES
    ranges = [ipaddress.ip_network(s["CidrBlock"]) for s in found.values()]
    assert all(r.prefixlen == 20 and r.subnet_of(ipaddress.ip_network(vpc["CidrBlock"])) for r in ranges)
    assert len(set(ranges)) == 6 and all(s["DefaultForAz"] and s["MapPublicIpOnLaunch"] for s in found.values())
    assert found["us-east-1a"]["AvailabilityZoneId"] == "use1-az1" and found["us-east-1a"]["VpcId"] == vpc["VpcId"]
    # The same again, also after a restart; another region has its own.
    service.restart()
    ec2 = service.client("ec2")
    assert ec2.describe_vpcs()["Vpcs"] == [vpc] and subnets(ec2) == found
    (other,) = service.client("ec2", region="eu-west-1").describe_vpcs()["Vpcs"]
    assert other["VpcId"] != vpc["VpcId"]
    expect("InvalidVpcID.NotFound", ec2.describe_vpcs, VpcIds=[other["VpcId"]])


def test_NET_2_vpcs_and_subnets_are_found_and_paged(service):
    ec2 = service.client("ec2")
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    all_of_them = subnets(ec2)
    one = all_of_them["us-east-1b"]
    for name, value, zones in (
        ("availability-zone", "us-east-1b", {"us-east-1b"}),
        ("availabilityZone", "us-east-1b", {"us-east-1b"}),
        ("availability-zone-id", "use1-az2", {"us-east-1b"}),
        ("cidr-block", one["CidrBlock"], {"us-east-1b"}),
        ("default-for-az", "true", set(ZONES)),
        ("defaultForAz", "false", set()),
        ("map-public-ip-on-launch", "true", set(ZONES)),
        ("state", "available", set(ZONES)),
        ("subnet-id", one["SubnetId"], {"us-east-1b"}),
        ("vpc-id", vpc, set(ZONES)),
        ("vpc-id", "vpc-1", set()),
    ):
        assert set(subnets(ec2, Filters=[{"Name": name, "Values": [value]}])) == zones, name
    for name, value, count in (("isDefault", "true", 1), ("is-default", "false", 0), ("cidr", "172.*", 1), ("vpc-id", vpc, 1), ("state", "pending", 0)):
        assert len(ec2.describe_vpcs(Filters=[{"Name": name, "Values": [value]}])["Vpcs"]) == count, name
    expect("InvalidParameterValue", ec2.describe_subnets, Filters=[{"Name": "colour", "Values": ["red"]}])
    expect("InvalidParameterValue", ec2.describe_vpcs, Filters=[{"Name": "colour", "Values": ["red"]}])
    expect("InvalidSubnetID.NotFound", ec2.describe_subnets, SubnetIds=[one["SubnetId"], UNKNOWN_SUBNET])
    expect("InvalidSubnetID.Malformed", ec2.describe_subnets, SubnetIds=["subnet-1"])
    expect("InvalidVpcID.Malformed", ec2.describe_vpcs, VpcIds=["vpc-xyz"])
    assert set(subnets(ec2, SubnetIds=[one["SubnetId"]])) == {"us-east-1b"}
    for action in ("DescribeSubnets", "DescribeVpcs"):
        answer = query(service, action, {"MaxResults": "4"})
        assert answer.code == "InvalidParameterValue" and "greater than 5" in answer.message, answer.body
    pages = list(ec2.get_paginator("describe_subnets").paginate(PaginationConfig={"PageSize": 5}))
    assert [[s["AvailabilityZone"] for s in page["Subnets"]] for page in pages] == [ZONES[:5], ZONES[5:]]
    for call in (ec2.describe_subnets, ec2.describe_vpcs, ec2.describe_network_interfaces, ec2.describe_account_attributes):
        expect("DryRunOperation", call, DryRun=True)
    assert service.aws("ec2", "describe-subnets", "--filters", "Name=availability-zone,Values=us-east-1c")["Subnets"][0]["DefaultForAz"]


def test_NET_2_filters_for_what_no_network_has_find_nothing(service):
    ec2 = service.client("ec2")

    def found(call, member, *filters):
        return len(call(Filters=[{"Name": name, "Values": [value]} for name, value in filters])[member])

    subnet_count = len(ec2.describe_subnets()["Subnets"])
    names = "private-dns-name-options-on-launch"
    for name, value in ((f"{names}.hostname-type", "ip-name"), (f"{names}.enable-resource-name-dns-a-record", "false")):
        assert found(ec2.describe_subnets, "Subnets", (name, value)) == subnet_count > 0, name
    for name in ("ipv6-cidr-block-association.ipv6-cidr-block", "ipv6-cidr-block-association.association-id", "ipv6-cidr-block-association.state"):
        assert found(ec2.describe_subnets, "Subnets", (name, "*")) == found(ec2.describe_vpcs, "Vpcs", (name, "*")) == 0, name
    for name in ("outpost-arn", "customer-owned-ipv4-pool"):
        assert found(ec2.describe_subnets, "Subnets", (name, "*")) == 0, name
    (made,) = launch(service)
    for name, value, expected in (
        ("operator.managed", "false", 1), ("addresses.private-dns-name", made["PrivateDnsName"], 1), ("association.allocation-id", "*", 0),
        ("ipv6-addresses.ipv6-address", "*", 0), ("requester-id", "*", 0), ("association.ip-owner-id", "nobody", 0),
    ):  # fmt: skip
        of_it = ("attachment.instance-id", made["InstanceId"])
        assert found(ec2.describe_network_interfaces, "NetworkInterfaces", (name, value), of_it) == expected, name
    acl_count = len(ec2.describe_network_acls()["NetworkAcls"])
    for value, expected in (("true", acl_count), ("false", acl_count), ("maybe", 0)):
        assert found(ec2.describe_network_acls, "NetworkAcls", ("entry.egress", value)) == expected, value
    for action, path in (("DescribeVpcs", "vpcSet/item"), ("DescribeSubnets", "subnetSet/item")):
        shown = query(service, action).texts(f"{path}/blockPublicAccessStates/internetGatewayBlockMode")
        assert shown and set(shown) == {"off"}, (action, shown)
    end(ec2, [made["InstanceId"]])


def test_NET_7_NET_8_attributes_of_vpc_and_account(service):
    ec2 = service.client("ec2")
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    assert ec2.describe_vpc_attribute(VpcId=vpc, Attribute="enableDnsSupport")["EnableDnsSupport"]["Value"] is True
    assert ec2.describe_vpc_attribute(VpcId=vpc, Attribute="enableDnsHostnames")["EnableDnsHostnames"]["Value"] is True
    expect("InvalidVpcID.NotFound", ec2.describe_vpc_attribute, VpcId="vpc-0123456789abcdef0", Attribute="enableDnsSupport")
    expect("InvalidParameterValue", ec2.describe_vpc_attribute, VpcId=vpc, Attribute="enableMagic")
    attributes = {a["AttributeName"]: [v["AttributeValue"] for v in a["AttributeValues"]] for a in ec2.describe_account_attributes()["AccountAttributes"]}
    assert attributes["supported-platforms"] == ["VPC"] and attributes["default-vpc"] == [vpc]
    assert {"max-instances", "max-elastic-ips", "vpc-max-elastic-ips", "vpc-max-security-groups-per-interface"} <= set(attributes)
    one = service.aws("ec2", "describe-account-attributes", "--attribute-names", "default-vpc")["AccountAttributes"]
    assert one == [{"AttributeName": "default-vpc", "AttributeValues": [{"AttributeValue": vpc}]}], one
    expect("InvalidParameterValue", ec2.describe_account_attributes, AttributeNames=["colour"])


def test_NET_4_NET_6_a_launch_gets_subnet_address_and_group_and_gives_them_back(service):
    ec2 = service.client("ec2")
    default = ec2.describe_security_groups(GroupNames=["default"])["SecurityGroups"][0]["GroupId"]
    before = subnets(ec2)
    made = launch(service, count=3)
    home = before["us-east-1a"]
    addresses = {i["PrivateIpAddress"] for i in made}
    assert len(addresses) == 3 and {i["SubnetId"] for i in made} == {home["SubnetId"]}
    network = ipaddress.ip_network(home["CidrBlock"])
    assert all(3 < int(ipaddress.ip_address(a)) - int(network.network_address) < 4095 for a in addresses), addresses
    first = made[0]
    (interface,) = first["NetworkInterfaces"]
    assert first["SecurityGroups"] == interface["Groups"] == [{"GroupName": "default", "GroupId": default}]
    assert interface["Attachment"]["DeviceIndex"] == 0 and interface["PrivateIpAddress"] == first["PrivateIpAddress"]
    assert interface["MacAddress"].startswith("02:") and interface["VpcId"] == first["VpcId"] == home["VpcId"]
    assert first["PrivateDnsName"] == "ip-" + first["PrivateIpAddress"].replace(".", "-") + ".ec2.internal"
    assert subnets(ec2)["us-east-1a"]["AvailableIpAddressCount"] == home["AvailableIpAddressCount"] - 3
    ids = [i["InstanceId"] for i in made]

    def found(name, value):
        page = ec2.describe_instances(Filters=[{"Name": name, "Values": [value]}, {"Name": "instance-id", "Values": ids}])
        return {i["InstanceId"] for r in page["Reservations"] for i in r["Instances"]}

    assert found("instance.group-name", "def*") == found("group-id", default) == found("vpc-id", home["VpcId"]) == set(ids)
    assert found("network-interface.network-interface-id", interface["NetworkInterfaceId"]) == {ids[0]}
    assert found("private-dns-name", first["PrivateDnsName"]) == {ids[0]}
    end(ec2, ids)
    gone = instance_of(ec2, ids[0])
    assert gone["NetworkInterfaces"] == [] and gone["SecurityGroups"] == [] and "PrivateIpAddress" not in gone and "SubnetId" not in gone
    assert subnets(ec2)["us-east-1a"]["AvailableIpAddressCount"] == home["AvailableIpAddressCount"]
    for name, value in (("group-id", default), ("subnet-id", home["SubnetId"]), ("network-interface.vpc-id", home["VpcId"])):
        assert found(name, value) == set(), name


def test_NET_4_subnet_zone_and_address_may_be_chosen(service):
    ec2 = service.client("ec2")
    known = subnets(ec2)
    there = known["us-east-1c"]
    address = str(ipaddress.ip_network(there["CidrBlock"])[77])
    (one,) = launch(service, SubnetId=there["SubnetId"], PrivateIpAddress=address)
    assert one["Placement"]["AvailabilityZone"] == "us-east-1c" and one["PrivateIpAddress"] == address
    (two,) = launch(service, Placement={"AvailabilityZone": "us-east-1d"})
    assert two["SubnetId"] == known["us-east-1d"]["SubnetId"]
    (three,) = launch(service, SubnetId=there["SubnetId"], Placement={"AvailabilityZone": "us-east-1c"})
    # Packer sends both empty.
    (four,) = launch(service, SubnetId="", Placement={"AvailabilityZone": ""})
    assert four["SubnetId"] == known["us-east-1a"]["SubnetId"]
    base = {"ImageId": service.image, "InstanceType": "t2.nano", "MinCount": 1, "MaxCount": 1}
    run = ec2.run_instances
    expect("InvalidSubnetID.NotFound", run, **base, SubnetId=UNKNOWN_SUBNET)
    expect("InvalidSubnetID.Malformed", run, **base, SubnetId="subnet-x")
    expect("InvalidZone.NotFound", run, **base, Placement={"AvailabilityZone": "us-east-1z"})
    expect("InvalidParameterValue", run, **base, SubnetId=there["SubnetId"], Placement={"AvailabilityZone": "us-east-1a"})
    expect("InvalidIPAddress.InUse", run, **base, SubnetId=there["SubnetId"], PrivateIpAddress=address)
    for bad in ("10.0.0.9", "172.31.32.3", "172.31.47.255", "172.31.1000.1"):
        expect("InvalidParameterValue", run, **base, SubnetId=there["SubnetId"], PrivateIpAddress=bad)
    expect("InvalidParameterCombination", run, **{**base, "MaxCount": 2}, PrivateIpAddress=str(ipaddress.ip_network(there["CidrBlock"])[78]))
    expect("DryRunOperation", run, **base, SubnetId=there["SubnetId"], DryRun=True)
    # IDM-6: a token belongs to the zone that subnet or placement names.
    token = str(uuid.uuid4())
    (five,) = launch(service, SubnetId=there["SubnetId"], ClientToken=token)
    (again,) = launch(service, SubnetId=there["SubnetId"], ClientToken=token)
    (other,) = launch(service, Placement={"AvailabilityZone": "us-east-1d"}, ClientToken=token)
    assert five["InstanceId"] == again["InstanceId"] != other["InstanceId"]
    end(ec2, [i["InstanceId"] for i in (one, two, three, four, five, other)])


def test_NET_3_five_addresses_of_a_subnet_are_never_given_out(service):
    ec2 = service.client("ec2")
    home = subnets(ec2)["us-east-1e"]

    def free():
        return subnets(ec2)["us-east-1e"]["AvailableIpAddressCount"]

    network = ipaddress.ip_network(home["CidrBlock"])
    assert network.num_addresses == 4096 and home["AvailableIpAddressCount"] == 4091
    base = {"ImageId": service.image, "InstanceType": "t2.nano", "MinCount": 1, "MaxCount": 1, "SubnetId": home["SubnetId"]}
    for number in (0, 1, 2, 3, 4095):
        expect("InvalidParameterValue", ec2.run_instances, **base, PrivateIpAddress=str(network[number]))
    made = [launch(service, SubnetId=home["SubnetId"], PrivateIpAddress=str(network[number]))[0]["InstanceId"] for number in (4, 4094)]
    assert free() == 4089
    ec2.get_waiter("instance_running").wait(InstanceIds=made, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    ec2.stop_instances(InstanceIds=made[:1])
    ec2.get_waiter("instance_stopped").wait(InstanceIds=made[:1], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    assert free() == 4089, "a stopped one has its address"
    end(ec2, made)
    assert free() == 4091


def test_SG_10_NET_6_groups_at_launch(service):
    ec2 = service.client("ec2")
    web = ec2.create_security_group(GroupName="web", Description="web")["GroupId"]
    database = ec2.create_security_group(GroupName="database", Description="database")["GroupId"]
    (one,) = launch(service, SecurityGroupIds=[web, database, web])
    assert [g["GroupId"] for g in one["SecurityGroups"]] == [web, database]
    (two,) = launch(service, SecurityGroups=["database"])
    assert two["SecurityGroups"] == [{"GroupName": "database", "GroupId": database}]
    subnet = subnets(ec2)["us-east-1b"]["SubnetId"]
    (three,) = launch(
        service,
        NetworkInterfaces=[{"DeviceIndex": 0, "SubnetId": subnet, "Groups": [web], "AssociatePublicIpAddress": True, "DeleteOnTermination": True}],
        TagSpecifications=[{"ResourceType": "network-interface", "Tags": [{"Key": "Name", "Value": "front"}]}],
    )
    assert three["SubnetId"] == subnet and [g["GroupName"] for g in three["SecurityGroups"]] == ["web"]
    wait_until(lambda: "PublicIpAddress" in instance_of(ec2, three["InstanceId"]), 30, "it has its public address")
    interfaces = ec2.describe_network_interfaces(Filters=[{"Name": "group-id", "Values": [web]}])["NetworkInterfaces"]
    assert {i["Attachment"]["InstanceId"] for i in interfaces} == {one["InstanceId"], three["InstanceId"]}
    (front,) = ec2.describe_network_interfaces(Filters=[{"Name": "tag:Name", "Values": ["front"]}])["NetworkInterfaces"]
    assert front["Attachment"]["InstanceId"] == three["InstanceId"] and front["SubnetId"] == subnet and front["Status"] == "in-use"
    by_id = ec2.describe_network_interfaces(NetworkInterfaceIds=[front["NetworkInterfaceId"]])["NetworkInterfaces"]
    assert by_id == [front]
    expect("InvalidNetworkInterfaceID.NotFound", ec2.describe_network_interfaces, NetworkInterfaceIds=["eni-0123456789abcdef0"])
    base = {"ImageId": service.image, "InstanceType": "t2.nano", "MinCount": 1, "MaxCount": 1}
    run = ec2.run_instances
    many = [ec2.create_security_group(GroupName=f"many-{i}", Description="x")["GroupId"] for i in range(6)]
    expect("SecurityGroupsPerInterfaceLimitExceeded", run, **base, SecurityGroupIds=many)
    expect("InvalidGroup.NotFound", run, **base, SecurityGroupIds=["sg-0123456789abcdef0"])
    expect("InvalidGroup.NotFound", run, **base, SecurityGroups=["nobody"])
    expect("InvalidGroupId.Malformed", run, **base, SecurityGroupIds=["web"])
    expect("InvalidParameterCombination", run, **base, SecurityGroups=["web"], SubnetId=subnet)
    for interface, more, code in (
        ({"DeviceIndex": 0}, {"SecurityGroupIds": [web]}, "InvalidParameterCombination"),
        ({"DeviceIndex": 0}, {"SubnetId": subnet}, "InvalidParameterCombination"),
        ({"SubnetId": subnet}, {}, "MissingParameter"),
        ({"DeviceIndex": 1}, {}, "InvalidParameterValue"),
        ({"DeviceIndex": 0, "NetworkInterfaceId": front["NetworkInterfaceId"]}, {}, "UnsupportedOperation"),
        ({"DeviceIndex": 0, "Ipv6AddressCount": 1}, {}, "UnsupportedOperation"),
        ({"DeviceIndex": 0, "DeleteOnTermination": False}, {}, "UnsupportedOperation"),
        ({"DeviceIndex": 0, "Description": "x" * 256}, {}, "InvalidParameterValue"),
    ):
        expect(code, run, **base, NetworkInterfaces=[interface], **more)
    end(ec2, [i["InstanceId"] for i in (one, two, three)])
    expect("InvalidNetworkInterfaceID.NotFound", ec2.describe_network_interfaces, NetworkInterfaceIds=[front["NetworkInterfaceId"]])


def test_NET_6_an_interface_has_the_description_of_its_launch(service):
    ec2 = service.client("ec2")
    longest = "é" * 255  # characters, not bytes
    made = launch(service, count=2, NetworkInterfaces=[{"DeviceIndex": 0, "Description": longest}])
    ids = [i["InstanceId"] for i in made]
    assert [i["NetworkInterfaces"][0]["Description"] for i in made] == [longest] * 2, "every instance of the launch"
    filters = [{"Name": "attachment.instance-id", "Values": ids}]
    assert [i["Description"] for i in ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"]] == [longest] * 2
    data = ec2.get_launch_template_data(InstanceId=ids[0])["LaunchTemplateData"]
    assert data["NetworkInterfaces"][0]["Description"] == longest
    interface = made[0]["NetworkInterfaces"][0]["NetworkInterfaceId"]
    ec2.modify_network_interface_attribute(NetworkInterfaceId=interface, Description={"Value": "ü" * 255})
    expect("InvalidParameterValue", ec2.modify_network_interface_attribute, NetworkInterfaceId=interface, Description={"Value": "ü" * 256})
    assert instance_of(ec2, ids[0])["NetworkInterfaces"][0]["Description"] == "ü" * 255
    assert instance_of(ec2, ids[1])["NetworkInterfaces"][0]["Description"] == longest, "the other's is its own"
    end(ec2, ids)


def test_TAG_3_network_records_can_be_tagged(service):
    ec2 = service.client("ec2")
    group = ec2.create_security_group(GroupName="tagged", Description="x")["GroupId"]
    (rule,) = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])["SecurityGroupRules"]
    (instance,) = launch(service)
    interface = instance["NetworkInterfaces"][0]["NetworkInterfaceId"]
    subnet = ec2.describe_subnets()["Subnets"][0]
    ids = [group, rule["SecurityGroupRuleId"], interface, subnet["SubnetId"], subnet["VpcId"]]
    ec2.create_tags(Resources=ids, Tags=[{"Key": "team", "Value": "a"}])
    tagged = [{"Name": "tag:team", "Values": ["a"]}]
    found = {t["ResourceId"]: t["ResourceType"] for t in ec2.describe_tags(Filters=tagged)["Tags"]}
    assert found == dict(zip(ids, ["security-group", "security-group-rule", "network-interface", "subnet", "vpc"])), found
    assert len(ec2.describe_vpcs(Filters=tagged)["Vpcs"]) == len(ec2.describe_subnets(Filters=tagged)["Subnets"]) == 1
    assert [g["GroupId"] for g in ec2.describe_security_groups(Filters=tagged)["SecurityGroups"]] == [group]
    for code, unknown in (
        ("InvalidGroup.NotFound", "sg-0123456789abcdef0"),
        ("InvalidSecurityGroupRuleId.NotFound", "sgr-0123456789abcdef0"),
        ("InvalidNetworkInterfaceID.NotFound", "eni-0123456789abcdef0"),
        ("InvalidSubnetID.NotFound", UNKNOWN_SUBNET),
        ("InvalidVpcID.NotFound", "vpc-0123456789abcdef0"),
        ("InvalidVpcID.Malformed", "vpc-1"),
    ):
        expect(code, ec2.create_tags, Resources=[group, unknown], Tags=[{"Key": "k", "Value": "v"}])
    end(ec2, [instance["InstanceId"]])
    ec2.delete_security_group(GroupId=group)
    # TAG-8: the tags went with group, rule and interface.
    assert {t["ResourceType"] for t in ec2.describe_tags(Filters=tagged)["Tags"]} == {"subnet", "vpc"}


def test_ACC_1_accounts_have_networks_of_their_own(service):
    account = service.account("other", "--id", "123456789012")
    assert account.id == "123456789012"
    mine, other = service.client("ec2"), account.client("ec2")
    assert account.client("sts").get_caller_identity()["Account"] == "123456789012"
    (vpc,), (own,) = mine.describe_vpcs()["Vpcs"], other.describe_vpcs()["Vpcs"]
    assert own["VpcId"] != vpc["VpcId"] and own["OwnerId"] == "123456789012"
    values = {a["AttributeName"]: a["AttributeValues"][0]["AttributeValue"] for a in other.describe_account_attributes()["AccountAttributes"]}
    assert values["default-vpc"] == own["VpcId"]
    group = mine.describe_security_groups(GroupNames=["default"])["SecurityGroups"][0]["GroupId"]
    subnet = mine.describe_subnets()["Subnets"][0]["SubnetId"]
    expect("InvalidGroup.NotFound", other.describe_security_groups, GroupIds=[group])
    expect("InvalidGroup.NotFound", other.delete_security_group, GroupId=group)
    expect("InvalidSubnetID.NotFound", other.describe_subnets, SubnetIds=[subnet])
    expect("InvalidVpcID.NotFound", other.create_security_group, GroupName="x", Description="x", VpcId=vpc["VpcId"])
    # ACC-2: a number is given once, and only an administrator gives it.
    for arguments, words in ((["--id", "123456789012"], "EntityAlreadyExists"), (["--id", "12"], "InvalidUserID.Malformed"), (["--name", "x" * 300], "InvalidParameterValue")):
        done = service.run("account", "create", *arguments, check=False)
        assert done.returncode != 0 and words in done.stderr, done.stderr
    done = account.run("account", "create", check=False)
    assert done.returncode != 0 and "UnauthorizedOperation" in done.stderr, done.stderr


if __name__ == "__main__":
    kiln_test.main()
