"""Totals of counters and histograms as values: how they are added, taken apart and written down."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pegel.sinks import Histogram, Kind, Value

GROWING = frozenset({"counter", "histogram"})
"""Kinds of values that are totals at a sink of samples."""

Totals = Mapping[str, Value | Histogram]

_NOISE = 1e-9
"""Relative; sums of fractions come out differently in another order."""


def growing(kinds: Mapping[str, Kind]) -> frozenset[str]:
    """The values that are totals."""
    return frozenset(name for name, kind in kinds.items() if kind in GROWING)


def without(totals: Totals, less: Totals) -> dict[str, Value | Histogram]:
    """Totals before something was added."""
    return {name: _minus(value, less[name]) if name in less else value for name, value in totals.items()}


def nothing(plain: Any) -> Any:
    """The total before anything was counted, as what JSON can hold."""
    if isinstance(plain, dict):
        return {**plain, "counts": [0] * len(plain["counts"]), "sum": 0.0}
    return 0.0 if isinstance(plain, float) else 0


def over(plain: Any) -> Any:
    """The value that ends a series, as what JSON can hold."""
    return {**plain, "sum": math.nan} if isinstance(plain, dict) else math.nan


def is_nothing(value: Value | Histogram) -> bool:
    """Whether nothing was counted."""
    return not (value.counts and value.counts[-1]) if isinstance(value, Histogram) else not value


def never_less(value: Any, former: Any) -> Any:
    """A total that has not fallen by the noise of adding fractions; one that really fell stays as it is."""
    if isinstance(value, float) and isinstance(former, float) and value < former:
        return former if former - value <= _NOISE * abs(former) else value
    return value


def to_plain(totals: Totals) -> dict[str, Any]:
    """Totals as what JSON can hold."""
    return {name: plain(value) for name, value in totals.items()}


def from_plain(totals: Mapping[str, Any]) -> Mapping[str, Value | Histogram]:
    """What `to_plain` made."""
    if dict not in map(type, totals.values()):
        return totals
    return {name: _histogram(value) if isinstance(value, dict) else value for name, value in totals.items()}


def plain(value: Value | Histogram) -> Any:
    """A total as what JSON can hold."""
    if isinstance(value, Histogram):
        return {"bounds": list(value.bounds), "counts": list(value.counts), "sum": value.sum}
    return value


def _minus(value: Value | Histogram, less: Value | Histogram) -> Value | Histogram:
    if isinstance(value, Histogram) and isinstance(less, Histogram):
        counts = tuple(a - b for a, b in zip(value.counts, less.counts, strict=True))
        return Histogram(value.bounds, counts, value.sum - less.sum)
    assert isinstance(value, (int, float))
    assert isinstance(less, (int, float))
    return value - less


def _histogram(value: Mapping[str, Any]) -> Histogram:
    return Histogram(tuple(value["bounds"]), tuple(value["counts"]), value["sum"])
