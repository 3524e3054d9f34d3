"""Our own metrics: how the runner itself is, once a minute, beside the points it makes.

`pegel_source`, `pegel_rejects`, `pegel_metric`, `pegel_sink`, `pegel_runner`. They go to the embedded store and
to every sink that asks for them by name (`metrics = ["*", "pegel_*"]`). Each has a label `runner`, the random name
of the state: two runners that write into one bucket must not overwrite each other's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

from pegel.pipeline.delivery import Delivery
from pegel.pipeline.footprint import footprint
from pegel.pipeline.live import LiveMetric
from pegel.pipeline.reader import Reader
from pegel.pipeline.turn import Turn
from pegel.plan import OWN_PREFIX as PREFIX
from pegel.plan import RunnerSettings
from pegel.sinks import Kind, Point, Value
from pegel.state import State

_MINUTE = 60 * 10**6

_HELP = "How the runner itself is."

COUNTERS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "bytes": (("source",), "Bytes of a source that were read."),
    "records": (("source",), "Records of a source that were counted."),
    "rejects": (("reason", "source"), "Lines of a source that are no records, by reason."),
    "noticed": (("source", "what"), "What a source noticed about its files: rotations, and what was lost."),
    "late": (("metric",), "Records that came after their window was closed, and were counted."),
    "too_late": (("metric",), "Records that came when their window could not be corrected any more."),
    "foreign": (("metric",), "Records of windows that a back-fill has counted, or the runner beside it."),
    "unusable_values": (("metric", "reason"), "Values that cannot be stored, by reason."),
    "dead_letters": (("reason", "sink"), "Points that a sink refused for good, by its reason."),
    "dead_letters_dropped": (("sink",), "Refused points that were dropped because they took too much room."),
    "outbox_dropped": (("sink",), "Points that were dropped before a sink could take them."),
    "missed": (("sink",), "Values of windows that came too late for a sink of samples, or were corrected later."),
}
"""Everything that the state counts, as `pegel_NAME_total`: its labels, and what it is."""

_Made = tuple[str, Mapping[str, str], Mapping[str, Value], Mapping[str, Kind]]


class OwnMetrics:
    """Makes a point a minute of what the state and the process know about themselves."""

    def __init__(self, state: State, settings: RunnerSettings, now: int, refused: Callable[[], str]) -> None:
        """Begin.

        Args:
            state: What is told about.
            settings: Of the runner.
            now: When it began to run, in microseconds since 1970.
            refused: Why the changed configuration is not what runs; empty where it is.
        """
        self._state = state
        self._settings = settings
        self._begun = now
        self._refused = refused
        self._minute: int | None = None
        self._counters: dict[tuple[str, str], int] | None = None
        self._told: tuple[int, dict[tuple[str, str], int]] | None = None

    def due(self, now: int) -> bool:
        """Whether a new minute has begun."""
        return self._minute is None or now // _MINUTE > self._minute

    def points(self, now: int, readers: Sequence[Reader], turn: Turn, deliveries: Sequence[Delivery]) -> list[Point]:
        """The points of the minute that has just ended; the same again until it is `committed`.

        Raises:
            StateError: The state cannot be read.
        """
        minute = now // _MINUTE
        with self._state.reading():
            counters = self._state.counters()
            made = [*self._standing(now, readers, turn, deliveries), *self._growth(counters)]
        self._told = (minute, counters)
        return _points(now, made, runner=self._state.identity)

    def totals(self, now: int, readers: Sequence[Reader], turn: Turn, deliveries: Sequence[Delivery]) -> list[Point]:
        """The same for sinks of samples: counters since the beginning.

        Raises:
            StateError: The state cannot be read.
        """
        with self._state.reading():
            return self.snapshot(now, readers, turn, deliveries)

    def snapshot(self, now: int, readers: Sequence[Reader], turn: Turn, deliveries: Sequence[Delivery]) -> list[Point]:
        """What a view shows: everything as it is now, counters since the beginning."""
        totals = [_counted(place, value) for place, value in self._state.counters().items()]
        return _points(now, [*self._standing(now, readers, turn, deliveries), *totals])

    def committed(self) -> None:
        """What was told is on its way."""
        if self._told is not None:
            (self._minute, self._counters), self._told = self._told, None

    def _standing(self, now: int, readers: Sequence[Reader], turn: Turn, deliveries: Sequence[Delivery]) -> list[_Made]:
        """Everything that is not counted but looked at."""
        return [
            *self._sources(now, readers, turn),
            *self._metrics(turn.metrics),
            *self._sinks(now, deliveries),
            self._runner(now, turn),
        ]

    def _sources(self, now: int, readers: Sequence[Reader], turn: Turn) -> list[_Made]:
        made: list[_Made] = []
        for reader in readers:
            status = reader.plan.source.status()
            values: dict[str, Value] = {"lag_bytes": status.lag_bytes, "failing": int(bool(reader.failing))}
            watermark = turn.watermark(reader.name)
            if watermark is not None:
                values["watermark_age_seconds"] = max(0, now - watermark) // 10**6
            values.update({f"noticed_{name}": count for name, count in status.counts.items()})
            made.append(("pegel_source", {"source": reader.name}, values, dict.fromkeys(values, "gauge")))
        return made

    def _growth(self, counters: Mapping[tuple[str, str], int]) -> list[_Made]:
        """What the state counted since the last minute, as increments."""
        before = counters if self._counters is None else self._counters
        grown = {place: value - before.get(place, 0) for place, value in counters.items()}
        return [_counted(place, growth) for place, growth in grown.items() if growth]

    def _metrics(self, metrics: Sequence[LiveMetric]) -> list[_Made]:
        made: list[_Made] = []
        for metric in metrics:
            if metric.standing.until is None:
                values: dict[str, Value] = {"series": len(self._state.series.live(metric.id))}
                made.append(("pegel_metric", {"metric": metric.metric.name}, values, {"series": "gauge"}))
        return made

    def _sinks(self, now: int, deliveries: Sequence[Delivery]) -> list[_Made]:
        made: list[_Made] = []
        for delivery in deliveries:
            backlog = self._state.outbox.backlog(delivery.name)
            values: dict[str, Value] = {
                "outbox_points": backlog.points,
                "outbox_bytes": backlog.bytes,
                "limit_bytes": delivery.plan.max_bytes,
                "oldest_seconds": 0 if backlog.oldest is None else max(0, now - backlog.oldest) // 10**6,
                "dead_letters": self._state.letters.count(delivery.name),
                "failing": int(bool(delivery.trouble)),
            }
            made.append(("pegel_sink", {"sink": delivery.name}, values, dict.fromkeys(values, "gauge")))
        return made

    def _runner(self, now: int, turn: Turn) -> _Made:
        """A page that shows an old `commit_timestamp_seconds` belongs to a runner that can commit nothing."""
        figures = turn.figures
        mean = figures.commit_seconds / figures.commits if figures.commits else 0.0
        values: dict[str, Value] = {
            "commits": figures.commits,
            "commit_seconds_mean": round(mean, 6),
            "commit_timestamp_seconds": now // 10**6,
            "start_timestamp_seconds": self._begun // 10**6,
            "snapshot_interval_seconds": round(self._settings.snapshot_interval),
            "config_refused": int(bool(self._refused())),
            **footprint(self._state.path),
        }
        return ("pegel_runner", {}, values, dict.fromkeys(values, "gauge"))


def _counted(place: tuple[str, str], value: int) -> _Made:
    """One of the state's counters, by its name and its labels as text."""
    name, labels = place
    return (f"{PREFIX}{name.removesuffix('_total')}", json.loads(labels), {"value": value}, {"value": "counter"})


def _points(now: int, made: Sequence[_Made], **more: str) -> list[Point]:
    """Points of the minute before this one, with more labels."""
    start = (now // _MINUTE - 1) * _MINUTE
    return [_point(metric, {**labels, **more}, start, values, kinds) for metric, labels, values, kinds in made]


def _point(
    metric: str, labels: Mapping[str, str], start: int, values: Mapping[str, Value], kinds: Mapping[str, Kind]
) -> Point:
    _, sentence = COUNTERS.get(metric.removeprefix(PREFIX), ((), _HELP))
    return Point(
        metric,
        tuple(sorted(labels.items())),
        start,
        start + _MINUTE,
        values,
        kinds,
        1,
        sentence,
    )
