# SPDX-License-Identifier: Apache-2.0
"""Kiln: one `kiln serve` on a data directory of its own, for the length of a `with` block.

    with Kiln() as kiln:
        kiln.client("ec2").describe_instances()

The port is chosen by the system and read from DIR/endpoint. Leaving the block stops the daemon, ends its machines and
removes the directory; when a test failed, the runner first prints the ends of the logs. KILN_KEEP=1 keeps the directory.
"""

import configparser
import functools
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time

from . import clients, processes, runner
from .accounts import Account
from .paths import KILN, TEMPORARY, clean_environment
from .waiting import wait_until

# Sanitizer builds on a busy machine are slow to start; a healthy start takes a fraction of a second.
READY_SECONDS = 60
STOP_SECONDS = 30


class Kiln:
    """One owner thread."""

    def __init__(self, *arguments, region="us-east-1"):
        self.region = region
        self.home = tempfile.mkdtemp(prefix="kt-", dir=TEMPORARY)
        # When the daemon is root its guests run under ids of their own and must reach their sockets: searchable, not listable.
        os.chmod(self.home, 0o711)
        self.data = os.path.join(self.home, "data")
        self.log = os.path.join(self.home, "kiln.log")
        self.arguments = list(arguments)
        self.environment = {}  # what `kiln serve` gets besides
        self.endpoint = self.access_key = self.secret_key = None
        self.process = None
        self.folder = None  # the daemon's working directory; its paths are given relative to it

    def __enter__(self):
        runner.watch(self)
        try:
            self.start()
        except BaseException:
            runner.show_logs([self])
            self.close()
            raise
        return self

    def __exit__(self, *failure):
        if failure[0]:
            runner.show_logs([self])
        self.close()

    def start(self, seconds=READY_SECONDS):
        """Starts the daemon and returns when it says that it is ready."""
        assert self.process is None, "the daemon runs already"
        if not os.path.exists(KILN):
            raise AssertionError(f"{KILN} is missing; run make")
        reading, writing = os.pipe()
        command = [KILN, "serve", "--data", self._told(self.data), "--listen", "127.0.0.1:0", "--ready-fd", str(writing)]
        command += ["--runtime-directory", self._told(os.path.join(self.home, "run"))]
        if "--provided-images" not in self.arguments:
            command += ["--provided-images", "none"]  # most tests count images
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                command + self.arguments,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment(**self.environment),
                pass_fds=[writing],
                cwd=self.folder,
                start_new_session=True,
            )
        os.close(writing)
        try:
            self._await_ready(reading, seconds)
        finally:
            os.close(reading)
        with open(os.path.join(self.data, "endpoint"), encoding="ascii") as file:
            self.endpoint = file.read().strip()
        self._read_keys()

    def _told(self, path):
        return os.path.relpath(path, self.folder) if self.folder else path

    def stop(self, seconds=STOP_SECONDS):
        """SIGTERM; returns the exit code. Guests go on running."""
        self.process.send_signal(signal.SIGTERM)
        return self._await_exit(seconds)

    def kill9(self):
        """SIGKILL, as a crash would be. Guests go on running."""
        self.process.kill()
        self._await_exit(10)

    def restart(self):
        if self.process:
            self.stop()
        self.start()

    def close(self):
        """Ends everything; may be called in any state, twice too."""
        runner.unwatch(self)
        if self.process:
            try:
                self.stop()
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
                self.process = None
        processes.end_machines(self.data)
        if os.environ.get("KILN_KEEP"):
            print(f"kept: {self.home}", flush=True)
        else:
            shutil.rmtree(self.home, ignore_errors=True)

    def account(self, name="other", *arguments):
        """Another account, made by the daemon's administrator."""
        return Account(self, json.loads(self.run("account", "create", "--name", name, *arguments, "--json").stdout))

    @functools.cached_property
    def number(self):
        """The number of the account that the daemon made first."""
        return self.client("sts").get_caller_identity()["Account"]

    def client(self, service, region=None, access_key=None, secret_key=None, session_token=None):
        """A boto3 client of this daemon."""
        return clients.boto3_client(service, self.endpoint, *self._keys(access_key, secret_key), region or self.region, session_token)

    def aws(self, *arguments, region=None, access_key=None, secret_key=None):
        """Runs Debian's aws against this daemon; parsed JSON or AwsError."""
        return clients.aws(arguments, self.endpoint, *self._keys(access_key, secret_key), region or self.region)

    def run(self, *arguments, seconds=120, check=True, keys=None):
        """Runs a client subcommand of kiln with this daemon's profile, or with these keys (access key, secret); returns the
        finished process, output as text."""
        environment = self._environment(
            AWS_PROFILE="kiln",
            AWS_SHARED_CREDENTIALS_FILE=os.path.join(self.data, "credentials"),
            AWS_CONFIG_FILE=os.path.join(self.data, "config"),
            AWS_ENDPOINT_URL=self.endpoint,
            XDG_CACHE_HOME=os.path.join(self.home, "cache"),
        )
        if keys:
            environment.update(AWS_ACCESS_KEY_ID=keys[0], AWS_SECRET_ACCESS_KEY=keys[1])
        done = subprocess.run(
            [KILN, *map(str, arguments)],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"kiln {' '.join(map(str, arguments))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def wait_stored(self, snapshot, seconds=60):
        """Until the snapshot is a tree in packs; that it is completed says less."""

        def stored():
            return json.loads(self.run("inspect", snapshot).stdout)["contents"][0]["state"] == "rooted"

        wait_until(stored, seconds, f"{snapshot} is stored", interval=0.1)

    def machines(self):
        """Runtime records of the machines by instance id."""
        return {record["id"]: record for record in processes.recorded_machines(self.data)}

    def serial_logs(self):
        """Paths of the serial logs by instance id, also of machines that have ended."""
        found = {}
        for folder, _, files in os.walk(self.data):
            for name in files:
                if name.startswith("serial"):
                    found[os.path.basename(folder)] = os.path.join(folder, name)
        return found

    def serial(self, instance_id):
        """What the guest has printed so far; "" before it printed anything."""
        path = self.serial_logs().get(instance_id)
        if not path:
            return ""
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().replace("\r", "")

    def log_files(self):
        """What the runner shows after a failure: label and path."""
        logs = [("kiln serve", self.log)]
        return logs + [(f"serial console of {name}", path) for name, path in sorted(self.serial_logs().items())]

    def _environment(self, **more):
        return clean_environment(XDG_RUNTIME_DIR=self.home, **runner.mark(), **more)

    def _keys(self, access_key, secret_key):
        return access_key or self.access_key, secret_key or self.secret_key

    def _read_keys(self):
        parser = configparser.ConfigParser()
        parser.read(os.path.join(self.data, "credentials"), encoding="utf-8")
        self.access_key = parser["kiln"]["aws_access_key_id"]
        self.secret_key = parser["kiln"]["aws_secret_access_key"]

    def _await_ready(self, reading, seconds):
        end = time.monotonic() + seconds
        readable, _, _ = select.select([reading], [], [], max(0, end - time.monotonic()))
        if readable and os.read(reading, 1):
            return
        # End of file without a byte: the only writer, the daemon, is gone or closed it.
        if readable and self.process.poll() is None:
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                pass
        code = self.process.poll()
        state = f"exit code {code}" if code is not None else f"still starting after {seconds} s"
        if code is None:
            self.process.kill()
            self.process.wait(10)
        self.process = None
        raise AssertionError(f"kiln serve did not become ready: {state}")

    def _await_exit(self, seconds):
        code = self.process.wait(seconds)
        self.process = None
        return code
