"""Inputs from public sources, rebuilt with invented names and keys. Each folder is one case."""

from datetime import UTC, datetime
from pathlib import Path

CASES = Path(__file__).parent
# The certificates among them expire in 2029, so they are judged as of the day that they were made.
NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
