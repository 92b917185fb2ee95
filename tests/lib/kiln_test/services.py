# SPDX-License-Identifier: Apache-2.0
"""Services as API tests need them."""

import contextlib
import json
import os

from .daemon import Kiln


@contextlib.contextmanager
def api_service(*arguments):
    """A service with the fake hypervisor that has one image, `base`: its disk is the file `.raw` of 1 MiB, its ids are `.image`
    and `.snapshot`."""
    with Kiln("--hypervisor", "fake", *arguments) as kiln:
        kiln.raw = os.path.join(kiln.home, "disk.raw")
        with open(kiln.raw, "wb") as disk:
            disk.write(os.urandom(8192))
            disk.truncate(1 << 20)
        made = json.loads(kiln.run("import", kiln.raw, "--name", "base", "--json").stdout)
        kiln.image, kiln.snapshot = made["imageId"], made["snapshotId"]
        yield kiln
