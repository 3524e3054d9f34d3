"""Points as lines over time, and the adding up of series that nobody wants apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pegel.cli.chart import Values
from pegel.sinks import Histogram, Point, Value
from pegel.sinks.local_steps import add
from pegel.sinks.safe_text import clean

MAX_LINES = 6
"""Series that are told apart in one picture; more are shown together."""

_MAX_GRID = 5000


@dataclass(frozen=True)
class Timelines:
    """Points as lines.

    Attributes:
        windows: Starts of the windows; those without points are there, too.
        lines: By value, then by name of the series; None where a window has no value.
    """

    windows: Sequence[int]
    lines: Mapping[str, Mapping[str, Values]]


def timelines(points: Sequence[Point]) -> Timelines:
    """One line per value and series, or one per value where there are too many series to tell apart."""
    series = list(dict.fromkeys(point.labels for point in points))
    together = len(series) > MAX_LINES
    words = {name: "sum" if each else "mean" for name, each in additive(points).items()}
    shown = group_by(points, None) if together else points
    windows = _grid(shown)
    place = {start: index for index, start in enumerate(windows)}
    lines: dict[str, dict[str, list[float | None]]] = {}
    for point in shown:
        for name, value in point.values.items():
            number = _number(value)
            if number is not None:
                title = f"{words[name]} of {len(series):,} series" if together else _title(point)
                line = lines.setdefault(name, {}).setdefault(title, [None] * len(windows))
                line[place[point.start_us]] = number
    order = [name for name in words if name in lines]
    return Timelines(windows, {name: lines[name] for name in order})


def settled(points: Sequence[Point]) -> Sequence[Point]:
    """The points without those of open windows, whose half counts would look like a fall; all if all are open."""
    return [point for point in points if point.revision > 0] or points


def group_by(points: Sequence[Point], label: str | None) -> list[Point]:
    """One point per window and value of a label, or per window, by time.

    Counters, histograms and whole numbers are added up, other numbers averaged, of texts the last one stays.
    """
    summed = additive(points)
    groups: dict[tuple[int, tuple[tuple[str, str], ...]], list[Point]] = {}
    for point in points:
        kept = tuple([pair for pair in point.labels if pair[0] == label])
        groups.setdefault((point.start_us, kept), []).append(point)
    return [_together(labels, groups[start, labels], summed) for start, labels in sorted(groups)]


def additive(points: Iterable[Point]) -> dict[str, bool]:
    """Whether the values of several series can be added up, by value, in the order of the config."""
    found: dict[str, bool] = {}
    for point in points:
        for name, value in point.values.items():
            kind = point.kinds.get(name, "gauge")
            whole = kind in ("counter", "histogram") or isinstance(value, int)
            found[name] = found.get(name, True) and whole
    return found


def columns(points: Iterable[Point]) -> tuple[list[str], list[str]]:
    """The names of all labels and values, in the order in which they first appear."""
    labels: dict[str, None] = {}
    values: dict[str, None] = {}
    for point in points:
        labels.update(dict.fromkeys([name for name, _ in point.labels]))
        values.update(dict.fromkeys(point.values))
    return list(labels), list(values)


def _together(labels: tuple[tuple[str, str], ...], points: Sequence[Point], summed: Mapping[str, bool]) -> Point:
    collected: dict[str, list[Value | Histogram]] = {}
    for point in points:
        for name, value in point.values.items():
            collected.setdefault(name, []).append(value)
    values = {name: _combined(each, summed[name]) for name, each in collected.items()}
    first, end = points[0], max(point.end_us for point in points)
    revision = min(point.revision for point in points)  # open while one of them is
    return Point(first.metric, labels, first.start_us, end, values, first.kinds, revision, first.help)


def _combined(values: Sequence[Value | Histogram], summed: bool) -> Value | Histogram:
    total = values[0]
    for value in values[1:]:
        total = add(total, value)
    if len(values) > 1 and not summed and isinstance(total, int | float):
        return total / len(values)
    return total


def _grid(points: Sequence[Point]) -> list[int]:
    """The starts of all windows from the first to the last; only those with points where they do not follow on."""
    present = sorted({point.start_us for point in points})
    width = points[-1].end_us - points[-1].start_us
    if width <= 0 or (present[-1] - present[0]) // width > _MAX_GRID:
        return present
    if any((start - present[0]) % width for start in present):
        return present
    return list(range(present[0], present[-1] + 1, width))


def _number(value: Value | Histogram) -> float | None:
    if isinstance(value, Histogram):
        return value.counts[-1] if value.counts else None
    return None if isinstance(value, str) else value


def _title(point: Point) -> str:
    return ", ".join([clean(text) for _, text in point.labels])
