#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How much an account may have: characters of policies, and key pairs; and that up to there all is kept as it was given."""

import contextlib
import json
import os
import sqlite3
import sys
import urllib.error
import urllib.parse
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from botocore import auth, awsrequest, credentials  # noqa: E402
from kiln_test.refusals import expect  # noqa: E402

TRUST_CHARACTERS, POLICY_CHARACTERS, KEY_PAIRS = 4096, 10240, 5000


@kiln_test.fixture
def service():
    with kiln_test.Kiln("--hypervisor", "fake") as kiln:
        yield kiln


def padded(document, size, **space):
    """The document as JSON text with `size` characters that are not white space; `Sid` fills it up."""
    statement = document["Statement"][0]
    statement["Sid"] = ""
    missing = size - len(json.dumps(document, separators=(",", ":")))
    statement["Sid"] = "x" * missing
    text = json.dumps(document, **space)
    assert sum(not c.isspace() for c in text) == size, (size, missing)
    return text


def trust(size, **space):
    service = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}
    return padded({"Version": "2012-10-17", "Statement": [service]}, size, **space)


def policy(size, **space):
    return padded({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}]}, size, **space)


def test_IAM_4_a_trust_policy_has_at_most_4096_characters(service):
    iam = service.client("iam")
    expect("LimitExceeded", iam.create_role, RoleName="long", AssumeRolePolicyDocument=trust(TRUST_CHARACTERS + 1))
    expect("NoSuchEntity", iam.get_role, RoleName="long")
    iam.create_role(RoleName="long", AssumeRolePolicyDocument=trust(TRUST_CHARACTERS))
    before = iam.get_role(RoleName="long")["Role"]["AssumeRolePolicyDocument"]
    assert before == json.loads(trust(TRUST_CHARACTERS))
    expect("LimitExceeded", iam.update_assume_role_policy, RoleName="long", PolicyDocument=trust(TRUST_CHARACTERS + 1))
    assert iam.get_role(RoleName="long")["Role"]["AssumeRolePolicyDocument"] == before
    # White space is not counted.
    iam.update_assume_role_policy(RoleName="long", PolicyDocument=trust(TRUST_CHARACTERS, indent=9))
    iam.delete_role(RoleName="long")


def test_IAM_4_all_policies_of_a_role_have_at_most_10240_characters(service):
    iam = service.client("iam")
    iam.create_role(RoleName="many", AssumeRolePolicyDocument=trust(200))

    def put(name, size, **space):
        iam.put_role_policy(RoleName="many", PolicyName=name, PolicyDocument=policy(size, **space))

    put("one", 6000)
    put("two", POLICY_CHARACTERS - 6000, indent=40)
    expect("LimitExceeded", put, name="three", size=100)
    expect("LimitExceeded", put, name="two", size=POLICY_CHARACTERS - 6000 + 1)
    assert iam.list_role_policies(RoleName="many")["PolicyNames"] == ["one", "two"]
    put("one", 5900)  # the place of another is not counted twice
    put("three", 100)
    for name in ("one", "two", "three"):
        iam.delete_role_policy(RoleName="many", PolicyName=name)
    put("alone", POLICY_CHARACTERS)
    expect("LimitExceeded", put, name="alone", size=POLICY_CHARACTERS + 1)
    iam.delete_role_policy(RoleName="many", PolicyName="alone")
    iam.delete_role(RoleName="many")


def test_IAM_4_documents_come_back_as_they_were_given_percent_encoded(service):
    iam = service.client("iam")
    text = json.dumps(json.loads(policy(200)), indent=3) + "\n"
    iam.create_role(RoleName="same", AssumeRolePolicyDocument=trust(200))
    iam.put_role_policy(RoleName="same", PolicyName="p", PolicyDocument=text)
    body = urllib.parse.urlencode({"Action": "GetRolePolicy", "Version": "2010-05-08", "RoleName": "same", "PolicyName": "p"})
    request = awsrequest.AWSRequest("POST", service.endpoint + "/", data=body)
    request.headers["Content-Type"] = "application/x-www-form-urlencoded"
    auth.SigV4Auth(credentials.Credentials(service.access_key, service.secret_key), "iam", "us-east-1").add_auth(request)
    raw = urllib.request.Request(service.endpoint + "/", data=body.encode(), headers=dict(request.headers), method="POST")
    with urllib.request.urlopen(raw, timeout=30) as answer:
        sent = answer.read().decode().split("<PolicyDocument>")[1].split("</PolicyDocument>")[0]
    assert "{" not in sent and '"' not in sent and " " not in sent and "%7B%0A" in sent, sent
    assert urllib.parse.unquote(sent) == text
    iam.delete_role_policy(RoleName="same", PolicyName="p")
    iam.delete_role(RoleName="same")


def test_KP_5_an_account_has_at_most_5000_pairs_in_a_region():
    with kiln_test.Kiln("--hypervisor", "fake") as kiln:
        made = kiln.client("ec2").create_key_pair(KeyName="first", KeyType="ed25519")["KeyPairId"]
        kiln.stop()
        # Nearly all of them as copies of the first one's row: to make as many by requests takes a minute.
        with contextlib.closing(sqlite3.connect(os.path.join(kiln.data, "catalog.sqlite"))) as catalog, catalog:
            columns = "id, region, owner, name, created, doc"
            region, owner, created, document = catalog.execute("SELECT region, owner, created, doc FROM key_pairs WHERE id = ?", (made,)).fetchone()
            rows = [(f"key-{n:017x}", region, owner, f"pair {n}", created + n, document) for n in range(1, KEY_PAIRS - 1)]
            catalog.executemany(f"INSERT INTO key_pairs ({columns}) VALUES (?, ?, ?, ?, ?, ?)", rows)
        kiln.start()
        ec2 = kiln.client("ec2")
        public = ec2.describe_key_pairs(KeyNames=["first"], IncludePublicKey=True)["KeyPairs"][0]["PublicKey"].encode()
        ec2.create_key_pair(KeyName="the last", KeyType="ed25519")
        assert len(ec2.describe_key_pairs()["KeyPairs"]) == KEY_PAIRS
        expect("KeyPairLimitExceeded", ec2.create_key_pair, KeyName="one more", KeyType="ed25519")
        expect("KeyPairLimitExceeded", ec2.import_key_pair, KeyName="one more", PublicKeyMaterial=public)
        assert len(ec2.describe_key_pairs()["KeyPairs"]) == KEY_PAIRS
        # Each region and account has its own.
        kiln.client("ec2", "eu-west-1").import_key_pair(KeyName="one more", PublicKeyMaterial=public)
        kiln.account("other").client("ec2").import_key_pair(KeyName="one more", PublicKeyMaterial=public)
        ec2.delete_key_pair(KeyName="pair 7")
        ec2.import_key_pair(KeyName="one more", PublicKeyMaterial=public)


if __name__ == "__main__":
    kiln_test.main()
