"""What was deleted at the end of its class, by the records in the audit bucket, and what will be, by the cards."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from callseal.calls.card import Card
from callseal.calls.card_table import CardTable
from callseal.calls.due_cards import DueCards
from callseal.retention.disposal_record import day_of, folder_of
from callseal_cli.cards import calls_table
from callseal_cli.options import now
from callseal_cli.screen import Screen
from callseal_cli.stack import Stack

BATCH = 100


def records_between(
    stack: Stack, screen: Screen, tenant: str, since: datetime, until: datetime
) -> Iterator[tuple[str, bytes]]:
    """Yield key and bytes of each record of a tenant's disposals, of the days from `since` to `until`."""
    bucket, first, last = stack.output("AuditBucketName"), f"{since:%Y-%m-%d}", f"{until:%Y-%m-%d}"
    pages = stack.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=folder_of(tenant))
    with screen.progress("Records read") as tick:
        for page in pages:
            for key in (found["Key"] for found in page.get("Contents", [])):
                if first <= day_of(key) <= last:
                    yield key, stack.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
                    tick(1)


def due_within(stack: Stack, screen: Screen, tenant: str, days: int) -> Iterator[Card]:
    """Yield the cards of calls that are due now or within days, the longest due first."""
    until, place = now() + timedelta(days=days), None
    with calls_table(stack) as table, screen.progress("Calls read") as tick:
        due, cards = DueCards(stack.dynamodb, table), CardTable(stack.dynamodb, table, now)
        while places := due.places(tenant, until, place, BATCH):
            place = places[-1]
            for stored in cards.cards(tenant, {each.partition("#")[2] for each in places}).values():
                tick(1)
                yield stored.card
