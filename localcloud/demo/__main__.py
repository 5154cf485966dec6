"""The chapters of `make demo`. Exit code 0 if every check succeeded, otherwise 1."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterable
from contextlib import closing
from datetime import timedelta
from itertools import chain
from pathlib import Path
from time import monotonic

from callseal.core.errors import Reason
from callseal.core.formats import ENVELOPES, MEDIA_TYPES
from localcloud.cloud import PROJECT, LocalCloud
from localcloud.demo.archive import ArchiveError, show_archive
from localcloud.demo.calls import show_calls
from localcloud.demo.command import CommandError
from localcloud.demo.fetching import Fetched, FetchingError, fetch, make_key
from localcloud.demo.found import audit_row, open_file
from localcloud.demo.law import show_law
from localcloud.demo.locked import show_locked_copy
from localcloud.demo.operator import Operator
from localcloud.demo.screen import Screen
from localcloud.demo.tenants import OpeningError, OpenPgpTenant, Tenant, X509Tenant
from localcloud.errors import LocalCloudError
from localcloud.http.client import SignInError

SAMPLES = PROJECT / "tests" / "samples"
FILES = sorted(path for path in SAMPLES.iterdir() if path.suffix.removeprefix(".") in MEDIA_TYPES)
PATIENCE_SECONDS = 60
DEMO_ERRORS = (ArchiveError, CommandError, OpeningError, FetchingError, LocalCloudError, SignInError, TimeoutError)
BOTH = {"deliver_to_archive": True, "archive_formats": ["wav", "mp3"], "metadata_profile": "puzzel"}


class Demo:
    """The demo: one cloud, its tenants, and the checks so far, each with how many results are right."""

    def __init__(self, cloud: LocalCloud, screen: Screen, folder: Path) -> None:
        self.cloud, self.screen, self.operator = cloud, screen, Operator(cloud)
        only_sftp, plain = {**BOTH, "only_encrypt_sftp": True}, {**BOTH, "encrypt": False}
        self.nordlys = X509Tenant("nordlys", folder, BOTH, "everything sealed, to SFTP and archive")
        self.fjordbank = OpenPgpTenant("fjordbank", folder, only_sftp, "'Only encrypt recordings to FTP'")
        self.kystradio = Tenant("kystradio", folder, plain, "no encryption at all")
        self.brattvik = X509Tenant("brattvik", folder, {}, "its certificate expired yesterday")
        self.havbank = X509Tenant("havbank", folder, only_sftp, "a policy for its calls")
        # Its recordings' deadlines are shown last, because the clock is put ahead for them.
        self.fjellheim = X509Tenant("fjellheim", folder, BOTH, "locks, holds and erasures")
        self.good = (self.nordlys, self.fjordbank, self.kystradio)
        self.tenants = (*self.good, self.brattvik)
        self.fetched: dict[str, Fetched] = {}
        self.checks: list[tuple[str, int, int]] = []

    def run(self) -> bool:
        """Run all chapters. Return whether every check succeeded."""
        self.add_tenants()
        self.land()
        self.show_arrivals()
        self.fetch_by_sftp()
        self.open_deliveries()
        self.replace_expired_key()
        self.show_calls()
        self.show_audit()
        for what, results in show_law(self.operator, self.screen, self.fjellheim, SAMPLES):
            self._check(what, results)
        return self.sum_up()

    def add_tenants(self) -> None:
        """Add four tenants, as an operator does."""
        self.screen.chapter(
            "Four tenants are added",
            "Each sends its PUBLIC key. An operator pastes it into Secrets Manager, and the settings into Parameter "
            "Store. The private halves never leave the tenants.",
        )
        with self.screen.waiting("The tenants generate their keys"):
            for tenant in self.good:
                self.operator.add(tenant, tenant.public_key())
            self.operator.add(self.brattvik, self.brattvik.certificate(valid_for=timedelta(days=-1)))
        rows = [(tenant.name, tenant.key_kind, tenant.about, tenant.settings_text) for tenant in self.tenants]
        self.screen.table(("tenant", "key", "what it wants", "settings"), rows)

    def land(self) -> None:
        """Upload the recordings and their XML to landing."""
        self.screen.chapter(
            "Calls end, and the platform uploads recordings and metadata to the landing bucket",
            "Everything after this is automatic: the bucket announces each file, and a function processes it.",
        )
        for tenant in self.tenants:
            for path in FILES:
                self.operator.land(tenant, path)
        self.screen.table(("file", "bytes"), [(f"<tenant>/{path.name}", path.stat().st_size) for path in FILES])
        with self.screen.waiting("Callseal seals and delivers"):
            self.cloud.wait_until_idle(PATIENCE_SECONDS)

    def show_arrivals(self) -> None:
        """Show where each file arrived."""
        self.screen.chapter("What arrived where")
        rows = []
        for tenant in self.tenants:
            found = [self._states(f"{tenant.name}/{path.name}") for path in FILES]
            self._check(f"{tenant.name}: every file is where its settings say, and nowhere else",
                        (row[1:] == self._wanted(tenant) for row in found))  # fmt: skip
            rows += found
        self.screen.table(("landed file", "SFTP (the tenant fetches)", "archive", "landing (not delivered)"), rows)

    def fetch_by_sftp(self) -> None:
        """Let each tenant fetch its files with its own SSH key."""
        self.screen.chapter(
            "The tenants fetch by SFTP",
            "Each sent the public half of an SSH key. The identity function answers the local server as it answers "
            "Transfer Family in AWS, and its session policy holds each tenant to its own folder.",
        )
        for tenant in self.tenants:
            self.operator.add_ssh_key(tenant, make_key(tenant.folder))
        commands = [self._fetch(tenant).command for tenant in self.good]
        self.screen.say(f"$ {commands[0]}")
        self.screen.table(("tenant", "fetched"), [(t.name, len(self.fetched[t.name].files)) for t in self.good])
        self._check("a tenant's key opens no other tenant's folder",
                    [not fetch(self.cloud, self.fjordbank.name, self.nordlys.folder).files])  # fmt: skip

    def open_deliveries(self) -> None:
        """Open every file with its tenant's own tools, and compare it with the recording."""
        self.screen.chapter(
            "The tenants open their files with their own tools",
            "Stock openssl and gpg, with the tenants' private keys. The bytes are compared with the recordings.",
        )
        self._open_all(self.good, ("Sftp", "Archive"))

    def replace_expired_key(self) -> None:
        """Show the held files, replace the key as an operator does, and wait for the delivery."""
        name = self.brattvik.name
        self.screen.chapter(f"And {name}, whose certificate has expired? Held: not lost, not sent in the clear")
        held = self.operator.held(self.brattvik)
        self.screen.say(f"Why: {held[0]['message']}" if held else "No audit event has the reason.")
        expired = {detail["source"]["key"] for detail in held if detail["reason"] == Reason.KEY_EXPIRED}
        self._check(f"{name}: held, with the true reason in the audit trail",
                    (f"{name}/{path.name}" in expired for path in FILES))  # fmt: skip
        self.screen.say("The operator pastes the new key that the tenant sends. Nothing else is needed.")
        started = monotonic()
        self.operator.replace_key(self.brattvik, self.brattvik.public_key())
        with self.screen.waiting("Callseal notices the new key and requeues the held files"):
            self.operator.wait_for_empty_landing(self.brattvik, PATIENCE_SECONDS)
        self.screen.say(f"Delivered {monotonic() - started:.1f} s after the key was replaced.")
        self._fetch(self.brattvik)
        self._open_all((self.brattvik,), ("Sftp",))

    def show_calls(self) -> None:
        """Show what a policy does, a search on blind cards, and people who use the archive."""
        calls = show_calls(self.operator, self.screen, SAMPLES, self.havbank, self.nordlys)
        for what, results in chain(calls, show_archive(self.operator, self.screen, self.havbank, SAMPLES)):
            self._check(what, results)

    def show_audit(self) -> None:
        """Show the audit trail, and that its locked copy is complete and cannot be deleted."""
        self.screen.chapter("The audit trail", f"From the log group {self.cloud.outputs['AuditLogGroupName']}.")
        events = self.operator.audit()
        columns = ("time", "event", "landed file", "outputs", "sealed to (fingerprint)", "reason")
        self.screen.table(columns, [audit_row(event) for event in events])
        delivered = {e["detail"]["source"]["key"] for e in events if e["detail-type"] == "RecordingDelivered"}
        landed = [f"{tenant.name}/{path.name}" for tenant in self.tenants for path in FILES]
        self._check("the audit trail accounts for every recording and its XML", (key in delivered for key in landed))
        for what, results in show_locked_copy(self.cloud, self.screen, [event["id"] for event in events]):
            self._check(what, results)

    def sum_up(self) -> bool:
        """Show all checks. Return whether every one succeeded."""
        self.screen.chapter("Summary")
        self._check("the dead-letter queue is empty", [self.operator.dead_letters() == 0])
        rows = [(what, right, of, "yes" if right == of and of else "NO") for what, right, of in self.checks]
        self.screen.table(("what was checked", "right", "of", "all right"), rows)
        return all(right == of and of for _, right, of in self.checks)

    def _check(self, what: str, results: Iterable[bool]) -> None:
        found = list(results)
        self.checks.append((what, sum(found), len(found)))

    def _states(self, file: str) -> tuple[str, ...]:
        return (file, *(self.operator.state(bucket, file) for bucket in ("Sftp", "Archive", "Landing")))

    def _wanted(self, tenant: Tenant) -> tuple[str, str, str]:
        """Return the expected states of a tenant's file: SFTP, archive, landing."""
        return {
            self.nordlys: (f"sealed {ENVELOPES['cms'].suffix}", f"sealed {ENVELOPES['cms'].suffix}", "-"),
            self.fjordbank: (f"sealed {ENVELOPES['openpgp'].suffix}", "plain", "-"),
            self.kystradio: ("plain", "plain", "-"),
            self.brattvik: ("-", "-", f"held {Reason.KEY_EXPIRED}"),
        }[tenant]

    def _open_all(self, tenants: Iterable[Tenant], buckets: Iterable[str]) -> None:
        rows: list[tuple[object, ...]] = []
        commands: dict[str, str] = {}
        for tenant, bucket in [(tenant, bucket) for tenant in tenants for bucket in buckets]:
            stored = self.fetched[tenant.name].files if bucket == "Sftp" else self.operator.files(bucket, tenant)
            found = [open_file(tenant, stored, path) for path in FILES]
            place = "SFTP" if bucket == "Sftp" else "archive"
            self._check(f"{tenant.name}: opened from {place}, byte for byte what was recorded",
                        (file.same for file in found))  # fmt: skip
            rows += [(tenant.name, place, *file.row) for file in found]
            commands.update({file.tool: file.command for file in reversed(found) if file.command})
        for command in commands.values():
            self.screen.say(f"$ {command}")
        self.screen.table(("tenant", "from", "file", "bytes", "opened with", "same bytes"), rows)

    def _fetch(self, tenant: Tenant) -> Fetched:
        self.fetched[tenant.name] = fetched = fetch(self.cloud, tenant.name, tenant.folder)
        wanted = {key.rpartition("/")[2] for key in self.operator.keys("Sftp", f"{tenant.name}/")}
        self._check(f"{tenant.name}: fetched by SFTP all that was delivered", [set(fetched.files) == wanted != set()])
        return fetched


def main() -> int:
    """Run the demo and return the exit code."""
    screen, started = Screen(), monotonic()
    screen.title(
        "Callseal seals call recordings to their tenant's own public key the moment they land.",
        "This is the whole system on this one machine: template.yaml on an emulated AWS, its functions as processes.",
    )
    if not shutil.which("gpg") or not shutil.which("gpgconf"):
        screen.warn("The demo failed: gpg is not installed. Install GnuPG (Debian: apt-get install gnupg).")
        return 1
    try:
        with tempfile.TemporaryDirectory(prefix="cs-") as folder:
            right = _run(screen, Path(folder))
    except DEMO_ERRORS as exc:
        screen.warn(f"The demo failed: {exc}")
        return 1
    except Exception as exc:  # noqa: BLE001  # a demo ends with a sentence, whatever happens
        screen.warn(f"The demo failed with an unexpected error: {type(exc).__name__}: {exc}")
        return 1
    if not right:
        screen.warn("Some checks failed: see the rows that say NO.")
        return 1
    screen.say(f"All checks succeeded, in {monotonic() - started:.0f} s. Next: README.md.")
    return 0


def _run(screen: Screen, folder: Path) -> bool:
    screen.say("The local cloud starts: it reads template.yaml and creates its resources.")
    with LocalCloud(state_dir=folder / "state") as cloud:
        cloud.prewarm()
        screen.say(f"{len(cloud.created)} resources were created. `make local` lists what only AWS has.")
        demo = Demo(cloud, screen, folder)
        with closing(demo.fjordbank):
            return demo.run()


if __name__ == "__main__":
    sys.exit(main())
