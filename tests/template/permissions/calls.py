"""The functions' requests to AWS during the tests, with the facts that decide which permission a request needs.

`tests/support/network.py` records every request of a function here. `plugin.py` returns the verdict after all tests.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree as ET

# The S3 headers that change which permissions a request needs.
_S3_HEADERS = {"if-match": "if_match", "x-amz-checksum-mode": "checksum_mode", "x-amz-tagging": "tagging",
               "x-amz-object-lock-mode": "lock", "x-amz-bypass-governance-retention": "bypass"}  # fmt: skip
_S3_XML = "{http://s3.amazonaws.com/doc/2006-03-01/}"


@dataclass(frozen=True)
class Call:
    """A request: the function, the service in botocore's terms, and the facts that decide about permissions."""

    function: str
    service: str
    operation: str
    facts: frozenset[tuple[str, str]]

    def __getitem__(self, name: str) -> str:
        """Return a fact, or "" if the request does not have it."""
        return dict(self.facts).get(name, "")

    def __str__(self) -> str:
        facts = ", ".join(f"{name}={value!r}" for name, value in sorted(self.facts))
        return f"{self.function}: {self.service}.{self.operation}({facts})"


NOTED: set[Call] = set()


def call(function: str, service: str, operation: str, **facts: str) -> Call:
    """Make a call."""
    return Call(function, service, operation, frozenset((name, value) for name, value in facts.items() if value))


def note(function: str, service: str, operation: str, url: str, headers: Mapping[str, str], body: bytes) -> None:
    """Record a request of a function."""
    if service == "lambda":
        # /2015-03-31/functions/NAME/invocations
        facts: Iterable[dict[str, str]] = [{"name": urlsplit(url).path.split("/")[3]}]
    else:
        facts = _of_s3(url, headers, body) if service == "s3" else _of_json(service, json.loads(body))
    NOTED.update(call(function, service, operation, **each) for each in facts)


def dumps(calls: set[Call]) -> str:
    """Serialize calls, so that a worker of pytest-xdist can send them."""
    return json.dumps([[one.function, one.service, one.operation, sorted(one.facts)] for one in calls])


def loads(text: str) -> set[Call]:
    """Read what `dumps` wrote."""
    return {
        Call(function, service, operation, frozenset((name, value) for name, value in facts))
        for function, service, operation, facts in json.loads(text)
    }


def _of_s3(url: str, headers: Mapping[str, str], body: bytes) -> Iterator[dict[str, str]]:
    """Yield bucket, key and conditions. A batch of deletions is one call for each key."""
    address = urlsplit(url)
    query = parse_qs(address.query, keep_blank_values=True)
    facts = {ours: headers[name] for name, ours in _S3_HEADERS.items() if name in headers}
    facts |= {"bucket": (address.hostname or "").partition(".")[0], "key": unquote(address.path.removeprefix("/"))}
    facts["version"] = "".join(query.get("versionId", []))
    source, _, version = headers.get("x-amz-copy-source", "").partition("?versionId=")
    facts |= {"source": unquote(source).lstrip("/"), "source_version": version}
    if "delete" not in query:
        yield facts
        return
    for each in ET.fromstring(body).iter(f"{_S3_XML}Object"):
        of_object = {name: each.findtext(f"{_S3_XML}{name}") or "" for name in ("Key", "VersionId", "ETag")}
        yield facts | {"key": of_object["Key"], "version": of_object["VersionId"], "if_match": of_object["ETag"]}


def _of_json(service: str, members: dict[str, Any]) -> Iterator[dict[str, str]]:
    """Yield the names in a request. A batch of events is one call for each of its busses and sources.

    A call names all event types of its request: the condition key has a single value, so no policy allows two at once.
    """
    if service == "eventbridge":
        kinds = " and ".join(sorted({each.get("DetailType", "") for each in members["Entries"]}))
        for each in members["Entries"]:
            yield {"name": each["EventBusName"], "source": each["Source"], "detail_type": kinds}
    elif service == "dynamodb":
        yield from _of_tables(members)
    elif service == "sqs":
        yield {"name": members["QueueUrl"].rpartition("/")[2]}
    elif service == "kms":
        yield {"name": members["KeyId"], "message_type": members.get("MessageType", "")}
    elif service == "sesv2":
        yield {"name": members["FromEmailAddress"]}
    elif service == "cloudwatch-logs":
        yield {"name": members["logGroupName"]}
    elif "Names" in members:
        yield from ({"name": name} for name in members["Names"])
    else:
        named = "SecretId" if service == "secrets-manager" else "Path" if "Path" in members else "Name"
        yield {"name": members.get(named, "")}


def _of_tables(members: dict[str, Any]) -> Iterator[dict[str, str]]:
    """Yield the table and its index. A batch of reads is one call for each table, a transaction one for each action."""
    if "TableName" in members:
        yield {"name": members["TableName"], "index": members.get("IndexName", "")}
    yield from ({"name": table} for table in members.get("RequestItems", []))
    for each in members.get("TransactItems", []):
        ((action, what),) = each.items()
        yield {"name": what["TableName"], "action": f"{action}Item"}
