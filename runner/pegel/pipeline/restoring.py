"""After a restore: a state that is older than what sinks have had of it must not let a counter fall.

A snapshot knows nothing of what was sent and shown after it was taken. What it missed is read again, with the same
numbers; until a metric is past the moment of the restore no total of it is sent or shown. Then its counters go on
where they were. If something cannot be read again they begin with 0: that is a restart of a counter to everybody,
and a fall to anything else would count it twice.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from pegel.pipeline.live import LiveMetric
from pegel.plan import OWN_PREFIX, SourcePlan
from pegel.state import State
from pegel.state.store import RESTORED
from pegel.state.windows import TOTAL
from pegel.units import show_moment

log = logging.getLogger("pegel.restore")

_EVER = 2**62
"""Later than every window."""


def begin(state: State, sources: Sequence[SourcePlan], now: int) -> None:
    """Look whether this is a snapshot in the place of a newer state; part of the running transaction.

    Args:
        state: Just opened.
        sources: Of the plan. What one deletes is in the newest snapshot, but in no older one.
        now: Wall clock in us; all that ends later was sent by nobody.
    """
    deleted = [] if state.is_newest_copy else [one.name for one in sources if one.source.releases]
    if state.restore_begins(now):
        for source in deleted:
            state.remember(_lost(source), "deleted")
        state.connection.execute(
            "insert or replace into meta select ? || id, ? from metrics", (LiveMetric.behind_key(""), now)
        )
        state.sampled.forget_metrics(OWN_PREFIX)
        log.warning(
            "the state is a snapshot that was put in the place of a newer one: counters wait until everything up to"
            " %s UTC has been read again, or begin with 0 if that cannot be",
            show_moment(now),
        )


class Replay:
    """What is read again after a restore, and what cannot be."""

    def __init__(self, state: State, sources: Mapping[str, SourcePlan]) -> None:
        self._state = state
        self._sources = sources

    def note(self, source: str, what: str) -> None:
        """A source noticed something; part of the running transaction."""
        if what in self._sources[source].source.losses and self._state.meta(RESTORED) is not None:
            self._state.remember(_lost(source), what)

    def look(self, metrics: Sequence[tuple[LiveMetric, int | None]]) -> None:
        """Let metrics go on that are past the restore, before their windows close; part of the running transaction.

        Args:
            metrics: Each with its new watermark.
        """
        past = [one for one, mark in metrics if one.behind is not None and mark is not None and mark > one.behind]
        for metric in past:
            missing = [name for name in metric.metric.sources if not self._is_whole(name)]
            if missing and metric.heir is None:
                family = [one for one, _ in metrics if (one.heir or one) is metric]
                _begin_with_nothing(metric, family)
                log.error(
                    "counters of %s begin with 0: not all of %s can be read again after the restore",
                    metric.metric.name,
                    ", ".join(missing),
                )
        for metric in past:
            self._state.remember(metric.behind_key(metric.id), None)
            metric.behind = None

    def _is_whole(self, source: str) -> bool:
        """Whether all that was ever read of a source is read again."""
        plan = self._sources.get(source)
        return plan is not None and plan.source.guarantee == "replayable" and not self._state.meta(_lost(source))


def _lost(source: str) -> str:
    """The fact that something of a source cannot be read again."""
    return f"unreplayed:{source}"


def _begin_with_nothing(metric: LiveMetric, family: Sequence[LiveMetric]) -> None:
    """Totals are of the windows that end after the restore, and of what is late from now on."""
    windows, series = metric.state.windows, metric.state.series
    rows, buckets = [], []
    for one in family:
        since = one.windows.pane_start(metric.behind or 0)
        found = windows.rows(one.id, since, _EVER)
        counts = windows.bucket_rows(one.id, since)
        known = {row.series: row.pane for row in found} | {row[2]: row[0] for row in counts}
        labels = {number: series.labels_of(one.id, number) for number in known}
        places = {number: series.admit(metric.id, labels[number], known[number], metric.limits) for number in known}
        rows += [(TOTAL, places[row.series], row.records, 0, *row.scalars, *row.arrivals) for row in found]
        buckets += [(TOTAL, part, places[number], bucket, count) for _, part, number, bucket, count in counts]
    windows.clear_totals(metric.id)
    windows.merge(metric.id, rows)
    windows.merge_buckets(metric.id, buckets)
    for shown in metric.shown:
        metric.state.sampled.restart(shown.metric.name)
        metric.state.remember(begun_key(shown.metric.name), metric.behind)


def begun_key(metric: str) -> str:
    """The fact that totals of a metric, as sinks know it, began with 0 at a restore: at which, in us."""
    return f"begun:{metric}"
