"""The environment of a function's process: the template's variables, and those that Lambda itself sets."""

import os
import shutil
from pathlib import Path

from localcloud.stack import Function

# Enough to find programs and temporary folders, but none of a developer's own AWS settings.
_INHERITED = ("HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "TMPDIR", "TZ")
DUMMY_CREDENTIAL = "local"
_LAYER_PROGRAMS = "/opt/bin/"


def function_environment(function: Function, endpoint_url: str, region: str) -> dict[str, str]:
    """Return the whole environment of a function's process."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    declared = {name: _local_program(value) for name, value in function.environment.items()}
    return inherited | declared | _lambda_variables(function, region) | {"AWS_ENDPOINT_URL": endpoint_url}


def dummy_credentials() -> dict[str, str]:
    """Return credentials that only moto accepts."""
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    return dict.fromkeys(names, DUMMY_CREDENTIAL)


def _lambda_variables(function: Function, region: str) -> dict[str, str]:
    return {
        **dummy_credentials(),
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_EXECUTION_ENV": "AWS_Lambda_local",
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
        **({"AWS_LAMBDA_LOG_LEVEL": function.log_level} if function.log_level else {}),
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": "local",
        "LAMBDA_TASK_ROOT": str(function.code),
        "_HANDLER": function.handler,
        "PYTHONPATH": os.pathsep.join(map(str, [function.code, *(path for path in function.layers if path.is_dir())])),
    }


def _local_program(value: str) -> str:
    # The local cloud builds no layers, so this machine's own program replaces the layer's.
    if not value.startswith(_LAYER_PROGRAMS):
        return value
    return shutil.which(Path(value).name) or value
