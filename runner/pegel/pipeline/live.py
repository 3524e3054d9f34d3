"""A metric at work: partials go into the state, closed windows come out as points.

What a metric holds in memory (which open windows changed, what a rolling window looks at) is made from the
state when it starts and thrown away with a turn that fails.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pegel.metrics.compiled import CompiledMetric
from pegel.metrics.definition import ALONE, Metric
from pegel.metrics.partials import Pane, Partials, Row
from pegel.pipeline.news import News
from pegel.sinks import Histogram, Kind, Point, Value
from pegel.state import State, claims
from pegel.state.members import Hashes
from pegel.state.series import TOMBSTONE, Limits
from pegel.state.windows import TOTAL, PaneRow

NEVER = TOTAL + 1
"""Before every pane, behind the totals."""

Panes = dict[int, list[Row]]
Places = Mapping[tuple[str, ...], int]
"""Series by label values."""

Sets = dict[tuple[int, int, int], dict[int, list[Hashes]]]
"""Members by (pane, epoch, part) and series."""


@dataclass
class Standing:
    """A metric's row in the state.

    Attributes:
        since: Windows that start earlier belong to an older definition.
        until: Windows that start here or later belong to a newer definition.
        not_before: Windows that start earlier are partial and never emitted.
        watermark: Windows that end up to here are closed.
        swept: Watermark at which idle series were looked for.
    """

    id: int
    name: str
    definition: str
    since: int | None = None
    until: int | None = None
    not_before: int | None = None
    watermark: int | None = None
    swept: int = 0


@dataclass(frozen=True)
class Shown:
    """A metric as sinks see it.

    Attributes:
        names: What the values are called there, by what they are called in the definition.
    """

    metric: Metric
    names: Mapping[str, str]
    kinds: Mapping[str, Kind]


@dataclass
class Merged:
    """What became of the records of a fold.

    Attributes:
        late: Records of windows that had closed.
        too_late: Records of windows that take no corrections any more; not counted in any number.
        foreign: Records of windows that a back-fill has counted, or the runner beside it; the same.
        collapsed: Records counted in `__other__`.
    """

    late: int = 0
    too_late: int = 0
    foreign: int = 0
    collapsed: int = 0


class LiveMetric:
    """One definition of one metric, over windows that follow one another."""

    def __init__(self, state: State, compiled: CompiledMetric, standing: Standing) -> None:
        self.state = state
        self.compiled = compiled
        self.metric = compiled.metric
        self.standing = standing
        self.id = standing.id
        self.windows = compiled.windows
        self.lateness = round(self.metric.allowed_lateness * 1e6)
        self.kinds = {name: value.kind for name, value in self.metric.values.items()}
        self.shown = [_as_shown(self.metric, one) for one in self.metric.shown()]
        self.cumulative = any(kind in ("counter", "histogram") for kind in self.kinds.values())
        self.news = News(state.series, self.id, self.metric)
        self.limits = Limits(
            series=self.metric.max_series,
            values=tuple(self.metric.max_values.get(label) for label in self.metric.labels),
            idle=round(self.metric.series_ttl * 1e6),
            kept=2 * (round((self.metric.over or self.metric.every) * 1e6) + self.lateness),
        )
        state.windows.define(self.id, compiled.scalars, len(compiled.arrivals))
        self.heir: LiveMetric | None = None
        self.owing: set[tuple[str, ...]] | None = None
        self._known_labels: dict[tuple[str, tuple[str, ...]], tuple[tuple[str, str], ...]] = {}
        self._foreign: Sequence[claims.Span] = ()
        self._first: int | None = state.meta(claims.first_key(self.metric.name))
        self.behind: int | None = state.meta(self.behind_key(self.id))
        self.fresh: dict[int, set[int]] = defaultdict(set)
        self.corrected: dict[int, set[int]] = defaultdict(set)
        self.heed_claims()
        self._mark_open_windows()

    @staticmethod
    def behind_key(metric: int | str) -> str:
        """The fact that a definition is read again after a restore: up to when, in us."""
        return f"behind:{metric}"

    def heed_claims(self) -> None:
        """Know whose windows are not ours: that may change at any time, by another process."""
        self._foreign = claims.from_text(self.state.meta(claims.foreign_key(self.metric.name)))

    def _mark_open_windows(self) -> None:
        """After a start nobody knows which early values were sent: all open windows count as changed."""
        for row in self.state.windows.rows(self.id, self.closed_before(), 2**62):
            self.fresh[row.pane].add(row.series)

    def closed_before(self) -> int:
        """Windows that start before this time are closed."""
        watermark = self.standing.watermark
        return NEVER if watermark is None else self.windows.pane_start(watermark)

    # -- records in ---------------------------------------------------------------------------------

    def merge(self, partials: Partials) -> Merged:
        """Merge a fold into the state; part of the running transaction."""
        merged = Merged()
        self.heed_claims()
        horizon = self._horizon()
        panes = self._counted(partials, horizon, merged)
        places = self.state.series.admit_all(self.id, _first_times(panes), self.limits)
        rows = [row for pane, found in panes.items() for row in self._rows(pane, found, places, merged)]
        self._note_first(sorted(panes))
        self.state.windows.merge(self.id, rows)
        if self.cumulative:
            self._merge_totals(panes, places)
        self._merge_buckets(partials, places, horizon)
        self._merge_sets(partials, places, horizon)
        return merged

    def _counted(self, partials: Partials, horizon: int, merged: Merged) -> Panes:
        """The rows of a fold whose windows are ours and still take records, by pane."""
        panes: Panes = {}
        for row in partials.rows:
            panes.setdefault(row[0], []).append(row)
        for pane in list(panes):
            if not self._ours(pane):
                rows = panes.pop(pane)
                merged.foreign += _records(rows) if claims.is_in(self._foreign, pane) else 0
            elif pane < horizon:
                merged.too_late += _records(panes.pop(pane))
        return panes

    def _rows(self, pane: int, rows: Sequence[Row], places: Places, merged: Merged) -> list[tuple[Any, ...]]:
        """What is merged into a pane of the state."""
        late = int(pane < self.closed_before())
        if late:
            merged.late += _records(rows)
            for row in rows:
                self._owe(row[1])
        (self.corrected if late else self.fresh)[pane].update([places[row[1]] for row in rows])
        extra = (0,) * len(self.compiled.arrivals)
        return [(pane, places[labels], records, late, *scalars, *extra) for _, labels, records, _, scalars in rows]

    def _merge_totals(self, panes: Panes, places: Places) -> None:
        """Add to what every series has counted since it exists: the heir's, once there is one."""
        owner = self.heir or self
        if self.heir is not None:
            places = self.state.series.admit_all(self.heir.id, _first_times(panes), self.heir.limits)
        extra = (0,) * len(self.compiled.arrivals)
        totals = [
            (TOTAL, places[labels], records, 0, *scalars, *extra)
            for rows in panes.values()
            for _, labels, records, _, scalars in rows
        ]
        self.state.windows.merge(owner.id, totals)

    def _note_first(self, panes: Iterable[int]) -> None:
        """Remember for ever which window was the first that is shown: what is before it may be back-filled."""
        first = min((pane for pane in panes if self._complete(pane)), default=None)
        if first is not None and (self._first is None or first < self._first):
            key = claims.first_key(self.metric.name)
            known = self.state.meta(key)  # another definition of this metric may have been earlier
            self._first = first if known is None else min(first, known)
            self.state.remember(key, self._first)

    def _total_series(self, labels: tuple[str, ...], time: int, series: int) -> int:
        """The series whose cumulative row a record goes to: the heir's, once there is one."""
        return series if self.heir is None else self.state.series.admit(self.heir.id, labels, time, self.heir.limits)

    def _owe(self, labels: tuple[str, ...]) -> None:
        """A closed window has grown: the totals of the next one have it. After a start nobody knows of which series."""
        owing = (self.heir or self).owing
        if owing is not None:
            owing.add(labels)

    def _horizon(self) -> int:
        """Panes that start before this take no records any more."""
        watermark = self.standing.watermark
        return NEVER if watermark is None else self.windows.pane_start(watermark - self.lateness)

    def _ours(self, pane: int) -> bool:
        standing = self.standing
        if self._foreign and claims.is_in(self._foreign, pane):
            return False
        return (standing.since is None or pane >= standing.since) and (standing.until is None or pane < standing.until)

    def _merge_buckets(self, partials: Partials, places: Places, horizon: int) -> None:
        rows, totals = [], []
        for part, pane, labels, bucket, count in partials.buckets:
            if pane >= horizon and self._ours(pane):
                rows.append((pane, part, places[labels], bucket, count))
                if self.cumulative:
                    totals.append((TOTAL, part, self._total_series(labels, pane, places[labels]), bucket, count))
        if rows:
            self.state.windows.merge_buckets(self.id, rows)
            self.state.windows.merge_buckets((self.heir or self).id, totals)

    def _merge_sets(self, partials: Partials, places: Places, horizon: int) -> None:
        """Sets of the same series become one: that of `__other__` has the members of many label sets."""
        found: Sets = defaultdict(lambda: defaultdict(list))
        for part, pane, epoch, labels, members in partials.sets:
            if pane >= horizon and self._ours(pane):
                found[pane, epoch, part][places[labels]].append(members)
        self.keep_members(found)

    def keep_members(self, found: Sets) -> None:
        """Put members into the sets of panes."""
        for (pane, epoch, part), sets in found.items():
            for series, parts in sets.items():
                for members in parts:
                    key = (epoch, part, series)
                    self.state.windows.members.add(self.id, pane, key, members, self.compiled.approximate(part))

    # -- points out ---------------------------------------------------------------------------------

    def close(self, watermark: int, *, incomplete: bool = False) -> list[Point]:
        """Close the windows up to a watermark; returns their points and those of corrected windows.

        Part of the running transaction: the watermark becomes true with the points.
        """
        before = self.closed_before()
        watermark = max(watermark, self.standing.watermark or watermark)
        after = self.windows.pane_start(watermark)
        points = self._corrections(before)
        if after > before:
            points += self.first_close(before, after, incomplete=incomplete)
        if self._foreign:  # a rolling window reaches farther than the records it was made of
            points = [point for point in points if not claims.is_in(self._foreign, point.start_us)]
        self._advance(watermark)
        return points

    def first_close(self, before: int, after: int, *, incomplete: bool) -> list[Point]:
        """The points of the windows that start in [before, after)."""
        rows = self.state.windows.rows(self.id, before, after)
        points = self.points(rows)
        if incomplete:
            points = [replace(point, values={**point.values, "incomplete": 1}) for point in points]
        return points

    def _corrections(self, before: int) -> list[Point]:
        rows: list[PaneRow] = []
        for pane, series in sorted(self.corrected.items()):
            rows += self.state.windows.some_rows(self.id, pane, series)
        self.corrected.clear()
        return self.points([row for row in rows if row.pane < before])

    def _advance(self, watermark: int) -> None:
        if watermark != self.standing.watermark:
            self.state.connection.execute("update metrics set watermark = ? where id = ?", (watermark, self.id))
            self.standing.watermark = watermark

    def end_of_all(self, watermark: int | None) -> int | None:
        """The watermark that closes every window with a record in it."""
        newest = self.state.windows.newest(self.id)
        if newest is None:
            return watermark
        end = self.windows.pane_end(newest)
        return end if watermark is None else max(end, watermark)

    def hold_back(self, time: int) -> None:
        """Never emit a window that starts before a time: nobody read all of it. Part of the running transaction."""
        self.state.connection.execute("update metrics set not_before = ? where id = ?", (time, self.id))
        self.standing.not_before = time

    def early(self, changed: Mapping[int, Collection[int]]) -> list[Point]:
        """The values so far of open windows, for the series that changed."""
        rows: list[PaneRow] = []
        for pane, series in sorted(changed.items()):
            rows += self.state.windows.some_rows(self.id, pane, series)
        return self.points(rows, early=True)

    def points(self, rows: Sequence[PaneRow], *, early: bool = False) -> list[Point]:
        """The points of pane rows: revision 0 while open, 1 at the close, one more per correction."""
        shown = [row for row in rows if self._complete(row.pane)]
        points: list[Point] = []
        for row, value in zip(shown, self.compiled.finish(self._panes(shown)), strict=True):
            said = self.news.without(value) if early else self.news.tell(row.series, row.pane, value)
            if said:
                said = {**said, "approx": 1} if self._is_estimate(row) else said
                revision = 0 if early else 1 + row.corrections
                points += self.points_of(row.series, row.pane, said, revision)
        return points

    def _complete(self, pane: int) -> bool:
        return self.standing.not_before is None or pane >= self.standing.not_before

    def _panes(self, rows: Sequence[PaneRow]) -> list[Pane]:
        """Pane rows with their distinct counts and buckets."""
        result = []
        for row in rows:
            pane = Pane(row.records, row.scalars, self._distinct(row), self._buckets(row), row.arrivals)
            result.append(pane)
        return result

    def _distinct(self, row: PaneRow) -> tuple[int, ...]:
        if not self.compiled.sets:
            return ()
        sets = self.state.windows.members.pane(self.id, row.pane)
        epoch = self.windows.epoch(row.pane)
        found = (sets.get((epoch, part, row.series)) for part in range(len(self.compiled.sets)))
        return tuple(one.size if one is not None else 0 for one in found)

    def _is_estimate(self, row: PaneRow) -> bool:
        """Whether a distinct count of a window is no longer exact."""
        if not self.compiled.sets:
            return False
        sets = self.state.windows.members.pane(self.id, row.pane)
        epoch = self.windows.epoch(row.pane)
        found = (sets.get((epoch, part, row.series)) for part in range(len(self.compiled.sets)))
        return any(one is not None and one.sketch is not None for one in found)

    def _buckets(self, row: PaneRow) -> tuple[dict[int, int], ...]:
        if not self.compiled.buckets:
            return ()
        counts = self.state.windows.bucket_counts(self.id, row.pane, row.series)
        return tuple(counts.get(part, {}) for part in range(len(self.compiled.buckets)))

    def points_of(
        self, series: int, pane: int, values: Mapping[str, Value | Histogram], revision: int
    ) -> Iterator[Point]:
        """What a series says in the window that `pane` ends, one point per metric that sinks see."""
        remarks = {name: value for name, value in values.items() if name not in self.kinds}
        for one in self.shown:
            own = {shown: values[name] for name, shown in one.names.items() if name in values}
            if own:
                yield Point(
                    metric=one.metric.name,
                    labels=self.labels_of(one, self._labels(series)),
                    start_us=pane,
                    end_us=self.windows.pane_end(pane),
                    values={**own, **remarks},
                    kinds=one.kinds,
                    revision=revision,
                    help=one.metric.help,
                )

    def labels_of(self, shown: Shown, values: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
        """The labels of a series as sinks see them."""
        key = (shown.metric.name, values)
        known = self._known_labels.get(key)
        if known is None:
            pairs = dict(zip(shown.metric.labels, values, strict=True))
            known = self._known_labels[key] = tuple(sorted({**shown.metric.constant_labels, **pairs}.items()))
        return known

    def _labels(self, series: int) -> tuple[str, ...]:
        return self.state.series.labels_of(self.id, series)

    # -- what views show ------------------------------------------------------------------------------

    def snapshot(self) -> list[Point]:
        """The newest point of every series.

        Counters and histograms since the beginning, gauges of the newest of the last 5 closed windows. While it is
        read again after a restore it has no totals, for they are lower than those that were shown before.
        """
        newest = self._gauges() if not self.cumulative or set(self.kinds.values()) != {"counter"} else {}
        totals = self._totals() if self.cumulative and self.behind is None else {}
        points: list[Point] = []
        for series in sorted(newest.keys() | totals.keys()):
            row, values = newest.get(series, (None, {}))
            merged = {**values, **totals.get(series, {})}
            pane = row.pane if row else self.windows.pane_start(self.standing.watermark or 0)
            if merged:
                points += self.points_of(series, pane, merged, 1)
        return points

    def _totals(self) -> dict[int, dict[str, Any]]:
        """Of the series that hold a slot; others wait for their return out of sight."""
        alive = set(self.state.series.live(self.id).values())
        rows = [row for row in self.state.windows.total(self.id) if row.series in alive]
        growing = {name for name, kind in self.kinds.items() if kind in ("counter", "histogram")}
        values = self.compiled.finish(self._panes(rows))
        return {
            row.series: {name: one for name, one in value.items() if name in growing}
            for row, value in zip(rows, values, strict=True)
        }

    def growth(self, since: int) -> list[tuple[int, tuple[str, ...], dict[str, Any]]]:
        """What each window that starts at `since` or later adds to the totals: (pane, label values, values)."""
        rows = self.state.windows.rows(self.id, since, 2**62)
        labels = self.state.series.labels_of
        return [
            (row.pane, labels(self.id, row.series), values)
            for row, values in zip(rows, self._growing(rows), strict=True)
        ]

    def totals_of(self, wanted: Collection[tuple[str, ...]] | None) -> dict[tuple[str, ...], dict[str, Any]]:
        """Everything that was ever counted, by label values; of all series if none are wanted in particular."""
        windows = self.state.windows
        if wanted is None:
            rows = windows.total(self.id)
        else:
            found = [self.series_of(labels) for labels in wanted]
            rows = windows.some_rows(self.id, TOTAL, {series for series in found if series is not None})
        values = zip(rows, self._growing(rows), strict=True)
        return {self.state.series.labels_of(self.id, row.series): value for row, value in values}

    def _growing(self, rows: Sequence[PaneRow]) -> list[dict[str, Any]]:
        """The values of rows that add up; sets are not looked at, for they do not."""
        growing = {name for name, kind in self.kinds.items() if kind in ("counter", "histogram")}
        sets = (0,) * len(self.compiled.sets)
        panes = [Pane(row.records, row.scalars, sets, self._buckets(row), row.arrivals) for row in rows]
        finished = self.compiled.finish(panes)
        if growing == self.kinds.keys():
            return [dict(value) for value in finished]
        return [{name: one for name, one in value.items() if name in growing} for value in finished]

    def present(self, pane: int) -> set[tuple[str, ...]]:
        """The label values of the series with a record in a pane."""
        labels = self.state.series.labels_of
        return {labels(self.id, series) for series in self.state.windows.series_in(self.id, pane)}

    def series_of(self, labels: tuple[str, ...]) -> int | None:
        """The series with these label values, whether it holds a slot or waits for its return."""
        return self.state.series.find(self.id, labels)

    def _gauges(self) -> dict[int, tuple[PaneRow, dict[str, Any]]]:
        closed = self.closed_before()
        if closed == NEVER:
            return {}
        since = closed
        for _ in range(5):
            since = self.windows.previous(since)
        rows = {row.series: row for row in self.state.windows.rows(self.id, since, closed) if self._complete(row.pane)}
        standing = {name for name, kind in self.kinds.items() if kind in ("gauge", "info")}
        shown = list(rows.values())
        values = self.compiled.finish(self._panes(shown))
        return {
            row.series: (row, {name: one for name, one in value.items() if name in standing})
            for row, value in zip(shown, values, strict=True)
        }

    # -- upkeep ---------------------------------------------------------------------------------------

    def sweep(self) -> None:
        """Forget what no window needs any more: old panes, keys, idle series. Part of the running transaction."""
        watermark = self.standing.watermark
        if watermark is None or watermark - self.standing.swept < 60 * 10**6:
            return
        horizon = self.oldest_needed(watermark)
        self.state.windows.expire(self.id, horizon)
        if self.compiled.sets:
            self.state.keys.expire(self.id, self.windows.epoch(self.oldest_key_needed(watermark)))
        _, gone = self.state.series.retire(self.id, watermark, self.limits)
        if gone:
            self._known_labels.clear()
            self.state.windows.forget_totals(self.id, list(gone))
            for shown in self.shown:
                labels = [self.labels_of(shown, values) for values in gone.values()]
                self.state.sampled.forget(shown.metric.name, self.id, labels)
        self.state.connection.execute("update metrics set swept = ? where id = ?", (watermark, self.id))
        self.standing.swept = watermark

    def is_over(self) -> bool:
        """Whether a definition that ended is of no use any more: no correction, no total, no way back."""
        watermark, until = self.standing.watermark, self.standing.until
        if watermark is None or until is None:
            return False
        kept = 0 if self.heir is not None else TOMBSTONE
        return until <= self.oldest_needed(watermark - kept)

    def oldest_key_needed(self, watermark: int) -> int:
        """Epochs that end before this pane take no members any more."""
        return self.oldest_needed(watermark)

    def oldest_needed(self, watermark: int) -> int:
        """Panes that start earlier are needed by no window and no correction."""
        return self.windows.pane_start(watermark - self.lateness)


def _as_shown(metric: Metric, shown: Metric) -> Shown:
    """One of the metrics that a definition is shown as."""
    kinds = {name: value.kind for name, value in shown.values.items()}
    if shown.name == metric.name:
        return Shown(shown, {name: name for name in shown.values}, kinds)
    (name,) = [name for name, value in metric.values.items() if value.metric == shown.name]
    return Shown(shown, {name: ALONE}, kinds)


def _first_times(panes: Panes) -> dict[tuple[str, ...], int]:
    """The time of the first record of every label set."""
    times: dict[tuple[str, ...], int] = {}
    for rows in panes.values():
        for _, labels, _, earliest, _ in rows:
            known = times.get(labels)
            if known is None or earliest < known:
                times[labels] = earliest
    return times


def _records(rows: Sequence[Row]) -> int:
    return sum(row[2] for row in rows)
