# SPDX-License-Identifier: Apache-2.0
"""Programs that store a disk compressed, and once where it repeats: the peers of rows about storing. A repository each, without
encryption where that can be had. One owner thread."""

import os
import shutil

from .corpus import run

PASSWORD = "kiln"  # restic insists on one


def allocated(directory):
    """Bytes that the files below a directory take."""
    return sum(os.lstat(os.path.join(folder, name)).st_blocks * 512 for folder, _, names in os.walk(directory) for name in names)


class Borg:
    """With zstd at level 1, as Kiln compresses."""

    # As borg writes them: least and greatest chunk, mean, in powers of two, and the window.
    CHUNKERS = {"its own chunks": "buzhash,19,23,21,4095", "chunks of about 64 KiB": "buzhash,12,20,16,4095", "fixed 64 KiB": "fixed,65536"}

    def __init__(self, directory, chunker):
        self.repository = directory
        self.chunker = chunker
        self.environment = {
            "BORG_BASE_DIR": directory + ".base",
            "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
            "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes",
        }
        self.count = 0
        run(["borg", "init", "--encryption", "none", directory], **self.environment)

    def store(self, path):
        self.count += 1
        options = ["--compression", "zstd,1", "--chunker-params", self.chunker, "--files-cache", "disabled"]
        options += ["--sparse"] if self.chunker.startswith("fixed") else []
        run(["borg", "create", *options, f"{self.repository}::{self.count}", path], **self.environment)

    def stored_bytes(self):
        """Of the segments: what of Kiln's are the packs."""
        return allocated(os.path.join(self.repository, "data"))

    def remove(self):
        shutil.rmtree(self.repository)
        shutil.rmtree(self.environment["BORG_BASE_DIR"], ignore_errors=True)


class Restic:
    def __init__(self, directory):
        self.repository = directory
        self.environment = {"RESTIC_PASSWORD": PASSWORD, "RESTIC_REPOSITORY": directory}
        run(["restic", "init"], **self.environment)

    def store(self, path):
        run(["restic", "backup", "--no-cache", "--force", path], **self.environment)

    def stored_bytes(self):
        return allocated(os.path.join(self.repository, "data"))

    def remove(self):
        shutil.rmtree(self.repository)
