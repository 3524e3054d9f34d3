"""What a plan changes in a state: decided here from facts, carried out by `registry`, told by `telling`.

The runner does at its start what these decisions say and nothing else, and `pegel plan` shows the same decisions
before anything happens.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from pegel.metrics.definition import Metric, Value
from pegel.metrics.windows import Windows
from pegel.pipeline.live import Standing
from pegel.pipeline.summary import Digests, Summary, different
from pegel.plan import Plan, SinkPlan, SourcePlan
from pegel.table import Columns

NOTHING_YET = -(2**61)
"""The edge of a definition that has counted nothing: before every window."""

_COUNTS = ("every", "over", "labels", "where", "values", "timezone", "approx_over")
"""What a definition counts; a change of anything else keeps the windows."""

_ROUNDS = 3
"""How often a common edge is looked for; lengths that divide a day have one after the first round."""

_NOT_COUNTED = ("name", "renamed_from")
"""What says where a definition belongs, and nothing of what it is."""


@dataclass(frozen=True)
class Remembered:
    """What a state knows of the plans that were run on it; the default is a state without a past.

    Attributes:
        sources: The partitions that each source has read.
        standings: All definitions of metrics, oldest first.
        edges: Where each of them ends, or would end if another one took over.
        waiting: How many points wait for each sink.
        summary: The plan that was run last; None where nothing is known of it.
    """

    sources: Mapping[str, Sequence[str]] = field(default_factory=dict)
    standings: Sequence[Standing] = ()
    edges: Mapping[int, int] = field(default_factory=dict)
    waiting: Mapping[str, int] = field(default_factory=dict)
    summary: Summary | None = None


@dataclass(frozen=True)
class SourceChange:
    """What becomes of a source.

    Attributes:
        source: As it is in the plan; None for one that is gone.
        former: The name whose cursors it takes along, or whose log it reads without saying so.
        log: What that one has read.
        options: Those that are other ones now.
        left: What it has read and does not read any more.
    """

    name: str
    kind: Literal["same", "changed", "new", "renamed", "refused", "gone"]
    source: SourcePlan | None = None
    former: str = ""
    log: str = ""
    options: Sequence[str] = ()
    left: Sequence[str] = ()


@dataclass(frozen=True)
class MetricChange:
    """What becomes of a metric.

    Attributes:
        metric: As it is in the plan; None for one that is removed.
        standing: The definition that it goes on with, or follows; None for a new one.
        before: What that one says.
        former: Its name, if it was another one.
        fields: What of the definition is not the same.
        edge: Where the definition so far ends, in us; None if it goes on.
        totals: Whether counters go on from their totals; None where none begins or ends.
        late: Something was read already that a new metric will not count.
    """

    name: str
    kind: Literal["same", "described", "different", "new", "back", "removed"]
    metric: Metric | None = None
    standing: Standing | None = None
    before: Metric | None = None
    former: str = ""
    fields: Sequence[str] = ()
    edge: int | None = None
    totals: bool | None = None
    late: bool = False


@dataclass(frozen=True)
class SinkChange:
    """What becomes of a sink.

    Attributes:
        sink: As it is in the plan; None for one that is gone.
        options: Those that are other ones now.
        waiting: Points that wait for it.
    """

    name: str
    kind: Literal["same", "changed", "new", "gone"]
    sink: SinkPlan | None = None
    options: Sequence[str] = ()
    waiting: int = 0


@dataclass(frozen=True)
class SettingChange:
    """A setting of the runner that is another one now."""

    name: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Changes:
    """Everything that a plan changes, and what stays; in the order of the plan, what is gone at the end."""

    sources: Sequence[SourceChange]
    metrics: Sequence[MetricChange]
    sinks: Sequence[SinkChange]
    settings: Sequence[SettingChange]


def decide(remembered: Remembered, plan: Plan) -> Changes:
    """What a plan changes in a state."""
    before, now = remembered.summary or Summary(), Summary.of(plan)
    settings = different(before.runner, now.runner) if before.runner else ()
    sources = decide_sources(remembered, plan.sources, now)
    return Changes(
        sources=sources,
        metrics=decide_metrics(remembered, plan.metrics, renames(sources)),
        sinks=_decide_sinks(remembered, plan.sinks, now),
        settings=[SettingChange(name, before.runner.get(name), now.runner.get(name)) for name in settings],
    )


# -- sources ---------------------------------------------------------------------------------------------------


def decide_sources(remembered: Remembered, sources: Sequence[SourcePlan], now: Summary) -> list[SourceChange]:
    """Which cursors each source goes on with."""
    before = remembered.summary.sources if remembered.summary else {}
    names = {one.name for one in sources}
    known = dict(remembered.sources)
    changes = []
    for source in sources:
        old = source.renamed_from
        if source.name in known:
            changes.append(_goes_on(source, source.name, known[source.name], before, now))
        elif old is not None and old in known and old not in names:
            known[source.name] = known.pop(old)
            changes.append(_goes_on(source, old, known[source.name], before, now))
        else:
            changes.append(_new_source(source, {name: logs for name, logs in known.items() if name not in names}))
            known[source.name] = ()
    listed = before if remembered.summary else known
    return [*changes, *(SourceChange(name, "gone") for name in known if name not in names and name in listed)]


def _goes_on(
    source: SourcePlan, former: str, logs: Sequence[str], before: Mapping[str, Digests], now: Summary
) -> SourceChange:
    options = different(before[former], now.sources[source.name]) if former in before else ()
    left = [log for log in logs if not source.source.reads(log)] if "path" in options else []
    if former != source.name:
        return SourceChange(source.name, "renamed", source, former, options=options, left=left)
    return SourceChange(source.name, "changed" if options else "same", source, options=options, left=left)


def _new_source(source: SourcePlan, others: Mapping[str, Sequence[str]]) -> SourceChange:
    """A new name for a log that another name has read: go on there, or count it all again? Only a person knows."""
    if not source.start_said:
        for former, log in sorted((name, log) for name, logs in others.items() for log in logs):
            if source.source.reads(log):
                return SourceChange(source.name, "refused", source, former, log)
    return SourceChange(source.name, "new", source)


def renames(changes: Sequence[SourceChange]) -> dict[str, str]:
    """The new names of sources, by the former ones."""
    return {one.former: one.name for one in changes if one.kind == "renamed"}


# -- metrics ---------------------------------------------------------------------------------------------------


def decide_metrics(remembered: Remembered, metrics: Sequence[Metric], renamed: Mapping[str, str]) -> list[MetricChange]:
    """Which definition each metric goes on with, and where the others end.

    Totals belong to names. A definition that changed in what it counts stops at the edge of its newest window and
    a new one starts there; one that only changed in how it is described or limited goes on.

    Args:
        remembered: What the state knows.
        metrics: Those of the plan.
        renamed: New names of sources, by the former ones.
    """
    read = {renamed.get(name, name) for name, logs in remembered.sources.items() if logs}
    names = {metric.name for metric in metrics}
    current = {one.name: one for one in remembered.standings if one.until is None}
    ended = {one.name: one for one in remembered.standings if one.until is not None}
    changes = []
    for metric in metrics:
        old = current.pop(metric.name, None)
        former = metric.renamed_from
        if old is None and former in current and former not in names:
            old = current.pop(former)
        old = old or ended.get(metric.name)
        if old is None:
            changes.append(MetricChange(metric.name, "new", metric, late=not read.isdisjoint(metric.sources)))
        else:
            changes.append(_follow(old, metric, remembered.edges, renamed))
    return [*changes, *(_removed(one, remembered.edges) for one in current.values())]


def _follow(old: Standing, metric: Metric, edges: Mapping[int, int], renamed: Mapping[str, str]) -> MetricChange:
    """A metric of which the state has a definition."""
    before = restore(old.definition)
    before = replace(before, sources=[renamed.get(name, name) for name in before.sources])
    fields = _differences(before, metric)
    change = MetricChange(
        metric.name, "same", metric, old, before, former=old.name if old.name != metric.name else "", fields=fields
    )
    if any(name.partition(".")[0] in _COUNTS for name in fields):
        edge = old.until if old.until is not None else _handover(edges[old.id], before, metric)
        totals = same_totals(before, metric) if _is_cumulative(before) else None
        return replace(change, kind="different", edge=edge, totals=totals)
    if old.until is not None:
        return replace(change, kind="back")
    return replace(change, kind="described") if fields else change


def _handover(edge: int, before: Metric, after: Metric) -> int:
    """The first time from an edge on at which windows of both definitions begin: no record falls between them.

    Days of two time zones have no such time; then it is where a window of the new definition begins.
    """
    if edge == NOTHING_YET:
        return edge
    both = [Windows(one.every, one.over, one.timezone) for one in (before, after)]
    for _ in range(_ROUNDS):
        if all(windows.pane_start(edge) == edge for windows in both):
            break
        for windows in both:
            start = windows.pane_start(edge)
            edge = start if start == edge else windows.pane_end(start)
    return edge


def _removed(old: Standing, edges: Mapping[int, int]) -> MetricChange:
    return MetricChange(old.name, "removed", None, old, restore(old.definition), edge=edges[old.id])


def _differences(before: Metric, after: Metric) -> tuple[str, ...]:
    """What of a definition is not the same: names of options, a value as `values.NAME`, its help as `help`."""
    old, new = json.loads(definition(before)), json.loads(definition(after))
    found = [name for name in different(old, new) if name not in (*_NOT_COUNTED, "values")]
    values = {
        f"values.{name}": (_bare(old["values"].get(name)), _bare(new["values"].get(name))) for name in _order(old, new)
    }
    counted = [name for name, (one, other) in values.items() if one != other]
    if old["values"] != new["values"] and not counted and "help" not in found:
        found.append("help")
    return (*found, *counted)


def _order(old: Mapping[str, Any], new: Mapping[str, Any]) -> Sequence[str]:
    return list({**new["values"], **old["values"]})


def _bare(value: Mapping[str, str] | None) -> dict[str, str] | None:
    """A value without its help text."""
    return None if value is None else {name: text for name, text in value.items() if name != "help"}


def _is_cumulative(metric: Metric) -> bool:
    return any(value.kind in ("counter", "histogram") for value in metric.values.values())


def same_totals(old: Metric, new: Metric) -> bool:
    """Whether a counter may keep its total: labels, condition and every expression are the same."""
    return list(old.labels) == list(new.labels) and old.where == new.where and _values(old) == _values(new)


def _values(metric: Metric) -> dict[str, tuple[str, str]]:
    return {name: (value.value, value.kind) for name, value in metric.values.items()}


def definition(metric: Metric, columns: Columns | None = None) -> str:
    """A metric as text: everything that decides what it counts, and what is needed to go on counting it.

    Args:
        metric: The metric.
        columns: Those that it may use now; a later plan may have others while its windows are still open.
    """
    facts = {**asdict(metric), **({"columns": columns} if columns else {})}
    return json.dumps(facts, sort_keys=True, ensure_ascii=False, default=list)


def restore(text: str) -> Metric:
    """The metric of a stored definition."""
    fields = json.loads(text)
    fields.pop("columns", None)
    fields["values"] = {name: Value(**value) for name, value in fields["values"].items()}
    return Metric(**fields)


def columns_then(text: str) -> Columns:
    """The columns that the metric of a stored definition may use."""
    columns: Columns = json.loads(text).get("columns", {})
    return columns


# -- sinks -----------------------------------------------------------------------------------------------------


def _decide_sinks(remembered: Remembered, sinks: Sequence[SinkPlan], now: Summary) -> list[SinkChange]:
    before = remembered.summary.sinks if remembered.summary else {}
    changes = []
    for sink in sinks:
        waiting = remembered.waiting.get(sink.name, 0)
        options = different(before[sink.name], now.sinks[sink.name]) if sink.name in before else ()
        kind: Literal["same", "changed", "new"] = "changed" if options else "same" if sink.name in before else "new"
        changes.append(SinkChange(sink.name, kind, sink, options, waiting))
    gone = sorted({*before, *remembered.waiting} - now.sinks.keys())
    return [*changes, *(SinkChange(name, "gone", waiting=remembered.waiting.get(name, 0)) for name in gone)]
