"""What a plan changes, in sentences: those of `pegel plan`, and those in the log when a plan takes over."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pegel.metrics.definition import Metric
from pegel.pipeline.changes import NOTHING_YET, Changes, MetricChange, SettingChange, SinkChange, SourceChange
from pegel.units import show_duration, show_moment

log = logging.getLogger("pegel.config")

SAME, ADDED, GONE, CHANGED, LOSES = "=", "+", "-", "~", "!"
"""Marks; LOSES stands for what loses or doubts something, or is refused."""

_DURATIONS = ("every", "over", "allowed_lateness", "series_ttl")


@dataclass(frozen=True)
class Line:
    """One sentence about one part of a plan.

    Attributes:
        mark: What kind of news it is.
        what: `source`, `metric`, `sink` or `runner`.
        name: Of the part.
        sentence: What becomes of it.
    """

    mark: str
    what: str
    name: str
    sentence: str

    @property
    def loses(self) -> bool:
        """Whether a person should think before this happens."""
        return self.mark == LOSES

    def __str__(self) -> str:
        return f"{self.what} {self.name}: {self.sentence}"


def tell(changes: Changes) -> list[Line]:
    """A line for every part, in the order of the plan."""
    return [
        *map(_source, changes.sources),
        *map(_metric, changes.metrics),
        *map(_sink, changes.sinks),
        *_settings(changes.settings),
    ]


def log_changes(changes: Changes) -> None:
    """Say what is not as it was, what loses something as a warning."""
    for line in tell(changes):
        if line.mark != SAME:
            log.log(logging.WARNING if line.loses else logging.INFO, "%s", line)


# -- sources ---------------------------------------------------------------------------------------------------


def _source(change: SourceChange) -> Line:
    if change.kind == "gone":
        text = "is not read any more; its cursors are kept, and it goes on there when it comes back"
        return Line(GONE, "source", change.name, text)
    if change.kind == "refused":
        text = f'run refuses it: "{change.former}" has read {change.log}; say renamed_from or start'
        return Line(LOSES, "source", change.name, text)
    if change.kind == "new":
        return Line(ADDED, "source", change.name, _where_it_begins(change))
    mark = LOSES if change.left else SAME if change.kind == "same" else CHANGED
    begin = "goes on where it is"
    if change.kind == "renamed":
        begin = f"goes on where {change.former} is, whose cursors it takes along"
    return Line(mark, "source", change.name, "; ".join([begin, *_source_details(change)]))


def _where_it_begins(change: SourceChange) -> str:
    if change.source is not None and change.source.start == "end":
        return "is new and begins at the end: what its log holds already is not counted"
    return "is new and begins at the beginning of its log, archives included"


def _source_details(change: SourceChange) -> Iterator[str]:
    if change.options:
        yield f"{_words(change.options)} changed, for what is read from now on"
    if change.left:
        yield (
            f"{_words(change.left)} is not read any more; if it is the same log under another path,"
            " it is read from its beginning and counted again"
        )


# -- metrics ---------------------------------------------------------------------------------------------------


def _metric(change: MetricChange) -> Line:
    mark, parts = _METRICS[change.kind](change)
    if change.former:
        parts = [f"takes the windows and totals of {change.former} along", *parts]
        mark = CHANGED if mark == SAME else mark
    return Line(mark, "metric", change.name, "; ".join(parts))


# -- each kind of change: its mark, and what is said of it ----------------------------------------------------


def _same(_change: MetricChange) -> tuple[str, list[str]]:
    return SAME, ["counts as before"]


def _described(change: MetricChange) -> tuple[str, list[str]]:
    return CHANGED, ["counts as before", *_details(change)]


def _new(change: MetricChange) -> tuple[str, list[str]]:
    if change.late:
        return ADDED, ["is new and counts what is read from now on, so its first window is not whole"]
    return ADDED, ["is new and counts all that its sources read"]


def _back(change: MetricChange) -> tuple[str, list[str]]:
    text = "is back and goes on with its windows and totals; what was read in between is not in them"
    return ADDED, [text, *_details(change)]


def _removed(change: MetricChange) -> tuple[str, list[str]]:
    last = "has counted nothing" if change.edge == NOTHING_YET else "ends, and its open windows are sent as they are"
    return GONE, [f"{last}; what it knows is kept for 7 days in case it comes back"]


def _different(change: MetricChange) -> tuple[str, list[str]]:
    counted = [name for name in change.fields if _is_counted(name)]
    edge = change.edge if change.edge is not None else NOTHING_YET
    begin = f"its old definition counts up to {show_moment(edge)} UTC, its new one from there"
    if edge == NOTHING_YET:
        begin = "its old definition has counted nothing, the new one begins at once"
    parts = [f"{_words(counted)} changed", begin, *_totals(change), *_details(change)]
    gap = change.metric is not None and change.metric.over is not None and edge != NOTHING_YET
    if gap and change.metric is not None:
        parts.append(f"it has no points until {show_duration(change.metric.over or 0)} are covered again")
    return LOSES if change.totals is False or gap else CHANGED, parts


_METRICS = {
    "same": _same,
    "described": _described,
    "new": _new,
    "back": _back,
    "removed": _removed,
    "different": _different,
}


def _totals(change: MetricChange) -> Iterator[str]:
    if change.totals is True:
        yield "its counters keep their totals"
    elif change.totals is False:
        why = [name for name in change.fields if name.partition(".")[0] in ("labels", "where", "values")]
        yield f"its counters begin at 0 again, since {_words(why)} {'is' if len(why) == 1 else 'are'} not the same"
    if "labels" in change.fields:
        yield "its series are new ones for the sinks"


def _is_counted(name: str) -> bool:
    return name.partition(".")[0] in ("every", "over", "labels", "where", "values", "timezone", "approx_over")


def _details(change: MetricChange) -> Iterator[str]:
    """What changed beside what is counted."""
    before, after = change.before, change.metric
    if before is None or after is None:
        return
    for name in change.fields:
        if name == "help":
            yield "is described differently"
        elif name == "sources":
            yield from _sources(before, after)
        elif name == "constant_labels":
            yield "the labels of every point changed, so its series are new ones for the sinks"
        elif not _is_counted(name):
            yield f"{name} is {_value(name, getattr(after, name))} instead of {_value(name, getattr(before, name))}"


def _sources(before: Metric, after: Metric) -> Iterator[str]:
    added = [name for name in after.sources if name not in before.sources]
    gone = [name for name in before.sources if name not in after.sources]
    if added:
        yield f"counts {_words(added)}, too"
    if gone:
        yield f"counts {_words(gone)} no longer"


# -- sinks and settings ----------------------------------------------------------------------------------------


def _sink(change: SinkChange) -> Line:
    waiting = f"{change.waiting:,} points wait for it"
    if change.kind == "gone":
        if change.waiting:
            text = f"is gone, but {waiting}; they are dropped when they have waited for 72h"
            return Line(LOSES, "sink", change.name, text)
        return Line(GONE, "sink", change.name, "gets nothing any more; nothing waits for it")
    if change.kind == "new":
        view = change.sink is not None and change.sink.sink.view
        text = "is new and shows what the state holds" if view else "is new and gets the points from now on"
        return Line(ADDED, "sink", change.name, f"{text}; {waiting}" if change.waiting else text)
    parts = [f"{_words(change.options)} changed"] if change.options else ["gets points as before"]
    if change.waiting:
        parts.append(f"{waiting} and are sent as it is configured now" if change.options else waiting)
    return Line(CHANGED if change.options else SAME, "sink", change.name, "; ".join(parts))


def _settings(changes: Sequence[SettingChange]) -> Iterator[Line]:
    for change in changes:
        was = f"is {_shown(change.after)} instead of {_shown(change.before)}"
        if change.name == "prefix":
            text = (
                f"{was}: every metric has another name, and those of the old names end unless renamed_from names them"
            )
            yield Line(LOSES, "runner", change.name, text)
        elif change.name == "labels":
            yield Line(CHANGED, "runner", change.name, f"{was}: all series are new ones for the sinks")
        else:
            yield Line(CHANGED, "runner", change.name, f"{was}; no number depends on it")


# -- words -----------------------------------------------------------------------------------------------------


def _words(names: Sequence[str]) -> str:
    """Names in a row: `a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def _value(name: str, value: Any) -> str:
    return show_duration(value) if name in _DURATIONS and value is not None else _shown(value)


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}={one}" for name, one in value.items()) or "none"
    return "none" if value in (None, "") else str(value)
