"""`[[tests]]`: records, and the points that they must make."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pegel.config import words
from pegel.config.document import Node
from pegel.config.entries import CaseEntry
from pegel.config.names import check_unique
from pegel.config.options import build
from pegel.config.problems import Problem, did_you_mean, listed
from pegel.config.sources import SourceDraft
from pegel.metrics.definition import Metric
from pegel.metrics.windows import Windows
from pegel.plan import Case, Expected
from pegel.units import show_duration, show_moment

_TIME = "time"
_HISTOGRAM = ("count", "sum", "buckets")


def draft_cases(
    nodes: Sequence[Node], drafts: Sequence[SourceDraft], metrics: Sequence[Metric], problems: list[Problem]
) -> list[Case]:
    """Read the tests; those with problems are left out. They are read last, when all that they name is right."""
    check_unique([node.table["name"] for node in nodes if "name" in node.table], "test", problems)
    cases = [
        _case(node, drafts, {one.name: one for metric in metrics for one in metric.shown()}, problems) for node in nodes
    ]
    return [case for case in cases if case is not None]


def _case(
    node: Node, drafts: Sequence[SourceDraft], metrics: Mapping[str, Metric], problems: list[Problem]
) -> Case | None:
    entry = build(CaseEntry, node, problems)
    if entry is None:
        return None
    source = _source(node, drafts, problems)
    _check_input(node, problems)
    if source is None:
        return None
    if not entry.points and not entry.rejects:
        message = "it expects nothing; write points, or rejects"
        problems.append(node.problem(message))
    points = {
        name: _points(name, below, source, metrics, problems)
        for name, below in (node.table["points"].table if "points" in node.table else {}).items()
    }
    file = None if entry.input_file is None else Path(node.document.name).parent / entry.input_file
    return Case(
        name=entry.name,
        source=source,
        input=entry.input,
        input_file=file,
        points=points,
        rejects={reason: count for reason, count in entry.rejects.items() if count},
    )


def _source(node: Node, drafts: Sequence[SourceDraft], problems: list[Problem]) -> str | None:
    known = [draft.name for draft in drafts]
    written = node.table.get("source")
    if written is None and len(known) == 1:
        return known[0]
    if written is None:
        message = f"required, but missing: there are the sources {listed(known)}"
        problems.append(node.problem(message, missing="source"))
        return None
    if written.value in known:
        return str(written.value)
    message = f'there is no source "{written.value}"; there is {listed(known)}'
    problems.append(written.problem(message, did_you_mean(written.value, known)))
    return None


def _check_input(node: Node, problems: list[Problem]) -> None:
    given = [name for name in ("input", "input_file") if name in node.table]
    if len(given) == 2:
        problems.append(node.table["input_file"].problem("there is an input already; one of the two", at_key=True))
    elif not given:
        problems.append(
            node.problem("required, but missing: the records, or the file that they are in", missing="input")
        )


def _points(
    name: str, node: Node, source: str, metrics: Mapping[str, Metric], problems: list[Problem]
) -> list[Expected]:
    metric = metrics.get(name)
    if metric is None:
        problems.append(_unknown(node, f'there is no metric "{name}"', name, metrics))
        return []
    if source not in metric.sources:
        problems.append(node.problem(f'{name} does not read the source "{source}"', at_key=True))
        return []
    return [_expected(metric, item, problems) for item in node.items]


def _expected(metric: Metric, node: Node, problems: list[Problem]) -> Expected:
    labels, values = {}, {}
    known = [_TIME, *metric.labels, *metric.constant_labels, *metric.values]
    for key, below in node.table.items():
        if key == _TIME:
            continue
        if key in metric.values:
            values[key] = below.plain()
            _check_value(metric, key, below, problems)
        elif key not in known:
            problems.append(_unknown(below, f'{metric.name} has no label or value "{key}"', key, known))
        elif isinstance(below.value, str):
            labels[key] = below.value
        else:
            problems.append(below.problem(f"the value of a label is a string, not {words.kind(below.value)}"))
    time = node.table.get(_TIME)
    return Expected(time=None if time is None else _time(metric, time, problems), labels=labels, values=values)


def _unknown(node: Node, message: str, name: str, known: Iterable[str]) -> Problem:
    """A name that means nothing, with the one that was meant or all that there are."""
    suggestion = did_you_mean(name, known)
    return node.problem(message if suggestion else f"{message}; there is {listed(known)}", suggestion, at_key=True)


def _check_value(metric: Metric, key: str, node: Node, problems: list[Problem]) -> None:
    kind = metric.values[key].kind
    if kind == "histogram":
        if not node.table or not set(node.table) <= set(_HISTOGRAM):
            example = f"a table with {listed(_HISTOGRAM)}"
            problems.append(node.problem(f"{key} is a histogram: {example}"))
    elif not _is_value(node.value):
        problems.append(node.problem(f"a value is a number or a string, not {words.kind(node.value)}"))


def _is_value(value: Any) -> bool:
    return isinstance(value, int | float | str) and not isinstance(value, bool)


def _time(metric: Metric, node: Node, problems: list[Problem]) -> int | None:
    try:
        moment = datetime.fromisoformat(node.value)
    except (TypeError, ValueError):
        message = 'a time is a string such as "2026-03-03 12:00" (ISO 8601; UTC if it says nothing else)'
        problems.append(node.problem(message))
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    time = round(moment.timestamp() * 1e6)
    start = Windows(metric.every, metric.over, metric.timezone).pane_start(time)
    if start != time:
        shown = show_moment(start)
        message = f"no window of {metric.name} starts then; it has one every {show_duration(metric.every)}"
        problems.append(node.problem(message, shown))
    return time
