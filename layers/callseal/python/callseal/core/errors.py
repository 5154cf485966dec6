"""What can go wrong, as one tree; which branch an error stands on says what becomes of the file.

CallsealError
├── HeldError                     permanent until somebody acts: the file stays in landing, tagged with its Reason
│   └── SourceUnreadableError     the landed object cannot be read for permission
├── UnreadableNotificationError   no file can be told from the message: it ends in the dead-letter queue
├── SourceGoneError               nothing left to do: the landed object is not, or no longer, the one of the event
│   └── SourceReplacedError       it was overwritten: its own audit event may not have been told
├── OutputExistsError             another commit came first: look at what is there
└── TransientError                will pass: the message fails, and SQS brings it again
    └── AccessRefusedError        AWS refuses the request, perhaps for good: the caller may find out, and hold the file
"""

from enum import StrEnum


class Reason(StrEnum):
    """Why a file is held. Where several apply, the one that stands first here is given."""

    UNSUPPORTED_FILE = "UnsupportedFile"
    SOURCE_UNREADABLE = "SourceUnreadable"
    SETTINGS_MISSING = "SettingsMissing"
    SETTINGS_INVALID = "SettingsInvalid"
    NOTHING_TO_DELIVER = "NothingToDeliver"
    KEY_MISSING = "KeyMissing"
    KEY_IS_PRIVATE = "KeyIsPrivate"
    KEY_UNREADABLE = "KeyUnreadable"
    KEY_NOT_FOR_ENCRYPTION = "KeyNotForEncryption"
    KEY_TOO_WEAK = "KeyTooWeak"
    KEY_REVOKED = "KeyRevoked"
    KEY_EXPIRED = "KeyExpired"
    KEY_NOT_YET_VALID = "KeyNotYetValid"
    KEY_UNPROVEN = "KeyUnproven"
    OUTPUT_CONFLICT = "OutputConflict"

    @property
    def is_of_key(self) -> bool:
        """Whether it is the tenant's key that is at fault, and nothing else."""
        return self.name.startswith("KEY_")

    @property
    def rank(self) -> int:
        """The reason's place in the order above, 0 first."""
        return list(Reason).index(self)


class CallsealError(Exception):
    """The root of everything that Callseal raises on purpose."""


class HeldError(CallsealError):
    """Hold the file: `reason` for machines, the sentence (`str(error)`) for the person who can mend it."""

    def __init__(self, reason: Reason, sentence: str, fingerprint: str | None = None) -> None:
        """Take the reason and a sentence that names the thing, the reason and what to do, and nothing secret.

        `fingerprint` is that of the key which is refused, where its text can be read so far.
        """
        super().__init__(sentence)
        self.reason = reason
        # Added on the way up, where it is known: the version of the secret that was judged.
        self.key_version: str | None = None
        self.fingerprint = fingerprint


class SourceUnreadableError(HeldError):
    """Hold the file as `SourceUnreadable`: the functions have no permission, or no key, to read it."""

    def __init__(self, sentence: str) -> None:
        """Take the sentence for the person who can change that."""
        super().__init__(Reason.SOURCE_UNREADABLE, sentence)


class UnreadableNotificationError(CallsealError):
    """The message names no landed file in a way that we know."""


class SourceGoneError(CallsealError):
    """The landed object has been purged, or replaced by one that has an event of its own."""


class SourceReplacedError(SourceGoneError):
    """The landed object has been overwritten, before it was delivered or after."""


class OutputExistsError(CallsealError):
    """An object stands under the output's key already."""


class TransientError(CallsealError):
    """Something around us failed for now; nothing has become visible, trying again is safe."""


class AccessRefusedError(TransientError):
    """AWS refuses a request in a way that may last; `code` is AWS's own, or the status of an answer without body."""

    code = ""
