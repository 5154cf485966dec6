"""`make build`: sam build with the functions' own Python, byte-compiled, measured against Lambda's limit.

Lambda gets no time to byte-compile at a cold start, and cannot keep the result: shipping the .pyc files halves it.
They are hash-based, so that the same source gives the same layer whenever it is built.
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
from stack_name import complaint
from trim_sdk import trim

BUILD = Path(".aws-sam/build")
Tables = dict[str, dict[str, dict[str, str | list[str]]]]
GNUPG_RECORD = BUILD / "GnupgLayer/packages.json"
NOT_RECORDED = "not recorded, build with make build"
OWN_PACKAGE = Artifact("CallsealLayer", "layer", Path("layers/callseal"))


class BuildError(Exception):
    """The build cannot go on; the message says why and what to do."""


def architecture(environment: str) -> str:
    """Read the Architecture that samconfig.toml gives the stack; refuse to build another than is deployed."""
    config = tables_of(environment)
    built, deployed = (parameters(config, command) for command in ("build", "deploy"))
    if built.get("Architecture") != deployed.get("Architecture"):
        raise BuildError(
            f"samconfig.toml builds {environment} for {built.get('Architecture')} and deploys it as"
            f" {deployed.get('Architecture')}: set Architecture once, in [{environment}.global.parameters]."
        )
    return built.get("Architecture", "x86_64")


def tables_of(environment: str) -> Tables:
    """Return samconfig.toml's tables of an environment."""
    config = tomllib.loads(Path("samconfig.toml").read_text())
    if environment not in config:
        known = ", ".join(name for name, tables in config.items() if isinstance(tables, dict))
        raise BuildError(f"samconfig.toml has no [{environment}...] tables: use one of {known}.")
    tables: Tables = config[environment]
    return tables


def settings(tables: Tables, command: str) -> dict[str, str | list[str]]:
    """Return what a command is given: its own table's members, over those of the global table."""
    return {**tables["global"]["parameters"], **tables.get(command, {}).get("parameters", {})}


def check_stack_name(environment: str) -> None:
    """Refuse a stack's name that is no beginning of a bucket's name, before anything is built or deployed."""
    deployed = settings(tables_of(environment), "deploy")
    wrong = complaint(str(deployed["stack_name"]), Path("template.yaml").read_text(), str(deployed["region"]))
    if wrong:
        raise BuildError(f"samconfig.toml, {environment}: {wrong}")


def parameters(tables: Tables, command: str) -> dict[str, str]:
    """Read a command's parameter_overrides, as a list or (as `sam deploy --guided` saves them) as one string."""
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
    # The Makefile's leads to this source tree, where neither sam nor its pip has anything to look for.
    variables.pop("PYTHONPATH", None)
    sam = Path(sys.executable).parent / "sam"
    if subprocess.run([sam, "build", "--config-env", environment], env=variables).returncode:
        raise BuildError("sam build failed; its own message above says why.")


def byte_compile(artifact: Artifact, python: Path, invalidation: str) -> None:
    """Write the .pyc files of a layer or function, naming the files as Lambda will have them."""
    command: list[str | Path] = [python, "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", invalidation]
    command += ["-s", artifact.folder, "-p", artifact.place_in_lambda, artifact.folder]
    if subprocess.run(command).returncode:
        raise BuildError(f"{artifact.folder} does not compile with Python 3.13; the message above names file and line.")


def forget_other_bytecode(folder: Path) -> None:
    """Remove what other Pythons left in the source tree, for it would be shipped."""
    for cache in list(folder.rglob("__pycache__")):
        shutil.rmtree(cache, ignore_errors=True)


def record_gnupg(template: Path, record: Path) -> None:
    """Write into the built template, for the stack's output GnupgBuild, which gpg the layer holds."""
    gpg = json.loads(record.read_text())["bin/gpg"]
    text = template.read_text()
    if text.count(NOT_RECORDED) != 1:
        raise BuildError(
            f"{template} has no output GnupgBuild to write the version of gpg into: restore template.yaml."
        )
    template.write_text(text.replace(NOT_RECORDED, f"{gpg['package']} {gpg['version']} sha256 {gpg['sha256']}"))


def build(environment: str) -> int:
    """Build everything; return 1 where it is too big for Lambda."""
    check_stack_name(environment)
    python = runtime_python()
    # Used in place and edited in place: its bytecode must notice that its source has changed.
    forget_other_bytecode(OWN_PACKAGE.folder)
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
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config-env", default="default", help="of samconfig.toml")
    try:
        return build(parser.parse_args().config_env)
    except (BuildError, RuntimePythonMissingError) as exc:
        print(f"make build: {exc}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
