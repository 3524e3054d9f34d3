"""Dashboards against Grafana's own schema, and every Flux query against the types of the language."""

from __future__ import annotations

import copy
import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from engines.conftest import program_or_skip
from engines.grafana import FOLDER, Look, queries, substituted

DASHBOARDS = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in sorted(FOLDER.glob("*.json"))}
LOOK = Look(
    datetime(2026, 3, 3, tzinfo=UTC),
    datetime(2026, 3, 4, tzinfo=UTC),
    variables={"server": ".*", "zone": "UTC", "asn": "64496"},
)

Checks = Callable[[str, Any], dict[str, list[str]]]


@pytest.fixture(scope="module")
def checks() -> Checks:
    """What is wrong with each of some things, by name."""
    program: Path = program_or_skip("dashboard-checks")

    def run(what: str, things: Any) -> dict[str, list[str]]:
        done = subprocess.run(
            [program, what], input=json.dumps(things), capture_output=True, text=True, timeout=120, check=True
        )
        found: dict[str, list[str]] = json.loads(done.stdout)
        assert set(things) <= set(found)
        return {name: reasons for name, reasons in found.items() if reasons}

    return run


def test_every_dashboard_is_what_the_schema_says(checks: Checks) -> None:
    """Grafana ignores a name that it does not know: the setting has no effect, and nobody is told."""
    assert checks("types", DASHBOARDS) == {}


def spoil_place(dashboard: Any) -> None:
    dashboard["panels"][2]["gridPos"]["hh"] = 1


def spoil_option(dashboard: Any) -> None:
    dashboard["panels"][2]["options"]["colorMode"] = "backgrund"


def spoil_custom(dashboard: Any) -> None:
    panel = next(panel for panel in dashboard["panels"] if panel["type"] == "timeseries")
    panel["fieldConfig"]["defaults"]["custom"]["spanNull"] = True


def spoil_target(dashboard: Any) -> None:
    del dashboard["panels"][2]["targets"][0]["query"]


def test_what_is_wrong_is_found(checks: Checks) -> None:
    """A check that finds nothing may have looked at nothing."""
    spoilt = {}
    for spoil in (spoil_place, spoil_option, spoil_custom, spoil_target):
        spoilt[spoil.__name__] = copy.deepcopy(DASHBOARDS["ookla"])
        spoil(spoilt[spoil.__name__])
    assert {name: len(found) for name, found in checks("types", spoilt).items()} == dict.fromkeys(spoilt, 1)


def test_every_flux_query_is_well_typed(checks: Checks) -> None:
    texts = {
        f"{uid}: {name}": substituted(query.text, LOOK, "telemetry")
        for uid in DASHBOARDS
        for name, query in queries(uid).items()
    }
    assert texts
    assert checks("flux", texts) == {}


def test_flux_that_is_wrong_is_found(checks: Checks) -> None:
    assert checks("flux", {"name": 'from(bucket: "b") |> nosuch()', "type": "from(bucket: 1)", "right": "x = 1"}) == {
        "name": ["1:22 undefined identifier nosuch"],
        "type": ["1:14 expected string but found int (argument bucket)"],
    }
