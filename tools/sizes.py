"""Measure what was built against Lambda's limit: a function and its layers, unzipped, within 250 MB.

No code is stripped from the libraries: all of them are a small part of the limit, and a module that is not imported
costs no time at a cold start. (The SDK's models do: see trim_sdk.py.)
"""

from __future__ import annotations

import sys

from built import Artifact

LIMIT = 262_144_000
MEGABYTE = 1024 * 1024


def report(made: list[Artifact]) -> int:
    """Print the table; return 1 where a function cannot be deployed for its size."""
    sizes = {artifact.name: artifact.size for artifact in made}
    layers = sum(sizes[artifact.name] for artifact in made if artifact.kind == "layer")
    biggest = layers + max((sizes[artifact.name] for artifact in made if artifact.kind == "function"), default=0)
    for artifact in made:
        print(row(f"{artifact.kind} {artifact.name}", sizes[artifact.name]))
    # Every function carries every layer: template.yaml names them in Globals.
    print(row("biggest function with its layers", biggest), f"of {LIMIT // MEGABYTE} MB")
    return verdict(biggest)


def row(label: str, size: int) -> str:
    """Write one line of the table."""
    return f"{label:<40} {size / MEGABYTE:>8.2f} MB"


def verdict(biggest: int) -> int:
    """Return the exit code, and say on stderr what to do where it is 1."""
    if biggest <= LIMIT:
        return 0
    print(
        f"A function with its layers is {biggest / MEGABYTE:.0f} MB unzipped, and Lambda takes"
        f" {LIMIT // MEGABYTE} MB at most: remove a library from layers/dependencies/requirements.in.",
        file=sys.stderr,
    )
    return 1
