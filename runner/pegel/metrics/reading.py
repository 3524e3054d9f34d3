"""How the value of an aggregate is read from a merged pane. Plain data, so that a compiled metric can be sent."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate
from typing import Protocol

from pegel.metrics import buckets
from pegel.metrics.algebra import OVERFLOW
from pegel.metrics.partials import Pane, Scalar
from pegel.sinks import Histogram

Result = Scalar | Decimal


class Reading(Protocol):
    """The value of one aggregate; None where it has none."""

    def read(self, pane: Pane) -> Result: ...


@dataclass(frozen=True)
class Records:
    """`count(*)`."""

    def read(self, pane: Pane) -> Result:
        return pane.records


@dataclass(frozen=True)
class Count:
    """A count, which is 0 where nothing was counted."""

    index: int

    def read(self, pane: Pane) -> Result:
        return _stored(pane, self.index) or 0


@dataclass(frozen=True)
class Stored:
    """What a column holds: a sum, an extreme, the first or last value; `scale` digits of it are behind the point."""

    index: int
    scale: int = 0

    def read(self, pane: Pane) -> Result:
        value = _stored(pane, self.index)
        return Decimal(value).scaleb(-self.scale) if self.scale and isinstance(value, int) else value


@dataclass(frozen=True)
class Mean:
    """A sum divided by its count."""

    sum: int
    count: int
    scale: int = 0

    def read(self, pane: Pane) -> Result:
        total, count = _stored(pane, self.sum), _stored(pane, self.count)
        if not count or total is None or isinstance(total, str) or isinstance(count, str):
            return None
        return float(total / (count * 10**self.scale))


@dataclass(frozen=True)
class Spread:
    """Variance or standard deviation, from moments that start at column `index`."""

    index: int
    sample: bool
    root: bool

    def read(self, pane: Pane) -> Result:
        count, _, squares = pane.scalars[self.index : self.index + 3]
        if not isinstance(count, int) or not isinstance(squares, float) or count <= self.sample:
            return None
        variance = max(squares, 0.0) / (count - self.sample)
        return math.sqrt(variance) if self.root else variance


@dataclass(frozen=True)
class Distinct:
    """Members of a set."""

    index: int

    def read(self, pane: Pane) -> Result:
        return pane.distinct[self.index]


@dataclass(frozen=True)
class Arrivals:
    """Members of a pane that the panes before did not have."""

    index: int

    def read(self, pane: Pane) -> Result:
        return pane.arrivals[self.index]


@dataclass(frozen=True)
class Quantile:
    """The smallest value that at least the share `q` of the values does not exceed, within 1 %."""

    index: int
    q: float

    def read(self, pane: Pane) -> Result:
        counts = pane.buckets[self.index]
        wanted = max(1, math.ceil(self.q * sum(counts.values()) - 1e-9))
        ordered = sorted(counts)
        for bucket, seen in zip(ordered, accumulate(counts[b] for b in ordered), strict=True):
            if seen >= wanted:
                return buckets.value(bucket)
        return None


@dataclass(frozen=True)
class Bounded:
    """A whole histogram; it does not take part in expressions."""

    index: int
    sum: int
    bounds: tuple[float, ...]

    def histogram(self, pane: Pane) -> Histogram:
        counts = pane.buckets[self.index]
        cumulative = accumulate(counts.get(bucket, 0) for bucket in range(len(self.bounds) + 1))
        total = _stored(pane, self.sum)
        return Histogram(self.bounds, tuple(cumulative), float(total) if isinstance(total, int | float) else 0.0)


def _stored(pane: Pane, index: int) -> Scalar:
    value = pane.scalars[index]
    return None if value == OVERFLOW else value
