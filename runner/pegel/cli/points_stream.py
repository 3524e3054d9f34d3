"""Points that are printed as they come: columns that are known too late may only be added."""

from __future__ import annotations

from collections.abc import Sequence

from pegel.cli.chart import cells
from pegel.cli.points_export import csv_rows
from pegel.cli.points_view import clock, figure
from pegel.cli.terminal import Terminal, table
from pegel.cli.timelines import columns
from pegel.sinks import Point
from pegel.sinks.influx import fields_of
from pegel.sinks.safe_text import clean

_OPEN, _CORRECTED = "…", "↻"


class CsvStream:
    """Lines of CSV; the header comes first, and again where a point has a label or field that is not in it."""

    def __init__(self) -> None:
        self._labels: dict[str, None] = {}
        self._fields: dict[str, None] = {}
        self._begun = False

    def text(self, points: Sequence[Point]) -> str:
        """The lines of some points."""
        labels, _ = columns(points)
        fields = [name for point in points for name, _ in fields_of(point.values)]
        known = self._labels.keys() >= set(labels) and self._fields.keys() >= set(fields)
        fresh, self._begun = not (known and self._begun), True
        self._labels.update(dict.fromkeys(labels))
        self._fields.update(dict.fromkeys(fields))
        lines = csv_rows(points, list(self._labels), list(self._fields))
        return "".join(lines if fresh else lines[1:])


class TableStream:
    """Rows of a table under one header; a column that must become wider stays so.

    Args:
        terminal: Where it is printed.
        several: The points are of several metrics: labels and values become one text each.
    """

    def __init__(self, terminal: Terminal, *, several: bool = False) -> None:
        self._terminal = terminal
        self._several = several
        self._labels: dict[str, None] = {}
        self._values: dict[str, None] = {}
        self._header: list[str] = []
        self._widths: list[int] = []

    def lines(self, points: Sequence[Point]) -> list[str]:
        """The rows of some points, the header before them where it is new."""
        labels, values = columns(points)
        self._labels.update(dict.fromkeys(labels))
        self._values.update(dict.fromkeys(values))
        header, right = self._columns(points)
        rows = [self._several_row(point) if self._several else self._row(point) for point in points]
        fresh = header != self._header
        widths = [max(map(cells, map(clean, column))) for column in zip(header, *rows, strict=True)]
        self._widths = widths if fresh else list(map(max, widths, self._widths))
        self._header = header
        padded = [name + " " * (width - cells(name)) for name, width in zip(header, self._widths, strict=True)]
        shown = table(padded, rows, right, self._terminal)
        return shown if fresh else shown[1:]

    def _columns(self, points: Sequence[Point]) -> tuple[list[str], list[bool]]:
        if self._several:
            return ["time", "metric", "labels", "values"], [False] * 4
        texts = [any(isinstance(point.values.get(name), str) for point in points) for name in self._values]
        header = ["time", *self._labels, *self._values]
        return header, [False, *[False] * len(self._labels), *[not text for text in texts]]

    def _row(self, point: Point) -> list[str]:
        pairs = dict(point.labels)
        values = [figure(point.values[name]) if name in point.values else "" for name in self._values]
        return [_time(point), *[pairs.get(name, "") for name in self._labels], *values]

    def _several_row(self, point: Point) -> list[str]:
        labels = " ".join(f"{name}={value}" for name, value in point.labels)
        values = "  ".join(f"{name} {figure(value)}" for name, value in point.values.items())
        return [_time(point), point.metric, labels, values]


def _time(point: Point) -> str:
    """The start of the window; marked while it is open, and where it is a correction."""
    mark = _OPEN if point.revision == 0 else _CORRECTED if point.revision > 1 else " "
    return f"{clock(point.start_us, date=True)} {mark}"
