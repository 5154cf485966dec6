"""`make build`: sam build with the functions' own Python, byte-compiled, and checked against Lambda's size limit.

Lambda would byte-compile at each cold start, because it cannot store the result. Shipping the .pyc files halves a cold
start. They are hash-based, so the same source always gives the same layer.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from built import Artifact, artifacts
from runtime_python import RuntimePythonMissingError, runtime_python
from sizes import report
from stack_name import problem_of
from trim_sdk import trim

BUILD = Path(".aws-sam/build")
Tables = dict[str, dict[str, dict[str, str | list[str]]]]
GNUPG_RECORD = BUILD / "GnupgLayer/packages.json"
NOT_RECORDED = "not recorded, build with make build"
OWN_PACKAGE = Artifact("CallsealLayer", "layer", Path("layers/callseal"))


class BuildError(Exception):
    """The build failed. The message says why and what to do."""


def architecture(environment: str) -> str:
    """Return the Architecture in samconfig.toml. Raise BuildError if it differs between build and deploy."""
    config = tables_of(environment)
    built, deployed = (parameters(config, command) for command in ("build", "deploy"))
    if built.get("Architecture") != deployed.get("Architecture"):
        raise BuildError(
            f"samconfig.toml builds {environment} for {built.get('Architecture')} and deploys it as"
            f" {deployed.get('Architecture')}. Set Architecture once, in [{environment}.global.parameters]."
        )
    return built.get("Architecture", "x86_64")


def tables_of(environment: str) -> Tables:
    """Return samconfig.toml's tables of an environment. Raise BuildError if it has none."""
    config = tomllib.loads(Path("samconfig.toml").read_text())
    if environment not in config:
        known = ", ".join(name for name, tables in config.items() if isinstance(tables, dict))
        raise BuildError(f"samconfig.toml has no [{environment}...] tables: use one of {known}.")
    tables: Tables = config[environment]
    return tables


def settings(tables: Tables, command: str) -> dict[str, str | list[str]]:
    """Return a command's settings: the global table's, overridden by its own table's."""
    return {**tables["global"]["parameters"], **tables.get(command, {}).get("parameters", {})}


def check_stack_name(environment: str) -> None:
    """Raise BuildError if the stack's name cannot begin the names of its buckets."""
    deployed = settings(tables_of(environment), "deploy")
    problem = problem_of(str(deployed["stack_name"]), Path("template.yaml").read_text(), str(deployed["region"]))
    if problem:
        raise BuildError(f"samconfig.toml, {environment}: {problem}")


def parameters(tables: Tables, command: str) -> dict[str, str]:
    """Return a command's parameter_overrides, from a list or from one string (as `sam deploy --guided` saves them)."""
    overrides = settings(tables, command).get("parameter_overrides", [])
    pairs = shlex.split(overrides) if isinstance(overrides, str) else overrides
    return dict(pair.split("=", 1) for pair in pairs)


def sam_build(environment: str, python: Path) -> None:
    """Run sam build with the functions' Python first on PATH and the architecture for layers/gnupg/Makefile."""
    variables = {
        **os.environ,
        "ARCHITECTURE": architecture(environment),
        "PATH": os.pathsep.join([str(python.parent), os.environ.get("PATH", os.defpath)]),
        "PYTHON": "python3",
    }
    # The Makefile's PYTHONPATH has this source tree, which sam and its pip must not import from.
    variables.pop("PYTHONPATH", None)
    sam = Path(sys.executable).parent / "sam"
    if subprocess.run([sam, "build", "--config-env", environment], env=variables).returncode:
        raise BuildError("sam build failed. Its own message above says why.")


def byte_compile(artifact: Artifact, python: Path, invalidation: str) -> None:
    """Write the .pyc files of a layer or function, with the file names that Lambda will have."""
    command: list[str | Path] = [python, "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", invalidation]
    command += ["-s", artifact.folder, "-p", artifact.place_in_lambda, artifact.folder]
    if subprocess.run(command).returncode:
        raise BuildError(f"{artifact.folder} does not compile with Python 3.13. The message above names file and line.")


def remove_bytecode(folder: Path) -> None:
    """Remove the .pyc files of other Pythons from the source tree, because they would be shipped."""
    for cache in list(folder.rglob("__pycache__")):
        shutil.rmtree(cache, ignore_errors=True)


def record_gnupg(template: Path, record: Path) -> None:
    """Write the layer's version of gpg into the built template, as the stack's output GnupgBuild."""
    gpg = json.loads(record.read_text())["bin/gpg"]
    text = template.read_text()
    if text.count(NOT_RECORDED) != 1:
        raise BuildError(f"{template} has no output GnupgBuild for the version of gpg. Restore it in template.yaml.")
    template.write_text(text.replace(NOT_RECORDED, f"{gpg['package']} {gpg['version']} sha256 {gpg['sha256']}"))


def build(environment: str) -> int:
    """Build everything. Return the exit code, 1 if the build is too large for Lambda."""
    check_stack_name(environment)
    python = runtime_python()
    # This package is used and edited in place, so Python must check its bytecode against the source.
    remove_bytecode(OWN_PACKAGE.folder)
    byte_compile(OWN_PACKAGE, python, "checked-hash")
    sam_build(environment, python)
    record_gnupg(BUILD / "template.yaml", GNUPG_RECORD)
    made = artifacts(BUILD / "template.yaml")
    for data in BUILD.glob("*/python/botocore/data"):
        trim(data)
    for artifact in made:
        if artifact.folder.is_relative_to(BUILD):
            byte_compile(artifact, python, "unchecked-hash")
    return report(made)


def main() -> int:
    """Run from the command line and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config-env", default="default", help="environment of samconfig.toml (default: %(default)s)")
    try:
        return build(parser.parse_args().config_env)
    except (BuildError, RuntimePythonMissingError) as exc:
        print(f"make build: {exc}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
