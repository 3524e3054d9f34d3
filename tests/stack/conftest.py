"""Compose and InfluxDB for the tests of the stack; where one is missing its tests are skipped, with the reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engines.conftest import bucket, influxdb, program_or_skip, prometheus, promtool, pushgateway
from stack.project import project

__all__ = ["bucket", "influxdb", "prometheus", "promtool", "pushgateway"]


@pytest.fixture(scope="session")
def compose() -> Path:
    """Compose, as a program of its own."""
    return program_or_skip("compose")


@pytest.fixture(scope="session")
def services(compose: Path) -> dict[str, Any]:
    """All services of all profiles."""
    found: dict[str, Any] = project(compose, "*")["services"]
    return found
