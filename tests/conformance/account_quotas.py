#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""kiln serve --limits FILE: of each thing an account has as many as its quota says, and not one more; what is refused has changed nothing."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from botocore.exceptions import ClientError  # noqa: E402
from kiln_test import wait_until  # noqa: E402
from kiln_test.paths import KILN, TEMPORARY, clean_environment  # noqa: E402
from kiln_test.query import query  # noqa: E402
from kiln_test.refusals import expect  # noqa: E402

ZONE, ELSEWHERE = "us-east-1a", "eu-west-1"


@contextlib.contextmanager
def quotas(values):
    """A service with these quotas, which has one image with one snapshot; `friend` is another account, that may use both."""
    with tempfile.TemporaryDirectory(prefix="kt-", dir=TEMPORARY) as folder:
        path = os.path.join(folder, "limits.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"quotas": values}, file)
        with kiln_test.api_service("--limits", path) as kiln:
            kiln.limits = path
            kiln.friend = kiln.account("friend")
            ec2 = kiln.client("ec2")
            user = [{"UserId": kiln.friend.id}]
            ec2.modify_image_attribute(ImageId=kiln.image, LaunchPermission={"Add": user})
            ec2.modify_snapshot_attribute(SnapshotId=kiln.snapshot, Attribute="createVolumePermission", OperationType="add", UserIds=[kiln.friend.id])
            yield kiln


def restart(kiln, values):
    with open(kiln.limits, "w", encoding="utf-8") as file:
        json.dump({"quotas": values}, file)
    kiln.restart()
    return kiln.client("ec2")


def refused(code, call, **parameters):
    """By this code, told by DryRun too."""
    message = expect(code, call, **parameters)
    assert expect(code, call, DryRun=True, **parameters) == message
    return message


def done(answer):
    assert not answer.code, answer.body


def images(ec2):
    return sorted(image["ImageId"] for image in ec2.describe_images(Owners=["self"])["Images"])


def snapshots(ec2):
    return sorted(snapshot["SnapshotId"] for snapshot in ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"])


def volumes(ec2):
    return sorted((volume["VolumeId"], volume["Size"], volume["VolumeType"]) for volume in ec2.describe_volumes()["Volumes"])


def instances(ec2):
    found = [instance for item in ec2.describe_instances()["Reservations"] for instance in item["Instances"]]
    return sorted((instance["InstanceId"], instance["State"]["Name"]) for instance in found if instance["State"]["Name"] != "terminated")


def state(ec2, instance):
    return ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]["State"]["Name"]


def wait_for(ec2, instance, wanted):
    wait_until(lambda: state(ec2, instance) == wanted, 30, f"{instance} is {wanted}")


def launch(kiln, ec2, least=1, most=1, **more):
    more = {"InstanceType": "t3.micro", **more}
    return [made["InstanceId"] for made in ec2.run_instances(ImageId=kiln.image, MinCount=least, MaxCount=most, **more)["Instances"]]


def registration(kiln, name):
    disk = {"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": kiln.snapshot}}
    return {"Name": name, "Architecture": "x86_64", "VirtualizationType": "hvm", "RootDeviceName": "/dev/xvda", "BlockDeviceMappings": [disk]}


def test_QT_1_QT_5_images():
    with quotas({"images": 3}) as kiln:
        ec2 = kiln.client("ec2")
        second = ec2.register_image(**registration(kiln, "second"))["ImageId"]
        copy = {"SourceRegion": "us-east-1", "SourceImageId": kiln.image}
        third = ec2.copy_image(Name="third", ClientToken="t", **copy)["ImageId"]
        (instance,) = launch(kiln, ec2)
        wait_for(ec2, instance, "running")
        before = images(ec2), snapshots(ec2)
        message = refused("ResourceLimitExceeded", ec2.register_image, **registration(kiln, "fourth"))
        assert "3 images" in message and "us-east-1" in message, message
        refused("ResourceLimitExceeded", ec2.copy_image, Name="fourth", **copy)
        for no_reboot in (True, False):
            refused("ResourceLimitExceeded", ec2.create_image, InstanceId=instance, Name="fourth", NoReboot=no_reboot)
        failed = kiln.run("import", kiln.raw, "--name", "fourth", check=False)
        assert failed.returncode != 0 and "quota of 3 images" in failed.stderr, failed.stderr
        assert (images(ec2), snapshots(ec2)) == before and state(ec2, instance) == "running"
        # What the token was answered stays answered (IDM-2).
        assert ec2.copy_image(Name="third", ClientToken="t", **copy)["ImageId"] == third
        # A disabled one counts, a deregistered one does not.
        done(query(kiln, "DisableImage", {"ImageId": second}))
        expect("ResourceLimitExceeded", ec2.copy_image, Name="fourth", **copy)
        ec2.deregister_image(ImageId=third)
        made = ec2.create_image(InstanceId=instance, Name="fourth", NoReboot=True)["ImageId"]
        refused("ResourceLimitExceeded", ec2.copy_image, Name="fifth", **copy)
        assert images(ec2) == sorted([kiln.image, made])  # disabled ones are not listed
        # Another region and another account have their own.
        there = kiln.client("ec2", ELSEWHERE)
        theirs = kiln.friend.client("ec2")
        for client in (there, theirs):
            for name in ("first", "second", "third"):
                client.copy_image(Name=name, **copy)
            refused("ResourceLimitExceeded", client.copy_image, Name="fourth", **copy)
            assert len(images(client)) == 3


def test_QT_1_public_images():
    with quotas({"publicImages": 1}) as kiln:
        ec2 = kiln.client("ec2")
        everybody = {"LaunchPermission": {"Add": [{"Group": "all"}]}}
        nobody = {"LaunchPermission": {"Remove": [{"Group": "all"}]}}
        second = ec2.register_image(**registration(kiln, "second"))["ImageId"]
        done(query(kiln, "DisableImageBlockPublicAccess"))
        ec2.modify_image_attribute(ImageId=kiln.image, **everybody)
        before = ec2.describe_images(ImageIds=[second])["Images"]
        refused("ResourceLimitExceeded", ec2.modify_image_attribute, ImageId=second, **everybody)
        assert ec2.describe_images(ImageIds=[second])["Images"] == before
        ec2.modify_image_attribute(ImageId=kiln.image, **everybody)  # LP-4: it is, already
        ec2.modify_image_attribute(ImageId=kiln.image, **nobody)
        ec2.modify_image_attribute(ImageId=second, **everybody)
        ec2.deregister_image(ImageId=second)
        ec2.modify_image_attribute(ImageId=kiln.image, **everybody)


def test_LP_6_QT_5_shares_of_an_image():
    with quotas({"sharesPerImage": 3}) as kiln:
        ec2 = kiln.client("ec2")

        def change(how, *numbers):
            return {"ImageId": kiln.image, "LaunchPermission": {how: [{"UserId": f"{number:012d}"} for number in numbers]}}

        def shares():
            return len(ec2.describe_image_attribute(ImageId=kiln.image, Attribute="launchPermission")["LaunchPermissions"])

        ec2.modify_image_attribute(**change("Add", 1, 2))  # and the friend
        refused("ResourceLimitExceeded", ec2.modify_image_attribute, **change("Add", 3))
        ec2.modify_image_attribute(**change("Add", 1))  # LP-4
        assert shares() == 3
        # Lowered, it takes nothing away and lets what is beyond it become less.
        ec2 = restart(kiln, {"sharesPerImage": 1})
        expect("ResourceLimitExceeded", ec2.modify_image_attribute, **change("Add", 3))
        ec2.modify_image_attribute(**change("Remove", 1))
        assert shares() == 2


def test_QT_1_QT_5_snapshots():
    with quotas({"snapshots": 4}) as kiln:
        ec2, ebs = kiln.client("ec2"), kiln.client("ebs")
        disk = {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 1, "DeleteOnTermination": True}}
        (instance,) = launch(kiln, ec2, BlockDeviceMappings=[disk])
        wait_for(ec2, instance, "running")
        pair = ec2.create_snapshots(InstanceSpecification={"InstanceId": instance})["Snapshots"]
        assert len(pair) == 2 and len(snapshots(ec2)) == 3
        # All or none of those of one request.
        before = images(ec2), snapshots(ec2)
        refused("SnapshotLimitExceeded", ec2.create_snapshots, InstanceSpecification={"InstanceId": instance})
        for no_reboot in (True, False):
            refused("SnapshotLimitExceeded", ec2.create_image, InstanceId=instance, Name="two disks", NoReboot=no_reboot)
        assert (images(ec2), snapshots(ec2)) == before and state(ec2, instance) == "running"
        last = ec2.copy_snapshot(SourceRegion="us-east-1", SourceSnapshotId=kiln.snapshot)["SnapshotId"]
        before = images(ec2), snapshots(ec2)
        volume = ec2.create_volume(AvailabilityZone=ZONE, Size=1)["VolumeId"]
        message = refused("SnapshotLimitExceeded", ec2.create_snapshot, VolumeId=volume)
        assert "4 snapshots" in message, message
        refused("SnapshotLimitExceeded", ec2.copy_snapshot, SourceRegion="us-east-1", SourceSnapshotId=kiln.snapshot)
        refused("SnapshotLimitExceeded", ec2.copy_image, SourceRegion="us-east-1", SourceImageId=kiln.image, Name="copy")
        refused("SnapshotLimitExceeded", ec2.create_image, InstanceId=instance, Name="one disk", BlockDeviceMappings=[{"DeviceName": "/dev/sdf", "NoDevice": ""}])
        expect("ServiceQuotaExceededException", ebs.start_snapshot, VolumeSize=1)
        failed = kiln.run("import", kiln.raw, "--name", "another", check=False)
        assert failed.returncode != 0 and "quota of 4 snapshots" in failed.stderr, failed.stderr
        assert (images(ec2), snapshots(ec2)) == before
        ec2.delete_snapshot(SnapshotId=last)
        ec2.create_snapshot(VolumeId=volume)
        refused("SnapshotLimitExceeded", ec2.create_snapshot, VolumeId=volume)
        # Others, elsewhere, and what needs no snapshot.
        kiln.client("ec2", ELSEWHERE).copy_image(SourceRegion="us-east-1", SourceImageId=kiln.image, Name="copy")
        kiln.friend.client("ec2").copy_snapshot(SourceRegion="us-east-1", SourceSnapshotId=kiln.snapshot)
        ec2.register_image(**registration(kiln, "of the same"))


def test_QT_1_uploads():
    with quotas({"pendingUploads": 2}) as kiln:
        ec2, ebs = kiln.client("ec2"), kiln.client("ebs")
        first = ebs.start_snapshot(VolumeSize=1, ClientToken="one")["SnapshotId"]
        second = ebs.start_snapshot(VolumeSize=1)["SnapshotId"]
        before = snapshots(ec2)
        expect("ServiceQuotaExceededException", ebs.start_snapshot, VolumeSize=1)
        try:
            ebs.start_snapshot(VolumeSize=1)
        except ClientError as error:
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 402, error.response
        assert ebs.start_snapshot(VolumeSize=1, ClientToken="one")["SnapshotId"] == first
        assert snapshots(ec2) == before
        kiln.client("ebs", ELSEWHERE).start_snapshot(VolumeSize=1)
        kiln.friend.client("ebs").start_snapshot(VolumeSize=1)
        # One that is completed or deleted gives its place back.
        ebs.complete_snapshot(SnapshotId=first, ChangedBlocksCount=0)
        wait_until(lambda: ec2.describe_snapshots(SnapshotIds=[first])["Snapshots"][0]["State"] == "completed", 30, "it is completed")
        third = ebs.start_snapshot(VolumeSize=1)["SnapshotId"]
        expect("ServiceQuotaExceededException", ebs.start_snapshot, VolumeSize=1)
        ec2.delete_snapshot(SnapshotId=second)
        ebs.start_snapshot(VolumeSize=1)
        assert third in snapshots(ec2)


def test_QT_1_volumes():
    with quotas({"volumes": 3}) as kiln:
        ec2 = kiln.client("ec2")
        one = ec2.create_volume(AvailabilityZone=ZONE, Size=1, ClientToken="one")["VolumeId"]
        (instance,) = launch(kiln, ec2)
        wait_for(ec2, instance, "running")
        two = ec2.create_volume(AvailabilityZone="us-east-1b", Size=1)["VolumeId"]
        before = volumes(ec2), instances(ec2)
        message = refused("VolumeLimitExceeded", ec2.create_volume, AvailabilityZone=ZONE, Size=1)
        assert "3 volumes" in message, message
        copied = query(kiln, "CopyVolumes", {"SourceVolumeId": one})
        assert copied.code == "VolumeLimitExceeded", copied.body
        replaced = query(kiln, "CreateReplaceRootVolumeTask", {"InstanceId": instance})
        assert replaced.code == "VolumeLimitExceeded", replaced.body
        refused("VolumeLimitExceeded", ec2.run_instances, ImageId=kiln.image, InstanceType="t3.micro", MinCount=1, MaxCount=1)
        assert (volumes(ec2), instances(ec2)) == before
        assert ec2.create_volume(AvailabilityZone=ZONE, Size=1, ClientToken="one")["VolumeId"] == one
        ec2.modify_volume(VolumeId=one, Size=2)  # it is one, however large
        kiln.client("ec2", ELSEWHERE).create_volume(AvailabilityZone=ELSEWHERE + "a", Size=1)
        kiln.friend.client("ec2").create_volume(AvailabilityZone=ZONE, Size=1)
        ec2.delete_volume(VolumeId=two)
        done(query(kiln, "CopyVolumes", {"SourceVolumeId": one}))
        refused("VolumeLimitExceeded", ec2.create_volume, AvailabilityZone=ZONE, Size=1)
        # The root goes with its instance.
        ec2.terminate_instances(InstanceIds=[instance])
        wait_for(ec2, instance, "terminated")
        ec2.create_volume(AvailabilityZone=ZONE, Size=1)


def test_QT_1_QT_6_storage_of_a_type():
    with quotas({"gibPerVolumeType": 10}) as kiln:
        ec2 = kiln.client("ec2")
        eight = ec2.create_volume(AvailabilityZone=ZONE, Size=8, VolumeType="gp3")["VolumeId"]
        before = volumes(ec2)
        message = refused("VolumeLimitExceeded", ec2.create_volume, AvailabilityZone=ZONE, Size=3, VolumeType="gp3")
        assert "maximum gp3 storage limit of 10 GiB" in message, message
        refused("VolumeLimitExceeded", ec2.modify_volume, VolumeId=eight, Size=11)
        assert volumes(ec2) == before
        two = ec2.create_volume(AvailabilityZone=ZONE, Size=2, VolumeType="gp3")["VolumeId"]
        refused("VolumeLimitExceeded", ec2.modify_volume, VolumeId=two, Size=3)
        # A type has its own, and a change of type goes by the new one.
        other = ec2.create_volume(AvailabilityZone=ZONE, Size=9, VolumeType="gp2")["VolumeId"]
        refused("VolumeLimitExceeded", ec2.modify_volume, VolumeId=two, VolumeType="gp2")
        refused("VolumeLimitExceeded", ec2.modify_volume, VolumeId=other, VolumeType="gp3")
        ec2.modify_volume(VolumeId=two, Throughput=130)
        # A launch takes what it needs of each type, of all its instances: its roots are 1 GiB of gp2.
        (instance,) = launch(kiln, ec2, 1, 3)
        wait_for(ec2, instance, "running")
        before = volumes(ec2), instances(ec2)
        refused("VolumeLimitExceeded", ec2.run_instances, ImageId=kiln.image, InstanceType="t3.micro", MinCount=1, MaxCount=1)
        root = [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeType": "io1", "Iops": 100, "VolumeSize": 4}}]
        disks = {"ImageId": kiln.image, "InstanceType": "t3.micro", "BlockDeviceMappings": root}
        described = ec2.describe_images(ImageIds=[kiln.image])["Images"][0]
        root[0]["DeviceName"] = described["RootDeviceName"]
        refused("VolumeLimitExceeded", ec2.run_instances, MinCount=3, MaxCount=3, **disks)
        assert (volumes(ec2), instances(ec2)) == before
        assert len(ec2.run_instances(MinCount=2, MaxCount=3, **disks)["Instances"]) == 2
        ec2.delete_volume(VolumeId=other)
        assert len(launch(kiln, ec2, 1, 3)) == 3
        kiln.friend.client("ec2").create_volume(AvailabilityZone=ZONE, Size=10, VolumeType="gp3")


def test_QT_1_QT_6_running_vcpus():
    with quotas({"vcpus": 6}) as kiln:
        ec2 = kiln.client("ec2")
        first, second = launch(kiln, ec2, 2, 2)  # 2 vCPUs each
        for instance in (first, second):
            wait_for(ec2, instance, "running")
        before = volumes(ec2), instances(ec2)
        want = {"ImageId": kiln.image, "InstanceType": "t3.micro"}
        message = refused("VcpuLimitExceeded", ec2.run_instances, MinCount=2, MaxCount=2, **want)
        assert "vCPU limit of 6" in message, message
        assert (volumes(ec2), instances(ec2)) == before
        # As many as there is room for (RUN-1); each type takes what it has.
        (third,) = launch(kiln, ec2, 1, 20)
        refused("VcpuLimitExceeded", ec2.run_instances, ImageId=kiln.image, InstanceType="m1.small", MinCount=1, MaxCount=1)
        # Stopped instances have none, until they are started.
        ec2.stop_instances(InstanceIds=[first, second])
        for instance in (first, second):
            wait_for(ec2, instance, "stopped")
        small = launch(kiln, ec2, 1, 4, InstanceType="m1.small")  # 1 vCPU each
        assert len(small) == 4
        expect("VcpuLimitExceeded", ec2.start_instances, InstanceIds=[first])
        ec2.terminate_instances(InstanceIds=small[:3])
        for instance in small[:3]:
            wait_for(ec2, instance, "terminated")
        # All of a list, or none.
        refused("VcpuLimitExceeded", ec2.start_instances, InstanceIds=[first, second])
        assert state(ec2, first) == state(ec2, second) == "stopped"
        ec2.start_instances(InstanceIds=[second])
        wait_for(ec2, second, "running")
        ec2.reboot_instances(InstanceIds=[second, third])
        ec2.start_instances(InstanceIds=[second])  # it runs: no change
        assert len(launch(kiln, kiln.friend.client("ec2"), 1, 9)) == 3


def test_QT_1_running_instances():
    with quotas({"instances": 1}) as kiln:
        ec2 = kiln.client("ec2")
        (instance,) = launch(kiln, ec2, 1, 5)
        message = refused("InstanceLimitExceeded", ec2.run_instances, ImageId=kiln.image, InstanceType="t3.micro", MinCount=1, MaxCount=1)
        assert "(2)" in message and "limit of 1" in message, message
        wait_for(ec2, instance, "running")
        # An image of it needs no place of its own while it is shut down for it.
        image = ec2.create_image(InstanceId=instance, Name="of it")["ImageId"]
        ec2.get_waiter("image_available").wait(ImageIds=[image], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
        wait_for(ec2, instance, "running")
        ec2.terminate_instances(InstanceIds=[instance])
        wait_for(ec2, instance, "terminated")
        launch(kiln, ec2)


def test_QT_1_key_pairs_and_launch_templates():
    with quotas({"keyPairs": 1, "launchTemplates": 1, "versionsPerLaunchTemplate": 2}) as kiln:
        ec2 = kiln.client("ec2")
        public = kiln.client("ec2", ELSEWHERE)
        ec2.create_key_pair(KeyName="first", KeyType="ed25519")
        expect("KeyPairLimitExceeded", ec2.create_key_pair, KeyName="second", KeyType="ed25519")
        public.create_key_pair(KeyName="first", KeyType="ed25519")
        ec2.delete_key_pair(KeyName="first")
        ec2.create_key_pair(KeyName="second", KeyType="ed25519")
        data = {"LaunchTemplateData": {"InstanceType": "t3.micro"}}
        ec2.create_launch_template(LaunchTemplateName="one", **data)
        refused("MaxTemplateLimitExceeded", ec2.create_launch_template, LaunchTemplateName="two", **data)
        ec2.create_launch_template_version(LaunchTemplateName="one", **data)
        refused("MaxTemplateVersionLimitExceeded", ec2.create_launch_template_version, LaunchTemplateName="one", **data)
        ec2.delete_launch_template_versions(LaunchTemplateName="one", Versions=["2"])
        ec2.create_launch_template_version(LaunchTemplateName="one", **data)
        ec2.delete_launch_template(LaunchTemplateName="one")
        ec2.create_launch_template(LaunchTemplateName="two", **data)


def test_QT_4_many_at_once():
    with quotas({"volumes": 7, "images": 5, "vcpus": 4}) as kiln:
        copy = {"SourceRegion": "us-east-1", "SourceImageId": kiln.image}
        run = {"ImageId": kiln.image, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
        ec2 = kiln.client("ec2")
        kinds = (
            ("VcpuLimitExceeded", 2, lambda n: ec2.run_instances(**run)),
            ("VolumeLimitExceeded", 5, lambda n: ec2.create_volume(AvailabilityZone=ZONE, Size=1)),
            ("ResourceLimitExceeded", 4, lambda n: ec2.copy_image(Name=f"copy-{n}", **copy)),
        )
        for code, places, request in kinds:
            answers, start = [], threading.Barrier(12)

            def ask(number, request=request, answers=answers, start=start):
                start.wait(30)
                try:
                    request(number)
                    answers.append("done")
                except ClientError as error:
                    answers.append(error.response["Error"]["Code"])

            threads = [threading.Thread(target=ask, args=(number,)) for number in range(12)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
            assert sorted(answers) == sorted(["done"] * places + [code] * (12 - places)), (code, answers)
        assert (len(volumes(ec2)), len(images(ec2)), len(snapshots(ec2)), len(instances(ec2))) == (7, 5, 5, 2)


def test_QT_2_without_a_file_and_with_ec2s():
    with kiln_test.api_service() as kiln:
        ec2 = kiln.client("ec2")
        assert len(launch(kiln, ec2, 8, 8)) == 8
        for _ in range(8):
            ec2.create_volume(AvailabilityZone=ZONE, Size=16384)
        for number in range(8):
            ec2.copy_image(Name=f"copy-{number}", SourceRegion="us-east-1", SourceImageId=kiln.image)
    with quotas("ec2") as kiln:
        ec2 = kiln.client("ec2")
        assert len(launch(kiln, ec2, 1, 8)) == 2  # of 5 vCPUs
        for _ in range(3):
            ec2.create_volume(AvailabilityZone=ZONE, Size=16384, VolumeType="gp3")
        refused("VolumeLimitExceeded", ec2.create_volume, AvailabilityZone=ZONE, Size=16384, VolumeType="gp3")
        ec2.create_volume(AvailabilityZone=ZONE, Size=2048, VolumeType="gp3")  # 50 TiB
        # QT-2: what there is beyond a quota stays, and is used.
        (first, _), (second, _) = instances(ec2)
        before = volumes(ec2), images(ec2)
        ec2 = restart(kiln, {"vcpus": 2, "images": 0, "volumes": 1, "gibPerVolumeType": 1})
        assert (volumes(ec2), images(ec2)) == before
        for instance in (first, second):
            wait_for(ec2, instance, "stopped")  # the scripted machines went with the service
        expect("VcpuLimitExceeded", ec2.start_instances, InstanceIds=[first, second])
        ec2.start_instances(InstanceIds=[first])
        wait_for(ec2, first, "running")
        expect("ResourceLimitExceeded", ec2.register_image, **registration(kiln, "another"))
        ec2 = restart(kiln, "off")
        wait_for(ec2, first, "stopped")
        ec2.start_instances(InstanceIds=[first, second])
        launch(kiln, ec2, 8, 8)


def test_QT_1_a_bad_file_is_refused_with_its_place():
    for values, words in (({"images": -1}, "quotas.images: must be"), ({"image": 1}, "unknown member 'image'"), ("aws", "quotas: must be")):
        with tempfile.NamedTemporaryFile("w", suffix=".json", dir=TEMPORARY) as file:
            json.dump({"quotas": values}, file)
            file.flush()
            command = [KILN, "serve", "--ephemeral", "--hypervisor", "fake", "--limits", file.name]
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=clean_environment(), check=False)
        assert done.returncode != 0 and words in done.stderr + done.stdout, done.stderr


if __name__ == "__main__":
    kiln_test.main()
