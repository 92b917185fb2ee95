#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""CON-2, CON-3: a real guest's serial console, typed at and read, in a terminal and through pipes; by one at a time; by a
client that stops reading; before and after the daemon is killed."""

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import wait_until  # noqa: E402
from kiln_test.paths import KILN, ROOT, clean_environment  # noqa: E402
from kiln_test.refusals import expect  # noqa: E402

SECONDS = 240


class Session:
    """`kiln console` on a terminal of its own."""

    def __init__(self, kiln, instance):
        self.terminal, other = pty.openpty()
        command = [KILN, "console", instance, "--data", kiln.data]
        self.process = subprocess.Popen(command, stdin=other, stdout=other, stderr=other, env=clean_environment(), start_new_session=True)
        os.close(other)
        os.set_blocking(self.terminal, False)
        self.text = ""

    def type(self, text):
        os.write(self.terminal, text.encode())

    def shown(self):
        with contextlib.suppress(BlockingIOError, OSError):  # EIO: the other side is gone
            while piece := os.read(self.terminal, 65536):
                self.text += piece.decode(errors="replace")
        return self.text

    def wait_for(self, words, seconds=60):
        wait_until(lambda: words in self.shown(), seconds, f"the console shows {words!r}", interval=0.05)

    def end(self):
        self.type("\x1d")
        assert self.process.wait(30) == 0
        os.close(self.terminal)


@contextlib.contextmanager
def killed_at_end(process):
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def launch(kiln):
    disk = kiln_test.build_tiny(os.path.join(ROOT, "guests/tiny/extras/echo"), os.path.join(ROOT, "build/guests/tiny-echo.raw"))
    image = json.loads(kiln.run("import", disk, "--boot-mode", "legacy-bios", "--name", "echo", "--json").stdout)["imageId"]
    ec2 = kiln.client("ec2")
    instance = ec2.run_instances(ImageId=image, InstanceType="t3.nano", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    wait_until(lambda: "ECHO ready" in kiln.serial(instance), SECONDS, "the guest listens")
    return instance


def in_use(kiln, instance):
    done = kiln.run("console", instance, check=False)
    return done.returncode != 0 and "ConsoleInUse" in done.stderr


def test_CON_2_a_guests_console_is_typed_at_and_read():
    with kiln_test.Kiln() as kiln:
        instance = launch(kiln)
        session = Session(kiln, instance)
        session.wait_for("^] ends it")
        session.type("first\n")
        session.wait_for("ECHO heard first")
        session.type("\x03second\n")  # ^C is the guest's
        session.wait_for("second")
        assert in_use(kiln, instance)
        session.end()
        wait_until(lambda: not in_use_while_typing(kiln, instance, "third"), 30, "the console is free again")

        logs = kiln.run("logs", instance).stdout
        assert all(f"ECHO heard {word}" in logs for word in ("first", "third")), logs

        kiln.kill9()
        kiln.start()
        done = type_once(kiln, instance, "fourth")
        assert "ECHO heard fourth" in done, done
        follow_the_log(kiln, instance)
        stuck_reader(kiln, instance)

        ec2 = kiln.client("ec2")
        ec2.stop_instances(InstanceIds=[instance], Force=True)
        ec2.get_waiter("instance_stopped").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        assert "IncorrectInstanceState" in kiln.run("console", instance, check=False).stderr
        assert "ECHO flooded" in kiln.run("logs", instance).stdout
        assert "InvalidInstanceID.NotFound" in kiln.run("logs", "i-0123456789abcdef0", check=False).stderr
        expect("InvalidInstanceID.NotFound", ec2.get_console_output, InstanceId="i-0123456789abcdef0")
        ec2.terminate_instances(InstanceIds=[instance])


def in_use_while_typing(kiln, instance, word):
    return "ECHO heard" not in type_once(kiln, instance, word)


def type_once(kiln, instance, word):
    """Through pipes, as a script does it."""
    command = [KILN, "console", instance, "--data", kiln.data]
    with killed_at_end(
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=clean_environment())
    ) as process:
        os.set_blocking(process.stdout.fileno(), False)
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(f"{word}\n".encode())
            process.stdin.flush()
        text, end = b"", time.monotonic() + 30
        while b"ECHO heard" not in text and process.poll() is None and time.monotonic() < end:
            text += process.stdout.read() or b""
            time.sleep(0.02)
        return (text + (process.stdout.read() or b"")).decode(errors="replace")


def follow_the_log(kiln, instance):
    command = [KILN, "logs", "--follow", instance, "--data", kiln.data]
    with killed_at_end(subprocess.Popen(command, stdout=subprocess.PIPE, env=clean_environment())) as process:
        os.set_blocking(process.stdout.fileno(), False)
        text = ""

        def shown(word):
            nonlocal text
            text += (process.stdout.read() or b"").decode(errors="replace")
            return word in text

        wait_until(lambda: shown("ECHO heard fourth"), 30, "what was there is shown")
        type_once(kiln, instance, "fifth")
        wait_until(lambda: shown("ECHO heard fifth"), 30, "what is added is shown")
        process.terminate()
        assert process.wait(30) == -signal.SIGTERM


def stuck_reader(kiln, instance):
    """CON-2: the guest goes on beside a client that does not read."""
    command = [KILN, "console", instance, "--data", kiln.data]
    with killed_at_end(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=clean_environment())) as process:
        process.stdin.write(b"flood\n")
        process.stdin.flush()
        wait_until(lambda: re.search("ECHO flooded", kiln.serial(instance)), 120, "the guest has written all of it")


if __name__ == "__main__":
    kiln_test.main(seconds=600)
