"""Windows combined to longer steps, so that a month fits on a screen."""

from __future__ import annotations

from collections.abc import Sequence

from pegel.sinks import Histogram, Kind, Point, Value

_Any = Value | Histogram


def in_steps(points: Sequence[Point], step_us: int) -> list[Point]:
    """Points with one window per step and series, in the order of their first windows.

    Counters and histograms are added up, other numbers averaged (over the windows that have them), of texts the
    last one stays. A step begins at a multiple of its length.
    """
    groups: dict[tuple[int, tuple[tuple[str, str], ...]], list[Point]] = {}
    for point in points:
        groups.setdefault((point.start_us // step_us * step_us, point.labels), []).append(point)
    return [_combine(start, step_us, group) for (start, _), group in groups.items()]


def add(one: _Any, other: _Any) -> _Any:
    """Two values of a counter or histogram together; the second where they cannot be added."""
    if isinstance(one, Histogram) and isinstance(other, Histogram) and one.bounds == other.bounds:
        counts = tuple(before + count for before, count in zip(one.counts, other.counts, strict=True))
        return Histogram(one.bounds, counts, one.sum + other.sum)
    if isinstance(one, int | float) and isinstance(other, int | float):
        return one + other
    return other


def _combine(start: int, step_us: int, points: Sequence[Point]) -> Point:
    first, newest = points[0], points[-1]
    collected: dict[str, list[_Any]] = {}
    for point in points:
        for name, value in point.values.items():
            collected.setdefault(name, []).append(value)
    values = {name: _together(newest.kinds.get(name, "gauge"), each) for name, each in collected.items()}
    revision = max(point.revision for point in points)
    return Point(first.metric, first.labels, start, start + step_us, values, newest.kinds, revision, newest.help)


def _together(kind: Kind, values: Sequence[_Any]) -> _Any:
    total = values[0]
    for value in values[1:]:
        total = add(total, value)
    if kind == "gauge" and isinstance(total, int | float):
        return total / len(values)
    return total
