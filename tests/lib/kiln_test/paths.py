# SPDX-License-Identifier: Apache-2.0
"""Where things are, and the environment in which the programs under test run."""

import os

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
# The program under test; another build (asan) can be named.
KILN = os.environ.get("KILN_PROGRAM", os.path.join(ROOT, "build/kiln"))
AWS = "/usr/bin/aws"
# Unix socket paths end at 107 bytes, so test directories lie near the root.
TEMPORARY = "/tmp"


def clean_environment(**more):
    """The caller's environment without any AWS setting: no test may reach a real account."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    kept.update(AWS_EC2_METADATA_DISABLED="true", AWS_CONFIG_FILE="/dev/null", AWS_SHARED_CREDENTIALS_FILE="/dev/null")
    kept.update(AWS_PAGER="", PYTHONDONTWRITEBYTECODE="1")
    kept.update(more)
    return kept
