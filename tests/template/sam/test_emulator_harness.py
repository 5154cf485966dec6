"""The harness itself: what it passes to a function, and how it detects a failure."""

from __future__ import annotations

from pathlib import Path

import pytest
import rie

ECHO = """
import os, shutil, subprocess, sys, time
import boto3, cryptography, callseal

def lambda_handler(event, context):
    if event == "raise":
        raise ValueError("as asked")
    if event == "sleep":
        time.sleep(10)
    gpg = subprocess.run([os.environ["GPG_BINARY"], "--version"], capture_output=True, text=True, check=True)
    return {"event": event, "python": sys.version_info[:2], "gpg": gpg.stdout.split("\\n")[0],
            "on_path": shutil.which("gpg"), "boto3": boto3.__file__, "callseal": callseal.__file__}
"""


@pytest.fixture
def echo(tmp_path: Path) -> Path:
    folder = tmp_path / "Echo"
    folder.mkdir()
    (folder / "app.py").write_text(ECHO)
    return folder


def variables(**more: str) -> dict[str, str]:
    return {"GPG_BINARY": str(rie.gpg_layer() / "bin/gpg"), **more}


def test_function_gets_its_event_and_only_its_layers(echo: Path, tmp_path: Path) -> None:
    with rie.running(echo, tmp_path, variables()) as function:
        answer = function.invoke({"key": "ä"})

    assert answer["event"] == {"key": "ä"}
    assert answer["python"] == [3, 13]
    assert answer["gpg"].startswith("gpg (GnuPG) 2.")
    assert answer["on_path"] is None
    assert answer["boto3"].startswith(str(rie.BUILD / "DependenciesLayer/python"))
    assert answer["callseal"].startswith(str(rie.ROOT / "layers/callseal/python"))


def test_a_function_that_raises_fails_the_call_and_shows_its_log(echo: Path, tmp_path: Path) -> None:
    with rie.running(echo, tmp_path, variables()) as function, pytest.raises(rie.FunctionFailedError, match="as asked"):
        function.invoke("raise")


def test_a_function_that_runs_into_its_timeout_fails_the_call(echo: Path, tmp_path: Path) -> None:
    hurried = variables(AWS_LAMBDA_FUNCTION_TIMEOUT="2")
    with rie.running(echo, tmp_path, hurried) as function, pytest.raises(rie.FunctionFailedError, match="timed out"):
        function.invoke("sleep")


def test_a_build_output_of_an_older_source_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder, code in (("build/SomeFunction", "old"), ("some", "new")):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "app.py").write_text(code)
    monkeypatch.setattr(rie, "BUILD", tmp_path / "build")

    with pytest.raises(rie.MissingPieceError, match=r"not of the present some/app\.py: run `make build`"):
        rie.built_function("SomeFunction", tmp_path / "some")
