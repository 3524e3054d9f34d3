"""What Grafana does with the queries of a dashboard: fills in what it knows, and makes fields and labels of the answer.

Its InfluxDB data source replaces names in the text (`v.timeRangeStart`); variables are replaced before. Columns of the
group key become labels. Written after its behaviour, for no Grafana can be had where these tests run.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from engines.influxdb import ORG, Server, Value, typed

FOLDER = Path(__file__).parents[2] / "grafana" / "provisioning" / "dashboards"

SOURCE = "pegel-influx-flux"

LIMIT = 1000
"""Series that the data source takes of one answer."""


@dataclass(frozen=True)
class Look:
    """What a reader looks at.

    Attributes:
        begin: Of the time range.
        end: Of the time range.
        window: Time between two points.
        variables: What is chosen.
        now: The present, if it is not that of the server.
    """

    begin: datetime
    end: datetime
    window: timedelta = timedelta(minutes=1)
    variables: Mapping[str, str] = field(default_factory=dict)
    now: datetime | None = None


def substituted(flux: str, look: Look, bucket: str) -> str:
    """The query as the data source sends it."""
    text = re.sub(r"\$\{(\w+)(?::(\w+))?\}", lambda found: _chosen(look, found[1], found[2]), flux)
    known = {
        "timeRangeStart": _time(look.begin),
        "timeRangeStop": _time(look.end),
        "windowPeriod": f"{int(look.window.total_seconds())}s",
        "defaultBucket": f'"{bucket}"',
        "organization": f'"{ORG}"',
    }
    text = re.sub(r"\b[A-Za-z]+\.([A-Za-z]+)", lambda found: known.get(found[1], found[0]), text)
    return text if look.now is None else _at(look.now, text)


def _chosen(look: Look, name: str, form: str | None) -> str:
    chosen = look.variables[name]
    return pattern(chosen) if form == "regex" else chosen


def pattern(chosen: str) -> str:
    """What is chosen as a regular expression; all of it is one already."""
    return chosen if chosen == ".*" else re.sub(r"[\\^$*+?.()|\[\]{}/]", r"\\\g<0>", chosen)


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _at(now: datetime, text: str) -> str:
    """The option stands after the imports."""
    lines = text.splitlines()
    after = max((place + 1 for place, line in enumerate(lines) if line.startswith("import ")), default=0)
    return "\n".join([*lines[:after], f"option now = () => {_time(now)}", *lines[after:]])


@dataclass(frozen=True)
class Frame:
    """One frame of an answer: what a panel gets.

    Attributes:
        labels: Of all its values.
        fields: Columns by name.
    """

    labels: Mapping[str, str]
    fields: Mapping[str, Sequence[Value | None]]

    @property
    def series(self) -> dict[str, Value | None]:
        """Values by time."""
        assert set(self.fields) == {"_time", "_value"}, f"a line needs a time and a value, not {list(self.fields)}"
        times = [str(time) for time in self.fields["_time"]]
        assert times == sorted(set(times)), "Grafana draws a line in the order in which it comes"
        return {str(time): value for time, value in zip(self.fields["_time"], self.fields["_value"], strict=True)}

    @property
    def rows(self) -> list[dict[str, Value | None]]:
        """One dictionary for each row."""
        names = list(self.fields)
        return [dict(zip(names, row, strict=True)) for row in zip(*self.fields.values(), strict=True)]


def ask(server: Server, flux: str, token: str) -> list[Frame]:
    """What a query answers, as frames."""
    document = {"query": flux, "dialect": {"annotations": ["datatype", "group", "default"], "header": True}}
    path = f"/api/v2/query?org={ORG}"
    reply = server.request("POST", path, json.dumps(document).encode(), {"Content-Type": "application/json"}, token)
    text = reply.body.decode()
    if reply.status != 200 or "\nerror," in text:
        raise RuntimeError(f"the query was answered with {reply.status}: {text[:500]}\n{flux}")
    found = list(_frames(text))
    assert len(found) <= LIMIT, "Grafana refuses an answer of so many series"
    kinds = {frozenset(frame.fields) for frame in found}
    assert len(kinds) <= 1, f"Grafana takes all tables for such as the first: {kinds}"
    return found


def _frames(text: str) -> Iterator[Frame]:
    head: dict[str, list[str]] = {}
    names: list[str] = []
    table: dict[str, list[dict[str, str]]] = {}
    for row in [*csv.reader(io.StringIO(text)), []]:
        if not row or (row[0] == "#datatype" and names):
            yield from (_frame(rows, names, head) for rows in table.values())
            names, table = [], {}
        if row and row[0].startswith("#"):
            head[row[0]] = row[1:]
        elif row and not names:
            names = row[1:]
        elif row:
            cells = dict(zip(names, row[1:], strict=True))
            table.setdefault(cells["table"], []).append(cells)


def _frame(rows: Sequence[Mapping[str, str]], names: Sequence[str], head: Mapping[str, Sequence[str]]) -> Frame:
    columns = zip(names, head["#datatype"], head["#group"], strict=True)
    labels: dict[str, str] = {}
    fields: dict[str, list[Value | None]] = {}
    for name, kind, grouped in list(columns)[2:]:
        if grouped == "true":
            labels[name] = rows[0][name]
        else:
            fields[name] = [None if row[name] == "" and kind != "string" else typed(kind, row[name]) for row in rows]
    if {"_time", "_value"} == set(fields):
        labels = {name: text for name, text in labels.items() if name not in ("_start", "_stop")}
    return Frame(labels, fields)


def panels(uid: str) -> Iterator[dict[str, Any]]:
    """The panels of a dashboard as it is provisioned, those in closed rows too."""
    document = json.loads((FOLDER / f"{uid}.json").read_text(encoding="utf-8"))
    for panel in document["panels"]:
        yield panel
        yield from panel.get("panels", [])


@dataclass(frozen=True)
class Query:
    """A query of a dashboard; `points` is the most that its panel wants of a series, if it says so."""

    text: str
    points: int | None = None


def queries(uid: str) -> dict[str, Query]:
    """Every Flux query of a dashboard: panels by title (and letter, where there are several), and the rest by name."""
    document = json.loads((FOLDER / f"{uid}.json").read_text(encoding="utf-8"))
    found: dict[str, Query] = {}
    for panel in panels(uid):
        targets = [target for target in panel.get("targets", []) if target["datasource"]["uid"] == SOURCE]
        for target in targets:
            name = panel["title"] + (f" {target['refId']}" if len(targets) > 1 else "")
            found[name] = Query(target["query"], panel.get("maxDataPoints"))
    for variable in document["templating"]["list"]:
        if variable.get("datasource", {}).get("uid") == SOURCE:
            found[f"${variable['name']}"] = Query(variable["query"])
    for annotation in document["annotations"]["list"]:
        if annotation["datasource"]["uid"] == SOURCE:
            found[f"@{annotation['name']}"] = Query(annotation["target"]["query"])
    return found


STEPS = {1: 1.5, 2: 3.5, 5: 7.5, 10: 12.5, 15: 17.5, 20: 25, 30: 45, 60: 90, 120: 150, 180: 270, 360: 540, 720: 1080}
"""Round intervals in minutes, and up to which exact one each is taken."""


def window(span: timedelta, points: int) -> timedelta:
    """The time between two points that Grafana chooses; a minute is the least here."""
    exact = span / points / timedelta(minutes=1)
    return timedelta(minutes=next((step for step, end in STEPS.items() if exact < end), 1440))
