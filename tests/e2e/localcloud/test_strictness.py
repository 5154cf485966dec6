"""The local cloud rejects everything that it does not support in a sentence that names it; it ignores nothing."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.request import urlopen

import pytest

from localcloud import LocalCloud, TemplateError
from localcloud.moto_process import MotoProcess
from localcloud.resources import create_resources
from localcloud.resources.context import Context
from localcloud.stack import Stack
from localcloud.template import load_template
from tests.e2e.localcloud.support import TEMPLATE, Site, with_properties


@pytest.fixture(scope="module")
def shared_moto() -> Iterator[MotoProcess]:
    process = MotoProcess(0, "eu-north-1", lambda line: None)
    yield process
    process.close()


@pytest.fixture
def moto(shared_moto: MotoProcess) -> MotoProcess:
    urlopen(f"{shared_moto.endpoint_url}/moto-api/reset", data=b"").close()
    return shared_moto


def create(moto: MotoProcess, site: Site, template: Mapping[str, Any]) -> None:
    """Create a template's resources as LocalCloud does, on a server that the tests share."""
    translated = load_template(site.write(template), "eu-north-1")
    context = Context(Stack("tested", "eu-north-1", "123456789012"), moto.client, site.folder)
    create_resources(translated, context, {})


def rule(**properties: Any) -> dict[str, Any]:
    return {"Rule": {"Type": "AWS::Events::Rule", "Properties": properties}}


def bucket(**properties: Any) -> dict[str, Any]:
    return {"Bucket": {"Type": "AWS::S3::Bucket", "Properties": properties}}


TABLE = {
    "TableName": "register",
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [
        {"AttributeName": "tenant", "AttributeType": "S"},
        {"AttributeName": "fingerprint", "AttributeType": "S"},
    ],
    "KeySchema": [
        {"AttributeName": "tenant", "KeyType": "HASH"},
        {"AttributeName": "fingerprint", "KeyType": "RANGE"},
    ],
}


@pytest.mark.parametrize(
    ("resources", "sentence"),
    [
        ({"T": {"Type": "AWS::SNS::Topic", "Properties": {}}}, "type AWS::SNS::Topic of T"),
        (
            {"Q": {"Type": "AWS::SQS::Queue", "Properties": {"FifoQueue": True}}},
            r"property FifoQueue of Q \(AWS::SQS::Queue\)",
        ),
        (
            {"Q": {"Type": "AWS::SQS::Queue", "CreationPolicy": {}, "Properties": {}}},
            r"member CreationPolicy of Q \(AWS::SQS::Queue\)",
        ),
        (
            {"C": {"Type": "AWS::Lambda::EventInvokeConfig", "Properties": {"FunctionName": "x", "Qualifier": "1"}}},
            "x is not a function of this stack",
        ),
        (bucket(WebsiteConfiguration={}), "property WebsiteConfiguration of Bucket"),
        (
            bucket(LifecycleConfiguration={"Rules": [{"Status": "Enabled", "Transitions": []}]}),
            r"property LifecycleConfiguration.Rules\[0\].Transitions of Bucket",
        ),
        (
            bucket(NotificationConfiguration={"LambdaConfigurations": []}),
            "property NotificationConfiguration.LambdaConfigurations of Bucket",
        ),
        (
            {"T": {"Type": "AWS::DynamoDB::Table", "Properties": TABLE | {"LocalSecondaryIndexes": []}}},
            r"property LocalSecondaryIndexes of T \(AWS::DynamoDB::Table\)",
        ),
        (
            {"T": {"Type": "AWS::DynamoDB::Table", "Properties": TABLE | {"SSESpecification": {"SSEKind": "KMS"}}}},
            "property SSESpecification.SSEKind of T",
        ),
        ({"K": {"Type": "AWS::KMS::Key", "Properties": {"MultiRegion": True}}}, "property MultiRegion of K"),
        ({"L": {"Type": "AWS::Logs::LogGroup", "Properties": {"Tags": []}}}, "property Tags of L"),
        (rule(ScheduleExpression="cron(0 0 * * ? *)"), r"Rule: .* schedule cron"),
        (rule(EventPattern={"a": [{"cidr": "::1"}]}), "Rule .*: .*operator cidr"),
        (
            rule(EventPattern={"source": ["x"]}, Targets=[{"Id": "T", "Arn": "arn:aws:sns:r:1:topic"}]),
            "Rule: .* target arn:aws:sns",
        ),
        (
            rule(EventPattern={"source": ["x"]}, Targets=[{"Id": "T", "Arn": "arn:aws:sqs:r:1:q", "InputPath": "$"}]),
            r"property Targets\[0\].InputPath of Rule",
        ),
        (
            {
                "Queue": {"Type": "AWS::SQS::Queue"},
                "A": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Fn::Transform": "x"}}},
            },
            r"A \(AWS::SQS::Queue\): .* intrinsic function Fn::Transform",
        ),
        (bucket(BucketName="No_Such_Name_Is_Legal!"), "Bucket .* refused by moto"),
    ],
)
def test_unknown_resource_or_property_fails(
    moto: MotoProcess, site: Site, resources: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(TemplateError, match=sentence):
        create(moto, site, {**TEMPLATE, "Resources": resources, "Outputs": {}})


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"CodeUri": "nowhere"}, "Worker: its folder nowhere does not exist"),
        ({"ReservedConcurrentExecutions": 3}, "property ReservedConcurrentExecutions of Worker"),
        ({"NoSuchProperty": 3}, "template.yaml cannot be translated: .*NoSuchProperty"),
    ],
)
def test_unknown_property_of_a_function_fails(
    moto: MotoProcess, site: Site, changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(TemplateError, match=sentence):
        create(moto, site, with_properties("Worker", **changes))


def test_rule_of_another_bus_that_invokes_a_function_fails(site: Site) -> None:
    target = {"Id": "T", "Arn": {"Fn::GetAtt": ["Worker", "Arn"]}}
    properties = {"EventBusName": {"Ref": "Bus"}, "EventPattern": {"source": ["x"]}, "Targets": [target]}
    resources = TEMPLATE["Resources"] | {
        "Bus": {"Type": "AWS::Events::EventBus", "Properties": {"Name": "own"}},
        "Rule": {"Type": "AWS::Events::Rule", "Properties": properties},
    }
    with pytest.raises(TemplateError, match=r"Rule: .*default bus only"), site.cloud(resources):
        pytest.fail("the local cloud started")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("Resources: [", "cannot be read"),
        ("just a text", "it has no Resources"),
        ("Resources: 7", "it has no Resources"),
    ],
)
def test_unreadable_template_fails(site: Site, text: str, sentence: str) -> None:
    path = site.folder / "broken.yaml"
    path.write_text(text, encoding="utf-8")
    with (
        pytest.raises(TemplateError, match=f"broken.yaml .*{sentence}"),
        LocalCloud(state_dir=site.state, template=path),
    ):
        pytest.fail("the local cloud started")


def test_missing_template_fails(site: Site) -> None:
    with (
        pytest.raises(TemplateError, match="cannot be read"),
        LocalCloud(state_dir=site.state, template=site.folder / "none.yaml"),
    ):
        pytest.fail("the local cloud started")


def test_resource_without_its_condition_is_not_created(site: Site) -> None:
    template = {
        "Conditions": {"Never": {"Fn::Equals": ["a", "b"]}},
        "Resources": {
            "Bucket": {"Type": "AWS::S3::Bucket", "Condition": "Never", "Properties": {"BucketName": "never"}},
            "Other": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "always"}},
        },
        "Outputs": {"Name": {"Condition": "Never", "Value": {"Ref": "Bucket"}}},
    }
    with site.cloud_from(template) as cloud:
        assert [one["Name"] for one in cloud.client("s3").list_buckets()["Buckets"]] == ["always"]
        assert cloud.outputs == {}


def test_only_unconditional_statements_of_a_bucket_policy_apply(site: Site) -> None:
    deny = {"Effect": "Deny", "Principal": "*", "Resource": "arn:aws:s3:::guarded/*"}
    condition = {"Bool": {"aws:SecureTransport": "false"}}
    statements = [
        {**deny, "Sid": "Always", "Action": "s3:DeleteObject"},
        {**deny, "Sid": "Sometimes", "Action": "s3:PutObject", "Condition": condition},
    ]
    document = {"Version": "2012-10-17", "Statement": statements}
    policy = {"Type": "AWS::S3::BucketPolicy", "Properties": {"Bucket": {"Ref": "Bucket"}, "PolicyDocument": document}}
    with site.cloud({**bucket(BucketName="guarded"), "Policy": policy}) as cloud:
        s3 = cloud.client("s3")
        s3.put_object(Bucket="guarded", Key="k", Body=b"x")
        with pytest.raises(s3.exceptions.ClientError, match="Forbidden"):
            s3.delete_object(Bucket="guarded", Key="k")
        assert [one.what for one in cloud.left_out] == ["Policy.PolicyDocument.Sometimes"]


def test_bucket_is_created_in_us_east_1(site: Site) -> None:
    with site.cloud(bucket(BucketName="there"), region="us-east-1") as cloud:
        assert cloud.client("s3").get_bucket_location(Bucket="there")["LocationConstraint"] is None
