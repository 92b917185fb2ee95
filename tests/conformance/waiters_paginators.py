#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every paginator and every waiter that botocore has for an operation that is built. Which those are, and what makes a waiter succeed,
fail or ask again, is read from botocore's own files; one that is not tried here fails the test. Pages are read to the end, cut off and
gone on with; waiters are run into each of their states."""

import json
import os
import sys
import threading
import types

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import botocore.session  # noqa: E402
import kiln_test  # noqa: E402
from botocore.exceptions import DataNotFoundError, WaiterError  # noqa: E402
from kiln_test import clock, query, wait_until  # noqa: E402
from kiln_test.calls import Signer, call  # noqa: E402
from kiln_test.paths import ROOT  # noqa: E402

SERVICES = ("ebs", "ec2", "iam", "ssm", "sts")
MANY, PAGE = 11, 5
EVERYTHING = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]})
ZONE = "us-east-1a"
SOON = {"Delay": 0.1, "MaxAttempts": 600}
FEW = {"Delay": 0.05, "MaxAttempts": 4}


def of_botocore(kind, key):
    """What its files of this kind say about operations that are built: by service and name."""
    loader, found = botocore.session.get_session().get_component("data_loader"), {}
    with open(os.path.join(ROOT, "api-model/built.json"), encoding="utf-8") as file:
        built = json.load(file)
    for service in SERVICES:
        try:
            listed = loader.load_service_model(service, kind)[key]
        except DataNotFoundError:
            continue
        found.update({(service, name): facts for name, facts in listed.items() if facts.get("operation", name) in built[service]})
    return found


@kiln_test.fixture
def kiln():
    with kiln_test.api_service() as daemon:
        daemon.wait_stored(daemon.snapshot)
        for service in ("ec2", "iam", "ssm"):
            setattr(daemon, service, daemon.client(service))
        yield daemon


@kiln_test.fixture
def crowd():
    """A service in which there are many of all."""
    with kiln_test.api_service() as daemon:
        daemon.wait_stored(daemon.snapshot)
        daemon.clients = {service: daemon.client(service) for service in SERVICES}
        daemon.made = types.SimpleNamespace()
        for fill in (fill_disks, fill_networks, fill_identities, fill_instances, fill_fast_launches, fill_others):
            fill(daemon, daemon.clients, daemon.made)
        yield daemon


def fill_disks(kiln, clients, _made):
    ec2 = clients["ec2"]
    for number in range(MANY):
        ec2.copy_snapshot(SourceRegion=kiln.region, SourceSnapshotId=kiln.snapshot)
        mapping = [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": kiln.snapshot}}]
        ec2.register_image(Name=f"image-{number}", RootDeviceName="/dev/xvda", VirtualizationType="hvm", BlockDeviceMappings=mapping)
        volume = ec2.create_volume(Size=1, AvailabilityZone=ZONE)["VolumeId"]
        ec2.get_waiter("volume_available").wait(VolumeIds=[volume], WaiterConfig=SOON)
        ec2.modify_volume(VolumeId=volume, Size=2)
    snapshots = [snapshot["SnapshotId"] for snapshot in ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]][:4]
    zones = [zone["ZoneName"] for zone in ec2.describe_availability_zones()["AvailabilityZones"]][:3]
    ec2.enable_fast_snapshot_restores(AvailabilityZones=zones, SourceSnapshotIds=snapshots)
    enabled = [{"Name": "state", "Values": ["enabled"]}]  # no state changes any more
    wait_until(lambda: len(ec2.describe_fast_snapshot_restores(Filters=enabled)["FastSnapshotRestores"]) == len(snapshots) * len(zones), 60, "all are restored fast")


def fill_networks(_kiln, clients, made):
    ec2 = clients["ec2"]
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    for number in range(MANY):
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.1.{number}.0/24")
        made.group = ec2.create_security_group(GroupName=f"group-{number}", Description="one of many", VpcId=vpc)["GroupId"]
    ports = [{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": "192.0.2.0/24"}]} for port in range(1, MANY)]
    ec2.authorize_security_group_ingress(GroupId=made.group, IpPermissions=ports)


def fill_identities(_kiln, clients, _made):
    iam = clients["iam"]
    for number in range(MANY):
        iam.create_user(UserName=f"user-{number:02}")
        iam.create_role(RoleName=f"role-{number:02}", AssumeRolePolicyDocument=TRUST)
        iam.create_instance_profile(InstanceProfileName=f"profile-{number:02}")
        iam.add_role_to_instance_profile(InstanceProfileName=f"profile-{number:02}", RoleName="role-00")
        small = json.dumps({"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
        iam.put_user_policy(UserName="user-00", PolicyName=f"policy-{number:02}", PolicyDocument=small)
        iam.put_role_policy(RoleName="role-00", PolicyName=f"policy-{number:02}", PolicyDocument=small)
    tags = [{"Key": f"key-{number:02}", "Value": "x"} for number in range(MANY)]
    iam.tag_user(UserName="user-00", Tags=tags)
    iam.tag_role(RoleName="role-00", Tags=tags)
    iam.tag_instance_profile(InstanceProfileName="profile-00", Tags=tags)
    for _ in range(2):
        iam.create_access_key(UserName="user-00")


def fill_instances(kiln, clients, made):
    ec2 = clients["ec2"]
    made.instances = []
    for _ in range(MANY):
        run = {"ImageId": kiln.image, "InstanceType": "t3.nano", "MinCount": 1, "MaxCount": 1, "IamInstanceProfile": {"Name": "profile-00"}}
        made.instances.append(ec2.run_instances(**run)["Instances"][0]["InstanceId"])
    ec2.get_waiter("instance_running").wait(InstanceIds=made.instances, WaiterConfig=SOON)
    for instance in made.instances:
        ec2.create_replace_root_volume_task(InstanceId=instance)
    wait_until(
        lambda: {task["TaskState"] for task in ec2.describe_replace_root_volume_tasks()["ReplaceRootVolumeTasks"]} == {"succeeded"}, 60, "the roots are replaced"
    )
    in_use = [{"Name": "status", "Values": ["in-use", "available"]}]  # no volume comes or goes any more
    wait_until(lambda: len(ec2.describe_volumes(Filters=in_use)["Volumes"]) == len(ec2.describe_volumes()["Volumes"]), 30, "the volumes are quiet")


def fill_fast_launches(kiln, clients, _made):
    ec2 = clients["ec2"]
    for number in range(3):
        image = json.loads(kiln.run("import", kiln.raw, "--name", f"windows-{number}", "--platform", "windows", "--json").stdout)["imageId"]
        ec2.enable_fast_launch(ImageId=image, SnapshotConfiguration={"TargetResourceCount": 1})
    launched = [{"Name": "tag:CreatedBy", "Values": ["EC2 Fast Launch"]}, {"Name": "instance-state-name", "Values": ["running"]}]
    wait_until(lambda: len(ec2.describe_instances(Filters=launched)["Reservations"]) == 3, 30, "a machine runs for each, and nothing changes any more")


def fill_others(kiln, clients, made):
    ec2 = clients["ec2"]
    other = kiln.account("user")
    ec2.modify_image_attribute(ImageId=kiln.image, LaunchPermission={"Add": [{"UserId": other.id}]})
    other.client("ec2").run_instances(ImageId=kiln.image, InstanceType="t3.nano", MinCount=1, MaxCount=1)
    ec2.create_tags(Resources=[kiln.image], Tags=[{"Key": f"key-{number:02}", "Value": "x"} for number in range(MANY)])
    for number in range(MANY):
        made.template = ec2.create_launch_template(LaunchTemplateName=f"template-{number}", LaunchTemplateData={"InstanceType": "t3.nano"})["LaunchTemplate"]["LaunchTemplateId"]
        clients["ssm"].put_parameter(Name=f"/many/of/them-{number:02}", Value="x", Type="String")
        report = query(kiln, "CreateImageUsageReport", {"ImageId": kiln.image, "ResourceType.1.ResourceType": "ec2:Instance"})
        assert report.status == 200, report.body
    for _ in range(MANY):
        ec2.create_launch_template_version(LaunchTemplateId=made.template, LaunchTemplateData={"InstanceType": "t3.micro"})


class Pages:
    """How an operation is asked. `few` says why there cannot be several pages."""

    def __init__(self, request=lambda made: {}, size=PAGE, few=""):
        self.request, self.size, self.few = request, size, few


ANY_TYPE = {"ArchitectureTypes": ["x86_64"], "VirtualizationTypes": ["hvm"], "InstanceRequirements": {"VCpuCount": {"Min": 0}, "MemoryMiB": {"Min": 0}}}
FIVE = "an account has five VPCs, and a page has five"
PAGES = {
    ("ec2", "DescribeDhcpOptions"): Pages(few=FIVE),
    ("ec2", "DescribeFastLaunchImages"): Pages(size=1),
    ("ec2", "DescribeFastSnapshotRestores"): Pages(),
    ("ec2", "DescribeIamInstanceProfileAssociations"): Pages(),
    ("ec2", "DescribeImageReferences"): Pages(lambda made: {"ImageIds": [made.image], "IncludeAllResourceTypes": True}),
    ("ec2", "DescribeImageUsageReportEntries"): Pages(lambda made: {"ImageIds": [made.image]}),
    ("ec2", "DescribeImageUsageReports"): Pages(),
    ("ec2", "DescribeImages"): Pages(lambda made: {"Owners": ["self"]}),
    ("ec2", "DescribeInstanceCreditSpecifications"): Pages(),
    ("ec2", "DescribeInstanceImageMetadata"): Pages(),
    ("ec2", "DescribeInstanceStatus"): Pages(),
    ("ec2", "DescribeInstanceTopology"): Pages(),
    ("ec2", "DescribeInstanceTypeOfferings"): Pages(),
    ("ec2", "DescribeInstanceTypes"): Pages(),
    ("ec2", "DescribeInstances"): Pages(),
    ("ec2", "DescribeInternetGateways"): Pages(few="the default VPC has the only one"),
    ("ec2", "DescribeLaunchTemplateVersions"): Pages(lambda made: {"LaunchTemplateId": made.template}),
    ("ec2", "DescribeLaunchTemplates"): Pages(),
    ("ec2", "DescribeNetworkAcls"): Pages(few=FIVE),
    ("ec2", "DescribeNetworkInterfaces"): Pages(),
    ("ec2", "DescribeReplaceRootVolumeTasks"): Pages(),
    ("ec2", "DescribeRouteTables"): Pages(few=FIVE),
    ("ec2", "DescribeSecurityGroupRules"): Pages(lambda made: {"Filters": [{"Name": "group-id", "Values": [made.group]}]}),
    ("ec2", "DescribeSecurityGroups"): Pages(),
    ("ec2", "DescribeSnapshots"): Pages(lambda made: {"OwnerIds": ["self"]}),
    ("ec2", "DescribeSubnets"): Pages(),
    ("ec2", "DescribeTags"): Pages(),
    ("ec2", "DescribeVolumeStatus"): Pages(),
    ("ec2", "DescribeVolumes"): Pages(),
    ("ec2", "DescribeVolumesModifications"): Pages(),
    ("ec2", "DescribeVpcs"): Pages(few=FIVE),
    ("ec2", "GetInstanceTypesFromInstanceRequirements"): Pages(lambda made: ANY_TYPE),
    ("iam", "ListAccessKeys"): Pages(lambda made: {"UserName": "user-00"}, size=1),
    ("iam", "ListAttachedRolePolicies"): Pages(lambda made: {"RoleName": "role-00"}, few="managed policies are not built"),
    ("iam", "ListInstanceProfileTags"): Pages(lambda made: {"InstanceProfileName": "profile-00"}),
    ("iam", "ListInstanceProfiles"): Pages(),
    ("iam", "ListInstanceProfilesForRole"): Pages(lambda made: {"RoleName": "role-00"}),
    ("iam", "ListRolePolicies"): Pages(lambda made: {"RoleName": "role-00"}),
    ("iam", "ListRoleTags"): Pages(lambda made: {"RoleName": "role-00"}),
    ("iam", "ListRoles"): Pages(),
    ("iam", "ListUserPolicies"): Pages(lambda made: {"UserName": "user-00"}),
    ("iam", "ListUserTags"): Pages(lambda made: {"UserName": "user-00"}),
    ("iam", "ListUsers"): Pages(),
    ("ssm", "GetParametersByPath"): Pages(lambda made: {"Path": "/many", "Recursive": True}),
}


def read_pages(client, operation, facts, asked):
    """All that is wrong with the pages of an operation."""
    key, name = facts["result_key"], botocore.xform_name(operation)
    assert isinstance(key, str), f"{operation}: several keys"
    paginator = client.get_paginator(name)
    pages = [page.get(key, []) for page in paginator.paginate(**asked.arguments, PaginationConfig={"PageSize": asked.size})]
    items = [item for page in pages for item in page]
    if operation == "GetParametersByPath":  # never gives more than ten at once
        everything = paginator.paginate(**asked.arguments, PaginationConfig={"PageSize": 10}).build_full_result()[key]
    else:
        everything = getattr(client, name)(**asked.arguments)[key]
    wrong = []
    if items != everything:
        wrong.append(f"{len(items)} in pages, {len(everything)} at once, or in another order")
    texts = [json.dumps(item, default=str, sort_keys=True) for item in items]
    if len(set(texts)) != len(texts):
        wrong.append("something is there twice")
    if [len(page) for page in pages] != [asked.size] * (len(items) // asked.size) + [len(items) % asked.size] * (len(items) % asked.size > 0 or not items):
        wrong.append(f"pages of {[len(page) for page in pages]}")
    if (len(pages) > 1) == bool(asked.few):
        wrong.append(f"{len(pages)} pages: {asked.few or 'too few to show anything'}")
    if not asked.few and len(pages) > 1:
        cut = paginator.paginate(**asked.arguments, PaginationConfig={"PageSize": asked.size, "MaxItems": asked.size + 2 if asked.size > 1 else 1}).build_full_result()
        rest = paginator.paginate(**asked.arguments, PaginationConfig={"PageSize": asked.size, "StartingToken": cut["NextToken"]}).build_full_result()
        if cut[key] + rest[key] != items:
            wrong.append("gone on with, something is missing or twice")
    return wrong


def test_every_paginator(crowd):
    found, wrong = of_botocore("paginators-1", "pagination"), []
    assert len(found) >= 30 and set(found) - set(PAGES) == set(), f"not tried: {sorted(set(found) - set(PAGES))}"
    crowd.made.image = crowd.image
    for (service, operation), facts in found.items():
        pages = PAGES[service, operation]
        pages.arguments = pages.request(crowd.made)
        wrong += [f"{service} {operation}: {line}" for line in read_pages(crowd.clients[service], operation, facts, pages)]
    assert not wrong, "\n".join(wrong)


# ---- waiters

WAITERS = {}


def waits(service, name):
    def keep(function):
        WAITERS[service, name] = function
        return function

    return keep


class Trial:
    """One waiter, and which of the states that its model knows have been met."""

    def __init__(self, kiln, client, name):
        self.kiln, self.client, self.name, self.met = kiln, client, name, set()
        self.waiter = client.get_waiter(botocore.xform_name(name))

    def succeeds(self, expected, **request):
        self.waiter.wait(**request, WaiterConfig=SOON)
        self.met.add(("success", expected))

    def fails(self, expected, **request):
        """Because of this state or error."""
        reason = self.error(FEW, request)
        assert "terminal failure" in reason and str(expected) in reason, f"{self.name}: {reason}"
        self.met.add(("failure", expected))

    def goes_on(self, expected, **request):
        """Asks until it may no more: this is the answer that says so."""
        reason = self.error(FEW, request)
        assert reason.startswith("Max attempts exceeded"), f"{self.name}: {reason}"
        self.met.add(("retry", expected))

    def errs(self, code, **request):
        """By an error that its model does not know."""
        reason = self.error(FEW, request)
        assert code in reason, f"{self.name}: {reason}"

    def never(self, expected, **request):
        """Begun right after what leads to another state: it met the state on the way, or came too late, but never has success."""
        reason = self.error(FEW, request)
        assert ("terminal failure" in reason and str(expected) in reason) or reason.startswith("Max attempts exceeded"), f"{self.name}: {reason}"
        self.met.add(("failure", expected))

    def is_not_shown(self, state, expected):
        """Kiln never answers so."""
        self.met.add((state, expected))

    def error(self, config, request):
        try:
            self.waiter.wait(**request, WaiterConfig=config)
        except WaiterError as error:
            return error.kwargs["reason"]
        raise AssertionError(f"{self.name}: has success")

    def begun_before(self, expected, missing, make, **request):
        """It waits for what is made only when it has asked and got `missing`."""
        asked, done = threading.Event(), []
        self.client.meta.events.register(f"after-call.*.{self.client.meta.service_model.operation_model(self.operation()).name}", lambda **_: asked.set(), unique_id=self.name)
        worker = threading.Thread(target=lambda: done.append(self.waiter.wait(**request, WaiterConfig=SOON)))
        worker.start()
        assert asked.wait(30)
        make()
        worker.join(60)
        assert done == [None], f"{self.name}: has no success"
        self.met |= {("success", expected), ("retry", missing)}

    def operation(self):
        return self.waiter.config.operation


def instance(kiln, **more):
    made = kiln.ec2.run_instances(ImageId=kiln.image, InstanceType="t3.nano", MinCount=1, MaxCount=1, **more)["Instances"][0]["InstanceId"]
    kiln.ec2.get_waiter("instance_running").wait(InstanceIds=[made], WaiterConfig=SOON)
    return made


def stopped(kiln, made):
    kiln.ec2.stop_instances(InstanceIds=[made])
    wait_until(lambda: state_of(kiln, made) == "stopped", 30, "it is stopped")
    return made


def state_of(kiln, made):
    return kiln.ec2.describe_instances(InstanceIds=[made])["Reservations"][0]["Instances"][0]["State"]["Name"]


def terminated(kiln):
    made = instance(kiln)
    kiln.ec2.terminate_instances(InstanceIds=[made])
    wait_until(lambda: state_of(kiln, made) == "terminated", 30, "it is terminated")
    return made




def volume(kiln):
    made = kiln.ec2.create_volume(Size=1, AvailabilityZone=ZONE)["VolumeId"]
    wait_until(lambda: kiln.ec2.describe_volumes(VolumeIds=[made])["Volumes"][0]["State"] == "available", 30, "it is available")
    return made


def deleted_volume(kiln):
    made = volume(kiln)
    kiln.ec2.delete_volume(VolumeId=made)
    wait_until(lambda: not kiln.ec2.describe_volumes(Filters=[{"Name": "volume-id", "Values": [made]}])["Volumes"], 30, "it is gone")
    return made


@waits("ec2", "InstanceExists")
def _(kiln, trial):
    trial.succeeds(True, InstanceIds=[instance(kiln)])
    trial.goes_on("InvalidInstanceID.NotFound", InstanceIds=["i-0fedcba9876543210"])


@waits("ec2", "InstanceRunning")
def _(kiln, trial):
    made = instance(kiln)
    trial.succeeds("running", InstanceIds=[made])
    trial.goes_on("InvalidInstanceID.NotFound", InstanceIds=["i-0fedcba9876543210"])
    kiln.ec2.stop_instances(InstanceIds=[made])
    trial.never("stopping", InstanceIds=[made])
    wait_until(lambda: state_of(kiln, made) == "stopped", 30, "it is stopped")
    kiln.ec2.start_instances(InstanceIds=[made])
    trial.succeeds("running", InstanceIds=[made])
    kiln.ec2.terminate_instances(InstanceIds=[made])
    reason = trial.error(FEW, {"InstanceIds": [made]})
    assert "shutting-down" in reason or "terminated" in reason, reason
    trial.met.add(("failure", "shutting-down"))
    trial.fails("terminated", InstanceIds=[instance(kiln), terminated(kiln)])  # one of two is enough


@waits("ec2", "InstanceStopped")
def _(kiln, trial):
    made = instance(kiln)
    kiln.ec2.stop_instances(InstanceIds=[made])
    trial.succeeds("stopped", InstanceIds=[made])
    kiln.ec2.start_instances(InstanceIds=[made])
    trial.never("pending", InstanceIds=[made])
    trial.fails("terminated", InstanceIds=[terminated(kiln)])


@waits("ec2", "InstanceTerminated")
def _(kiln, trial):
    made = instance(kiln)
    kiln.ec2.stop_instances(InstanceIds=[made])
    trial.never("stopping", InstanceIds=[made])
    wait_until(lambda: state_of(kiln, made) == "stopped", 30, "it is stopped")
    kiln.ec2.start_instances(InstanceIds=[made])
    trial.never("pending", InstanceIds=[made])
    kiln.ec2.terminate_instances(InstanceIds=[made])
    trial.succeeds("terminated", InstanceIds=[made])


@waits("ec2", "InstanceStatusOk")
def _(kiln, trial):
    trial.succeeds("ok", InstanceIds=[instance(kiln)])
    trial.goes_on("InvalidInstanceID.NotFound", InstanceIds=["i-0fedcba9876543210"])


@waits("ec2", "SystemStatusOk")
def _(kiln, trial):
    trial.succeeds("ok", InstanceIds=[instance(kiln)])
    trial.errs("InvalidInstanceID.NotFound", InstanceIds=["i-0fedcba9876543210"])


@waits("ec2", "PasswordDataAvailable")
def _(kiln, trial):
    trial.is_not_shown("success", True)  # of guests without an agent of Windows
    made = instance(kiln)
    reason = trial.error(FEW, {"InstanceId": made})
    assert reason.startswith("Max attempts exceeded"), reason
    assert kiln.ec2.get_password_data(InstanceId=made)["PasswordData"] == ""


@waits("ec2", "ImageExists")
def _(kiln, trial):
    trial.succeeds(True, ImageIds=[kiln.image])
    trial.goes_on("InvalidAMIID.NotFound", ImageIds=["ami-0fedcba9876543210"])


@waits("ec2", "ImageAvailable")
def _(kiln, trial):
    trial.succeeds("available", ImageIds=[kiln.ec2.create_image(InstanceId=instance(kiln), Name="of an instance", NoReboot=True)["ImageId"]])
    for number in range(50):  # CI-13; mostly one of the first two is cut too late
        made = instance(kiln)
        failed = kiln.ec2.create_image(InstanceId=made, Name=f"of one that ends {number}")["ImageId"]
        kiln.ec2.terminate_instances(InstanceIds=[made])
        wait_until(lambda image=failed: image_of(kiln, image)["State"] != "pending", 30, "it is decided")
        if image_of(kiln, failed)["State"] == "failed":
            break
    assert image_of(kiln, failed)["StateReason"]["Code"] == "Client.InstanceTerminated"
    trial.fails("failed", ImageIds=[kiln.image, failed])


def image_of(kiln, image):
    return kiln.ec2.describe_images(ImageIds=[image])["Images"][0]


@waits("ec2", "SnapshotCompleted")
def _(kiln, trial):
    trial.succeeds("completed", SnapshotIds=[kiln.ec2.create_snapshot(VolumeId=volume(kiln))["SnapshotId"]])
    left = kiln.client("ebs").start_snapshot(VolumeSize=1, Timeout=10)["SnapshotId"]  # minutes
    assert trial.error(FEW, {"SnapshotIds": [left]}).startswith("Max attempts exceeded")
    clock.restart_later(kiln, 1200)
    later = Signer((kiln.access_key, kiln.secret_key), age=-1200)
    wait_until(lambda: "<status>error</status>" in call(kiln.endpoint, "ec2", "DescribeSnapshots", {"SnapshotId.1": left}, later).body, 60, "its time is over")
    kiln.environment = {}
    kiln.restart()
    for service in ("ec2", "iam", "ssm"):
        setattr(kiln, service, kiln.client(service))
    trial.waiter = kiln.ec2.get_waiter("snapshot_completed")
    trial.fails("error", SnapshotIds=[kiln.snapshot, left])


@waits("ec2", "VolumeAvailable")
def _(kiln, trial):
    trial.succeeds("available", VolumeIds=[kiln.ec2.create_volume(Size=1, AvailabilityZone=ZONE)["VolumeId"]])
    trial.is_not_shown("failure", "deleted")
    trial.errs("InvalidVolume.NotFound", VolumeIds=[deleted_volume(kiln)])


@waits("ec2", "VolumeInUse")
def _(kiln, trial):
    zone = {"AvailabilityZone": ZONE}
    made = volume(kiln)
    kiln.ec2.attach_volume(VolumeId=made, InstanceId=instance(kiln, Placement=zone), Device="/dev/sdh")
    trial.succeeds("in-use", VolumeIds=[made])
    trial.is_not_shown("failure", "deleted")
    trial.errs("InvalidVolume.NotFound", VolumeIds=[deleted_volume(kiln)])
    reason = trial.error(FEW, {"VolumeIds": [volume(kiln)]})
    assert reason.startswith("Max attempts exceeded"), reason


@waits("ec2", "VolumeDeleted")
def _(kiln, trial):
    trial.is_not_shown("success", "deleted")
    trial.succeeds("InvalidVolume.NotFound", VolumeIds=[deleted_volume(kiln)])


@waits("ec2", "KeyPairExists")
def _(kiln, trial):
    trial.begun_before(True, "InvalidKeyPair.NotFound", lambda: kiln.ec2.create_key_pair(KeyName="waited-for"), KeyNames=["waited-for"])
    trial.goes_on("InvalidKeyPair.NotFound", KeyNames=["nobody's"])


@waits("ec2", "SecurityGroupExists")
def _(kiln, trial):
    make = lambda: kiln.ec2.create_security_group(GroupName="waited-for", Description="x")  # noqa: E731
    trial.begun_before(True, "InvalidGroup.NotFound", make, GroupNames=["waited-for"])
    trial.goes_on("InvalidGroup.NotFound", GroupIds=["sg-0fedcba9876543210"])


@waits("ec2", "InternetGatewayExists")
def _(kiln, trial):
    trial.succeeds(True, InternetGatewayIds=[kiln.ec2.describe_internet_gateways()["InternetGateways"][0]["InternetGatewayId"]])
    trial.is_not_shown("retry", "InvalidInternetGateway.NotFound")  # botocore waits for a code that EC2 does not send either
    trial.errs("InvalidInternetGatewayID.NotFound", InternetGatewayIds=["igw-0fedcba9876543210"])


@waits("ec2", "NetworkInterfaceAvailable")
def _(kiln, trial):
    trial.fails("InvalidNetworkInterfaceID.NotFound", NetworkInterfaceIds=["eni-0fedcba9876543210"])
    trial.is_not_shown("success", "available")  # NET-6: an interface belongs to its instance
    made = instance(kiln)
    interface = kiln.ec2.describe_network_interfaces(Filters=[{"Name": "attachment.instance-id", "Values": [made]}])["NetworkInterfaces"][0]
    reason = trial.error(FEW, {"NetworkInterfaceIds": [interface["NetworkInterfaceId"]]})
    assert reason.startswith("Max attempts exceeded"), reason


@waits("ec2", "SubnetAvailable")
def _(kiln, trial):
    trial.succeeds("available", SubnetIds=[kiln.ec2.describe_subnets()["Subnets"][0]["SubnetId"]])
    trial.errs("InvalidSubnetID.NotFound", SubnetIds=["subnet-0fedcba9876543210"])


@waits("ec2", "VpcAvailable")
def _(kiln, trial):
    trial.succeeds("available", VpcIds=[kiln.ec2.create_vpc(CidrBlock="10.2.0.0/16")["Vpc"]["VpcId"]])
    trial.errs("InvalidVpcID.NotFound", VpcIds=["vpc-0fedcba9876543210"])


@waits("ec2", "VpcExists")
def _(kiln, trial):
    trial.succeeds(200, VpcIds=[kiln.ec2.create_vpc(CidrBlock="10.3.0.0/16")["Vpc"]["VpcId"]])
    trial.goes_on("InvalidVpcID.NotFound", VpcIds=["vpc-0fedcba9876543210"])


@waits("ec2", "ImageUsageReportAvailable")
def _(kiln, trial):
    made = kiln.ec2.create_image_usage_report(ImageId=kiln.image, ResourceTypes=[{"ResourceType": "ec2:Instance"}])["ReportId"]
    trial.succeeds("available", ReportIds=[made])
    trial.is_not_shown("failure", "failed")  # it is made when the request is answered


@waits("iam", "RoleExists")
def _(kiln, trial):
    trial.begun_before(200, "NoSuchEntity", lambda: kiln.iam.create_role(RoleName="waited-for", AssumeRolePolicyDocument=TRUST), RoleName="waited-for")
    trial.goes_on("NoSuchEntity", RoleName="nobody")


@waits("iam", "UserExists")
def _(kiln, trial):
    trial.begun_before(200, "NoSuchEntity", lambda: kiln.iam.create_user(UserName="waited-for"), UserName="waited-for")
    trial.goes_on("NoSuchEntity", UserName="nobody")


@waits("iam", "InstanceProfileExists")
def _(kiln, trial):
    make = lambda: kiln.iam.create_instance_profile(InstanceProfileName="waited-for")  # noqa: E731
    trial.begun_before(200, 404, make, InstanceProfileName="waited-for")
    trial.goes_on(404, InstanceProfileName="nobody")


def test_CL_1_every_waiter(kiln):
    found, wrong = of_botocore("waiters-2", "waiters"), []
    assert len(found) >= 20 and set(found) - set(WAITERS) == set(), f"not tried: {sorted(set(found) - set(WAITERS))}"
    for (service, name), facts in found.items():
        trial = Trial(kiln, getattr(kiln, service), name)
        try:
            WAITERS[service, name](kiln, trial)
        except AssertionError as error:
            wrong.append(f"{service} {name}: {error}")
            continue
        missing = {(acceptor["state"], acceptor["expected"]) for acceptor in facts["acceptors"]} - trial.met
        if missing:
            wrong.append(f"{service} {name}: not met: {sorted(missing, key=str)}")
    assert not wrong, "\n".join(wrong)


if __name__ == "__main__":
    kiln_test.main(seconds=240)
