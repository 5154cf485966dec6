"""Copy the copyright notices of the layer's files: GnuPG is GPL-3, its libraries are LGPL and others.

Debian keeps notices in /usr/share/doc/<package>/copyright, and the texts of licences in /usr/share/common-licenses.
Fedora and its relatives keep notices in /usr/share/licenses/<package>.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

DOC = Path("/usr/share/doc")
RPM_LICENSES = Path("/usr/share/licenses")
COMMON_LICENSE = re.compile(r"/usr/share/common-licenses/[A-Za-z]+(?:-[\d.]*\d)?")


def copy_notices(files: list[Path], layer: Path) -> list[str]:
    """Copy the notice of each file's package into share/doc. Return the names of the files without a notice."""
    notices = {file: find_notices(package_of(file)) for file in files}
    for found in notices.values():
        for notice in found:
            copy_notice(notice, layer)
    return [file.name for file, found in notices.items() if not found]


@cache
def package_of(file: Path) -> str:
    """Return the package that owns a file, or "" if neither dpkg nor rpm knows it."""
    file = file.resolve()
    # A pattern, because dpkg may have registered /usr/lib/x as /lib/x.
    for line in output_of(["dpkg", "-S", f"*/{file.name}"]).splitlines():
        package, _, owned = line.partition(": ")
        if Path(owned).resolve() == file:
            return package.split(":")[0]
    return output_of(["rpm", "-qf", "--queryformat", "%{NAME}", str(file)])


def version_of(package: str) -> str:
    """Return a package's version as the distribution writes it, or "" if neither dpkg nor rpm knows it."""
    if not package:
        return ""
    return output_of(["dpkg-query", "-W", "-f", "${Version}", package]) or output_of(
        ["rpm", "-q", "--queryformat", "%{VERSION}-%{RELEASE}", package]
    )


def output_of(command: list[str]) -> str:
    """Return a command's output, or "" if it fails or does not exist."""
    if not shutil.which(command[0]):
        return ""
    ran = subprocess.run(command, capture_output=True, text=True)
    return "" if ran.returncode else ran.stdout


def find_notices(package: str) -> list[Path]:
    """Return the files with a package's notices on this machine."""
    if not package:
        return []
    candidates = [DOC / package / "copyright", *sorted((RPM_LICENSES / package).glob("*"))]
    return [notice for notice in candidates if notice.is_file()]


def copy_notice(notice: Path, layer: Path) -> None:
    """Copy a notice, and the text of each licence in /usr/share/common-licenses that it refers to."""
    referred = {Path(name) for name in COMMON_LICENSE.findall(notice.read_text(errors="replace"))}
    copy_text(notice, layer / "share/doc" / notice.parent.name / notice.name)
    for text in referred:
        if text.is_file():
            copy_text(text, layer / "share/common-licenses" / text.name)


def copy_text(source: Path, target: Path) -> None:
    """Copy a file. Its folder is created if necessary."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
