"""Checks of SFTP: the tenant fetches its files with OpenSSH's sftp, from AWS Transfer Family or the local front."""

from __future__ import annotations

import shutil
import subprocess

from callseal.sftp.file_state import FETCHED
from callseal_cli import delivered
from callseal_cli.errors import CannotError
from callseal_cli.selftest import observe
from callseal_cli.selftest.model import CheckFailedError, NotTriedError, Wait, check
from callseal_cli.selftest.trial import GCM, Trial
from callseal_cli.stack import Stack

PORT = "22"


@check(
    "SFTP listing",
    seconds=45,
    means="The server does not answer, or refuses the tenant's key or its folder.",
    look="A tenant cannot log in",
    needs=("sealed as CMS, GCM",),
    only_aws="that the session policy allows the ListBucket requests of Transfer Family",
)
def listing(trial: Trial, wait: Wait) -> str:
    """The tenant logs in with its SSH key and sees its files, and nothing else."""
    expected = {_name(output) for output in trial[GCM].sealed.values()}
    done = wait.until(lambda: _listed(trial, wait, expected)) or _sftp(trial, wait, "ls -1")
    if done.returncode:
        raise CheckFailedError(f"sftp ended with {done.returncode}: {_last_line(done.stderr)}")
    found = set(done.stdout.split())
    if not expected <= found:
        raise CheckFailedError(f"The tenant sees {', '.join(sorted(found)) or 'nothing'}, not all of its files.")
    return f"The tenant sees its {len(expected)} files."


@check(
    "SFTP fetch",
    seconds=45,
    means="Tenants see their files and cannot fetch them.",
    look="A tenant cannot log in",
    needs=("SFTP listing",),
)
def fetch(trial: Trial, wait: Wait) -> str:
    """The tenant fetches the recording and receives the bytes that are in the SFTP bucket."""
    canary = trial[GCM]
    output, into = canary.sealed[canary.recording], trial.folder / "fetched"
    done = _sftp(trial, wait, f"get {_name(output)} {into.name}")
    if done.returncode or not into.exists():
        raise CheckFailedError(f"sftp ended with {done.returncode}: {_last_line(done.stderr)}")
    data = into.read_bytes()
    if data != observe.read(trial.stack, "SftpBucketName", output):
        raise CheckFailedError(f"The fetched {output} differs from the object in the SFTP bucket.")
    return f"The tenant received the same {len(data)} bytes."


@check(
    "fetched state",
    seconds=60,
    means="Every file that tenants fetch is reported as unfetched, and later as expired.",
    look="The file register lags",
    needs=("SFTP fetch",),
    only_aws="which path Transfer Family reports for a completed download",
)
def fetched(trial: Trial, wait: Wait) -> str:
    """`callseal files list` shows the fetched recording as fetched."""
    canary = trial[GCM]
    output = canary.sealed[canary.recording]

    def states() -> dict[str, str]:
        files = delivered.files(trial.stack, observe.quiet(), canary.tenant)
        return {file["key"]: file["state"] for file in files}

    wait.until(lambda: states().get(output) == FETCHED)
    if (state := states().get(output)) != FETCHED:
        raise CheckFailedError(f"After {wait.passed:.0f} s {output} is {state or 'not in the register'}.")
    return "The file register has it as fetched."


@check("rejected connection", seconds=1, means="", look="A tenant cannot log in")
def rejected_connection(trial: Trial, wait: Wait) -> str:  # noqa: ARG001  # every check has both parameters
    """A connection that the server rejects before any login is in the audit."""
    raise NotTriedError("A client cannot provoke it: only limits of Transfer Family itself cause it.")


def require_client(stack: Stack) -> None:
    """Raise CannotError if the stack has an SFTP front and this machine has no client."""
    if _front(stack) and not shutil.which("sftp"):
        raise CannotError(
            "The selftest fetches with OpenSSH's sftp, which is not installed. Install the OpenSSH client."
        )


def _front(stack: Stack) -> tuple[str, str] | None:
    """Return host and port of the SFTP front, or None if the stack has none."""
    if stack.is_local:
        return (stack.outputs["SftpHost"], stack.outputs["SftpPort"]) if "SftpPort" in stack.outputs else None
    return (stack.outputs["SftpEndpoint"], PORT) if "SftpEndpoint" in stack.outputs else None


def _listed(trial: Trial, wait: Wait, expected: set[str]) -> subprocess.CompletedProcess[str] | None:
    """Run `ls` once. Return the finished process if it lists all expected files, else None."""
    done = _sftp(trial, wait, "ls -1")
    return done if not done.returncode and expected <= set(done.stdout.split()) else None


def _sftp(trial: Trial, wait: Wait, batch: str) -> subprocess.CompletedProcess[str]:
    """Run one sftp command. Raise NotTriedError without a front, or CheckFailedError at a timeout."""
    front = _front(trial.stack)
    if not front:
        raise NotTriedError("The stack has no SFTP front (SftpFront=none; locally, no .local/outputs.json).")
    options = {
        "BatchMode": "yes", "IdentitiesOnly": "yes", "IdentityAgent": "none", "ConnectTimeout": "15",
        # The host key is unknown on this machine, but a fetched file opens with the canary's key only.
        "StrictHostKeyChecking": "accept-new", "UserKnownHostsFile": str(trial.folder / "known_hosts"),
    }  # fmt: skip
    flags = [f"-o{name}={value}" for name, value in options.items()]
    command = ["sftp", "-F", "none", "-q", "-P", front[1], "-i", str(trial.ssh_key), *flags, "-b", "-"]
    try:
        # Signals as they are here: Python ignores SIGPIPE. With its default, sftp may write to an ssh that has ended,
        # and is killed before it reports why.
        return subprocess.run(
            [*command, f"{trial[GCM].tenant}@{front[0]}"], input=f"{batch}\n", capture_output=True, text=True,
            cwd=trial.folder, check=False, timeout=max(wait.left, 5), start_new_session=True, restore_signals=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as exc:
        raise CheckFailedError(f"sftp has not ended after {exc.timeout:.0f} s.") from exc


def _name(output: str) -> str:
    return output.rpartition("/")[2]


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it printed nothing."])[-1]
