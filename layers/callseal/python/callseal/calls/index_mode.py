"""Whether and how a tenant's calls are indexed, by its setting `call_index`."""

from __future__ import annotations

from typing import Literal, cast

from callseal.tenants.settings import TenantSettings

IndexMode = Literal["off", "blind", "plain"]


def index_mode(settings: TenantSettings, has_policy: bool) -> IndexMode:
    """Return what a tenant's cards hold.

    `auto` is `off` for a tenant without archive and without policy. Otherwise it is `plain` if the metadata is plain in
    the archive, and `blind` if it is sealed there. Without an archive, the metadata by SFTP decides.
    """
    if settings.call_index != "auto":
        return cast("IndexMode", settings.call_index)
    if not settings.deliver_to_archive and not has_policy:
        return "off"
    is_archive_plain = settings.deliver_to_archive and settings.only_encrypt_sftp
    return "blind" if settings.encrypt and settings.encrypt_metadata and not is_archive_plain else "plain"
