"""What a reader sees in a panel: by Grafana's own library, out of the answers of the panel's queries.

The library takes frames as Grafana's data sources make them. Those of Prometheus are made here as its source makes them
(`pkg/promlib/querydata/response.go`, `packages/grafana-prometheus/src/result_transformer.ts`); those of InfluxDB are
what `engines.grafana` reads.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from engines import grafana
from engines.grafana_prometheus import Look, Query, ask, called, queries
from engines.prometheus import Prometheus, Series

Frame = Mapping[str, Any]
Rows = list[dict[str, str]]
"""Texts: rows of a table by column, or the numbers of a stat panel as `title` and `text`."""


def seen(program: Path, panels: Mapping[str, tuple[Mapping[str, Any], Sequence[Frame]]]) -> dict[str, Rows]:
    """By name, what each panel shows with its frames."""
    given = {name: {"panel": panel, "frames": frames} for name, (panel, frames) in panels.items()}
    done = subprocess.run([program], input=json.dumps(given), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Rows] = json.loads(done.stdout)
    return found


READ = ("stat", "table", "bargauge")
"""Kinds of panels that are read, not looked at."""


def read_from_prometheus(program: Path, server: Prometheus, uid: str, look: Callable[[str], Look]) -> dict[str, Rows]:
    """By title, what the panels of a dashboard say that are read.

    Args:
        program: Grafana's library.
        server: Who is asked.
        uid: Of the dashboard.
        look: What is looked at, by the name of the query.
    """
    every = queries(uid)
    found = {}
    for panel in grafana.panels(uid):
        if panel["type"] in READ:
            many = len(panel["targets"]) > 1
            names = {one["refId"]: panel["title"] + f" {one['refId']}" * many for one in panel["targets"]}
            answers = {letter: (every[name], ask(server, every[name], look(name))) for letter, name in names.items()}
            found[panel["title"]] = (panel, list(of_prometheus(answers, table=panel["type"] == "table")))
    return seen(program, found)


def of_prometheus(answers: Mapping[str, tuple[Query, Sequence[Series]]], *, table: bool) -> Iterator[Frame]:
    """Frames of a panel.

    Args:
        answers: By the letter of the target.
        table: Whether its queries want tables: a frame for each letter instead of one for each series.
    """
    for letter, (query, series) in answers.items():
        if table:  # an empty answer is a table without rows, and counts
            yield _table(letter, series, f"Value #{letter}" if len(answers) > 1 else "Value")
        else:
            yield from (_line(letter, one, called(one, query)) for one in series)


def _table(letter: str, series: Sequence[Series], value: str) -> Frame:
    labels = list(dict.fromkeys(name for one in series for name in sorted(one.labels)))
    texts = [
        {"name": name, "type": "string", "values": [one.labels.get(name, "") for one in series]} for name in labels
    ]
    times = {"name": "Time", "type": "time", "values": [1000 * one.samples[-1][0] for one in series]}
    values = {"name": value, "type": "number", "values": [one.value for one in series]}
    return {"refId": letter, "fields": [times, *texts, values]}


def _line(letter: str, one: Series, legend: str) -> Frame:
    config = {} if legend == "__auto" else {"displayNameFromDS": legend}
    times = {"name": "Time", "type": "time", "values": [1000 * time for time, _ in one.samples]}
    values = [value for _, value in one.samples]
    field = {"name": "Value", "type": "number", "values": values, "labels": dict(one.labels), "config": config}
    return {"refId": letter, "fields": [times, field]}


def of_influxdb(answers: Mapping[str, Sequence[grafana.Frame]]) -> Iterator[Frame]:
    """Frames of a panel, by the letter of the target."""
    for letter, frames in answers.items():
        for one in frames:
            fields = [_field(name, values, one.labels) for name, values in one.fields.items()]
            yield {"refId": letter, "fields": fields}


def _field(name: str, values: Sequence[Any], labels: Mapping[str, str]) -> Mapping[str, Any]:
    if name == "_time":
        times = [1000 * datetime.fromisoformat(value).timestamp() for value in values]
        return {"name": name, "type": "time", "values": times}
    kind = "string" if any(isinstance(value, str) for value in values) else "number"
    return {"name": name, "type": kind, "values": list(values), "labels": dict(labels)}
