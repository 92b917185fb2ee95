#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""kiln serve --limits FILE: requests beyond an account's rate are refused in the words of each service, and nobody else's are."""

import json
import os
import subprocess
import sys
import tempfile
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from botocore.exceptions import ClientError  # noqa: E402
from kiln_test.paths import KILN, TEMPORARY, clean_environment  # noqa: E402
from kiln_test.refusals import expect  # noqa: E402

SLOW = 0.001  # what is used up stays used up while a test runs
NOTHING = "vol-00000000000000000"


@kiln_test.fixture
def folder():
    with tempfile.TemporaryDirectory(prefix="kt-", dir=TEMPORARY) as path:
        yield path


def write(folder, content):
    path = os.path.join(folder, "limits.json")
    with open(path, "w", encoding="utf-8") as file:
        file.write(content if isinstance(content, str) else json.dumps(content))
    return path


def limited(folder, **bursts):
    rates = {name: {"burst": burst, "perSecond": SLOW} for name, burst in bursts.items()}
    return kiln_test.Kiln("--hypervisor", "fake", "--limits", write(folder, {"requests": rates}))


def use_up(code, call, **parameters):
    """How often the call was answered otherwise before it was refused with `code`, and the status of that."""
    for count in range(100):
        try:
            call(**parameters)
        except ClientError as error:
            if error.response["Error"]["Code"] == code:
                return count, error.response["ResponseMetadata"]["HTTPStatusCode"]
    raise AssertionError("never refused")


def test_THR_1_THR_3_requests_beyond_the_rate_are_refused(folder):
    with limited(folder, reads=5, writes=2, blocks=3) as kiln:
        other = kiln.account("neighbour").client("ec2")
        ec2 = kiln.client("ec2")
        assert use_up("RequestLimitExceeded", ec2.describe_images, Owners=["self"]) == (5, 503)
        # It is the bucket of all services in the region; the service iam has one of its own.
        expect("ThrottlingException", kiln.client("ssm").get_parameter, Name="/x")
        assert use_up("Throttling", kiln.client("iam").list_roles) == (5, 400)
        expect("Throttling", kiln.client("iam", region="eu-west-1").list_roles)
        # Writes have theirs, so has another region, and so has another account.
        made = [ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"] for _ in range(2)]
        expect("RequestLimitExceeded", ec2.create_volume, AvailabilityZone="us-east-1a", Size=1)
        kiln.client("ec2", region="eu-west-1").describe_images(Owners=["self"])
        assert use_up("RequestLimitExceeded", other.describe_images, Owners=["self"])[0] == 5
        # What was refused is counted under its code.
        with urllib.request.urlopen(kiln.endpoint + "/metrics", timeout=10) as answer:
            metrics = answer.read().decode()
        counted = [line for line in metrics.splitlines() if line.startswith("kiln_requests_total") and '"CreateVolume"' in line]
        assert sorted(line.split()[-1] for line in counted if "RequestLimitExceeded" in line or '"OK"' in line) == ["1", "2"], (counted, made)
        # Kiln's own calls have no limit.
        for number in range(8):
            kiln.account(f"more-{number}")


def test_THR_3_blocks_have_a_rate_of_their_own(folder):
    with limited(folder, reads=50, blocks=3) as kiln:
        ebs = kiln.client("ebs")
        snapshot = ebs.start_snapshot(VolumeSize=1)["SnapshotId"]
        call = {"SnapshotId": snapshot, "BlockIndex": 0, "BlockToken": "x"}
        for _ in range(3):
            expect("ValidationException", ebs.get_snapshot_block, **call)
        expect("RequestThrottledException", ebs.get_snapshot_block, **call)


def test_THR_1_a_wrong_signature_takes_nothing(folder):
    with limited(folder, reads=2) as kiln:
        other = kiln.account()
        forged = kiln.client("ec2", None, other.access_key, "x" * 40)
        for _ in range(5):
            expect("AuthFailure", forged.describe_regions)
        assert use_up("RequestLimitExceeded", other.client("ec2").describe_regions)[0] == 2
        expect("AuthFailure", forged.describe_regions)


def test_THR_2_the_default_is_met_by_no_tool_and_ec2s_rates_can_be_had(folder):
    with kiln_test.Kiln("--hypervisor", "fake") as kiln:
        ec2 = kiln.client("ec2")
        for _ in range(300):
            ec2.describe_regions()
    with kiln_test.Kiln("--hypervisor", "fake", "--limits", write(folder, {"requests": "ec2"})) as kiln:
        ec2 = kiln.client("ec2")
        answered, _ = use_up("RequestLimitExceeded", ec2.delete_volume, VolumeId=NOTHING)
        assert 50 <= answered < 99, answered
    with kiln_test.Kiln("--hypervisor", "fake", "--limits", write(folder, {"requests": "off"})) as kiln:
        kiln.client("ec2").describe_regions()


def test_THR_2_a_bad_file_is_refused_with_its_place(folder):
    none = {"requests": {"reads": {"burst": 0, "perSecond": 1}}}
    for content, words in (("{", "line 1"), (none, "requests.reads.burst"), ({"rates": {}}, "unknown member 'rates'")):
        command = [KILN, "serve", "--ephemeral", "--hypervisor", "fake", "--limits", write(folder, content)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=clean_environment(), check=False)
        assert done.returncode != 0 and words in done.stderr + done.stdout and "limits.json" in done.stderr + done.stdout, done.stderr


if __name__ == "__main__":
    kiln_test.main()
