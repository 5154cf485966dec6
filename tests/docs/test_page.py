"""The archive's page: its texts in every language, the elements that scripts find, and what its policy forbids."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator

import pytest

from callseal.core.event_types import EventType
from tests.support.functions import ROOT

WEB = ROOT / "web"
ARCHIVE = ROOT / "layers" / "callseal" / "python" / "callseal"
OTHERS = ("vendor",)
# The largest page that a browser loads, compressed, without the OpenPGP library.
MAX_BYTES = 100_000
LANGUAGES = ("en", "nb", "de")
TESTED = re.findall(
    r"[\w-]+",
    """
    sign-in caller from to agent queue session search call more reason reason-text play position speed left right
    skip-silence sealed command key-file passphrase open-key problem download share share-to share-days share-send
    share-cancel send-code code accept open
    hold hold-name hold-reason hold-future hold-create hold-release hold-approve hold-case
    erasure-anonymise erasure-start erasure-approve erasure-case certificate signature
    """,
)
PLACE = re.compile(r"\{\w+\}")
LITERAL = re.compile(r"""\b(?:t|tOr)\((?:\s*[\w.?! ]+ \? )?"([\w.]+)"(?: : "([\w.]+)")?""")
PLURAL = re.compile(r"""\bplural\((?:\w+ \? )?"([\w.]+)"(?: : "([\w.]+)")?""")
FORBIDDEN = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|https?://(?!www\.w3\.org/)"
)
REFUSAL = re.compile(r"""(?:RefusedRequestError\([^"()]*|refusal\(|refused\([^"()]*)"([A-Z]\w+)\"""")


def own_files() -> dict[str, str]:
    paths = (path for path in WEB.rglob("*") if path.is_file() and path.relative_to(WEB).parts[0] not in OTHERS)
    return {str(path.relative_to(WEB)): path.read_text() for path in sorted(paths)}


def table() -> dict[str, list[str]]:
    text = (WEB / "texts.js").read_text()
    return dict(json.loads(text[text.index("{") : text.rindex("}") + 1]))


FILES, TEXTS = own_files(), table()


def keys_in_code() -> Iterator[tuple[str, str]]:
    for name, text in FILES.items():
        for pattern, suffixes in ((LITERAL, ("",)), (PLURAL, (".one", ".other"))):
            for match in pattern.finditer(text):
                yield from ((name, found + suffix) for found in match.groups() if found for suffix in suffixes)


def names_in_package(pattern: re.Pattern[str]) -> set[str]:
    files = [*(ARCHIVE / "archive").rglob("*.py"), ARCHIVE / "inbound" / "http.py"]
    return {found for file in files for found in pattern.findall(file.read_text())}


def test_every_text_is_there_in_every_language() -> None:
    assert not {key for key, texts in TEXTS.items() if len(texts) != len(LANGUAGES) or not all(map(str.strip, texts))}


def test_texts_have_the_same_places_in_every_language() -> None:
    places = {key: {tuple(sorted(PLACE.findall(text))) for text in texts} for key, texts in TEXTS.items()}
    assert not {key for key, each in places.items() if len(each) > 1}


def test_every_key_in_the_code_has_a_text() -> None:
    used = list(keys_in_code())
    assert len(used) > 100
    assert not [each for each in used if each[1] not in TEXTS]


def test_every_refusal_of_the_api_has_a_sentence() -> None:
    codes = names_in_package(REFUSAL) | {"RestrictedRecording", "SensitiveRecording", "CodeRefused"}
    assert {"NotFound", "ReasonRequired", "TooMany", "AuditUnavailable"} <= codes
    assert not {code for code in codes if f"problem.{code}" not in TEXTS}


def test_every_refusal_of_the_opener_has_a_sentence() -> None:
    opener = (text for name, text in FILES.items() if name.startswith("open"))
    codes = {code for text in opener for code in re.findall(r'OpenProblem\(\s*"(\w+)"', text)}
    assert len(codes) == 8
    assert not {code for code in codes if f"problem.{code}" not in TEXTS}


def test_every_event_of_the_archive_has_a_name() -> None:
    kinds = {EventType[name] for name in names_in_package(re.compile(r"EventType\.([A-Z_]+)"))}
    assert EventType.SHARE_OPENED in kinds
    assert not {kind for kind in kinds if f"kind.{kind}" not in TEXTS}


@pytest.mark.parametrize(
    ("schema", "member", "prefix"),
    [
        ("Hold", "state", "hold.state"),
        ("ErasureSummary", "state", "erasure.state"),
        ("ErasureFile", "state", "erasure.file"),
        ("ErasureFile", "state", "erasure.means"),
        ("ErasureFile", "place", "erasure.place"),
    ],
)
def test_every_state_of_the_api_has_a_text(schema: str, member: str, prefix: str) -> None:
    described = json.loads((ROOT / "schemas" / "archive-api.openapi.json").read_text())
    values = described["components"]["schemas"][schema]["properties"][member]["enum"]
    assert not {value for value in values if f"{prefix}.{value}" not in TEXTS}


def test_scripts_find_every_element_of_the_contract() -> None:
    tests = set(re.findall(r'test: "([\w-]+)"', "\n".join(FILES.values())))
    # The filters of the search and the two sides of a recording have the names of their values.
    tests |= {*re.findall(r'\b(?:input|date)\("(\w+)"', FILES["views/search.js"]), "left", "right"}
    assert not set(TESTED) - tests


@pytest.mark.parametrize("name", FILES)
def test_file_keeps_to_the_content_security_policy(name: str) -> None:
    text = FILES[name]
    assert not FORBIDDEN.findall(re.sub(r"(?m)^\s*(//|\*|/\*).*$", "", text))
    if name.endswith((".html", ".svg")):
        assert not re.findall(r"""\sstyle=|\son\w+=|<style|<script(?![^>]*\ssrc=)""", text)


def test_page_is_light() -> None:
    size = sum(len(gzip.compress(text.encode(), 9)) for text in FILES.values())
    assert size <= MAX_BYTES, size
