"""What the functions' roles can do, and above all what they cannot do, by the translated template."""

from __future__ import annotations

import pytest

from tests.support.stack import ARCHIVE, AUDIT, AUDIT_LOG, LANDING, REGION, SFTP, STACK
from tests.template.permissions.calls import Call, call
from tests.template.permissions.needs import Need
from tests.template.permissions.stack import FUNCTIONS, TEMPLATE, Deployed

ENCRYPT, RECHECK, SWEEP = MOVERS = ("encrypt_recording", "recheck_delivery", "sweep_landing")
CHECK, PROVE, REGISTER = KEYS = ("check_keys", "prove_keys", "register_keys")
LOGIN, LOG = "authenticate_sftp", "audit_sftp"
TRACK, WATCH = FILES = ("track_files", "watch_files")
INDEX, READ, ERASE = "index_calls", "read_metadata", "erase_recordings"
KEEP, DISPOSE, COMPARE = LAW = ("lock_recordings", "dispose_recordings", "reconcile_archive")
LOCK, RECONCILE = TRAIL = ("lock_audit", "reconcile_audit")
SIGN, SEARCH, OPEN, DRAW, SHARE, SERVE, GOVERN = PEOPLE = (
    "sign_in", "search_calls", "open_recording", "draw_waveform", "share_recording", "serve_share", "govern_calls",
)  # fmt: skip
# All functions: MOVERS process recordings, KEYS keys, READ metadata, ERASE erases recordings, FRONT serves the SFTP
# front, FILES tracks delivered files, TRAIL the audit trail, LAW keeps and ends recordings by law, PEOPLE serves the
# archive to people.
ALL = tuple(FUNCTIONS)
FRONT = tuple(one for one in ALL if one not in (*MOVERS, *KEYS, READ, ERASE, *LAW, *PEOPLE))
OTHERS = tuple(one for one in ALL if one not in TRAIL)
EVENTS_OF_AN_HOUR, VERSION = f"audit/2026/11/29/12/{STACK}-audit-1-2026-11-29-12-00-00-x.gz", "v1"
WAV = "acme/2026/1_1.wav"
CHALLENGE, ANSWER = f"acme/key-check/{'A' * 64}.txt.p7m", f"acme/key-check/{'A' * 64}.answer"


def s3(operation: str, bucket: str, **facts: str) -> tuple[str, str, dict[str, str]]:
    return "s3", operation, {"bucket": bucket, "key": WAV} | facts


def secret(name: str, operation: str = "GetSecretValue") -> tuple[str, str, dict[str, str]]:
    return "secrets-manager", operation, {"name": name}


def table(operation: str, name: str, **facts: str) -> tuple[str, str, dict[str, str]]:
    return "dynamodb", operation, {"name": f"{STACK}-{name}"} | facts


def send(queue: str) -> tuple[str, str, dict[str, str]]:
    return "sqs", "SendMessage", {"name": f"{STACK}-{queue}"}


def invoke(function: str) -> tuple[str, str, dict[str, str]]:
    return "lambda", "Invoke", {"name": f"{STACK}-{function}"}


def parameter(name: str, operation: str = "GetParameters") -> tuple[str, str, dict[str, str]]:
    return "ssm", operation, {"name": name}


def put_events(bus: str, source: str, kind: str) -> tuple[str, str, dict[str, str]]:
    return "eventbridge", "PutEvents", {"name": bus, "source": source, "detail_type": kind}


def audit(kind: str) -> tuple[str, str, dict[str, str]]:
    return put_events(f"{STACK}-audit", "callseal", kind)


def audit_object(operation: str, **facts: str) -> tuple[str, str, dict[str, str]]:
    return s3(operation, AUDIT, **{"key": EVENTS_OF_AN_HOUR, "version": VERSION} | facts)


def allowed(stack: Deployed, asked: Call) -> bool:
    role = stack.role(asked.function)
    return all(role.allows(need) for need in stack.needs_of(asked))


# Which roles may not do what. Everything that is not granted is refused; these are the harmful cases. The action itself
# must be refused. It does not count if it would only fail later, for lack of permission to use the KMS key.
UNREACHABLE: dict[str, tuple[tuple[str, ...], tuple[str, str, dict[str, str]]]] = {
    # Secrets: public keys only.
    "a tenant's SFTP keys": ((*MOVERS, *KEYS, LOG, *FILES, ERASE), secret(f"{STACK}/tenants/acme/sftp-keys")),
    "a tenant's secret of another name": (ALL, secret(f"{STACK}/tenants/acme/public-key-private")),
    "a secret of the stack outside tenants/": (ALL, secret(f"{STACK}/database")),
    "another stack's tenant": (ALL, secret(f"{STACK}-prod/tenants/acme/public-key")),
    "a secret of the account": (ALL, secret("database")),
    # Settings: read, never written, and no other parameters.
    "a parameter outside tenants/": (ALL, parameter(f"/{STACK}/database-password")),
    "a tenant's parameter of another name": (ALL, parameter(f"/{STACK}/tenants/acme/password")),
    "another stack's settings": (ALL, parameter("/other/tenants/acme/settings")),
    "changing a tenant's settings": (ALL, parameter(f"/{STACK}/tenants/acme/settings", "PutParameter")),
    "where the sweep continues": ((ENCRYPT, RECHECK, *KEYS, *FRONT, READ, ERASE), table("PutItem", "sweep")),
    "a key check": ((ENCRYPT, RECHECK, *KEYS, *FRONT, READ, ERASE), invoke("check-keys")),
    "any function but the key check": (ALL, invoke("encrypt-recording")),
    # Landing: one function reads recordings, and no function writes them.
    "writing into landing": (ALL, s3("PutObject", LANDING)),
    "copying into landing": (ALL, s3("CopyObject", LANDING, source=f"{SFTP}/{WAV}")),
    "uploading into landing": (ALL, s3("CreateMultipartUpload", LANDING)),
    "reading a recording that landed": ((SWEEP, *KEYS, *FRONT, READ), s3("GetObject", LANDING)),
    "looking at what landed": ((SWEEP, *KEYS, *FRONT, READ), s3("HeadObject", LANDING)),
    "holding what landed": ((RECHECK, *KEYS, *FRONT, READ, ERASE), s3("PutObjectTagging", LANDING)),
    "deleting what landed": ((RECHECK, SWEEP, *KEYS, *FRONT, READ), s3("DeleteObject", LANDING)),
    # Outputs: written once by one function. Versions of the archive are deleted by two, and hidden by none.
    "deleting from SFTP": (tuple({*ALL} - {DISPOSE, ERASE}), s3("DeleteObject", SFTP)),
    "deleting from the archive": (ALL, s3("DeleteObject", ARCHIVE)),
    "deleting many from the archive": (ALL, s3("DeleteObjects", ARCHIVE)),
    "a delivered file's tags": (tuple({*ALL} - {ENCRYPT}), s3("PutObjectTagging", SFTP)),
    "an archived file's tags": (ALL, s3("PutObjectTagging", ARCHIVE)),
    "writing to SFTP": ((RECHECK, SWEEP, *KEYS, *FRONT, READ, ERASE), s3("PutObject", SFTP)),
    "copying to the archive": (
        (RECHECK, SWEEP, *KEYS, *FRONT, READ, ERASE),
        s3("CopyObject", ARCHIVE, source=f"{LANDING}/{WAV}"),
    ),
    # Keys: the function that judges the answers cannot make challenges, the register's writer reads no key, and so on.
    "a tenant's public key by those who need none": (
        (PROVE, REGISTER, *FRONT, READ),
        secret(f"{STACK}/tenants/acme/public-key"),
    ),
    "a challenge, by others than its maker": (
        (RECHECK, SWEEP, PROVE, REGISTER, *FRONT, READ, ERASE),
        s3("PutObject", SFTP, key=CHALLENGE),
    ),
    "reading a challenge": ((*KEYS, *FRONT, READ, ERASE), s3("GetObject", SFTP, key=CHALLENGE)),
    "an answer, by others than its judge": (
        (RECHECK, SWEEP, CHECK, REGISTER, *FRONT, READ),
        s3("DeleteObject", SFTP, key=ANSWER),
    ),
    "writing an answer": ((*KEYS, *FRONT, READ, ERASE), s3("PutObject", SFTP, key=ANSWER)),
    "reading a recording": ((*KEYS, *FRONT, READ, ERASE), s3("GetObject", SFTP)),
    "changing the register": ((*MOVERS, *FRONT, READ, ERASE), table("PutItem", "key-register")),
    "counting in the register": ((*MOVERS, CHECK, PROVE, *FRONT, READ, ERASE), table("UpdateItem", "key-register")),
    "forgetting what was counted": ((*MOVERS, PROVE, *FRONT, READ, ERASE), table("PutItem", "key-events")),
    "another table": (ALL, table("Query", "payroll")),
    # The SFTP front: it reads keys and settings, and no file.
    "a secret beside the SFTP keys": ((LOGIN,), secret(f"{STACK}/tenants/acme/sftp-keys-private")),
    "asking the register at a login": (FRONT, table("Query", "key-register")),
    "listing what tenants fetch": (FRONT, s3("ListObjectsV2", SFTP)),
    "the settings of a tenant, by the log's reader": ((LOG, *FILES), parameter(f"/{STACK}/tenants/acme/settings")),
    "an audit event by the function that faces the internet": ((LOGIN,), audit("SftpLoginRefused")),
    "settings' copies": ((*MOVERS, *KEYS, *FILES, ERASE), table("GetItem", "login-settings")),
    "changing a copy of settings": ((*MOVERS, *KEYS, LOG, *FILES, ERASE), table("PutItem", "login-settings")),
    "listing copies of settings": (ALL, table("Query", "login-settings")),
    "notices of logins": ((*MOVERS, *KEYS, *FILES, ERASE), send("login-notices")),
    # The register of delivered files: one function records events, another reports due files.
    "a file's state": ((*MOVERS, *KEYS, LOGIN, LOG, ERASE), table("PutItem", "files")),
    "reading files' states": ((*MOVERS, *KEYS, LOGIN, LOG, TRACK, ERASE), table("GetItem", "files")),
    "reading many files' states": ((*MOVERS, *KEYS, LOGIN, LOG, WATCH), table("BatchGetItem", "files")),
    # An erasure finds the rows of a call by its name.
    "a tenant's files": (tuple(one for one in ALL if one != ERASE), table("Query", "files")),
    "what is due": ((*MOVERS, *KEYS, LOGIN, LOG, TRACK, ERASE), table("Query", "files", index="due")),
    "telling of files by their tracker": ((TRACK,), audit("FileFetched")),
    "the queue of events that are to be tracked": (ALL, send("files")),
    # The cards of calls: one writes what was delivered, one what metadata says. Neither searches.
    "a call's card": (tuple({*ALL} - {INDEX, READ, KEEP, DISPOSE, ERASE, GOVERN}), table("UpdateItem", "calls")),
    "reading cards": (tuple({*ALL} - {INDEX, READ, SEARCH, ERASE, GOVERN, *LAW}), table("BatchGetItem", "calls")),
    "replacing a card, or a tenant's salt": (
        tuple({*ALL} - {READ, SEARCH, DISPOSE, GOVERN}),
        table("PutItem", "calls"),
    ),
    "searching calls": (tuple({*ALL} - {SEARCH, KEEP, GOVERN}), table("Query", "calls", index="party")),
    "listing a tenant's calls": (tuple({*ALL} - {SEARCH, GOVERN, *LAW}), table("Query", "calls", index="started")),
    "the key of the blind index": (
        tuple({*ALL} - {READ, SEARCH, OPEN, DRAW, SHARE, ERASE, GOVERN, *LAW}),
        ("kms", "GenerateMac", {"name": f"alias/{STACK}-calls"}),
    ),
    # People: each function does its part, and none of them reaches landing, SFTP, keys or queues.
    "a tenant's access by those who serve no people": (
        tuple({*ALL} - {*PEOPLE}),
        parameter(f"/{STACK}/tenants/acme/access"),
    ),
    "the archive's secret at its issuer": (tuple({*ALL} - {SIGN}), secret(f"{STACK}/oidc-client-secret")),
    "a session": (tuple({*ALL} - {SIGN, SEARCH, OPEN, DRAW, SHARE, GOVERN}), table("GetItem", "archive-sessions")),
    "ending a session": (tuple({*ALL} - {SIGN}), table("DeleteItem", "archive-sessions")),
    "accepting terms": (tuple({*ALL} - {SIGN}), table("UpdateItem", "archive-users")),
    "reading what people did": (tuple({*ALL} - {SEARCH}), table("Query", "archive-trail", index="call")),
    "changing what people did": (ALL, table("UpdateItem", "archive-trail")),
    "deleting what people did": (ALL, table("DeleteItem", "archive-trail")),
    "a share": (tuple({*ALL} - {SHARE, SERVE}), table("GetItem", "archive-shares")),
    "making a share": (tuple({*ALL} - {SHARE}), table("PutItem", "archive-shares")),
    "a waveform": (tuple({*ALL} - {DRAW}), table("GetItem", "archive-waveforms")),
    "an archived recording": (
        tuple({*ALL} - {ENCRYPT, RECHECK, SWEEP, OPEN, DRAW, SERVE}),
        s3("GetObject", ARCHIVE),
    ),
    "a sealed recording by those who need plain ones": (
        (DRAW, SHARE, SERVE),
        s3("GetObject", ARCHIVE, key=f"{WAV}.p7m"),
    ),
    "archived metadata by those who need recordings": (
        (DRAW, SERVE),
        s3("GetObject", ARCHIVE, key="acme/2026/1_1.xml"),
    ),
    "landed, delivered and key-check files by those who serve people": (PEOPLE, s3("GetObject", SFTP)),
    "what landed, by those who serve people": (PEOPLE, s3("GetObject", LANDING)),
    "writing into the archive by those who serve people": (PEOPLE, s3("PutObject", ARCHIVE)),
    "a tenant's key by those who serve people": (PEOPLE, secret(f"{STACK}/tenants/acme/public-key")),
    "mail": (tuple({*ALL} - {SHARE, SERVE}), ("sesv2", "SendEmail", {"name": "recordings@callseal.example"})),
    "mail in another's name": (ALL, ("sesv2", "SendEmail", {"name": "ceo@callseal.example"})),
    "a certificate of an erasure": (
        tuple({*ALL} - {*TRAIL, GOVERN}),
        s3("GetObject", AUDIT, key="erasures/acme/0123456789abcdef/0001-x.json"),
    ),
    "deleting a version by those who govern": ((GOVERN,), s3("DeleteObject", ARCHIVE, version=VERSION)),
    "a lock or a legal hold by those who govern": ((GOVERN,), s3("PutObjectRetention", ARCHIVE, version=VERSION)),
    "the ledger and the holds by those who do not govern": (
        tuple({*PEOPLE} - {GOVERN}),
        table("GetItem", "retention"),
    ),
    "a forged erasure request": (tuple({*ALL} - {GOVERN}), audit("ErasureRequested")),
    "a forged request to release a hold": (tuple({*ALL} - {GOVERN}), audit("HoldReleaseAsked")),
    "a forged sign-in": (tuple({*ALL} - {SIGN}), audit("ArchiveSignedIn")),
    "a forged play": (tuple({*ALL} - {OPEN}), audit("RecordingPlayed")),
    "a forged search": (tuple({*ALL} - {SEARCH}), audit("RecordingsSearched")),
    "a forged share": (tuple({*ALL} - {SHARE}), audit("ShareCreated")),
    "a forged opening of a share": (tuple({*ALL} - {SERVE}), audit("ShareOpened")),
    "a tenant's policy": ((PROVE, REGISTER, LOGIN, LOG, *FILES, *TRAIL), parameter(f"/{STACK}/tenants/acme/policy")),
    "having metadata read": (tuple({*ALL} - {ENCRYPT}), send("metadata")),
    "a call's outcome": ((*KEYS, *FRONT), table("GetItem", "calls")),
    # Disposal: one function deletes and records, and cannot read a recording. Another compares, and changes nothing.
    "what is due to be deleted": (
        tuple({*ALL} - {DISPOSE, KEEP, SEARCH}),
        table("Query", "calls", index="due"),
    ),
    "the state of a disposal": (tuple({*ALL} - {DISPOSE}), table("UpdateItem", "retention")),
    "a recording, by those who dispose and compare": ((DISPOSE, COMPARE), s3("GetObject", ARCHIVE)),
    "deleting a record of a disposal": (ALL, s3("DeleteObject", AUDIT, key="disposals/acme/x", version=VERSION)),
    "the queue of events that are to be indexed": (ALL, send("calls")),
    # The audit trail: one function locks and reads nothing, another compares and restores. No function deletes.
    "an audit object": (OTHERS, audit_object("GetObject")),
    "writing an audit object": ((*OTHERS, LOCK), audit_object("PutObject")),
    "writing outside what holds events": ((RECONCILE,), audit_object("PutObject", key="errors/x")),
    "an audit object's lock": (OTHERS, audit_object("PutObjectRetention")),
    "deleting an audit object": (ALL, audit_object("DeleteObject")),
    "hiding an audit object": (ALL, s3("DeleteObject", AUDIT, key=EVENTS_OF_AN_HOUR)),
    "listing audit objects": ((*OTHERS, LOCK), audit_object("ListObjectVersions")),
    "the audit log group": ((*OTHERS, LOCK), ("cloudwatch-logs", "FilterLogEvents", {"name": AUDIT_LOG})),
    "a function's log group": (
        ALL,
        ("cloudwatch-logs", "FilterLogEvents", {"name": f"/aws/lambda/{STACK}-encrypt-recording"}),
    ),
    "how far the comparison has come": ((*OTHERS, LOCK), parameter(f"/{STACK}/reconcile/progress", "PutParameter")),
    "an audit event by those who look after the trail": (TRAIL, audit("RecordingDelivered")),
    "the queue of objects to lock": (ALL, send("audit-lock")),
    # The law: a lock is made longer, and nothing else is done to a recording.
    "what landed, by those who keep by law": (LAW, s3("GetObject", LANDING)),
    "what tenants fetch, by those who keep by law": (LAW, s3("GetObject", SFTP)),
    "writing into the archive by those who keep by law": (LAW, s3("PutObject", ARCHIVE)),
    "a tenant's key by those who keep by law": (LAW, secret(f"{STACK}/tenants/acme/public-key")),
    "an audit event by those who lock recordings": ((KEEP,), audit("RecordingDelivered")),
    "a version in the archive": (tuple({*ALL} - {ERASE, DISPOSE}), s3("DeleteObject", ARCHIVE, version=VERSION)),
    "writing a certificate": (tuple({*ALL} - {ERASE}), s3("PutObject", AUDIT, key="erasures/acme/1/1.json")),
    "an audit event's object by those who erase": ((ERASE,), s3("PutObject", AUDIT, key=EVENTS_OF_AN_HOUR)),
    "the proof key": (tuple({*ALL} - {ERASE}), ("kms", "Sign", {"name": "proof", "message_type": "DIGEST"})),
    "a message under the proof key": (ALL, ("kms", "Sign", {"name": "proof", "message_type": "RAW"})),
    "the queue of erasures": (tuple({*ALL} - {GOVERN}), send("erasure")),
    "a forged answer of a recipient": (tuple({*ALL} - {ERASE}), audit("RecipientNotified")),
    "a lock of a recording": (tuple({*ALL} - {ENCRYPT, KEEP}), s3("PutObjectRetention", ARCHIVE, version=VERSION)),
    "a lock in another bucket": (tuple({*ALL} - {*TRAIL}), s3("PutObjectRetention", AUDIT, version=VERSION)),
    "the queue of recordings to lock": (tuple({*ALL} - {KEEP, DISPOSE, GOVERN}), send("lock")),
    # Foreign buckets, queues and busses.
    "another bucket": (ALL, s3("GetObject", "payroll")),
    "listing another bucket": (ALL, s3("ListObjectsV2", "payroll")),
    "the dead letters": (ALL, send("encrypt-dead-letters")),
    "filling the encrypt queue": (
        (ENCRYPT, RECHECK, *KEYS, *FRONT, ERASE),
        send("encrypt"),
    ),
    "filling the recheck queue": (
        (RECHECK, SWEEP, *KEYS, *FRONT, READ, ERASE),
        send("recheck"),
    ),
    "the account's default bus": (ALL, put_events("default", "callseal", "RecordingDelivered")),
    "an event in somebody else's name": (ALL, put_events(f"{STACK}-audit", "aws.s3", "RecordingDelivered")),
    "an event in nobody's name": (ALL, put_events(f"{STACK}-audit", "", "RecordingDelivered")),
    # Event types of other functions: the registers, and the choice of keys, depend on them.
    "a forged proof": (tuple({*ALL} - {PROVE}), audit("KeyProven")),
    "a forged verdict on a key": (tuple({*ALL} - {CHECK}), audit("KeyAccepted")),
    "a forged delivery": (tuple({*ALL} - {ENCRYPT, RECHECK}), audit("RecordingDelivered")),
    "a forged hold": (tuple({*ALL} - {ENCRYPT}), audit("RecordingHeld")),
    "a forged release": (tuple({*ALL} - {SWEEP, ENCRYPT}), audit("RecordingReleased")),
    "a forged erasure": (tuple({*ALL} - {ERASE}), audit("RecordingErased")),
    "a forged download": (tuple({*ALL} - {LOG}), audit("FileFetched")),
    "a forged login": (tuple({*ALL} - {LOG}), audit("SftpLogin")),
    "an event of no kind": (ALL, audit("")),
    "an event of an unknown kind": (ALL, audit("KeyRestored")),
    "two kinds at once": (ALL, audit("RecordingDelivered and RecordingHeld")),
}
REACHABLE: dict[str, tuple[str, tuple[str, str, dict[str, str]]]] = {
    "a tenant's public key": (ENCRYPT, secret(f"{STACK}/tenants/acme/public-key")),
    "a tenant's settings": (SWEEP, parameter(f"/{STACK}/tenants/acme/settings")),
    "landed metadata": (READ, s3("GetObject", LANDING, key="acme/2026/1_1.xml")),
    "landed metadata in capitals": (READ, s3("GetObject", LANDING, key="acme/2026/1_1.JSON")),
    "the key of the blind index": (READ, ("kms", "GenerateMac", {"name": f"alias/{STACK}-calls"})),
    "a tenant's salt": (READ, table("PutItem", "calls")),
    "what the policy says of a call": (ENCRYPT, table("GetItem", "calls")),
    "a version that is due": (DISPOSE, s3("DeleteObject", ARCHIVE, version=VERSION)),
    "a copy of a call that is due": (DISPOSE, s3("DeleteObject", SFTP)),
    "a record of a disposal": (DISPOSE, s3("PutObject", AUDIT, key="disposals/acme/x")),
    "a longer lock": (DISPOSE, send("lock")),
    "the progress of a comparison": (COMPARE, table("PutItem", "retention")),
    "a read file": (READ, send("encrypt")),
    "what the policy says of a call that is to be erased": (ERASE, table("GetItem", "calls")),
    "why a file is held": (ERASE, s3("GetObjectTagging", LANDING)),
    "a file that must not be kept": (ERASE, s3("DeleteObject", LANDING)),
    "an audit event of an erasure": (ERASE, audit("RecordingErased")),
    "a version that is to be erased": (ERASE, s3("DeleteObject", ARCHIVE, version=VERSION, bypass="true")),
    "a lock that stops an erasure": (ERASE, s3("HeadObject", ARCHIVE, version=VERSION)),
    "a certificate": (ERASE, s3("PutObject", AUDIT, key="erasures/acme/1/1.json")),
    "a notice": (ERASE, s3("PutObject", SFTP, key="acme/notices/erasure-1.json.p7m", tagging="x")),
    "the proof key": (ERASE, ("kms", "Sign", {"name": "proof", "message_type": "DIGEST"})),
    "a card that is to be changed": (INDEX, table("UpdateItem", "calls")),
    "what landed": (ENCRYPT, s3("GetObject", LANDING)),
    "whether what landed is gone": (RECHECK, s3("HeadObject", LANDING)),
    "a delivered output's bytes": (RECHECK, s3("GetObject", ARCHIVE)),
    "when a key changed": (RECHECK, secret(f"{STACK}/tenants/acme/public-key", "DescribeSecret")),
    "having a file rechecked": (ENCRYPT, send("recheck")),
    "a look at an output": (SWEEP, s3("HeadObject", SFTP)),
    "an output's bytes": (ENCRYPT, s3("GetObject", SFTP)),
    "what the register says": (ENCRYPT, table("Query", "key-register")),
    "a challenge": (CHECK, s3("PutObject", SFTP, key=CHALLENGE, tagging="callseal-expires=files")),
    "an output with its tag": (ENCRYPT, s3("PutObject", SFTP, tagging="callseal-expires=files")),
    "an answer": (PROVE, s3("GetObject", SFTP, key=ANSWER)),
    "a key's uses": (REGISTER, table("UpdateItem", "key-register")),
    "where the sweep continues": (SWEEP, table("PutItem", "sweep")),
    "a check of a key": (SWEEP, invoke("check-keys")),
    "whether a key was ever checked": (SWEEP, table("GetItem", "key-events")),
    "an audit event": (SWEEP, audit("RecordingReleased")),
    "a tenant's SFTP keys": (LOGIN, secret(f"{STACK}/tenants/acme/sftp-keys")),
    "a copy of a tenant's settings": (LOGIN, table("PutItem", "login-settings")),
    "a refused login": (LOGIN, send("login-notices")),
    "whether a tenant exists": (LOG, table("GetItem", "login-settings")),
    "an audit event of a login": (LOG, audit("SftpLogin")),
    "delivered files": (TRACK, table("BatchGetItem", "files")),
    "a delivered file": (TRACK, table("TransactWriteItems", "files", action="PutItem")),
    "a file that is due": (WATCH, table("Query", "files", index="due")),
    "an audit event of a file": (WATCH, audit("FileExpired")),
    "a proof": (PROVE, audit("KeyProven")),
    "a look at an audit object": (LOCK, audit_object("HeadObject")),
    "an audit object's lock": (LOCK, audit_object("PutObjectRetention")),
    "an audit object": (RECONCILE, audit_object("GetObject")),
    "a restored audit object": (RECONCILE, audit_object("PutObject", lock="GOVERNANCE")),
    "a recording's lock": (KEEP, s3("PutObjectRetention", ARCHIVE, version=VERSION)),
    "how long a recording is locked": (KEEP, s3("HeadObject", ARCHIVE, version=VERSION)),
    "a recording with its lock": (ENCRYPT, s3("PutObject", ARCHIVE, lock="GOVERNANCE")),
    "a card without an outcome": (KEEP, table("UpdateItem", "calls")),
    "the audit log group": (RECONCILE, ("cloudwatch-logs", "FilterLogEvents", {"name": AUDIT_LOG})),
}  # fmt: skip


@pytest.mark.parametrize("what", UNREACHABLE)
def test_no_role_reaches(stack: Deployed, what: str) -> None:
    functions, (service, operation, facts) = UNREACHABLE[what]
    for function in functions:
        action, *_ = stack.needs_of(call(function, service, operation, **facts))
        assert not stack.role(function).allows(action), f"{function}: {action}"


@pytest.mark.parametrize(
    ("function", "which", "operation"),
    [
        *((function, "public-key", "GetSecretValue") for function in (*MOVERS, CHECK)),
        *((function, "public-key", "DescribeSecret") for function in MOVERS),
        (LOGIN, "sftp-keys", "GetSecretValue"),
    ],
)
def test_secret_is_allowed_by_both_forms_of_its_arn(stack: Deployed, function: str, which: str, operation: str) -> None:
    """With and without the six characters of Secrets Manager: a missing secret must be "not found"."""
    service, _, facts = secret(f"{STACK}/tenants/acme/{which}", operation)
    needs = stack.needs_of(call(function, service, operation, **facts))
    assert [need.resource.rpartition("/")[2] for need in needs] == [f"{which}-AbC12x", which]
    assert [stack.role(function).allows(need) for need in needs] == [True, True]


@pytest.mark.parametrize("what", REACHABLE)
def test_role_can_do_its_own_work(stack: Deployed, what: str) -> None:
    function, (service, operation, facts) = REACHABLE[what]
    assert allowed(stack, call(function, service, operation, **facts))


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("action", ["kms:Decrypt", "kms:GenerateDataKey"])
def test_no_role_uses_the_stacks_key_except_through_s3(stack: Deployed, function: str, action: str) -> None:
    key = stack.place.keys[LANDING]
    elsewhere = frozenset({("kms:viaservice", f"secretsmanager.{REGION}.amazonaws.com")})
    assert not any(stack.role(function).allows(Need(action, key, context)) for context in (frozenset(), elsewhere))


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("bucket", [ARCHIVE, AUDIT])
def test_no_role_but_the_erasures_passes_a_lock(stack: Deployed, function: str, bucket: str) -> None:
    passing = Need("s3:BypassGovernanceRetention", f"arn:aws:s3:::{bucket}/{WAV}")
    assert stack.role(function).allows(passing) == ((function, bucket) == (ERASE, ARCHIVE))


def test_recordings_that_are_locked_cannot_be_read_by_the_locker(stack: Deployed) -> None:
    read = call(KEEP, "s3", "GetObject", bucket=ARCHIVE, key=WAV, version=VERSION)
    assert not allowed(stack, read)


@pytest.mark.parametrize("bucket", [SFTP, ARCHIVE])
def test_sweep_may_head_outputs_and_not_read_them(stack: Deployed, bucket: str) -> None:
    """S3 grants both with s3:GetObject. Only the permission to use the KMS key distinguishes them."""
    looks, reads = (
        allowed(stack, call(SWEEP, "s3", one, bucket=bucket, key=WAV)) for one in ("HeadObject", "GetObject")
    )
    assert (looks, reads) == (True, False)


@pytest.mark.parametrize("of", ["", f"/{WAV}"], ids=["by the bucket's key", "by the object"])
@pytest.mark.parametrize(
    ("bucket", "who"),
    [
        (LANDING, {ENCRYPT, PROVE, READ}),
        (SFTP, {ENCRYPT, PROVE, RECHECK}),
        (ARCHIVE, {ENCRYPT, PROVE, RECHECK, OPEN, DRAW, SERVE}),
        # The first two by a permission for the KMS key that names no bucket. They have no permission for audit objects.
        (AUDIT, {ENCRYPT, PROVE, RECONCILE, DISPOSE, GOVERN}),
    ],
)
def test_who_can_decrypt(stack: Deployed, bucket: str, who: set[str], of: str) -> None:
    """Only roles that seal recordings, read answers, hash outputs or write records may use the key that decrypts.

    The role that hashes outputs decrypts no landed file.
    """
    context = {
        ("kms:viaservice", f"s3.{REGION}.amazonaws.com"),
        ("kms:encryptioncontext:aws:s3:arn", f"arn:aws:s3:::{bucket}{of}"),
    }
    need = Need("kms:Decrypt", stack.place.keys[bucket], frozenset(context))
    # GOVERN may read certificates of erasures alone, and a recording's name is none.
    expected = who - {GOVERN} if of else who
    assert {function for function in FUNCTIONS if stack.role(function).allows(need)} == expected


def test_lock_may_head_audit_objects_and_not_read_them(stack: Deployed) -> None:
    looks, reads = (
        allowed(stack, call(LOCK, "s3", one, bucket=AUDIT, key=EVENTS_OF_AN_HOUR, version=VERSION))
        for one in ("HeadObject", "GetObject")
    )
    assert (looks, reads) == (True, False)


@pytest.mark.parametrize("function", [RECHECK, ERASE])
def test_role_may_head_landed_files_and_not_read_them(stack: Deployed, function: str) -> None:
    """For ERASE, a delete under the condition of an etag needs the permission."""
    looks, reads = (
        allowed(stack, call(function, "s3", one, bucket=LANDING, key=WAV)) for one in ("HeadObject", "GetObject")
    )
    assert (looks, reads) == (True, False)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    "need",
    [
        Need("s3:PutBucketPolicy", f"arn:aws:s3:::{SFTP}"),
        Need("s3:PutLifecycleConfiguration", f"arn:aws:s3:::{LANDING}"),
        Need("s3:PutEncryptionConfiguration", f"arn:aws:s3:::{LANDING}"),
        Need("s3:GetObjectVersion", f"arn:aws:s3:::{LANDING}/{WAV}"),
        Need("s3:BypassGovernanceRetention", f"arn:aws:s3:::{AUDIT}/audit/x"),
        Need("s3:PutObjectLegalHold", f"arn:aws:s3:::{AUDIT}/audit/x"),
        Need("s3:PutBucketObjectLockConfiguration", f"arn:aws:s3:::{AUDIT}"),
        Need("s3:GetObject", f"arn:aws:s3:::{AUDIT}/audit/x"),
        Need("logs:DeleteLogGroup", f"arn:aws:logs:{REGION}:123456789012:log-group:/{STACK}/audit:*"),
        Need("logs:PutLogEvents", f"arn:aws:logs:{REGION}:123456789012:log-group:/{STACK}/audit:log-stream:x"),
        Need("firehose:PutRecord", f"arn:aws:firehose:{REGION}:123456789012:deliverystream/{STACK}-audit"),
        Need("events:PutRule", f"arn:aws:events:{REGION}:123456789012:rule/x"),
        Need("iam:PassRole", "arn:aws:iam::123456789012:role/x"),
        Need("sts:AssumeRole", "arn:aws:iam::123456789012:role/x"),
        Need("lambda:UpdateFunctionCode", f"arn:aws:lambda:{REGION}:123456789012:function:{STACK}-encrypt-recording"),
        Need("secretsmanager:PutSecretValue",
             f"arn:aws:secretsmanager:{REGION}:123456789012:secret:{STACK}/tenants/acme/public-key-AbC12x"),
        Need("secretsmanager:ListSecrets", "*"),
    ],
    ids=lambda need: getattr(need, "action", need),
)  # fmt: skip
def test_no_role_may_change_the_rules_or_the_record(stack: Deployed, function: str, need: Need) -> None:
    if (function, need.action) == (CHECK, "secretsmanager:ListSecrets"):
        assert stack.role(function).allows(need), "the daily check finds the tenants by their secrets' names"
        return
    assert not stack.role(function).allows(need)


ANY_EVENT = {"Sid": "Anything", "Effect": "Allow", "Action": "events:*", "Resource": "*"}


@pytest.mark.parametrize("kind", ["KeyProven", "RecordingDelivered", ""])
def test_no_other_identity_of_the_account_puts_events(stack: Deployed, kind: str) -> None:
    """Within an account an identity's own policy is sufficient, unless the bus's policy denies the action."""
    (need,) = stack.needs_of(call(SWEEP, "eventbridge", "PutEvents", **audit(kind)[2]))
    (elsewhere,) = stack.needs_of(call(SWEEP, "eventbridge", "PutEvents", name="default", source="x", detail_type=kind))

    for name in ("role/Administrator", "user/operator", f"role/{STACK}-EncryptRecordingRole"):
        identity = stack.identity(name, stack.place.arn("iam", name), [ANY_EVENT])
        assert not identity.allows(need), name
        assert identity.allows(elsewhere), name


def test_the_command_puts_its_own_events(stack: Deployed) -> None:
    (need,) = stack.needs_of(call(SWEEP, "eventbridge", "PutEvents", **audit("CallsSearched")[2]))
    name = "user/operator"
    assert stack.identity(name, stack.place.arn("iam", name), [ANY_EVENT]).allows(need)
    assert not [function for function in ALL if stack.role(function).allows(need)]


def test_a_role_with_too_wide_a_policy_is_not_denied_by_the_bus(stack: Deployed) -> None:
    """A function's own policy limits it to its own event types. Here only the bus's policy is evaluated."""
    (need,) = stack.needs_of(call(PROVE, "eventbridge", "PutEvents", **audit("KeyProven")[2]))
    name = "ProveKeysRole"
    assert stack.identity(name, stack.role_arn(name), [ANY_EVENT]).allows(need)


def test_landing_sends_no_version_ids(stack: Deployed) -> None:
    """The reason why calls with a version id need no permission: `Deployed.needs_of`."""
    assert not any(stack.is_versioned(bucket) for bucket in (LANDING, SFTP))
    versioned = call(ENCRYPT, *s3("GetObject", LANDING, version="v")[:2], bucket=LANDING, key=WAV, version="v")
    assert stack.needs_of(versioned) == []


def test_the_roles_are_those_of_all_functions() -> None:
    assert set(FUNCTIONS) == {app.parent.name for app in (TEMPLATE.parent / "functions").glob("*/app.py")}
