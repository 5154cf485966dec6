"""Routing: which destinations a file goes to, sealed or plain. A pure function of settings and file."""

from dataclasses import dataclass
from typing import Literal

from callseal.calls.decisions import Outcome
from callseal.core.errors import HeldError, Reason
from callseal.core.formats import ENVELOPES, Envelope
from callseal.core.landing import LandedFile
from callseal.tenants.settings import TenantSettings

Destination = Literal["archive", "sftp"]


@dataclass(frozen=True, slots=True)
class Route:
    """One destination of a file, and whether the file goes there sealed."""

    destination: Destination
    sealed: bool


def find_routes(settings: TenantSettings, file: LandedFile, outcome: Outcome | None = None) -> tuple[Route, ...]:
    """Return a file's destinations in the order of their commits. Raise HeldError `NothingToDeliver` if it has none.

    `outcome` is what the tenant's policy decides about the call: a restricted or sensitive call is sealed in the
    archive although the settings say plain, and a call may be kept out of the archive. The archive comes first and SFTP
    last, so that everything else is complete when the tenant sees the file.
    """
    routes = []
    is_archived = settings.deliver_to_archive and (outcome is None or outcome.archive)
    if is_archived and (file.is_metadata or file.format in settings.archive_formats):
        must_seal = outcome is not None and outcome.needs_sealed_archive
        seals = must_seal or (settings.encrypt and not settings.only_encrypt_sftp)
        routes.append(Route("archive", seals and _seals_format(settings, file)))
    if settings.deliver_to_sftp:
        routes.append(Route("sftp", settings.encrypt and _seals_format(settings, file)))
    if not routes:
        raise HeldError(
            Reason.NOTHING_TO_DELIVER,
            f"The tenant's settings leave a {file.format} file no destination. Turn deliver_to_sftp or "
            "deliver_to_archive on, or add its format to archive_formats."
            + (" The policy keeps the call out of the archive." if outcome and not outcome.archive else ""),
        )
    return tuple(routes)


def output_key(landing_key: str, envelope: Envelope | None) -> str:
    """Return the key of an output: the landing key, plus the envelope's suffix if the output is sealed."""
    return landing_key + (ENVELOPES[envelope].suffix if envelope else "")


def _seals_format(settings: TenantSettings, file: LandedFile) -> bool:
    """Return whether a file is sealed where a recording is."""
    return settings.encrypt_metadata or not file.is_metadata
