"""The formats of files and of envelopes, with their suffixes, media types and kinds of recipients."""

from dataclasses import dataclass
from typing import Literal

Envelope = Literal["cms", "openpgp"]
RecipientKind = Literal["x509", "openpgp"]


@dataclass(frozen=True, slots=True)
class EnvelopeFormat:
    """An envelope's suffix and media type, and the kind of recipient that can open it."""

    suffix: str
    media_type: str
    recipients: RecipientKind


# Media types: RFC 8551, section 3.2 and RFC 3156, section 4.
ENVELOPES: dict[Envelope, EnvelopeFormat] = {
    "cms": EnvelopeFormat(".p7m", "application/pkcs7-mime", "x509"),
    "openpgp": EnvelopeFormat(".pgp", "application/pgp-encrypted", "openpgp"),
}
SUFFIX_BYTES = 4

# The media types of landed files, by file extension.
RECORDING_TYPES = {"wav": "audio/wav", "mp3": "audio/mpeg"}
METADATA_TYPES = {"xml": "application/xml", "json": "application/json"}
MEDIA_TYPES = RECORDING_TYPES | METADATA_TYPES
