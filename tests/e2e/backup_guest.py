#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A real guest with three volumes is backed up while it writes: in the restored store its volumes are of one instant, and it boots
and goes on from there. A reset ends it. The guest writes record n to its first data volume, then to the second, then to its root,
each synced before the next. Two guests at most, three boots."""

import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import records, wait_until  # noqa: E402
from kiln_test.paths import KILN, clean_environment  # noqa: E402
from kiln_test.processes import is_there  # noqa: E402

SERVICE = ("--guest-memory-cap", "192", "--shutdown-grace", "60")


def kiln_alone(*words):
    """A subcommand that needs no service."""
    done = subprocess.run([KILN, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, env=clean_environment())
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_BAK_1_BAK_2_BAK_6_a_guest_goes_on_from_a_backup_made_while_it_wrote():
    with kiln_test.Kiln(*SERVICE) as kiln:
        source = json.loads(kiln.run("import", records.writer_image(), "--boot-mode", "legacy-bios", "--name", "writer", "--json").stdout)["imageId"]
        writer = records.Writer(kiln, source)
        writer.wait_for(3)
        file = os.path.join(kiln.home, "store.kiln")
        acknowledged = writer.said("done")
        kiln.run("backup", file)
        begun = writer.said("begin")
        writer.wait_for_more()
        assert writer.state() == "running" and writer.ends() == 0, "the guest was not disturbed"
        copy = kiln_test.Kiln(*SERVICE)
        try:
            kiln_alone("restore", file, "--data", copy.data)
        except BaseException:
            copy.close()
            raise
        with copy:
            check_restored(copy, writer, acknowledged, begun)


def check_restored(copy, writer, acknowledged, begun):
    writer.kiln = copy
    writer.reconnect()
    wait_until(lambda: writer.state() == "stopped", 60, "the instance is stopped")
    image = writer.ec2.create_image(InstanceId=writer.id, Name="restored")["ImageId"]
    writer.ec2.get_waiter("image_available").wait(ImageIds=[image], WaiterConfig={"Delay": 1, "MaxAttempts": 120})
    found = records.in_image(copy, image)
    print(f"acknowledged={acknowledged} {found} begun={begun}", flush=True)
    found.check_cut(acknowledged, begun)
    writer.ec2.start_instances(InstanceIds=[writer.id])
    writer.wait_for(found.v1 + 2)
    (machine,) = copy.machines().values()
    assert is_there(machine["pid"])
    copy.stop()
    kiln_alone("reset", "--data", copy.data, "--yes")
    assert not is_there(machine["pid"]), "the guest was ended"
    assert not os.listdir(copy.data), os.listdir(copy.data)


if __name__ == "__main__":
    kiln_test.main(seconds=600)
