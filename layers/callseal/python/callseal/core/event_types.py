"""The catalogue of audit events: each detail-type, which functions put it, and which members of its detail it has.

Code takes detail-types from here. `make docs` writes the table in docs/operations.md, and
tests/unit/test_event_types.py compares the roles and rules of template.yaml with the catalogue.
"""

from __future__ import annotations

from enum import StrEnum

# The operator's command among the emitters.
COMMAND = "callseal"


class EventType(StrEnum):
    """A detail-type of source `callseal`.

    `emitters` are names of function folders, or COMMAND. The members
    `schema`, `id` and `time` are in every event. The members in `always` are never null, those in `sometimes` are null
    in some events, and all others are null.
    """

    emitters: tuple[str, ...]
    always: tuple[str, ...]
    sometimes: tuple[str, ...]
    meaning: str

    def __new__(cls, value: str, emitters: str, always: str, sometimes: str, meaning: str) -> EventType:
        """Return the detail-type as a string that has its facts beside it; lists are separated by spaces."""
        kind = str.__new__(cls, value)
        kind._value_ = value
        kind.emitters, kind.always, kind.sometimes = (tuple(each.split()) for each in (emitters, always, sometimes))
        kind.meaning = meaning
        return kind

    RECORDING_DELIVERED = (
        "RecordingDelivered",
        "encrypt_recording recheck_delivery",
        "source outputs",
        "tenant recipients key_version policy law",
        "Every output of a landed file is committed; `law.until` is when the lock of the archive's output ends.",
    )
    RECORDING_HELD = (
        "RecordingHeld",
        "encrypt_recording",
        "source reason message",
        "tenant outputs key_version policy",
        "A landed file is held.",
    )
    RECORDING_RELEASED = (
        "RecordingReleased",
        "encrypt_recording sweep_landing",
        "source",
        "tenant reason key_version",
        "The cause of a hold is gone, and the file is processed again.",
    )
    RECORDING_HELD_TOO_LONG = (
        "RecordingHeldTooLong",
        "sweep_landing",
        "source message",
        "tenant reason",
        "A file has been held for a day or longer: an operator must act.",
    )
    METADATA_UNREADABLE = (
        "MetadataUnreadable",
        "read_metadata",
        "tenant source message",
        "",
        "A metadata file cannot be read. It is delivered all the same.",
    )
    KEY_ACCEPTED = (
        "KeyAccepted",
        "check_keys",
        "tenant recipients key_version message",
        "",
        "A tenant's key is accepted: recordings can be sealed to it.",
    )
    KEY_REJECTED = (
        "KeyRejected",
        "check_keys",
        "tenant reason message",
        "recipients key_version",
        "A tenant's key is rejected: recordings are held.",
    )
    KEY_EXPIRING = (
        "KeyExpiring",
        "check_keys",
        "tenant recipients key_version message",
        "",
        "A tenant's key expires soon.",
    )
    KEY_PROVEN = (
        "KeyProven",
        "prove_keys",
        "tenant recipients key_version message",
        "",
        "The tenant has opened the challenge that was sealed to its key.",
    )
    KEY_PROOF_REFUSED = (
        "KeyProofRefused",
        "prove_keys",
        "tenant reason message",
        "recipients key_version",
        "An answer to a challenge is refused.",
    )
    SFTP_LOGIN = ("SftpLogin", "audit_sftp", "session", "tenant", "A login by SFTP succeeded.")
    SFTP_LOGIN_REFUSED = (
        "SftpLoginRefused",
        "audit_sftp",
        "reason session",
        "tenant message",
        "Logins by SFTP were refused; `session.attempts` counts them.",
    )
    SFTP_OPERATION_REFUSED = (
        "SftpOperationRefused",
        "audit_sftp",
        "reason session",
        "tenant",
        "An upload, a rename or a removal by SFTP was refused.",
    )
    SFTP_KEY_LINE_REFUSED = (
        "SftpKeyLineRefused",
        "audit_sftp",
        "tenant key_version message",
        "",
        "Lines of a tenant's SFTP keys are not accepted.",
    )
    FILE_FETCHED = (
        "FileFetched",
        "audit_sftp",
        "source session",
        "tenant",
        "A delivered file was sent to the tenant to its last byte.",
    )
    FILE_UNFETCHED = (
        "FileUnfetched",
        "watch_files",
        "tenant source message",
        "",
        "A delivered file expires soon and was not fetched.",
    )
    FILE_EXPIRED = (
        "FileExpired",
        "watch_files",
        "tenant source message",
        "",
        "A delivered file expired before it was fetched.",
    )
    CALLS_SEARCHED = (
        "CallsSearched",
        COMMAND,
        "tenant message",
        "",
        "An operator searched a tenant's calls with the command; `message` names the kinds of filters.",
    )
    RECORDING_ERASED = (
        "RecordingErased",
        "erase_recordings",
        "tenant reason message",
        "source policy law",
        "A file is erased: a held one that the tenant's policy says must not be kept, or one of a request for erasure.",
    )
    ERASURE_REQUESTED = (
        "ErasureRequested",
        f"{COMMAND} govern_calls",
        "tenant message law",
        "",
        "A person started a request for erasure, or a second person approved it; `law.request` is its id.",
    )
    COPY_REQUESTED = (
        "CopyRequested",
        COMMAND,
        "tenant message law",
        "",
        "A person asked for a copy of calls, by SFTP or by shares; `law.counts` has how many.",
    )
    ERASURE_REFUSED = (
        "ErasureRefused",
        "erase_recordings",
        "tenant message law",
        "",
        "A hold or a duty to keep recordings protects files of a request, and `law.until` says until when.",
    )
    ERASURE_COMPLETED = (
        "ErasureCompleted",
        "erase_recordings",
        "tenant message law",
        "",
        "A request for erasure is done; `law.object` is its certificate in the audit bucket.",
    )
    RECIPIENT_NOTIFIED = (
        "RecipientNotified",
        "erase_recordings",
        "tenant message law",
        "",
        "The recipient has answered the notice of an erasure.",
    )
    HOLD_PLACED = (
        "HoldPlaced",
        "lock_recordings",
        "tenant message law",
        "",
        "All calls of a hold's scope are under it; `law.counts` has how many, and how many were gone before.",
    )
    HOLD_RELEASE_ASKED = (
        "HoldReleaseAsked",
        f"{COMMAND} govern_calls",
        "tenant message law",
        "",
        "A person asked for the release of a hold. Another person must approve it.",
    )
    HOLD_RELEASED = (
        "HoldReleased",
        "lock_recordings",
        "tenant message law",
        "",
        "A second person approved the release of a hold, and its calls are set free.",
    )
    RECORDINGS_DISPOSED = (
        "RecordingsDisposed",
        "dispose_recordings",
        "tenant message law",
        "",
        "Calls of a class were deleted at its end; `law.object` is their record in the audit bucket.",
    )
    RETENTION_VERIFIED = (
        "RetentionVerified",
        "reconcile_archive",
        "tenant message law",
        "",
        "A tenant's archive and its cards were compared, and nothing was found.",
    )
    ARCHIVE_SIGNED_IN = ("ArchiveSignedIn", "sign_in", "tenant archive", "", "A user signed in to the archive.")
    TERMS_ACCEPTED = (
        "TermsAccepted",
        "sign_in",
        "tenant archive",
        "",
        "A user accepted the terms; `archive.text` is their version.",
    )
    RECORDINGS_SEARCHED = (
        "RecordingsSearched",
        "search_calls",
        "tenant archive",
        "",
        "A user searched calls. A number is named by its blind key.",
    )
    RECORDING_VIEWED = ("RecordingViewed", "search_calls", "tenant archive", "", "A user looked at a call's facts.")
    RECORDING_PLAYED = (
        "RecordingPlayed",
        "open_recording",
        "tenant archive",
        "",
        "A user asked to play a recording, or, with `archive.seconds`, has played it.",
    )
    RECORDING_OPENED_BY_KEY = (
        "RecordingOpenedByKey",
        "open_recording",
        "tenant archive",
        "",
        "A user asked for a sealed recording, to open it in the page with a key of the tenant's.",
    )
    RECORDING_DOWNLOADED = (
        "RecordingDownloaded",
        "open_recording",
        "tenant archive",
        "",
        "A user asked to download a file.",
    )
    ACCESS_REFUSED = (
        "AccessRefused",
        "search_calls open_recording draw_waveform share_recording govern_calls",
        "tenant archive",
        "",
        "A user was refused something; `archive.code` says why.",
    )
    SHARE_CREATED = (
        "ShareCreated",
        f"{COMMAND} share_recording",
        "tenant message archive",
        "",
        "A user shared a recording with an address, which the message names; `archive.share` is the share's id.",
    )
    SHARE_CANCELLED = ("ShareCancelled", f"{COMMAND} share_recording", "tenant archive", "", "A share was cancelled.")
    SHARE_CODE_SENT = (
        "ShareCodeSent",
        "serve_share",
        "tenant archive",
        "",
        "A code was mailed to the recipient of a share.",
    )
    SHARE_CODE_REFUSED = (
        "ShareCodeRefused",
        "serve_share",
        "tenant archive",
        "",
        "A code of a share was refused; `archive.code` says why.",
    )
    SHARE_OPENED = (
        "ShareOpened",
        "serve_share",
        "tenant archive",
        "",
        "The recipient of a share opened it with a code, and accepted the terms.",
    )
    SHARE_PLAYED = ("SharePlayed", "serve_share", "tenant archive", "", "The recipient of a share began to play it.")
