"""The table of costs in docs/retention.md, from the counts of `make bench ROWS=law_costs` and prices beside them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .markers import replace_part, table

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
RECORDINGS_A_DAY = 10_000_000
TITLES = {
    "lock": "a lock that is put after the delivery",
    "hold": "a hold is placed",
    "release": "a hold is released",
    "dispose": "disposal",
    "erase": "erasure",
}
COLUMNS = {
    "s3_write": "S3 writes", "s3_read": "S3 reads", "dynamodb_write": "DynamoDB write units",
    "dynamodb_read": "DynamoDB read units", "sqs": "SQS", "eventbridge": "events", "kms": "KMS",
    "kms_sign": "KMS `Sign`", "lambda_gb_s": "Lambda GB-s",
}  # fmt: skip


def page(before: str) -> str:
    """Return docs/retention.md with the table of costs, and the prices."""
    counts = json.loads((FOLDER / "law_costs.json").read_text())["steps"]
    prices = json.loads((FOLDER / "prices.json").read_text())["prices"]
    costs = table(("step", *COLUMNS.values(), "USD per million", "USD for 10 million"), _steps(counts, prices))
    kept = replace_part(before, "costs", costs + "\n" + _kept(counts["kept of a disposal"], prices))
    return replace_part(kept, "prices", table(("price", "USD", "seen", "source"), _prices(prices)))


def usd(counts: Mapping[str, float], prices: Mapping[str, Any]) -> float:
    """Return the price of what was counted, in USD."""
    billed = {name: number for name, number in counts.items() if name in prices}
    return float(sum(number * prices[name]["usd"] / prices[name]["per"] for name, number in billed.items()))


def _steps(counts: Mapping[str, Any], prices: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for step, title in TITLES.items():
        each = usd(counts[step], prices)
        numbers = (f"{counts[step].get(name, 0):.3g}" for name in COLUMNS)
        yield title, *numbers, f"{each * 1e6:.2f}", f"{each * RECORDINGS_A_DAY:,.0f}"


def _kept(kept: Mapping[str, float], prices: Mapping[str, Any]) -> str:
    gigabytes = {name: kept[f"{name}_bytes"] * RECORDINGS_A_DAY / 1e9 for name in ("s3", "dynamodb")}
    month = sum(number * prices[f"{name}_gb_month"]["usd"] for name, number in gigabytes.items())
    return (
        f"What stays of each disposal: {kept['s3_bytes']:.0f} bytes in the record and {kept['dynamodb_bytes']:.0f} "
        f"bytes of the card.\nFor 10 million that is {gigabytes['s3']:.1f} GB in S3 and {gigabytes['dynamodb']:.1f} "
        f"GB in DynamoDB: USD {month:.2f} a month for each day of disposals.\n"
    )


def _prices(prices: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for price in prices.values():
        per = "a GB a month" if price["per"] == 1 else "a million"
        yield price["what"], f"{price['usd']:g} {per}", price["seen"], f"<{price['source']}>"
