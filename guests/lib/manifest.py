# SPDX-License-Identifier: Apache-2.0
"""The manifest beside a disk that makes it an image the service offers to every account: NAME.json beside NAME.raw
(docs/formats/provided-image.md)."""

import json
import os


def write_manifest(disk, **members):
    """Written whole or not at all; an unchanged one keeps its time."""
    path = os.path.splitext(disk)[0] + ".json"
    text = json.dumps({"disk": os.path.basename(disk), **members}, indent=1) + "\n"
    try:
        with open(path, encoding="utf-8") as file:
            if file.read() == text:
                return
    except FileNotFoundError:
        pass
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.rename(path + ".new", path)
