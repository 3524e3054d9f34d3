"""What a metric has counted up to each window that closes: the points of sinks of samples.

The total up to the end of a window is all that is counted so far, less what later windows have counted. A late
record is in all of it, and so in the next window that closes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pegel.metrics.windows import Windows
from pegel.pipeline.live import NEVER, LiveMetric
from pegel.pipeline.ticks import LAST, mark
from pegel.pipeline.totals import Totals, growing, is_nothing, without
from pegel.sinks import Point

_Key = tuple[str, tuple[tuple[str, str], ...], int]


@dataclass(frozen=True)
class Closed:
    """The windows of a metric that closed in one turn.

    Attributes:
        metric: Whose they are; it has closed them.
        since: The first of them that was open before.
        family: All definitions that count into the same totals.
        idle: Microseconds for which a series that does not grow has samples.
    """

    metric: LiveMetric
    since: int
    family: Sequence[LiveMetric]
    idle: int

    def points(self, closed: Sequence[Point]) -> list[Point]:
        """The points of these windows with totals in the place of increments, and a mark for each window.

        Args:
            closed: The points as other sinks get them; corrections among them are left out.
        """
        metric = self.metric
        first = [point for point in closed if point.revision == 1 and point.start_us >= self.since]
        if not metric.cumulative:
            return first
        filled = sorted({point.start_us for point in first})
        since = self.since if self.since != NEVER else filled[0] if filled else metric.closed_before()
        panes = list(windows(metric.windows, since, metric.closed_before(), filled, self.idle))
        grown = dict(self._grown(panes)) if panes else {}
        found = [_with_totals(point, grown, self._origin) for point in first]
        found = [*(point for point in found if point.values), *self._owed(grown)]
        return [*found, *self._marks(panes, {(point.metric, point.start_us) for point in found})]

    def _grown(self, panes: Sequence[int]) -> Iterator[tuple[_Key, Totals]]:
        """Totals at the ends of windows, of the series that have something in them or something late.

        Those of the first window are what is left when all that later windows have counted is taken away.
        """
        metric, owner = self.metric, self.metric.heir or self.metric
        first, before = panes[0], metric.closed_before()
        rows = [(pane, labels, values, one) for one in self.family for pane, labels, values in one.growth(first + 1)]
        rows.sort(key=lambda row: row[0], reverse=True)
        begin = metric.present(first)
        touched = begin.union(labels for _, labels, _, one in rows if one is metric)
        running = owner.totals_of(None if owner.owing is None else touched | owner.owing)
        owing = running.keys() if owner.owing is None else owner.owing
        seen: set[tuple[str, ...]] = set()
        for pane, labels, values, one in rows:
            if labels not in running:
                continue
            if one is metric and pane < before:
                seen.add(labels)
                yield from self._shown(labels, pane, running[labels])
            running[labels] = without(running[labels], values)
        late = running.keys() - (seen - owing) if metric is owner else set()
        for labels in running.keys() & (begin | late):
            if labels in begin or not all(map(is_nothing, running[labels].values())):
                yield from self._shown(labels, first, running[labels])

    def _shown(self, labels: tuple[str, ...], pane: int, values: Totals) -> Iterator[tuple[_Key, Totals]]:
        """Totals under the names that sinks know."""
        for shown in self.metric.shown:
            own = {name: values[known] for known, name in shown.names.items() if known in values}
            if own:
                yield (shown.metric.name, self.metric.labels_of(shown, labels), pane), own

    def _owed(self, grown: Mapping[_Key, Totals]) -> Iterator[Point]:
        """Points of windows in which nothing but something late was counted."""
        known = {shown.metric.name: shown for shown in self.metric.shown}
        for (name, labels, pane), values in grown.items():
            shown, end = known[name], self.metric.windows.pane_end(pane)
            yield Point(name, labels, pane, end, values, shown.kinds, self._origin, shown.metric.help)

    @property
    def _origin(self) -> int:
        """The definition that has the totals."""
        return (self.metric.heir or self.metric).id

    def _marks(self, panes: Sequence[int], present: set[tuple[str, int]]) -> Iterator[Point]:
        for pane in panes:
            marks = _marked(self.metric, pane, self._origin)
            yield from (point for point in marks if (point.metric, pane) not in present)


def lasts(metric: LiveMetric) -> list[Point]:
    """What ends every series of a metric behind its last closed window."""
    return list(_marked(metric, metric.closed_before(), LAST)) if metric.closed_before() != NEVER else []


def _marked(metric: LiveMetric, pane: int, origin: int) -> Iterator[Point]:
    """A window of each metric that sinks see totals of."""
    end = metric.windows.pane_end(pane)
    for shown in metric.shown:
        if growing(shown.kinds):
            yield mark(shown.metric.name, pane, end, shown.kinds, origin, shown.metric.help)


def standing(metric: LiveMetric, family: Sequence[LiveMetric]) -> list[Point]:
    """The totals of all closed windows of a metric, one point per series."""
    before = metric.closed_before()
    running = metric.totals_of(None)
    for one in family:
        for _, labels, values in one.growth(max(before, one.closed_before())):
            if labels in running:
                running[labels] = without(running[labels], values)
    found: list[Point] = []
    for labels, values in sorted(running.items()):
        series = metric.series_of(labels)
        if series is not None and not all(map(is_nothing, values.values())):
            found += metric.points_of(series, before, values, metric.id)
    return found


def windows(shape: Windows, since: int, before: int, filled: Sequence[int], idle: int) -> Iterator[int]:
    """The windows in [since, before) that a series may have a sample in.

    After the last one with something in it every series lives for a while; then nothing is said until the next.
    """
    last = pane = since
    rest = list(filled)
    while pane < before:
        if rest and pane >= rest[0]:
            last = rest.pop(0)
        if shape.pane_end(pane) - last > idle + 4 * shape.every:
            if not rest:
                return
            pane = last = rest[0]
            continue
        yield pane
        pane = shape.next(pane)


def _with_totals(point: Point, grown: dict[_Key, Totals], origin: int) -> Point:
    """A point of a window whose counters are totals, taken from those that have grown."""
    total = grown.pop((point.metric, point.labels, point.start_us), None)
    if total is not None and len(total) == len(point.values) and total.keys() == point.values.keys():
        values = total
    else:
        totals = growing(point.kinds)
        rest = {name: value for name, value in point.values.items() if name not in totals}
        values = rest if total is None else {**rest, **total}
    return Point(point.metric, point.labels, point.start_us, point.end_us, values, point.kinds, origin, point.help)
