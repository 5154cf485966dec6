"""The errors of Callseal, as one tree. The class of an error decides what happens to the file.

CallsealError
├── HeldError                     permanent until an operator acts: the file stays in landing, tagged with its Reason
│   └── SourceUnreadableError     the functions have no permission to read the landed object
├── UnreadableNotificationError   the message names no file: it ends in the dead-letter queue
├── UnreadableMetadataError       the metadata file cannot be read: it is delivered as it is, and counts as missing
├── SourceGoneError               nothing left to do: the landed object was purged, or is not the one of the event
│   └── SourceReplacedError       it was overwritten: the audit event of its delivery may be missing
├── NotIndexedError               read_metadata must process the file first
│   └── OutdatedOutcomeError      another version of the tenant's policy has judged the call
├── NotJudgedError                a blind card cannot decide a rule of the policy: the call keeps its outcome
├── OutputExistsError             another commit came first: compare with the existing output
└── TransientError                temporary: the message fails, and SQS delivers it again
    ├── MetadataNotYetError       the recording waits a moment for its metadata
    └── AccessRefusedError        AWS refuses the request, perhaps permanently: the caller may check, and hold the file
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Reason(StrEnum):
    """Why a file is held. If several reasons apply, the first in this order is reported.

    Each reason has its meaning and the operator's action. `make docs` writes both into docs/operations.md, and the
    reasons into schemas/audit-event.schema.json.
    """

    meaning: str
    action: str

    def __new__(cls, value: str, meaning: str, action: str) -> Reason:
        """Return the reason as a string that has the two sentences beside it."""
        reason = str.__new__(cls, value)
        reason._value_ = value
        reason.meaning, reason.action = meaning, action
        return reason

    UNSUPPORTED_FILE = (
        "UnsupportedFile",
        (
            "The landing key is not `<tenant>/<path>/<name>.<wav,mp3,xml,json>`, has a folder over 255 bytes or a name "
            "over 251, has a folder that ends like a file (`.wav .mp3 .xml .json .p7m .pgp`), or is in a reserved "
            "folder of the tenant (`key-check proof receipts notices requests`)."
        ),
        "Land the file again under a proper name, and delete this one.",
    )
    SOURCE_UNREADABLE = ("SourceUnreadable", "S3 refuses to read the file.", 'See "A landed file cannot be read".')
    SETTINGS_MISSING = (
        "SettingsMissing",
        "The tenant has no settings.",
        "Write the parameter; `{}` selects the defaults.",
    )
    SETTINGS_INVALID = (
        "SettingsInvalid",
        "The tenant's settings are wrong; the message names the wrong member.",
        "Correct the parameter.",
    )
    NAME_HOLDS_NUMBER = (
        "NameHoldsNumber",
        "The landing key contains a telephone number, and the setting `refuse_numbers_in_names` is on.",
        "Land the file again under a name without a number, and delete this one.",
    )
    POLICY_INVALID = (
        "PolicyInvalid",
        "The tenant's policy is wrong; the message names the wrong rule and member.",
        "Correct the policy with `callseal policy put`.",
    )
    ERASED = (
        "Erased",
        "The call of this file was erased, and a file of it must not be delivered again.",
        "Delete the file. If it belongs to another call, land it under another name.",
    )
    METADATA_AWAITED = (
        "MetadataAwaited",
        "The metadata of the recording is needed first, and has not landed.",
        "Land the metadata file; the recording is then released by itself.",
    )
    RECORDING_DENIED = (
        "RecordingDenied",
        "A rule of the tenant's policy says that the call must not be recorded.",
        "None if the rule is right: the file is erased after `denied_erase_after`. Otherwise correct the policy.",
    )
    CONSENT_MISSING = (
        "ConsentMissing",
        "The tenant's policy requires consent, and the metadata does not say that it was given.",
        "None if the rule is right: the file is erased after `denied_erase_after`. Otherwise correct the policy.",
    )
    NOTHING_TO_DELIVER = (
        "NothingToDeliver",
        "The tenant's settings leave this format no destination.",
        "Enable a destination, or delete the file by hand.",
    )
    KEY_MISSING = ("KeyMissing", "The tenant has no key.", "Paste the tenant's key into the secret.")
    KEY_IS_PRIVATE = (
        "KeyIsPrivate",
        "The secret contains a **private** key.",
        'See "A private key was pasted", at once.',
    )
    KEY_UNREADABLE = (
        "KeyUnreadable",
        "The tenant's key cannot be read; the message says what is wrong.",
        "Ask the tenant for another key.",
    )
    KEY_NOT_FOR_ENCRYPTION = (
        "KeyNotForEncryption",
        "The key is not meant for encryption; the message says what is wrong.",
        "Ask the tenant for another key.",
    )
    KEY_TOO_WEAK = (
        "KeyTooWeak",
        "The key is weaker than is accepted; the message says what is wrong.",
        "Ask the tenant for another key.",
    )
    KEY_REVOKED = ("KeyRevoked", "The key was revoked.", "Ask the tenant for a new key.")
    KEY_EXPIRED = ("KeyExpired", "The key has expired.", "Ask the tenant for a new key.")
    KEY_NOT_YET_VALID = (
        "KeyNotYetValid",
        "The key is not valid yet.",
        "Wait, or restore the previous key until then.",
    )
    KEY_UNPROVEN = (
        "KeyUnproven",
        "The tenant has not proven that it can open files sealed to this key.",
        'Ask the tenant for the code in its SFTP folder `key-check` (see "Changing a key").',
    )
    OUTPUT_CONFLICT = (
        "OutputConflict",
        "A different object has this name already, and Callseal never overwrites.",
        "Move one of the two.",
    )

    @property
    def is_of_key(self) -> bool:
        """Whether the fault is the tenant's key alone."""
        return self.name.startswith("KEY_")

    @property
    def rank(self) -> int:
        """The reason's place in the order above, from 0."""
        return list(Reason).index(self)


# The reasons of files that the tenant's policy says must not be kept. erase_recordings erases them.
ERASED_FOR = (Reason.RECORDING_DENIED, Reason.CONSENT_MISSING)


class CallsealError(Exception):
    """The root of everything that Callseal raises on purpose."""


class HeldError(CallsealError):
    """Hold the file: `reason` for programs, the sentence (`str(error)`) for the operator."""

    def __init__(self, reason: Reason, sentence: str, fingerprint: str | None = None) -> None:
        """Take the reason and a sentence: what happened, to what, and what to do. It contains nothing secret.

        `fingerprint` is that of the refused key, if it could be read.
        """
        super().__init__(sentence)
        self.reason = reason
        # The judged version of the secret. A caller that knows it adds it.
        self.key_version: str | None = None
        # The ruling of the tenant's policy that holds the file, as the event's member `policy`.
        self.policy: Mapping[str, object] | None = None
        # Whether a file held as MetadataAwaited has waited for longer than the tenant's setting metadata_wait_minutes.
        self.is_overdue = False
        # What distinguishes this hold from another one for the same reason and by the same key, if anything does.
        self.cause: str | None = None
        self.fingerprint = fingerprint


class SourceUnreadableError(HeldError):
    """Hold the file as `SourceUnreadable`: the functions have no permission, or no key, to read it."""

    def __init__(self, sentence: str) -> None:
        """Take the sentence for the operator."""
        super().__init__(Reason.SOURCE_UNREADABLE, sentence)


class UnreadableNotificationError(CallsealError):
    """The message names no landed file in a known form."""


class UnreadableMetadataError(CallsealError):
    """A metadata file is malformed, or passes a bound. The sentence holds nothing from the file."""


class SourceGoneError(CallsealError):
    """The landed object was purged, or replaced by an object that has its own event."""


class SourceReplacedError(SourceGoneError):
    """The landed object was overwritten, before it was delivered or after."""


class NotIndexedError(CallsealError):
    """The file's metadata, or the policy's decision about its call, is not on the call's card yet."""


class OutdatedOutcomeError(NotIndexedError):
    """The outcome on the card is of another version of the policy than the one in use, which may be a cached one."""


class NotJudgedError(CallsealError):
    """The facts that decide a rule of the policy are hashed on a blind card."""


class OutputExistsError(CallsealError):
    """The output's key already has an object."""


class TransientError(CallsealError):
    """A call failed for now. Nothing has become visible, so a retry is safe."""


class MetadataNotYetError(TransientError):
    """The recording needs its metadata, which often lands a moment later."""


class AccessRefusedError(TransientError):
    """AWS refuses a request, perhaps permanently. `code` is AWS's own, or the status of an answer without a body."""

    code = ""
