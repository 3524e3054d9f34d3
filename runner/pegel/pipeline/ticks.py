"""What the windows of a metric say as samples: what each series has had before decides. Pure.

A sample is the total of all windows up to the end of one. A live series has one with each window, so that sparse
counters have a rate; before it begins or goes on it has its former total one window earlier, so that its first
step is seen; when it has not grown for a while it is ended, and stays known with its total.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pegel.pipeline.totals import from_plain, growing, never_less, nothing, over, plain
from pegel.sinks import Histogram, Point, Value
from pegel.state.sampled import Course, Labels, Totals

LAST = -1
"""In the place of a definition's number: with this window every series of the metric ends."""

_INSTANT = 1000
"""Microseconds; the shortest time between two samples."""


def mark(metric: str, start: int, end: int, kinds: Mapping[str, str], origin: int, text: str) -> Point:
    """A window that closed, whether or not anything grew in it: a point without values."""
    return Point(metric, (), start, end, {}, kinds, origin, text)  # type: ignore[arg-type]


@dataclass
class Tick:
    """One window of one metric for one sink.

    Attributes:
        points: With totals; `revision` is the number of the definition that counts them.
        courses: Its live series and those in `points`, brought up to this window by `samples`.
        idle: Microseconds without growth after which a series is ended.
        missed: The receiver takes no samples of this window any more.
        told: Up to here, in us, it may have samples that this state knows nothing of.
    """

    points: Sequence[Point]
    courses: dict[Labels, Course]
    idle: int
    missed: bool
    told: int = 0

    def __post_init__(self) -> None:
        first = self.points[0]
        self._start, self._end = first.start_us, first.end_us
        self._patience = max(self.idle, 2 * (self._end - self._start))
        self._totals = growing(first.kinds)
        self.lost = 0
        """Values of windows that have no sample."""

    def samples(self) -> Iterator[Point]:
        """Every sample of this window, and those that have to come before it."""
        if self.points[0].revision == LAST:
            for course in self.courses.values():
                yield from self._ended(course) if course.live else ()
            return
        if not self._totals:
            yield from self._kept([point for point in self.points if point.values])
            return
        spoken = set[Labels]()
        for point in self.points:
            if point.values:
                spoken.add(point.labels)
                yield from self._grown(point, self.courses.get(point.labels) or self._begun(point))
        for course in [course for labels, course in self.courses.items() if labels not in spoken]:
            if course.live:
                yield from self._repeated(course)

    def _kept(self, points: list[Point]) -> list[Point]:
        self.lost += sum(len(point.values) for point in points) if self.missed else 0
        return [] if self.missed else points

    def _begun(self, point: Point) -> Course:
        course = self.courses[point.labels] = Course(point.labels, point.revision)
        return course

    def _grown(self, point: Point, course: Course) -> Iterator[Point]:
        """A series that this window says something new of."""
        if course.origin != point.revision:
            course.origin, course.sent, course.due, course.written = point.revision, None, None, None
        known = course.due or course.sent or {}
        totals, others = {**known}, dict[str, Value | Histogram]()
        for name, value in point.values.items():
            if name in self._totals:
                totals[name] = never_less(plain(value), known.get(name))
            else:
                others[name] = value
        if totals == known:
            yield from self._repeated(course, others) if course.live else self._alone(course, others)
            return
        course.active, course.due, course.live = self._end, totals, True
        yield from self._sample(course, others)

    def _repeated(self, course: Course, others: Mapping[str, Value | Histogram] | None = None) -> Iterator[Point]:
        """A live series that has not grown."""
        if self._end - course.active > self._patience and course.due is None:
            yield from self._ended(course)
            yield from self._alone(course, others or {})
        else:
            yield from self._sample(course, others or {})

    def _sample(self, course: Course, others: Mapping[str, Value | Histogram]) -> Iterator[Point]:
        if self.missed or not self._is_next(course):
            self.lost += len(others)
            return
        totals = course.due or course.sent or {}
        if course.time != self._start or totals.keys() != (course.sent or {}).keys():
            yield from self._before(course, totals)
        yield self._point(course.labels, self._start, self._end, {**from_plain(totals), **others})
        course.time = self._end
        if course.due is not None:
            course.sent, course.due, course.written = course.due, None, None

    def _before(self, course: Course, totals: Totals) -> Iterator[Point]:
        """The sample one window earlier from which a series grows, where it has none there."""
        sent = course.sent or {}
        fresh = {name: nothing(value) for name, value in totals.items() if name not in sent}
        if course.time is None or course.time < self._start:
            begin, at = {**fresh, **sent}, self._start if sent or self._start > self.told else self._start + _INSTANT
        elif course.sent is None:  # another definition has had its last sample there
            begin, at = fresh, course.time + _INSTANT
        else:
            begin, at = fresh, self._start
        if begin and at < self._end:
            yield self._point(course.labels, 2 * self._start - self._end, at, from_plain(begin))

    def _ended(self, course: Course) -> Iterator[Point]:
        """The stale marker; it lies between two windows, so that the series may go on with the next one."""
        course.live = False
        at = self._start + (self._end - self._start) // 2
        if not self.missed and course.time is not None and course.time < at:
            ends = {name: over(value) for name, value in (course.sent or {}).items()}
            yield self._point(course.labels, at, at, from_plain(ends))
            course.time = at

    def _alone(self, course: Course, others: Mapping[str, Value | Histogram]) -> Iterator[Point]:
        """Values of this window alone, of a series that has no sample with it."""
        if others and (self.missed or not self._is_next(course)):
            self.lost += len(others)
        elif others:
            yield self._point(course.labels, self._start, self._end, others)

    def _is_next(self, course: Course) -> bool:
        return course.time is None or course.time < self._end

    def _point(self, labels: Labels, start: int, end: int, values: Mapping[str, Value | Histogram]) -> Point:
        first = self.points[0]
        return Point(first.metric, labels, start, end, values, first.kinds, 1, first.help)
