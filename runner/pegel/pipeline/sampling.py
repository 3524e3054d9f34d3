"""The road to a sink of samples: windows wait as totals, and become samples when they are frozen.

What a series has had before decides what its next sample is, and that moves with the same commit. One request is
under way at a time: where it turns out that the receiver could not take it any more, the series stand again where
they stood before it, and what they have grown since is in their next sample.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from zlib import crc32

from pegel.pipeline.delivery import MOST_POINTS, Delivery, Outcome, Own
from pegel.pipeline.growth import standing
from pegel.pipeline.live import LiveMetric
from pegel.pipeline.restoring import begun_key
from pegel.pipeline.ticks import Tick
from pegel.pipeline.totals import growing, to_plain
from pegel.plan import SinkPlan, takes, wants_own
from pegel.seams import Clock
from pegel.sinks import Point, Sampling
from pegel.sinks.points import pack, unpack
from pegel.state import State
from pegel.state.outbox import Window
from pegel.state.sampled import Course, Labels
from pegel.state.store import RESTORED


@dataclass(frozen=True)
class Shard:
    """A part of the series of a sink; each has its own outbox and its own request under way."""

    number: int = 0
    of: int = 1

    def name(self, sink: str) -> str:
        """The name of its outbox."""
        return sink if self.number == 0 else f"{sink}/{self.number}"

    def has(self, metric: str, labels: Labels) -> bool:
        """Whether a series is in it: the same one for ever, as long as there are as many."""
        return self.of == 1 or crc32(repr((metric, labels)).encode("utf-8", "surrogatepass")) % self.of == self.number


ALL = Shard()


def shards(plan: SinkPlan, state: State) -> list[Shard]:
    """The shards of a sink; another number than before is taken when nothing waits for it.

    Part of the running transaction. Two requests of different shards overtake each other, so that a series must
    not change from one to another while something of it is under way.
    """
    wanted = plan.sink.sampling.shards if plan.sink.sampling else 1
    fact = f"shards:{plan.name}"
    number = int(state.meta(fact) or wanted)
    names = {Shard(one, number).name(plan.name) for one in range(number)}
    if not names & state.outbox.sinks():
        number = wanted
    state.remember(fact, number)
    return [Shard(one, number) for one in range(number)]


class SampledDelivery(Delivery):
    """The outbox of a sink of samples, or of a shard of it; its points are those of `pegel.pipeline.growth`."""

    in_flight = 1

    def __init__(self, plan: SinkPlan, state: State, clock: Clock, shard: Shard = ALL) -> None:
        if shard.number:
            plan = replace(plan, sink=copy(plan.sink))
        super().__init__(plan, state, clock, shard.name(plan.name))
        self._shard = shard
        self._tried: set[int] = set()
        self._missing = False

    @property
    def sampling(self) -> Sampling:
        """What the sink wants."""
        wanted = self.sink.sampling
        assert wanted is not None
        return wanted

    def remember(self) -> None:
        super().remember()
        self._told = int(self._state.meta(RESTORED) or 0)

    def begin(self, metric: LiveMetric, family: Sequence[LiveMetric]) -> None:
        """Remember where the totals of a metric stand that this sink has never had: it gets what comes from now on.

        It is the same for all shards. Part of the running transaction.
        """
        for shown in metric.shown:
            name = shown.metric.name
            fact = f"sampled:{self.plan.name}:{name}"
            if not growing(shown.kinds) or not takes(self.plan, name) or self._state.meta(fact) is not None:
                continue
            self._state.remember(fact, self._time())
            points = [point for point in standing(metric, family) if point.metric == name]
            courses = [
                Course(point.labels, metric.id, active=point.start_us, sent=to_plain(point.values)) for point in points
            ]
            self._state.sampled.save(self.plan.name, name, courses)

    # -- inside the turn's transaction ----------------------------------------------------------------

    def put_closed(self, points: Sequence[Point], totals: Sequence[Point]) -> None:
        mine = [point for point in points if self._shard.has(point.metric, point.labels)]
        corrected = [point for point in mine if point.revision > 1 and takes(self.plan, point.metric)]
        self._count_lost(sum(len(point.values.keys() - growing(point.kinds)) for point in corrected))
        self.put(totals)

    def put_own(self, own: Own) -> None:
        """A minute is told once: a second sample of it, by a runner that was started again, would be refused."""
        if not wants_own(self.plan) or not own.totals:
            return
        fact, minute = f"own:{self.name}", own.totals[0].end_us
        if minute > int(self._state.meta(fact) or 0):
            self._state.remember(fact, minute)
            self._put(own.totals)

    def _put(self, points: Iterable[Point]) -> None:
        super()._put([one for one in points if not one.values or self._shard.has(one.metric, one.labels)])

    def freeze(self) -> None:
        """Turn what waits into the next request, if none is under way."""
        while not self._frozen:
            waiting = self._state.outbox.oldest_waiting(self.name, MOST_POINTS)
            if not waiting:
                return
            samples = self._samples(waiting, begins=True)
            if samples:
                windows, ordered = _in_order(samples)
                payload = self.sink.encode(ordered)
                turn = min(window.turn for window in waiting)
                again = all(map(self._is_told, ordered))
                number = self._state.outbox.freeze(self.name, windows, payload, self._time(), turn, again=again)
                self._frozen.append(number)

    def _samples(self, waiting: Sequence[Window], *, begins: bool) -> list[Point]:
        """What the oldest windows say, as many as make a request; they wait no longer.

        Args:
            waiting: The windows.
            begins: It is for a request, before which the series stand where they stand now.
        """
        samples: list[Point] = []
        used: list[Window] = []
        books: dict[str, dict[Labels, Course]] = {}
        for window in waiting:
            points = unpack(window.points)
            if samples and (len(samples) >= MOST_POINTS or self._is_told(samples[-1]) != self._is_told(points[0])):
                break
            self._look_up(window.metric, points, books, begins=begins)
            samples += self._tick(points, books[window.metric], missed=points[0].end_us <= self._horizon())
            used.append(window)
        for metric, courses in books.items():
            self._state.sampled.save(self.plan.name, metric, courses.values())
        self._state.outbox.withdraw(self.name, used)
        return samples

    def _tick(self, points: Sequence[Point], courses: dict[Labels, Course], *, missed: bool) -> list[Point]:
        if self._is_told(points[0]):
            return self._told_again(points, courses, missed=missed)
        tick = Tick(points, courses, round(self.sampling.idle * 1e6), missed, self._told)
        samples = list(tick.samples())
        self._miss(tick.lost)
        return samples

    def _is_told(self, point: Point) -> bool:
        """Whether the receiver may have had it, from the state that was lost before the last restore."""
        return point.end_us <= self._told

    def _told_again(self, points: Sequence[Point], courses: dict[Labels, Course], *, missed: bool) -> list[Point]:
        """Totals move on without a sample, which could be less than what the receiver has; gauges are what they were.

        Where totals have begun with 0 since, those from before say nothing any more.
        """
        totals = growing(points[0].kinds)
        if points[0].end_us > int(self._state.meta(begun_key(points[0].metric)) or 0):
            for _ in Tick(points, courses, round(self.sampling.idle * 1e6), missed=False).samples():
                pass
        rest = [{name: one for name, one in point.values.items() if name not in totals} for point in points]
        if missed:
            self._miss(sum(map(len, rest)))
            return []
        return [replace(point, values=one, revision=1) for point, one in zip(points, rest, strict=True) if one]

    def _look_up(
        self, metric: str, points: Sequence[Point], books: dict[str, dict[Labels, Course]], *, begins: bool
    ) -> None:
        """Read what is known of a metric's series, as far as a window needs it."""
        live = self._state.sampled.live(self.plan.name, metric) if metric not in books else {}
        fresh = {labels: course for labels, course in live.items() if self._shard.has(metric, labels)}
        courses = books.setdefault(metric, {})
        if growing(points[0].kinds):
            unknown = {point.labels for point in points if point.values} - courses.keys() - fresh.keys()
            fresh |= self._state.sampled.some(self.plan.name, metric, unknown)
        for course in fresh.values() if begins else ():
            course.begin()
        courses.update(fresh)

    def settle(self, outcomes: Sequence[Outcome]) -> None:
        super().settle([self._without_missed(outcome) for outcome in outcomes])

    def _without_missed(self, outcome: Outcome) -> Outcome:
        """What came of a request, without samples that came too late for the receiver: no letter brings them there."""
        request = outcome.request
        if outcome.kind == "failed":
            self._tried |= {request.id} if outcome.unsure else set()
            return outcome
        missed = {row for row, fault in outcome.faults.items() if fault == "outside_retention"}
        if not missed:
            self._missing = False
            return outcome
        windows = self._state.outbox.claimed(request.id)
        points = [point for window in windows for point in unpack(window.points)]
        self._miss(sum(len(points[row].values.keys() - growing(points[row].kinds)) for row in missed))
        if len(missed) == len(points) and request.id not in self._tried and not request.ambiguous:
            self._step_back(points)
        refused = {row: reason for row, reason in outcome.refused.items() if row not in missed}
        faults = {row: fault for row, fault in outcome.faults.items() if row not in missed}
        kind = "refused" if refused else "stored"
        return Outcome(request, kind, outcome.reason, refused, faults)

    def _step_back(self, points: Sequence[Point]) -> None:
        """Nothing of a request can be there: its series stand again where they stood before it."""
        by_metric: dict[str, set[Labels]] = {}
        for point in points:
            if growing(point.kinds):
                by_metric.setdefault(point.metric, set()).add(point.labels)
        for metric, labels in by_metric.items():
            courses = self._state.sampled.some(self.plan.name, metric, labels)
            for course in courses.values():
                course.step_back()
            self._state.sampled.save(self.plan.name, metric, courses.values())

    def drop(self) -> int:
        """Take what the receiver could not take any more out of what waits; totals go on with the next sample."""
        while self._is_missed() or (self.plan.when_full == "drop_oldest" and self._is_full()):
            if not self._give_up_oldest():
                break
        return 0

    def _is_missed(self) -> bool:
        """Whether the oldest window that waits is too old, or something has waited for too long."""
        oldest = self._state.outbox.oldest_waiting(self.name, 1)
        if oldest and unpack(oldest[0].points)[0].end_us <= self._horizon():
            return True
        since = self._state.outbox.waits_since(self.name)
        return since is not None and since < self._time() - round(self.plan.max_age * 1e6)

    def _give_up_oldest(self) -> bool:
        """The oldest window has no samples; false if none waits."""
        windows = self._state.outbox.oldest_waiting(self.name, 1)
        for window in windows:
            points, books = unpack(window.points), dict[str, dict[Labels, Course]]()
            self._look_up(window.metric, points, books, begins=False)
            assert not self._tick(points, books[window.metric], missed=True)
            self._state.sampled.save(self.plan.name, window.metric, books[window.metric].values())
        self._state.outbox.withdraw(self.name, windows)
        return bool(windows)

    def _horizon(self) -> int:
        """Windows that end up to here, in us, are too old to be sent."""
        return self._time() - round(self.sampling.reach * 1e6)

    def _count_lost(self, count: int) -> None:
        if count:
            self._state.count("missed_total", count, sink=self.name)

    def _miss(self, count: int) -> None:
        """Values of windows are too old for the receiver; said once, until the road is good again."""
        self._count_lost(count)
        if count and not self._missing:
            self.log.error("%s takes no gauges of windows so old any more; totals go on without a loss", self.name)
        self._missing = self._missing or count > 0


def _in_order(samples: Sequence[Point]) -> tuple[list[Window], list[Point]]:
    """Samples by metric and window, in the order of what is claimed: packed, and as they are."""
    grouped: dict[tuple[int, str], list[Point]] = {}
    for point in samples:
        grouped.setdefault((point.start_us, point.metric), []).append(point)
    ordered = sorted(grouped.items(), key=lambda group: group[0])
    windows = [Window(metric, pane, pack(points), len(points)) for (pane, metric), points in ordered]
    return windows, [point for _, points in ordered for point in points]
