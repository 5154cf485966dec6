"""Sessions of the SFTP front."""

from dataclasses import dataclass, field

from localcloud.sftp.policy import SessionPolicy


@dataclass(frozen=True)
class Session:
    """A login's session: its user, the bucket and folder of its home, and the policy of its requests to S3."""

    user: str
    bucket: str
    home: str
    policy: SessionPolicy = field(repr=False)
    # The id and the client's address of its connection.
    id: str = ""
    peer: str = ""
