# SPDX-License-Identifier: Apache-2.0
"""Requests that must be refused."""

from botocore.exceptions import ClientError


ENCODED = ". Encoded authorization failure message: "


def openly(message):
    """What a refusal of EC2 says without what is sealed in it (IAM-36), which is never twice the same."""
    return message.split(ENCODED)[0]


def refusal(call, **parameters):
    """Code and message of the error with which the call fails."""
    try:
        call(**parameters)
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["Error"]["Message"]
    raise AssertionError(f"{parameters} was accepted")


def refused(call, **parameters):
    """EC2 refuses the call for want of a permission; returns the message."""
    return expect("UnauthorizedOperation", call, **parameters)


def expect(code, call, **parameters):
    """The call fails with this error code; returns the message."""
    got, message = refusal(call, **parameters)
    assert got == code, f"{parameters}: {got}: {message}, expected {code}"
    return message
