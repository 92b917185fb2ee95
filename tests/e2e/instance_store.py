#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A real guest writes to a disk of its instance store: the bytes stay through a killed service and a reboot, and are gone with
a stop."""

import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import wait_until  # noqa: E402
from kiln_test.disks import build_tiny  # noqa: E402
from kiln_test.paths import ROOT  # noqa: E402

BOOT_SECONDS = 240
SECONDS = 60
SECTORS = 160 * 10**9 // 4096 * 8  # of m1.small


def guest_image():
    return build_tiny(os.path.join(ROOT, "guests/tiny/extras/disk-sizes"), os.path.join(ROOT, "build/guests/tiny-disk-sizes.raw"))


def test_IST_2_IST_3_the_bytes_live_as_long_as_the_run():
    with kiln_test.Kiln("--guest-memory-cap", "192", "--shutdown-grace", "60") as kiln:
        ec2 = kiln.client("ec2")
        image = json.loads(kiln.run("import", guest_image(), "--boot-mode", "legacy-bios", "--name", "store", "--json").stdout)["imageId"]
        store = [{"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"}]
        made = ec2.run_instances(ImageId=image, InstanceType="m1.small", MinCount=1, MaxCount=1, BlockDeviceMappings=store)
        instance = made["Instances"][0]["InstanceId"]
        path = os.path.join(kiln.data, "instances", instance, "ephemeral0.raw")

        def told(pattern):
            return [int(number) for number in re.findall(pattern, kiln.serial(instance), re.M)]

        def sector(number):
            with open(path, "rb") as disk:
                disk.seek(number * 512)
                return disk.read(512).split(b"\n")[0].rstrip(b"\0").decode()

        wait_until(lambda: told(r"^LAST vdb (\d+)") and max(told(r"^RECORDS (\d+)"), default=0) >= 200, BOOT_SECONDS, "the guest writes")
        assert told(r"^LAST vdb (\d+)") == [SECTORS] and os.stat(path).st_size == SECTORS * 512
        assert sector(200) == "record 200" and sector(SECTORS - 1) == f"last of {SECTORS}"
        assert os.stat(path).st_blocks < 1 << 16, "it takes what was written"

        kiln.kill9()
        before = max(told(r"^RECORDS (\d+)"))
        kiln.start()
        ec2 = kiln.client("ec2")
        wait_until(lambda: max(told(r"^RECORDS (\d+)")) > before, SECONDS, "the guest writes on")
        last = max(told(r"^RECORDS (\d+)"))
        ec2.reboot_instances(InstanceIds=[instance])
        wait_until(lambda: len(told(r"^LAST vdb (\d+)")) == 2, BOOT_SECONDS, "the guest is up again")
        assert sector(last) == f"record {last}", "it is the disk of before"

        ec2.stop_instances(InstanceIds=[instance], Force=True)
        ec2.get_waiter("instance_stopped").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1, "MaxAttempts": SECONDS})
        assert not os.path.exists(path)
        ec2.start_instances(InstanceIds=[instance])
        wait_until(lambda: len(told(r"^LAST vdb (\d+)")) == 3, BOOT_SECONDS, "the guest is up a third time")
        assert sector(10**6) == "" and sector(SECTORS - 1) == f"last of {SECTORS}"
        ec2.terminate_instances(InstanceIds=[instance])
        ec2.get_waiter("instance_terminated").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1, "MaxAttempts": SECONDS})
        assert not os.path.exists(path)


if __name__ == "__main__":
    kiln_test.main(seconds=900)
