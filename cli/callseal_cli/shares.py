"""Shares of recordings that an operator makes on request, as the archive's users make them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from callseal.archive.access_trail import AccessTrail
from callseal.archive.archive_bucket import ArchiveBucket
from callseal.archive.events import Actor
from callseal.archive.new_share import NewShares, Wish
from callseal.archive.recording_file import is_sealed
from callseal.archive.share_mails import ShareMails
from callseal.archive.share_table import ShareTable
from callseal.aws.batching import BatchWindow
from callseal.aws.bus import AuditBus
from callseal.calls.card import Card
from callseal.core.errors import TransientError
from callseal.inbound.http import RefusedRequestError
from callseal.retention.verdict import ARCHIVE, files_at
from callseal_cli.copied import MISSING, Left
from callseal_cli.errors import CannotError
from callseal_cli.options import now
from callseal_cli.stack import Stack

# Shares the plain recordings of calls. Returns the shares, and the recordings that were not shared.
Sharing = Callable[[Sequence[Card], Wish], tuple[list[dict[str, Any]], list[Left]]]


def share_recordings(stack: Stack, tenant: str, who: str) -> Sharing:
    """Return what shares recordings, each by a mail of its own. Raise CannotError if the stack sends no mail.

    In the mail and in the list of shares, the operator has the last part of the ARN, which is an e-mail address if a
    directory issues the sessions. The operator is not of the tenant.
    """
    if not (sender := stack.outputs.get("ShareMailFrom")):
        raise CannotError(f"The stack {stack.name} has no address to send mail from. Set its parameter ShareMailFrom.")
    bus = AuditBus(stack.client("events"), stack.output("AuditBusName"), BatchWindow())
    url = stack.output("ArchiveUrl")
    new = NewShares(
        ShareTable(stack.dynamodb, stack.table("archive-shares")),
        ArchiveBucket(stack.s3, stack.output("ArchiveBucketName")),
        ShareMails(stack.client("sesv2"), sender),
        AccessTrail(bus, stack.dynamodb, stack.table("archive-trail")),
        lambda: url,
    )
    actor = Actor(tenant, who.rpartition("/")[2], is_external=True)

    def share(cards: Sequence[Card], wish: Wish) -> tuple[list[dict[str, Any]], list[Left]]:
        shared, left = list[dict[str, Any]](), list[Left]()
        for card in cards:
            recordings = [file for file in files_at(card, ARCHIVE) if not file.is_metadata]
            if not recordings:
                left.append(Left(card.call.id, None, MISSING))
            for file in recordings:
                if is_sealed(file):
                    left.append(Left(card.call.id, file.n, "SealedRecording"))
                    continue
                try:
                    shared.append(new.make(actor, card.call.id, file, wish, now()).public(now()))
                except RefusedRequestError as refused:
                    left.append(Left(card.call.id, file.n, _code(refused)))
                except TransientError:
                    if not shared:  # AWS refuses it, most likely
                        raise
                    left.append(Left(card.call.id, file.n, "MailFailed"))
        return shared, left

    return share


def _code(refused: RefusedRequestError) -> str:
    return MISSING if refused.code == "NotFound" else refused.code
