# SPDX-License-Identifier: Apache-2.0
"""Chroot: a fresh Debian 12 in a directory, with processes of its own, for the length of a `with` block. Root only.

It has namespaces of mounts and process ids: whatever was started in it ends with it, and its users' processes are not
mistaken for the host's. The network is the host's. What it is unpacked from is made by mmdebstrap from the host's own
package sources, once a month."""

import fcntl
import os
import shutil
import subprocess
import tempfile
import time

from .paths import ROOT, TEMPORARY, clean_environment

SUITE = "bookworm"
SOURCES = "/etc/apt/sources.list.d/debian.sources"
MONTH_SECONDS = 30 * 24 * 3600
INIT = """
set -e
mount --make-rprivate /
mount --rbind /dev "$0/dev"
mount -t proc proc "$0/proc"
mount --rbind /sys "$0/sys"
cp /etc/resolv.conf /etc/hosts "$0/etc/" || true
exec chroot "$0" sh -c 'trap "exit 0" TERM; echo ready; while :; do sleep 3600 & wait; done'
"""


class Chroot:
    """One owner thread."""

    def __init__(self):
        self.root = self.init = None

    def __enter__(self):
        self.root = tempfile.mkdtemp(prefix="kt-chroot-", dir=TEMPORARY)
        os.chmod(self.root, 0o755)
        try:
            subprocess.run(["tar", "-C", self.root, "--numeric-owner", "-xf", base()], check=True)
            command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", INIT, self.root]
            self.init = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=self.environment())
            assert self.init.stdout.readline() == b"ready\n", "the chroot did not start"
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.init:
            self.init.kill()  # and with it, by --kill-child, the first process of the namespace and so all others
            self.init.wait(30)
            self.init.stdout.close()
        # Its mounts went with its namespace; so this finds nothing of the host's.
        shutil.rmtree(self.root, ignore_errors=True)

    def path(self, inside):
        return self.root + inside

    def command(self, *words, user=None):
        """The words that run these words inside, as root or as `user`, who gets no more than a unit would give."""
        entered = ["nsenter", f"--target={self.child_of(self.init.pid)}", "--mount", "--pid", "--root", "--wdns=/"]
        if user:
            entered += ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--no-new-privs",
                        "--bounding-set=-all,+net_bind_service", "--inh-caps=-all,+net_bind_service",
                        "--ambient-caps=+net_bind_service"]  # fmt: skip
        return entered + list(words)

    @staticmethod
    def child_of(pid):
        """The only child of a process that waits for it, as unshare and nsenter do."""
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return int(file.read().split()[0])

    def run(self, *words, check=True, seconds=600):
        done = subprocess.run(self.command(*words), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds,
                              check=False, env=self.environment())  # fmt: skip
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(words)}: exit {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
        return done

    @staticmethod
    def environment():
        """Without the caller's home: what the chroot's programs write goes into the chroot."""
        return clean_environment(HOME="/root", DEBIAN_FRONTEND="noninteractive", LC_ALL="C.UTF-8", XDG_RUNTIME_DIR="")


def base():
    """The archive that chroots are unpacked from."""
    archive = os.path.join(ROOT, f"build/deb/{SUITE}.tar")
    os.makedirs(os.path.dirname(archive), exist_ok=True)
    with open(archive + ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(archive) or time.time() - os.stat(archive).st_mtime > MONTH_SECONDS:
            # A policy, as containers have one: no package starts its services.
            hook = 'printf "#!/bin/sh\\nexit 101\\n" >"$1/usr/sbin/policy-rc.d"; chmod 755 "$1/usr/sbin/policy-rc.d"'
            sources = [SOURCES if os.path.exists(SOURCES) else "/etc/apt/sources.list"]
            subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", f"--customize-hook={hook}", "--format=tar", SUITE,
                            archive + ".new", *sources], check=True, stdin=subprocess.DEVNULL)  # fmt: skip
            os.rename(archive + ".new", archive)
    return archive
