"""Logins: what AWS Transfer Family does with an identity function.

https://docs.aws.amazon.com/transfer/latest/userguide/custom-lambda-idp.html
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from localcloud.runtime import Result
from localcloud.sftp.policy import SessionPolicy
from localcloud.sftp.sessions import Session

Invoke = Callable[[Mapping[str, Any]], Result]
Answer = Mapping[str, Any]


@dataclass(frozen=True)
class Login:
    """An attempt to log in: with a public key (its Base64 text) or with a password."""

    user: str
    peer: str
    session_id: str
    public_key: str | None = None
    password: str = ""

    @property
    def method(self) -> str:
        """SSH's name of the authentication method."""
        return "password" if self.public_key is None else "publickey"


def question(login: Login, server_id: str) -> dict[str, str]:
    """Return the event that the identity function gets."""
    return {
        "username": login.user,
        "password": login.password,
        "protocol": "SFTP",
        "serverId": server_id,
        "sourceIp": login.peer,
    }


def decide(login: Login, answer: Answer) -> Session | str:
    """Return the session that the identity function's answer opens, or the reason against it."""
    if not answer.get("Role"):
        return "The user is unrecognized"
    if login.public_key is None or login.public_key not in [key.split(" ")[1] for key in answer["PublicKeys"]]:
        return "None of the user's public keys is the one offered"
    (home,) = json.loads(answer["HomeDirectoryDetails"])
    bucket, _, folder = home["Target"].removeprefix("/").partition("/")
    return Session(login.user, bucket, folder, SessionPolicy(answer["Policy"]), login.session_id, login.peer)


def ask(login: Login, server_id: str, invoke: Invoke) -> Session | str:
    """Ask the identity function about a login; a function that fails, or answers something else, lets nobody in."""
    answer = invoke(question(login, server_id)).payload
    return decide(login, answer if isinstance(answer, dict) else {})
