"""The dashboards as they are provisioned."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PROVISIONING = Path(__file__).parents[2] / "grafana" / "provisioning"
FILES = sorted((PROVISIONING / "dashboards").glob("*.json"))


def read(file: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return document


def panels(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All but rows, those in closed rows too."""
    for panel in document["panels"]:
        yield from panel.get("panels", [])
        if panel["type"] != "row":
            yield panel


def questions(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Panels that ask for something."""
    return (panel for panel in panels(document) if panel["type"] != "text")


@pytest.fixture(params=FILES, ids=lambda file: file.stem)
def file(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    return found


@pytest.fixture
def dashboard(file: Path) -> dict[str, Any]:
    return read(file)
