"""A policy as a spreadsheet: there and back, and with the habits of the programs that write spreadsheets."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callseal.calls.policy import Policy, parse_policy
from callseal.calls.policy_csv import COLUMNS, decode_csv, export_csv, import_csv
from callseal.calls.policy_text import policy_text
from callseal.core.errors import HeldError, Reason
from tests.unit.calls import policies
from tests.unit.calls.policies import DESIGN, policy

EXPORTED = export_csv(parse_policy(json.dumps(DESIGN)))
SMALL = (
    "kind,name,if queue,if denied,record,restricted,keep\r\n"
    "class,default,,,,,5y\r\n"
    "rule,a,x|y*,yes,must,no,\r\n"
    "default,,,,,,\r\n"
)
READ = {
    "schema": 1,
    "classes": {"default": {"keep": "5y"}},
    "rules": [{"rule": "a", "when": {"queue": ["x", "y*"], "denied": True}, "record": "must"}],
    "default": {},
}


def imported(text: str) -> Policy:
    return parse_policy(import_csv(text))


def rows(text: str, separator: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))


def joined(table: list[list[str]], separator: str = ",", quoting: Any = csv.QUOTE_MINIMAL) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=separator, quoting=quoting).writerows(table)
    return text.getvalue()


def refusal(text: str) -> str:
    with pytest.raises(HeldError) as held:
        import_csv(text)
    assert held.value.reason is Reason.POLICY_INVALID
    return str(held.value)


@given(policies.policies)
def test_policy_comes_back_from_a_spreadsheet(found: Policy) -> None:
    assert imported(export_csv(found)) == found


@given(policies.policies)
def test_text_of_a_policy_is_that_policy(found: Policy) -> None:
    text = policy_text(found)
    assert parse_policy(text) == found
    assert policy_text(parse_policy(text)) == text == import_csv(export_csv(found))
    assert text.count("\n") == 4 + len(found.classes) + len(found.rules)


@given(policies.policies)
def test_no_exported_cell_is_a_formula(found: Policy) -> None:
    cells = [cell for row in rows(export_csv(found)) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


def test_spreadsheet_has_a_row_for_each_class_and_rule_in_order() -> None:
    table = rows(EXPORTED)
    assert table[0] == list(COLUMNS)
    assert [row[:2] for row in table[1:]] == [
        ["class", "default"], ["class", "orders"], ["rule", "orders"], ["rule", "caller-refused"],
        ["rule", "by-law-only"], ["default", ""],
    ]  # fmt: skip
    orders = dict(zip(*[table[0], table[3]], strict=True))
    assert {name: cell for name, cell in orders.items() if cell} == {
        "kind": "rule", "name": "orders", "if queue": "trading-*", "class": "orders", "record": "must",
        "consent": "none", "restricted": "no", "sensitive": "no", "archive": "yes",
    }  # fmt: skip


def test_small_spreadsheet_is_read() -> None:
    assert imported(SMALL) == parse_policy(json.dumps(READ))


HABITS = {
    "a BOM": "\ufeff" + SMALL,
    "semicolons": joined(rows(SMALL), ";"),
    "tabs": joined(rows(SMALL), "\t"),
    "a line that names the separator": "sep=;\r\n" + joined(rows(SMALL), ";"),
    "booleans of Excel": SMALL.replace("yes", "TRUE").replace(",no,", ",FALSE,"),
    "German booleans": SMALL.replace("yes", "WAHR").replace(",no,", ",FALSCH,"),
    "Norwegian booleans": SMALL.replace("yes", "SANN").replace(",no,", ",USANN,"),
    "empty columns at the end": joined([[*row, "", "", ""] for row in rows(SMALL)]),
    "empty rows at the end": SMALL + ",,,,,,\r\n\r\n,,\r\n",
    "short rows": "\r\n".join(line.rstrip(",") for line in SMALL.splitlines()),
    "every cell quoted": joined(rows(SMALL), quoting=csv.QUOTE_ALL),
    "line feeds": SMALL.replace("\r\n", "\n"),
    "carriage returns": SMALL.replace("\r\n", "\r"),
    "spaces": SMALL.replace(",a,", ", a ,").replace("x|y*", " x | y* "),
    "other case of titles": SMALL.replace("kind,name,if queue", "Kind,NAME,If  Queue"),
    "other order of columns": joined([row[::-1] for row in rows(SMALL)]),
    "apostrophes": SMALL.replace("x|y*", "x|y*").replace("5y", "'5y"),
    "the name of the last row": SMALL.replace("\ndefault,,,", "\ndefault,default,,"),
}


@pytest.mark.parametrize("habit", HABITS)
def test_spreadsheet_with_a_programs_habits_is_read(habit: str) -> None:
    assert imported(HABITS[habit]) == parse_policy(json.dumps(READ))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_file_is_read_in_the_encodings_of_spreadsheets(encoding: str) -> None:
    found = policy({"when": {"queue": ["kø-æøå"]}})
    assert imported(decode_csv(export_csv(found).encode(encoding))) == found


@pytest.mark.parametrize(
    "value",
    [
        "=1+1",
        '=HYPERLINK("x")',
        "+47",
        "-1",
        "@SUM(A1)",
        "'x",
        "''",
        "'=1",
        "00123",
        "1-2",
        "12E5",
        "a|b",
        '"',
        "|",
        "a,b;c",
    ],
)
def test_value_that_a_spreadsheet_would_calculate_is_kept(value: str) -> None:
    found = policy({"when": {"queue": [value], "agent": ["x", value]}})
    (cell,) = [row[COLUMNS.index("if queue")] for row in rows(export_csv(found)) if row[0] == "rule"]
    assert not cell.startswith(("=", "+", "-", "@", "0", "1"))
    assert imported(export_csv(found)) == found


def test_apostrophe_that_protects_nothing_is_part_of_the_text() -> None:
    rule = imported(SMALL.replace("x|y*", "'abc")).rules[0]
    assert rule.when["queue"] == ("'abc",)


def test_number_prefix_survives_a_spreadsheet() -> None:
    found = policy({"when": {"number_prefix": ["+47", "+46"], "seconds": {"min": 0.5, "max": 60}}})
    assert "'+47|+46" in export_csv(found)
    assert imported(export_csv(found)) == found
    # German and Norwegian Excel write a decimal comma.
    assert (
        imported(joined([[cell.replace("0.5", "0,5") for cell in row] for row in rows(export_csv(found))], ";"))
        == found
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "lacks the title kind"),
        ("kind\r\n", "lacks the title name"),
        (SMALL.replace("if queue", "queue"), "column 3 has an unknown title"),
        (SMALL.replace("if queue", "if denied"), "the column if denied is there twice"),
        (SMALL.replace("rule,a", "row,a"), "row 3: kind must be class, rule or default"),
        (SMALL.replace("rule,a", ",a"), "row 3: kind must be class, rule or default"),
        (SMALL.replace("rule,a", "rule,"), "the name of rule number 1 must be"),
        (SMALL.replace("yes", "perhaps"), "row 3: if denied must be yes or no"),
        (SMALL.replace("must,no", "must,0"), "row 3: restricted must be yes or no"),
        (SMALL.replace(",no,", ",no,5y"), "row 3: the column keep does not belong"),
        (SMALL.replace("class,default,,", "class,default,x,"), "row 2: the column if queue does not belong"),
        (SMALL + "default,,,,,,\r\n", "row 5: there is one row default"),
        (SMALL + "class,default,,,,,\r\n", "row 5: a class needs a name of its own"),
        (SMALL + "class,,,,,,5y\r\n", "row 5: a class needs a name of its own"),
        (SMALL.replace("\ndefault,,", "\ndefault,rest,"), "row 4: there is one row default"),
        (SMALL.replace("default,,,,,,", ""), "default is missing"),
        (SMALL.replace("must,no,", "must,no,,x"), "row 3: there is a cell to the right of the last column"),
        (SMALL.replace(",keep", ",").replace(",5y", ",5y"), "row 2: there is a cell in a column without a title"),
        (SMALL.replace("5y", "5 years"), "class default: keep must be null, or a number of hours"),
        (SMALL.replace("if denied", "if seconds min"), "row 3: if seconds min must be a number of seconds"),
        (SMALL.replace("if queue", "if number_prefix").replace("x|y*", "47"), "number_prefix must be a list of begin"),
        (SMALL.replace("x|y*", '"x\r\ny"'), "row 3: a list is on one line"),
        (SMALL.replace("x|y*", '"' + "x" * 200_000), "no proper CSV"),
    ],
)  # fmt: skip
def test_wrong_spreadsheet_is_refused_with_row_and_column(text: str, words: str) -> None:
    assert words in refusal(text)


@given(st.text() | st.text(alphabet=",;|\"'\r\n\t=kindameulscx 1").map(lambda text: SMALL + text))
def test_arbitrary_text_is_a_policy_or_is_refused(text: str) -> None:
    try:
        parse_policy(import_csv(text))
    except HeldError as held:
        assert held.reason is Reason.POLICY_INVALID
