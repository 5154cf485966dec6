"""The files of a call in the archive: which one a request names, and how its tenant opens it if it is sealed."""

from __future__ import annotations

from http import HTTPStatus
from shlex import quote

from callseal.calls.call_file import CallFile, Delivery
from callseal.calls.call_name import extension_of
from callseal.calls.card import Card
from callseal.core.formats import ENVELOPES, RECORDING_TYPES
from callseal.core.stored import PLAIN
from callseal.inbound.http import RefusedRequestError, not_found

ARCHIVE = "archive"
MAX_FILES = 9_999


def file_number(text: str) -> int:
    """Return the number of a file in a path. Raise `NotFound` if it is none."""
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(MAX_FILES))):
        raise not_found()
    return int(text)


def archive_file(card: Card, number: int) -> CallFile:
    """Return a call's delivered file in the archive by its number. Raise `NotFound`."""
    found = next((file for file in card.files if file.n == number), None)
    if found is None or found.destination != ARCHIVE or found.current is None:
        raise not_found()
    return found


def recording(card: Card, number: int) -> CallFile:
    """Return a call's recording in the archive by its number. Raise `NotFound`, also for its metadata."""
    found = archive_file(card, number)
    if found.is_metadata:
        raise not_found()
    return found


def delivery_of(file: CallFile) -> Delivery:
    """Return the latest delivery of a delivered file. Raise `NotFound` for any other file."""
    if file.current is None:
        raise not_found()
    return file.current


def is_sealed(file: CallFile) -> bool:
    """Return whether a delivered file is sealed."""
    return delivery_of(file).sealed != PLAIN


def media_type(file: CallFile) -> str:
    """Return a recording's media type, by its name and never by what the object says."""
    return RECORDING_TYPES.get(extension_of(file.key), "application/octet-stream")


def name_of(file: CallFile) -> str:
    """Return a file's name without its folders."""
    return file.key.rpartition("/")[2]


def is_erased_soon(card: Card) -> RefusedRequestError | None:
    """Return the refusal of a call that waits for its erasure, or None."""
    if not card.erasure_pending:
        return None
    sentence = "This call waits for its erasure. It cannot be opened any more."
    return RefusedRequestError(HTTPStatus.CONFLICT, "ErasurePending", sentence)


def sealed_refusal(file: CallFile) -> RefusedRequestError:
    """Return the refusal to play or share a sealed file, with its recipients and the command that opens it."""
    members = {"recipients": [*delivery_of(file).recipients], "command": opening_command(file)}
    sentence = "The recording is sealed to your own key, so the platform cannot play it. Open it with that key."
    return RefusedRequestError(HTTPStatus.CONFLICT, "SealedRecording", sentence, members)


def opening_command(file: CallFile) -> str:
    """Return the command that opens a downloaded file, as docs/decrypting.md has it."""
    name, sealed = name_of(file), delivery_of(file).sealed
    suffix = next((form.suffix for envelope, form in ENVELOPES.items() if envelope == sealed), "")
    quoted, plain = _quoted(name), _quoted(name.removesuffix(suffix))
    if sealed == "cms":
        return f"openssl cms -decrypt -binary -inform DER -in {quoted} -recip our.crt -inkey our.key -out {plain}"
    return f"gpg --output {plain} --decrypt {quoted}"


def _quoted(name: str) -> str:
    # A name that begins with a hyphen would be an option.
    return quote(f"./{name}" if name.startswith("-") else name)
