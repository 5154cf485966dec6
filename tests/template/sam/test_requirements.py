"""The layers' pinned libraries: each with its hash, including the transitive ones."""

from __future__ import annotations

import re

from rie import ROOT

LAYER = ROOT / "layers/dependencies"
# With the marker of the machines that have it, if not all.
PIN = re.compile(r"^([A-Za-z0-9._-]+==\S+(?: ; .*\w\")?)", re.MULTILINE)
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")
# Compiled for each architecture. The others are pure Python.
COMPILED = {"cffi", "cryptography"}


def test_each_pin_has_the_hash_of_its_wheels() -> None:
    pinned = PIN.findall((LAYER / "requirements.in").read_text())
    blocks = re.split(r"\n(?=\S)", (LAYER / "requirements.txt").read_text().strip())[1:]
    assert [PIN.match(block)[1] for block in blocks] == pinned  # type: ignore[index]
    for block in blocks:
        least = 2 if block.partition("==")[0] in COMPILED else 1
        assert len(HASH.findall(block)) >= least, block
        assert len(HASH.findall(block)) == block.count("--hash"), block


def test_a_library_of_one_architecture_is_not_installed_on_the_other() -> None:
    """Its wheel would be missing there, and the build would stop."""
    pins = PIN.findall((LAYER / "requirements.in").read_text())
    marked = [pin.partition("==")[0] for pin in pins if pin.endswith(' and platform_machine == "x86_64"')]
    assert marked == ["miniaudio"]
    assert not COMPILED.intersection(marked)


def test_no_file_of_requirements_names_a_registry() -> None:
    files = [*ROOT.glob("requirements*.txt"), *LAYER.glob("requirements*")]
    assert len(files) == 6
    for file in files:
        assert not re.search(r"https?:|--(extra-)?index-url|--find-links|-[if]\s", file.read_text()), file
