"""Whose records the windows of a metric wait for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pegel.plan import SourcePlan
from pegel.units import show_duration

if TYPE_CHECKING:
    from pegel.metrics.definition import Metric
    from pegel.pipeline.health import Vitals


@dataclass(frozen=True)
class Holder:
    """What windows wait for.

    Attributes:
        what: The log, or the source that fails.
        advice: When it goes on, and how to make it.
    """

    what: str
    advice: str


def holder(metric: Metric, vitals: Vitals) -> Holder:
    """What keeps the windows of a metric open: a source that fails, else the log that is farthest behind."""
    rows = {one["name"]: one for one in (vitals.facts or {})["sources"]}
    mine = [one for one in vitals.plan.sources if one.name in metric.sources]
    for source in mine:
        trouble = _trouble(source.name, vitals)
        if trouble:
            until = show_duration(source.max_hold)
            return Holder(
                f"the source {source.name}, which fails: {trouble}",
                f"mend it; after {until} (`max_hold`) windows close without it",
            )
    behind = [part for source in mine for part in _holding(source, rows.get(source.name, {}), vitals.now)]
    if not behind:
        return Holder("a log that was found and not begun", "it goes on when that is read; pegel status --watch")
    slowest, source = min(behind, key=lambda one: int(one[0]["newest"]))
    idle = show_duration(source.idle_after)
    return Holder(str(slowest["partition"]), f"it goes on when that was read, or is idle for {idle} (`idle_after`)")


def _holding(
    source: SourcePlan, facts: Mapping[str, Any], now: float
) -> Iterator[tuple[Mapping[str, Any], SourcePlan]]:
    """The logs of a source that are not idle; while it has something to read, each of them may hold windows."""
    caught_up = facts.get("unread") == 0
    for partition in facts.get("partitions", ()):
        idle = caught_up and now - partition["active"] / 1e6 > source.idle_after
        if partition["newest"] is not None and not idle:
            yield partition, source


def _trouble(name: str, vitals: Vitals) -> str:
    found = vitals.said.troubles if vitals.said is not None else ()
    return next((one.sentence for one in found if (one.kind, one.name) == ("source", name) and not one.waiting), "")
