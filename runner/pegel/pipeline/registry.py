"""Which definition of a metric counts which windows: the table `metrics` against a plan.

Totals belong to names. A definition that changed in what it counts stops at the edge of a window and a new
one starts there; one that only changed in how it is described or limited goes on.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from pegel.metrics.definition import Metric, Value
from pegel.metrics.windows import Windows
from pegel.pipeline.live import LiveMetric, Standing
from pegel.state import State

log = logging.getLogger("pegel.metrics")

_COUNTS = ("every", "over", "labels", "where", "values", "timezone", "approx_over")
"""What a definition counts; a change of anything else keeps the windows."""


def definition(metric: Metric) -> str:
    """A metric as text: everything that decides what it counts, and what is needed to go on counting it."""
    return json.dumps(asdict(metric), sort_keys=True, ensure_ascii=False, default=list)


def restore(text: str) -> Metric:
    """The metric of a stored definition."""
    fields = json.loads(text)
    fields["values"] = {name: Value(**value) for name, value in fields["values"].items()}
    return Metric(**fields)


def standings(state: State) -> list[Standing]:
    """All definitions in the state, oldest first."""
    rows = state.connection.execute(
        "select id, name, definition, since, until, not_before, watermark, swept from metrics order by id"
    )
    return [Standing(*row) for row in rows.fetchall()]


def same_counting(old: Metric, new: Metric) -> bool:
    """Whether two definitions count the same windows the same way."""
    before, after = json.loads(definition(old)), json.loads(definition(new))
    return all(_bare(before[name]) == _bare(after[name]) for name in _COUNTS)


def same_totals(old: Metric, new: Metric) -> bool:
    """Whether a counter may keep its total: labels, condition and every expression are the same."""
    return list(old.labels) == list(new.labels) and old.where == new.where and _values(old) == _values(new)


def _values(metric: Metric) -> dict[str, tuple[str, str]]:
    return {name: (value.value, value.kind) for name, value in metric.values.items()}


def _bare(fact: object) -> object:
    """A fact without help texts."""
    if isinstance(fact, dict):
        return {name: _bare(one) for name, one in fact.items() if name != "help"}
    return fact


def register(state: State, metrics: Sequence[Metric]) -> list[tuple[Standing, Metric]]:
    """Write a plan's metrics into the state; returns every definition that still counts, with its metric.

    Part of the running transaction.
    """
    current = {one.name: one for one in standings(state) if one.until is None}
    for metric in metrics:
        old = current.get(metric.name)
        if old is None and metric.renamed_from in current:
            old = current.pop(str(metric.renamed_from))
            state.connection.execute("update metrics set name = ? where id = ?", (metric.name, old.id))
        current.pop(metric.name, None)
        old = old or _resumed(state, metric)
        if old is None or not same_counting(restore(old.definition), metric):
            _succeed(state, old, metric)
        else:
            state.connection.execute("update metrics set definition = ? where id = ?", (definition(metric), old.id))
    for old in current.values():
        _end(state, old, restore(old.definition))
    by_name = {metric.name: metric for metric in metrics}
    return [(one, _metric_of(one, by_name)) for one in standings(state)]


def _resumed(state: State, metric: Metric) -> Standing | None:
    """The newest definition of a metric that was removed and is there again; it counts on if it is the same."""
    former = [one for one in standings(state) if one.name == metric.name and one.until is not None]
    if not former:
        return None
    if same_counting(restore(former[-1].definition), metric):
        state.connection.execute("update metrics set until = null where id = ?", (former[-1].id,))
    return former[-1]


def _metric_of(standing: Standing, by_name: Mapping[str, Metric]) -> Metric:
    if standing.until is None and standing.name in by_name:
        return by_name[standing.name]
    return restore(standing.definition)


def _succeed(state: State, old: Standing | None, metric: Metric) -> None:
    """Start a definition; where it follows another, at the edge of that one's newest window."""
    since = None if old is None else _end(state, old, restore(old.definition))
    state.connection.execute(
        "insert into metrics (name, definition, since) values (?, ?, ?)",
        (metric.name, definition(metric), since),
    )
    if old is not None:
        log.warning("%s counts differently from its next window on", metric.name)


def _end(state: State, old: Standing, metric: Metric) -> int:
    """Let a definition end at the edge of its newest window; returns the edge."""
    if old.until is not None:
        return old.until
    windows = Windows(metric.every, metric.over, metric.timezone)
    exists = state.connection.execute("select 1 from sqlite_schema where name = ?", (f"panes_{old.id}",)).fetchone()
    newest = state.windows.newest(old.id) if exists else None
    if newest is not None:
        edge = windows.pane_end(newest)
    else:
        edge = windows.pane_end(windows.pane_start(old.watermark)) if old.watermark is not None else -(2**61)
    state.connection.execute("update metrics set until = ? where id = ?", (edge, old.id))
    return edge


def welcome(state: State, sinks: Sequence[str]) -> None:
    """Note the sinks of a plan; one that was not there before is told what `info` metrics have said already.

    Part of the running transaction.
    """
    known = state.meta("sinks")
    if known is not None and not set(sinks) <= set(json.loads(known)):
        state.series.say_all_again()
    state.connection.execute("insert or replace into meta values ('sinks', ?)", (json.dumps(sorted(sinks)),))


def link_totals(state: State, metrics: Sequence[LiveMetric]) -> None:
    """Let a definition that ended add to the totals of the one that follows it, where those go on.

    Part of the running transaction; the totals themselves are carried over once.
    """
    for old in metrics:
        if old.standing.until is None:
            continue
        heir = _heir(old, metrics)
        if heir is not None:
            old.heir = heir
            state.carry_totals(old.id, heir.id)


def _heir(old: LiveMetric, metrics: Sequence[LiveMetric]) -> LiveMetric | None:
    """The last of the definitions that follow one another with the same totals; None if the next one differs."""
    following = [
        one for one in metrics if one.standing.name == old.standing.name and one.standing.since == old.standing.until
    ]
    if not following or not same_totals(old.metric, following[0].metric):
        return None
    return (following[0].standing.until is not None and _heir(following[0], metrics)) or following[0]
