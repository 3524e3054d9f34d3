"""What a runner with the preset `cdn77` writes to a Prometheus, and what that makes of it: in plain Python.

Out of the golden points alone, by the rules of docs/reference.md: a counter begins with its former total one minute
before, has a sample each minute while it grows and a quarter of an hour longer, and then ends; a gauge has one where
there is a value. Of Prometheus only `increase()` is here, as its manual and its source have it.
"""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path

from presets import cdn77_oracle as oracle

MINUTE = 60
IDLE = 900
"""Seconds without growth after which a counter ends."""
LOOK_BACK = 300
"""Seconds for which Prometheus shows a sample."""

Labels = tuple[tuple[str, str], ...]
Samples = Sequence[tuple[int, float]]
Series = Mapping[Labels, Samples]
Lines = dict[str, dict[float, float]]
Called = Callable[[Mapping[str, str]], str | None]
"""What a series belongs to; None leaves it out."""


def in_order(directory: Path) -> Path:
    """The rows of the sample in the order of their times, as one object: so none is late."""

    def time(line: bytes) -> str:
        try:
            return str(json.loads(line)["timestamp"])
        except (ValueError, TypeError, KeyError):
            return ""

    file = directory / "rtl.0+0+1.ndjson.gz"
    rows = sorted(oracle.read_objects(oracle.SAMPLE), key=time)
    file.write_bytes(gzip.compress(b"\n".join(rows)))
    return file


class Written:
    """All samples of the golden points."""

    @cached_property
    def _golden(self) -> Mapping[str, Mapping[Labels, Samples]]:
        found: defaultdict[str, defaultdict[Labels, list[tuple[int, float]]]] = defaultdict(lambda: defaultdict(list))
        for line in gzip.decompress(oracle.GOLDEN.read_bytes()).splitlines():
            point = json.loads(line)
            end = int(datetime.fromisoformat(point["time"]).timestamp()) + MINUTE
            labels = tuple(sorted(point["labels"].items()))
            found[point["metric"]][labels].append((end, point["values"]["value"]))
        return found

    @cached_property
    def last(self) -> int:
        """The end of the last minute."""
        return max(end for series in self._golden.values() for samples in series.values() for end, _ in samples)

    def gauge(self, name: str) -> Series:
        """The samples of a gauge."""
        return self._golden[f"cdn77_{name}"]

    def counter(self, name: str) -> Series:
        """The samples of a counter; `None` in their place where it is ended and goes on later."""
        ends = self._windows(name)
        return {
            labels: list(_cumulated(dict(steps), ends)) for labels, steps in self._golden[f"cdn77_{name}_total"].items()
        }

    def _windows(self, name: str) -> range:
        """The ends of all windows from the first one on."""
        first = min(samples[0][0] for samples in self._golden[f"cdn77_{name}_total"].values())
        return range(first, self.last + 1, MINUTE)

    # -- what a query says ----------------------------------------------------------------------------------------

    def growth(self, name: str, called: Called, begin: float, end: float) -> dict[str, float]:
        """`increase()`, summed by what series belong to."""
        found: dict[str, float] = {}
        for labels, samples in self.counter(name).items():
            belongs = called(dict(labels))
            grown = increase(samples, begin, end)
            if belongs is not None and grown is not None:
                found[belongs] = found.get(belongs, 0.0) + grown
        return found

    def shown(self, name: str, called: Called, at: float) -> dict[str, float]:
        """A gauge at a moment, summed by what series belong to."""
        found: dict[str, float] = {}
        for labels, samples in self.gauge(name).items():
            belongs = called(dict(labels))
            seen = [value for end, value in samples if at - LOOK_BACK < end <= at]
            if belongs is not None and seen:
                found[belongs] = found.get(belongs, 0.0) + seen[-1]
        return found


def _cumulated(steps: Mapping[int, float], ends: Sequence[int]) -> Iterator[tuple[int, float]]:
    total, active, written = 0.0, None, 0
    for end in ends:
        step = steps.get(end)
        grows = bool(step) or (step is not None and active is None)
        if grows:
            if written != end - MINUTE:
                yield end - MINUTE, total
            total += step or 0
            active = end
        if active is not None and end - active <= IDLE:
            yield end, total
            written = end


def increase(samples: Samples, begin: float, end: float) -> float | None:
    """As Prometheus has it: the growth between the samples of a time, drawn out to its borders where they are near."""
    inside = [(time, value) for time, value in samples if begin <= time <= end]
    if len(inside) < 2:
        return None
    (first, low), (last, high) = inside[0], inside[-1]
    between = last - first
    usual = between / (len(inside) - 1)
    before, after = (gap if gap < 1.1 * usual else usual / 2 for gap in (first - begin, end - last))
    if high > low:
        before = min(before, between * low / (high - low))
    return (high - low) * (between + before + after) / between
