#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A real guest with QEMU's agent in it: its file systems are held still while an image is made of it, and only then. The guest
appends to a file without pause, so that its journal always has something to replay unless it was held still."""

import json
import os
import re
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import wait_until  # noqa: E402
from kiln_test.paths import ROOT  # noqa: E402

BOOT_SECONDS = 240


def agent_image():
    script = os.path.join(ROOT, "guests/tiny/extras/agent")
    return kiln_test.build_tiny(script, os.path.join(ROOT, "build/guests/tiny-agent.raw"), agent=True)


class Guest:
    """One instance whose guest counts the lines it wrote."""

    def __init__(self, kiln):
        self.kiln = kiln
        image = json.loads(kiln.run("import", agent_image(), "--boot-mode", "legacy-bios", "--name", "agent", "--json").stdout)["imageId"]
        made = kiln.client("ec2").run_instances(ImageId=image, InstanceType="t3.nano", MinCount=1, MaxCount=1)
        self.id = made["Instances"][0]["InstanceId"]

    def lines(self):
        found = re.findall(r"^AGENT wrote (\d+)$", self.kiln.serial(self.id), re.M)
        return int(found[-1]) if found else 0

    def wait_for_more(self, count=3, seconds=60):
        wanted = self.lines() + count
        wait_until(lambda: self.lines() >= wanted, seconds, f"line {wanted} is written", interval=0.05)

    def image(self, name, **more):
        ec2 = self.kiln.client("ec2")
        image = ec2.create_image(InstanceId=self.id, Name=name, **more)["ImageId"]
        ec2.get_waiter("image_available").wait(ImageIds=[image], WaiterConfig={"Delay": 1, "MaxAttempts": 120})
        path = os.path.join(self.kiln.home, f"{image}.raw")
        self.kiln.run("export", image, path)
        return kiln_test.Disk(path)

    def ask_agent(self, command, **arguments):
        """What only the service does otherwise: speaks with the agent over the machine's socket."""
        path = os.path.join(self.kiln.machines()[self.id]["runtime_directory"], "agent.sock")
        with socket.socket(socket.AF_UNIX) as agent:
            agent.settimeout(30)
            agent.connect(path)
            agent.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
            answer = json.loads(agent.makefile().readline())
        assert "return" in answer, answer
        return answer["return"]


def test_CI_5_a_guest_with_an_agent_is_held_still_while_its_image_is_made():
    with kiln_test.Kiln("--guest-memory-cap", "192") as kiln:
        guest = Guest(kiln)
        wait_until(lambda: guest.lines() >= 3, BOOT_SECONDS, "the guest writes")
        assert guest.ask_agent("guest-fsfreeze-status") == "thawed"

        before = guest.lines()
        disk = guest.image("while it runs", NoReboot=True)
        assert not disk.needs_recovery(), "the image's journal is empty: nothing was under way"
        disk.check()
        assert len(disk.read_file("/var/lines").splitlines()) >= before
        guest.wait_for_more()
        assert guest.ask_agent("guest-fsfreeze-status") == "thawed"

        # The service is killed while it holds the guest.
        with open(os.path.join(kiln.data, "instances", guest.id, "frozen"), "w", encoding="ascii"):
            pass
        assert guest.ask_agent("guest-fsfreeze-freeze") >= 1
        held = guest.lines()
        kiln.kill9()
        kiln.start()
        guest.wait_for_more()
        assert guest.lines() > held
        assert guest.ask_agent("guest-fsfreeze-status") == "thawed"

        # Without its agent a guest is not held, and the image is as after a loss of power.
        guest.ask_agent("guest-exec", path="/bin/killall", arg=["qemu-ga"])
        assert guest.image("without agent", NoReboot=True).needs_recovery()


if __name__ == "__main__":
    kiln_test.main(seconds=600)
