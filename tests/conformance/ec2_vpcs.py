#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""VPCs and subnets, made, changed and deleted, and instances in them, over the scripted hypervisor."""

import ipaddress
import os
import sys
import threading

from botocore.exceptions import ClientError

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import wait_until  # noqa: E402
from kiln_test.refusals import expect  # noqa: E402

UNKNOWN_VPC = "vpc-0123456789abcdef0"
UNKNOWN_SUBNET = "subnet-0123456789abcdef0"


def alone(test):
    """With a service of its own: there are only so many VPCs, and what is default can be deleted."""

    def run():
        with kiln_test.api_service() as service:
            test(service)

    run.__name__ = test.__name__
    return run


def launch(service, **more):
    base = {"ImageId": service.image, "InstanceType": "t2.nano", "MinCount": 1, "MaxCount": 1}
    return service.client("ec2").run_instances(**{**base, **more})["Instances"][0]


def instance_of(ec2, instance):
    return ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]


def wait_for_state(ec2, instance, state):
    wait_until(lambda: instance_of(ec2, instance)["State"]["Name"] == state, 30, f"{instance} is {state}")


def end(ec2, instance):
    ec2.terminate_instances(InstanceIds=[instance])
    wait_for_state(ec2, instance, "terminated")


def filtered(name, *values):
    return [{"Name": name, "Values": list(values)}]


def tagged(kind, **tags):
    return [{"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}]


def make_vpc(ec2, cidr="10.1.0.0/16", **more):
    return ec2.create_vpc(CidrBlock=cidr, **more)["Vpc"]["VpcId"]


def make_subnet(ec2, vpc, cidr="10.1.1.0/24", **more):
    return ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, **more)["Subnet"]["SubnetId"]


@alone
def test_NET_14_a_vpc_is_made_described_changed_and_deleted(service):
    ec2 = service.client("ec2")
    default = ec2.describe_vpcs()["Vpcs"][0]
    made = ec2.create_vpc(CidrBlock="10.1.2.3/16", TagSpecifications=tagged("vpc", Name="mine"))["Vpc"]
    vpc = made["VpcId"]
    assert made["CidrBlock"] == "10.1.0.0/16" and not made["IsDefault"] and made["InstanceTenancy"] == "default", made
    assert made["Tags"] == [{"Key": "Name", "Value": "mine"}] and made["OwnerId"] == default["OwnerId"]
    ec2.get_waiter("vpc_available").wait(VpcIds=[vpc], WaiterConfig={"Delay": 1, "MaxAttempts": 5})
    assert ec2.describe_vpcs(Filters=filtered("tag:Name", "mine"))["Vpcs"] == [made]
    assert [v["VpcId"] for v in ec2.describe_vpcs(Filters=filtered("is-default", "false"))["Vpcs"]] == [vpc]
    assert service.aws("ec2", "describe-vpcs", "--vpc-ids", vpc)["Vpcs"] == [made]
    assert ec2.describe_subnets(Filters=filtered("vpc-id", vpc))["Subnets"] == []
    # Its own default group, which lets its members reach each other and everything leave.
    (group,) = ec2.describe_security_groups(Filters=filtered("vpc-id", vpc))["SecurityGroups"]
    assert group["GroupName"] == "default" and group["IpPermissions"][0]["UserIdGroupPairs"][0]["GroupId"] == group["GroupId"]
    # By name, groups are those of the default VPC.
    (named,) = ec2.describe_security_groups(GroupNames=["default"])["SecurityGroups"]
    assert named["VpcId"] == default["VpcId"]

    def attribute(name):
        answer = ec2.describe_vpc_attribute(VpcId=vpc, Attribute=name)
        return answer[name[0].upper() + name[1:]]["Value"]

    assert attribute("enableDnsSupport") is True and attribute("enableDnsHostnames") is False
    modify = ec2.modify_vpc_attribute
    modify(VpcId=vpc, EnableDnsHostnames={"Value": True})
    assert attribute("enableDnsHostnames") is True
    modify(VpcId=vpc, EnableDnsHostnames={"Value": False})
    modify(VpcId=vpc, EnableDnsSupport={"Value": False})
    assert attribute("enableDnsSupport") is False and attribute("enableDnsHostnames") is False
    expect("InvalidParameterValue", modify, VpcId=vpc, EnableDnsHostnames={"Value": True})
    expect("InvalidParameterCombination", modify, VpcId=vpc)
    expect("InvalidParameterCombination", modify, VpcId=vpc, EnableDnsSupport={"Value": True}, EnableDnsHostnames={"Value": True})
    expect("UnsupportedOperation", modify, VpcId=vpc, EnableNetworkAddressUsageMetrics={"Value": True})
    modify(VpcId=vpc, EnableNetworkAddressUsageMetrics={"Value": False})
    expect("InvalidVpcID.NotFound", modify, VpcId=UNKNOWN_VPC, EnableDnsSupport={"Value": True})
    service.restart()
    ec2 = service.client("ec2")
    assert attribute("enableDnsSupport") is False
    expect("DryRunOperation", ec2.delete_vpc, VpcId=vpc, DryRun=True)
    service.aws("ec2", "delete-vpc", "--vpc-id", vpc)
    expect("InvalidVpcID.NotFound", ec2.delete_vpc, VpcId=vpc)
    expect("InvalidVpcID.NotFound", ec2.describe_vpcs, VpcIds=[vpc])
    expect("InvalidGroup.NotFound", ec2.describe_security_groups, GroupIds=[group["GroupId"]])
    assert ec2.describe_tags(Filters=filtered("resource-id", vpc))["Tags"] == []
    assert ec2.describe_vpcs()["Vpcs"] == [default]


@alone
def test_NET_14_what_is_no_vpc(service):
    ec2 = service.client("ec2")
    create = ec2.create_vpc
    for cidr in ("10.0.0.0/15", "10.0.0.0/29", "127.0.0.0/16", "169.254.0.0/16", "224.0.0.0/16", "0.0.0.0/16"):
        assert cidr in expect("InvalidVpc.Range", create, CidrBlock=cidr)
    for cidr in ("10.0.0.0", "ten", "10.0.0/16", "10.0.0.0/33", "fd00::/56"):
        expect("InvalidParameterValue", create, CidrBlock=cidr)
    expect("MissingParameter", create)
    expect("UnsupportedOperation", create, CidrBlock="10.1.0.0/16", AmazonProvidedIpv6CidrBlock=True)
    expect("UnsupportedOperation", create, CidrBlock="10.1.0.0/16", InstanceTenancy="dedicated")
    expect("UnsupportedOperation", create, CidrBlock="10.1.0.0/16", Ipv4IpamPoolId="ipam-pool-1")
    expect("InvalidParameterValue", create, CidrBlock="10.1.0.0/16", InstanceTenancy="sublet")
    expect("InvalidParameterValue", create, CidrBlock="10.1.0.0/16", TagSpecifications=tagged("subnet", Name="x"))
    expect("DryRunOperation", create, CidrBlock="10.1.0.0/16", DryRun=True)
    expect("InvalidVpcID.Malformed", ec2.delete_vpc, VpcId="vpc-1")
    expect("DefaultVpcAlreadyExists", ec2.create_default_vpc)
    assert len(ec2.describe_vpcs()["Vpcs"]) == 1, "refused requests make nothing"
    made = [make_vpc(ec2, InstanceTenancy="default", AmazonProvidedIpv6CidrBlock=False) for _ in range(4)]
    expect("VpcLimitExceeded", create, CidrBlock="10.2.0.0/16")
    other = service.client("ec2", region="eu-west-1")
    expect("InvalidVpcID.NotFound", other.delete_vpc, VpcId=made[0])
    elsewhere = make_vpc(other)
    other.delete_vpc(VpcId=elsewhere)
    for vpc in made:
        ec2.delete_vpc(VpcId=vpc)


@alone
def test_NET_16_a_subnet_is_made_described_changed_and_deleted(service):
    ec2 = service.client("ec2")
    vpc = make_vpc(ec2)
    made = ec2.create_subnet(VpcId=vpc, CidrBlock="10.1.1.9/24", AvailabilityZone="us-east-1c", TagSpecifications=tagged("subnet", tier="web"))["Subnet"]
    subnet = made["SubnetId"]
    assert made["CidrBlock"] == "10.1.1.0/24" and made["AvailabilityZone"] == "us-east-1c" and made["State"] == "available", made
    assert made["AvailableIpAddressCount"] == 251 and not made["DefaultForAz"] and not made["MapPublicIpOnLaunch"]
    assert ec2.describe_subnets(Filters=filtered("tag:tier", "web"))["Subnets"] == [made]
    assert ec2.create_subnet(VpcId=vpc, CidrBlock="10.1.2.0/28", AvailabilityZoneId="use1-az2")["Subnet"]["AvailabilityZone"] == "us-east-1b"
    first = ec2.create_subnet(VpcId=vpc, CidrBlock="10.1.3.0/24")["Subnet"]
    assert first["AvailabilityZone"] == "us-east-1a"
    create = ec2.create_subnet
    for cidr in ("10.2.0.0/24", "10.0.0.0/15", "10.1.0.0/15", "10.1.4.0/29", "10.1.4.0/32"):
        expect("InvalidSubnet.Range", create, VpcId=vpc, CidrBlock=cidr)
    for cidr in ("10.1.1.0/24", "10.1.0.0/16", "10.1.1.128/25", "10.1.2.0/24"):
        assert cidr in expect("InvalidSubnet.Conflict", create, VpcId=vpc, CidrBlock=cidr)
    for cidr in ("10.1.9", "10.1.9.0", "web"):
        expect("InvalidParameterValue", create, VpcId=vpc, CidrBlock=cidr)
    expect("MissingParameter", create, VpcId=vpc)
    expect("InvalidVpcID.NotFound", create, VpcId=UNKNOWN_VPC, CidrBlock="10.1.9.0/24")
    expect("InvalidParameterValue", create, VpcId=vpc, CidrBlock="10.1.9.0/24", AvailabilityZone="us-east-1z")
    expect("InvalidParameterValue", create, VpcId=vpc, CidrBlock="10.1.9.0/24", AvailabilityZoneId="euw1-az1")
    expect("InvalidParameterCombination", create, VpcId=vpc, CidrBlock="10.1.9.0/24", AvailabilityZone="us-east-1a", AvailabilityZoneId="use1-az1")
    expect("InvalidParameterValue", create, VpcId=vpc, CidrBlock="10.1.9.0/24", TagSpecifications=tagged("vpc", Name="x"))
    expect("UnsupportedOperation", create, VpcId=vpc, CidrBlock="10.1.9.0/24", Ipv6CidrBlock="fd00::/64")
    expect("DryRunOperation", create, VpcId=vpc, CidrBlock="10.1.9.0/24", DryRun=True)
    assert len(ec2.describe_subnets(Filters=filtered("vpc-id", vpc))["Subnets"]) == 3, "refused requests make nothing"
    # The same addresses in another VPC are others.
    other = make_vpc(ec2)
    ec2.delete_subnet(SubnetId=make_subnet(ec2, other))
    ec2.delete_vpc(VpcId=other)

    modify = ec2.modify_subnet_attribute
    modify(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
    assert ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["MapPublicIpOnLaunch"]
    modify(SubnetId=subnet, AssignIpv6AddressOnCreation={"Value": False})
    assert ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["MapPublicIpOnLaunch"], "another attribute leaves it alone"
    expect("UnsupportedOperation", modify, SubnetId=subnet, AssignIpv6AddressOnCreation={"Value": True})
    expect("UnsupportedOperation", modify, SubnetId=subnet, PrivateDnsHostnameTypeOnLaunch="resource-name")
    expect("InvalidSubnetID.NotFound", modify, SubnetId=UNKNOWN_SUBNET, MapPublicIpOnLaunch={"Value": True})
    expect("DependencyViolation", ec2.delete_vpc, VpcId=vpc)
    expect("DryRunOperation", ec2.delete_subnet, SubnetId=subnet, DryRun=True)
    service.aws("ec2", "delete-subnet", "--subnet-id", subnet)
    expect("InvalidSubnetID.NotFound", ec2.delete_subnet, SubnetId=subnet)
    expect("InvalidSubnetID.Malformed", ec2.delete_subnet, SubnetId="subnet-1")
    assert ec2.describe_tags(Filters=filtered("resource-id", subnet))["Tags"] == []


@alone
def test_NET_16_of_two_subnets_that_overlap_one_is_made(service):
    ec2 = service.client("ec2")
    vpc = make_vpc(ec2)
    outcomes = []

    def create(cidr):
        try:
            service.client("ec2").create_subnet(VpcId=vpc, CidrBlock=cidr)
            outcomes.append("made")
        except ClientError as error:
            outcomes.append(error.response["Error"]["Code"])

    makers = [threading.Thread(target=create, args=(f"10.1.0.0/{prefix}",)) for prefix in range(17, 25)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    assert sorted(outcomes) == ["InvalidSubnet.Conflict"] * 7 + ["made"], outcomes
    assert len(ec2.describe_subnets(Filters=filtered("vpc-id", vpc))["Subnets"]) == 1


@alone
def test_NET_4_NET_17_instances_in_a_subnet_of_their_own(service):
    ec2 = service.client("ec2")
    vpc = make_vpc(ec2)
    subnet = make_subnet(ec2, vpc, "10.1.7.0/28", AvailabilityZone="us-east-1b")
    group = ec2.create_security_group(GroupName="web", Description="web", VpcId=vpc)["GroupId"]
    (own,) = ec2.describe_security_groups(Filters=filtered("vpc-id", vpc) + filtered("group-name", "default"))["SecurityGroups"]
    plain = launch(service, SubnetId=subnet)
    assert plain["VpcId"] == vpc and plain["SubnetId"] == subnet and plain["Placement"]["AvailabilityZone"] == "us-east-1b"
    assert ipaddress.ip_address(plain["PrivateIpAddress"]) in ipaddress.ip_network("10.1.7.0/28")
    assert [g["GroupId"] for g in plain["SecurityGroups"]] == [own["GroupId"]], "the default group of its own VPC"
    wait_for_state(ec2, plain["InstanceId"], "running")
    assert "PublicIpAddress" not in instance_of(ec2, plain["InstanceId"])
    assert ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["AvailableIpAddressCount"] == 10
    # The request decides, else the subnet at launch; a later change is for later launches.
    asked = {"DeviceIndex": 0, "SubnetId": subnet, "AssociatePublicIpAddress": True, "Groups": [group]}
    public = launch(service, NetworkInterfaces=[asked])
    wait_for_state(ec2, public["InstanceId"], "running")
    assert instance_of(ec2, public["InstanceId"])["PublicIpAddress"]
    ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
    mapped = launch(service, SubnetId=subnet)
    wait_for_state(ec2, mapped["InstanceId"], "running")
    assert instance_of(ec2, mapped["InstanceId"])["PublicIpAddress"]
    ec2.stop_instances(InstanceIds=[plain["InstanceId"]])
    wait_for_state(ec2, plain["InstanceId"], "stopped")
    expect("DependencyViolation", ec2.delete_subnet, SubnetId=subnet)
    ec2.start_instances(InstanceIds=[plain["InstanceId"]])
    wait_for_state(ec2, plain["InstanceId"], "running")
    assert "PublicIpAddress" not in instance_of(ec2, plain["InstanceId"]), "settled at launch"
    # Only groups of its own VPC.
    base = {"ImageId": service.image, "InstanceType": "t2.nano", "MinCount": 1, "MaxCount": 1}
    (default,) = ec2.describe_security_groups(GroupNames=["default"])["SecurityGroups"]
    expect("InvalidParameter", ec2.run_instances, **base, SubnetId=subnet, SecurityGroupIds=[default["GroupId"]])
    expect("InvalidParameter", ec2.run_instances, **base, SecurityGroupIds=[group])
    expect("InvalidParameter", ec2.modify_instance_attribute, InstanceId=plain["InstanceId"], Groups=[default["GroupId"]])
    expect("InvalidParameterValue", ec2.run_instances, **base, SubnetId=subnet, Placement={"AvailabilityZone": "us-east-1a"})
    expect("InvalidParameterValue", ec2.run_instances, **base, SubnetId=subnet, PrivateIpAddress="10.1.7.3")
    expect("InsufficientFreeAddressesInSubnet", ec2.run_instances, **{**base, "MinCount": 9, "MaxCount": 9}, SubnetId=subnet)
    expect("DependencyViolation", ec2.delete_vpc, VpcId=vpc)
    for one in (plain, public, mapped):
        end(ec2, one["InstanceId"])
    ec2.delete_subnet(SubnetId=subnet)
    expect("InvalidSubnetID.NotFound", ec2.run_instances, **base, SubnetId=subnet)
    expect("DependencyViolation", ec2.delete_vpc, VpcId=vpc)  # a group of one's own
    ec2.delete_security_group(GroupId=group)
    ec2.delete_vpc(VpcId=vpc)
    assert instance_of(ec2, plain["InstanceId"])["State"]["Name"] == "terminated", "what is over is described without its VPC"
    service.restart()
    assert instance_of(service.client("ec2"), plain["InstanceId"])["State"]["Name"] == "terminated"


@alone
def test_SG_groups_of_a_vpc(service):
    ec2 = service.client("ec2")
    vpc = make_vpc(ec2)
    group = ec2.create_security_group(GroupName="web", Description="web", VpcId=vpc)["GroupId"]
    elsewhere = ec2.create_security_group(GroupName="web", Description="web")["GroupId"]
    expect("InvalidGroup.Duplicate", ec2.create_security_group, GroupName="web", Description="web", VpcId=vpc)
    expect("InvalidVpcID.NotFound", ec2.create_security_group, GroupName="web", Description="web", VpcId=UNKNOWN_VPC)
    (named,) = ec2.describe_security_groups(GroupNames=["web"])["SecurityGroups"]
    assert named["GroupId"] == elsewhere
    # The other side is a group of the same VPC.
    peer = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}
    allow = ec2.authorize_security_group_ingress
    allow(GroupId=group, IpPermissions=[{**peer, "UserIdGroupPairs": [{"GroupId": group}]}])
    expect("InvalidGroup.NotFound", allow, GroupId=group, IpPermissions=[{**peer, "UserIdGroupPairs": [{"GroupId": elsewhere}]}])
    # SG-8: here, revoking what is not there is an error, and nothing is revoked.
    there = {**peer, "UserIdGroupPairs": [{"GroupId": group}]}
    missing = {"IpProtocol": "tcp", "FromPort": 23, "ToPort": 23, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    expect("InvalidPermission.NotFound", ec2.revoke_security_group_ingress, GroupId=group, IpPermissions=[there, missing])
    assert ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissions"]
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[there])
    (default,) = ec2.describe_security_groups(Filters=filtered("vpc-id", vpc) + filtered("group-name", "default"))["SecurityGroups"]
    expect("CannotDelete", ec2.delete_security_group, GroupId=default["GroupId"])


@alone
def test_NET_15_the_default_vpc_can_go_and_come_again(service):
    ec2 = service.client("ec2")
    base = {"ImageId": service.image, "InstanceType": "t2.nano", "MinCount": 1, "MaxCount": 1}
    (vpc,) = ec2.describe_vpcs()["Vpcs"]
    zones = {s["AvailabilityZone"]: s["SubnetId"] for s in ec2.describe_subnets()["Subnets"]}
    expect("DependencyViolation", ec2.delete_vpc, VpcId=vpc["VpcId"])
    # A default subnet that was deleted stays away, and its range can be had.
    ec2.delete_subnet(SubnetId=zones.pop("us-east-1a"))
    assert {s["AvailabilityZone"] for s in ec2.describe_subnets()["Subnets"]} == set(zones)
    assert launch(service)["SubnetId"] == zones["us-east-1b"]
    message = expect("MissingInput", ec2.run_instances, **base, Placement={"AvailabilityZone": "us-east-1a"})
    assert vpc["VpcId"] in message
    ec2.delete_subnet(SubnetId=make_subnet(ec2, vpc["VpcId"], "172.31.0.0/24"))
    (instance,) = ec2.describe_instances(Filters=filtered("instance-state-name", "pending", "running"))["Reservations"][0]["Instances"]
    end(ec2, instance["InstanceId"])
    for subnet in zones.values():
        ec2.delete_subnet(SubnetId=subnet)
    expect("MissingInput", ec2.run_instances, **base)
    ec2.delete_vpc(VpcId=vpc["VpcId"])
    service.restart()
    ec2 = service.client("ec2")
    assert ec2.describe_vpcs()["Vpcs"] == [] and ec2.describe_subnets()["Subnets"] == []
    assert ec2.describe_security_groups()["SecurityGroups"] == []
    attributes = ec2.describe_account_attributes(AttributeNames=["default-vpc"])["AccountAttributes"]
    assert attributes[0]["AttributeValues"] == [{"AttributeValue": "none"}]
    assert "No default VPC for this user" in expect("VPCIdNotSpecified", ec2.run_instances, **base)
    expect("VPCIdNotSpecified", ec2.create_security_group, GroupName="web", Description="web")
    expect("VPCIdNotSpecified", ec2.describe_security_groups, GroupNames=["default"])
    mine = make_vpc(ec2)
    subnet = make_subnet(ec2, mine)
    other = launch(service, SubnetId=subnet)
    assert other["VpcId"] == mine
    # The choice is of one account in one region.
    assert len(service.client("ec2", region="eu-west-1").describe_vpcs()["Vpcs"]) == 1
    assert len(service.account("neighbour").client("ec2").describe_vpcs()["Vpcs"]) == 1
    expect("DryRunOperation", ec2.create_default_vpc, DryRun=True)
    made = ec2.create_default_vpc()["Vpc"]
    assert made["IsDefault"] and made["CidrBlock"] == "172.31.0.0/16" and made["VpcId"] != vpc["VpcId"]
    assert len(ec2.describe_subnets(Filters=filtered("default-for-az", "true"))["Subnets"]) == 6
    expect("DefaultVpcAlreadyExists", ec2.create_default_vpc)
    assert launch(service)["VpcId"] == made["VpcId"]


@alone
def test_ACC_1_what_is_a_stranger_s_is_not_there(service):
    ec2 = service.client("ec2")
    vpc = make_vpc(ec2)
    subnet = make_subnet(ec2, vpc)
    stranger = service.account("stranger").client("ec2")
    expect("InvalidVpcID.NotFound", stranger.delete_vpc, VpcId=vpc)
    expect("InvalidVpcID.NotFound", stranger.create_subnet, VpcId=vpc, CidrBlock="10.1.9.0/24")
    expect("InvalidVpcID.NotFound", stranger.modify_vpc_attribute, VpcId=vpc, EnableDnsSupport={"Value": False})
    expect("InvalidVpcID.NotFound", stranger.create_security_group, GroupName="web", Description="web", VpcId=vpc)
    expect("InvalidSubnetID.NotFound", stranger.delete_subnet, SubnetId=subnet)
    expect("InvalidSubnetID.NotFound", stranger.modify_subnet_attribute, SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
    assert len(stranger.describe_vpcs()["Vpcs"]) == 1 and len(stranger.describe_subnets()["Subnets"]) == 6


if __name__ == "__main__":
    kiln_test.main()
