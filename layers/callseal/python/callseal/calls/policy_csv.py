"""A policy as a spreadsheet: one row a class, a rule and `default`, and back to its JSON text.

`|` separates the values of a list in one cell. A cell that a spreadsheet would take for a formula, a number or a date
begins with an apostrophe, which `import_csv` removes.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from callseal.calls.classes import DEFAULT
from callseal.calls.conditions import CONDITIONS
from callseal.calls.members import CLASS, OUTCOME
from callseal.calls.policy import SCHEMA, Policy, invalid, parse_policy
from callseal.calls.policy_text import class_members, decision_members, policy_text

BOUNDS = ("min", "max")
FLAGS = {name for name, each in CONDITIONS.items() if each.member.schema.get("type") == "boolean"}
# `if` before a condition, because restricted and sensitive are outcomes, too.
_IF = {f"if {name}": name for name in CONDITIONS if name != "seconds"}
_IF_SECONDS = {f"if seconds {bound}": bound for bound in BOUNDS}
COLUMNS = ("kind", "name", *_IF, *_IF_SECONDS, *OUTCOME, *CLASS)
# Excel writes its booleans in the language of the machine; these are English, German, Norwegian, Danish and Swedish.
TRUE = {"yes", "true", "wahr", "sann", "sand", "sant"}
FALSE = {"no", "false", "falsch", "usann", "falsk", "falskt"}
SEPARATORS = ",;\t"
_GUARD = "'"
_GUARDED = (_GUARD, *"=+-@0123456789")


def export_csv(policy: Policy) -> str:
    """Return the policy as CSV with commas."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(_rows(policy))
    return text.getvalue()


def import_csv(text: str) -> str:
    """Return the JSON text of the policy in a CSV. Raise HeldError `PolicyInvalid` if it is none.

    The separator is a comma, a semicolon or a tab. Empty rows, and empty columns without a title, are left out.
    """
    document: dict[str, Any] = {"schema": SCHEMA, "classes": {}, "rules": []}
    for number, row in _read(text):
        _add(document, f"row {number}", row)
    return policy_text(parse_policy(json.dumps(document, ensure_ascii=False)))


def decode_csv(data: bytes) -> str:
    """Return the text of a CSV file as spreadsheets write it: UTF-8 or UTF-16 with its mark, or Windows-1252."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _rows(policy: Policy) -> Iterator[dict[str, str]]:
    for name, class_ in policy.classes.items():
        members = {member: each.default for member, each in CLASS.items()} | class_members(class_)
        yield {"kind": "class", "name": _guarded(name), **{each: _cell(value) for each, value in members.items()}}
    for rule in policy.rules:
        when = {f"if {name}": _cell(wanted) for name, wanted in rule.when.items() if name != "seconds"}
        seconds = {f"if seconds {bound}": json.dumps(value) for bound, value in rule.when.get("seconds", {}).items()}
        outcome = _outcome_cells(decision_members(rule.decision))
        yield {"kind": "rule", "name": _guarded(rule.name), **when, **seconds, **outcome}
    yield {"kind": "default", "name": "", **_outcome_cells(decision_members(policy.default))}


def _outcome_cells(members: Mapping[str, Any]) -> dict[str, str]:
    defaults = {name: each.default for name, each in OUTCOME.items()}
    return {name: _cell(value) for name, value in (defaults | dict(members)).items()}


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return _guarded(_joined(value) if isinstance(value, tuple) else value)


def _joined(values: Sequence[str]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter="|", lineterminator="").writerow(values)
    return text.getvalue()


def _guarded(cell: str) -> str:
    return f"{_GUARD}{cell}" if cell.startswith(_GUARDED) else cell


def _unguarded(cell: str) -> str:
    cell = cell.strip()
    return cell[1:] if cell.startswith(_GUARD) and cell[1:].startswith(_GUARDED) else cell


def _read(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the cells of each row that are not empty by their column, with the row's number."""
    lines = text.removeprefix("\ufeff").splitlines(keepends=True)
    # Excel itself writes and reads such a line.
    first = 1 if lines and lines[0].lower().startswith("sep=") else 0
    head = lines[first] if len(lines) > first else ""
    separator = max(SEPARATORS, key=head.count)
    try:
        rows = list(csv.reader(io.StringIO("".join(lines[first:]), newline=""), delimiter=separator))
    except csv.Error as exc:
        raise invalid("the spreadsheet is no proper CSV") from exc
    columns = _columns(rows[0] if rows else [])
    for number, cells in enumerate(rows[1:], first + 2):
        if len(cells) > len(columns) and any(cell.strip() for cell in cells[len(columns) :]):
            raise invalid(f"row {number}: there is a cell to the right of the last column")
        row = {column: cell for column, cell in zip(columns, map(_unguarded, cells), strict=False) if cell}
        if "" in row:
            raise invalid(f"row {number}: there is a cell in a column without a title")
        if row:
            yield number, row


def _columns(titles: Sequence[str]) -> list[str]:
    columns = [" ".join(title.lower().split()) for title in titles]
    named = [column for column in columns if column]
    if missing := {"kind", "name"} - set(named):
        raise invalid(f"the first row of the spreadsheet lacks the title {sorted(missing)[0]}")
    for number, column in enumerate(columns, 1):
        if column and column not in COLUMNS:
            raise invalid(f"column {number} has an unknown title; known are {', '.join(COLUMNS)}")
        if column and columns.count(column) > 1:
            raise invalid(f"the column {column} is there twice")
    return columns


def _add(document: dict[str, Any], where: str, row: dict[str, str]) -> None:
    kind, name = row.pop("kind", "").lower(), row.pop("name", None)
    if kind == "class":
        members = _only(where, row, CLASS)
        if name is None or name in document["classes"]:
            raise invalid(f"{where}: a class needs a name of its own")
        document["classes"][name] = members
    elif kind == "rule":
        outcome = {column: cell for column, cell in row.items() if not column.startswith("if ")}
        document["rules"].append({"rule": name, "when": _when(where, row), **_only(where, outcome, OUTCOME)})
    elif kind == DEFAULT:
        if DEFAULT in document or name not in (None, DEFAULT):
            raise invalid(f"{where}: there is one row {DEFAULT}, and it has no other name")
        document[DEFAULT] = _only(where, row, OUTCOME)
    else:
        raise invalid(f"{where}: kind must be class, rule or {DEFAULT}")


def _only(where: str, row: Mapping[str, str], known: Mapping[str, Any]) -> dict[str, Any]:
    """Return the cells of a row as members of JSON, if all of them belong to its kind."""
    if other := next((column for column in row if column not in known), None):
        raise invalid(f"{where}: the column {other} does not belong to this kind of row")
    booleans = {name for name in known if known[name].schema.get("type") == "boolean"}
    return {name: _boolean(where, name, cell) if name in booleans else cell for name, cell in row.items()}


def _when(where: str, row: Mapping[str, str]) -> dict[str, Any]:
    when: dict[str, Any] = {}
    for column, name in _IF.items():
        if column in row:
            when[name] = _boolean(where, column, row[column]) if name in FLAGS else _split(where, row[column])
    seconds = {bound: _number(where, each, row[each]) for each, bound in _IF_SECONDS.items() if each in row}
    return {**when, "seconds": seconds} if seconds else when


def _split(where: str, cell: str) -> list[str]:
    try:
        (values,) = csv.reader([cell], delimiter="|", skipinitialspace=True)
    except csv.Error as exc:
        raise invalid(f"{where}: a list is on one line, with | between its values") from exc
    return [value.strip() for value in values if value.strip()]


def _boolean(where: str, column: str, cell: str) -> bool:
    if cell.lower() not in TRUE | FALSE:
        raise invalid(f"{where}: {column} must be yes or no")
    return cell.lower() in TRUE


def _number(where: str, column: str, cell: str) -> float:
    try:
        return int(cell) if cell.isdecimal() else float(cell.replace(",", "."))
    except ValueError as exc:
        raise invalid(f"{where}: {column} must be a number of seconds") from exc
