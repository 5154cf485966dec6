"""A tenant's SFTP keys, as they stand in Secrets Manager at this moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from callseal.aws.calls import calling
from callseal.core.errors import CallsealError
from callseal.tenants.names import sftp_keys_secret

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


class NoSftpKeysError(CallsealError):
    """The tenant has no secret with SFTP keys: nobody has let it in."""


@dataclass(frozen=True, slots=True)
class KeysText:
    """The text of the secret, and the version that it stands in."""

    text: str
    version: str


class SftpKeys:
    """Reads the secrets `<prefix>/<tenant>/sftp-keys`."""

    def __init__(self, secrets: SecretsManagerClient, prefix: str) -> None:
        """Take the client and the names' prefix, `<stack>/tenants`."""
        self._secrets, self._prefix = secrets, prefix

    def read(self, tenant: str) -> KeysText:
        """Read a tenant's keys; raises NoSftpKeysError, or TransientError."""
        # The last is what Secrets Manager answers for a secret that is marked for deletion.
        gone = {"on_ResourceNotFoundException": NoSftpKeysError, "on_InvalidRequestException": NoSftpKeysError}
        with calling("Reading the tenant's SFTP keys", **gone):
            secret = self._secrets.get_secret_value(
                SecretId=sftp_keys_secret(self._prefix, tenant), VersionStage="AWSCURRENT"
            )
        # Binary data are no authorized_keys: an empty text has no keys.
        return KeysText(secret.get("SecretString", ""), secret["VersionId"])
