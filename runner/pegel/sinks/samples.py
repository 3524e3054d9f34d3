"""Points as frozen requests of samples: one request for each time, so that no series has two samples in one.

A receiver that refuses something takes nothing of the request, or all the rest; both can be sent again only
where the newest sample of a series is its only one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pegel.sinks import Histogram, Kind, Point
from pegel.sinks.exposition import family_name, metric_name, series_labels
from pegel.sinks.ndjson import buckets
from pegel.sinks.write_request import STALE, Moment, labels_field, packed, pieces

VERSION = 1

_MOST_SERIES = 200_000
"""Label sets that are remembered as bytes; then it is begun anew."""

_MOST_SAMPLES = 5_000
"""In one request, about."""

_Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Frame:
    """The samples of one time.

    Attributes:
        time: Milliseconds since 1970.
        rows: The points that they come from, by their number.
        counts: How many series each of them has.
        body: A `WriteRequest`.
    """

    time: int
    rows: Sequence[int]
    counts: Sequence[int]
    body: bytes

    def part(self, rows: Sequence[int]) -> bytes:
        """The request for some of the rows."""
        if len(rows) == len(self.rows):
            return self.body
        wanted = set(rows)
        cut = zip(self.rows, pieces(self.body, self.counts), strict=True)
        return b"".join([piece for row, piece in cut if row in wanted])


class Encoder:
    """Makes payloads; knows the labels of series as bytes from one payload to the next."""

    def __init__(self, own: Mapping[str, str], totals: Mapping[str, str] | None = None) -> None:
        """`own` are labels on every series, `totals` on those of counters and histograms."""
        self._own = own
        self._of_totals = {**own, **(totals or {})}
        self._heads: dict[tuple[str, _Labels], dict[str, bytes]] = {}
        self._kinds: dict[str, Mapping[str, Kind]] = {}
        self._moment = Moment.of(0)

    def encode(self, points: Sequence[Point]) -> bytes:
        """The payload of these points; the same points give the same bytes."""
        by_time: dict[int, list[int]] = {}
        for row, point in enumerate(points):
            by_time.setdefault(point.end_us // 1000, []).append(row)
        head, bodies = [], []
        for time in sorted(by_time):
            self._turn_to(time)
            for rows, counts, body in self._frames(by_time[time], points):
                head.append([time, rows, counts, len(body)])
                bodies.append(body)
        said = json.dumps([VERSION, head], separators=(",", ":")).encode()
        return b"".join([said, b"\n", *bodies])

    def _turn_to(self, time: int) -> None:
        """Make samples of this time; what is known of series holds for all times that are equally long as bytes."""
        moment = Moment.of(time)
        if len(moment.tail) != len(self._moment.tail):
            self._heads.clear()
        self._moment = moment

    def _frames(self, rows: Sequence[int], points: Sequence[Point]) -> Iterator[tuple[list[int], list[int], bytes]]:
        tail = self._moment.tail
        taken: set[bytes] = set()
        held, counts, parts = list[int](), list[int](), list[bytes]()
        for row in rows:
            before = len(parts)
            for head, value in self._series(points[row]):
                if head not in taken:  # of two label sets that cleaning made equal the first one stays
                    taken.add(head)
                    parts += (head, STALE if value != value else packed(value), tail)  # NaN
            held.append(row)
            counts.append((len(parts) - before) // 3)
            if len(parts) >= 3 * _MOST_SAMPLES:
                yield held, counts, b"".join(parts)
                held, counts, parts = [], [], []
        if held:
            yield held, counts, b"".join(parts)

    def _series(self, point: Point) -> list[tuple[bytes, float]]:
        """All of a series but its value and time, and the value, of each series that a point speaks of."""
        known = self._known(point)
        found: list[tuple[bytes, float]] = []
        for name, value in point.values.items():
            if isinstance(value, Histogram):
                found += self._histogram(known, point, name, value)
            elif isinstance(value, str):
                pass  # an info has all its texts in one series
            elif name in known:
                found.append((known[name], value))
            else:
                kind = _kind(point, name)
                family = family_name(point.metric, name, kind, alone=_is_alone(point, name))
                known[name] = self._head(family, point.labels, self._of_totals if kind == "counter" else self._own)
                found.append((known[name], value))
        if "info" in point.kinds.values():
            found += self._info(point)
        return found

    def _known(self, point: Point) -> dict[str, bytes]:
        """What is known of the series of a point, by value; a value that has become another kind has another name."""
        former = self._kinds.get(point.metric)
        if former is not point.kinds:
            if former is not None and former != point.kinds:
                self._heads.clear()
            self._kinds[point.metric] = point.kinds
        key = (point.metric, point.labels)
        known = self._heads.get(key)
        if known is None:
            if len(self._heads) >= _MOST_SERIES:
                self._heads.clear()
            known = self._heads[key] = {}
        return known

    def _info(self, point: Point) -> list[tuple[bytes, float]]:
        texts = tuple((name, str(value)) for name, value in point.values.items() if _kind(point, name) == "info")
        if not texts:
            return []
        name = metric_name(point.metric)
        shown = name if name.endswith("_info") else f"{name}_info"
        return [(self._head(shown, (*point.labels, *texts), self._own), 1)]

    def _histogram(
        self, known: dict[str, bytes], point: Point, name: str, value: Histogram
    ) -> list[tuple[bytes, float]]:
        family = family_name(point.metric, name, "histogram", alone=_is_alone(point, name))
        count = value.counts[-1] if value.counts else 0
        numbers: list[tuple[str, str, float]] = [
            *((f"{family}_bucket", repr(float(bound)), below) for bound, below in buckets(value)),
            (f"{family}_bucket", "+Inf", count),
            (f"{family}_sum", "", value.sum),
            (f"{family}_count", "", count),
        ]
        found = []
        for series, bound, number in numbers:
            key = f"{series}{{{bound}}}"
            if key not in known:
                own = {"le": bound, **self._of_totals} if bound else self._of_totals
                known[key] = self._head(series, point.labels, own)
            found.append((known[key], math.nan if math.isnan(value.sum) else number))
        return found

    def _head(self, name: str, labels: _Labels, own: Mapping[str, str]) -> bytes:
        """Labels as the receiver takes them, with those that belong to us; others of these names step aside."""
        others = [(f"exported_{key}" if key in own else key, text) for key, text in labels if own.get(key) != text]
        return self._moment.head(labels_field(name, [*series_labels(others), *own.items()]))


def frames(payload: bytes) -> list[Frame]:
    """The requests in a payload.

    Raises:
        ValueError: It comes from a newer program.
    """
    at = payload.index(b"\n")
    version, heads = json.loads(payload[:at])
    if version != VERSION:
        raise ValueError(f"these samples were written in version {version}; this program reads version {VERSION}")
    at += 1
    found = []
    for time, rows, counts, length in heads:
        found.append(Frame(time, rows, counts, payload[at : at + length]))
        at += length
    return found


def _kind(point: Point, name: str) -> Kind:
    return point.kinds.get(name, "gauge")


def _is_alone(point: Point, name: str) -> bool:
    """Whether a metric has no other value; remarks on it do not count."""
    return name == "value" and set(point.kinds) == {"value"}
