"""Routing: which destinations a file goes to, sealed or plain. A pure function of settings and file."""

from dataclasses import dataclass
from typing import Literal

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


def find_routes(settings: TenantSettings, file: LandedFile) -> tuple[Route, ...]:
    """Return a file's destinations in the order of their commits. Raise HeldError `NothingToDeliver` if it has none.

    The archive comes first and SFTP last, so that everything else is complete when the tenant sees the file.
    """
    routes = []
    if settings.deliver_to_archive and (file.is_metadata or file.format in settings.archive_formats):
        routes.append(Route("archive", _seals(settings, file) and not settings.only_encrypt_sftp))
    if settings.deliver_to_sftp:
        routes.append(Route("sftp", _seals(settings, file)))
    if not routes:
        raise HeldError(
            Reason.NOTHING_TO_DELIVER,
            f"The tenant's settings leave a {file.format} file no destination. Turn deliver_to_sftp or "
            "deliver_to_archive on, or add its format to archive_formats.",
        )
    return tuple(routes)


def output_key(landing_key: str, envelope: Envelope | None) -> str:
    """Return the key of an output: the landing key, plus the envelope's suffix if the output is sealed."""
    return landing_key + (ENVELOPES[envelope].suffix if envelope else "")


def _seals(settings: TenantSettings, file: LandedFile) -> bool:
    return settings.encrypt and (settings.encrypt_metadata or not file.is_metadata)
