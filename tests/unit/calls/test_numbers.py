"""Telephone numbers: E.164, the tenant's own, countries, and numbers in names."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from callseal.calls.numbers import WITHHELD, Numbering, country_of, holds_number
from tests.support.functions import ROOT

NORWAY = Numbering("NO", ("+472189", "+4790000000"))


@pytest.mark.parametrize(
    "text",
    ["22334455", "22 33 44 55", "22-33-44-55", "+4722334455", "+47 22 33 44 55", "004722334455", "00 47 22334455",
     "tel:+4722334455", "tel:+47-22-33-44-55;ext=5", "TEL:22334455;phone-context=+47", "sip:+4722334455@example.com",
     "sips:22334455@example.com:5061;transport=tls", "<sip:22334455@h>", '"Kari" <sip:+4722334455@h>;tag=1',
     "Kari <tel:004722334455>", "+47 (0) 22334455", "(+47) 22334455", "+4722334455;ext=5", "\u00a022334455\u00a0",
     "22.33.44.55", "22/33 44 55", "+47\u201122334455", "＋47 ２２３３４４５５", "٢٢٣٣٤٤٥٥"],
)  # fmt: skip
def test_spellings_of_one_number_are_one_number(text: str) -> None:
    assert NORWAY.normalise(text) == "+4722334455"


@pytest.mark.parametrize(
    ("text", "region", "number"),
    [
        ("020 7946 0958", "GB", "+442079460958"),
        ("(0)20 7946 0958", "GB", "+442079460958"),
        ("+44 (0)20 7946 0958", None, "+442079460958"),
        ("06 698 12345", "IT", "+390669812345"),
        ("070-123 45 67", "SE", "+46701234567"),
        ("(202) 555-0123", "US", "+12025550123"),
        ("22334455", None, "raw:22334455"),
        ("201", "NO", "raw:201"),
        ("1881", "NO", "raw:1881"),
        ("04722334455", "NO", "raw:04722334455"),
        ("+47", "NO", "raw:47"),
        ("0012", "NO", "raw:0012"),
        ("+999999999999", None, "raw:999999999999"),
        ("22334455", "ZZ", "raw:22334455"),
        ("*31#22334455", None, "raw:3122334455"),
        ("9" * 40, "NO", "raw:" + "9" * 40),
    ],
)
def test_numbers_by_region(text: str, region: str | None, number: str) -> None:
    assert Numbering(region).normalise(text) == number


@pytest.mark.parametrize("word", [*sorted(WITHHELD), "Anonymous", "UNKNOWN", " private ", "  "])
@pytest.mark.parametrize("form", ["{}", "sip:{}@anonymous.invalid", '"Anonymous" <sip:{}@anonymous.invalid>', "tel:{}"])
def test_withheld_number_is_none(word: str, form: str) -> None:
    assert NORWAY.normalise(form.format(word)) is None


@pytest.mark.parametrize(
    "text", ["Kari", "sip:kari@example.com", "agent1042", "sip:agent1042@h", "+", "()", "N/A", "-"]
)
def test_what_is_no_number_is_none(text: str) -> None:
    assert NORWAY.normalise(text) is None


@pytest.mark.parametrize(
    ("number", "own"),
    [("+4721890000", True), ("+4721899999", True), ("+4790000000", True), ("+4790000001", False),
     ("+4722334455", False), ("raw:472189", False), (None, False)],
)  # fmt: skip
def test_own_numbers_are_recognised(number: str | None, own: bool) -> None:
    assert NORWAY.is_own(number) is own
    assert Numbering().is_own(number) is False


@pytest.mark.parametrize(
    ("number", "country"),
    [("+4722334455", "NO"), ("+46701234567", "SE"), ("+12025550123", "US"), ("+16135550123", "CA"),
     ("+442079460958", "GB"), ("+80012345678", None), ("raw:22334455", None), (None, None), ("+", None)],
)  # fmt: skip
def test_country_of_a_number(number: str | None, country: str | None) -> None:
    assert country_of(number) == country


@pytest.mark.parametrize(
    ("name", "region", "holds"),
    [
        ("2026/11/4711000000000001_1.wav", "NO", False),
        ("4711000000001_1", "NO", False),
        ("call_22334455", "NO", True),
        ("call_22334455", None, False),
        ("call_22334455", "SE", True),
        ("call_1234567", "NO", False),
        ("call_123", "NO", False),
        ("a+4722334455b", None, True),
        ("+1234567", None, True),
        ("+123456", None, False),
        ("+123456789012345", None, True),
        ("+1234567890123456", None, False),
        ("004722334455_1", None, True),
        ("00123456", None, False),
        ("00123456789012345", None, True),
        ("001234567890123456", None, False),
        ("2026-11-23/9_1", "NO", False),
        ("２２３３４４５５", "NO", True),
        ("＋4722334455", None, True),
        ("", "NO", False),
        ("4711000000000001-22334455", "NO", True),
    ],
)
def test_names_that_hold_a_number(name: str, region: str | None, holds: bool) -> None:
    assert holds_number(name, region) is holds


@given(st.text(max_size=40) | st.text("+0123456789 ()-;:@", max_size=30), st.sampled_from([None, "NO", "US", "ZZ"]))
@example("sip:", None)
@example("(0)", "NO")
def test_any_text_becomes_a_number_or_none(text: str, region: str | None) -> None:
    numbering = Numbering(region)
    number = numbering.normalise(text)
    holds_number(text, region)
    country_of(number)
    if number is not None:
        assert number.startswith(("+", "raw:"))
        assert number.lstrip("+").removeprefix("raw:").isascii()
        assert number.lstrip("+").removeprefix("raw:").isdecimal()
    if number and number.startswith("+"):
        assert numbering.normalise(number) == number


@pytest.mark.parametrize(
    "use",
    [
        "holds_number('4711000000000001_1', None)",
        "holds_number('+4722334455', None)",
        "Numbering().is_own('+4722334455')",
    ],
)  # fmt: skip
def test_library_is_imported_only_for_what_needs_it(use: str) -> None:
    script = f"import sys\nfrom callseal.calls.numbers import *\n{use}\nprint('phonenumbers' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": str(ROOT / "layers/callseal/python")},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "False\n"
