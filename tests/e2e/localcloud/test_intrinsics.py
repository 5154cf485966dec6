"""Intrinsic functions, parameters and conditions resolve as in CloudFormation, and fail loudly beyond that."""

from typing import Any

import pytest

from localcloud import TemplateError
from localcloud.intrinsics import Resolver, creation_order

TEMPLATE: dict[str, Any] = {
    "Mappings": {"Spans": {"7": {"Hours": 168}}},
    "Parameters": {
        "Days": {"Type": "Number", "Default": 7, "MinValue": 1, "MaxValue": 365},
        "Level": {"Type": "String", "Default": "INFO", "AllowedValues": ["INFO", "DEBUG"]},
        "Topic": {"Type": "String", "Default": ""},
        "Zones": {"Type": "CommaDelimitedList", "Default": "a, b"},
    },
    "Conditions": {
        "HasTopic": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Topic"}, ""]}]},
        "NoTopic": {"Fn::Not": [{"Condition": "HasTopic"}]},
        "Both": {"Fn::And": [{"Condition": "HasTopic"}, {"Fn::Equals": [{"Ref": "Days"}, "7"]}]},
        "Either": {"Fn::Or": [{"Condition": "HasTopic"}, {"Fn::Equals": [{"Ref": "Days"}, "7"]}]},
    },
}


def resolver(template: dict[str, Any] = TEMPLATE, **overrides: Any) -> Resolver:
    made = Resolver(template, {"AWS::Region": "eu-north-1", "AWS::StackName": "stack"}, overrides)
    made.learn("Bucket", "my-bucket", {"Arn": "arn:aws:s3:::my-bucket"})
    return made


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain", "plain"),
        ({"Ref": "AWS::Region"}, "eu-north-1"),
        ({"Ref": "Days"}, 7),
        ({"Ref": "Zones"}, ["a", "b"]),
        ({"Ref": "Bucket"}, "my-bucket"),
        ({"Fn::GetAtt": ["Bucket", "Arn"]}, "arn:aws:s3:::my-bucket"),
        ({"Fn::GetAtt": "Bucket.Arn"}, "arn:aws:s3:::my-bucket"),
        ({"Fn::Sub": "${AWS::StackName}-${Bucket}/${Bucket.Arn}"}, "stack-my-bucket/arn:aws:s3:::my-bucket"),
        ({"Fn::Sub": "${!Literal} ${Days}"}, "${Literal} 7"),
        ({"Fn::Sub": ["${Name}-${Level}", {"Name": {"Ref": "Bucket"}}]}, "my-bucket-INFO"),
        ({"Fn::Join": ["-", ["a", {"Ref": "Days"}, "b"]]}, "a-7-b"),
        ({"Fn::Select": ["1", {"Ref": "Zones"}]}, "b"),
        ({"Fn::Split": [":", {"Fn::GetAtt": ["Bucket", "Arn"]}]}, ["arn", "aws", "s3", "", "", "my-bucket"]),
        ({"Fn::FindInMap": ["Spans", {"Ref": "Days"}, "Hours"]}, 168),
        ({"Fn::If": ["HasTopic", {"Ref": "Nothing"}, "without"]}, "without"),
        ({"Ref": "AWS::NoValue"}, None),
        ({"a": {"Ref": "AWS::NoValue"}, "b": [1, {"Fn::If": ["HasTopic", 2, {"Ref": "AWS::NoValue"}]}]}, {"b": [1]}),
    ],
)
def test_value_resolves(value: Any, expected: Any) -> None:
    assert resolver().resolve(value) == expected


@pytest.mark.parametrize(
    ("name", "without_topic", "with_topic"),
    [
        ("HasTopic", False, True),
        ("NoTopic", True, False),
        ("Both", False, True),
        ("Either", True, True),
    ],
)
def test_condition_holds(name: str, without_topic: bool, with_topic: bool) -> None:
    assert resolver().condition(name) is without_topic
    assert resolver(Topic="arn:topic").condition(name) is with_topic


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ({"Fn::FindInMap": ["Spans", "8", "Hours"]}, "Fn::FindInMap finds no 8, Hours in the mapping Spans"),
        ({"Fn::ImportValue": "x"}, "does not know the intrinsic function Fn::ImportValue"),
        ({"Ref": "Nothing"}, "Ref names Nothing"),
        ({"Fn::GetAtt": ["Nothing", "Arn"]}, "Fn::GetAtt names Nothing"),
        ({"Fn::GetAtt": ["Bucket", "Size"]}, "asks Bucket for Size"),
        ({"Fn::Sub": "${Nothing}"}, "Ref names Nothing"),
        ({"Fn::Select": [2, ["a", "b"]]}, "item 2 of a list of 2"),
        ({"Fn::If": ["Nothing", 1, 2]}, "no condition Nothing"),
        ({"Fn::Not": ["perhaps"]}, "true or false"),
        ({"Fn::And": [True]}, "2 to 10"),
        ({"Ref": "Bucket", "Other": 1}, "must be the only one"),
    ],
)
def test_value_fails_in_a_sentence(value: Any, sentence: str) -> None:
    with pytest.raises(TemplateError, match=sentence):
        resolver().resolve(value)


def test_override_replaces_the_default() -> None:
    assert resolver(Days="30", Level="DEBUG").resolve({"Fn::Sub": "${Days} ${Level}"}) == "30 DEBUG"


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        ({"Missing": "1"}, "no parameter Missing"),
        ({"Days": "0"}, "from 1 to 365"),
        ({"Days": "366"}, "from 1 to 365"),
        ({"Days": "many"}, "must be a number"),
        ({"Level": "LOUD"}, "one of INFO, DEBUG"),
    ],
)
def test_override_fails_beyond_its_limits(overrides: dict[str, Any], sentence: str) -> None:
    with pytest.raises(TemplateError, match=sentence):
        resolver(**overrides)


@pytest.mark.parametrize(
    ("parameter", "sentence"),
    [({"Type": "String"}, "no default"), ({"Type": "AWS::EC2::VPC::Id", "Default": "x"}, "AWS::EC2::VPC::Id")],
)
def test_parameter_fails_when_it_cannot_be_given_a_value(parameter: dict[str, str], sentence: str) -> None:
    with pytest.raises(TemplateError, match=sentence):
        resolver({"Parameters": {"P": parameter}})


def test_order_puts_each_resource_after_what_it_needs() -> None:
    order = creation_order(
        {
            "A": {"Properties": {"X": {"Fn::Sub": "${B}-${AWS::Region}-${!C}"}}},
            "B": {"Properties": {"X": [{"Fn::GetAtt": ["C", "Arn"]}]}, "DependsOn": "D"},
            "C": {"Properties": {"X": {"Fn::Sub": ["${E.Arn} ${A}", {"A": "own"}]}}},
            "D": {},
            "E": {"Properties": {"X": {"Fn::If": ["Some", {"Ref": "D"}, 1]}}},
        }
    )
    position = {name: order.index(name) for name in order}
    assert sorted(order) == ["A", "B", "C", "D", "E"]
    assert position["D"] < position["E"] < position["C"] < position["B"] < position["A"]


def test_order_fails_on_a_cycle() -> None:
    with pytest.raises(TemplateError, match="cycle"):
        creation_order({"A": {"Properties": {"X": {"Ref": "B"}}}, "B": {"DependsOn": ["A"]}})


def test_order_fails_on_a_dependency_that_is_missing() -> None:
    with pytest.raises(TemplateError, match="A depends on B"):
        creation_order({"A": {"DependsOn": "B"}})
