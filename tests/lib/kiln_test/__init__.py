# SPDX-License-Identifier: Apache-2.0
"""Harness of the tests that use Kiln from outside: a real daemon, real clients, real guests.

A test program is a script that ends with `if __name__ == "__main__": kiln_test.main()`; see docs/internals/testing.md.
"""

from .daemon import Kiln
from . import records
from .clients import AwsError
from .disks import Disk, build_tiny, tiny_image
from .query import query
from .runner import Skip, fixture, main
from .services import api_service
from .waiting import wait_until

__all__ = ["AwsError", "Disk", "Kiln", "Skip", "api_service", "build_tiny", "fixture", "main", "query", "records", "tiny_image", "wait_until"]
