"""Presets: valid policies with their sources, which are copied and never applied."""

from __future__ import annotations

import json
import re
from datetime import date

import pytest

from callseal.calls.facts import Facts, Flags
from callseal.calls.policy import judge, parse_policy
from callseal.calls.presets import DISCLAIMER, Preset, presets
from callseal.core.errors import Reason
from tests.unit.calls.policies import country_of

PRESETS = presets()


def of(name: str) -> Preset:
    return next(preset for preset in PRESETS if preset.name == name)


def test_there_is_one_for_each_country_and_law() -> None:
    names = {"no", "de", "dk", "se", "gb", "us-one-party", "us-ca-all-party", "eu-mifid-orders", "pci-cards"}
    assert {preset.name for preset in PRESETS} == names
    assert DISCLAIMER.startswith("This is no legal advice.")


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_preset_has_its_sources_and_a_valid_policy(preset: Preset) -> None:
    policy = parse_policy(json.dumps(preset.policy))
    assert policy.rules
    assert date.fromisoformat(preset.date) <= date(2100, 1, 1)
    assert preset.title and preset.summary.endswith(".")
    assert preset.source
    for source in preset.source:
        assert set(source) == {"text", "url"}
        assert re.fullmatch(r"https://[a-z.-]+/\S*", source["url"])
    # No preset locks anything irrevocably before a person has decided it.
    assert all(class_.lock != "compliance" for class_ in policy.classes.values())
    assert all(class_.delete_after and class_.basis for class_ in policy.classes.values())
    assert judge(policy, Facts(flags=Flags(denied=True)), country_of).held is Reason.RECORDING_DENIED


@pytest.mark.parametrize("name", ["de", "dk", "us-ca-all-party"])
def test_consent_of_everybody_is_required(name: str) -> None:
    policy = parse_policy(json.dumps(of(name).policy))
    given = Facts(flags=Flags(consent="given", agent_accepted=True))
    assert judge(policy, Facts(flags=Flags(agent_accepted=True)), country_of).held is Reason.CONSENT_MISSING
    assert judge(policy, given, country_of).held is None
    assert judge(parse_policy(json.dumps(of("us-one-party").policy)), Facts(), country_of).held is None


def test_orders_are_kept_though_the_client_refuses() -> None:
    policy = parse_policy(json.dumps(of("eu-mifid-orders").policy))
    outcome = judge(policy, Facts(queue="trading-oslo", flags=Flags(denied=True)), country_of)
    assert (outcome.class_, outcome.denied, outcome.restricted, outcome.held) == ("orders", True, True, None)


def test_card_data_stays_out_of_the_archive() -> None:
    policy = parse_policy(json.dumps(of("pci-cards").policy))
    assert judge(policy, Facts(queue="payment-1"), country_of).held is Reason.RECORDING_DENIED
    paused = judge(policy, Facts(queue="payment-1", flags=Flags(paused=True)), country_of)
    assert (paused.held, paused.archive, paused.sensitive) == (None, False, True)
