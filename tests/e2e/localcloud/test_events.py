"""Event patterns match as EventBridge's do."""

from typing import Any

import pytest

from localcloud import TemplateError
from localcloud.events import Pattern, native_event

EVENT: dict[str, Any] = {
    "source": "aws.ssm",
    "detail": {"name": "/stack/Tenants/a.json", "count": 7, "flag": True, "none": None, "tags": ["red", "blue"]},
}


def matches(name: str, *alternatives: Any) -> bool:
    return Pattern({"detail": {name: list(alternatives)}}).matches(EVENT)


@pytest.mark.parametrize(
    ("name", "alternative"),
    [
        ("name", "/stack/Tenants/a.json"),
        ("name", {"prefix": "/stack/"}),
        ("name", {"suffix": ".json"}),
        ("name", {"prefix": {"equals-ignore-case": "/STACK/"}}),
        ("name", {"equals-ignore-case": "/STACK/tenants/A.json"}),
        ("name", {"wildcard": "/stack/*/a.*"}),
        ("name", {"anything-but": "/other"}),
        ("name", {"anything-but": ["/other", "/more"]}),
        ("name", {"anything-but": {"prefix": "/other"}}),
        ("name", {"anything-but": {"suffix": [".xml", ".txt"]}}),
        ("name", {"exists": True}),
        ("missing", {"exists": False}),
        ("count", 7),
        ("count", {"numeric": ["=", 7]}),
        ("count", {"numeric": [">", 0, "<=", 7]}),
        ("count", {"anything-but": 8}),
        ("flag", True),
        ("none", None),
        ("tags", "blue"),
    ],
)
def test_pattern_matches(name: str, alternative: Any) -> None:
    assert matches(name, alternative)
    assert matches(name, "something else", alternative), "one alternative is enough"


@pytest.mark.parametrize(
    ("name", "alternative"),
    [
        ("name", "/stack/Tenants"),
        ("name", {"prefix": "/STACK/"}),
        ("name", {"suffix": ".xml"}),
        ("name", {"equals-ignore-case": "/stack"}),
        ("name", {"wildcard": "/stack/*/b.*"}),
        ("name", {"wildcard": "stack*"}),
        ("name", {"anything-but": "/stack/Tenants/a.json"}),
        ("name", {"anything-but": {"prefix": "/stack"}}),
        ("name", {"anything-but": {"suffix": [".xml", ".json"]}}),
        ("name", {"exists": False}),
        ("name", {"numeric": [">", 0]}),
        ("missing", {"exists": True}),
        ("missing", {"anything-but": "x"}),
        ("missing", None),
        ("count", {"numeric": [">", 0, "<", 7]}),
        ("count", {"prefix": "7"}),
        ("count", "7"),
        ("count", True),
        ("flag", 1),
        ("flag", {"numeric": ["=", 1]}),
        ("tags", "green"),
    ],
)
def test_pattern_does_not_match(name: str, alternative: Any) -> None:
    assert not matches(name, alternative)


def test_every_field_must_match() -> None:
    assert Pattern({"source": ["aws.ssm"], "detail": {"count": [7]}}).matches(EVENT)
    assert not Pattern({"source": ["aws.ssm"], "detail": {"count": [8]}}).matches(EVENT)
    assert not Pattern({"source": ["aws.s3"], "detail": {"count": [7]}}).matches(EVENT)


def test_nested_pattern_does_not_match_when_the_object_is_missing() -> None:
    assert not Pattern({"detail": {"inner": {"name": ["x"]}}}).matches(EVENT)
    assert not Pattern({"source": {"name": ["x"]}}).matches(EVENT)


@pytest.mark.parametrize(
    ("pattern", "sentence"),
    [
        ({"a": [{"cidr": "10.0.0.0/8"}]}, "does not know the event pattern operator cidr"),
        ({"$or": [{"a": ["x"]}]}, r"does not know the event pattern operator \$or"),
        ({"a": "x"}, "a must be a list"),
        ({"a": {"b": []}}, "a.b must be a list"),
        ({"a": {}}, "must be an object with members at a"),
        ({}, "must be an object with members"),
        ({"a": [{"prefix": "x", "suffix": "y"}]}, "one operator in each object"),
        ({"a": [{"prefix": 7}]}, "operator prefix .* cannot take 7"),
        ({"a": [{"numeric": ["~", 7]}]}, "operator numeric"),
        ({"a": [{"numeric": [">"]}]}, "operator numeric"),
        ({"a": [{"exists": "yes"}]}, "operator exists"),
        ({"a": [{"anything-but": {"numeric": [">", 0]}}]}, "operator anything-but"),
    ],
)
def test_wrong_pattern_fails_when_it_is_read(pattern: dict[str, Any], sentence: str) -> None:
    with pytest.raises(TemplateError, match=sentence):
        Pattern(pattern)


def test_native_event_has_the_whole_envelope() -> None:
    event = native_event("111122223333", "eu-north-1", "aws.ssm", "Parameter Store Change", {"name": "n"}, ["arn"])
    assert set(event) == {
        "version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail",
    }  # fmt: skip
    assert event["version"] == "0"
    assert event["account"] == "111122223333"
    assert event["resources"] == ["arn"]
    assert event["detail"] == {"name": "n"}
    assert event["time"].endswith("Z")
