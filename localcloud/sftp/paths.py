"""Paths of a session: what the client sees, and the keys in the bucket; pure functions.

Homes are logical, as in Transfer Family: "/" is the home, and no path leads out of it.
https://docs.aws.amazon.com/transfer/latest/userguide/logical-dir-mappings.html
"""

import posixpath


def absolute(path: bytes) -> str:
    """Return a client's path as an absolute one without "." and ".." segments; raise UnicodeDecodeError."""
    return "/" + posixpath.normpath("/" + path.decode()).lstrip("/")


def object_key(home: str, path: bytes) -> str:
    """Return the key of the object at a path; the home itself is `home` + "/", which no object has."""
    return f"{home}{absolute(path)}"


def folder_prefix(home: str, path: bytes) -> str:
    """Return the prefix of the keys in the folder at a path, with its slash at the end."""
    return object_key(home, path).rstrip("/") + "/"


def is_listable(name: str) -> bool:
    """Return whether a client can ask for a name of a listing: "", "." and ".." would name another place."""
    return name not in ("", ".", "..") and "/" not in name
