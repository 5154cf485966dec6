"""The local cloud refuses presigned URLs as S3 does.

S3 compares the time of a request with X-Amz-Date plus X-Amz-Expires, and the signature with its own. It calculates that
from the method, the path, every query parameter but X-Amz-Signature, and the signed headers:
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
The codes are those of https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
"""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from localcloud.environment import dummy_credentials
from localcloud.moto_process import MotoProcess
from tests.e2e.localcloud.support import Site

KEY = "acme/a b+æ/1.wav"


class Presigner:
    def __init__(self, url: str, clock: Path) -> None:
        self.clock, self._url = clock, url

    def client(self, access_key: str = "local", secret: str = "local", **config: Any) -> Any:
        token = dummy_credentials()["AWS_SESSION_TOKEN"]
        session = boto3.Session(access_key, secret, token, region_name="eu-north-1")
        return session.client("s3", endpoint_url=self._url, config=Config(**config))

    def url(self, seconds: int = 60, client: Any = None, operation: str = "get_object", **parameters: Any) -> str:
        given = {"Bucket": "bucket", "Key": KEY} | parameters
        return str((client or self.client()).generate_presigned_url(operation, Params=given, ExpiresIn=seconds))


@pytest.fixture(scope="module")
def presigner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Presigner]:
    clock = tmp_path_factory.mktemp("state") / "clock"
    process = MotoProcess(0, "eu-north-1", lambda line: None, clock_file=str(clock))
    s3 = process.client("s3")
    s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "eu-north-1"})
    for key in (KEY, "acme/other.wav"):
        s3.put_object(Bucket="bucket", Key=key, Body=b"0123456789")
    yield Presigner(process.endpoint_url, clock)
    process.close()


@pytest.fixture(autouse=True)
def now(presigner: Presigner) -> None:
    presigner.clock.unlink(missing_ok=True)


def get(url: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    request = urllib.request.Request(url, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, {}, error.read()


def refusal(url: str, method: str = "GET", **headers: str) -> tuple[int, str, str]:
    """Return status, code and message of a refused request."""
    status, _, body = get(url, method, **headers)
    code, message = re.search(rb"<Code>(.*)</Code><Message>(.*)</Message>", body).groups()  # type: ignore[union-attr]
    return status, code.decode(), message.decode()


def test_url_serves_the_object_as_it_was_signed(presigner: Presigner) -> None:
    url = presigner.url(ResponseContentDisposition='attachment; filename="1 æ.wav"', ResponseContentType="audio/wav")
    status, headers, body = get(url)
    assert (status, body, headers["content-type"]) == (200, b"0123456789", "audio/wav")
    assert headers["content-disposition"].startswith("attachment")
    assert get(url, Range="bytes=2-4")[::2] == (206, b"234")


def test_url_ends_by_the_clock_file(presigner: Presigner) -> None:
    url = presigner.url(seconds=60)
    presigner.clock.write_text("50", encoding="utf-8")
    assert get(url)[0] == 200
    presigner.clock.write_text("61", encoding="utf-8")
    assert refusal(url) == (403, "AccessDenied", "Request has expired")


def test_url_of_the_future_is_not_valid_yet(presigner: Presigner) -> None:
    url = presigner.url()
    presigner.clock.write_text("-86400", encoding="utf-8")
    assert refusal(url) == (403, "AccessDenied", "Request is not yet valid")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("X-Amz-Expires=60", "X-Amz-Expires=600"),
        ("1.wav", "2.wav"),
        ("/acme/a%20b%2B%C3%A6/1.wav", "/acme/other.wav"),
        ("attachment", "inline"),
        ("&response-content-disposition=attachment", ""),
        ("X-Amz-Signature=", "versionId=1&X-Amz-Signature="),
        ("eu-north-1%2Fs3", "us-east-1%2Fs3"),
        ("X-Amz-SignedHeaders=host", "X-Amz-SignedHeaders=host%3Brange"),
        ("X-Amz-Security-Token=local", "X-Amz-Security-Token=other"),
    ],
)
def test_changed_url_is_refused(presigner: Presigner, old: str, new: str) -> None:
    url = presigner.url(ResponseContentDisposition="attachment")
    # The parameter is the last or not, so that its removal is tried either way.
    changed = url.replace(old, new) if old in url else url.replace(old.removeprefix("&") + "&", new)
    assert changed != url
    status, code, _ = refusal(changed)
    assert (status, code) == (403, "SignatureDoesNotMatch")


def test_changed_signature_is_refused(presigner: Presigner) -> None:
    url = presigner.url()
    signature = re.search("X-Amz-Signature=([0-9a-f]{64})", url)[1]  # type: ignore[index]
    other = ("1" if signature[0] == "0" else "0") + signature[1:]
    assert refusal(url.replace(signature, other))[:2] == (403, "SignatureDoesNotMatch")


def test_url_is_for_its_method(presigner: Presigner) -> None:
    assert refusal(presigner.url(), "DELETE")[:2] == (403, "SignatureDoesNotMatch")
    assert get(presigner.url(operation="head_object"), "HEAD")[0] == 200


def test_url_of_other_credentials_is_refused(presigner: Presigner) -> None:
    assert refusal(presigner.url(client=presigner.client(secret="other")))[:2] == (403, "SignatureDoesNotMatch")
    assert refusal(presigner.url(client=presigner.client("AKIAOTHER", "local")))[:2] == (403, "InvalidAccessKeyId")


@pytest.mark.parametrize("name", ["Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature"])
def test_url_without_a_parameter_is_refused(presigner: Presigner, name: str) -> None:
    url = re.sub(rf"([?&])X-Amz-{name}=[^&]*&?", r"\1", presigner.url())
    assert refusal(url)[:2] == (400, "AuthorizationQueryParametersError")


def test_url_for_over_a_week_is_refused(presigner: Presigner) -> None:
    assert get(presigner.url(seconds=7 * 86400))[0] == 200
    assert refusal(presigner.url(seconds=7 * 86400 + 1))[:2] == (400, "AuthorizationQueryParametersError")


def test_older_signature_is_refused(presigner: Presigner) -> None:
    """As in eu-north-1 and every region since 2014: https://docs.aws.amazon.com/general/latest/gr/s3.html"""
    url = presigner.url(client=presigner.client(signature_version="s3"))
    assert refusal(url)[:2] == (400, "InvalidRequest")


def test_url_that_a_function_signs_goes_by_the_clock_of_the_function(site: Site) -> None:
    (site.folder / "function" / "app.py").write_text(SIGNER, encoding="utf-8")
    with site.cloud() as cloud:
        s3 = cloud.client("s3")
        s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "eu-north-1"})
        s3.put_object(Bucket="bucket", Key=KEY, Body=b"0123456789")
        clock = cloud.state_dir / "clock"
        clock.write_text(str(8 * 86400), encoding="utf-8")
        url = cloud.invoke("Worker", {"key": KEY})
        assert get(url)[0] == 200
        clock.write_text(str(8 * 86400 + 61), encoding="utf-8")
        assert refusal(url) == (403, "AccessDenied", "Request has expired")


SIGNER = """
import boto3
s3 = boto3.client("s3")
def lambda_handler(event, context):
    return s3.generate_presigned_url("get_object", Params={"Bucket": "bucket", "Key": event["key"]}, ExpiresIn=60)
"""
