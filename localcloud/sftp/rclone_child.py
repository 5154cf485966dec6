"""Run rclone, and take it down when the parent goes, however that goes: it ends when its standard input closes.

Started as a script. Announces as one JSON line on standard output on which port rclone serves; what rclone logs goes to
standard error.
"""

import json
import os
import re
import signal
import subprocess
import sys
import threading

_LISTENING = re.compile(r"SFTP server listening on [^ ]*:(\d+)$")


def main(command: list[str]) -> None:
    """Serve until the parent closes the pipe or rclone ends."""
    rclone = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    assert rclone.stderr  # noqa: S101  # for the types: it is a pipe
    for raw in rclone.stderr:
        line = raw.decode(errors="replace").rstrip("\n")
        if found := _LISTENING.search(line):
            print(json.dumps({"port": int(found[1]), "pid": rclone.pid}), flush=True)
        print(line, file=sys.stderr, flush=True)
    sys.exit(rclone.wait())


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1:])
