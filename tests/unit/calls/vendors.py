"""The metadata files of twelve platforms in tests/samples/metadata: how each is read, and what must be found in it.

`python -m tests.unit.calls.vendors` writes the table of docs/metadata.md, which shows what was found field by field.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from callseal.calls.metadata_reader import read_entries
from callseal.calls.profiles import FROM_DURATION, FROM_TIMES, Found, look_up
from callseal.tenants.metadata_settings import FACT_MEMBERS, FLAG_MEMBERS
from tools.pages.markers import replace_part, table

ROOT = Path(__file__).resolve().parents[3]
SAMPLES = ROOT / "tests" / "samples" / "metadata"
PAGE = ROOT / "docs" / "metadata.md"
FACTS = [fact for fact in FACT_MEMBERS if fact not in FLAG_MEMBERS]
STARTED = datetime(2026, 11, 23, 8, 12, 44, tzinfo=UTC)
ENDED = datetime(2026, 11, 23, 8, 15, 10, tzinfo=UTC)


@dataclass(frozen=True)
class Vendor:
    """A platform's file, the settings that read it, and the facts in it; what is not named here is missing."""

    name: str
    file: str
    profile: str | None
    facts: Mapping[str, Any]
    paths: Mapping[str, str] = field(default_factory=dict)
    zone: str = "UTC"

    def look_up(self) -> dict[str, Found | None]:
        """Return what is found in the file."""
        file_format = self.file.rpartition(".")[2]
        entries = read_entries((SAMPLES / self.file).read_bytes(), file_format)
        return look_up(entries, self.profile, self.paths, ZoneInfo(self.zone))


def _precise(time: datetime, milliseconds: int) -> datetime:
    return time.replace(microsecond=milliseconds * 1000)


VENDORS = (
    Vendor(
        "Puzzel, attributes", "puzzel-attributes.xml", "puzzel",
        {"session_id": "4711000000000021", "started": STARTED, "ended": ENDED, "seconds": 146.0,
         "caller": "+4790000021", "callee": "+4721890000", "agent": "1042", "queue": "invoice_no",
         "denied": True, "restricted": True},
    ),
    Vendor(
        "Puzzel, elements", "puzzel-elements.xml", "puzzel",
        # An outgoing call: the remote address was called.
        {"session_id": "4711000000000022", "started": STARTED, "ended": ENDED, "seconds": 146.0,
         "direction": "outgoing", "caller": "21890000", "callee": "004790000022", "agent": "1042",
         "queue": "ordre_rød", "denied": False, "restricted": True},
        zone="Europe/Oslo",
    ),
    Vendor(
        "SIPREC (RFC 7865)", "siprec.xml", "siprec",
        {"session_id": "c2Vzc2lvbi0wMDAwMDAyMw==", "started": STARTED, "ended": ENDED, "seconds": 146.0,
         "caller": "sip:+4790000023@sip.example.net;user=phone", "callee": "sip:+4721890000@pbx.example.com"},
    ),
    Vendor(
        "Verba", "verba.xml", "verba",
        {"session_id": "00000000-0000-11f0-8000-000000000024", "started": _precise(STARTED, 120),
         "ended": _precise(ENDED, 620), "seconds": 146.5, "direction": "incoming", "caller": "+4790000024",
         "callee": "+4721890000", "agent": "agent1042@example.com"},
    ),
    Vendor(
        "Genesys GIR", "genesys-gir.json", "genesys-gir",
        {"session_id": "EXAMPLE0000000000000000000000025", "started": STARTED, "ended": ENDED, "seconds": 146.523,
         "caller": "+4790000025", "callee": "+4721890000", "agent": "1042"},
    ),
    Vendor(
        "Genesys Cloud", "genesys-cloud.json", "genesys-cloud",
        {"session_id": "00000000-0000-4000-8000-000000000026", "started": _precise(STARTED, 120),
         "ended": _precise(ENDED, 620), "seconds": 146.5, "direction": "incoming", "caller": "tel:+4790000026",
         "callee": "tel:+4721890000", "agent": "00000000-0000-4000-8000-000000001042",
         "queue": "00000000-0000-4000-8000-0000000000a1"},
    ),
    Vendor(
        "Amazon Connect", "amazon-connect.json", "amazon-connect",
        {"session_id": "00000000-0000-4000-8000-000000000027", "started": STARTED, "ended": ENDED, "seconds": 146.0,
         "direction": "outgoing", "caller": "+4721890000", "callee": "+4790000027", "agent": "agent1042",
         "queue": "invoice_no", "consent": "given", "informed": True},
        # Contact attributes have the customer's own names.
        paths={"consent": "/Attributes/recordingConsent", "informed": "/Attributes/greetingPlayed"},
    ),
    Vendor(
        "RingCentral", "ringcentral.json", "ringcentral",
        {"session_id": "s-0000000000000000028", "started": STARTED, "ended": ENDED, "seconds": 146.0,
         "direction": "incoming", "caller": "+4790000028", "callee": "+4721890000", "agent": "1042"},
    ),
    Vendor(
        "Zoom Phone", "zoom-phone.json", "zoom-phone",
        {"session_id": "4711000000000000029", "started": STARTED, "ended": ENDED, "seconds": 146.0,
         "direction": "incoming", "caller": "90000029", "callee": "+4721890000", "agent": "Agent 1042"},
    ),
    Vendor(
        "vCon 0.4.0", "vcon.json", "vcon",
        {"session_id": "00000000-0000-8000-8000-000000000030", "started": STARTED, "ended": _precise(ENDED, 500),
         "seconds": 146.5, "caller": "tel:+4790000030", "callee": "tel:+4721890000", "agent": "Agent 1042",
         "queue": "invoice_no", "consent": "denied"},
    ),
    Vendor(
        "Bandwidth", "bandwidth.json", "generic",
        {"session_id": "c-00000000-0000-4000-8000-000000000031", "started": _precise(STARTED, 120),
         "ended": _precise(ENDED, 620), "seconds": 146.5, "direction": "incoming", "caller": "+4790000031",
         "callee": "+4721890000"},
    ),
    Vendor(
        "8x8", "8x8.json", None,
        # Its duration is in milliseconds and its name does not say so: it is left to start and end.
        {"session_id": "4711000000032", "started": STARTED, "ended": _precise(ENDED, 500), "seconds": 146.5,
         "direction": "incoming", "caller": "+4790000032", "callee": "+4721890000", "agent": "1042",
         "queue": "invoice_no"},
        paths={
            fact: f"/tags[key={key}]/value"
            for fact, key in (
                ("session_id", "callId"), ("started", "startTime"), ("ended", "endTime"), ("direction", "direction"),
                ("caller", "callerId"), ("callee", "calleeId"), ("agent", "agentId"), ("queue", "queueName"),
            )
        },
    ),
    Vendor(
        "NICE CXone", "nice-cxone.json", "generic",
        {"session_id": "471100000033", "started": _precise(STARTED, 120), "ended": _precise(ENDED, 620),
         "seconds": 146.5, "direction": "incoming", "caller": "90000033", "callee": "21890000", "agent": "1042",
         "queue": "77"},
        paths={"queue": "/skillId"},
    ),
)  # fmt: skip


def state(found: Found | None) -> str:
    """Return how a fact was found, for the table."""
    if found is None:
        return "-"
    if found.value is None:
        return "not converted"
    return "derived" if found.path in (FROM_TIMES, FROM_DURATION) else "found"


def rows() -> Iterator[tuple[str, ...]]:
    """Yield a row for each file."""
    for vendor in VENDORS:
        found = vendor.look_up()
        flags = ", ".join(f"`{flag}`" for flag in FLAG_MEMBERS if found[flag])
        read_by = [f"`{vendor.profile}`"] * bool(vendor.profile) + ["`metadata_paths`"] * bool(vendor.paths)
        yield (
            f"[{vendor.name}](../tests/samples/metadata/{vendor.file})", " and ".join(read_by),
            *(state(found[fact]) for fact in FACTS), flags or "-",
        )  # fmt: skip


def page(before: str) -> str:
    """Return docs/metadata.md with the table of the files."""
    return replace_part(
        before, "platforms", table(("file", "read by", *(f"`{fact}`" for fact in FACTS), "flags"), rows())
    )


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
