"""Compose and InfluxDB for the tests of the stack; where one is missing its tests are skipped, with the reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engines.conftest import program_or_skip
from stack.project import project


@pytest.fixture(scope="session")
def compose() -> Path:
    """Compose, as a program of its own."""
    return program_or_skip("compose")


@pytest.fixture(scope="session")
def services(compose: Path) -> dict[str, Any]:
    """All services of all profiles."""
    found: dict[str, Any] = project(compose, "*")["services"]
    return found
