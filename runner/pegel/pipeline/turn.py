"""The turn: what was folded, and everything that follows from it, in one commit.

Positions, partials, totals, watermarks and outgoing points move forward together. A turn that fails leaves all
of them where they were; the same folds are then merged again, and nothing is lost or counted twice.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pegel.metrics.partials import Partials
from pegel.pipeline.barren import Barren
from pegel.pipeline.delivery import Delivery, Outcome, Own
from pegel.pipeline.growth import Closed, lasts
from pegel.pipeline.live import LiveMetric
from pegel.pipeline.partitions import Partitions, SourceNews
from pegel.pipeline.releasing import Releases
from pegel.pipeline.restoring import Replay
from pegel.pipeline.sampling import SampledDelivery
from pegel.pipeline.stage import Counted, Folded
from pegel.pipeline.steady import SteadyTime
from pegel.plan import SourcePlan, takes
from pegel.seams import Clock
from pegel.sinks import Point
from pegel.state import State

log = logging.getLogger("pegel.turn")

_MEMBERS_INTERVAL = 60.0
"""Seconds between two looks at the size of the distinct sets."""

_FORGET_INTERVAL = 60.0
"""Seconds between two looks for partitions that went away."""

_CAPS_INTERVAL = 5.0
"""Seconds between two looks at the size of the outboxes."""


@dataclass
class Figures:
    """What the turns of this process did, for our own metrics."""

    commits: int = 0
    commit_seconds: float = 0.0
    records: int = 0
    points: int = 0


class Turn:
    """Merges folds into the state; one thread, one turn at a time."""

    def __init__(
        self,
        state: State,
        clock: Clock,
        sources: Sequence[SourcePlan],
        metrics: Sequence[LiveMetric],
        deliveries: Sequence[Delivery],
        members: int = 256 * 2**20,
    ) -> None:
        self._state = state
        self._clock = clock
        self._steady = SteadyTime(clock)
        self._sources = {source.name: source for source in sources}
        self.metrics = list(metrics)
        self._deliveries = list(deliveries)
        self._partitions = {
            name: Partitions(plan, state.positions.partitions(name)) for name, plan in self._sources.items()
        }
        self._watermarks = {name: state.positions.watermark(name) for name in self._sources}
        self._early: dict[str, dict[int, dict[int, set[int]]]] = {
            one.name: {} for one in deliveries if one.sink.overwrites
        }
        idle = [one.sink.sampling.idle for one in deliveries if one.sink.sampling is not None]
        self._samples_idle = round(max(idle) * 1e6) if idle else None
        self._caps_at = float("-inf")
        self._members_budget = members
        self._members_at = float("-inf")
        self._forgot_at = float("-inf")
        self.blocked = any(delivery.must_hold() for delivery in deliveries)
        self._replay = Replay(state, self._sources)
        self.releases = Releases(state, clock, sources, deliveries)
        self._barren = Barren()
        self._watchers: list[Callable[[Sequence[Point]], object]] = []
        self.figures = Figures()

    def counts(self, metric: int) -> bool:
        """Whether a definition still counts anything."""
        return any(one.id == metric for one in self.metrics)

    def watch(self, watcher: Callable[[Sequence[Point]], object]) -> None:
        """Show every closed point to a function, after the commit that made it true."""
        self._watchers.append(watcher)

    def watermark(self, source: str) -> int | None:
        """How far a source is, in us; None before its first record."""
        return self._watermarks[source]

    def due(self, news: Mapping[str, SourceNews]) -> bool:
        """Whether time alone gives the next turn something to do."""
        if self.blocked and self._clock.monotonic() - self._caps_at >= _CAPS_INTERVAL:
            return True
        if any(delivery.due() for delivery in self._deliveries) or self.releases.asked_again():
            return True
        now = self._steady.now()
        for metric in self.metrics:
            watermark, _ = self._metric_watermark(metric, news, now)
            if watermark is not None and metric.windows.pane_start(watermark) > metric.closed_before():
                return True
        return any(one.early_due() and self._has_early(one) for one in self._deliveries)

    def run(
        self,
        folds: Sequence[Folded],
        outcomes: Mapping[str, Sequence[Outcome]],
        news: Mapping[str, SourceNews],
        *,
        close_all: bool = False,
        own: Own = Own(),  # noqa: B008 - frozen
        noticed: Sequence[tuple[str, str, int]] = (),
    ) -> None:
        """Commit folds, acknowledgements and whatever windows they close.

        Raises:
            StateError: The state cannot be written; nothing has changed, and this object is of no use any more.
        """
        begun = self._clock.monotonic()
        self._steady.now()
        with self._state.transaction():
            self.releases.number(self.metrics)
            for folded in folds:
                self._take(folded)
            for metric in self.metrics:
                self._merge(metric, [folded.partials[metric.id] for folded in folds if metric.id in folded.partials])
            self._spread_news()
            for delivery in self._deliveries:
                delivery.settle(outcomes.get(delivery.name, ()))
            for source, what, count in noticed:
                self._state.count("noticed_total", count, source=source, what=what)
                self._replay.note(source, what)
            points, totals = self._close(news, self._steady.now(), close_all=close_all)
            for delivery in self._deliveries:
                delivery.put_closed(points, totals)
                delivery.put(self._early_points(delivery))
                delivery.put_own(own)
                delivery.freeze()
            self._care(news)
            self.releases.look(self.metrics)
        for delivery in self._deliveries:
            delivery.hand_over()
        for watcher in self._watchers:
            watcher(points)
        self._note(folds, points, begun)

    def flush_removed(self, names: set[str]) -> None:
        """Send the open windows of metrics that are no longer in the plan, as they are."""
        with self._state.transaction():
            for metric in self.metrics:
                if metric.standing.until is not None and metric.standing.name not in names:
                    end = metric.end_of_all(metric.standing.watermark)
                    points, totals = ([], []) if end is None else self._close_metric(metric, end)
                    for delivery in self._deliveries:
                        delivery.put_closed(points, totals)
                        delivery.freeze()
        for delivery in self._deliveries:
            delivery.hand_over()

    def end_samples(self) -> None:
        """Nothing comes any more, ever: every series ends at sinks of samples."""
        with self._state.transaction():
            points = [point for metric in self.metrics for point in lasts(metric)]
            for delivery in self._deliveries:
                delivery.put_closed([], points)
                delivery.freeze()
        for delivery in self._deliveries:
            delivery.hand_over()

    # -- records in -----------------------------------------------------------------------------------

    def _take(self, folded: Folded) -> None:
        """Where a fold leaves its source: cursors and event time."""
        plan = self._sources[folded.source]
        self._tell_first_time(plan, folded)
        for one in folded.chunks:
            chunk = one.chunk
            chunk.positions = self._barren.settle(plan, one)
            self._state.positions.move(plan.name, chunk.positions)
            self.releases.note(plan.name, one)
            limits = [limit for limit in (chunk.read_at, chunk.bound, chunk.written) if limit is not None]
            newest = None if one.newest is None else min(one.newest, *limits)
            if newest is not None:
                self._steady.confirm(newest)
            if chunk.partition:
                active = min(limits) if plan.source.ordered else chunk.read_at
                self._advance(plan.name, chunk.partition, newest, min(active, self._steady.now()))
            self._count(plan.name, one)

    def _merge(self, metric: LiveMetric, folds: Sequence[Partials]) -> None:
        """The numbers of folds; as one, for what is counted in each of them is written once."""
        if not folds:
            return
        partials = folds[0] if len(folds) == 1 else metric.compiled.gather(folds)
        merged = metric.merge(partials)
        counted = {"late_total": merged.late, "too_late_total": merged.too_late, "foreign_total": merged.foreign}
        for name, count in counted.items():
            if count:
                self._state.count(name, count, metric=metric.metric.name)
        for reason, count in partials.unusable.items():
            self._state.count("unusable_values_total", count, metric=metric.metric.name, reason=reason)

    def _tell_first_time(self, plan: SourcePlan, folded: Folded) -> None:
        """A source that began at the end has no whole window before its first record."""
        times = [one.oldest for one in folded.chunks if one.oldest is not None]
        if plan.start != "end" or not times:
            return
        started, first = self._state.positions.first_time(plan.name)
        if started != "end" or first is not None:
            return
        self._state.positions.set_first_time(plan.name, min(times))
        for metric in self.metrics:
            if plan.name in metric.metric.sources and metric.standing.watermark is None:
                metric.hold_back(min(times))

    def _spread_news(self) -> None:
        """Remember which series of open windows have news for the sinks that show early values."""
        for metric in self.metrics:
            for changed in self._early.values():
                panes = changed.setdefault(metric.id, {})
                for pane, series in metric.fresh.items():
                    panes.setdefault(pane, set()).update(series)
                for pane in [pane for pane in panes if pane < metric.closed_before()]:
                    del panes[pane]  # while a sink is down, closed windows reach it as points
            metric.fresh.clear()

    def _advance(self, source: str, partition: str, newest: int | None, active: int) -> None:
        reached = self._partitions[source].advance(partition, newest, active)
        self._state.positions.advance(source, partition, newest, reached)

    def _count(self, source: str, one: Counted) -> None:
        if one.records:
            self._state.count("records_total", one.records, source=source)
        if one.chunk.consumed:
            self._state.count("bytes_total", one.chunk.consumed, source=source)
        for reason, count in one.rejects.items():
            self._state.count("rejects_total", count, source=source, reason=reason)

    # -- windows out ------------------------------------------------------------------------------------

    def _close(self, news: Mapping[str, SourceNews], now: int, *, close_all: bool) -> tuple[list[Point], list[Point]]:
        """The points of windows that closed or changed, and the same with totals for sinks of samples."""
        for name in self._sources:
            mark = self._partitions[name].watermark(news.get(name, SourceNews()), now)
            if mark is not None and mark > (self._watermarks[name] or -(2**62)):
                self._watermarks[name] = mark
                self._state.positions.raise_watermark(name, mark)
        points: list[Point] = []
        totals: list[Point] = []
        marks = [(metric, *self._new_watermark(metric, news, now, close_all=close_all)) for metric in self.metrics]
        self._replay.look([(metric, watermark) for metric, watermark, _ in marks])
        for metric, watermark, incomplete in marks:
            if watermark is not None:
                closed, grown = self._close_metric(metric, watermark, incomplete=incomplete)
                points, totals = points + closed, totals + grown
                metric.sweep()
        for metric in [one for one in self.metrics if one.is_over()]:
            self._state.windows.drop(metric.id)
            self.metrics.remove(metric)
        return points, totals

    def _new_watermark(
        self, metric: LiveMetric, news: Mapping[str, SourceNews], now: int, *, close_all: bool
    ) -> tuple[int | None, bool]:
        """Up to where windows of a metric close in this turn, and whether that is so because a source failed."""
        watermark, incomplete = self._metric_watermark(metric, news, now)
        if close_all:
            watermark = metric.end_of_all(watermark)
        return metric.standing.watermark if watermark is None else watermark, incomplete

    def _close_metric(
        self, metric: LiveMetric, watermark: int, *, incomplete: bool = False
    ) -> tuple[list[Point], list[Point]]:
        before = metric.closed_before()
        points = metric.close(watermark, incomplete=incomplete)
        if metric.closed_before() == before:
            return points, []
        closed = Closed(metric, before, self._family(metric), self._samples_idle or 0)
        totals = [] if self._samples_idle is None else closed.points(points)
        metric.owing = set()
        return points, totals

    def _family(self, metric: LiveMetric) -> list[LiveMetric]:
        """All definitions that count into the same totals as one."""
        owner = metric.heir or metric
        return [one for one in self.metrics if (one.heir or one) is owner]

    def begin_sampling(self, delivery: SampledDelivery) -> None:
        """Let a sink of samples begin with what comes from now on; part of the running transaction."""
        for metric in self.metrics:
            if metric.heir is None and metric.cumulative:
                delivery.begin(metric, self._family(metric))

    def _metric_watermark(
        self, metric: LiveMetric, news: Mapping[str, SourceNews], now: int
    ) -> tuple[int | None, bool]:
        """How far a metric is, and whether that is so only because a source has failed for too long.

        A source of which nothing was ever read says nothing about time: its log may be there tomorrow, with the
        records of a week. It holds nothing up and moves nothing forward.
        """
        marks: list[int] = []
        quiet: list[int] = []
        incomplete = False
        for name in metric.metric.sources:
            if name not in self._sources:
                continue  # a metric that was removed together with its source
            plan, one = self._sources[name], news.get(name, SourceNews())
            mark = self._partitions[name].watermark(one, now)
            if mark is not None:
                marks.append(max(mark, self._watermarks[name] or mark))
                continue
            given_up = one.failing is not None and self._partitions[name].given_up(one, now)
            if not given_up and (one.failing is not None or not one.caught_up):
                return None, False
            incomplete = incomplete or given_up
            if self._partitions[name].known:
                quiet.append(now - round((plan.idle_after + plan.disorder) * 1e6))
        if marks:
            return min(marks), incomplete
        return min(quiet, default=None), incomplete

    def _has_early(self, delivery: Delivery) -> bool:
        return any(self._early.get(delivery.name, {}).values())

    def _early_points(self, delivery: Delivery) -> list[Point]:
        changed = self._early.get(delivery.name)
        if not changed or not delivery.early_due():
            return []
        points: list[Point] = []
        for metric in self.metrics:
            closed = metric.closed_before()
            panes = {pane: series for pane, series in changed.get(metric.id, {}).items() if pane >= closed}
            if panes and any(takes(delivery.plan, one.metric.name) for one in metric.shown):
                points += metric.early(panes)
        self._early[delivery.name] = {}
        delivery.early_taken()
        return points

    # -- upkeep -------------------------------------------------------------------------------------------

    def _care(self, news: Mapping[str, SourceNews]) -> None:
        now = self._clock.monotonic()
        if now - self._caps_at >= _CAPS_INTERVAL:
            self._caps_at = now
            for delivery in self._deliveries:
                delivery.enforce_caps()
            self.blocked = any(delivery.must_hold() for delivery in self._deliveries)
        if now - self._members_at >= _MEMBERS_INTERVAL:
            self._members_at = now
            self._estimate_biggest()
        if now - self._forgot_at >= _FORGET_INTERVAL:
            self._forgot_at = now
            self._forget_partitions(news)

    def _forget_partitions(self, news: Mapping[str, SourceNews]) -> None:
        """Give up what is known of writers that went away."""
        lateness = max((one.lateness for one in self.metrics), default=0)
        for name, one in news.items():
            self._state.positions.forget_partitions(name, self._partitions[name].forget(one, lateness))

    def _estimate_biggest(self) -> None:
        """Keep the members of all sets within their budget; rolling sets and arrivals stay exact."""
        members = self._state.windows.members
        excess = members.stored_bytes() + self._state.windows.crowds.stored_bytes() - self._members_budget
        plain = {metric.id: metric for metric in self.metrics if metric.metric.over is None}
        for metric, pane, key, size in members.biggest(64) if excess > 0 else ():
            if excess <= 0:
                return
            if metric in plain:
                members.promote(metric, pane, key)
                excess -= size

    def _note(self, folds: Sequence[Folded], points: Sequence[Point], begun: float) -> None:
        figures = self.figures
        figures.commits += 1
        figures.commit_seconds += self._clock.monotonic() - begun
        figures.points += len(points)
        for one in (one for folded in folds for one in folded.chunks):
            figures.records += one.records
