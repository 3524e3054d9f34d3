"""What Grafana does with PromQL: fills in what it knows, asks at a moment or over a time, and names the lines.

Written after its behaviour, for no Grafana can be had where these tests run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from engines.grafana import FOLDER, panels
from engines.prometheus import Prometheus, Series

SCRAPE = 15
"""Seconds between two scrapes, as the data source is told."""


SECONDS = {"": 0, "1m": 60, "1h": 3600, "1d": 86400}
"""Intervals that panels have."""


@dataclass(frozen=True)
class Look:
    """What a reader looks at.

    Attributes:
        begin: Of the time range, in seconds since 1970.
        end: Of the time range.
        step: Seconds between two points.
        scrape: Seconds between two scrapes.
        variables: What is chosen.
        offset: Seconds that the dashboard's time zone is ahead of UTC: where its days begin, steps of a day do.
    """

    begin: float
    end: float
    step: int = 60
    scrape: int = SCRAPE
    variables: Mapping[str, str] = field(default_factory=dict)
    offset: int = 0

    def aligned(self, moment: float) -> float:
        """The step at or before a moment."""
        return (moment + self.offset) // self.step * self.step - self.offset


@dataclass(frozen=True)
class Query:
    """One query of a dashboard.

    Attributes:
        expression: As it is written.
        legend: What a series of it is called.
        instant: Whether it is asked at the end of the time range alone.
        least: The least seconds between two points, if its panel says so.
        points: The most points of a series, if its panel says so.
    """

    expression: str
    legend: str = ""
    instant: bool = False
    least: int = 0
    points: int | None = None


def queries(uid: str) -> dict[str, Query]:
    """Every query of a dashboard: panels by title (and letter, where there are several), and annotations by name."""
    document = json.loads((FOLDER / f"{uid}.json").read_text(encoding="utf-8"))
    found: dict[str, Query] = {}
    for panel in panels(uid):
        targets = panel.get("targets", [])
        for target in targets:
            name = panel["title"] + (f" {target['refId']}" if len(targets) > 1 else "")
            least = SECONDS[panel.get("interval", "")]
            found[name] = Query(
                target["expr"], target["legendFormat"], target["instant"], least, panel.get("maxDataPoints")
            )
    for annotation in document["annotations"]["list"]:
        found[f"@{annotation['name']}"] = Query(annotation["expr"], annotation["textFormat"])
    return found


def variables(uid: str) -> dict[str, str]:
    """The queries of what can be chosen."""
    document = json.loads((FOLDER / f"{uid}.json").read_text(encoding="utf-8"))
    return {one["name"]: one["query"]["query"] for one in document["templating"]["list"] if one["type"] == "query"}


def substituted(expression: str, look: Look) -> str:
    """The expression as the data source sends it."""
    known = {
        "__rate_interval": f"{max(look.step + look.scrape, 4 * look.scrape)}s",
        "__interval": f"{look.step}s",
        "__range": f"{round(look.end - look.begin)}s",
        **look.variables,
    }
    return re.sub(r"\$\{?([a-z_]+)\}?", lambda found: known[found[1]], expression)


def ask(server: Prometheus, query: Query, look: Look) -> list[Series]:
    """What a panel gets."""
    text = substituted(query.expression, look)
    if query.instant:
        return server.query(text, look.end)
    return server.query_range(text, look.aligned(look.begin), look.aligned(look.end), look.step)


def lines(server: Prometheus, query: Query, look: Look) -> dict[str, dict[float, float]]:
    """Values by time, by what a line is called."""
    found = ask(server, query, look)
    named = {called(one, query): dict(one.samples) for one in found}
    assert len(named) == len(found), f"two lines have one name: {[called(one, query) for one in found]}"
    return named


def numbers(server: Prometheus, query: Query, look: Look) -> dict[str, float]:
    """The value of each series, by what it is called."""
    return {name: max(one.items())[1] for name, one in lines(server, query, look).items()}


def called(series: Series, query: Query) -> str:
    """The legend with the labels in their places."""
    return re.sub(r"\{\{(\w+)\}\}", lambda found: series.labels.get(found[1], ""), query.legend)


def choices(server: Prometheus, query: str, chosen: Mapping[str, str]) -> list[str]:
    """What a variable offers."""
    found = re.fullmatch(r"label_values\((.+), (\w+)\)", query)
    assert found, query
    matcher = substituted(found[1], replace(Look(0, 1), variables=chosen))
    values: list[str] = server.api(f"/api/v1/label/{found[2]}/values?match[]={quote(matcher)}")
    return values


def openmetrics(samples: Iterator[tuple[str, Mapping[str, str], float, float]]) -> str:
    """(name, labels, time, value) in any order as text that `blocks` takes."""
    by_name: dict[str, dict[str, list[str]]] = {}
    for name, labels, time, value in samples:
        pairs = ",".join(f"{key}={json.dumps(text, ensure_ascii=False)}" for key, text in sorted(labels.items()))
        by_name.setdefault(name, {}).setdefault(pairs, []).append(f"{name}{{{pairs}}} {value} {time:.3f}\n")
    parts = [
        f"# TYPE {name} unknown\n{''.join(line for series in rows.values() for line in series)}"
        for name, rows in sorted(by_name.items())
    ]
    return "".join([*parts, "# EOF\n"])


def panel(uid: str, title: str) -> dict[str, Any]:
    """A panel by its title."""
    (found,) = [one for one in panels(uid) if one["title"] == title]
    return found
