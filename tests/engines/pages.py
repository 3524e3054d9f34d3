"""What a Prometheus fetched from the page of a runner while the log of the golden points was written.

No runner runs in it: it says by itself, in plain Python, what must be on the page at any moment (the newest of the
last five closed windows of each series); names and labels are those of the runner's own exposition.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from pegel.sinks import Kind, Point
from pegel.sinks.exposition import families
from presets import ookla_oracle as oracle

TARGET = {"job": "runner", "instance": "runner:9464"}
CLOSES_AFTER = 10
"""Seconds from the end of a window to the page that shows it."""

_OFFSET = 7
"""No scrape is at a full minute: so it does not matter on which side a range is open."""


@dataclass(frozen=True)
class Shown:
    """A value on the page at the time of a scrape."""

    name: str
    labels: Mapping[str, str]
    time: int
    value: float


def width(metric: str) -> int:
    """Seconds of a window."""
    return {"hourly": 3600, "daily": 86400}.get(metric.rpartition("_")[2], 60)


class Pages:
    """All scrapes: each fifteen seconds while the log is written, then around each half hour.

    Args:
        begin: Of the scrapes, in seconds since 1970.
        end: Of the dense ones.
        last: Of all.
    """

    def __init__(self, begin: int, end: int, last: int) -> None:
        halves = range(end // 1800 * 1800 + 1800, last + 1, 1800)
        self.times = [
            *range(begin + _OFFSET, end, 15),
            *(time for half in halves for time in range(half - 30 + _OFFSET, half + 31, 15)),
        ]

    @cached_property
    def shown(self) -> list[Shown]:
        """Everything that was fetched."""
        return [one for time in self.times for one in _page(time)]

    def at(self, moment: int) -> list[Shown]:
        """What a query at a moment sees."""
        newest = max((time for time in self.times if time <= moment), default=0)
        return [one for one in self.shown if one.time == newest > moment - 16]

    def mean(self, name: str, by: Callable[[Shown], str | None], until: float, seconds: int) -> Counter[str]:
        """Means of series over a time, summed by what `by` calls them; None leaves one out."""
        found: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
        for one in self.shown:
            called = by(one) if one.name == name and until - seconds < one.time <= until else None
            if called is not None:
                found[called, json.dumps(dict(one.labels))].append(one.value)
        means: Counter[str] = Counter()
        for (called, _), values in found.items():
            means[called] += sum(values) / len(values)  # type: ignore[assignment]
        return means

    def total(self, name: str, by: Callable[[Shown], str | None], begin: int, end: int) -> Counter[str]:
        """What was fetched, four times a minute, summed by what `by` calls it."""
        found: Counter[str] = Counter()
        for one in self.shown:
            called = by(one) if one.name == name and begin < one.time <= end else None
            if called is not None:
                found[called] += one.value / 4  # type: ignore[assignment]
        return found

    def samples(self) -> Iterator[tuple[str, Mapping[str, str], float, float]]:
        """As `openmetrics` takes them."""
        for one in self.shown:
            yield one.name, {**one.labels, **TARGET}, one.time, one.value


def _page(time: int) -> Iterator[Shown]:
    for family in families(_points(time)):
        for samples in family.series.values():
            for one in samples:
                yield Shown(one.name, dict(one.labels), time, one.value)


def _points(time: int) -> Iterator[Point]:
    """The points of the last five closed windows of every metric; the exposition takes the newest of a series."""
    for point in GOLDEN:
        seconds = width(point.metric)
        closed = (time - CLOSES_AFTER) // seconds * seconds
        if closed - 5 * seconds <= point.start_us // 10**6 < closed:
            yield point


def _golden() -> Iterator[Point]:
    for line in oracle.GOLDEN.read_text(encoding="utf-8").splitlines():
        one = json.loads(line)
        start = round(datetime.fromisoformat(one["time"]).timestamp())
        end = start + width(one["metric"])
        kind: Kind = "info" if one["metric"] == "asn_map" else "gauge"
        labels = tuple(sorted(one["labels"].items()))
        kinds = dict.fromkeys(one["values"], kind)
        yield Point(one["metric"], labels, start * 10**6, end * 10**6, one["values"], kinds)


GOLDEN = list(_golden())
