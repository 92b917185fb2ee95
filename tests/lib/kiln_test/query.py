# SPDX-License-Identifier: Apache-2.0
"""Hand-made requests of the EC2 query protocol, for parameters that the installed clients are too old to know."""

import urllib.error
import urllib.parse
import urllib.request
import xml.etree.ElementTree as ElementTree

from botocore import auth, awsrequest, credentials

NAMESPACE = "{http://ec2.amazonaws.com/doc/2016-11-15/}"


class Answer:
    """status; code and message of an error ("" for a success); the document, with `texts` to look into it."""

    def __init__(self, status, body):
        self.status, self.body = status, body
        self.root = ElementTree.fromstring(body)
        self.code = self.root.findtext("Errors/Error/Code") or ""
        self.message = self.root.findtext("Errors/Error/Message") or ""

    def texts(self, path):
        """Texts of all elements at `path`, such as "imagesSet/item/name"."""
        return [element.text or "" for element in self.root.findall("/".join(NAMESPACE + part for part in path.split("/")))]


def query(kiln, action, parameters=None, region=None, keys=None):
    """Sends `action` with flat `parameters`; `keys` are another account's access and secret key."""
    body = urllib.parse.urlencode({"Action": action, "Version": "2016-11-15", **(parameters or {})})
    request = awsrequest.AWSRequest("POST", kiln.endpoint + "/", data=body)
    request.headers["Content-Type"] = "application/x-www-form-urlencoded"
    access_key, secret_key = keys or (kiln.access_key, kiln.secret_key)
    auth.SigV4Auth(credentials.Credentials(access_key, secret_key), "ec2", region or kiln.region).add_auth(request)
    raw = urllib.request.Request(kiln.endpoint + "/", data=body.encode(), headers=dict(request.headers), method="POST")
    try:
        with urllib.request.urlopen(raw, timeout=30) as answer:
            return Answer(answer.status, answer.read().decode())
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.read().decode())
