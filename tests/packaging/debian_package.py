#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The Debian package in a fresh Debian 12: lintian, install, the unit's own command line as the package's user, a launch of
the tiny Linux it brings, ssh, remove, purge. The package is KILN_DEB, else the newest of build/deb. Root only; `make test-deb`."""

import configparser
import glob
import os
import re
import select
import shlex
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import Skip, clients, wait_until  # noqa: E402
from kiln_test.chroots import Chroot  # noqa: E402
from kiln_test.paths import ROOT  # noqa: E402

READY_SECONDS = 1.0  # what docs/packaging.md promises
SSH_SECONDS = 180
IMAGE = "resolve:ssm:/aws/service/kiln/tiny-linux/latest/x86_64"
DATA = "/var/lib/kiln"
# The small installation of docs/packaging.md.
WITH = ("ovmf", "bubblewrap", "qemu-utils", "openssh-client")
LOG_IN = ("kiln", "ssh", "-i", "/root/me.pem", "root@{}", "--", "cat /var/boots | wc -l")


class Host:
    """A chroot with the package, and the service once it is started."""

    def __init__(self, chroot, deb):
        self.chroot, self.deb = chroot, deb
        self.service = None
        self.run = chroot.run

    def log_files(self):
        log = self.chroot.path("/tmp/kiln.log")
        return [("kiln serve", log)] if os.path.exists(log) else []

    def start(self, options=""):
        """Runs the command line of the unit as its user, as systemd would; returns the seconds until the ready byte."""
        unit = self.unit()
        for kind, mode in (("State", "0700"), ("Runtime", "0711")):
            assert unit[f"{kind}DirectoryMode"] == mode
        self.run("install", "-d", "-o", "kiln", "-g", "kiln", "-m", "700", DATA)
        self.run("install", "-d", "-o", "kiln", "-g", "kiln", "-m", "711", "/run/kiln")
        reading, writing = os.pipe()
        command = []
        for word in shlex.split(unit["ExecStart"]):
            # The port is any, since the network is the host's.
            command += ["--listen", "127.0.0.1:0", "--ready-fd", str(writing), *options.split()] if word == "$KILN_OPTIONS" else [word]
        with open(self.chroot.path("/tmp/kiln.log"), "ab") as log:
            begin = time.monotonic()
            self.service = subprocess.Popen(self.chroot.command(*command, user=unit["User"]), stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, pass_fds=[writing], env=self.chroot.environment())  # fmt: skip
        os.close(writing)
        assert select.select([reading], [], [], 30)[0] and os.read(reading, 1), "the service did not become ready"
        os.close(reading)
        return time.monotonic() - begin

    def stop(self):
        # nsenter waits for its child, the service.
        os.kill(self.chroot.child_of(self.service.pid), signal.SIGTERM)
        self.service.wait(60)
        self.service = None

    def unit(self):
        """The unit's settings, the last value of each."""
        with open(self.chroot.path("/lib/systemd/system/kiln.service"), encoding="utf-8") as file:
            return dict(line.split("=", 1) for line in file.read().splitlines() if re.match(r"\w+=", line))

    def client(self, service):
        keys = configparser.ConfigParser()
        keys.read(self.chroot.path(f"{DATA}/credentials"), encoding="utf-8")
        with open(self.chroot.path(f"{DATA}/endpoint"), encoding="ascii") as file:
            endpoint = file.read().strip()
        kiln = keys["kiln"]
        return clients.boto3_client(service, endpoint, kiln["aws_access_key_id"], kiln["aws_secret_access_key"], "us-east-1")

    def boots(self, instance):
        """How often the guest has booted, asked by ssh; "" when it does not answer."""
        return self.run(*(word.format(instance) for word in LOG_IN), check=False, seconds=60).stdout.strip()

    def installed(self):
        """Whether the package's program is there, and dpkg's word for its state."""
        state = self.run("dpkg-query", "-W", "-f", "${db:Status-Status}", "kiln", check=False).stdout
        return os.path.exists(self.chroot.path("/usr/bin/kiln")), state


def package():
    found = glob.glob(os.path.join(ROOT, "build/deb/kiln_*.deb"))
    assert found or "KILN_DEB" in os.environ, "there is no package; run make deb"
    return os.environ.get("KILN_DEB") or max(found, key=os.path.getmtime)


@kiln_test.fixture
def deb():
    yield package()


@kiln_test.fixture
def host():
    if os.geteuid() != 0:
        raise Skip("only root makes chroots")
    with Chroot() as chroot:
        made = Host(chroot, package())
        kiln_test.runner.watch(made)
        yield made
        kiln_test.runner.unwatch(made)


def test_lintian_finds_nothing(deb):
    done = subprocess.run(["lintian", "--allow-root", "--tag-display-limit", "0", "--fail-on", "error,warning", deb],
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0 and not done.stdout.strip(), done.stdout + done.stderr


def test_the_package_offers_the_version_of_the_program(deb):
    with open(os.path.join(ROOT, "CMakeLists.txt"), encoding="utf-8") as file:
        version = re.search(r"project\(kiln VERSION (\S+)", file.read())[1]
    assert subprocess.run(["dpkg-deb", "-f", deb, "Version"], capture_output=True, text=True, check=True).stdout.strip() == version


def test_from_install_to_ssh_in_three_minutes(host):
    host.run("apt-get", "update")
    with open(host.deb, "rb") as source, open(host.chroot.path("/tmp/kiln.deb"), "wb") as target:
        target.write(source.read())
    begin = time.monotonic()
    host.run("apt-get", "install", "-y", "--no-install-recommends", "/tmp/kiln.deb", *WITH)
    installed = time.monotonic()
    ready = host.start()
    print(f"    installed in {installed - begin:.1f} s; ready {ready:.2f} s after its start", flush=True)
    assert ready < READY_SECONDS, ready
    assert host.run("stat", "-c", "%U %a", DATA).stdout == "kiln 700\n"
    ec2 = host.client("ec2")
    wait_until(lambda: ec2.describe_images(Owners=["amazon"])["Images"], 60, "the tiny Linux is offered")
    key = ec2.create_key_pair(KeyName="me", KeyType="ed25519")["KeyMaterial"]
    with open(host.chroot.path("/root/me.pem"), "w", encoding="ascii", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        file.write(key)
    ec2.authorize_security_group_ingress(GroupName="default", IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="127.0.0.0/8")
    run = ec2.run_instances(ImageId=IMAGE, InstanceType="t2.nano", KeyName="me", MinCount=1, MaxCount=1)
    instance = run["Instances"][0]["InstanceId"]

    wait_until(lambda: host.boots(instance) == "1", SSH_SECONDS, "ssh answers")
    took = time.monotonic() - begin
    print(f"    ssh answered {took - (installed - begin):.1f} s after the service's start, {took:.1f} s after apt install's", flush=True)
    assert took < SSH_SECONDS, took


def test_the_service_ends_without_its_guests_and_finds_them_again(host):
    host.stop()
    host.start()
    instances = [i for r in host.client("ec2").describe_instances()["Reservations"] for i in r["Instances"]]
    assert [instance["State"]["Name"] for instance in instances] == ["running"], instances
    assert host.boots(instances[0]["InstanceId"]) == "1", "the guest began anew"


def test_the_unit_is_good_and_keeps_guests(host):
    done = host.run("systemd-analyze", "verify", "--man=no", "/lib/systemd/system/kiln.service")
    assert not done.stderr.strip(), done.stderr
    unit = host.unit()
    kept = {"KillMode": "process", "Delegate": "yes", "OOMPolicy": "continue", "RuntimeDirectoryPreserve": "yes", "User": "kiln"}
    assert kept.items() <= unit.items(), unit
    exposure = float(re.search(r"level for kiln.service: ([\d.]+)", host.run("systemd-analyze", "security", "--offline=true",
                     "/lib/systemd/system/kiln.service").stdout)[1])  # fmt: skip
    print(f"    systemd-analyze security: {exposure}", flush=True)
    assert exposure < 5, exposure
    assert host.run("systemctl", "is-enabled", "kiln.service").stdout.strip() == "enabled"
    groups = host.run("id", "-nG", "kiln").stdout.split()
    assert groups == ["kiln", "kvm"], groups


def test_man_pages_and_doctor_are_there(host):
    assert "kiln" in host.run("kiln", "doctor").stdout
    for page in ("man1/kiln.1.gz", "man8/kiln-serve.8.gz"):
        # minbase chroots leave documentation in; images that exclude it have none to look at.
        assert os.path.exists(host.chroot.path(f"/usr/share/man/{page}")), page


def test_removal_keeps_the_data_and_purge_does_not(host):
    host.stop()
    # What the package's prerm does where systemd runs: all of the user's processes, which are those of this namespace.
    subprocess.run(host.chroot.command("sh", "-c", "kill -KILL -1", user="kiln"), check=False)
    host.run("apt-get", "remove", "-y", "kiln")
    assert host.installed() == (False, "config-files"), host.installed()
    for kept in (f"{DATA}/credentials", f"{DATA}/catalog.sqlite", "/etc/default/kiln"):
        assert os.path.exists(host.chroot.path(kept)), os.listdir(host.chroot.path(DATA))
    host.run("apt-get", "install", "-y", "/tmp/kiln.deb")
    host.start()
    states = [i["State"]["Name"] for r in host.client("ec2").describe_instances()["Reservations"] for i in r["Instances"]]
    assert len(states) == 1, states
    host.stop()
    host.run("apt-get", "purge", "-y", "kiln")
    for gone in (DATA, "/run/kiln", "/etc/default/kiln", "/usr/share/kiln", "/usr/bin/kiln"):
        assert not os.path.exists(host.chroot.path(gone)), gone
    assert host.run("id", "kiln").returncode == 0  # the user's id must not become another's


if __name__ == "__main__":
    kiln_test.main(seconds=900)
