"""The structure of the code, as docs/architecture.md draws it. Read from the syntax, so no code needs to run."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAYER = ROOT / "layers" / "callseal" / "python"
# The rooms of the package by floor. A room imports from lower floors alone. docs/architecture.md draws it.
FLOORS = {
    "core": 1,
    "aws": 2,
    "crypto": 2,
    "tenants": 3,
    "inbound": 4,
    "calls": 5,
    "keys": 5,
    "sftp": 5,
    "trail": 5,
    "archive": 6,
    "delivery": 6,
    "retention": 6,
    "governance": 7,
    "wiring": 8,
}
CORE = ("core", "crypto")
AWS_LIBRARIES = {"boto3", "botocore", "aws_lambda_powertools", "awscrt", "s3transfer"}
MAX_MODULE_LINES, MAX_FUNCTION_LINES = 250, 40
# A list of declarations may be long.
CATALOGUES = ("event_types.py",)


def name_of(path: Path) -> str:
    parts = path.relative_to(LAYER).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted(LAYER.rglob("*.py"))}
FUNCTIONS = sorted((ROOT / "functions").glob("*/*.py"))
OURS = sorted(
    path
    for folder in ("layers", "functions", "localcloud", "cli")
    for path in (ROOT / folder).rglob("*.py")
    if ".aws-sam" not in path.parts
)


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def is_for_types_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def nodes(node: ast.AST, *, at_import: bool = False, types: bool = True) -> Iterator[ast.AST]:
    """Walk a syntax tree.

    Walk all of it, or only what runs at import, with or without the parts for types only.
    """
    for child in ast.iter_child_nodes(node):
        if not types and is_for_types_only(child):
            continue
        if at_import and isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from (part for outer in function_surroundings(child) for part in ast.walk(outer))
            continue
        yield child
        yield from nodes(child, at_import=at_import, types=types)


def function_surroundings(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> list[ast.expr]:
    """Return the parts of a function that already run at its definition."""
    defaults = [*function.args.defaults, *(default for default in function.args.kw_defaults if default)]
    return [*getattr(function, "decorator_list", []), *defaults]


def imports(path: Path, *, types: bool = True) -> set[str]:
    """Return the modules that a file imports anywhere. `from a import b` gives a.b if that is a module."""
    found = set()
    for node in nodes(tree(path), types=types):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            source = node.module or ""
            found |= {f"{source}.{a.name}" if f"{source}.{a.name}" in MODULES else source for a in node.names}
    return found


def inside(name: str, *parts: str) -> bool:
    return any(name == f"callseal.{part}" or name.startswith(f"callseal.{part}.") for part in parts)


CORE_MODULES = [name for name in MODULES if inside(name, *CORE)]


def room_of(name: str) -> str:
    return name.split(".")[1]


def test_every_module_is_in_a_room() -> None:
    assert {room_of(name) for name in MODULES if name != "callseal"} == set(FLOORS)
    assert CORE_MODULES and FUNCTIONS


@pytest.mark.parametrize("name", [name for name in MODULES if name != "callseal"])
def test_a_room_imports_from_lower_floors_only(name: str) -> None:
    rooms = {room_of(each) for each in imports(MODULES[name]) if each.startswith("callseal.")} - {room_of(name)}
    assert not {room for room in rooms if FLOORS[room] >= FLOORS[room_of(name)]}


@pytest.mark.parametrize("name", CORE_MODULES)
def test_core_and_crypto_import_no_aws_library(name: str) -> None:
    found = imports(MODULES[name])
    assert not {each for each in found if each.split(".")[0] in AWS_LIBRARIES or each.startswith("mypy_boto3")}


@pytest.mark.parametrize("name", [name for name in MODULES if inside(name, "core")])
def test_core_imports_the_standard_library_only(name: str) -> None:
    assert {each.split(".")[0] for each in imports(MODULES[name], types=False)} <= {
        "callseal"
    } | sys.stdlib_module_names


def test_errors_import_no_other_module() -> None:
    assert not {each for each in imports(MODULES["callseal.core.errors"]) if each.startswith("callseal")}


@pytest.mark.parametrize("name", MODULES)
def test_package_does_not_import_functions_command_or_local_cloud(name: str) -> None:
    assert not {
        one
        for one in imports(MODULES[name])
        if one.split(".")[0] in ("functions", "app", "callseal_cli", "localcloud", "tests", "typer", "rich")
    }


FUNCTIONS_ONLY = (
    "wiring",
    *(f"delivery.{name}" for name in ("batch", "commit", "deliver", "planning")),
    *(f"keys.{name}" for name in ("check_requests", "issue_challenge")),
    # A function's own module has its name.
    *(
        name.removeprefix("callseal.")
        for name in MODULES
        if name.rpartition(".")[2] in {p.parent.name for p in FUNCTIONS}
    ),
)
COMMAND = sorted((ROOT / "cli").rglob("*.py"))


@pytest.mark.parametrize("path", COMMAND, ids=lambda path: path.stem)
def test_command_does_not_import_functions_or_local_cloud(path: Path) -> None:
    allowed = {"callseal", "callseal_cli", "boto3", "botocore", "mypy_boto3", "rich", "typer"} | sys.stdlib_module_names
    if "selftest" in path.parts:
        allowed |= {"cryptography"}  # it makes tenants' keys, and opens what was sealed to them
    found = {one.split(".")[0] for one in imports(path)}
    assert {"mypy_boto3" if one.startswith("mypy_boto3_") else one for one in found} <= allowed
    # The command uses the public interface and imports no module that only the functions use.
    assert not {each for each in imports(path) if inside(each, *FUNCTIONS_ONLY)}


@pytest.mark.parametrize("path", FUNCTIONS, ids=lambda path: path.parent.name)
def test_a_function_imports_callseal_powertools_and_the_standard_library_alone(path: Path) -> None:
    allowed = {"callseal", "aws_lambda_powertools"} | sys.stdlib_module_names
    assert {one.split(".")[0] for one in imports(path)} <= allowed


def test_the_local_cloud_is_not_known_inside_the_functions() -> None:
    for path in FUNCTIONS:
        assert "localcloud" not in path.read_text()


def test_no_import_cycles() -> None:
    # A package does not count as an import of its own members: Python loads it before them in any case.
    graph = {
        name: {one for one in imports(path, types=False) if one in MODULES and not name.startswith(f"{one}.")}
        for name, path in MODULES.items()
    }
    order = list(TopologicalSorter(graph).static_order())  # raises CycleError, which names the cycle
    assert set(order) == set(MODULES)


@pytest.mark.parametrize("path", [*MODULES.values(), *FUNCTIONS], ids=lambda path: str(path.relative_to(ROOT)))
def test_import_has_no_side_effects(path: Path) -> None:
    forbidden = (
        "environ",
        "getenv",
        "Session",
        "client",
        "resource",
        "now",
        "utcnow",
        "time",
        "monotonic",
        "urandom",
        "open",
    )
    for node in nodes(tree(path), at_import=True):
        if isinstance(node, ast.Attribute):
            assert node.attr != "environ", f"{path.name}:{node.lineno} reads the environment at import"
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func).rpartition(".")[2]
            assert called not in forbidden, f"{path.name}:{node.lineno} calls {called} at import"


@pytest.mark.parametrize("name", MODULES)
def test_only_functions_read_the_environment(name: str) -> None:
    assert "environ" not in {node.attr for node in nodes(tree(MODULES[name])) if isinstance(node, ast.Attribute)}
    assert "os.environ" not in MODULES[name].read_text()
    assert "getenv" not in MODULES[name].read_text()


def test_the_command_puts_events_of_few_types_alone() -> None:
    """The audit bus's policy in template.yaml denies all other types. A new one must be allowed there first."""
    putting = {path.name for path in (ROOT / "cli").rglob("*.py") if "callseal.aws.bus" in imports(path)}
    assert putting == {"calls.py", "copy.py", "erase.py", "holds.py", "shares.py"}
    assert not [path for path in (ROOT / "cli").rglob("*.py") if "put_events" in path.read_text()]


def test_the_core_loads_without_any_aws_library() -> None:
    script = f"import sys, {', '.join(CORE_MODULES)}; print(sorted(set(sys.modules) & {AWS_LIBRARIES!r}))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=LAYER,
        env={"PYTHONPATH": str(LAYER)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("path", OURS, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_and_functions_stay_small(path: Path) -> None:
    assert path.name in CATALOGUES or len(path.read_text().splitlines()) <= MAX_MODULE_LINES
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.body[0].lineno + 1
            assert length <= MAX_FUNCTION_LINES, f"{node.name} has a body of {length} lines"


def test_cold_start_imports_only_what_most_recordings_need() -> None:
    needless = {
        "callseal.crypto.envelopes.openpgp",
        "callseal.archive",
        "callseal.keys",
        "callseal.sftp",
        "gnupg",
        "miniaudio",
        "pydantic",
        "aws_xray_sdk",
    }
    script = (
        f"import sys, app; print(sorted(set(sys.modules) & {needless!r}), 'callseal.delivery.batch' in sys.modules)"
    )
    path = os.pathsep.join(map(str, [LAYER, ROOT / "functions" / "encrypt_recording"]))
    done = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True
    )
    assert done.stdout == "[] True\n", done.stderr


def reachable(path: Path) -> set[str]:
    """Return the modules that a file imports, and those that these import, anywhere."""
    found, new = set[str](), imports(path)
    while new:
        found |= new
        new = {each for name in new & set(MODULES) for each in imports(MODULES[name])} - found
    return found


@pytest.mark.parametrize(
    "path", [path for path in FUNCTIONS if path.parent.name != "draw_waveform"], ids=lambda path: path.parent.name
)
def test_no_function_but_draw_waveform_looks_into_a_recording(path: Path) -> None:
    assert not {each for each in reachable(path) if inside(each, "archive.sound") or each == "miniaudio"}


def test_the_decoder_is_loaded_for_an_mp3_file_alone_and_without_any_aws_library() -> None:
    assert {name for name in MODULES if "miniaudio" in imports(MODULES[name])} == {"callseal.archive.sound.mp3_decoder"}
    assert "miniaudio" in reachable(MODULES["callseal.archive.waveform"])
    script = (
        f"import sys, callseal.archive.waveform; print(sorted(set(sys.modules) & {AWS_LIBRARIES | {'miniaudio'}!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": str(LAYER)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"
