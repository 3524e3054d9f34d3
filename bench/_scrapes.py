"""What a Prometheus has fetched in a month: series, and when they were on a page, as text for promtool."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path

from pegel.sinks import Kind, Point
from pegel.sinks.exposition import families

SCRAPE = 15
WINDOWS = 5
"""How long a window that is over stays on the page of a runner."""


@dataclass(frozen=True)
class Span:
    """A value on a page.

    Attributes:
        begin: In seconds since 1970.
        end: In seconds since 1970.
        value: At the beginning.
        growth: In a second.
    """

    begin: int
    end: int
    value: float
    growth: float = 0


@dataclass
class Series:
    """One series; its spans follow each other.

    Attributes:
        name: With its labels, as Prometheus writes it.
        spans: When it was there.
    """

    name: str
    spans: list[Span] = field(default_factory=list)


def of_points(points: Iterable[Point], target: Mapping[str, str], until: int) -> list[Series]:
    """The page of a runner that makes these points, in order of time for each series."""
    known: dict[object, list[Series]] = {}
    for point in points:
        key = (point.metric, point.labels, *(value for value in point.values.values() if isinstance(value, str)))
        if key not in known:
            known[key] = [_named(point, name, target) for name in point.values]
        series = known[key]
        end = point.end_us // 10**6
        stays = min(until, end + WINDOWS * (end - point.start_us // 10**6))
        for one, value in zip(series, point.values.values(), strict=True):
            if one.spans and one.spans[-1].end > end:
                one.spans[-1] = Span(one.spans[-1].begin, end, one.spans[-1].value)
            one.spans.append(Span(end, stays, value if isinstance(value, int | float) else 1))
    return [one for several in known.values() for one in several]


def _named(point: Point, value: str, target: Mapping[str, str]) -> Series:
    """A series without spans, called as one value of a point is on the page."""
    kinds: dict[str, Kind] = {value: "info" if isinstance(point.values[value], str) else "gauge"}
    alone = replace(point, values={value: point.values[value]}, kinds=kinds)
    ((sample,),) = (samples for family in families([alone]) for samples in family.series.values())
    return Series(_text(sample.name, {**dict(sample.labels), **target}))


def standing(name: str, labels: Mapping[str, Sequence[str]], value: float, growth: float, span: range) -> list[Series]:
    """Series that are there all the time: one for each way to choose one of each label's values."""
    ways = product(*labels.values())
    return [
        Series(_text(name, dict(zip(labels, way, strict=True))), [Span(span.start, span.stop, value, growth)])
        for way in ways
    ]


def _text(name: str, labels: Mapping[str, str]) -> str:
    pairs = ",".join(f"{key}={json.dumps(text, ensure_ascii=False)}" for key, text in sorted(labels.items()))
    return f"{name}{{{pairs}}}"


def write(series: Sequence[Series], block: range, file: Path) -> int:
    """All samples of a time, as OpenMetrics; returns their number."""
    count = 0
    with file.open("w", encoding="utf-8") as out:
        for one in series:
            for span in one.spans:
                if span.begin < block.stop and span.end > block.start:
                    lines = list(_samples(one.name, span, block))
                    out.writelines(lines)
                    count += len(lines)
        out.write("# EOF\n")
    return count


def _samples(name: str, span: Span, block: range) -> Iterator[str]:
    first = -(-max(span.begin, block.start) // SCRAPE) * SCRAPE
    times = range(first, min(span.end, block.stop), SCRAPE)
    if not span.growth:
        return (f"{name} {span.value} {time}\n" for time in times)
    return (f"{name} {span.value + span.growth * (time - span.begin):.3f} {time}\n" for time in times)
