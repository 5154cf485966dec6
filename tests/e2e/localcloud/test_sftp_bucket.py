"""A session's requests to S3, checked against the policy that the identity function returns."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest

from callseal.sftp.session import SessionSettings, session_policy
from localcloud.moto_process import MotoProcess
from localcloud.sftp.bucket import Bucket
from localcloud.sftp.policy import Access, SessionPolicy
from localcloud.sftp.s3_requests import S3Request, accesses, parse_request
from localcloud.sftp.sessions import Session

BUCKET = "sftp"
SETTINGS = SessionSettings(
    "arn:aws:iam::1:role/r", BUCKET, f"arn:aws:s3:::{BUCKET}", "arn:aws:kms:::key/k", "eu-north-1"
)
ANSWER = f"acme/key-check/{'A' * 40}.answer"


def policy(*, may_delete: bool = False) -> SessionPolicy:
    return SessionPolicy(json.dumps(session_policy(SETTINGS, "acme", may_delete=may_delete)))


def goes_through(method: str, target: str, *, may_delete: bool = False, copy_source: str = "") -> bool:
    headers = {"x-amz-copy-source": copy_source} if copy_source else {}
    needed = accesses(parse_request(method, target, headers))
    return needed is not None and all(policy(may_delete=may_delete).allows(one) for one in needed)


LETS_THROUGH = [
    ("GET", f"/{BUCKET}?location"),
    ("GET", f"/{BUCKET}?list-type=2&prefix=acme%2F&delimiter=%2F&max-keys=1000"),
    ("GET", f"/{BUCKET}?list-type=2&prefix=acme%2F2026%2F"),
    ("GET", f"/{BUCKET}/acme/a%20b.wav.p7m?x-id=GetObject"),
    ("HEAD", f"/{BUCKET}/acme/2026/a.wav.p7m"),
    ("PUT", f"/{BUCKET}/{ANSWER}?x-id=PutObject"),
    ("POST", f"/{BUCKET}/{ANSWER}?uploads"),
    ("PUT", f"/{BUCKET}/{ANSWER}?partNumber=1&uploadId=x"),
]
HOLDS_BACK = [
    # Other tenants, addressed in every possible form.
    ("GET", f"/{BUCKET}/nordlys/a.wav.p7m"),
    ("GET", f"/{BUCKET}/acme-two/a.wav.p7m"),
    ("GET", f"/{BUCKET}/acme"),
    ("GET", f"/{BUCKET}/acme/../nordlys/a.wav.p7m"),
    ("GET", f"/{BUCKET}/acme/%2e%2e/nordlys/a.wav.p7m"),
    ("GET", f"/{BUCKET}/acme/.%2e%2fnordlys/a.wav.p7m"),
    ("GET", f"/{BUCKET}//nordlys/a.wav.p7m"),
    ("GET", f"/{BUCKET}/acme//../../nordlys/a.wav.p7m"),
    ("GET", "/landing/acme/a.wav"),
    ("GET", f"/{BUCKET}-other/acme/a.wav"),
    # Listings that would show other tenants' names.
    ("GET", f"/{BUCKET}"),
    ("GET", f"/{BUCKET}?list-type=2"),
    ("GET", f"/{BUCKET}?list-type=2&prefix="),
    ("GET", f"/{BUCKET}?list-type=2&prefix=acme"),
    ("GET", f"/{BUCKET}?list-type=2&prefix=nordlys%2F"),
    ("GET", f"/{BUCKET}?list-type=2&prefix=acme%2F&prefix=..%2F&versions"),
    ("GET", f"/{BUCKET}?versions&prefix=acme%2F"),
    ("GET", f"/{BUCKET}?uploads&prefix=acme%2F"),
    ("GET", "/"),
    # Writes.
    ("PUT", f"/{BUCKET}/acme/a.wav.p7m"),
    ("POST", f"/{BUCKET}/acme/a.wav.p7m?uploads"),
    ("PUT", f"/{BUCKET}/acme/key-check/short.answer"),
    ("PUT", f"/{BUCKET}/nordlys/key-check/{'A' * 40}.answer"),
    ("PUT", f"/{BUCKET}/{ANSWER}.wav"),
    ("DELETE", f"/{BUCKET}/acme/a.wav.p7m"),
    ("POST", f"/{BUCKET}?delete"),
    ("DELETE", f"/{BUCKET}"),
    ("PUT", f"/{BUCKET}"),
    # Subresources of an object.
    ("GET", f"/{BUCKET}/acme/a.wav.p7m?tagging"),
    ("PUT", f"/{BUCKET}/acme/a.wav.p7m?acl"),
    ("GET", f"/{BUCKET}/acme/a.wav.p7m?versionId=v"),
    ("PUT", f"/{BUCKET}?policy"),
]


@pytest.mark.parametrize(("method", "target"), LETS_THROUGH)
def test_requests_that_a_session_needs_are_allowed(method: str, target: str) -> None:
    assert goes_through(method, target)


@pytest.mark.parametrize(("method", "target"), HOLDS_BACK)
def test_all_other_requests_are_refused(method: str, target: str) -> None:
    assert not goes_through(method, target)


def test_delete_is_allowed_only_by_setting_and_in_its_own_folder() -> None:
    assert goes_through("DELETE", f"/{BUCKET}/acme/a.wav.p7m", may_delete=True)
    assert not goes_through("DELETE", f"/{BUCKET}/nordlys/a.wav.p7m", may_delete=True)


def test_copy_needs_permission_for_its_source() -> None:
    assert goes_through("PUT", f"/{BUCKET}/{ANSWER}", copy_source=f"{BUCKET}/acme/a.wav.p7m")
    assert not goes_through("PUT", f"/{BUCKET}/{ANSWER}", copy_source=f"/{BUCKET}/nordlys/a.wav.p7m")


def test_deny_overrides_allow() -> None:
    statements = [
        {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
        {"Effect": "Deny", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/x"},
    ]
    both = SessionPolicy(json.dumps({"Statement": statements}))
    assert both.allows(Access("s3:PutObject", f"arn:aws:s3:::{BUCKET}/x", {}))
    assert not both.allows(Access("s3:GetObject", f"arn:aws:s3:::{BUCKET}/x", {}))


@pytest.mark.parametrize("strange", [{"NotAction": "s3:*"}, {"Condition": {"NotIpAddress": {"aws:SourceIp": "::/0"}}}])
def test_a_policy_beyond_this_evaluation_is_refused(strange: dict[str, object]) -> None:
    statement = {"Effect": "Allow", "Action": "s3:*", "Resource": "*", **strange}
    with pytest.raises(ValueError, match="does not know"):
        SessionPolicy(json.dumps({"Statement": statement}))


@pytest.fixture(scope="module")
def moto() -> Iterator[MotoProcess]:
    process = MotoProcess(0, "eu-north-1", lambda _: None)
    s3 = process.client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-north-1"})
    for key in ("acme/a.wav", "nordlys/a.wav"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"0123456789")
    yield process
    process.close()


def test_refused_request_never_reaches_s3_and_is_reported(moto: MotoProcess) -> None:
    reported: list[tuple[str, str]] = []

    async def on_refused(request: S3Request) -> None:
        reported.append((request.method, request.key))

    async def attempts() -> None:
        bucket = Bucket(Session("acme", BUCKET, "acme", policy()), moto.endpoint_url, "eu-north-1", on_refused)
        for attempt in (
            bucket.get("nordlys/a.wav"),
            bucket.head("nordlys/a.wav"),
            anext(bucket.pages("nordlys/")),
            bucket.put("acme/a.wav", b"mine"),
            bucket.check_put("acme/a.wav"),
            bucket.copy("acme/a.wav", "acme/b.wav"),
            bucket.delete("acme/a.wav"),
        ):
            with pytest.raises(PermissionError):
                await attempt
        assert (await bucket.get("acme/a.wav"))["Body"].read() == b"0123456789"
        assert (await bucket.get("acme/a.wav", offset=6))["Body"].read() == b"6789"

    asyncio.run(attempts())
    assert reported == [
        ("GET", "nordlys/a.wav"),
        ("HEAD", "nordlys/a.wav"),
        ("GET", ""),
        ("PUT", "acme/a.wav"),
        ("PUT", "acme/a.wav"),
        ("PUT", "acme/b.wav"),
        ("DELETE", "acme/a.wav"),
    ]
