"""The path language: one for XML and JSON."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callseal.calls.metadata_bounds import Entry, Step
from callseal.calls.metadata_reader import read_entries
from callseal.calls.paths import Document, parse_path, written
from callseal.tenants.metadata_settings import PATH

XML = Document(
    read_entries(
        b"""<call id="1" xmlns:v="urn:v">
          <session id="2"><start>now</start></session>
          <v:variables>
            <v:variable name="deny">true</v:variable>
            <v:variable name="set"><value>yes</value></v:variable>
            <variable><name>ask</name><value>no</value></variable>
          </v:variables>
          <party role="agent"><tel>10</tel></party>
          <party role="customer"><tel>20</tel><tel>21</tel></party>
          <value>last</value>
        </call>""",
        "xml",
    )
)
JSON = Document(
    read_entries(
        b"""{"id": 1, "tags": [{"key": "callId", "value": "5"}, {"key": "queue name", "value": "6"}],
             "parties": [{"role": "agent", "tel": "10"}, {"role": "customer", "tel": ["20", "21"]}],
             "from": {"phoneNumber": "30"}, "@type": "x", "flag": true, "list": [[1, 2], [3]]}""",
        "json",
    )
)


@pytest.mark.parametrize(
    ("document", "path", "texts"),
    [
        (XML, "/call/@id", ["1"]),
        (XML, "/call/session/@id", ["2"]),
        (XML, "//@id", ["1", "2"]),
        (XML, "//session/@id", ["2"]),
        (XML, "/call/session/start", ["now"]),
        (XML, "//start", ["now"]),
        (XML, "/start", []),
        (XML, "/session/@id", []),
        (XML, "//Start", []),
        (XML, "/call", []),
        (XML, "//variable[@name=deny]", ["true"]),
        (XML, "//variable[@name=set]/value", ["yes"]),
        (XML, "//variable[name=ask]/value", ["no"]),
        (XML, "//variable[@name=ask]/value", []),
        (XML, "//variable[@name=DENY]", []),
        (XML, "//variable[0]", ["true"]),
        (XML, "//variable[0]/@name", ["deny"]),
        (XML, "//variable[2]/name", ["ask"]),
        (XML, "//variable[3]/name", []),
        (XML, "//variable/value", ["yes", "no"]),
        (XML, "//value", ["yes", "no", "last"]),
        (XML, "/call/party[@role=customer]/tel", ["20", "21"]),
        (XML, "/call/party[@role=customer]/tel[1]", ["21"]),
        (XML, "/call/party[1]/tel[0]", ["20"]),
        (XML, "/call[0]/party[0]/tel[0]", ["10"]),
        (JSON, "/id", ["1"]),
        (JSON, "/tags[key=callId]/value", ["5"]),
        (JSON, "/tags[key=queue name]/value", ["6"]),
        (JSON, "/tags[1]/value", ["6"]),
        (JSON, "/tags/value", ["5", "6"]),
        (JSON, "//value", ["5", "6"]),
        (JSON, "/parties[role=customer]/tel", ["20", "21"]),
        (JSON, "/parties[role=customer]/tel[1]", ["21"]),
        (JSON, "/parties[role=nobody]/tel", []),
        (JSON, "/from/phoneNumber", ["30"]),
        (JSON, "/from[0]/phoneNumber[0]", ["30"]),
        (JSON, "/@type", ["x"]),
        (JSON, "/flag", ["true"]),
        (JSON, "/list[0]/item[1]", ["2"]),
        (JSON, "/list/item", ["1", "2", "3"]),
    ],
)
def test_path_finds_values_in_the_order_of_the_file(document: Document, path: str, texts: list[str]) -> None:
    assert [entry.text for entry in document.find_all(parse_path(path))] == texts
    first = document.find(parse_path(path))
    assert (first.text if first else None) == next(iter(texts), None)


@pytest.mark.parametrize(
    "text",
    ["", "/", "//", "a", "a/b", "/a/", "/a//b", "///a", "/a[", "/a]", "/a[]", "/a[0", "/a[0]b", "/a[-1]", "/a[x]",
     "/a[=v]", "/a[k=]", "/a[0][1]", "/a[12345]", "/@", "/a@b", "/@@a", "/a/[0]", "/a\n", "/a\tb", "/a[k=v\n]",
     "/a[k=v]]", "/" + "a" * 256],
)  # fmt: skip
def test_text_that_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape("Write /a/b, /a/@b or //c; a step may have one condition")):
        parse_path(text)


def test_conditions_are_read() -> None:
    steps = parse_path("//a b[@k=v/w=x]/c[12]/d[k=7]").steps
    assert [(step.name, step.index, step.child) for step in steps] == [
        ("a b", None, ("@k", "v/w=x")),
        ("c", 12, None),
        ("d", None, ("k", "7")),
    ]


names = st.from_regex(r"@?[^/@=\[\]\x00-\x1f]{1,6}", fullmatch=True)
steps = st.lists(st.builds(Step, names, st.integers(0, 9999)), min_size=1, max_size=8)


@given(steps)
def test_written_path_finds_its_value_again(path: list[Step]) -> None:
    entry = Entry(tuple(path), "x")
    others = [Entry((*path, Step("a")), "y"), Entry((Step("a"), *path), "z")]
    assert Document([*others, entry]).find(parse_path(written(path))) == entry


@given(st.text(max_size=20) | st.from_regex(PATH, fullmatch=True))
def test_any_text_is_a_path_or_refused(text: str) -> None:
    try:
        path = parse_path(text)
    except ValueError:
        return
    assert path.steps
    assert list(XML.find_all(path)) == list(XML.find_all(path))
