"""`callseal files list`, and the report of `callseal status` on unfetched files."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from callseal.sftp.file_state import DeliveredFile
from callseal.sftp.file_table import FileRegister
from tests.e2e.cli.conftest import Operator
from tests.support.files import TABLE
from tests.support.stack import SFTP

NOW = datetime.now(UTC)


@pytest.fixture
def lay(operator: Operator) -> Any:
    """Return a function that registers a file delivered this many days ago, as the functions do."""
    register = FileRegister(operator.stack.dynamodb, TABLE)

    def put(key: str, days: float, told: int | None = None, fetched: bool = False) -> DeliveredFile:
        tenant = key.partition("/")[0]
        before, moment = DeliveredFile(tenant, key), (NOW - timedelta(days=days)).isoformat(timespec="milliseconds")
        file = before.delivered_by("d" * 32, moment.replace("+00:00", "Z"), 454_300, 7)
        if fetched:
            file = file.fetched_at(str(file.expires))
        file = DeliveredFile(*(told if name == "told" else getattr(file, name) for name in DeliveredFile.__slots__))
        register.save(file, before)
        return file

    return put


def test_a_tenants_files_are_listed_in_the_order_of_their_delivery(operator: Operator, lay: Any) -> None:
    lay("acme/2.wav.p7m", 1)
    lay("acme/in/1.wav.p7m", 3, fetched=True)
    lay("acme/0.wav.p7m", 20, told=0)
    lay("acme-two/1.wav.p7m", 1)
    found = operator.json("files", "list", "acme")
    assert [(file["key"], file["state"]) for file in found["files"]] == [
        ("acme/0.wav.p7m", "expired"), ("acme/in/1.wav.p7m", "fetched"), ("acme/2.wav.p7m", "delivered"),
    ]  # fmt: skip
    assert found["tenant"] == "acme"
    assert set(found["files"][0]) == {"tenant", "key", "state", "delivered", "expires", "fetched", "size"}
    answer = operator("files", "list", "acme")
    first, *rows = [line.split("\t") for line in answer.out.splitlines()]
    assert first == ["state", "delivered", "expires", "fetched", "size", "key"]
    assert [(row[0], row[-2], row[-1]) for row in rows][2] == ("delivered", "454300", "acme/2.wav.p7m")
    assert rows[2][3] == "-"


@pytest.mark.parametrize("state", ["delivered", "fetched", "expired"])
def test_only_files_of_a_state_are_listed(operator: Operator, lay: Any, state: str) -> None:
    lay("acme/delivered.wav", 1)
    lay("acme/fetched.wav", 3, fetched=True)
    lay("acme/expired.wav", 20, told=0)
    found = operator.json("files", "list", "acme", "--state", state)["files"]
    assert [file["key"] for file in found] == [f"acme/{state}.wav"]


def test_files_are_listed_as_csv(operator: Operator, lay: Any) -> None:
    file = lay('acme/a "b", c.wav', 1)
    answer = operator("files", "list", "acme", "--csv")
    (row,) = csv.DictReader(io.StringIO(answer.out))
    assert row == {
        "tenant": "acme", "key": file.key, "state": "delivered", "delivered": file.delivered, "expires": file.expires,
        "fetched": "", "size": "454300",
    }  # fmt: skip


def test_a_register_of_many_pages_is_read_to_its_end(operator: Operator, lay: Any) -> None:
    keys = [f"acme/{'x' * 900}{number:04}.wav" for number in range(900)]
    for key in keys:
        lay(key, 1)
    assert len(operator.json("files", "list", "acme")["files"]) == len(keys)
    for key in keys:
        lay(key.replace("acme", "beta"), 6)
    assert operator.json("status", code=1)["unfetched"] == {"count": len(keys), "by_tenant": {"beta": len(keys)}}


def test_download_before_its_delivery_is_not_listed(operator: Operator) -> None:
    register, before = FileRegister(operator.stack.dynamodb, TABLE), DeliveredFile("acme", "acme/1.wav")
    register.save(before.fetched_at("2026-11-25T10:00:00.000Z"), before)
    assert operator.json("files", "list", "acme") == {"tenant": "acme", "files": []}
    assert operator("files", "list", "acme").out == "There is no such file.\n"


def test_impossible_listing_is_reported(operator: Operator) -> None:
    assert "no tenant's name" in operator.refused("files", "list", "ACME")
    assert "'lost' is not one of" in operator.refused("files", "list", "acme", "--state", "lost")
    operator.stack.dynamodb.delete_table(TableName=TABLE)
    assert "has no register of delivered files yet" in operator.refused("files", "list", "acme")


def test_files_that_expire_soon_and_were_not_fetched_need_attention(operator: Operator, lay: Any) -> None:
    lay("acme/fresh.wav", 1)
    lay("acme/fetched.wav", 6, fetched=True)
    lay("acme/expired.wav", 20, told=0)
    assert operator.json("status")["unfetched"] == {"count": 0, "by_tenant": {}}
    assert "not fetched, 3 days or less left: 0\n" in operator("status").out
    # Not reported yet, reported at 3 days, reported at 1 day.
    lay("acme/a.wav", 5.5)
    lay("acme/b.wav", 5.5, told=3)
    lay("beta/c.wav", 7, told=1)
    found = operator.json("status", code=1)
    assert found["unfetched"] == {"count": 3, "by_tenant": {"acme": 2, "beta": 1}}
    assert [line.partition(",")[0] for line in found["attention"]] == [
        "acme has not fetched 2 of its files", "beta has not fetched 1 of its files",
    ]  # fmt: skip
    assert "not fetched, 3 days or less left: 3 (2 of acme, 1 of beta)\n" in operator("status").out
    assert "a.wav" not in json.dumps(found)


def test_status_works_on_a_stack_without_the_file_register(operator: Operator) -> None:
    operator.stack.dynamodb.delete_table(TableName=TABLE)
    assert operator.json("status")["unfetched"] is None
    assert "not fetched, 3 days or less left: no register of delivered files yet\n" in operator("status").out


def test_files_of_before_the_tags_are_tagged_once(operator: Operator) -> None:
    """A file with an expiry keeps it, and other tags stay."""
    s3, expiry = operator.stack.s3, {"Key": "callseal-expires", "Value": "files"}
    for number in range(3):
        s3.put_object(Bucket=SFTP, Key=f"acme/{number}.wav.p7m", Body=b"x", Tagging="theirs=1")
    s3.put_object(Bucket=SFTP, Key="beta/proof/1", Body=b"x", Tagging="callseal-expires=proof")

    assert operator.json("files", "tag") == {"files": 4, "tagged": 3}
    assert operator.json("files", "tag") == {"files": 4, "tagged": 0}
    assert "0 of 4 files had no tag" in operator("files", "tag").out

    tags = {key: s3.get_object_tagging(Bucket=SFTP, Key=key)["TagSet"] for key in operator.stack.objects(SFTP)}
    assert tags.pop("beta/proof/1") == [expiry | {"Value": "proof"}]
    assert list(tags.values()) == [[{"Key": "theirs", "Value": "1"}, expiry]] * 3
