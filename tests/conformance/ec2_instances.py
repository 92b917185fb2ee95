#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""RunInstances, DescribeInstances and TerminateInstances over the scripted hypervisor: records, filters, pages, tokens."""

import json
import os
import re
import sys
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from botocore.exceptions import ClientError  # noqa: E402
from kiln_test import wait_until  # noqa: E402
from kiln_test.query import query  # noqa: E402
from kiln_test.refusals import expect  # noqa: E402


@kiln_test.fixture
def service():
    with kiln_test.api_service() as kiln:
        yield kiln


def launch(ec2, image, count=1, **more):
    return ec2.run_instances(ImageId=image, InstanceType="t2.nano", MinCount=count, MaxCount=count, **more)


def instances(ec2, **wanted):
    return [i for r in ec2.describe_instances(**wanted)["Reservations"] for i in r["Instances"]]


def wait_for(ec2, ids, state):
    wait_until(
        lambda: all(i["State"]["Name"] == state for i in instances(ec2, InstanceIds=ids)), 30, f"{ids} are {state}"
    )


def layers(kiln):
    """Ids of the layers on disk."""
    names = os.listdir(os.path.join(kiln.data, "layers"))
    return {re.search(r"layer-[0-9a-f]{17}", name).group() for name in names}


def end(ec2, ids):
    ec2.terminate_instances(InstanceIds=ids)
    wait_for(ec2, ids, "terminated")


def test_RUN_11_INS_5_a_reservation_is_described_at_once_and_whole(service):
    ec2 = service.client("ec2")
    tags = [{"Key": "Name", "Value": "web"}]
    made = launch(
        ec2, service.image, 3, EbsOptimized=True,
        TagSpecifications=[{"ResourceType": "instance", "Tags": tags}, {"ResourceType": "volume", "Tags": tags}],
        BlockDeviceMappings=[{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 2, "VolumeType": "gp3"}}],
    )  # fmt: skip
    ids = [i["InstanceId"] for i in made["Instances"]]
    assert [i["AmiLaunchIndex"] for i in made["Instances"]] == [0, 1, 2]
    reservation = ec2.describe_instances(InstanceIds=ids)["Reservations"]
    assert len(reservation) == 1 and reservation[0]["ReservationId"] == made["ReservationId"]
    wait_for(ec2, ids, "running")
    seen = instances(ec2, InstanceIds=ids)[0]
    assert seen["ImageId"] == service.image and seen["InstanceType"] == "t2.nano" and seen["EbsOptimized"]
    assert seen["RootDeviceName"] == "/dev/xvda" and seen["RootDeviceType"] == "ebs" and seen["Hypervisor"] == "xen"
    assert seen["Placement"]["AvailabilityZone"] == "us-east-1a" and seen["Tags"] == tags
    devices = {m["DeviceName"]: m["Ebs"] for m in seen["BlockDeviceMappings"]}
    assert sorted(devices) == ["/dev/sdf", "/dev/xvda"]
    # BDM-8: the root goes with its instance, other volumes stay unless somebody says otherwise.
    assert devices["/dev/xvda"]["DeleteOnTermination"] and not devices["/dev/sdf"]["DeleteOnTermination"]
    assert devices["/dev/xvda"]["Status"] == "attached"
    end(ec2, ids)


def reservation(preference):
    return {"CapacityReservationSpecification": {"CapacityReservationPreference": preference}}


def test_RUN_15_what_every_instance_has_may_be_asked_for(service):
    ec2 = service.client("ec2")

    def asked(**more):
        return ec2.run_instances(ImageId=service.image, MinCount=1, MaxCount=1, **{"InstanceType": "t3.nano", **more})

    # As the current Packer launches.
    made = asked(CreditSpecification={"CpuCredits": "standard"}, **reservation("none"))["Instances"]
    made += asked(CreditSpecification={"CpuCredits": "unlimited"}, **reservation("open"))["Instances"]
    made += asked(Monitoring={"Enabled": False}, HibernationOptions={"Configured": False}, EnclaveOptions={"Enabled": False})["Instances"]
    # What DescribeInstances shows of one may be said of the next.
    made += asked(CpuOptions={"CoreCount": 1, "ThreadsPerCore": 2}, MaintenanceOptions={"AutoRecovery": "default"})["Instances"]
    made += asked(PrivateDnsNameOptions={"HostnameType": "ip-name", "EnableResourceNameDnsARecord": False})["Instances"]
    end(ec2, [instance["InstanceId"] for instance in made])
    for code, wrong in (
        ("UnsupportedOperation", {"CpuOptions": {"CoreCount": 1, "ThreadsPerCore": 1}}),
        ("UnsupportedOperation", {"MaintenanceOptions": {"AutoRecovery": "disabled"}}),
        ("UnsupportedOperation", {"PrivateDnsNameOptions": {"HostnameType": "resource-name"}}),
        ("UnsupportedOperation", {"PrivateDnsNameOptions": {"EnableResourceNameDnsARecord": True}}),
        ("InvalidParameterValue", {"CreditSpecification": {"CpuCredits": "free"}}),
        ("InstanceCreditSpecification.NotSupported", {"CreditSpecification": {"CpuCredits": "standard"}, "InstanceType": "m5.large"}),
    ):
        expect(code, asked, **wrong)
    wanted = {"ImageId": service.image, "InstanceType": "t3.nano", "MinCount": 1, "MaxCount": 1}
    for name, value in (  # which boto3 is too old to know
        ("CpuOptions.AmdSevSnp", "enabled"),
        ("CpuOptions.NestedVirtualization", "enabled"),
        ("NetworkPerformanceOptions.BandwidthWeighting", "ebs-1"),
        ("BlockDeviceMapping.1.Ebs.EbsCardIndex", "1"),
    ):
        answer = query(service, "RunInstances", {**wanted, "BlockDeviceMapping.1.DeviceName": "/dev/xvda", name: value})
        assert answer.code == "UnsupportedOperation", (name, answer.body)
    usual = {"CpuOptions.AmdSevSnp": "disabled", "NetworkPerformanceOptions.BandwidthWeighting": "default"}
    assert query(service, "RunInstances", {**wanted, **usual, "DryRun": "true"}).code == "DryRunOperation"
    for name in ("AvailabilityZone", "AvailabilityZoneId"):  # BDM-20
        entry = {"BlockDeviceMapping.1.DeviceName": "/dev/sdf", "BlockDeviceMapping.1.Ebs.VolumeSize": "1"}
        answer = query(service, "RunInstances", {**wanted, **entry, f"BlockDeviceMapping.1.Ebs.{name}": "us-east-1a"})
        assert answer.code == "InvalidParameterCombination" and name in answer.message, answer.body


def test_RUN_16_an_instance_shows_the_preference_it_was_launched_with(service):
    ec2 = service.client("ec2")
    name = "capacity-reservation-specification.capacity-reservation-preference"
    made = {}
    for asked, more in (("usual", {}), ("open", reservation("open")), ("none", reservation("none"))):
        instance = launch(ec2, service.image, **more)["Instances"][0]
        made[asked] = instance["InstanceId"]
        shown = reservation("open" if asked == "usual" else asked)["CapacityReservationSpecification"]
        assert instance["CapacityReservationSpecification"] == shown, instance
        assert instances(ec2, InstanceIds=[instance["InstanceId"]])[0]["CapacityReservationSpecification"] == shown
    ids = list(made.values())
    for values, found in ((["none"], {made["none"]}), (["open"], {made["usual"], made["open"]}), (["*"], set(ids)), (["closed"], set())):
        seen = instances(ec2, Filters=[{"Name": name, "Values": values}, {"Name": "instance-id", "Values": ids}])
        assert {instance["InstanceId"] for instance in seen} == found, (values, seen)
    wait_for(ec2, ids, "running")
    ec2.stop_instances(InstanceIds=[made["none"]])
    wait_for(ec2, [made["none"]], "stopped")
    ec2.start_instances(InstanceIds=[made["none"]])
    wait_for(ec2, [made["none"]], "running")
    seen = instances(ec2, InstanceIds=[made["none"]])[0]
    assert seen["CapacityReservationSpecification"] == reservation("none")["CapacityReservationSpecification"], seen
    end(ec2, ids)
    target = {"CapacityReservationTarget": {"CapacityReservationId": "cr-01234567890123456"}}
    for code, wrong, named in (
        ("UnsupportedOperation", reservation("capacity-reservations-only"), "CapacityReservationPreference"),
        ("InvalidParameterValue", reservation("closed"), "CapacityReservationPreference"),
        ("UnsupportedOperation", {"CapacityReservationSpecification": target}, "CapacityReservationTarget"),
    ):
        assert named in expect(code, launch, ec2=ec2, image=service.image, **wrong)


def test_INS_2_INS_3_aws_waiters_and_the_cli_work_unmodified(service):
    made = service.aws("ec2", "run-instances", "--image-id", service.image, "--instance-type", "t2.nano")
    instance = made["Instances"][0]["InstanceId"]
    ec2 = service.client("ec2")
    ec2.get_waiter("instance_running").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    ended = service.aws("ec2", "terminate-instances", "--instance-ids", instance)["TerminatingInstances"][0]
    assert ended["PreviousState"]["Name"] == "running" and ended["CurrentState"]["Name"] == "shutting-down", ended
    ec2.get_waiter("instance_terminated").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    seen = instances(ec2, InstanceIds=[instance])[0]
    assert seen["StateReason"]["Code"] == "Client.UserInitiatedShutdown", seen["StateReason"]
    reason = seen["StateTransitionReason"]
    assert re.fullmatch(r"User initiated \(20\d\d-\d\d-\d\d \d\d:\d\d:\d\d GMT\)", reason), reason
    # TRM-1: once more is no error.
    again = ec2.terminate_instances(InstanceIds=[instance])["TerminatingInstances"][0]
    assert again["PreviousState"]["Name"] == again["CurrentState"]["Name"] == "terminated", again


def test_FLT_filters_select_by_any_attribute(service):
    ec2 = service.client("ec2")
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "role", "Value": "blue*"}, {"Key": "empty", "Value": ""}]}]
    one = launch(ec2, service.image, TagSpecifications=tags)["Instances"][0]["InstanceId"]
    two = launch(ec2, service.image, Placement={"AvailabilityZone": "us-east-1b"})["Instances"][0]["InstanceId"]
    wait_for(ec2, [one, two], "running")

    def found(*filters):
        query = [{"Name": name, "Values": values} for name, values in filters]
        return {i["InstanceId"] for i in instances(ec2, Filters=query)} & {one, two}

    assert found(("image-id", [service.image])) == {one, two}
    assert found(("availability-zone", ["us-east-1b"])) == {two}
    assert found(("tag:role", ["blue\\*"])) == {one}
    assert found(("tag:role", ["blue"])) == set()
    assert found(("tag-key", ["ro?e"]), ("tag:empty", [""])) == {one}
    assert found(("instance-id", [one]), ("availability-zone", ["us-east-1b"])) == set()
    assert found(("instance-state-code", ["16"])) == {one, two}
    assert found(("launch-time", ["20*T*"])) == {one, two}
    assert found(("block-device-mapping.device-name", ["/dev/xvd?"])) == {one, two}
    try:
        ec2.describe_instances(Filters=[{"Name": "colour", "Values": ["red"]}])
        raise AssertionError("an unknown filter was accepted")
    except ClientError as error:
        assert error.response["Error"]["Message"] == "The filter 'colour' is invalid", error
    end(ec2, [one, two])


def test_INS_6_FLT_10_options_are_found_and_what_no_instance_has_finds_none(service):
    ec2 = service.client("ec2")
    strict = launch(ec2, service.image, MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 3})["Instances"][0]
    loose = launch(ec2, service.image, MetadataOptions={"HttpTokens": "optional", "HttpEndpoint": "disabled", "InstanceMetadataTags": "enabled"})
    one, two = strict["InstanceId"], loose["Instances"][0]["InstanceId"]
    wait_for(ec2, [one, two], "running")

    def found(name, *values):
        return {i["InstanceId"] for i in instances(ec2, Filters=[{"Name": name, "Values": list(values)}])} & {one, two}

    for name, value, ids in (
        ("metadata-options.http-tokens", "required", {one}),
        ("metadata-options.http-tokens", "optional", {two}),
        ("metadata-options.http-put-response-hop-limit", "3", {one}),
        ("metadata-options.http-endpoint", "disabled", {two}),
        ("metadata-options.http-protocol-ipv4", "enabled", {one}),
        ("metadata-options.http-protocol-ipv6", "disabled", {one, two}),
        ("metadata-options.instance-metadata-tags", "enabled", {two}),
        ("metadata-options.state", "applied", {one, two}),
        ("enclave-options.enabled", "false", {one, two}),
        ("hibernation-options.configured", "true", set()),
        ("operator.managed", "false", {one, two}),
        ("network-interface.operator.managed", "false", {one, two}),
        ("network-interface.attachment.network-card-index", "0", {one, two}),
        ("network-interface.addresses.private-dns-name", strict["PrivateDnsName"], {one}),
        ("private-dns-name-options.hostname-type", "ip-name", {one, two}),
        ("private-dns-name-options.enable-resource-name-dns-a-record", "false", {one, two}),
        ("usage-operation-update-time", "20*T*Z", {one, two}),
    ):
        assert found(name, value) == ids, name
    for name in (
        "affinity", "host-id", "instance-lifecycle", "ipv6-address", "kernel-id", "network-interface.ipv6-addresses.ipv6-address",
        "network-interface.requester-id", "operator.principal", "outpost-arn", "placement-group-name", "product-code", "product-code.type",
        "ramdisk-id", "requester-id", "spot-instance-request-id", "tpm-support",
    ):  # fmt: skip
        assert found(name, "*") == set(), name
    # What EC2 says of every instance.
    (shown,) = instances(ec2, InstanceIds=[one])
    assert shown["ProductCodes"] == [], shown
    names = {"HostnameType": "ip-name", "EnableResourceNameDnsARecord": False, "EnableResourceNameDnsAAAARecord": False}
    assert shown["PrivateDnsNameOptions"] == names, shown
    answer = query(service, "DescribeInstances", {"InstanceId.1": one})
    assert answer.texts("reservationSet/item/instancesSet/item/operator/managed") == ["false"], answer.body

    def statuses(name, value):
        wanted = {"InstanceId.1": one, "Filter.1.Name": name, "Filter.1.Value.1": value}
        return query(service, "DescribeInstanceStatus", wanted).texts("instanceStatusSet/item/instanceId")

    assert statuses("operator.managed", "false") == [one]
    assert statuses("event.code", "*") == statuses("attached-ebs-status.status", "impaired") == []
    end(ec2, [one, two])


def test_PAG_pages_neither_repeat_nor_drop_and_tokens_are_bound(service):
    ec2 = service.client("ec2")
    ids = {launch(ec2, service.image)["Instances"][0]["InstanceId"] for _ in range(12)}
    running = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
    seen, pages, token = [], 0, None
    while True:
        page = ec2.describe_instances(Filters=running, MaxResults=5, **({"NextToken": token} if token else {}))
        seen += [i["InstanceId"] for r in page["Reservations"] for i in r["Instances"]]
        pages += 1
        token = page.get("NextToken")
        if not token:
            break
        try:
            ec2.describe_instances(MaxResults=5, NextToken=token)
            raise AssertionError("a token was taken by another request")
        except ClientError as error:
            assert error.response["Error"]["Code"] == "InvalidNextToken", error
    assert pages == 3 and len(seen) == 12 and set(seen) == ids, (pages, seen)
    for query, code in (
        ({"MaxResults": 4}, "InvalidParameterValue"),
        ({"MaxResults": 5, "InstanceIds": seen[:1]}, "InvalidParameterCombination"),
        ({"NextToken": "garbage"}, "InvalidNextToken"),
    ):
        try:
            ec2.describe_instances(**query)
            raise AssertionError(f"{query} was accepted")
        except ClientError as error:
            assert error.response["Error"]["Code"] == code, error
    end(ec2, seen)


def test_IDM_a_client_token_launches_once(service):
    ec2 = service.client("ec2")
    token = str(uuid.uuid4())
    first = launch(ec2, service.image, ClientToken=token)
    again = launch(ec2, service.image, ClientToken=token)
    instance = first["Instances"][0]["InstanceId"]
    assert again["ReservationId"] == first["ReservationId"] and again["Instances"][0]["InstanceId"] == instance
    mismatch = "IdempotentParameterMismatch"
    for change, code in (({"EbsOptimized": True}, mismatch), (reservation("none"), mismatch), ({}, None)):
        try:
            launch(ec2, service.image, ClientToken=token, **change)
            assert code is None
        except ClientError as error:
            assert error.response["Error"]["Code"] == code, error
    end(ec2, [instance])
    try:
        launch(ec2, service.image, ClientToken=token)
        raise AssertionError("a token of a terminated launch was taken")
    except ClientError as error:
        assert error.response["Error"]["Code"] == "IdempotentInstanceTerminated", error


def test_TRM_1_protection_holds_for_the_whole_zone(service):
    ec2 = service.client("ec2")
    safe = launch(ec2, service.image, DisableApiTermination=True)["Instances"][0]["InstanceId"]
    beside = launch(ec2, service.image)["Instances"][0]["InstanceId"]
    away = launch(ec2, service.image, Placement={"AvailabilityZone": "us-east-1c"})["Instances"][0]["InstanceId"]
    wait_for(ec2, [safe, beside, away], "running")
    # WIRE-8: a dry run is told what the request itself would be.
    assert safe in expect("OperationNotPermitted", ec2.terminate_instances, InstanceIds=[safe, away], DryRun=True)
    expect("DryRunOperation", ec2.terminate_instances, InstanceIds=[beside], DryRun=True)
    wait_for(ec2, [safe, beside, away], "running")
    try:
        ec2.terminate_instances(InstanceIds=[safe, beside, away])
        raise AssertionError("a protected instance was terminated")
    except ClientError as error:
        assert error.response["Error"]["Code"] == "OperationNotPermitted", error
        assert safe in error.response["Error"]["Message"]
    wait_for(ec2, [away], "terminated")
    wait_for(ec2, [safe, beside], "running")
    try:
        ec2.terminate_instances(InstanceIds=[beside, "i-0123456789abcdef0"])
        raise AssertionError("an unknown id was passed over")
    except ClientError as error:
        assert error.response["Error"]["Code"] == "InvalidInstanceID.NotFound", error
    wait_for(ec2, [beside], "running")
    end(ec2, [beside])


def test_TRM_1_a_request_names_up_to_a_thousand_instances(service):
    ec2 = service.client("ec2")
    made = launch(ec2, service.image)["Instances"][0]["InstanceId"]
    wait_for(ec2, [made], "running")
    unknown = [f"i-{number:017x}" for number in range(1, 1001)]
    message = expect("InvalidParameterValue", ec2.terminate_instances, InstanceIds=[made, *unknown])
    assert "1000" in message, message
    expect("InvalidParameterValue", ec2.terminate_instances, InstanceIds=[made, *unknown], DryRun=True)
    expect("InvalidInstanceID.NotFound", ec2.terminate_instances, InstanceIds=unknown)
    wait_for(ec2, [made], "running")
    end(ec2, [made])


def test_VOL_7_a_volume_without_delete_on_termination_outlives_its_instance_and_the_root_goes(service):
    ec2 = service.client("ec2")
    before = layers(service)
    made = launch(ec2, service.image, BlockDeviceMappings=[{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 1}}])
    instance = made["Instances"][0]["InstanceId"]
    wait_for(ec2, [instance], "running")
    volumes = {m["DeviceName"]: m["Ebs"]["VolumeId"] for m in instances(ec2, InstanceIds=[instance])[0]["BlockDeviceMappings"]}
    end(ec2, [instance])
    kept = json.loads(service.run("inspect", volumes["/dev/sdf"]).stdout)
    assert kept["state"] == "available" and "instanceId" not in kept, kept
    gone = service.run("inspect", volumes["/dev/xvda"], check=False)
    assert "InvalidVolume.NotFound" in gone.stderr, gone.stderr
    wait_until(lambda: layers(service) - before == {kept["activeLayer"]}, 20, "only the kept volume's layer is left")


def test_BDM_18_64_tib_launch_like_any_other_size(service):
    ec2 = service.client("ec2")
    size = [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 65536, "VolumeType": "gp3"}}]
    instance = launch(ec2, service.image, BlockDeviceMappings=size)["Instances"][0]["InstanceId"]
    wait_for(ec2, [instance], "running")
    end(ec2, [instance])


if __name__ == "__main__":
    kiln_test.main()
