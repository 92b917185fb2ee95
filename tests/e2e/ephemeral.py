#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`kiln serve --ephemeral`: a service for the length of one command, or until it is told to end, that leaves nothing: no
process and no file, in whatever way it ends."""

import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import wait_until  # noqa: E402
from kiln_test.paths import KILN, TEMPORARY, clean_environment  # noqa: E402
from kiln_test.processes import is_there  # noqa: E402
from kiln_test.runner import mark  # noqa: E402

HERE = os.path.abspath(__file__)
END_SECONDS = 60


class Place:
    """A TMPDIR of its own for a service, and where its files are."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="kt-", dir=TEMPORARY)
        os.chmod(self.path, 0o711)
        self.temporary = os.path.join(self.path, "tmp")
        os.mkdir(self.temporary)
        self.sockets = "/run" if os.geteuid() == 0 and os.access("/run", os.W_OK) else self.path

    def environment(self, **more):
        # Settings of another service, which must not reach the command.
        foreign = {"AWS_PROFILE": "foreign", "AWS_SESSION_TOKEN": "foreign", "AWS_ENDPOINT_URL_EC2": "http://127.0.0.1:9"}
        own = {"TMPDIR": self.temporary, "XDG_RUNTIME_DIR": self.path}
        return clean_environment(**{**own, **foreign, **mark(), **more})

    def serve(self, *arguments, command=(), fake=True, **more):
        words = [KILN, "serve", "--ephemeral", "--provided-images", "none"] + (["--hypervisor", "fake"] if fake else [])
        return subprocess.Popen(
            words + list(arguments) + (["--", *command] if command else []),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=self.environment(**more), start_new_session=True,
        )  # fmt: skip

    def data(self):
        """The data directory of the one service here."""
        (found,) = glob.glob(self.temporary + "/kiln-ephemeral-*")
        return found

    def runtime(self, before):
        return sorted(set(glob.glob(self.sockets + "/kiln-e-*")) - set(before))


def finish(process, seconds=END_SECONDS):
    out, err = process.communicate(timeout=seconds)
    return process.returncode, out, err


def assert_nothing_left(place, before, pids=()):
    wait_until(lambda: not os.listdir(place.temporary), END_SECONDS, f"{place.temporary} is empty")
    wait_until(lambda: not place.runtime(before), END_SECONDS, "the sockets are gone")
    for pid in pids:
        wait_until(lambda: not is_there(pid), END_SECONDS, f"process {pid} is gone")


def test_a_command_launches_a_guest_and_its_exit_code_is_the_end_of_all(place):
    before = glob.glob(place.sockets + "/kiln-e-*")
    report = os.path.join(place.path, "report.json")
    process = place.serve(command=[sys.executable, HERE, "--launch", report, "7"], fake=False)
    code, out, err = finish(process, 240)
    assert code == 7, (code, out, err)
    with open(report, encoding="utf-8") as file:
        seen = json.load(file)
    assert oct(seen["mode"]) == "0o700" and seen["data"].startswith(place.temporary + "/kiln-ephemeral-"), seen
    assert len(seen["pids"]) == 2, seen  # QEMU and the network process
    assert "info" not in err, err  # what one looks at is the command's output
    assert_nothing_left(place, before, seen["pids"])


def test_kill_9_is_cleaned_up_after_too(place):
    before = glob.glob(place.sockets + "/kiln-e-*")
    report = os.path.join(place.path, "report-of-kill.json")
    process = place.serve(command=[sys.executable, HERE, "--launch", report, "wait"], fake=False)
    wait_until(lambda: os.path.exists(report), 240, "the guest runs")
    with open(report, encoding="utf-8") as file:
        seen = json.load(file)
    assert all(is_there(pid) for pid in seen["pids"] + [seen["command"]]), seen
    process.kill()
    process.wait(END_SECONDS)
    assert_nothing_left(place, before, seen["pids"] + [seen["command"]])
    process.communicate()


def test_signals_are_passed_on_and_a_signal_that_ended_the_command_is_told(place):
    before = glob.glob(place.sockets + "/kiln-e-*")
    told = os.path.join(place.path, "told")
    script = f"trap 'echo usr1 >>{told}' USR1; trap 'exit 9' TERM; echo up >>{told}; while :; do sleep 0.1; done"
    process = place.serve(command=["sh", "-c", script])
    lines = lambda: open(told, encoding="ascii").read().split() if os.path.exists(told) else []  # noqa: E731
    wait_until(lambda: lines() == ["up"], END_SECONDS, "the command runs")
    process.send_signal(signal.SIGUSR1)
    wait_until(lambda: lines() == ["up", "usr1"], END_SECONDS, "the signal has arrived")
    process.send_signal(signal.SIGTERM)
    assert finish(process)[0] == 9
    assert finish(place.serve(command=["sh", "-c", "kill -KILL $$"]))[0] == 128 + signal.SIGKILL
    assert_nothing_left(place, before)


def test_the_environment_is_that_of_this_service_alone(place):
    code, out, err = finish(place.serve(command=["env"]))
    assert code == 0, err
    variables = dict(line.split("=", 1) for line in out.splitlines())
    assert variables["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:"), variables
    assert not variables["AWS_ENDPOINT_URL"].endswith(":4566"), variables
    assert variables["AWS_REGION"] == variables["AWS_DEFAULT_REGION"] == "us-east-1"
    assert variables["AWS_EC2_METADATA_DISABLED"] == "true"
    assert variables["AWS_ACCESS_KEY_ID"] and variables["AWS_SECRET_ACCESS_KEY"]
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_EC2"):
        assert name not in variables, name
    # kiln's own commands find the service by it.
    code, out, err = finish(place.serve(command=["sh", "-c", f"{KILN} operations --built | head -n 1"]))
    assert code == 0 and "built" in out, (code, out, err)


def test_without_a_command_it_serves_until_told_to_end(place):
    before = glob.glob(place.sockets + "/kiln-e-*")
    for number in (signal.SIGTERM, signal.SIGINT):
        reading, writing = os.pipe()
        process = subprocess.Popen(
            [KILN, "serve", "--ephemeral", "--hypervisor", "fake", "--provided-images", "none", "--ready-fd", str(writing)],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, pass_fds=[writing], env=place.environment(),
        )  # fmt: skip
        os.close(writing)
        with os.fdopen(reading, "rb") as ready:
            assert ready.read() == b"1"  # to the end of file: no other process holds it open
        done = subprocess.run([KILN, "operations", "--data", place.data()], capture_output=True, check=False, env=clean_environment())
        assert done.returncode == 0, done.stderr
        process.send_signal(number)
        assert finish(process)[0] == 0
        assert_nothing_left(place, before)


def test_what_cannot_be_run_or_started_is_said_at_once(place):
    before = glob.glob(place.sockets + "/kiln-e-*")
    plain = os.path.join(place.path, "plain")
    with open(plain, "w", encoding="ascii") as file:
        file.write("no program")
    broken = os.path.join(place.path, "broken")
    with open(broken, "w", encoding="ascii") as file:
        file.write("#!/no/such/interpreter\n")
    os.chmod(broken, 0o755)
    code, _, err = finish(place.serve(command=["no-such-command"]))
    assert code == 127 and "no-such-command: command not found" in err, (code, err)
    code, _, err = finish(place.serve(command=[plain]))
    assert code == 126 and "cannot be executed" in err, (code, err)
    code, _, err = finish(place.serve(command=[broken]))
    assert code == 126 and "broken" in err, (code, err)
    for arguments in (["--listen", "nowhere"], ["--topology", plain]):
        code, _, err = finish(place.serve(*arguments, command=["true"]))
        assert code == 1 and "cannot start" in err, (arguments, code, err)
    assert_nothing_left(place, before)


def test_options_that_contradict_it_are_refused(place):
    for arguments in (["--data", place.path], ["--runtime-directory", place.path]):
        code, _, err = finish(place.serve(*arguments))
        assert code not in (0, 1) and arguments[0] in err, (arguments, code, err)
    done = subprocess.run(
        [KILN, "serve", "--data", os.path.join(place.path, "data"), "--", "true"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, env=place.environment(), timeout=END_SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode != 0 and "--ephemeral" in done.stderr, (done.returncode, done.stderr)
    assert not os.path.exists(os.path.join(place.path, "data"))
    code, _, err = finish(place.serve(command=["true"], TMPDIR=os.path.join(place.path, "missing")))
    assert code == 1 and "temporary directory" in err, (code, err)


@kiln_test.fixture
def place():
    found = Place()
    yield found
    shutil.rmtree(found.path)


def launch(report, end):
    """What runs as the command: launch a guest, write down what runs, end with that code or wait."""
    import boto3

    done = subprocess.run(
        [KILN, "import", kiln_test.tiny_image(), "--name", "tiny", "--boot-mode", "legacy-bios", "--json"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    ec2 = boto3.client("ec2", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    image = json.loads(done.stdout)["imageId"]
    instance = ec2.run_instances(ImageId=image, InstanceType="t3.nano", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    state = lambda: ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]["State"]["Name"]  # noqa: E731
    wait_until(lambda: state() == "running", 120, f"{instance} runs")
    data = os.path.dirname(os.environ["AWS_CONFIG_FILE"])
    pids = []
    for name in ("machine.json", "network-process.json"):
        with open(os.path.join(data, "instances", instance, name), encoding="utf-8") as file:
            pids.append(json.load(file)["pid"])
    seen = {"data": data, "mode": os.stat(data).st_mode & 0o777, "pids": pids, "command": os.getpid()}
    with open(report + ".new", "w", encoding="utf-8") as file:
        json.dump(seen, file)
    os.rename(report + ".new", report)
    if end == "wait":
        time.sleep(600)
    sys.exit(int(end))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--launch"]:
        launch(*sys.argv[2:])
    else:
        kiln_test.main(seconds=400)
