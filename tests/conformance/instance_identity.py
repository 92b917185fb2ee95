#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Instance identity documents and their signatures, as instances read them and as openssl verifies them elsewhere."""

import base64
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test.metadata import read_metadata  # noqa: E402
from kiln_test.paths import KILN, clean_environment  # noqa: E402

NAMES = ("document", "pkcs7", "rsa2048", "signature")


@kiln_test.fixture
def service():
    with kiln_test.api_service() as kiln:
        yield kiln


def openssl(*words, data=None, check=True):
    done = subprocess.run(("openssl", *words), input=data or b"", capture_output=True, timeout=60, check=False, env=clean_environment())
    assert not check or done.returncode == 0, (words, done.stderr)
    return done


def launch(kiln):
    ec2 = kiln.client("ec2")
    made = ec2.run_instances(ImageId=kiln.image, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    await_running(ec2, made)
    return made


def await_running(ec2, instance):
    ec2.get_waiter("instance_running").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1})


def identity(kiln, instance):
    """What the instance is told: {name: text}."""
    return {name: read_metadata(kiln, instance, "dynamic/instance-identity/" + name) for name in NAMES}


def certificate(kiln):
    return os.path.join(kiln.data, "identity-certificate.pem")


def write(folder, name, data):
    path = os.path.join(folder, name)
    with open(path, "wb") as file:
        file.write(data)
    return path


def write_pem(folder, text):
    """With the lines that EC2's manual, too, says to put around what an instance reads."""
    return write(folder, "signed.pem", f"-----BEGIN PKCS7-----\n{text}\n-----END PKCS7-----\n".encode())


def opened(folder, text, trusted, command="cms", options=("-nointern",)):
    """The document that `text` holds; None unless the certificate's key has signed it."""
    words = (command, "-verify", "-inform", "PEM", "-in", write_pem(folder, text), "-certfile", trusted, "-noverify", *options)
    done = openssl(*words, check=False)
    return done.stdout if done.returncode == 0 else None


def is_signed(folder, document, signature, trusted):
    """Whether the certificate's key has made this signature, given as bytes, of the document."""
    public = write(folder, "public.pem", openssl("x509", "-in", trusted, "-noout", "-pubkey").stdout)
    words = ("dgst", "-sha256", "-verify", public, "-signature", write(folder, "signature", signature), write(folder, "document", document))
    return openssl(*words, check=False).returncode == 0


def check(kiln, instance, trusted):
    """All three signatures verify and are of the document that there is; returns what the instance is told."""
    told = identity(kiln, instance)
    document = told["document"].encode()
    assert json.loads(document)["instanceId"] == instance, document
    for name in ("pkcs7", "rsa2048"):
        assert opened(kiln.home, told[name], trusted) == document, name
    assert is_signed(kiln.home, document, base64.b64decode(told["signature"]), trusted)
    return told


def changed(data, place):
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def test_IMDS_10_openssl_verifies_what_an_instance_says_of_itself(service):
    instance = launch(service)
    assert read_metadata(service, instance, "dynamic/instance-identity") == "\n".join(NAMES)
    told = check(service, instance, certificate(service))
    assert told == identity(service, instance), "two requests, two signatures"
    for name in ("pkcs7", "rsa2048", "signature"):
        lines = told[name].split("\n")
        assert {len(line) for line in lines[:-1]} == {76} and 0 < len(lines[-1]) <= 76, told[name]
    # As EC2's manual says it, with the older command.
    for options in ((), ("-nointern",)):
        assert opened(service.home, told["rsa2048"], certificate(service), "smime", options) == told["document"].encode()
    shown = openssl("cms", "-cmsout", "-print", "-inform", "PEM", "-in", write_pem(service.home, told["pkcs7"])).stdout.decode()
    assert "sha256" in shown and "pkcs7-signedData" in shown and "signingTime" in shown, shown
    about = openssl("x509", "-in", certificate(service), "-noout", "-text").stdout.decode()
    assert "2048 bit" in about and "sha256WithRSAEncryption" in about and "instance identity of " in about, about


def test_IMDS_10_a_changed_byte_and_a_stranger_s_key_do_not_verify(service):
    told, trusted = identity(service, launch(service)), certificate(service)
    document, signature = told["document"].encode(), base64.b64decode(told["signature"])
    for place in range(0, len(document), 40):
        assert not is_signed(service.home, changed(document, place), signature, trusted), place
    assert not is_signed(service.home, document + b"\n", signature, trusted)
    assert not is_signed(service.home, document, changed(signature, 17), trusted)
    raw = base64.b64decode(told["pkcs7"])
    start = raw.index(document)
    for place in (start, start + len(document) - 1, len(raw) - 1):
        assert opened(service.home, base64.encodebytes(changed(raw, place)).decode().strip(), trusted) is None, place

    # Who brings a certificate of his own is found out by -nointern alone, which the page on it therefore says.
    key, own = (os.path.join(service.home, name) for name in ("stranger.key", "stranger.pem"))
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=stranger", "-keyout", key, "-out", own)
    forged = openssl("cms", "-sign", "-binary", "-nodetach", "-signer", own, "-inkey", key, "-outform", "DER", data=b"{}").stdout
    forged = base64.encodebytes(forged).decode().strip()
    assert opened(service.home, forged, trusted, options=()) == b"{}"
    assert opened(service.home, forged, trusted) is None
    assert opened(service.home, told["pkcs7"], own) is None


def start_again(kiln, instance):
    """Once its machine is found to be gone: scripted ones end with the service."""
    ec2 = kiln.client("ec2")
    ec2.get_waiter("instance_stopped").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1})
    ec2.start_instances(InstanceIds=[instance])
    await_running(ec2, instance)


def test_IMDS_10_the_key_and_its_certificate_outlive_restarts(service):
    instance = launch(service)
    with open(certificate(service), "rb") as file:
        kept = file.read()
    trusted = write(service.home, "kept.pem", kept)
    check(service, instance, trusted)
    os.remove(certificate(service))
    service.restart()
    with open(certificate(service), "rb") as file:
        assert file.read() == kept
    start_again(service, instance)
    check(service, instance, trusted)


def test_IMDS_10_a_restored_store_signs_with_the_same_key(service):
    instance = launch(service)
    trusted, backup = certificate(service), os.path.join(service.home, "store.kiln")
    service.run("backup", backup)
    copy = kiln_test.Kiln("--hypervisor", "fake")
    try:
        done = subprocess.run((KILN, "restore", backup, "--data", copy.data), capture_output=True, timeout=120, check=False, env=clean_environment())
        assert done.returncode == 0, done.stderr
        copy.start()
        start_again(copy, instance)
        check(copy, instance, trusted)
    finally:
        copy.close()


def test_IMDS_10_every_store_has_a_key_of_its_own(service):
    with kiln_test.Kiln("--hypervisor", "fake") as other, open(certificate(service), "rb") as one, open(certificate(other), "rb") as two:
        assert one.read() != two.read()


if __name__ == "__main__":
    kiln_test.main()
