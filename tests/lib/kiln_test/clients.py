# SPDX-License-Identifier: Apache-2.0
"""The unmodified clients, pointed at one daemon: boto3 and Debian's aws."""

import json
import re
import subprocess

import boto3
import botocore.config

from .paths import AWS, clean_environment

ERROR_LINE = re.compile(
    r"An error occurred \(([^)]+)\) when calling the \S+ operation(?: \(reached max retries: \d+\))?: (.*)", re.S
)


class AwsError(Exception):
    """aws ended with an error: `code` and `message` as the service sent them (code is "" when none was printed)."""

    def __init__(self, stderr):
        found = ERROR_LINE.search(stderr)
        self.code = found.group(1) if found else ""
        self.message = found.group(2).strip() if found else stderr.strip()
        super().__init__(stderr.strip())


def boto3_client(service, endpoint, access_key, secret_key, region, session_token=None):
    """No retries: a test sees the first answer. Nothing is read from the user's own configuration."""
    config = botocore.config.Config(
        retries={"total_max_attempts": 1, "mode": "standard"}, connect_timeout=5, read_timeout=60, proxies={}
    )
    session = boto3.session.Session()
    return session.client(
        service,
        region_name=region,
        endpoint_url=endpoint,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        aws_session_token=session_token,
        config=config,
    )


def aws(arguments, endpoint, access_key, secret_key, region, seconds=60):
    """Runs aws and returns its parsed JSON, or None when it printed nothing. Raises AwsError."""
    environment = clean_environment(
        AWS_ACCESS_KEY_ID=access_key,
        AWS_SECRET_ACCESS_KEY=secret_key,
        AWS_DEFAULT_REGION=region,
        AWS_MAX_ATTEMPTS="1",
        AWS_DEFAULT_OUTPUT="json",
    )
    command = [AWS, "--endpoint-url", endpoint, *map(str, arguments)]
    done = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds, check=False
    )
    if done.returncode != 0:
        raise AwsError(done.stderr)
    return json.loads(done.stdout) if done.stdout.strip() else None
