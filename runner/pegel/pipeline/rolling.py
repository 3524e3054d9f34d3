"""A rolling metric at work: every step looks back over several panes.

Panes enter the indexes in memory when they close, in order of event time; a step emits a point for every
series that is in its window, and one last empty point for a series that has just left. Closed steps are
final: a late record changes its pane and the steps still to come.
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import replace
from typing import Any

from pegel.metrics.compiled import CompiledMetric
from pegel.metrics.partials import Pane, Partials
from pegel.metrics.rolling import RollingSets
from pegel.pipeline.live import LiveMetric, Merged, Standing
from pegel.sinks import Point
from pegel.state import State
from pegel.state.windows import TOTAL, PaneRow


class RollingMetric(LiveMetric):
    """One definition of one metric with `over`."""

    def __init__(self, state: State, compiled: CompiledMetric, standing: Standing) -> None:
        super().__init__(state, compiled, standing)
        self._steps = self.windows.steps
        self._panes_of: dict[int, deque[tuple[int, Pane]]] = defaultdict(deque)
        self._sets = RollingSets()
        self._enter_closed_panes()

    def _enter_closed_panes(self) -> None:
        """Rebuild the indexes: what the newest closed window looks at."""
        closed = self.closed_before()
        if self.standing.watermark is None:
            return
        since = self.windows.back(closed, self._steps)
        for pane in self.state.windows.panes(self.id, since, closed):
            self._enter(pane)

    def merge(self, partials: Partials) -> Merged:
        """Merge a fold; the earliest pane decides where the first complete window may begin."""
        self.heed_claims()
        first = min((row[0] for row in partials.rows if self._ours(row[0])), default=None)
        if first is not None and self._begins_earlier(first):
            self.hold_back(first)
        return super().merge(partials)

    def _begins_earlier(self, pane: int) -> bool:
        """Whether a pane is before all that was seen: the first one, or one that is read later but still in time."""
        begun = self.standing.not_before
        if begun is None:
            return True
        positions = self.state.positions
        whole = all(
            positions.first_time(name)[0] == "beginning" for name in self.metric.sources if positions.known(name)
        )
        return whole and self.closed_before() <= pane < begun

    def noticed(self, pane: int, key: tuple[int, int, int], members: Any) -> None:
        """Late members count in the steps still to come."""
        if pane < self.closed_before():
            self._sets.see(key, pane, members, pane)

    def early(self, changed: Any) -> list[Point]:  # noqa: ARG002 - a step is only ever emitted whole
        """Steps are not emitted before they close."""
        return []

    def _corrections(self, before: int) -> list[Point]:  # noqa: ARG002 - see the module
        """Closed steps are final; the panes they were made of are read again for the steps to come."""
        for pane, series in self.corrected.items():
            for row in self.state.windows.some_rows(self.id, pane, series):
                self._replace(row)
        self.corrected.clear()
        return []

    def _replace(self, row: PaneRow) -> None:
        entries = [entry for entry in self._panes_of[row.series] if entry[0] != row.pane]
        entries.append((row.pane, self._scalars_and_buckets(row)))
        self._panes_of[row.series] = deque(sorted(entries, key=lambda entry: entry[0]))

    def first_close(self, before: int, after: int, *, incomplete: bool) -> list[Point]:
        """The points of the steps that start in [before, after)."""
        points: list[Point] = []
        filled = self.state.windows.panes(self.id, before, after)
        if not filled and not self._panes_of:
            return points
        pane = before if self._panes_of else filled[0]
        position = 0
        while pane < after:
            if position < len(filled) and filled[position] == pane:
                self._enter(pane, count_arrivals=True)
                position += 1
            points += self._step(pane, incomplete=incomplete)
            if not self._panes_of:  # everything has left: nothing to say until the next pane with records
                if position == len(filled):
                    break
                pane = filled[position]
            else:
                pane = self.windows.next(pane)
        return points

    def _enter(self, pane: int, *, count_arrivals: bool = False) -> None:
        """Let the rows and members of a closed pane into the indexes."""
        since = self.windows.back(pane, self._steps - 1)
        arrivals: dict[int, list[int]] = {}
        for key, members in sorted(self.state.windows.members.pane(self.id, pane).items()):
            epoch, part, series = key
            came = self._sets.see(key, pane, members.all(), since)
            if count_arrivals and part in self.compiled.arrivals and epoch == self.windows.epoch(since):
                counts = arrivals.setdefault(series, [0] * len(self.compiled.arrivals))
                counts[self.compiled.arrivals.index(part)] = came
        if arrivals:
            self._store_arrivals(pane, arrivals)
        for row in self.state.windows.rows(self.id, pane, pane + 1):
            self._panes_of[row.series].append((pane, self._scalars_and_buckets(row)))

    def _store_arrivals(self, pane: int, arrivals: dict[int, list[int]]) -> None:
        """Arrivals are decided once, when their pane closes, and never taken back."""
        nothing = (None,) * len(self.compiled.scalars)
        rows = [(pane, series, 0, 0, *nothing, *counts) for series, counts in arrivals.items()]
        if self.cumulative:
            rows += [(TOTAL, *row[1:]) for row in rows]
        self.state.windows.merge(self.id, rows)

    def _scalars_and_buckets(self, row: PaneRow) -> Pane:
        return Pane(row.records, row.scalars, (), self._buckets(row), row.arrivals)

    def _step(self, pane: int, *, incomplete: bool) -> list[Point]:
        """The points of one step: every series in its window, and those that left it with this step."""
        since = self.windows.back(pane, self._steps - 1)
        series, merged = [], []
        for one, entries in self._panes_of.items():
            while entries and entries[0][0] < since:
                entries.popleft()
            series.append(one)
            merged.append(self._look_back(one, since, pane))
        for one in [one for one, entries in self._panes_of.items() if not entries]:
            del self._panes_of[one]
        self._sets.forget(since)
        if not self._complete(since):
            return []
        found = zip(series, self.compiled.finish(merged), strict=True)
        values = [(one, self.news.tell(one, pane, value)) for one, value in found]
        extra = {"incomplete": 1} if incomplete else {}
        return [point for one, value in values if value for point in self.points_of(one, pane, {**value, **extra}, 1)]

    def _look_back(self, series: int, since: int, pane: int) -> Pane:
        """One series over the panes of a window; arrivals are those of its last pane alone."""
        entries = [(at, entry) for at, entry in self._panes_of[series] if at >= since]
        epoch = self.windows.epoch(since)
        parts = range(len(self.compiled.sets))
        distinct = tuple(self._sets.count((epoch, part, series), since) for part in parts)
        own = next(
            (entry.arrivals for at, entry in reversed(entries) if at == pane), (0,) * len(self.compiled.arrivals)
        )
        return replace(self.compiled.combine([entry for _, entry in entries]), distinct=distinct, arrivals=own)

    def oldest_needed(self, watermark: int) -> int:
        """A pane is needed as long as a window or a correction may look at it."""
        return self.windows.back(super().oldest_needed(watermark), self._steps)

    def _gauges(self) -> dict[int, tuple[PaneRow, dict[str, Any]]]:
        """What the newest step showed, made again from the indexes."""
        if self.standing.watermark is None:
            return {}
        pane = self.windows.previous(self.closed_before())
        standing = {name for name, kind in self.kinds.items() if kind in ("gauge", "info")}
        since = self.windows.back(pane, self._steps - 1)
        result: dict[int, tuple[PaneRow, dict[str, Any]]] = {}
        for one in self._panes_of:
            merged = self._look_back(one, since, pane)
            values = {name: v for name, v in self.compiled.finish([merged])[0].items() if name in standing}
            result[one] = (PaneRow(pane, one, merged.records, 0, merged.scalars, merged.arrivals), values)
        return result
