"""Routing, for every combination of settings and formats, against the documented table."""

from itertools import product

import pytest

from callseal.core.errors import HeldError, Reason
from callseal.core.landing import LandedFile
from callseal.delivery.routing import Route, find_routes, output_key
from callseal.tenants.settings import TenantSettings

PLAIN, SEALED = False, True
BY_METADATA = object()
# encrypt, only_encrypt_sftp -> SFTP recording, archive recording, SFTP XML, archive XML.
TABLE = {
    (False, False): (PLAIN, PLAIN, PLAIN, PLAIN),
    (False, True): (PLAIN, PLAIN, PLAIN, PLAIN),
    (True, False): (SEALED, SEALED, BY_METADATA, BY_METADATA),
    (True, True): (SEALED, PLAIN, BY_METADATA, PLAIN),
}
BOTH = (False, True)
FORMATS = [(), ("mp3",), ("wav",), ("wav", "mp3")]
ALL_SETTINGS = [
    TenantSettings(*values) for values in product(*[BOTH] * 5, FORMATS, ("authenveloped-gcm", "enveloped-cbc"))
]


def by_the_table(settings: TenantSettings, kind: str) -> list[Route]:
    row = TABLE[settings.encrypt, settings.only_encrypt_sftp]
    sftp, archive = (row[2], row[3]) if kind == "xml" else (row[0], row[1])
    cells = []
    if settings.deliver_to_archive and (kind == "xml" or kind in settings.archive_formats):
        cells.append(("archive", archive))
    if settings.deliver_to_sftp:
        cells.append(("sftp", sftp))
    return [Route(where, settings.encrypt_metadata if cell is BY_METADATA else bool(cell)) for where, cell in cells]


@pytest.mark.parametrize("kind", ["wav", "mp3", "xml"])
def test_every_combination_of_settings_follows_the_table(kind: str) -> None:
    assert len(ALL_SETTINGS) == 2**5 * 4 * 2
    for settings in ALL_SETTINGS:
        expected = by_the_table(settings, kind)
        if expected:
            assert list(find_routes(settings, LandedFile("acme", kind))) == expected, settings
        else:
            with pytest.raises(HeldError) as held:
                find_routes(settings, LandedFile("acme", kind))
            assert held.value.reason is Reason.NOTHING_TO_DELIVER


def test_the_archive_comes_before_sftp() -> None:
    routes = find_routes(TenantSettings(deliver_to_archive=True), LandedFile("acme", "mp3"))
    assert [way.destination for way in routes] == ["archive", "sftp"]


def test_tenant_does_not_affect_routes() -> None:
    settings = TenantSettings(deliver_to_archive=True)
    assert find_routes(settings, LandedFile("acme", "wav")) == find_routes(settings, LandedFile("other", "wav"))


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        (TenantSettings(deliver_to_sftp=False), "mp3"),
        (TenantSettings(deliver_to_sftp=False), "xml"),
        (TenantSettings(deliver_to_sftp=False, deliver_to_archive=True), "wav"),
        (TenantSettings(deliver_to_sftp=False, deliver_to_archive=True, archive_formats=()), "mp3"),
    ],
)
def test_file_without_a_destination_is_held_with_instructions(settings: TenantSettings, kind: str) -> None:
    with pytest.raises(HeldError, match=f"leave a {kind} file no destination. Turn deliver_to_sftp or") as held:
        find_routes(settings, LandedFile("acme", kind))
    assert held.value.reason is Reason.NOTHING_TO_DELIVER


def test_xml_goes_to_the_archive_with_any_archive_formats() -> None:
    settings = TenantSettings(deliver_to_sftp=False, deliver_to_archive=True, archive_formats=())
    assert find_routes(settings, LandedFile("acme", "xml")) == (Route("archive", sealed=True),)


@pytest.mark.parametrize(
    ("envelope", "key"), [(None, "acme/a/x.WAV"), ("cms", "acme/a/x.WAV.p7m"), ("openpgp", "acme/a/x.WAV.pgp")]
)
def test_output_has_the_landing_key_and_its_envelopes_suffix(envelope, key: str) -> None:  # type: ignore[no-untyped-def]
    assert output_key("acme/a/x.WAV", envelope) == key
