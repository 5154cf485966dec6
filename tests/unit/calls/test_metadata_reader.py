"""The strict reader: what it returns, what it refuses, and that no sentence holds anything of the file."""

from __future__ import annotations

import json
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callseal.calls import metadata_reader
from callseal.calls.metadata_bounds import MAX_BYTES, MAX_DEPTH, MAX_NODES, MAX_TEXT_BYTES
from callseal.calls.metadata_reader import Entry, Step, UnreadableMetadataError, read_entries
from callseal.calls.paths import written

SECRET = "4790000077"


def read(text: str | bytes, file_format: str = "xml") -> list[tuple[str, str]]:
    data = text.encode() if isinstance(text, str) else text
    return [(written(entry.path), entry.text) for entry in read_entries(data, file_format)]


def read_json(value: Any) -> list[tuple[str, str]]:
    return read(json.dumps(value), "json")


def refusal(text: str | bytes, file_format: str = "xml") -> str:
    with pytest.raises(UnreadableMetadataError) as refused:
        read(text, file_format)
    assert SECRET not in str(refused.value)
    assert refused.value.__cause__ is None
    return str(refused.value)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("<a>x</a>", [("/a", "x")]),
        ("<a b='x'/>", [("/a/@b", "x")]),
        ("<a><b>x</b><b>y</b><c>z</c><b>u</b></a>", [("/a/b", "x"), ("/a/b[1]", "y"), ("/a/c", "z"), ("/a/b[2]", "u")]),
        ("<a> \n x\ty \n</a>", [("/a", "x\ty")]),
        ("<a>x<b>y</b>z</a>", [("/a/b", "y"), ("/a", "xz")]),
        ("<a/>", []),
        ("<a b=' '> </a>", []),
        ("<p:a xmlns:p='urn:p' p:b='x' xmlns='urn:q'><c>y</c></p:a>", [("/a/@b", "x"), ("/a/c", "y")]),
        ("<a><p:b>not declared</p:b></a>", [("/a/b", "not declared")]),
        ("<a><![CDATA[<x> & y]]></a>", [("/a", "<x> & y")]),
        ("<a>&lt;&amp;&gt;&quot;&apos;&#65;&#x42;</a>", [("/a", "<&>\"'AB")]),
        ("<?xml version='1.0'?><?p d?><!-- <!DOCTYPE x> --><a>x<!-- n --><?n?>y</a><!-- z -->", [("/a", "xy")]),
        ("<a><![CDATA[<!DOCTYPE x>]]></a>", [("/a", "<!DOCTYPE x>")]),
        ("\n <a>x</a>", [("/a", "x")]),
    ],
)  # fmt: skip
def test_xml_becomes_a_flat_list(text: str, found: list[tuple[str, str]]) -> None:
    assert read(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a": "x", "b": {"c": "y"}}', [("/a", "x"), ("/b/c", "y")]),
        ('{"a": [{"b": "x"}, {"b": "y"}]}', [("/a/b", "x"), ("/a[1]/b", "y")]),
        ('{"c": ["z", "u"]}', [("/c", "z"), ("/c[1]", "u")]),
        ('{"a": [[1, 2], [3]]}', [("/a/item", "1"), ("/a/item[1]", "2"), ("/a[1]/item", "3")]),
        ('[{"a": 1}, {"a": 2}]', [("/item/a", "1"), ("/item[1]/a", "2")]),
        ('{"a": true, "b": false, "c": null, "d": "", "e": " "}', [("/a", "true"), ("/b", "false")]),
        ('{"a": 12345678901234567890, "b": 1.50, "c": -0, "d": 1e400}',
         [("/a", "12345678901234567890"), ("/b", "1.50"), ("/c", "-0"), ("/d", "1e400")]),
        ('{"a": "\\u00f8\\n"}', [("/a", "ø")]),
        ("{}", []),
        ("[]", []),
        (' {"a" : 1 } ', [("/a", "1")]),
    ],
)  # fmt: skip
def test_json_becomes_a_flat_list(text: str, found: list[tuple[str, str]]) -> None:
    assert read(text, "json") == found


def test_steps_are_kept_apart_though_a_name_has_a_slash() -> None:
    assert read_entries(b'{"a/b[0]": {"c": 1}}', "json") == [Entry((Step("a/b[0]"), Step("c")), "1")]


@pytest.mark.parametrize(
    ("declared", "encoding"),
    [
        ("", "utf-8"),
        ("", "utf-8-sig"),
        ("", "utf-16"),
        ("UTF-8", "utf-8"),
        ("utf-8", "utf-8-sig"),
        ("UTF-16", "utf-16"),
        ("UTF-16", "utf-16-le"),
        ("UTF-16", "utf-16-be"),
        ("ISO-8859-1", "iso-8859-1"),
        ("iso-8859-1", "iso-8859-1"),
        ("windows-1252", "cp1252"),
    ],
)
def test_encodings_are_read(declared: str, encoding: str) -> None:
    declaration = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
    assert read(f"{declaration}<a>blåbær</a>".encode(encoding)) == [("/a", "blåbær")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_encodings_of_json_are_read(encoding: str) -> None:
    assert read('{"a": "blåbær"}'.encode(encoding), "json") == [("/a", "blåbær")]


@pytest.mark.parametrize("declared", ["UTF-7", "UTF-32", "EBCDIC-CP-US", "Shift_JIS", "idna", "zlib", "rot13", "none"])
@pytest.mark.parametrize("encoding", ["ascii", "utf-16"])
def test_other_encodings_are_refused(declared: str, encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{declared}"?><a>{SECRET}</a>'
    assert "its encoding is none of ascii, iso-8859-1" in refusal(text.encode(encoding))


@pytest.mark.parametrize(
    "data",
    [b"<a>\xff</a>", b"<?xml version='1.0' encoding='US-ASCII'?><a>\xe5</a>",
     b"<?xml version='1.0' encoding='windows-1252'?><a>\x81</a>", b"\xff\xfe<", b"\xfe\xff\xd8\x00"],
)  # fmt: skip
def test_bytes_outside_the_encoding_are_refused(data: bytes) -> None:
    assert "bytes that its encoding does not have" in refusal(data)


@pytest.mark.parametrize(
    "text",
    [
        f"<!DOCTYPE a><a>{SECRET}</a>",
        f'<?xml version="1.0"?>\n<!-- c --><?p i?> <!DOCTYPE a [<!ENTITY e "{SECRET}">]><a>&e;</a>',
        f'<!DOCTYPE a SYSTEM "http://192.0.2.1/{SECRET}"><a/>',
        "<!DOCTYPE",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_doctype_is_refused(text: str, encoding: str) -> None:
    assert "it has a DOCTYPE" in refusal(text.encode(encoding))


@pytest.mark.parametrize(
    ("text", "file_format"),
    [
        ("", "xml"), (" ", "xml"), (SECRET, "xml"), ("<a>", "xml"), ("<a></b>", "xml"), ("<a/><b/>", "xml"),
        (f"<a b='1' b='{SECRET}'/>", "xml"), (f"<a>&e{SECRET};</a>", "xml"), ("<a>\0</a>", "xml"), ("<a b=<c/>", "xml"),
        ("<?xml", "xml"), ("<!--", "xml"), ("<1/>", "xml"), ('{"a": 1}', "xml"), ("<!ELEMENT a ANY><a/>", "xml"),
        ("<a><!DOCTYPE a></a>", "xml"), ("<a/><!DOCTYPE a>", "xml"),
        ("", "json"), (SECRET + "x", "json"), ("{", "json"), ('{"a"}', "json"), ('{"a": 1}}', "json"), ("]", "json"),
        (f'{{"a": "{SECRET}', "json"), (f'{{"a": {SECRET}x}}', "json"), ("{'a': 1}", "json"), ("<a/>", "json"),
        ('{"a": 1} {"a": 1}', "json"), ('{"a": "\n"}', "json"), ('{"a": "\\x"}', "json"), ('{"a": 1,}', "json"),
        ('{"a": 01}', "json"), ("{a: 1}", "json"), ('{"a": 1} // c', "json"),
    ],
)  # fmt: skip
def test_malformed_file_is_refused(text: str, file_format: str) -> None:
    assert refusal(text, file_format) == f"The metadata file is no well-formed {file_format.upper()}."


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        (f'{{"a": 1, "a": {SECRET}}}', "the same member twice"),
        (f'{{"b": {{"a": 1, "\\u0061": {SECRET}}}}}', "the same member twice"),
        ('{"a": NaN}', "NaN or Infinity"),
        ('{"a": [-Infinity]}', "NaN or Infinity"),
        (f'"{SECRET}"', "neither a JSON object nor an array"),
        (SECRET, "neither a JSON object nor an array"),
        ("null", "neither a JSON object nor an array"),
        ('{"a": "\\ud800"}', "a character that is not Unicode"),
        ('{"\\udfff": 1}', "a character that is not Unicode"),
    ],
)
def test_json_that_others_may_read_otherwise_is_refused(text: str, bound: str) -> None:
    assert bound in refusal(text, "json")


def nested(depth: int, inner: str = "x") -> str:
    return "<a>" * depth + inner + "</a>" * depth


def test_bounds_of_xml_are_exact() -> None:
    assert len(read("<a>" + "<b>x</b>" * (MAX_NODES - 1) + "</a>")) == MAX_NODES - 1
    assert "more than 2000" in refusal("<a>" + "<b>x</b>" * MAX_NODES + "</a>")
    attributes = "<a>" + "<b c='x'/>" * 999 + "<b/></a>"
    assert len(read(attributes)) == 999
    assert "more than 2000" in refusal(attributes.replace("<b/>", "<b c='x'/>"))
    assert read(nested(MAX_DEPTH))
    assert "deeper than 32" in refusal(nested(MAX_DEPTH + 1))
    assert read(f"<a>{'x' * MAX_TEXT_BYTES}</a>")
    assert "more than 4096 bytes" in refusal(f"<a>{'x' * (MAX_TEXT_BYTES + 1)}</a>")
    assert "more than 4096 bytes" in refusal(f"<a>{'ø' * (MAX_TEXT_BYTES // 2 + 1)}</a>")
    assert "more than 4096 bytes" in refusal(f"<a b='{'x' * (MAX_TEXT_BYTES + 1)}'/>")
    assert "more than 4096 bytes" in refusal(f"<{'x' * (MAX_TEXT_BYTES + 1)}/>")
    # In pieces, with children between them.
    assert "more than 4096 bytes" in refusal(f"<a>{('x' * 2048 + '<b/>') * 2}x</a>")
    comment = "<!-- " + "< " * (MAX_BYTES // 2 - 20) + " -->"
    assert read(comment + "<a>x</a>") == [("/a", "x")]
    assert "more than 256 kB" in refusal(comment + "<a>x</a>" + " " * 64)


def test_bounds_of_json_are_exact() -> None:
    assert len(read_json({"a": ["x"] * (MAX_NODES - 3)})) == MAX_NODES - 3
    assert "more than 2000" in refusal(json.dumps({"a": ["x"] * MAX_NODES}), "json")
    assert read("[" * MAX_DEPTH + "1" + "]" * MAX_DEPTH, "json")
    assert "deeper than 32" in refusal("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), "json")
    assert read_json({"a": "x" * MAX_TEXT_BYTES})
    assert "more than 4096 bytes" in refusal(json.dumps({"a": "x" * (MAX_TEXT_BYTES + 1)}), "json")
    assert "more than 4096 bytes" in refusal(json.dumps({"x" * (MAX_TEXT_BYTES + 1): 1}), "json")
    assert "more than 4096 bytes" in refusal('{"a": ' + "1" * (MAX_TEXT_BYTES + 1) + "}", "json")
    assert read('{"a": 1}' + " " * (MAX_BYTES - 8), "json")
    assert "more than 256 kB" in refusal('{"a": 1}' + " " * (MAX_BYTES - 7), "json")


def test_size_is_checked_before_anything_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata_reader, "_decoded", lambda _: pytest.fail("it was read"))
    assert "more than 256 kB" in refusal(bytes(MAX_BYTES + 1))


def test_reading_ends_where_a_bound_is_passed() -> None:
    """What follows is malformed, and the sentence is the bound's."""
    assert "more than 2000" in refusal("<a>" + "<b/>" * MAX_NODES + "</c><d")
    assert "deeper than 32" in refusal("<a>" * 40 + "</b>")
    assert "deeper than 32" in refusal("[" * 40 + "}", "json")


texts = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), max_size=20)
names = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_.-]{0,8}", fullmatch=True)
trees = st.recursive(
    st.tuples(names, st.dictionaries(names, texts, max_size=3), texts, st.just(())),
    lambda inner: st.tuples(names, st.dictionaries(names, texts, max_size=3), st.just(""), st.lists(inner, max_size=4)),
    max_leaves=20,
)


def as_xml(tree: Any) -> str:
    name, attributes, text, children = tree
    written_out = "".join(f" {key}={quoteattr(value)}" for key, value in attributes.items())
    return f"<{name}{written_out}>{escape(text)}{''.join(map(as_xml, children))}</{name}>"


def values_of(tree: Any) -> list[str]:
    _, attributes, text, children = tree
    return [*attributes.values(), *(value for child in children for value in values_of(child)), text]


@given(trees)
def test_every_value_of_a_document_is_in_the_list(tree: Any) -> None:
    assert [text for _, text in read(as_xml(tree))] == [text.strip() for text in values_of(tree) if text.strip()]


json_trees = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


def leaves_of(value: Any) -> list[str]:
    if isinstance(value, dict | list):
        return [leaf for inner in (value.values() if isinstance(value, dict) else value) for leaf in leaves_of(inner)]
    text = value.strip() if isinstance(value, str) else json.dumps(value)
    return [] if value is None or not text else [text]


@given(st.lists(json_trees, max_size=4) | st.dictionaries(texts, json_trees, max_size=4))
def test_every_value_of_json_is_in_the_list(value: Any) -> None:
    assert [text for _, text in read_json(value)] == leaves_of(value)
    assert len({entry.path for entry in read_entries(json.dumps(value).encode(), "json")}) == len(leaves_of(value))
