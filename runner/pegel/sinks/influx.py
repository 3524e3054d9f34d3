"""Points as InfluxDB line protocol: measurement, tags, fields, start of the window."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from math import isfinite
from typing import Literal

from pegel.sinks import Histogram, Point, Value
from pegel.sinks.ndjson import buckets, usable_values
from pegel.sinks.safe_text import clean, clean_name, distinct_names

Precision = Literal["s", "ms", "us", "ns"]
"""Unit of the times."""

MAX_TEXT = 16_000
"""Characters of a text value; InfluxDB takes 64 KiB."""

_TICKS: Mapping[Precision, tuple[int, int]] = {
    "s": (1_000_000, 1),
    "ms": (1000, 1),
    "us": (1, 1),
    "ns": (1, 1000),
}
_END = 2**63
_usual = re.compile(r"[\w.:/+-]{1,200}", re.ASCII).fullmatch
"""Whether a label needs neither cleaning nor escaping."""
_IN_NAME = re.compile(r"([,= ])")
_IN_TEXT = re.compile(r'(["\\])')


def encode(points: Sequence[Point], precision: Precision = "s") -> bytes:
    """The lines of these points, in their order; a point without a usable value has none."""
    return "".join([f"{line}\n" for line in lines(points, precision) if line]).encode()


def lines(points: Sequence[Point], precision: Precision = "s") -> list[str]:
    """The line of each of these points, without its end; empty for a point without a usable value.

    Integers are written as integers, floats as floats, texts as texts. A histogram becomes the fields
    `NAME_le_BOUND` (records not greater than the bound), `NAME_sum` and `NAME_count`. Labels without a value
    are left out. A backslash in a name or at the end of a label, which InfluxDB cannot hold, becomes `_`.
    """
    divisor, factor = _TICKS[precision]
    written = []
    for point in points:
        fields = _fields(point.values)
        written.append(f"{_series(point)} {fields} {point.start_us // divisor * factor}" if fields else "")
    return written


def fields_of(values: Mapping[str, Value | Histogram]) -> Iterator[tuple[str, Value]]:
    """The names and values that InfluxDB sees; integers outside 64 bits do not exist for it."""
    for name, value in usable_values(values).items():
        if isinstance(value, Histogram):
            for bound, count in buckets(value):
                yield f"{name}_le_{show_bound(bound)}", count
            yield f"{name}_sum", float(value.sum)
            yield f"{name}_count", value.counts[-1] if value.counts else 0
        elif not isinstance(value, int) or -_END <= value < _END:
            yield name, value


def show_bound(bound: float) -> str:
    """A bound as people write it: `0.5`, `10`."""
    return repr(float(bound)).removesuffix(".0")


def _series(point: Point) -> str:
    labels = point.labels
    series = _measurement(point.metric)
    for place, head in _heads(tuple([name for name, _ in labels])):
        text = labels[place][1]
        if text:
            series += head + (text if _usual(text) else _tag_value(text))
    return series


def _fields(values: Mapping[str, Value | Histogram]) -> str:
    """Numbers, which nearly all values are, in one pass; whatever is not one takes the long way."""
    fields = []
    for key, value in zip(_keys(tuple(values)), values.values(), strict=True):
        if type(value) is int and -_END <= value < _END:
            fields.append(f"{key}={value}i")
        elif type(value) is float and isfinite(value):
            fields.append(f"{key}={value!r}")
        else:
            return _all_fields(values)
    return ",".join(fields)


def _all_fields(values: Mapping[str, Value | Histogram]) -> str:
    pairs = list(fields_of(values))
    keys = _keys(tuple([name for name, _ in pairs]))
    return ",".join([f"{key}={_field_value(value)}" for key, (_, value) in zip(keys, pairs, strict=True)])


def _field_value(value: Value) -> str:
    if isinstance(value, int):
        return f"{value:d}i"
    if isinstance(value, float):
        return repr(value)
    return '"' + _IN_TEXT.sub(r"\\\1", clean(value, MAX_TEXT)) + '"'


@lru_cache(maxsize=1024)
def _measurement(name: str) -> str:
    return _escape(_plain_name(name), equals=False)


@lru_cache(maxsize=1024)
def _keys(names: tuple[str, ...]) -> tuple[str, ...]:
    """How these names are written as keys of tags or fields."""
    return tuple(_escape(name) for name in distinct_names([_plain_name(name) for name in names]))


@lru_cache(maxsize=1024)
def _heads(names: tuple[str, ...]) -> tuple[tuple[int, str], ...]:
    """The tags with these names in the order of InfluxDB: the place of each among the labels, and `,KEY=`."""
    in_order = sorted((key, place) for place, key in enumerate(_keys(names)))
    return tuple((place, f",{key}=") for key, place in in_order)


def _tag_value(text: str) -> str:
    cleaned = clean(text)
    if cleaned.endswith("\\"):  # it would escape what follows, and InfluxDB has no way to write it
        kept = cleaned.rstrip("\\")
        cleaned = kept + "_" * (len(cleaned) - len(kept))
    return _escape(cleaned)


def _plain_name(name: str) -> str:
    """A name that InfluxDB accepts: no backslash, no `#` or `_` in front, and not its own word `time`."""
    plain = clean_name(name).replace("\\", "_").lstrip("_#") or "x"
    return "time_" if plain == "time" else plain


def _escape(text: str, *, equals: bool = True) -> str:
    return _IN_NAME.sub(r"\\\1", text) if equals else text.replace(",", "\\,").replace(" ", "\\ ")
