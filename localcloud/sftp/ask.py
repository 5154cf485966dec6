"""Ask the local cloud whether a login is good: rclone starts this for each, and speaks JSON on its standard streams.

Started as a script, with nothing but the standard library, since each login waits for it. Arguments: the port on
127.0.0.1 and the file with the word that opens it. Nothing on standard output and exit status 1 mean no.
"""

import socket
import sys
from pathlib import Path


def main(port: int, word: Path) -> int:
    """Pass the question on, and the answer back."""
    question = sys.stdin.buffer.read().replace(b"\n", b" ")
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(word.read_bytes() + b"\n" + question + b"\n")
        answer = connection.makefile("rb").read()
    sys.stdout.buffer.write(answer)
    return 0 if answer else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), Path(sys.argv[2])))
