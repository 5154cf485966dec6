"""KMS keys and aliases."""

import json

from localcloud.properties import Properties
from localcloud.resources.context import Context, Reference


def make_key(context: Context, properties: Properties) -> Reference:
    """Create a key with its policy."""
    kms = context.client("kms")
    names = ("Description", "KeyUsage", "KeySpec")
    policy = properties.take("KeyPolicy")
    options = {"Policy": json.dumps(policy)} if policy else {}
    metadata = kms.create_key(**properties.renamed({name: name for name in names}), **options)["KeyMetadata"]
    if properties.take("EnableKeyRotation", False):
        kms.enable_key_rotation(KeyId=metadata["KeyId"])
    properties.leave_out("PendingWindowInDays", "the local cloud deletes no key")
    return Reference(metadata["KeyId"], {"Arn": metadata["Arn"], "KeyId": metadata["KeyId"]})


def make_alias(context: Context, properties: Properties) -> Reference:
    """Create a key's alias."""
    name, key = properties.require("AliasName"), properties.require("TargetKeyId")
    context.client("kms").create_alias(AliasName=name, TargetKeyId=key)
    return Reference(name)
