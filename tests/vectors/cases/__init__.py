"""Inputs that people sent elsewhere, remade with invented names and keys; each folder is one."""

from datetime import UTC, datetime
from pathlib import Path

CASES = Path(__file__).parent
# The certificates among them end in 2029: they are judged as of the day that they were made.
NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
