#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Real guests of one VPC reach each other by private address as their groups' rules allow, also while no daemon runs; a guest
of another account with the same addresses hears nothing and is not heard."""

import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import Kiln, wait_until  # noqa: E402
from kiln_test.paths import clean_environment  # noqa: E402

BOOT_SECONDS = 300
LOCAL = "127.0.0.0/8"


class Account:
    """What one account launches guests with."""

    def __init__(self, kiln, name, account):
        """`account` is the daemon for its first account, or one of Kiln.account()."""
        self.kiln, self.owner = kiln, account
        self.key = os.path.join(kiln.home, name + ".pem")
        self.connect()
        pair = self.ec2.create_key_pair(KeyName="me", KeyType="ed25519")
        with open(self.key, "w", encoding="ascii", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(pair["KeyMaterial"])
        self.ssh = self.group("ssh", CidrIp=LOCAL, IpProtocol="tcp", FromPort=22, ToPort=22)

    def connect(self):
        self.ec2 = self.owner.client("ec2")

    def group(self, name, **rule):
        group = self.ec2.create_security_group(GroupName=name, Description="of the test")["GroupId"]
        if rule:
            self.ec2.authorize_security_group_ingress(GroupId=group, **rule)
        return group

    def launch(self, image, groups, **more):
        launched = self.ec2.run_instances(
            ImageId=image, InstanceType="t3.nano", MinCount=1, MaxCount=1, KeyName="me", SecurityGroupIds=groups, **more
        )  # fmt: skip
        return Guest(self, launched["Instances"][0])


class Guest:
    """One instance; commands go in by ssh to its public address, which needs no daemon."""

    def __init__(self, account, shown):
        self.account, self.id, self.private = account, shown["InstanceId"], shown["PrivateIpAddress"]

    def wait_ready(self, boots=1):
        wait_until(lambda: self.account.kiln.serial(self.id).count("TINY READY") >= boots, BOOT_SECONDS, "the guest is ready")
        self.network = self.inspect()["network"]
        self.forward = next(f for f in self.network["forwards"] if f["guestPort"] == 22)

    def inspect(self):
        return json.loads(self.account.owner.run("inspect", self.id).stdout)

    def describe(self):
        return self.account.ec2.describe_instances(InstanceIds=[self.id])["Reservations"][0]["Instances"][0]

    def groups(self, *groups):
        self.account.ec2.modify_instance_attribute(InstanceId=self.id, Groups=list(groups))

    def run(self, command):
        """Exit status and output."""
        options = "BatchMode=yes StrictHostKeyChecking=no UserKnownHostsFile=/dev/null LogLevel=ERROR ConnectTimeout=30".split()
        done = subprocess.run(
            ["ssh", *(word for option in options for word in ("-o", option)), "-i", self.account.key, "-p", str(self.forward["port"]),
             f"root@{self.forward['address']}", command],
            env=clean_environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode != 255, f"ssh to {self.id}: {done.stderr}"
        return done.returncode, done.stdout

    def pings(self, other):
        return self.run(f"ping -c 1 -W 3 {other.private}")[0] == 0

    def banner(self, other):
        """Whether the ssh server of the other is reached by its private address."""
        return self.run(f"sleep 5 | timeout 10 nc -w 3 {other.private} 22 | head -c 8")[1] == "SSH-2.0-"

    def pinged(self):
        """How often it was pinged so far."""
        lines = [line.split() for line in self.text("/proc/net/snmp").splitlines() if line.startswith("Icmp:")]
        return int(dict(zip(*lines))["InEchos"])

    def text(self, path):
        return self.run(f"cat {path} 2>/dev/null")[1]


class World:
    def __init__(self, kiln):
        self.kiln = kiln
        self.image = json.loads(kiln.run("import", kiln_test.tiny_image(), "--boot-mode", "legacy-bios", "--name", "tiny", "--json").stdout)["imageId"]
        self.mine = Account(kiln, "mine", kiln)
        self.mine.ec2.modify_image_attribute(ImageId=self.image, LaunchPermission={"Add": [{"Group": "all"}]})
        self.other = Account(kiln, "other", kiln.account())
        self.clients = self.mine.group("clients")
        self.servers = self.mine.group("servers")
        self.rules = [self.from_clients("tcp", 1, 65535), self.from_clients("icmp", -1, -1)]
        self.mine.ec2.authorize_security_group_ingress(GroupId=self.servers, IpPermissions=self.rules)
        self.client = self.mine.launch(self.image, [self.mine.ssh, self.clients])
        self.server = self.mine.launch(self.image, [self.mine.ssh, self.servers])
        # Of everything open, and with the address of the client.
        everything = self.other.group("open", CidrIp="0.0.0.0/0", IpProtocol="-1")
        self.stranger = self.other.launch(self.image, [everything], PrivateIpAddress=self.client.private)
        for guest in (self.client, self.server, self.stranger):
            guest.wait_ready()

    def from_clients(self, protocol, first, last):
        return {"IpProtocol": protocol, "FromPort": first, "ToPort": last, "UserIdGroupPairs": [{"GroupId": self.clients}]}


def check_groups(world):
    """SG-9, NET-9: members of the group get in, nobody else, and only while the rule and the membership last."""
    client, server, ec2 = world.client, world.server, world.mine.ec2
    assert client.pings(server) and client.banner(server)
    assert not server.pings(client) and not server.banner(client)
    # The neighbour itself is found in the subnet, as on a wire.
    station = client.run(f"ip neigh show to {server.private}")[1]
    assert server.describe()["NetworkInterfaces"][0]["MacAddress"] in station, station

    client.groups(world.mine.ssh)
    assert not client.banner(server)
    client.groups(world.mine.ssh, world.clients)
    assert client.banner(server)

    # A flow under way is answered on when its rule has gone; nothing new begins.
    server.run("nc -l -p 7000 -e sh -c 'while read line; do echo got $line; done' </dev/null >/dev/null 2>&1 &")
    wait_until(lambda: ":1B58" in server.text("/proc/net/tcp") + server.text("/proc/net/tcp6"), 30, "the guest listens")
    say = "echo one; while [ ! -e /tmp/go ]; do sleep 1; done; echo two; sleep 20"
    client.run(f"{{ ({say}) | nc {server.private} 7000 >/tmp/said; }} </dev/null >/dev/null 2>&1 &")
    wait_until(lambda: client.text("/tmp/said") == "got one\n", 30, "the flow has begun")
    ec2.revoke_security_group_ingress(GroupId=world.servers, IpPermissions=world.rules)
    assert not client.banner(server) and not client.pings(server)
    client.run("touch /tmp/go")
    wait_until(lambda: client.text("/tmp/said") == "got one\ngot two\n", 30, "the flow goes on")
    ec2.authorize_security_group_ingress(GroupId=world.servers, IpPermissions=world.rules)
    assert client.banner(server)


def check_isolation(world):
    """NET-10: the same addresses in another account are another network."""
    client, server, stranger = world.client, world.server, world.stranger
    assert stranger.private == client.private
    assert not stranger.pings(server) and not stranger.banner(server)
    # The server, with its client's leave, reaches the client at that address; the stranger, which lets everything in, has
    # not had a single ping from anybody.
    world.client.groups(world.mine.ssh, world.clients, world.servers)
    world.server.groups(world.mine.ssh, world.clients, world.servers)
    assert server.banner(client) and server.pings(client)
    world.client.groups(world.mine.ssh, world.clients)
    assert not server.pings(client)
    assert stranger.pinged() == 0 and client.pinged() > 0
    world.server.groups(world.mine.ssh, world.servers)


def check_default_group(world):
    """SG-1: its members reach each other."""
    default = world.mine.ec2.describe_security_groups(GroupNames=["default"])["SecurityGroups"][0]["GroupId"]
    for guest in (world.client, world.server):
        guest.groups(world.mine.ssh, default)
    assert world.client.pings(world.server) and world.server.banner(world.client)
    world.client.groups(world.mine.ssh, world.clients)
    world.server.groups(world.mine.ssh, world.servers)


def check_without_a_daemon(world):
    """D17: the processes need no daemon for each other either."""
    client, server = world.client, world.server
    world.kiln.kill9()
    assert client.pings(server) and client.banner(server)
    world.kiln.start()
    for account in (world.mine, world.other):
        account.connect()
    assert client.inspect()["network"]["pid"] == client.network["pid"]
    assert client.banner(server) and not server.banner(client)
    # A network process that is killed is started again, and found again.
    os.kill(server.network["pid"], 9)
    wait_until(lambda: client.banner(server), 30, "the server is reached again")


def check_stop(world):
    """NET-9: who is stopped is no neighbour, and is one again at the same address."""
    client, server = world.client, world.server
    world.mine.ec2.stop_instances(InstanceIds=[server.id])

    wait_until(lambda: server.describe()["State"]["Name"] == "stopped", 90, "the server is stopped")
    client.run(f"ip neigh flush to {server.private}")
    assert not client.pings(server)
    assert "lladdr" not in client.run(f"ip neigh show to {server.private}")[1]
    world.mine.ec2.start_instances(InstanceIds=[server.id])
    server.wait_ready(boots=2)
    assert client.pings(server) and client.banner(server)


def test_guests_of_a_vpc_reach_each_other_as_their_groups_allow_and_nobody_else():
    with Kiln("--guest-memory-cap", "192") as kiln:
        world = World(kiln)
        check_groups(world)
        check_isolation(world)
        check_default_group(world)
        check_without_a_daemon(world)
        check_stop(world)


if __name__ == "__main__":
    kiln_test.main(seconds=1200)
