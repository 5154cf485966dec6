"""Files that are generated from declarations equal the output of `make docs`."""

from __future__ import annotations

import json

import pytest

from tools.pages.generated import GENERATED, ROOT, generate
from tools.pages.markers import replace_part

PAGE = "# A page\n\n<!-- Begin: x, from y. -->\nold\n<!-- End: x -->\n\nBy hand.\n"


@pytest.mark.parametrize("name", GENERATED)
def test_generated_file_is_current(name: str) -> None:
    text = (ROOT / name).read_text()
    if generate(name, text) != text:
        pytest.fail(f"{name} is stale. Run `make docs`, and commit what it writes.")


def test_only_the_part_between_the_markers_is_replaced() -> None:
    assert replace_part(PAGE, "x", "new\n") == PAGE.replace("old", "new")


@pytest.mark.parametrize("page", ["", PAGE * 2, PAGE.replace("Begin", "begin"), PAGE.replace("End: x", "End: y")])
def test_page_must_have_its_markers_once(page: str) -> None:
    with pytest.raises(ValueError, match="must have one line"):
        replace_part(page, "x", "new\n")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("schemas/tenant-settings.schema.json", '"maximum": 90'),
        ("schemas/tenant-policy.schema.json", '"number_prefix": '),
        ("schemas/tenant-access.schema.json", '"uniqueItems": true'),
        ("schemas/audit-event.schema.json", '"KeyExpired", '),
        ("schemas/archive-api.openapi.json", '"minItems": 1000'),
        ("docs/settings.md", "| `rotation_overlap_days` |"),
        ("docs/metadata.md", "`//iq_session_id`"),
        ("docs/retention.md", "| disposal |"),
        ("docs/operations.md", "| `KeyExpired` |"),
        ("docs/operations.md", "| `FileFetched` |"),
        ("events/env.json", '"FILE_REGISTER": "callseal-local-files"'),
    ],
)
def test_stale_file_is_written_again(name: str, text: str) -> None:
    current = (ROOT / name).read_text()
    assert text in current
    assert generate(name, current.replace(text, "")) == current


def test_every_generated_file_has_a_stale_case() -> None:
    (cases,) = (mark.args[1] for mark in test_stale_file_is_written_again.pytestmark)
    assert {name for name, _ in cases} == {*GENERATED}


def test_schema_without_a_list_of_reasons_is_refused() -> None:
    name = "schemas/audit-event.schema.json"
    document = json.loads((ROOT / name).read_text())
    document["properties"]["reason"]["enum"].remove(None)
    document["properties"]["archive"]["properties"]["action"]["enum"].remove(None)
    with pytest.raises(ValueError, match="must have one list"):
        generate(name, json.dumps(document, indent=2))
