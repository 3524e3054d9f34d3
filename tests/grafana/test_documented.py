"""The page about the dashboards names all of them."""

from __future__ import annotations

from typing import Any

from grafana.conftest import PROVISIONING

PAGE = (PROVISIONING.parents[1] / "docs" / "dashboards.md").read_text(encoding="utf-8")


def test_every_dashboard_is_in_the_table_with_its_question(dashboard: dict[str, Any]) -> None:
    """Who looks for a number finds the dashboard by what it answers."""
    (line,) = (line for line in PAGE.splitlines() if line.startswith(f"| {dashboard['title']} |"))
    assert line.endswith(f"| {dashboard['description']} |")
