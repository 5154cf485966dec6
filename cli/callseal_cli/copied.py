"""What becomes of each file of a copy on request, and the manifest of those that were copied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

MISSING, PENDING = "FileMissing", "ErasurePending"


@dataclass(frozen=True, slots=True)
class Left:
    """A file that is not copied or shared, and why. `file` is its number within the call, None for the whole call."""

    call: str
    file: int | None
    code: str

    def public(self) -> dict[str, Any]:
        """Return the members that the command shows."""
        return {"call": self.call, "file": self.file, "code": self.code}


@dataclass(frozen=True, slots=True)
class Copied:
    """A copy: its name within the folder of the request."""

    call: str
    name: str
    size: int
    sha256: str
    sealed: str

    def public(self) -> dict[str, Any]:
        """Return the members that the command shows."""
        return {name: getattr(self, name) for name in self.__slots__}


def manifest(copied: Sequence[Copied]) -> bytes:
    """Return the manifest's bytes, in the form of sha256sum."""
    return "".join(_line(each) for each in sorted(copied, key=lambda each: each.name)).encode()


def _line(copied: Copied) -> str:
    """Return the line of a file. A name with a backslash is escaped, and its line begins with one."""
    escaped = copied.name.replace("\\", "\\\\")
    mark = "\\" if escaped != copied.name else ""
    return f"{mark}{copied.sha256}  {escaped}\n"
