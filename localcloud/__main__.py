"""`make local`: run the local cloud in the foreground until Ctrl-C."""

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.text import Text

from callseal.tenants.names import key_secret, settings_parameter, sftp_keys_secret, tenants_prefix
from localcloud.cloud import DEFAULT_REGION, DEFAULT_STACK_NAME, LocalCloud
from localcloud.errors import LocalCloudError

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_POLL_SECONDS = 0.2
_console = Console(highlight=False, soft_wrap=True)


class _Ended(BaseException):
    """A signal has ended the local cloud, during its start or later."""


class _Ending:
    """Handles the signals that end the local cloud: the first one raises _Ended, later ones are ignored."""

    def __init__(self) -> None:
        self.begun = False
        for number in _SIGNALS:
            # nohup ignores SIGHUP on purpose. A script's `&` ignores SIGINT, too, which would leave only SIGTERM.
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._begin)

    def _begin(self, _number: int, _frame: FrameType | None) -> None:
        # A second Ctrl-C must not interrupt the cleanup.
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        # Python ignores exceptions in some places (a destructor). This flag is not lost there.
        self.begun = True
        raise _Ended


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGINT, SIGTERM or SIGHUP. Return 0, or 1 after an error that was printed as one sentence."""
    options = _parser().parse_args(arguments)
    ending = _Ending()
    cloud = LocalCloud(
        stack_name=options.stack_name,
        region=options.region,
        parameters=dict(options.parameter),
        state_dir=options.state_dir,
        port=options.port,
        sftp_port=options.sftp_port,
        http_port=options.http_port,
        on_line=_show_line,
    )
    try:
        with cloud:
            _show_start(cloud)
            # Not signal.pause(): it would miss a signal that arrives just before it.
            while not ending.begun:
                time.sleep(_POLL_SECONDS)
            raise _Ended
    except _Ended:
        _say("The local cloud has ended.")
    except LocalCloudError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m localcloud", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port of moto's server on 127.0.0.1 (default: a free one)")
    parser.add_argument("--sftp-port", type=int, default=0,
                        help="port of the SFTP front on 127.0.0.1 (default: a free one)")  # fmt: skip
    parser.add_argument("--http-port", type=int, default=0,
                        help="port of the archive on 127.0.0.1 (default: a free one)")  # fmt: skip
    parser.add_argument("--stack-name", default=DEFAULT_STACK_NAME, help="name of the stack (default: %(default)s)")
    parser.add_argument("--region", default=DEFAULT_REGION, help="AWS region to emulate (default: %(default)s)")
    parser.add_argument("--state-dir", type=Path, help="folder for outputs.json and the logs (default: .local)")
    parser.add_argument("--parameter", type=_assignment, action="append", default=[], metavar="NAME=VALUE",
                        help="a parameter of the template; may be repeated")  # fmt: skip
    return parser


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def _show_start(cloud: LocalCloud) -> None:
    _say("Created on the local cloud:", "bold")
    for created in cloud.created:
        _say(f"  {created.logical_id}  {created.type}")
    _say("Left out, and why:", "bold")
    for left_out in cloud.left_out:
        _say(f"  {left_out.what}: {left_out.why}")
    _say("Outputs:", "bold")
    for name, value in cloud.outputs.items():
        _say(f"  {name}  {value}")
    _show_usage(cloud)


def _show_usage(cloud: LocalCloud) -> None:
    _say("Use it from another terminal, with the AWS CLI or any SDK:", "bold")
    _say(f"  export AWS_ENDPOINT_URL={cloud.endpoint_url} AWS_REGION={cloud.region}"
         " AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local")  # fmt: skip
    prefix = tenants_prefix(cloud.stack_name)
    _say(
        f"  aws secretsmanager create-secret --name {key_secret(prefix, 'acme')} --secret-string file://acme.pem &&"
        f" aws ssm put-parameter --name {settings_parameter(prefix, 'acme')} --type String --value '{{}}'"
    )
    if "SftpPort" in cloud.outputs:
        _say(f"  aws secretsmanager create-secret --name {sftp_keys_secret(prefix, 'acme')}"
             " --secret-string file://id_ed25519.pub")  # fmt: skip
        known_hosts = cloud.state_dir / "sftp" / "known_hosts"
        address = f"-P {cloud.outputs['SftpPort']} acme@{cloud.outputs['SftpHost']}"
        _say(f"  sftp -i id_ed25519 -o UserKnownHostsFile={known_hosts} {address}")
    _say(f"  aws s3 cp call_1.wav s3://{cloud.outputs.get('LandingBucketName', 'BUCKET')}/acme/call_1.wav")
    if "ArchiveUrl" in cloud.outputs:
        _say(f"The archive, in a browser: {cloud.outputs['ArchiveUrl']}", "bold")
    _say(f"Ready at {cloud.endpoint_url}. Ctrl-C ends it and deletes everything stored here.", "bold green")


def _show_line(logical_id: str, line: str) -> None:
    _console.print(Text.assemble((logical_id, "cyan"), "  ", line))


def _say(line: str, style: str = "") -> None:
    # Text and not markup, because a name or a reason may contain square brackets.
    _console.print(Text(line, style=style))


if __name__ == "__main__":
    sys.exit(main())
