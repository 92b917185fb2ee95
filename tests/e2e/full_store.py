#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A store that is really full, on a small file system of its own: the guest that writes is paused, the API refuses what is
new, a killed daemon changes nothing, and with space again the guest goes on; everything it was told is written is there.
One boot. Mounts in a name space of its own, which ends with the processes, so that nothing can be left mounted."""

import contextlib
import json
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import wait_until  # noqa: E402
from kiln_test.paths import ROOT  # noqa: E402
from kiln_test.refusals import expect  # noqa: E402

MIB = 1 << 20
BOOT_SECONDS = 180
STORE, RESERVE, ROOM, RECORDS = 448 * MIB, 64 * MIB, 48 * MIB, 96
NAMESPACE = "KILN_TEST_MOUNTS"


def own_mounts():
    """Goes on in a mount name space of its own, where this user may make one: not even root may in most containers."""
    unshare = ["unshare", "--mount", "--propagation", "private"]
    if NAMESPACE not in os.environ and may_mount(unshare):
        os.environ[NAMESPACE] = "1"
        os.execvp("unshare", [*unshare, sys.executable, *sys.argv])


def may_mount(unshare):
    attempt = [*unshare, "mount", "-t", "tmpfs", "kiln-test", "/tmp"]  # in a name space that ends at once
    return os.geteuid() == 0 and subprocess.run(attempt, capture_output=True, check=False).returncode == 0


@contextlib.contextmanager
def small_store(kiln):
    """The daemon's data directory on a file system of STORE bytes."""
    os.mkdir(kiln.data, 0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={STORE},mode=0700", "kiln-test", kiln.data], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", kiln.data], check=True)
        shutil.rmtree(kiln.home, ignore_errors=True)


def available(kiln):
    found = os.statvfs(kiln.data)
    return found.f_bavail * found.f_frsize


def fill(kiln, leave):
    """A file that leaves only so much; removing it gives the space back."""
    path = os.path.join(kiln.data, "ballast")
    with open(path, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, available(kiln) - leave)
    return path


def machine(kiln, instance):
    return json.loads(kiln.run("inspect", instance).stdout)["machine"]


def status(ec2, instance):
    return ec2.describe_instance_status(InstanceIds=[instance])["InstanceStatuses"][0]["InstanceStatus"]["Status"]


def acknowledged(kiln, instance):
    """How many records the guest was told are on the disk."""
    return kiln.serial(instance).count("TINY record")


def records_on(kiln, volume, count):
    """Checks the first records of a volume."""
    served = json.loads(kiln.run("nbd", volume).stdout)
    disk = kiln_test.Disk.from_export(served["socket"], "", os.path.dirname(kiln.data))
    kiln.run("nbd", volume, "--stop")
    with open(disk.path, "rb") as file:
        for record in range(count):
            line = b"record %d\n" % record
            assert file.read(MIB) == (line * (MIB // len(line) + 1))[:MIB], f"record {record} is not what was written"
    os.remove(disk.path)


def store_and_launch(kiln, ec2):
    """A guest with a second volume for its records, on a store with little room; its image is stored in full."""
    disk = kiln_test.build_tiny(
        os.path.join(ROOT, "guests/tiny/extras/fill-disk"), os.path.join(ROOT, "build/guests/tiny-fill-disk.raw")
    )
    imported = json.loads(kiln.run("import", disk, "--boot-mode", "legacy-bios", "--name", "tiny", "--json").stdout)

    def stored():
        content = json.loads(kiln.run("inspect", imported["snapshotId"]).stdout)["contents"][0]
        return content["state"] == "rooted" and "layer" not in content

    wait_until(stored, 60, "the image is stored", interval=0.2)
    wait_until(lambda: not os.listdir(os.path.join(kiln.data, "layers")), 60, "its layer is gone")
    ballast = fill(kiln, RESERVE + ROOM)
    launched = ec2.run_instances(
        ImageId=imported["imageId"], InstanceType="t2.nano", MinCount=1, MaxCount=1,
        BlockDeviceMappings=[{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 1}}],
    )  # fmt: skip
    return imported["imageId"], launched["Instances"][0]["InstanceId"], ballast


def refuses_what_is_new(ec2, image, instance, volume):
    message = expect("InsufficientVolumeCapacity", ec2.create_snapshot, VolumeId=volume)
    assert "64.0 MiB" in message and "448.0 MiB" in message, message
    expect("InsufficientVolumeCapacity", ec2.create_image, InstanceId=instance, Name="full", NoReboot=True)
    expect("InsufficientVolumeCapacity", ec2.create_volume, AvailabilityZone="us-east-1a", Size=1)
    expect("InsufficientInstanceCapacity", ec2.run_instances, ImageId=image, MinCount=1, MaxCount=1)


def test_SPC_3_a_guest_on_a_full_store_is_paused_and_goes_on_by_itself():
    if NAMESPACE not in os.environ:
        raise kiln_test.Skip("this user may not mount file systems here")
    kiln = kiln_test.Kiln("--guest-memory-cap", "192", "--reserve", "64MiB")
    with small_store(kiln), kiln:
        ec2 = kiln.client("ec2")
        image, instance, ballast = store_and_launch(kiln, ec2)
        ec2.get_waiter("instance_running").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        wait_until(lambda: "waitsForSpace" in machine(kiln, instance), BOOT_SECONDS, "the guest is paused", interval=0.2)
        seen = machine(kiln, instance)
        volumes = {m["DeviceName"]: m["Ebs"]["VolumeId"] for m in ec2.describe_instances(InstanceIds=[instance])[
            "Reservations"][0]["Instances"][0]["BlockDeviceMappings"]}  # fmt: skip
        # The system writes as well, and may be the first that finds none.
        assert seen["state"] == "io-error" and seen["waitsForSpace"]["volumeId"] in volumes.values(), seen
        assert status(ec2, instance) == "impaired"
        told = acknowledged(kiln, instance)
        assert 0 < told < RECORDS, told
        assert available(kiln) > RESERVE // 2, "guests leave the reserve alone"
        records_on(kiln, volumes["/dev/sdf"], told)
        refuses_what_is_new(ec2, image, instance, volumes["/dev/sdf"])

        kiln.kill9()
        kiln.start()
        ec2 = kiln.client("ec2")
        wait_until(lambda: "waitsForSpace" in machine(kiln, instance), 30, "the next daemon finds it paused", interval=0.2)
        assert status(ec2, instance) == "impaired" and machine(kiln, instance)["pid"] == seen["pid"]
        refuses_what_is_new(ec2, image, instance, volumes["/dev/sdf"])
        assert acknowledged(kiln, instance) == told

        os.remove(ballast)
        wait_until(lambda: "TINY all records" in kiln.serial(instance), 120, "the guest goes on to its end", interval=0.2)
        assert acknowledged(kiln, instance) == RECORDS
        wait_until(lambda: "waitsForSpace" not in machine(kiln, instance), 30, "it is known to run", interval=0.2)
        assert machine(kiln, instance)["pid"] == seen["pid"] and status(ec2, instance) == "ok"
        snapshot = ec2.create_snapshot(VolumeId=volumes["/dev/sdf"])["SnapshotId"]
        ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[snapshot], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        records_on(kiln, volumes["/dev/sdf"], RECORDS)
        ec2.terminate_instances(InstanceIds=[instance])
        ec2.get_waiter("instance_terminated").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1, "MaxAttempts": 120})


if __name__ == "__main__":
    own_mounts()
    kiln_test.main(seconds=600)
