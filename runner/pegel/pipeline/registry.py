"""What a state remembers of the plans that were run on it, and how it learns the next one.

Reading needs no more than a connection, so that `pegel plan` can look beside a running runner; writing is part of
the transaction in which a runner starts.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from pegel.errors import StateError
from pegel.metrics.definition import Metric
from pegel.metrics.windows import Windows
from pegel.pipeline.changes import (
    NOTHING_YET,
    Changes,
    MetricChange,
    Remembered,
    SourceChange,
    columns_then,
    definition,
    restore,
    same_totals,
)
from pegel.pipeline.live import LiveMetric, Standing
from pegel.pipeline.summary import Summary
from pegel.plan import Plan
from pegel.state import State, claims
from pegel.state.outbox import Outbox
from pegel.state.positions import Positions
from pegel.state.windows import WindowTables
from pegel.table import Columns

_LAST_PLAN = "plan"
"""Where in the state the summary of the plan is that was run last."""


# -- reading ---------------------------------------------------------------------------------------------------


def remembered(connection: sqlite3.Connection) -> Remembered:
    """Everything that decides what another plan changes."""
    positions, outbox, known = Positions(connection), Outbox(connection, 0), standings(connection)
    row = connection.execute("select value from meta where name = ?", (_LAST_PLAN,)).fetchone()
    return Remembered(
        sources={name: sorted(positions.partitions(name)) for name in positions.names()},
        standings=known,
        edges={one.id: _edge(connection, one) for one in known if one.until is None},
        waiting=_waiting(outbox),
        summary=Summary.read(row[0]) if row else None,
    )


def _waiting(outbox: Outbox) -> dict[str, int]:
    """Points that wait for each sink, those of its shards together."""
    found: Counter[str] = Counter()
    for name in sorted(outbox.sinks()):
        found[name.partition("/")[0]] += outbox.backlog(name).points
    return dict(found)


def standings(connection: sqlite3.Connection) -> list[Standing]:
    """All definitions in the state, oldest first."""
    rows = connection.execute(
        "select id, name, definition, since, until, not_before, watermark, swept from metrics order by id"
    )
    return [Standing(*row) for row in rows.fetchall()]


def _edge(connection: sqlite3.Connection, one: Standing) -> int:
    """The end of the newest window of a definition."""
    metric = restore(one.definition)
    windows = Windows(metric.every, metric.over, metric.timezone)
    exists = connection.execute("select 1 from sqlite_schema where name = ?", (f"panes_{one.id}",)).fetchone()
    newest = WindowTables(connection).newest(one.id) if exists else None
    if newest is not None:
        return windows.pane_end(newest)
    return windows.pane_end(windows.pane_start(one.watermark)) if one.watermark is not None else NOTHING_YET


# -- writing: part of the running transaction ------------------------------------------------------------------


def carry_out(state: State, changes: Changes, plan: Plan) -> None:
    """Make the decisions about a plan true.

    Raises:
        StateError: A source reads what another name has read, and the plan does not say what is meant.
    """
    for source in changes.sources:
        _settle_source(state, source)
    for metric in changes.metrics:
        _settle_metric(state, metric, columns_of(plan, metric.metric)[0] if metric.metric else {})
    if any(one.kind == "new" and one.sink is not None and not one.sink.sink.view for one in changes.sinks):
        state.series.say_all_again()  # what `info` metrics said before, a new sink has not heard
    state.remember(_LAST_PLAN, Summary.of(plan).written())


def _settle_source(state: State, change: SourceChange) -> None:
    """Give a source its row; a renamed one takes its cursors along."""
    if change.source is None:
        return
    if change.kind == "refused":
        raise StateError(
            f'source "{change.name}" is new, but "{change.former}" has read {change.log}; say renamed_from ='
            f' "{change.former}" to go on there, or start = "beginning" or "end" to begin anew'
        )
    if change.kind == "renamed":
        state.positions.rename(change.former, change.name)
        _rename_in_definitions(state, change.former, change.name)
    state.positions.register(change.name, change.source.start)


def _rename_in_definitions(state: State, former: str, name: str) -> None:
    """A definition that is still finished reads the source under its new name."""
    for one in standings(state.connection):
        metric = restore(one.definition)
        if former in metric.sources:
            sources = [name if source == former else source for source in metric.sources]
            text = definition(replace(metric, sources=sources), columns_then(one.definition))
            state.connection.execute("update metrics set definition = ? where id = ?", (text, one.id))


def _settle_metric(state: State, change: MetricChange, columns: Columns) -> None:
    old, metric = change.standing, change.metric
    if old is not None and metric is not None:
        state.connection.execute("update metrics set name = ? where id = ?", (metric.name, old.id))
        if old.name != metric.name:
            for key in (claims.first_key, claims.foreign_key):
                state.connection.execute(
                    "update or replace meta set name = ? where name = ?", (key(metric.name), key(old.name))
                )
    if old is not None and change.edge is not None:
        state.connection.execute("update metrics set until = ? where id = ?", (change.edge, old.id))
    if metric is None:
        return
    if old is None or change.edge is not None:
        state.connection.execute(
            "insert into metrics (name, definition, since) values (?, ?, ?)",
            (metric.name, definition(metric, columns), change.edge),
        )
    else:
        state.connection.execute(
            "update metrics set definition = ?, until = null where id = ?", (definition(metric, columns), old.id)
        )


# -- afterwards ------------------------------------------------------------------------------------------------


def counting(state: State, metrics: Sequence[Metric]) -> list[tuple[Standing, Metric]]:
    """Every definition that still counts, with its metric: as in the plan, or as it was when it ended."""
    by_name = {metric.name: metric for metric in metrics}
    return [(one, _metric_of(one, by_name)) for one in standings(state.connection)]


def columns_of(plan: Plan, metric: Metric) -> tuple[Columns, frozenset[str]]:
    """The columns that a metric may use, and which of them are private: the union over its sources."""
    columns: dict[str, str] = {}
    private: set[str] = set()
    for source in plan.sources:
        if source.name in metric.sources:
            columns.update(source.columns)
            private |= source.private
    return columns, frozenset(private)


def _metric_of(standing: Standing, by_name: Mapping[str, Metric]) -> Metric:
    if standing.until is None and standing.name in by_name:
        return by_name[standing.name]
    return restore(standing.definition)


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
