# SPDX-License-Identifier: Apache-2.0
"""A further account of a daemon."""


class Account:
    """What `kiln account create` made. It outlives restarts of the daemon."""

    def __init__(self, kiln, made):
        self.kiln = kiln
        self.id = made["accountId"]
        self.access_key, self.secret_key = self.pair = made["accessKeyId"], made["secretAccessKey"]

    def client(self, service, region=None):
        """A boto3 client with the account's keys."""
        return self.kiln.client(service, region, self.access_key, self.secret_key)

    def run(self, *arguments, check=True):
        """Runs a client subcommand of kiln with the account's keys."""
        return self.kiln.run(*arguments, check=check, keys=self.pair)
