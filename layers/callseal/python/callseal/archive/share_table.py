"""The shares in DynamoDB. Each step of a share is a conditional update, so of several requests at once one takes it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from callseal.archive.share import (
    CODE_TIME,
    KEPT_AFTER,
    MAX_DEAD,
    MAX_TRIES,
    OPEN,
    OPEN_TIME,
    PLAYED,
    RECORDED,
    SHARE_ID,
    Share,
)
from callseal.aws.calls import calling
from callseal.aws.items import ChangedMeanwhileError, conditionally, item, plain

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

READING, WRITING = "Reading a share", "Writing a share"
TENANT_INDEX = "tenant"
MAX_LISTED = 1_000
# No share has this id. It is read instead of an id of another form, so that both take the same time.
NO_ID = "0" * 32
LIVE = "attribute_not_exists(#cancelled) AND #until > :now AND #dead < :most_dead"
_NAME = re.compile(r"#(\w+)", re.ASCII)
# Members that are read by another name or form than they have in the table.
_COLLECTED = ("sent", "openings", "recorded")


class ShareTable:
    """Reads and writes shares. Each read is of now: a cancelled share is cancelled for the next request."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        """Take the client and the table's name."""
        self._client, self._table = client, table

    def create(self, share: Share) -> None:
        """Write a new share."""
        members = {name: getattr(share, name) for name in Share.__slots__ if name not in _COLLECTED}
        expires = share.until + int(KEPT_AFTER.total_seconds())
        with calling(WRITING):
            self._client.put_item(
                TableName=self._table,
                Item=item({**members, "sent": "", "expires": expires}),
                ConditionExpression="attribute_not_exists(id)",
            )

    def find(self, share: str) -> Share | None:
        """Return a share by its id, or None. Whatever the id is, this is one request."""
        wanted = share if SHARE_ID.fullmatch(share) else NO_ID
        with calling(READING):
            found = self._client.get_item(TableName=self._table, Key=item({"id": wanted}), ConsistentRead=True)
        return _share(plain(found["Item"])) if "Item" in found else None

    def of_tenant(self, tenant: str, creator: str | None) -> list[Share]:
        """Return a tenant's newest shares, or those of one creator. A share of this second may be missing."""
        return [share for share, _ in zip(self._of_tenant(tenant, creator), range(MAX_LISTED), strict=False)]

    def _of_tenant(self, tenant: str, creator: str | None) -> Iterator[Share]:
        by_creator: dict[str, Any] = {"FilterExpression": "creator = :creator"} if creator else {}
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            IndexName=TENANT_INDEX,
            KeyConditionExpression="tenant = :tenant",
            ExpressionAttributeValues=item({":tenant": tenant, ":creator": creator}),
            ScanIndexForward=False,
            **by_creator,
        )
        with calling("Reading the shares"):
            for page in pages:
                yield from (_share(plain(found)) for found in page["Items"])

    def cancel(self, share: Share, now: datetime) -> None:
        """Cancel a share, if it is not cancelled yet."""
        self._update(share, "SET #cancelled = if_not_exists(#cancelled, :now)", "attribute_exists(#id)", now)

    def issue(self, share: Share, code: str, browser: str, now: datetime) -> bool:
        """Store the MAC of a new code, which kills the one before. Return False if the share has changed meanwhile."""
        # A code whose last try was counted, and was not followed up because the function failed, is dead, too.
        died = int(share.tries >= MAX_TRIES and share.code is not None and share.taken is None)
        values: dict[str, Any] = {
            "code": code, "code_until": _seconds(now + CODE_TIME), "browser": browser, "zero": 0, "died": died,
            "sent": _written([*share.sent, _seconds(now)]), "was": _written(share.sent), "tries": share.tries,
        }  # fmt: skip
        change = (
            "SET #code = :code, #code_until = :code_until, #browser = :browser, #tries = :zero, #sent = :sent, "
            "#dead = #dead + :died REMOVE #taken"
        )
        return self._update(share, change, f"{LIVE} AND #sent = :was AND #tries = :tries", now, **values) is not None

    def count_try(self, share: Share, now: datetime) -> int | None:
        """Count a try of the present code, before it is compared. Return its number, or None if none is left."""
        condition = (
            f"{LIVE} AND #code = :code AND #code_until > :now AND #tries < :most AND attribute_not_exists(#taken)"
        )
        values: dict[str, Any] = {"code": share.code, "most": MAX_TRIES, "one": 1}
        found = self._update(share, "SET #tries = #tries + :one", condition, now, **values)
        return int(found["tries"]) if found else None

    def kill(self, share: Share, now: datetime) -> None:
        """Remove a code that had MAX_TRIES wrong tries, and count it as dead."""
        condition = "#code = :code AND attribute_not_exists(#taken)"
        change = "SET #dead = #dead + :one, #tries = :zero REMOVE #code"
        self._update(share, change, condition, now, code=share.code, one=1, zero=0)

    def take(self, share: Share, now: datetime) -> bool:
        """Take the share's present code, which one request can."""
        condition = f"{LIVE} AND #code = :code AND attribute_not_exists(#taken)"
        return self._update(share, "SET #taken = :now", condition, now, code=share.code) is not None

    def give_back(self, share: Share, now: datetime) -> None:
        """Make a taken code valid again, with the try that it took."""
        change = "SET #tries = #tries - :one REMOVE #taken"
        self._update(share, change, "#code = :code AND attribute_exists(#taken)", now, code=share.code, one=1)

    def open(self, share: Share, browser: str, now: datetime) -> int | None:
        """Open a share in a browser by its taken code. Return when the opening ends, or None if the share has ended."""
        until = _seconds(now + OPEN_TIME)
        names = {"open": OPEN + browser, "played": PLAYED + browser, "recorded": RECORDED + browser}
        change = "SET #open = :open_until, #tries = :zero REMOVE #code, #taken, #played, #recorded"
        condition = f"{LIVE} AND #code = :code AND attribute_exists(#taken)"
        values = {"code": share.code, "open_until": until, "zero": 0}
        return until if self._update(share, change, condition, now, names, **values) is not None else None

    def played(self, share: Share, browser: str, time: str, now: datetime) -> str | None:
        """Return when an opening was first played: at `time` if it was not before. None if the share has ended."""
        names = {"played": PLAYED + browser, "open": OPEN + browser}
        values = {"time": time, "open_until": share.openings[browser]}
        condition = f"{LIVE} AND #open = :open_until"
        change = "SET #played = if_not_exists(#played, :time)"
        found = self._update(share, change, condition, now, names, **values)
        return str(found[PLAYED + browser]) if found else None

    def recorded(self, share: Share, browser: str, now: datetime) -> None:
        """Note that the play of an opening is recorded."""
        names = {"recorded": RECORDED + browser, "open": OPEN + browser}
        values = {"one": 1, "open_until": share.openings[browser]}
        self._update(share, "SET #recorded = :one", "#open = :open_until", now, names, **values)

    def _update(
        self, share: Share, change: str, condition: str, now: datetime, names: Mapping[str, str] | None = None,
        **values: Any,
    ) -> dict[str, Any] | None:  # fmt: skip
        """Change a share if a condition holds, and return it as it is then, or None.

        `#name` is the attribute of that name, or the one that `names` has for it. `:now` and `:most_dead` are given.
        """
        text = f"{change} {condition}"
        given = {"now": _seconds(now), "most_dead": MAX_DEAD, **values}
        try:
            with conditionally(WRITING):
                written = self._client.update_item(
                    TableName=self._table,
                    Key=item({"id": share.id}),
                    UpdateExpression=change,
                    ConditionExpression=condition,
                    ExpressionAttributeNames={
                        f"#{name}": (names or {}).get(name, name) for name in _NAME.findall(text)
                    },
                    # DynamoDB refuses a value that no expression uses.
                    ExpressionAttributeValues=item(
                        {f":{name}": value for name, value in given.items() if re.search(rf":{name}\b", text)}
                    ),
                    ReturnValues="ALL_NEW",
                )
        except ChangedMeanwhileError:
            return None
        return plain(written["Attributes"])


def _seconds(time: datetime) -> int:
    return int(time.timestamp())


def _written(times: Any) -> str:
    return " ".join(map(str, times))


def _share(found: Mapping[str, Any]) -> Share:
    openings = {name.removeprefix(OPEN): until for name, until in found.items() if name.startswith(OPEN)}
    recorded = frozenset(name.removeprefix(RECORDED) for name in found if name.startswith(RECORDED))
    sent = tuple(int(time) for time in found["sent"].split())
    members = {name: found[name] for name in Share.__slots__ if name in found and name not in _COLLECTED}
    return Share(**members, sent=sent, openings=openings, recorded=recorded)
