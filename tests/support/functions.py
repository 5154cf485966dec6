"""The functions' handlers, loaded from their folders as Lambda loads them."""

import importlib.util
from pathlib import Path
from types import ModuleType

from tests.security.privacy import hooks

ROOT = Path(__file__).resolve().parents[2]
MODULE_PREFIX = "app_"
NAMES = sorted(path.parent.name for path in (ROOT / "functions").glob("*/app.py"))


def load(folder: str, *, watch: bool = True) -> ModuleType:
    """Load a fresh copy of functions/<folder>/app.py, as a new execution environment does, under the privacy watch."""
    spec = importlib.util.spec_from_file_location(f"{MODULE_PREFIX}{folder}", ROOT / "functions" / folder / "app.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if watch:
        hooks.install()
        module.lambda_handler = hooks.watched(module.lambda_handler)  # type: ignore[attr-defined]
    return module
