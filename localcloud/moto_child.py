"""Run moto's server as a child process. It ends when its standard input closes, so it never outlives its parent.

moto's server answers each request in its own thread, but its stores have no locks. These repairs give it the guarantees
of the real services under concurrency:
  - one request at a time (otherwise two conditional writes, `If-None-Match: *`, can both succeed)
  - an incomplete upload is refused (otherwise moto stores the received part as a whole object)
  - a queue's deletes and receives take the lock of its sends (otherwise a message that is sent meanwhile is lost, and
    two receivers get the same message)
  - a batch delete checks the etag of each key (otherwise it deletes an object that was overwritten meanwhile)
  - a notification of a versioned bucket has the version's id (otherwise that version cannot be addressed)
  - a version that received AWSCURRENT again loses it to the next one (otherwise two versions keep it)
  - a cancelled DynamoDB transaction restores its own items (otherwise moto copies and restores whole tables)
  - the rules of Object Lock hold, also for copies and multipart uploads (otherwise a lock could be lost or shortened)
  - a presigned URL that has expired or was changed is refused (otherwise moto serves it)
  - KMS signs a digest as it is (otherwise moto hashes it once more, and no other program verifies the signature)
Mails that are sent become files, and the audit bus can be closed.
"""

import functools
import json
import os
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import xmltodict
from jsonpath_ng import ext as json_paths
from moto import backends
from moto.core.responses import ActionResult
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.s3 import models as s3_models
from moto.s3 import notifications
from moto.s3.responses import S3Response
from moto.secretsmanager.models import SecretsManagerBackend
from moto.sqs.models import Queue, SQSBackend
from werkzeug.serving import BaseWSGIServer, make_server

# This is a separate program that runs without PYTHONPATH.
sys.path.append(str(Path(__file__).resolve().parents[1]))

from localcloud.clock_file import ClockFile
from localcloud.moto_app import (
    OUTSTANDING,
    WsgiApp,
    count_messages,
    forward_invocations,
    one_at_a_time,
    refuse_events,
)
from localcloud.moto_lock import repair_object_lock
from localcloud.moto_mail import write_mails
from localcloud.moto_presigned import check_presigned
from localcloud.moto_signing import sign_digests
from localcloud.moto_transactions import copy_little_for_transactions

# The credentials of the functions and of `make local`'s usage, environment.DUMMY_CREDENTIAL.
_SECRETS = {"local": "local"}


def main(port: int, options: dict[str, Any]) -> None:
    """Serve on 127.0.0.1, and print the port and the path of `count_messages` as one JSON line on standard output.

    Lambda's Invoke is forwarded to the port `invocations`, which localcloud/invocations.py serves. The clock of S3 is
    ahead by the seconds in `clock_file`. PutEvents is refused while `refuse_file` exists. Mails are written to
    `mail_dir`; SES accepts `mail_sender` without a verification.
    """
    clock = ClockFile(Path(options["clock_file"])) if options.get("clock_file") else None
    if clock:
        _put_clock_ahead(clock)
    announce = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    try:
        server = bind(port, functools.partial(_add_front, options=options, clock=clock))
    except (OSError, SystemExit):
        print(json.dumps({"error": f"port {port} of 127.0.0.1 cannot be used"}), file=announce, flush=True)
        raise SystemExit(1) from None
    threading.Thread(target=_end_with_parent, daemon=True).start()
    print(json.dumps({"port": server.server_port, "outstanding": OUTSTANDING}), file=announce, flush=True)
    server.serve_forever()


def bind(port: int, add_front: Callable[[WsgiApp], WsgiApp] = one_at_a_time) -> BaseWSGIServer:
    """Return moto's server with all repairs, bound to its port but not serving yet. `add_front` adds the lock."""
    _lock_queues()
    heed_etags_of_batch_deletes()
    repair_object_lock()
    _remember_moved_labels()
    copy_little_for_transactions()
    _announce_versions()
    sign_digests()
    _save_time()
    app = add_front(count_messages(DomainDispatcherApplication(create_backend_app)))
    return make_server("127.0.0.1", port, app, threaded=True, request_handler=MotoRequestHandler)


def _add_front(app: WsgiApp, options: Mapping[str, Any], clock: ClockFile | None) -> WsgiApp:
    """Return an app with what is around moto's, by the options of `main`, and its lock."""
    if options.get("refuse_file"):
        app = refuse_events(app, Path(options["refuse_file"]))
    if clock:
        app = check_presigned(app, clock, _SECRETS)
    if clock and options.get("mail_dir"):
        app = write_mails(app, Path(options["mail_dir"]), options.get("mail_sender", ""), clock)
    app = one_at_a_time(app)
    return forward_invocations(app, options["invocations"]) if options.get("invocations") else app


def _save_time() -> None:
    """Drop what takes most of moto's time and changes nothing here.

    At each request moto lists its own modules. For each message that it returns, it counts all messages in the queue,
    to find out whether this one is days old. For each event it parses the JSON paths of a target anew.
    """
    modules = list(backends.list_of_moto_modules())
    backends.list_of_moto_modules = lambda: iter(modules)
    json_paths.parse = functools.cache(json_paths.parse)  # type: ignore[attr-defined]
    SQSBackend.is_message_valid_based_on_retention_period = lambda *_: True  # type: ignore[method-assign]


def _lock_queues() -> None:
    delete, receive = Queue.delete_message, SQSBackend.receive_message

    @functools.wraps(delete)
    def locked_delete(self: Any, *arguments: Any, **options: Any) -> Any:
        with self._messages_lock:
            return delete(self, *arguments, **options)

    @functools.wraps(receive)
    def locked_receive(self: Any, queue_name: str, *arguments: Any, **options: Any) -> Any:
        with self.get_queue(queue_name)._messages_lock:
            return receive(self, queue_name, *arguments, **options)

    Queue.delete_message = locked_delete  # type: ignore[method-assign]
    SQSBackend.receive_message = locked_receive  # type: ignore[method-assign]


def heed_etags_of_batch_deletes() -> None:
    """Make moto refuse the keys of a DeleteObjects whose etag differs, as S3 does, and delete the others.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html
    """
    delete = S3Response._bucket_response_delete_keys
    if hasattr(delete, "__wrapped__"):
        return

    @functools.wraps(delete)
    def conditional_delete(self: Any, bucket_name: str, authenticated: bool = True) -> Any:
        asked = xmltodict.parse(self.body, strip_whitespace=False, force_list=("Object",))
        objects = asked["Delete"]["Object"]
        stale = [each for each in objects if each.get("ETag") and not _has_etag(self.backend, bucket_name, each)]
        if not stale:
            return delete(self, bucket_name, authenticated)
        errors = [{"Key": each["Key"], "Code": "PreconditionFailed", "Message": "The etag differs."} for each in stale]
        asked["Delete"]["Object"] = [each for each in objects if each not in stale]
        serialized = self.serialized
        self.serialized = lambda answer: serialized(
            ActionResult({**answer.result, "Errors": answer.result["Errors"] + errors})
        )
        if not asked["Delete"]["Object"]:
            self.data["Action"] = "DeleteObjects"
            return self.serialized(ActionResult({"Deleted": [], "Errors": []}))
        self.body = xmltodict.unparse(asked)
        return delete(self, bucket_name, authenticated)

    S3Response._bucket_response_delete_keys = conditional_delete  # type: ignore[method-assign]


def _has_etag(backend: Any, bucket_name: str, wanted: dict[str, str]) -> bool:
    stored = backend.get_object(bucket_name, wanted["Key"])
    return stored is not None and stored.etag.strip('"') == wanted["ETag"].strip('"')


def _remember_moved_labels() -> None:
    update = SecretsManagerBackend.update_secret_version_stage

    @functools.wraps(update)
    def updated(
        self: Any, secret_id: str, version_stage: str, remove_from_version_id: str, move_to_version_id: str
    ) -> Any:
        answer = update(self, secret_id, version_stage, remove_from_version_id, move_to_version_id)
        if version_stage == "AWSCURRENT" and move_to_version_id:
            self.secrets[secret_id].set_default_version_id(move_to_version_id)
        return answer

    SecretsManagerBackend.update_secret_version_stage = updated  # type: ignore[method-assign]


def _announce_versions() -> None:
    """Make moto put the version's id into the S3 notifications of versioned buckets, as S3 does.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
    """
    describe = notifications._get_s3_event

    @functools.wraps(describe)
    def described(event_name: str, bucket: Any, key: Any, notification_id: str) -> Any:
        event = describe(event_name, bucket, key, notification_id)
        if bucket.is_versioned:
            event["Records"][0]["s3"]["object"]["versionId"] = key.version_id
        return event

    notifications._get_s3_event = described


def _put_clock_ahead(clock: ClockFile) -> None:
    """Make moto's S3 take the time from a clock: objects' dates, and events' times."""
    describe = notifications._get_s3_event

    @functools.wraps(describe)
    def described(event_name: str, bucket: Any, key: Any, notification_id: str) -> Any:
        event = describe(event_name, bucket, key, notification_id)
        event["Records"][0]["eventTime"] = clock.now().strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        return event

    notifications._get_s3_event = described
    s3_models.utcnow = lambda: clock.now().replace(tzinfo=None)  # type: ignore[attr-defined]  # moto's are naive


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]), json.loads(sys.argv[2]))
