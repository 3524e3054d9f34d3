"""What Grafana does with InfluxQL: fills in what it knows, and makes lines out of the answer.

Written after its source (`pkg/tsdb/influxdb`: `models/query.go`, `influxql/util`; variables: `datasource.ts`), for no
Grafana can be had where these tests run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from engines.grafana import Look, pattern
from engines.influxdb1 import Database

SOURCE = "pegel-influx-influxql"

Lines = dict[str, dict[str, Any]]
"""Values by time, by what a line is called."""


@dataclass(frozen=True)
class Query:
    """One query of a dashboard.

    Attributes:
        text: As it is written.
        alias: What a line of it is called.
    """

    text: str
    alias: str = ""


def queries(document: Mapping[str, Any]) -> dict[str, Query]:
    """Every InfluxQL query of a dashboard: panels by title (and letter, where there are several)."""
    found: dict[str, Query] = {}
    rows = [panel.get("panels", []) for panel in document["panels"]]
    for panel in [*document["panels"], *(one for row in rows for one in row)]:
        targets = [target for target in panel.get("targets", []) if target["datasource"]["uid"] == SOURCE]
        for target in targets:
            name = panel["title"] + (f" {target['refId']}" if len(targets) > 1 else "")
            found[name] = Query(target["query"], target["alias"])
    return found


def variables(document: Mapping[str, Any]) -> dict[str, str]:
    """The queries of what can be chosen."""
    return {
        one["name"]: one["query"]
        for one in document["templating"]["list"]
        if one.get("datasource", {}).get("uid") == SOURCE
    }


def substituted(text: str, look: Look) -> str:
    """The statement as the data source sends it; the longer names first, as it does."""
    window = f"{int(look.window.total_seconds())}s"
    known = {
        "$timeFilter": f"time >= {_milliseconds(look.begin)}ms and time <= {_milliseconds(look.end)}ms",
        "$__interval_ms": str(int(look.window.total_seconds() * 1000)),
        "$__interval": window,
        "$interval": window,
    }
    for name, value in known.items():
        text = text.replace(name, value)
    return re.sub(r"\$\{?([a-z]\w*)(?::regex)?\}?", lambda found: pattern(look.variables[found[1]]), text)


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def lines(database: Database, query: Query, look: Look) -> Lines:
    """What a panel draws."""
    found: Lines = {}
    for name, values in _frames(database, query, look):
        assert name not in found, f"two lines have one name: {name}"
        found[name] = values
    return found


def _frames(database: Database, query: Query, look: Look) -> Iterator[tuple[str, dict[str, Any]]]:
    """A line for each column of each series."""
    for series in database.query(substituted(query.text, look)):
        place = series["columns"].index("time")
        for number, column in enumerate(series["columns"]):
            if number != place:
                values = {_time(row[place]): row[number] for row in series["values"]}
                yield called(series, column, query.alias), values


def _time(milliseconds: int) -> str:
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def called(series: Mapping[str, Any], column: str, alias: str) -> str:
    """The alias with the parts of the series in their places; without one, all of them."""
    tags = series.get("tags", {})
    if not alias:
        told = ", ".join(f"{name}: {value}" for name, value in tags.items())
        return f"{series['name']}.{column}" + (f" {{ {told} }}" if told else "")
    known = {"m": series["name"], "measurement": series["name"], "col": column}
    known |= {f"tag_{name}": value for name, value in tags.items()}
    return re.sub(r"\$(\w+)|\[\[(.+?)\]\]", lambda found: known.get(found[1] or found[2], found[0]), alias)


def choices(database: Database, text: str, look: Look) -> list[str]:
    """What a variable offers."""
    found = database.query(substituted(text, look))
    return sorted({row[-1] for series in found for row in series["values"]})
