"""The formats of files and of envelopes: endings, media types and kinds of recipients, each in this one table."""

from dataclasses import dataclass
from typing import Literal

Envelope = Literal["cms", "openpgp"]
RecipientKind = Literal["x509", "openpgp"]


@dataclass(frozen=True, slots=True)
class EnvelopeFormat:
    """How a sealed output is named and typed, and the kind of recipient that opens it."""

    suffix: str
    media_type: str
    recipients: RecipientKind


# Media types: RFC 8551, section 3.2 and RFC 3156, section 4.
ENVELOPES: dict[Envelope, EnvelopeFormat] = {
    "cms": EnvelopeFormat(".p7m", "application/pkcs7-mime", "x509"),
    "openpgp": EnvelopeFormat(".pgp", "application/pgp-encrypted", "openpgp"),
}
SUFFIX_BYTES = 4

METADATA_FORMAT = "xml"
# The landed formats by file extension, with their media types.
MEDIA_TYPES = {"wav": "audio/wav", "mp3": "audio/mpeg", METADATA_FORMAT: "application/xml"}
