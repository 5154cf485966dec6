"""Write the key register as CSV or JSON: each key's life and use, as an auditor asks for it.

    make keys STACK=callseal FORMAT=csv

DORA's rules on ICT risk management (Commission Delegated Regulation (EU) 2024/1774, article 7) ask for a register of
all certificates, and for keys to be managed through their whole lifecycle.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Any

import boto3

from callseal.keys.register import EXPORTED, FINGERPRINT

COLUMNS = ("tenant", *EXPORTED)


def read(dynamodb: Any, table: str, tenant: str | None = None) -> list[dict[str, Any]]:
    """Read the register, or one tenant's part of it, in the order of tenants and of when keys were first seen."""
    found = [_row(item) for item in _items(dynamodb, table, tenant) if FINGERPRINT.fullmatch(item["fingerprint"]["S"])]
    return sorted(found, key=lambda row: (row["tenant"], row["first_seen"] or "", row["fingerprint"]))


def write(rows: Iterable[dict[str, Any]], form: str, file: IO[str]) -> None:
    """Write rows as `csv`, empty where something is not (yet) so, or as `json`, null there."""
    if form == "json":
        json.dump(list(rows), file, indent=2)
        file.write("\n")
        return
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def _items(dynamodb: Any, table: str, tenant: str | None) -> Iterator[dict[str, Any]]:
    if tenant:
        values = {":tenant": {"S": tenant}}
        pages = dynamodb.get_paginator("query").paginate(
            TableName=table, KeyConditionExpression="tenant = :tenant", ExpressionAttributeValues=values
        )
    else:
        pages = dynamodb.get_paginator("scan").paginate(TableName=table)
    return (item for page in pages for item in page["Items"])


def _row(item: dict[str, Any]) -> dict[str, Any]:
    plain = {name: int(value["N"]) if "N" in value else value["S"] for name, value in item.items()}
    return {name: plain.get(name, 0 if name == "use_count" else None) for name in COLUMNS}


def main(arguments: Sequence[str] | None = None) -> int:
    """Export the register of a stack to standard output; gives the exit code."""
    parser = argparse.ArgumentParser(description="Write the key register as CSV or JSON.")
    parser.add_argument("--stack", required=True, help="the stack's name")
    parser.add_argument("--format", choices=("csv", "json"), default="csv", help="default: %(default)s")
    parser.add_argument("--tenant", help="one tenant alone")
    options = parser.parse_args(arguments)
    rows = read(boto3.client("dynamodb"), f"{options.stack}-key-register", options.tenant)
    write(rows, options.format, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
