"""A key's fingerprint must be compared before the key is stored: a script passes it, or nothing is written.

On a terminal the command asks for it: test_flow.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.cli.conftest import Operator
from tests.support.keys import openpgp_tenant, x509_tenant

COMMANDS = {
    "tenants add": lambda path: ("tenants", "add", "acme", "--key", path),
    "keys put": lambda path: ("keys", "put", "acme", path),
}
EACH = pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)


def untouched(operator: Operator) -> bool:
    return operator.json("tenants", "list") == {"tenants": []}


@EACH
def test_without_a_terminal_a_key_is_put_only_with_its_fingerprint(operator: Operator, command: object) -> None:
    assert callable(command)
    key = x509_tenant()
    sentence = operator.refused(*command(key.certificate))
    assert f"--fingerprint {key.fingerprint}" in sentence
    assert "another channel" in sentence
    assert untouched(operator)
    assert operator(*command(key.certificate), "--fingerprint", key.fingerprint).code == 0


@EACH
def test_another_fingerprint_is_refused(operator: Operator, command: object) -> None:
    assert callable(command)
    key, other = x509_tenant(), x509_tenant("p256")
    for given in (other.fingerprint, key.fingerprint[:-1], key.fingerprint[-16:], ""):
        sentence = operator.refused(*command(key.certificate), "--fingerprint", given)
        assert key.fingerprint in sentence
        assert untouched(operator)


def test_every_key_of_several_must_be_named(operator: Operator, tmp_path: Path) -> None:
    first, second = x509_tenant(), x509_tenant("p256")
    (tmp_path / "two.pem").write_text(first.public_text + second.public_text)
    command = ("keys", "put", "acme", tmp_path / "two.pem", "--fingerprint", first.fingerprint)
    operator.refused(*command)
    assert untouched(operator)
    assert operator(*command, "--fingerprint", second.fingerprint).code == 0


def test_openpgp_key_is_compared_by_its_primary_fingerprint(operator: Operator, tmp_path: Path) -> None:
    key = openpgp_tenant("cv25519")
    (tmp_path / "key.asc").write_text(key.public_text)
    shown = " ".join(key.fingerprint[at : at + 4] for at in range(0, 40, 4)).lower()
    put = operator.json("keys", "put", "acme", tmp_path / "key.asc", "--fingerprint", shown)
    assert put["keys"][0]["fingerprint"] == key.fingerprint
    assert len(put["keys"][0]["subkey"]) == 40


def test_new_tenant_must_prove_its_keys_unless_the_operator_disables_it(operator: Operator) -> None:
    assert operator.json("tenants", "add", "acme")["settings"]["require_key_proof"] is True
    trusting = operator.json("tenants", "add", "beta", "--set", "require_key_proof=false")
    assert trusting["settings"]["require_key_proof"] is False
