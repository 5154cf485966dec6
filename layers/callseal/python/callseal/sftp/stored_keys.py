"""A tenant's SFTP keys in Secrets Manager, read at each login."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from callseal.aws.calls import calling
from callseal.core.errors import CallsealError
from callseal.tenants.names import sftp_keys_secret

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


class NoSftpKeysError(CallsealError):
    """The tenant has no secret with SFTP keys, or the secret is marked for deletion."""


@dataclass(frozen=True, slots=True)
class KeysText:
    """The text of the secret, and the id of its version."""

    text: str
    version: str


class SftpKeys:
    """Reads the secrets `<prefix>/<tenant>/sftp-keys`."""

    def __init__(self, secrets: SecretsManagerClient, prefix: str) -> None:
        """Take the client and the prefix of the secrets' names, `<stack>/tenants`."""
        self._secrets, self._prefix = secrets, prefix

    def read(self, tenant: str) -> KeysText:
        """Return a tenant's keys. Raise NoSftpKeysError, or TransientError if the read failed."""
        # InvalidRequestException is the answer for a secret that is marked for deletion.
        gone = {"on_ResourceNotFoundException": NoSftpKeysError, "on_InvalidRequestException": NoSftpKeysError}
        with calling("Reading the tenant's SFTP keys", **gone):
            secret = self._secrets.get_secret_value(
                SecretId=sftp_keys_secret(self._prefix, tenant), VersionStage="AWSCURRENT"
            )
        # A binary secret is not an authorized_keys file: it counts as an empty text without keys.
        return KeysText(secret.get("SecretString", ""), secret["VersionId"])
