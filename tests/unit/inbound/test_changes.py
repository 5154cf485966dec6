"""Changes of tenants' secrets and parameters: which tenant an event is about."""

import pytest

from callseal.inbound.changes import changed_tenant
from callseal.tenants.names import (
    key_secret,
    settings_parameter,
    sftp_keys_secret,
    tenant_of_parameter,
    tenant_of_secret,
)

PREFIX = "callseal/tenants"


@pytest.mark.parametrize(
    ("event", "tenant"),
    [
        ({"detail": {"name": key_secret(PREFIX, "acme")}}, "acme"),
        ({"detail": {"name": settings_parameter(PREFIX, "acme")}}, "acme"),
        ({"tenant": "acme"}, "acme"),
        # Not a change of a key or of settings.
        ({"detail": {"name": sftp_keys_secret(PREFIX, "acme")}}, ""),
        ({"detail": {"name": "other/tenants/acme/public-key"}}, ""),
        ({"detail": {"name": "callseal/tenants/acme/public-key/more"}}, ""),
        ({"detail": {"name": "callseal/tenants/acme/more/public-key"}}, ""),
        ({"detail": {"name": "callseal/tenants/public-key"}}, ""),
        ({"detail": {"name": "callseal/tenants//public-key"}}, ""),
        ({"detail": {"name": "/callseal/tenants/settings"}}, ""),
        ({"tenant": "ACME"}, ""),
        ({"tenant": 7}, ""),
        # All tenants.
        ({}, None),
        ({"detail": None}, None),
        ({"detail": {}}, None),
        ({"detail": {"name": 7}}, None),
        ({"detail": {"name": ""}}, None),
    ],
)
def test_an_event_names_its_tenant(event: dict[str, object], tenant: str | None) -> None:
    assert changed_tenant(event, PREFIX) == tenant


def test_a_secret_is_no_parameter() -> None:
    assert tenant_of_secret(settings_parameter(PREFIX, "acme"), PREFIX) is None
    assert tenant_of_parameter(key_secret(PREFIX, "acme"), PREFIX) is None
