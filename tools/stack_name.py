"""Check the stack's name: the names of the buckets begin with it, and S3 accepts at most 63 lower-case characters.

CloudFormation would fail at the first bucket, with half of the stack created, and a template cannot check the name.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
"""

from __future__ import annotations

import re

LONGEST_BUCKET_NAME = 63
ACCOUNT = "123456789012"
BUCKETS = re.compile(r"^ +BucketName: !Sub \$\{AWS::StackName\}(\S+)$", re.MULTILINE)
STACK_NAME = re.compile(r"[a-z][a-z0-9-]*")


def longest(template: str, region: str) -> int:
    """Return how many characters a stack's name may have in a region, from the bucket names in the template's text."""
    names = [
        name.replace("${AWS::AccountId}", ACCOUNT).replace("${AWS::Region}", region)
        for name in BUCKETS.findall(template)
    ]
    return LONGEST_BUCKET_NAME - max(map(len, names))


def problem_of(name: str, template: str, region: str) -> str | None:
    """Return what is wrong with a stack's name and what to do, or None if it can be used."""
    if not STACK_NAME.fullmatch(name):
        return (
            f"the stack's name {name} begins the names of its buckets, which may have only a-z, 0-9 and '-'. Choose a"
            " stack_name of these that begins with a letter."
        )
    most = longest(template, region)
    if len(name) > most:
        return (
            f"the stack's name {name} has {len(name)} characters, and may have {most} in {region}, because its longest"
            f" bucket name would exceed {LONGEST_BUCKET_NAME}. Choose a shorter stack_name."
        )
    return None
