"""Delete the files of calls that are due: every version in the archive, the copy in the SFTP bucket, the waveform.

The holds are read after the cards, directly before the delete. A hold that is placed after that loses the race: either
S3 refuses the delete, because the version is under the hold already, or the call is gone when the hold reaches it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from callseal.calls.call_file import MAX_DELIVERIES, CallFile
from callseal.calls.call_name import CallName
from callseal.calls.card import Card
from callseal.core.audit import timestamp
from callseal.core.clock import Clock
from callseal.core.errors import TransientError
from callseal.core.log import Log
from callseal.retention.disposal_record import DisposedCall, DisposedFile, hashed_name
from callseal.retention.judge_again import ended
from callseal.retention.landed_files import LandedFiles
from callseal.retention.verdict import ARCHIVE, SFTP, Covers, Rules, files_at, verdict
from callseal.retention.version_store import REFUSED, Version, VersionStore
from callseal.retention.waveform_items import WaveformItems


@dataclass(slots=True)
class Disposed:
    """The calls whose files are all gone, and counts of the others by what became of them."""

    calls: dict[CallName, DisposedCall] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)


class CallDisposal:
    """Deletes files of calls."""

    def __init__(
        self,
        versions: VersionStore,
        landed: LandedFiles,
        waveforms: WaveformItems,
        holds: Callable[[str], Covers],
        salt: Callable[[str], str],
        clock: Clock,
        log: Log,
    ) -> None:
        """Take the collaborators. `holds` reads a tenant's holds that are in force, `salt` returns a tenant's salt."""
        self._versions, self._landed, self._waveforms = versions, landed, waveforms
        self._holds, self._salt, self._clock, self._log = holds, salt, clock, log

    def dispose(self, tenant: str, cards: Sequence[Card], keeps: Covers) -> Disposed:
        """Delete the files of those cards of a tenant that are due. Raise TransientError.

        `keeps` returns whether the tenant's present policy keeps a call longer.
        """
        disposed = Disposed()
        due = [card for card in self._due(cards, Rules(keeps=keeps), disposed) if self._is_delivered(card, disposed)]
        found = {card.call.id: self._files(card) for card in due}
        # The holds are read after the look-ups, which take time, and directly before the delete.
        due = self._due(due, Rules(self._holds(tenant)), disposed) if due else []
        if not due:
            return disposed
        now, salt = timestamp(self._clock()), self._salt(tenant)
        refused = self._versions.delete([version for card in due for version in found[card.call.id]])
        gone = [card for card in due if self._is_gone(card, found[card.call.id], refused, disposed)]
        self._delete_copies(gone)
        self._waveforms.delete(gone)
        disposed.calls |= {card.call: _disposed(card, found[card.call.id], salt, now) for card in gone}
        return disposed

    def _due(self, cards: Sequence[Card], rules: Rules, disposed: Disposed) -> list[Card]:
        verdicts = [(card, verdict(card, rules, self._clock())) for card in cards]
        disposed.counts.update(found for _, found in verdicts if found != "due")
        return [card for card, found in verdicts if found == "due"]

    def _is_delivered(self, card: Card, disposed: Disposed) -> bool:
        """Return whether no file of a call is still in landing: what is not delivered yet is not disposed of.

        A call whose recording was delivered is not looked up. Files of its name that land later are another delivery.
        """
        has_recording = any(file.deliveries and not file.is_metadata for file in card.files)
        if has_recording or not self._landed.has_any(card.call):
            return True
        disposed.counts["undelivered"] += 1
        return False

    def _files(self, card: Card) -> dict[Version, DisposedFile | None]:
        """Return the versions of a call in the archive, each with its line in the record. A marker has no line."""
        return {version: line for file in files_at(card, ARCHIVE) for version, line in self._versions_of(file).items()}

    def _versions_of(self, file: CallFile) -> dict[Version, DisposedFile | None]:
        known = {each.version: each for each in file.deliveries if each.version}
        if len(known) == len(file.deliveries) < MAX_DELIVERIES:
            return {
                Version(file.key, version): DisposedFile(version, each.sha256, each.size)
                for version, each in known.items()
            }
        found = self._versions.find(file.key)
        is_single = len(file.deliveries) == 1 and sum(not version.is_marker for version in found) == 1
        only = file.deliveries[0] if is_single else None
        lines = dict[Version, DisposedFile | None]()
        for version in found:
            delivery = known.get(version.id) or only
            hash_ = delivery.sha256 if delivery else None
            lines[version] = None if version.is_marker else DisposedFile(version.id, hash_, version.size)
        return lines

    def _is_gone(
        self, card: Card, files: Iterable[Version], refused: Mapping[Version, str], disposed: Disposed
    ) -> bool:
        """Return whether all versions of a call are gone. Count a call that is not wholly gone."""
        codes = {refused[version] for version in files if version in refused}
        if not codes:
            return True
        outcome = "held" if codes == {REFUSED} else "failed"
        disposed.counts[outcome] += 1
        if not set(files) <= set(refused):
            disposed.counts["in_part"] += 1
            self._log.warning("call deleted in part", extra={"tenant": card.call.tenant, "call": card.call.id})
        return False

    def _delete_copies(self, cards: Sequence[Card]) -> None:
        refused = self._versions.delete_copies(file.key for card in cards for file in files_at(card, SFTP))
        if refused:
            raise TransientError(f"{len(refused)} copies in the SFTP bucket could not be deleted.")


def _disposed(card: Card, files: Mapping[Version, DisposedFile | None], salt: str, now: str) -> DisposedCall:
    outcome = card.outcome or {}
    return DisposedCall(
        id=card.call.id,
        name=hashed_name(salt, card.call.name),
        class_=outcome["class"],
        policy=outcome["version"],
        ended=timestamp(ended(card)),
        dispose_on=str(card.dispose_on),
        deleted_at=now,
        files=tuple(line for line in files.values() if line),
    )
