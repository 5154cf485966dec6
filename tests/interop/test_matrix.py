"""Every variant that we write x every reader that a tenant may have. known.py lists what a reader does not open."""

from collections import Counter

import pytest

from tests.interop.known import KNOWN, VERSIONS, known, problem, skip_other_version
from tests.interop.matrix import CELLS, Seen, seen
from tests.interop.peers import PEERS, Peer
from tests.interop.rows import SIZES, Row


@pytest.mark.parametrize(("row", "peer"), [pytest.param(*cell, id=f"{cell[0].name}-{cell[1].name}") for cell in CELLS])
def test_reader_behaves_as_the_table_states(row: Row, peer: Peer) -> None:
    attempts = seen(row, peer)

    assert [(one.key, one.size) for one in attempts] == [(key, size) for key in row.recipients for size in SIZES]
    problems = [said for one in attempts if (said := problem(row, peer, one))]
    if problems and not any(one.verdict == "WRONG" for one in attempts):
        skip_other_version(peer, problems[0])
    assert not problems, "\n".join(problems)


def test_every_entry_of_the_table_is_about_some_cell() -> None:
    used = {known(row, peer, key) for row, peer in CELLS for key in row.recipients}
    assert [entry.reason for entry in KNOWN if entry not in used] == []


def test_every_variant_is_opened_by_two_readers_at_least() -> None:
    readers = Counter(row for row, peer in CELLS if not any(known(row, peer, key) for key in row.recipients))
    assert min(readers[row] for row, _ in CELLS) >= 2


# The judge itself: none of these may pass as a good cell.


@pytest.fixture
def row() -> Row:
    return next(row for row, peer in CELLS if peer.name == "sq" and row.recipients == ("elg2048",))


@pytest.mark.parametrize(
    ("peer", "verdict", "said", "expected"),
    [
        ("gpg", "opened", "", None),
        ("gpg", "refused", "gpg: decryption failed", "decryption failed"),
        ("gpg", "WRONG", "", "gave other bytes"),
        ("sq", "opened", "", "opens what known.py says it cannot"),
        ("sq", "refused", "No key to decrypt message", None),
        ("sq", "refused", "No such file or directory", "refuses, but not because"),
        ("sq", "WRONG", "", "gave other bytes"),
    ],
)
def test_judge_reports_each_difference(row: Row, peer: str, verdict: str, said: str, expected: str | None) -> None:
    found = problem(row, PEERS[peer], Seen("elg2048", 1, verdict, said))
    assert (found is None) if expected is None else (expected in str(found))


def test_reader_of_another_version_is_skipped_with_a_message_outside_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    peer = Peer("gpg", "`gpg`", lambda: "9.9", list)
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"9\.9.*what was seen"):
        skip_other_version(peer, "what was seen")

    monkeypatch.setenv("CI", "true")
    skip_other_version(peer, "what was seen")


@pytest.mark.parametrize("peer", PEERS.values(), ids=lambda peer: peer.name)
def test_readers_here_are_of_the_versions_of_the_table(peer: Peer) -> None:
    skip_other_version(peer, "the cells are judged all the same")
    assert peer.version() == VERSIONS[peer.name]
