"""The public half of the stack's proof key, in each tenant's SFTP area: `<tenant>/proof/keys/<key id>.pem`."""

from __future__ import annotations

from base64 import encodebytes
from contextlib import suppress
from typing import TYPE_CHECKING

from callseal.aws.calls import calling
from callseal.core.errors import OutputExistsError
from callseal.core.stored import tagging

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from callseal.aws.sign_key import SignKey

FOLDER = "proof/keys"
PEM_TYPE = "application/x-pem-file"


def put_public_key(s3: S3Client, bucket: str, tenant: str, key: SignKey) -> None:
    """Put the key into a tenant's area, unless it is there."""
    lines = encodebytes(key.public).decode().replace("\n", "")
    folded = "\n".join(lines[first : first + 64] for first in range(0, len(lines), 64))
    pem = f"-----BEGIN PUBLIC KEY-----\n{folded}\n-----END PUBLIC KEY-----\n"
    with suppress(OutputExistsError), calling("Putting the proof key", on_412=OutputExistsError):
        s3.put_object(
            Bucket=bucket,
            Key=f"{tenant}/{FOLDER}/{key.id}.pem",
            Body=pem.encode(),
            ContentType=PEM_TYPE,
            IfNoneMatch="*",
            Tagging=tagging("proof"),
        )
