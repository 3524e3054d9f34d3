"""A receiver of samples in memory with the rules of a Prometheus, and the sink that sends to it.

A request is taken whole or not at all. A series takes newer samples; the same one again; older ones inside the
out-of-order window, of which the first stays.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from pegel.errors import Permanent, Retryable
from pegel.pipeline.totals import growing
from pegel.sinks import Histogram, Point, Sampling, Sink
from pegel.sinks.points import pack, unpack
from pegel.units import Duration

Series = tuple[str, tuple[tuple[str, str], ...], str]
"""Metric, labels, value."""


@dataclass
class Tsdb:
    """Attributes:
    window: Out of order, in seconds.
    series: Samples by time in us; NaN where a series was ended.
    newest: The newest time of all.
    broken: Promises that were broken, as sentences.
    """

    window: float = 0.0
    series: dict[Series, dict[int, float]] = field(default_factory=dict)
    newest: int = 0
    broken: list[str] = field(default_factory=list)

    def append(self, points: Sequence[Point]) -> str:
        """Take a request; the reason why not."""
        fresh = [(series, point.end_us, value) for point in points for series, value in samples(point)]
        if len({series for series, _, _ in fresh}) < len(fresh):
            self.broken.append(f"a series has two samples in one request: {fresh}")
        reason = next(filter(None, (self._refusal(*one) for one in fresh)), "")
        for series, time, value in [] if reason else fresh:
            self.series.setdefault(series, {}).setdefault(time, value)
            self.newest = max(self.newest, time)
        return reason

    def _refusal(self, series: Series, time: int, value: float) -> str:
        held = self.series.get(series, {})
        newest = max(held, default=None)
        if time < self.newest - max(3600.0, self.window) * 1e6:
            return "too old sample"
        if newest is None or time > newest:
            return ""
        if time == newest:
            same = held[time] == value or (math.isnan(held[time]) and math.isnan(value))
            return "" if same else "duplicate sample for timestamp"
        return "" if self.window else "out of order sample"

    def of(self, key: str, value: str = "n", metric: str = "m") -> list[tuple[float, float]]:
        """The samples of a series without its ends, times in seconds."""
        held = self.series.get((metric, (("key", key),), value), {})
        return [(time / 1e6, number) for time, number in sorted(held.items()) if not math.isnan(number)]

    def now(self, key: str, at: float, value: str = "n") -> float | None:
        """What an instant query finds: the newest sample of five minutes, if the series was not ended."""
        held = self.series.get(("m", (("key", key),), value), {})
        times = [time for time in held if at - 300 < time / 1e6 <= at]
        found = held[max(times)] if times else math.nan
        return None if math.isnan(found) else found


@dataclass(kw_only=True)
class Meter(Sink):
    """Sends to a receiver; `fate` says what becomes of the next request.

    `stored`, `down` (nothing leaves), `lost` (sent and never seen again) or `reply lost` (stored).
    """

    tsdb: Tsdb
    wall: Callable[[], float]
    fate: Callable[[], str] = lambda: "stored"
    shards: int = 1
    backfill: str = ""

    def introduce(self, identity: str, backfill: str = "") -> None:  # noqa: ARG002 - one runner, one receiver
        self.backfill = backfill

    @property
    def remote(self) -> bool:
        return True

    @property
    def sampling(self) -> Sampling:
        return Sampling(reach=Duration(max(3600.0, self.tsdb.window) - 300), idle=Duration(900.0), shards=self.shards)

    def encode(self, points: Sequence[Point]) -> bytes:
        return pack(points)

    def _named(self, points: Iterable[Point]) -> Iterator[Point]:
        """Totals of a back-fill have series of their own."""
        for point in points:
            totals = {name: point.values[name] for name in growing(point.kinds) & point.values.keys()}
            rest = {name: value for name, value in point.values.items() if name not in totals}
            more = (("backfill", self.backfill),) if self.backfill else ()
            yield replace(point, labels=(*more, *point.labels), values=totals)
            yield replace(point, values=rest)

    def send(self, payload: bytes) -> None:
        self._send(payload, again=False)

    def send_again(self, payload: bytes) -> None:
        self._send(payload, again=True)

    def _send(self, payload: bytes, *, again: bool) -> None:
        fate = self.fate()
        if fate == "down":
            raise Retryable("refused", after=1.0, unsure=False)
        if fate == "lost":
            raise Retryable("timed out", after=1.0)
        points = unpack(payload)
        oldest = self.wall() * 1e6 - (max(3600.0, self.tsdb.window) - 60) * 1e6
        numbered = sorted(enumerate(points), key=lambda one: one[1].end_us)
        if numbered and numbered[0][1].end_us < oldest:
            rows = dict.fromkeys(range(len(points)), "too old")
            raise Permanent("too old", rows, dict.fromkeys(rows, "outside_retention"))
        for _, group in groupby(numbered, key=lambda one: one[1].end_us):
            reason = self.tsdb.append(list(self._named(point for _, point in group)))
            if reason and not again:
                self.tsdb.broken.append(f"refused: {reason}")
        if fate == "reply lost":
            raise Retryable("timed out", after=1.0)


def samples(point: Point) -> Iterator[tuple[Series, float]]:
    """What a point says, by series."""
    for name, value in point.values.items():
        if isinstance(value, Histogram):
            count = value.counts[-1]
            yield (point.metric, point.labels, f"{name}_count"), math.nan if math.isnan(value.sum) else count
            yield (point.metric, point.labels, f"{name}_sum"), value.sum
        elif not isinstance(value, str):
            yield (point.metric, point.labels, name), value
