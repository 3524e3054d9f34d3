"""Points as bytes: how the outbox and the embedded store hold them, and what a correction does to them.

Points are packed by shape (metric, labels, value names) and column by column, as JSON under zlib: equal
neighbours cost nothing, a point takes 10 to 20 bytes where a row of its own takes 204.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import le
from typing import Any

from pegel.sinks import Histogram, Kind, Point, Value

VERSION = 1

_Shape = tuple[str, str, tuple[str, ...], tuple[str, ...], tuple[tuple[str, Kind], ...]]


@dataclass(frozen=True)
class Block:
    """Points of one shape, as columns of equal length.

    Attributes:
        metric: Name of the metric.
        help: Its sentence.
        label_names: In the order of the points' labels.
        value_names: In the order of the points' values.
        kinds: By value.
        rows: How many points.
        starts: Starts of the windows in microseconds.
        widths: End minus start, in microseconds.
        revisions: One per point.
        labels: One column per label name.
        values: One column per value name.
    """

    metric: str
    help: str
    label_names: tuple[str, ...]
    value_names: tuple[str, ...]
    kinds: dict[str, Kind]
    rows: int
    starts: Sequence[int]
    widths: Sequence[int]
    revisions: Sequence[int]
    labels: Sequence[Sequence[str]]
    values: Sequence[Sequence[Value | Histogram]]


def pack(points: Sequence[Point]) -> bytes:
    """The bytes of these points; the same points in the same order give the same bytes."""
    order, members = _by_shape(points)
    in_order = all(map(le, order, order[1:]))
    document = [VERSION, None if in_order else order, [_pack_block(block) for block in members]]
    return zlib.compress(json.dumps(document, separators=(",", ":"), default=_pack_histogram).encode(), 1)


def unpack(data: bytes) -> list[Point]:
    """The points that `pack` got.

    Raises:
        ValueError: These bytes do not come from `pack`, or from a newer one.
    """
    order, blocks = _read(data)
    lists = [_points(block) for block in blocks]
    if order is None:
        return [point for points in lists for point in points]
    following = [iter(points) for points in lists]
    return [next(following[number]) for number in order]


def unpack_blocks(data: bytes) -> list[Block]:
    """The same as columns, for those who do not need their order; see `unpack`."""
    return _read(data)[1]


def merge(older: Iterable[Point], newer: Iterable[Point]) -> list[Point]:
    """The points of a window after a correction, one per series and window.

    The higher revision wins, between equal ones the newer point; a series that only one of them has is kept.
    """
    merged: dict[tuple[str, tuple[tuple[str, str], ...], int], Point] = {}
    for points in (older, newer):
        for point in points:
            key = (point.metric, point.labels, point.start_us)
            present = merged.get(key)
            if present is None or point.revision >= present.revision:
                merged[key] = point
    return list(merged.values())


def _by_shape(points: Sequence[Point]) -> tuple[list[int], list[list[Point]]]:
    """The number of the shape of each point, and the points of each shape."""
    numbers: dict[_Shape, int] = {}
    seen: dict[tuple[object, ...], int] = {}
    order, members = [], list[list[Point]]()
    for point in points:
        names = next(zip(*point.labels), ())  # noqa: B905 (pairs are pairs)
        # The points of a metric share one `kinds`: to know it again is cheaper than to compare it.
        known = (point.metric, names, tuple(point.values), id(point.kinds), point.help)
        number = seen.get(known)
        if number is None:
            shape = (point.metric, point.help, names, tuple(point.values), tuple(point.kinds.items()))
            number = seen[known] = numbers.setdefault(shape, len(members))
            if number == len(members):
                members.append([])
        members[number].append(point)
        order.append(number)
    return order, members


def _pack_block(points: Sequence[Point]) -> list[Any]:
    first = points[0]
    label_names, value_names = [name for name, _ in first.labels], list(first.values)
    columns: list[list[Any]] = [
        [point.start_us for point in points],
        [point.end_us - point.start_us for point in points],
        [point.revision for point in points],
        *([point.labels[index][1] for point in points] for index in range(len(label_names))),
        *([point.values[name] for point in points] for name in value_names),
    ]
    folded = [_fold(column) for column in columns]
    return [first.metric, first.help, label_names, value_names, dict(first.kinds), len(points), folded]


def _fold(column: list[Any]) -> list[Any]:
    """A column of integers or texts that are all equal is written once (floats are not: 0.0 == -0.0)."""
    first, kinds = column[0], set(map(type, column))
    constant = kinds in ({int}, {str}) and column.count(first) == len(column)
    return column[:1] if constant else column


def _pack_histogram(value: object) -> dict[str, Any]:
    if not isinstance(value, Histogram):
        raise TypeError(f"a point cannot hold a {type(value).__name__}")
    return {"bounds": value.bounds, "counts": value.counts, "sum": value.sum}


def _read(data: bytes) -> tuple[list[int] | None, list[Block]]:
    try:
        version, order, blocks = json.loads(zlib.decompress(data))
    except (zlib.error, TypeError) as error:
        raise ValueError("these bytes are not packed points") from error
    if version != VERSION:
        raise ValueError(f"these points were packed in version {version}; this program reads version {VERSION}")
    return order, [_read_block(*block) for block in blocks]


def _read_block(
    metric: str,
    help_text: str,
    label_names: list[str],
    value_names: list[str],
    kinds: dict[str, Kind],
    rows: int,
    folded: list[list[Any]],
) -> Block:
    starts, widths, revisions, *rest = [column if len(column) == rows else column * rows for column in folded]
    labels, values = rest[: len(label_names)], rest[len(label_names) :]
    return Block(
        metric, help_text, tuple(label_names), tuple(value_names), kinds, rows,
        starts, widths, revisions, labels, [_read_values(column) for column in values],
    )  # fmt: skip


def _read_values(column: list[Any]) -> list[Any]:
    if dict not in set(map(type, column)):
        return column
    return [_histogram(value) if type(value) is dict else value for value in column]


def _histogram(value: dict[str, Any]) -> Histogram:
    return Histogram(tuple(value["bounds"]), tuple(value["counts"]), value["sum"])


def _points(block: Block) -> list[Point]:
    value_names = block.value_names
    pairs = [_pairs(name, column) for name, column in zip(block.label_names, block.labels, strict=True)]
    labels = zip(*pairs, strict=True) if pairs else [()] * block.rows
    values = zip(*block.values, strict=True) if value_names else [()] * block.rows
    shared = {"metric": block.metric, "help": block.help, "kinds": block.kinds}
    points = []
    columns = zip(labels, block.starts, block.widths, values, block.revisions, strict=True)
    for own, start, width, numbers, revision in columns:
        # A frozen dataclass sets its fields one by one through object.__setattr__: half the time of `unpack`.
        point = object.__new__(Point)
        fields = point.__dict__
        fields.update(shared)
        fields["labels"] = own
        fields["start_us"] = start
        fields["end_us"] = start + width
        fields["values"] = dict(zip(value_names, numbers))  # noqa: B905 (as above: `strict` costs a quarter)
        fields["revision"] = revision
        points.append(point)
    return points


def _pairs(name: str, column: Sequence[str]) -> list[tuple[str, str]]:
    shared = {text: (name, text) for text in set(column)}
    return [shared[text] for text in column]
