# SPDX-License-Identifier: Apache-2.0
"""Requests that must be refused."""

from botocore.exceptions import ClientError


def expect(code, call, **parameters):
    """The call fails with this error code; returns the message."""
    try:
        call(**parameters)
    except ClientError as error:
        got, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
        assert got == code, f"{parameters}: {got}: {message}, expected {code}"
        return message
    raise AssertionError(f"{parameters} was accepted, expected {code}")
