#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A guest in its network, through unmodified clients: address by DHCP, key pair and user data by the metadata service, ssh
by the security group's rules and through the API, all of it again after the daemon was killed and after a stop."""

import json
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import AwsError, Kiln, wait_until  # noqa: E402

BOOT_SECONDS = 180
USER_DATA = "#!/bin/sh\necho user data ran >/var/marker\n"
# What a guest asks its metadata service, as one command line: a token, then paths.
ASK = """
t=$(printf 'PUT /latest/api/token HTTP/1.0\\r\\nHost: m\\r\\nX-aws-ec2-metadata-token-ttl-seconds: 60\\r\\nContent-Length: 0\\r\\n\\r\\n' |
    nc -w 5 169.254.169.254 80 | tr -d '\\r' | tail -n 1)
for path in %s; do
    timeout 10 wget -q -O - --header "X-aws-ec2-metadata-token: $t" http://169.254.169.254/latest/$path; echo
done
"""


class Guest:
    """One instance of the tiny guest and its key."""

    def __init__(self, kiln, image):
        self.kiln, self.ec2 = kiln, kiln.client("ec2")
        self.key = os.path.join(kiln.home, "key.pem")
        pair = kiln.aws("ec2", "create-key-pair", "--key-name", "me", "--key-type", "ed25519")
        with open(self.key, "w", encoding="ascii", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(pair["KeyMaterial"])
        self.group = self.ec2.create_security_group(GroupName="web", Description="of the test")["GroupId"]
        self.permit("authorize")
        self.id = self.ec2.run_instances(
            ImageId=image, InstanceType="t3.nano", MinCount=1, MaxCount=1, KeyName="me", SecurityGroupIds=[self.group],
            UserData=USER_DATA,
        )["Instances"][0]["InstanceId"]  # fmt: skip
        self.boots = 0
        self.wait_ready()

    def permit(self, verb, port="22"):
        self.kiln.aws("ec2", f"{verb}-security-group-ingress", "--group-id", self.group, "--protocol", "tcp", "--port", port,
                      "--cidr", "127.0.0.0/8")  # fmt: skip

    def wait_ready(self):
        self.boots += 1
        wait_until(lambda: self.kiln.serial(self.id).count("TINY READY") >= self.boots, BOOT_SECONDS, "the guest is ready")

    def describe(self):
        return self.ec2.describe_instances(InstanceIds=[self.id])["Reservations"][0]["Instances"][0]

    def inspect(self):
        return json.loads(self.kiln.run("inspect", self.id).stdout)

    def ssh(self, command, check=True):
        arguments = ["ssh", "-o", f"UserKnownHostsFile={self.kiln.home}/known_hosts", "-i", self.key, f"root@{self.id}", "--", command]
        done = self.kiln.run(*arguments, check=check, seconds=60)
        return done.stdout if check else done

    def forward(self, port=22):
        return next((f for f in self.inspect()["network"]["forwards"] if f["guestPort"] == port), None)

    def banner(self):
        """What the ssh server says to whoever connects to the address that DescribeInstances shows."""
        try:
            with socket.create_connection((self.describe()["PublicIpAddress"], self.forward()["port"]), timeout=5) as client:
                return client.recv(8).decode("latin-1")
        except OSError:
            return ""


def processes_of(guest):
    seen = guest.inspect()
    return seen["machine"]["pid"], seen["network"]["pid"]


def alive(pid):
    """Whether the process runs; one that waits to be collected does not."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def check_metadata(guest):
    shown = guest.describe()
    paths = ["meta-data/instance-id", "meta-data/local-ipv4", "meta-data/public-ipv4", "meta-data/security-groups",
             "meta-data/placement/availability-zone", "user-data"]  # fmt: skip
    answers = guest.ssh(ASK % " ".join(paths)).splitlines()
    assert answers[:5] == [guest.id, shown["PrivateIpAddress"], shown["PublicIpAddress"], "web",
                           shown["Placement"]["AvailabilityZone"]], answers  # fmt: skip
    assert answers[5:7] == USER_DATA.splitlines(), answers


def check_rules(guest):
    """SG-9: what is revoked cannot be connected to any more; what is authorised can, at once."""
    assert guest.banner().startswith("SSH-2.0-")
    guest.permit("revoke")
    assert guest.forward() is None
    refused = guest.ssh("true", check=False)
    assert refused.returncode == 255 and "authorize-security-group-ingress" in refused.stderr, refused.stderr
    guest.permit("authorize")
    assert guest.ssh("cat /var/marker") == "user data ran\n"
    # The groups of a running instance can be exchanged.
    default = guest.ec2.describe_security_groups(GroupNames=["default"])["SecurityGroups"][0]["GroupId"]
    guest.ec2.modify_instance_attribute(InstanceId=guest.id, Groups=[default])
    assert guest.forward() is None
    guest.ec2.modify_instance_attribute(InstanceId=guest.id, Groups=[default, guest.group])
    assert guest.ssh("echo in") == "in\n"
    guest.ec2.modify_instance_attribute(InstanceId=guest.id, Groups=[guest.group])


def check_restarts(guest):
    """D17: both processes outlive the daemon, and ssh sessions with them."""
    before = processes_of(guest)
    address, port = guest.describe()["PublicIpAddress"], guest.forward()["port"]
    with socket.create_connection((address, port), timeout=10) as session:
        assert session.recv(64).startswith(b"SSH-2.0-")
        guest.kiln.kill9()
        session.sendall(b"SSH-2.0-test\r\n")
        assert session.recv(64), "the session died with the daemon"
        guest.kiln.start()
    guest.ec2 = guest.kiln.client("ec2")
    assert processes_of(guest) == before
    check_metadata(guest)
    # A network process that is killed is started again.
    os.kill(before[1], 9)
    wait_until(lambda: guest.inspect()["network"]["restarts"] == 1, 30, "the network process is started again")
    wait_until(lambda: guest.banner().startswith("SSH-2.0-"), 30, "ssh answers again")


def check_stop_and_start(guest):
    private = guest.describe()["PrivateIpAddress"]
    pids = processes_of(guest)
    guest.ssh("echo kept >/var/kept && sync")
    guest.ec2.stop_instances(InstanceIds=[guest.id])
    wait_until(lambda: guest.describe()["State"]["Name"] == "stopped", 60, "the instance is stopped")
    assert not any(map(alive, pids)), "a process is left of a stopped instance"
    assert "PublicIpAddress" not in guest.describe()
    assert "network" not in guest.inspect()
    guest.ec2.start_instances(InstanceIds=[guest.id])
    guest.wait_ready()
    assert guest.describe()["PrivateIpAddress"] == private
    assert guest.ssh("cat /var/kept") == "kept\n"
    assert "first=0" in guest.kiln.serial(guest.id)


def check_end(guest):
    pids = processes_of(guest)
    guest.ec2.terminate_instances(InstanceIds=[guest.id])
    wait_until(lambda: guest.describe()["State"]["Name"] == "terminated", 60, "the instance is terminated")
    assert not any(map(alive, pids)), "a process is left of a terminated instance"


def check_mistakes(guest):
    for port, text in (("0", "1 to 65535"), ("80", "authorize-security-group-ingress")):
        done = guest.kiln.run("proxy", guest.id, port, check=False)
        assert done.returncode != 0 and text in done.stderr, (port, done.stderr)
    done = guest.kiln.run("proxy", "i-00000000000000000", "22", check=False)
    assert "InvalidInstanceID.NotFound" in done.stderr, done.stderr
    guest.permit("authorize", "81")
    done = guest.kiln.run("proxy", guest.id, "81", check=False, seconds=30)
    # Nothing listens there in the guest; what the process accepted it closes again.
    assert done.stdout == "", done.stdout
    try:
        guest.permit("authorize", "81")
        raise AssertionError("the same rule twice")
    except AwsError as error:
        assert error.code == "InvalidPermission.Duplicate", error


def test_a_guest_is_reached_by_its_key_through_its_groups_rules_and_stays_so():
    with Kiln("--guest-memory-cap", "192") as kiln:
        image = json.loads(kiln.run("import", kiln_test.tiny_image(), "--boot-mode", "legacy-bios", "--name", "tiny", "--json").stdout)["imageId"]
        guest = Guest(kiln, image)
        said = kiln.serial(guest.id)
        shown = guest.describe()
        assert f"TINY network ip={shown['PrivateIpAddress']}/20" in said, said
        assert f"TINY instance={guest.id} first=1" in said and "TINY user-data exit=0" in said, said
        assert shown["PublicIpAddress"].startswith("127."), shown
        assert guest.ssh("hostname") == shown["PrivateDnsName"] + "\n"
        check_metadata(guest)
        check_rules(guest)
        check_mistakes(guest)
        check_restarts(guest)
        check_stop_and_start(guest)
        check_end(guest)


if __name__ == "__main__":
    kiln_test.main(seconds=600)
