"""`make build`: which Python it uses, what it rejects, and the layout of its output."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import rie
from botocore.loaders import Loader
from botocore.model import ServiceModel
from house_rules import Template, of_type

from tools import stack_name, trim_sdk

SAM_PYTHON = rie.ROOT / ".venv-sam/bin/python"
SHIM = "#!/bin/sh\necho 'pyenv: python3.13: command not found' >&2\nexit 127\n"
WORKING = "#!/bin/sh\necho 3.13\n"
UNCHECKED, CHECKED = 1, 3


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def find_python(path: list[Path], home: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.pathsep.join(map(str, path)), "HOME": str(home)}
    command: list[str | Path] = [sys.executable, rie.ROOT / "tools/runtime_python.py"]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def build(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command: list[str | Path] = [SAM_PYTHON, rie.ROOT / "tools/build.py", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def bytecode_flags(source: Path) -> int:
    """Return a .pyc's flags: 1 is hash-based and unchecked, 3 is hash-based and checked (PEP 552)."""
    cached = source.parent / "__pycache__" / f"{source.stem}.cpython-313.pyc"
    assert cached.exists(), f"{source.name} has not been byte-compiled: run `make build`."
    return int.from_bytes(cached.read_bytes()[4:8], "little")


def test_python_is_found_on_path(tmp_path: Path) -> None:
    python = script(tmp_path / "bin/python3.13", WORKING)
    assert find_python([tmp_path / "bin"], tmp_path).stdout.strip() == str(python)


def test_broken_shim_is_skipped_for_the_newest_version_of_pyenv(tmp_path: Path) -> None:
    script(tmp_path / "shims/python3.13", SHIM)
    script(tmp_path / ".pyenv/versions/3.13.9/bin/python3.13", WORKING)
    newest = script(tmp_path / ".pyenv/versions/3.13.11/bin/python3.13", WORKING)

    assert find_python([tmp_path / "shims"], tmp_path).stdout.strip() == str(newest)


def test_versions_of_pyenv_are_found_by_its_command(tmp_path: Path) -> None:
    script(tmp_path / "shims/pyenv", f"#!/bin/sh\necho {tmp_path}/elsewhere\n")
    python = script(tmp_path / "elsewhere/versions/3.13.1/bin/python3.13", WORKING)

    assert find_python([tmp_path / "shims"], tmp_path).stdout.strip() == str(python)


def test_missing_python_is_reported_with_instructions(tmp_path: Path) -> None:
    script(tmp_path / "shims/python3.13", SHIM)

    refused = find_python([tmp_path / "shims"], tmp_path)

    assert refused.returncode == 1
    assert refused.stdout == ""
    assert "No python3.13 runs on this machine" in refused.stderr
    assert "Install Python 3.13" in refused.stderr


def test_an_unknown_environment_is_refused(tmp_path: Path) -> None:
    project(tmp_path)
    refused = build(tmp_path, "--config-env", "nope")
    assert refused.returncode == 1
    assert "use one of default, dev, staging, prod" in refused.stderr


def test_a_stack_deployed_for_another_architecture_than_built_is_refused(tmp_path: Path) -> None:
    config = project(tmp_path) / "samconfig.toml"
    guided = '[dev.deploy.parameters]\nparameter_overrides = "LogLevel=\\"INFO\\" Architecture=\\"arm64\\""'
    config.write_text(config.read_text().replace("[dev.deploy.parameters]", guided))

    refused = build(tmp_path, "--config-env", "dev")

    assert refused.returncode == 1
    assert "builds dev for x86_64 and deploys it as arm64" in refused.stderr


LONGEST = {"eu-north-1": 31, "ap-southeast-1": 27}


@pytest.mark.parametrize("region", LONGEST)
def test_a_stack_name_is_as_long_as_the_longest_bucket_name_allows(region: str) -> None:
    template = (rie.ROOT / "template.yaml").read_text()
    most = LONGEST[region]
    assert stack_name.longest(template, region) == most
    assert stack_name.problem_of("s" * most, template, region) is None
    assert f"may have {most} in {region}" in (stack_name.problem_of("s" * (most + 1), template, region) or "")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("callseal-" + "long" * 6, "Choose a shorter stack_name"),
        ("Callseal", "may have only a-z, 0-9 and '-'"),
        ("call_seal", "may have only a-z, 0-9 and '-'"),
        ("1callseal", "begins with a letter"),
    ],
)
def test_stack_name_too_long_for_its_buckets_is_refused_before_the_build(
    tmp_path: Path, name: str, sentence: str
) -> None:
    config = project(tmp_path) / "samconfig.toml"
    config.write_text(config.read_text().replace('stack_name = "callseal-dev"', f'stack_name = "{name}"'))

    refused = build(tmp_path, "--config-env", "dev")

    assert refused.returncode == 1
    assert f"samconfig.toml, dev: the stack's name {name} " in refused.stderr
    assert sentence in refused.stderr
    assert not (tmp_path / ".aws-sam").exists()


def test_the_longest_bucket_name_is_in_the_templates_text(template: Template) -> None:
    """No bucket of the translated template is missing but the page's, which CloudFormation names."""
    suffixes = [
        bucket["Properties"]["BucketName"]["Fn::Sub"].removeprefix("${AWS::StackName}")
        for name, bucket in of_type(template, "AWS::S3::Bucket").items()
        if name != "WebBucket"
    ]
    assert sorted(stack_name.BUCKETS.findall((rie.ROOT / "template.yaml").read_text())) == sorted(suffixes)


def test_source_that_does_not_compile_stops_the_build(tmp_path: Path) -> None:
    (project(tmp_path) / "layers/callseal/python/broken.py").write_text("def f(:\n")

    refused = build(tmp_path)

    assert refused.returncode == 1
    assert "does not compile with Python 3.13" in refused.stderr


def test_a_function_too_big_for_lambda_stops_the_build(tmp_path: Path) -> None:
    with (project(tmp_path) / "layers/callseal/ballast").open("wb") as sparse:
        sparse.truncate(262_144_000)

    refused = build(tmp_path)

    assert refused.returncode == 1
    assert "Lambda accepts 250 MB at most" in refused.stderr


def test_build_output_has_the_layout_that_lambda_requires() -> None:
    dependencies = rie.dependencies()

    assert {"boto3", "cryptography", "gnupg.py"} <= {each.name for each in dependencies.iterdir()}
    assert not (dependencies / "python").exists()
    assert (rie.ROOT / "layers/callseal/python/callseal/__init__.py").exists()


def test_trimmed_sdk_has_exactly_the_operations_that_the_functions_call() -> None:
    """Checked with the functions' own Python, by a client of each service from the trimmed models."""
    program = (
        "import boto3, json; s = boto3.session.Session('x', 'x', region_name='eu-north-1')\n"
        "offered = {n: sorted(s.client(n).meta.method_to_api_mapping.values()) for n in s.get_available_services()}\n"
        "print(json.dumps(offered))"
    )
    environment = {"PYTHONPATH": str(rie.dependencies())}
    run = subprocess.run([rie.runtime(), "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert json.loads(run.stdout) == {service: sorted(names) for service, names in trim_sdk.OPERATIONS.items()}


def test_a_trimmed_model_keeps_every_shape_that_an_operation_reaches() -> None:
    whole = Loader().load_service_model("s3", "service-2")
    left = ServiceModel(trim_sdk.trimmed(whole, trim_sdk.OPERATIONS["s3"]), "s3")
    assert len(left.shape_names) < len(whole["shapes"]) / 3
    for name in left.operation_names:
        ours, theirs = left.operation_model(name), ServiceModel(whole, "s3").operation_model(name)
        assert members(ours.input_shape) == members(theirs.input_shape)
        assert members(ours.output_shape) == members(theirs.output_shape)
        assert [error.name for error in ours.error_shapes] == [error.name for error in theirs.error_shapes]


def test_an_operation_that_the_service_does_not_have_stops_the_build() -> None:
    with pytest.raises(KeyError, match="PutObjects"):
        trim_sdk.trimmed(Loader().load_service_model("s3", "service-2"), frozenset({"PutObjects"}))


def members(shape: Any) -> Any:
    """Return a shape's structure: its members, and their location in the request or answer."""
    if shape is None:
        return None
    inside = {name: members(one) for name, one in getattr(shape, "members", {}).items()}
    return shape.type_name, sorted(shape.serialization), inside, members(getattr(shape, "member", None))


def test_bytecode_is_shipped_and_never_hides_an_edited_source() -> None:
    assert bytecode_flags(rie.ROOT / "layers/callseal/python/callseal/__init__.py") == CHECKED
    assert bytecode_flags(rie.BUILD / "DependenciesLayer/python/gnupg.py") == UNCHECKED


def project(folder: Path) -> Path:
    """Copy the minimum that a build needs: no libraries, one line of code."""
    assert SAM_PYTHON.exists(), "There is no .venv-sam: run `make .venv-sam/.done`."
    for name in ("template.yaml", "samconfig.toml"):
        shutil.copy(rie.ROOT / name, folder)
    functions = [f"functions/{path.parent.name}" for path in (rie.ROOT / "functions").glob("*/app.py")]
    for name in ("layers/callseal/python/callseal", *functions):
        (folder / name).mkdir(parents=True)
        (folder / name / "app.py").write_text("X = 1\n")
    shutil.copytree(rie.ROOT / "layers/gnupg", folder / "layers/gnupg")
    (folder / "layers/dependencies").mkdir()
    (folder / "layers/dependencies/requirements.txt").touch()
    return folder
