"""The basis of the interoperability tests: no silent omission, no duplicate work, no remains."""

from pathlib import Path

import pytest

from tests.interop import lab
from tests.interop.java import bouncy_castle


@pytest.mark.parametrize(("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)])
def test_missing_reader_is_skipped_with_a_message_and_fails_in_ci(
    monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(bouncy_castle, "JARS", [Path("/nowhere/bcprov.jar")])
    with pytest.raises(outcome, match=r"Bouncy Castle .* is not on this machine"):
        bouncy_castle.open_many([])


@pytest.fixture
def own_lab(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return a lab for this test only."""
    folder = lab.make_folder(tmp_path / "lab")
    monkeypatch.setattr(lab, "folder", lambda: folder)
    return folder


def test_once_runs_once(own_lab: Path) -> None:
    calls: list[int] = []
    assert [lab.once("thing", lambda: calls.append(1) or len(calls)) for _ in range(3)] == [1, 1, 1]
    assert lab.once("other", lambda: calls.append(1) or len(calls)) == 2


def test_failure_is_retried(own_lab: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        lab.once("thing", lambda: 1 / 0)
    assert lab.once("thing", lambda: "made") == "made"


def test_the_last_user_removes_everything(own_lab: Path) -> None:
    (own_lab / "users" / "another worker").touch()
    (own_lab / "key").write_text("secret")

    lab.remove_if_last(own_lab)
    assert own_lab.exists()

    (own_lab / "users" / "another worker").unlink()
    lab.remove_if_last(own_lab)
    assert not own_lab.exists()
