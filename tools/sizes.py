"""Check the size of the build: a function and its layers may have 250 MB unzipped.

No code is removed from the libraries: all of them are a small part of the limit, and a module that is not imported
costs no time at a cold start. The SDK's models do cost time (see trim_sdk.py).
"""

from __future__ import annotations

import sys

from built import Artifact

LIMIT = 262_144_000
MEGABYTE = 1024 * 1024


def report(made: list[Artifact]) -> int:
    """Print the table of sizes. Return the exit code, 1 if a function is too large to deploy."""
    sizes = {artifact.name: artifact.size for artifact in made}
    layers = sum(sizes[artifact.name] for artifact in made if artifact.kind == "layer")
    biggest = layers + max((sizes[artifact.name] for artifact in made if artifact.kind == "function"), default=0)
    for artifact in made:
        print(row(f"{artifact.kind} {artifact.name}", sizes[artifact.name]))
    # Every function has every layer: template.yaml lists them in Globals.
    print(row("biggest function with its layers", biggest), f"of {LIMIT // MEGABYTE} MB")
    return verdict(biggest)


def row(label: str, size: int) -> str:
    """Return one line of the table."""
    return f"{label:<40} {size / MEGABYTE:>8.2f} MB"


def verdict(biggest: int) -> int:
    """Return the exit code for the size in bytes of the largest function. If it is 1, print what to do on stderr."""
    if biggest <= LIMIT:
        return 0
    print(
        f"A function with its layers is {biggest / MEGABYTE:.0f} MB unzipped, and Lambda accepts"
        f" {LIMIT // MEGABYTE} MB at most. Remove a library from layers/dependencies/requirements.in.",
        file=sys.stderr,
    )
    return 1
