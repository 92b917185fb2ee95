#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""docs/operations.md cannot hide a parameter that is taken in silence, nor a reason for one that is not."""

import importlib.machinery
import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test.paths import KILN, ROOT  # noqa: E402

sys.dont_write_bytecode = True
LOADER = importlib.machinery.SourceFileLoader("gen_operations", os.path.join(ROOT, "tools/gen-operations"))
GEN = importlib.util.module_from_spec(importlib.util.spec_from_loader("gen_operations", LOADER))
LOADER.exec_module(GEN)


def complaint(reasons):
    """What making the page with other reasons ends with."""
    kept = GEN.WITHOUT_EFFECT
    with tempfile.TemporaryDirectory() as folder:
        GEN.WITHOUT_EFFECT = pathlib.Path(folder) / "reasons.json"
        GEN.WITHOUT_EFFECT.write_text(json.dumps(reasons))
        try:
            GEN.page()
        except SystemExit as refusal:
            return str(refusal)
        finally:
            GEN.WITHOUT_EFFECT = kept
    return ""


def test_a_parameter_that_no_handler_reads_needs_its_reason():
    reasons = json.loads(GEN.WITHOUT_EFFECT.read_text())
    assert complaint(reasons) == ""
    del reasons["CopySnapshot"]
    assert complaint(reasons).startswith("ec2 CopySnapshot: no handler reads PresignedUrl"), complaint(reasons)


def test_a_reason_for_what_is_read_is_refused():
    reasons = json.loads(GEN.WITHOUT_EFFECT.read_text())
    reasons["CopyImage"] = {"Description": "not needed"}
    assert complaint(reasons) == "reasons.json: CopyImage does read Description", complaint(reasons)
    del reasons["CopyImage"]
    reasons["CopyMoon"] = {"Phase": "waning"}
    assert complaint(reasons) == "reasons.json: no operation CopyMoon is built", complaint(reasons)


def test_the_command_shows_one_operation_by_any_of_its_names():
    script = f"'{KILN}' operations copy-image && '{KILN}' operations --built CreateFleet"
    done = subprocess.run([KILN, "serve", "--ephemeral", "--hypervisor", "fake", "--", "sh", "-c", script], capture_output=True, text=True, check=False, timeout=120)
    assert "ec2    built     CopyImage\n" in done.stdout and "  parameter SourceRegion (required)\n" in done.stdout, done.stdout
    assert done.returncode != 0 and "no built operation is called CreateFleet" in done.stderr, done


if __name__ == "__main__":
    kiln_test.main()
