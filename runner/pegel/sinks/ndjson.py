"""Points as lines of JSON, one point per line."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from pegel.sinks import Histogram, Point, Value
from pegel.sinks.safe_text import to_json

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def encode(points: Sequence[Point]) -> bytes:
    """The lines of these points, in their order; a point without a usable value has none.

    The time is the start of the window. `revision` is there unless it is 1: a window that was corrected
    appears again with a higher one, and the highest counts.
    """
    return "".join([_line(point) for point in points if usable_values(point.values)]).encode()


def document(point: Point) -> dict[str, object]:
    """A point as what JSON can hold: metric, time, labels, values and, unless it is 1, the revision."""
    fields: dict[str, object] = {
        "metric": point.metric,
        "time": show_time(point.start_us),
        "labels": dict(sorted(point.labels)),
        "values": {name: plain(value) for name, value in sorted(usable_values(point.values).items())},
    }
    if point.revision != 1:
        fields["revision"] = point.revision
    return fields


def usable_values(values: Mapping[str, Value | Histogram]) -> dict[str, Value | Histogram]:
    """The values that exist: NaN and infinities do not."""
    return {name: value for name, value in values.items() if exists(value)}


def exists(value: Value | Histogram) -> bool:
    """False for NaN and infinities, and for a histogram with such a sum."""
    number = value.sum if isinstance(value, Histogram) else value
    return not isinstance(number, float) or math.isfinite(number)


def plain(value: Value | Histogram) -> object:
    """A value as what JSON can hold; the bucket of all records is the `count` of a histogram."""
    if not isinstance(value, Histogram):
        return value
    return {"buckets": buckets(value), "sum": value.sum, "count": value.counts[-1] if value.counts else 0}


def buckets(histogram: Histogram) -> list[tuple[float, int]]:
    """The finite bounds of a histogram, each with the number of records that are not greater."""
    pairs = zip(histogram.bounds, histogram.counts, strict=False)
    return [(bound, count) for bound, count in pairs if math.isfinite(bound)]


@lru_cache(maxsize=256)
def show_time(us: int) -> str:
    """A time in UTC as ISO 8601, with a fraction only where there is one."""
    moment = _EPOCH + timedelta(microseconds=us)
    return moment.replace(tzinfo=None).isoformat() + "Z"


def _line(point: Point) -> str:
    return to_json(document(point)) + "\n"
