"""A rolling metric at work: every step looks back over several panes.

Panes enter the indexes in memory when they close, in order of event time; a step emits a point for every
series that is in its window, and one last empty point for a series that has just left. Closed steps are
final: a late record changes its pane and the steps still to come.

The state keeps the sets of the newest panes as they are. Of an older pane it keeps the members that were last seen
there: whoever stays for hours is stored a few times, not once per pane.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pegel.crowd import Crowd
from pegel.metrics.compiled import CompiledMetric
from pegel.metrics.partials import Pane, Partials
from pegel.metrics.rolling import Place, RollingSets
from pegel.metrics.sliding import Sliding
from pegel.pipeline.live import LiveMetric, Merged, Sets, Standing
from pegel.sinks import Point
from pegel.state import State
from pegel.state.windows import TOTAL, PaneRow

_WHOLE = 5
"""Panes whose sets are kept as they are: who is away for less is not stored again when it comes back."""

Counts = dict[int, list[int]]
"""Arrivals by series, in the order of `CompiledMetric.arrivals`."""


@dataclass(frozen=True)
class _Step:
    """What the newest step was made of, for those who look later."""

    pane: int
    series: Sequence[int]
    merged: Sequence[Pane]


class RollingMetric(LiveMetric):
    """One definition of one metric with `over`."""

    def __init__(self, state: State, compiled: CompiledMetric, standing: Standing) -> None:
        super().__init__(state, compiled, standing)
        self._steps = self.windows.steps
        self._empty = compiled.empty()
        self._sliding: dict[int, Sliding[Pane]] = {}
        self._sets = RollingSets(self.windows, compiled.arrivals)
        self._came: Mapping[int, Sequence[int]] = {}
        self._newest: _Step | None = None
        self._adopt()
        if standing.watermark is not None:
            self._enter_closed_panes(standing.watermark)

    # -- a start --------------------------------------------------------------------------------------

    def _enter_closed_panes(self, watermark: int) -> None:
        """Rebuild the indexes: what the newest closed window looks at."""
        closed = self.closed_before()
        since = self.windows.back(closed, self._steps)
        oldest = self.oldest_needed(watermark) if self.compiled.arrivals else since
        self._sets.load(self._seen_since(oldest, closed), since)
        for row in self.state.windows.rows(self.id, since, closed):
            self._slide(row)
        newest = self.windows.previous(closed)
        self._came = {row.series: row.arrivals for row in self.state.windows.rows(self.id, newest, closed)}
        self._newest = self._look_back(newest)

    def _seen_since(self, pane: int, closed: int) -> Iterator[tuple[Place, int, Crowd]]:
        """Whom the state knows to have been seen in closed panes."""
        for found, place, crowd in self.state.windows.crowds.since(self.id, pane, closed):
            yield place, found, crowd

    def _adopt(self) -> None:
        """Take over the sets of a state from before, which kept them by series."""
        members = self.state.windows.members
        for pane in members.panes(self.id):
            found: Sets = defaultdict(dict)
            for (epoch, part, series), one in members.pane(self.id, pane).items():
                found[pane, epoch, part][series] = one.runs
            for (_, *place), sets in found.items():
                self.state.windows.crowds.add(self.id, pane, (place[0], place[1]), Crowd.of(sets))
        members.expire(self.id, 2**62)

    # -- records in -----------------------------------------------------------------------------------

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

    def keep_members(self, found: Sets) -> None:
        """Late members count in the steps still to come; those that arrived, with the next one.

        Rolling sets are always exact.
        """
        arrived: Counts = {}
        closed = self.closed_before()
        for (pane, epoch, part), sets in sorted(found.items(), key=lambda entry: entry[0]):
            place = (epoch, part)
            fresh = self.state.windows.crowds.add(self.id, pane, place, Crowd.of(sets))
            if pane < closed and fresh.size:
                came, doubtful = self._sets.late(place, pane, fresh)
                if self._decides_arrivals(place, pane):
                    self._tally(arrived, part, came)
                    self._tally(arrived, part, self._not_near(place, pane, doubtful))
        if arrived:
            self._store_arrivals(closed, arrived)

    def _not_near(self, place: Place, pane: int, crowd: Crowd) -> Crowd:
        """Those that no other pane within `over` has; lateness is longer than that, so all sets are kept."""
        if crowd.size:
            first, last = self._sets.reach(pane)
            for near, other, seen in self.state.windows.crowds.since(self.id, first, self.windows.next(last)):
                if other == place and near != pane:
                    crowd = crowd.without(seen)
        return crowd

    def _decides_arrivals(self, place: Place, pane: int) -> bool:
        """Whether it is in this index that the arrivals of a pane are found: that of its window's epoch."""
        epoch, part = place
        return part in self.compiled.arrivals and epoch == self.windows.epoch(self._window_start(pane))

    def _tally(self, counts: Counts, part: int, crowd: Crowd) -> None:
        index = self.compiled.arrivals.index(part)
        for series, count in crowd.per_series().items():
            counts.setdefault(series, [0] * len(self.compiled.arrivals))[index] += count

    # -- points out -----------------------------------------------------------------------------------

    def early(self, changed: Any) -> list[Point]:  # noqa: ARG002 - a step is only ever emitted whole
        """Steps are not emitted before they close."""
        return []

    def _corrections(self, before: int) -> list[Point]:  # noqa: ARG002 - see the module
        """Closed steps are final; the panes they were made of are read again for the steps to come."""
        since = self.windows.back(self.closed_before(), self._steps)  # as at a start
        for pane, series in self.corrected.items():
            if pane >= since:
                for row in self.state.windows.some_rows(self.id, pane, series):
                    self._slider(row.series).replace(row.pane, self._scalars_and_buckets(row))
        self.corrected.clear()
        return []

    def first_close(self, before: int, after: int, *, incomplete: bool) -> list[Point]:
        """The points of the steps that start in [before, after)."""
        if self.standing.until is not None:
            after = min(after, self.standing.until)
        points: list[Point] = []
        filled = self.state.windows.panes(self.id, before, after)
        pane = before
        while pane < after:
            if not self._sliding:  # everything has left: nothing to say until the next pane with records
                filled = [one for one in filled if one >= pane] or self.state.windows.panes(self.id, pane, after)
                if not filled:
                    break
                pane = filled[0]
            self._enter(pane)
            points += self._step(pane, incomplete=incomplete)
            pane = self.windows.next(pane)
        return points

    def _enter(self, pane: int) -> None:
        """Let the rows and members of a closing pane into the indexes."""
        since = self._window_start(pane)
        self._sets.begin(since)
        came: Counts = {}
        for place, crowd in self.state.windows.crowds.pane(self.id, pane).items():
            arrivals = self._sets.see(place, pane, crowd)
            if self._decides_arrivals(place, pane):
                self._tally(came, place[1], arrivals)
        if came:
            self._store_arrivals(pane, came)
        rows = self.state.windows.rows(self.id, pane, self.windows.next(pane))
        for row in rows:
            self._slide(row)
        self._came = {row.series: row.arrivals for row in rows if any(row.arrivals)}
        if self._came and not self._complete(since):  # not shown now, so moved on to the first step that is
            self._merge_arrivals(self.id, self.windows.next(pane), self._came)
            self._merge_arrivals(self.id, pane, {one: [-n for n in counts] for one, counts in self._came.items()})

    def _store_arrivals(self, pane: int, arrivals: Mapping[int, Sequence[int]]) -> None:
        """Arrivals are decided once and never taken back."""
        self._merge_arrivals(self.id, pane, arrivals)
        if self.cumulative:
            owner = self.heir or self
            totals = {self._total_series(self._labels(one), pane, one): counts for one, counts in arrivals.items()}
            self._merge_arrivals(owner.id, TOTAL, totals)

    def _merge_arrivals(self, metric: int, pane: int, arrivals: Mapping[int, Sequence[int]]) -> None:
        nothing = (None,) * len(self.compiled.scalars)
        self.state.windows.merge(metric, [(pane, one, 0, 0, *nothing, *counts) for one, counts in arrivals.items()])

    def _slider(self, series: int) -> Sliding[Pane]:
        if series not in self._sliding:
            self._sliding[series] = Sliding(self._both)
        return self._sliding[series]

    def _slide(self, row: PaneRow) -> None:
        if row.records:
            self._slider(row.series).push(row.pane, self._scalars_and_buckets(row))

    def _both(self, one: Pane, other: Pane) -> Pane:
        if self.compiled.scalars or self.compiled.buckets:
            return self.compiled.combine((one, other))
        return Pane(one.records + other.records, (), one.distinct, (), one.arrivals)

    def _scalars_and_buckets(self, row: PaneRow) -> Pane:
        return Pane(row.records, row.scalars, self._empty.distinct, self._buckets(row), self._empty.arrivals)

    def _step(self, pane: int, *, incomplete: bool) -> list[Point]:
        """The points of one step: every series in its window, and those that left it with this step."""
        self._newest = step = self._look_back(pane)
        for one in [one for one, sliding in self._sliding.items() if not sliding]:
            del self._sliding[one]
        self._let_go(pane)
        if not self._complete(self._window_start(pane)):
            return []
        points: list[Point] = []
        extra = {"incomplete": 1} if incomplete else {}
        for one, value in zip(step.series, self.compiled.finish(step.merged), strict=True):
            said = self.news.tell(one, pane, value)
            if said:
                points += self.points_of(one, pane, {**said, **extra}, 1)
        return points

    def _look_back(self, pane: int) -> _Step:
        """Every series over the panes of a window; arrivals are those of its last pane alone."""
        since = self._window_start(pane)
        epoch = self.windows.epoch(since)
        places = [(epoch, part) for part in range(len(self.compiled.sets))]
        series, merged = list(dict.fromkeys([*self._sliding, *self._came])), []
        for one in series:
            total = self._empty
            sliding = self._sliding.get(one)
            if sliding is not None:
                sliding.forget(since)
                total = sliding.total() or total
            distinct = tuple([self._sets.count(place, one) for place in places])
            own = tuple(self._came.get(one, self._empty.arrivals))
            merged.append(Pane(total.records, total.scalars, distinct, total.buckets, own))
        return _Step(pane, series, merged)

    def _window_start(self, pane: int) -> int:
        """The first pane of the window that a pane ends."""
        return self.windows.back(pane, self._steps - 1)

    def _gauges(self) -> dict[int, tuple[PaneRow, dict[str, Any]]]:
        """What the newest step showed."""
        step = self._newest
        if step is None or not self._complete(self._window_start(step.pane)):
            return {}
        standing = {name for name, kind in self.kinds.items() if kind in ("gauge", "info")}
        result: dict[int, tuple[PaneRow, dict[str, Any]]] = {}
        for one, merged, found in zip(step.series, step.merged, self.compiled.finish(step.merged), strict=True):
            values = {name: value for name, value in found.items() if name in standing}
            result[one] = (PaneRow(step.pane, one, merged.records, 0, merged.scalars, merged.arrivals), values)
        return result

    # -- upkeep ---------------------------------------------------------------------------------------

    def _let_go(self, pane: int) -> None:
        """Drop what no later step looks at, and keep of an older pane only who was last seen there."""
        if not self.compiled.sets:
            return
        if self._forgets_stays:
            old = self.windows.back(pane, min(_WHOLE, self._steps - 1))
            self.state.windows.crowds.replace(self.id, old, self._sets.last_in(old))
        late = self.windows.pane_start(self.windows.next(pane) - self.lateness)
        self._sets.forget(self._window_start(pane), self._window_start(late))

    @property
    def _forgets_stays(self) -> bool:
        """Whether the last pane of a member tells all that late records may ask; see `LastSeen.late`."""
        return not self.compiled.arrivals or self.lateness <= (self.windows.over or 0)

    def oldest_needed(self, watermark: int) -> int:
        """A pane is needed as long as a window or a correction may look at it."""
        return self.windows.back(super().oldest_needed(watermark), self._steps)

    def oldest_key_needed(self, watermark: int) -> int:
        """Records that are late may still go into sets of the epoch before."""
        return self.oldest_needed(watermark - self.windows.late)
