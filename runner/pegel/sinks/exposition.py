"""Points as Prometheus families, and families as text: format 0.0.4 or OpenMetrics 1.0."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from pegel.sinks import Histogram, Kind, Point, Value
from pegel.sinks.ndjson import buckets, usable_values
from pegel.sinks.safe_text import clean, distinct_names

FamilyType = Literal["gauge", "counter", "histogram", "info"]
Labels = tuple[tuple[str, str], ...]
"""Sorted by name, valid, unique, without empty values."""


@dataclass(frozen=True)
class Sample:
    """One number: the name may have `_bucket`, `_sum` or `_count` behind that of its family."""

    name: str
    labels: Labels
    value: int | float


@dataclass
class Family:
    """Everything under one name: one type, one help, its series in a fixed order."""

    name: str
    type: FamilyType
    help: str
    series: dict[Labels, list[Sample]]


def encode(points: Iterable[Point]) -> bytes:
    """The text of a snapshot; the same points in any order give the same bytes.

    Of several points of one series only the newest is shown; without a time, for that is the scrape.
    """
    return text(families(points))


def text(shown: Iterable[Family]) -> bytes:
    """Families in the text format 0.0.4."""
    return "".join([_lines(family, family.name, _plain_type(family), _PLAIN) for family in shown]).encode()


def openmetrics(shown: Sequence[Family]) -> bytes:
    """Families in OpenMetrics 1.0: a counter or an info is named without its suffix, and the end is marked.

    One whose short name another family has is `unknown` to OpenMetrics: the number is the same.
    """
    taken = {family.name for family in shown}
    lines = []
    for family in shown:
        name, kind = _openmetrics_name(family, taken)
        taken.add(name)
        lines.append(_lines(family, name, kind, _QUOTED))
    return "".join([*lines, "# EOF\n"]).encode()


def families(points: Iterable[Point]) -> list[Family]:
    """The families of a snapshot, sorted by name, their series sorted by labels.

    A value is named after its metric if that has only one, called `value`, else `METRIC_VALUE`; counters end
    in `_total`. The texts of an `info` metric are the labels of one series `METRIC_info` with the value 1.
    Where cleaning makes two series equal, the first one stays: Prometheus refuses a scrape that repeats one.
    """
    newest = _newest(points)
    value_names = _value_names(newest)
    found: dict[str, Family] = {}
    for point in newest:
        alone = value_names[point.metric] == {"value"}
        for name, value in usable_values(point.values).items():
            kind = point.kinds.get(name, "gauge")
            if kind != "info" and not isinstance(value, str):
                _add(found, family_name(point.metric, name, kind, alone=alone), kind, point, value)
        _add_info(found, point)
    return [found[name] for name in sorted(found)]


@lru_cache(maxsize=4096)
def family_name(metric: str, value: str, kind: Kind, *, alone: bool) -> str:
    """The Prometheus name of a value; `alone` if the metric has no other and this one is called `value`."""
    name = metric_name(metric if alone else f"{metric}_{value}")
    return _ending(name, "_total") if kind == "counter" else name


def _ending(name: str, suffix: str) -> str:
    """The name with this end; one that is nothing else would have no name left in OpenMetrics, which spoils a page."""
    return name if name.endswith(suffix) and name != suffix else name + suffix


@lru_cache(maxsize=4096)
def metric_name(name: str) -> str:
    """A valid metric name: what Prometheus does not allow becomes `_`."""
    valid = re.sub(r"[^a-zA-Z0-9_:]", "_", name)
    return valid if re.match(r"[a-zA-Z_:]", valid) else f"_{valid}"


@lru_cache(maxsize=1024)
def label_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Valid label names, all different; two underscores in front belong to Prometheus."""
    valid = [re.sub(r"^(?=\d)|^_+", "_", re.sub(r"[^a-zA-Z0-9_]", "_", name)) for name in names]
    # a name of nothing but underscores would get two in front when it is made distinct
    return distinct_names(["x" if name in ("", "_") else name for name in valid])


def series_labels(labels: Iterable[tuple[str, str]]) -> Labels:
    """Labels as Prometheus takes them: valid names, clean values, sorted, empty ones left out."""
    pairs = list(labels)
    names = label_names(tuple([name for name, _ in pairs]))
    return tuple(sorted([(name, clean(text)) for name, (_, text) in zip(names, pairs, strict=True) if text]))


def show_value(value: float) -> str:
    """A number as every reader of the format takes it; integers stay exact."""
    return repr(value) if isinstance(value, float) else f"{value:d}"


def _newest(points: Iterable[Point]) -> list[Point]:
    """One point per series, in an order that does not depend on that of the points."""
    newest: dict[tuple[str, tuple[tuple[str, str], ...]], Point] = {}
    for point in points:
        key = (point.metric, point.labels)
        present = newest.get(key)
        if present is None or (present.start_us, present.revision) <= (point.start_us, point.revision):
            newest[key] = point
    return [newest[key] for key in sorted(newest)]


def _value_names(points: Iterable[Point]) -> Mapping[str, set[str]]:
    """The values of each metric, those included that happen to be missing now: names must not come and go."""
    names: dict[str, set[str]] = {}
    for point in points:
        names.setdefault(point.metric, set()).update(point.kinds, point.values)
    return names


def _add(found: dict[str, Family], name: str, kind: Kind, point: Point, value: Value | Histogram) -> None:
    shown: FamilyType = "histogram" if isinstance(value, Histogram) else "counter" if kind == "counter" else "gauge"
    family = found.setdefault(name, Family(name, shown, point.help, {}))
    if family.type != shown:  # two metrics under one name; the config refuses that, a scrape must survive it
        return
    if isinstance(value, Histogram):
        labels = series_labels([("exported_le" if key == "le" else key, text) for key, text in point.labels])
        family.series.setdefault(labels, _histogram(name, labels, value))
    elif not isinstance(value, str):
        labels = series_labels(point.labels)
        family.series.setdefault(labels, [Sample(name, labels, value)])


def _add_info(found: dict[str, Family], point: Point) -> None:
    texts = [(name, str(value)) for name, value in point.values.items() if point.kinds.get(name) == "info"]
    if not texts:
        return
    name = _ending(metric_name(point.metric), "_info")
    labels = series_labels([*point.labels, *texts])
    family = found.setdefault(name, Family(name, "info", point.help, {}))
    if family.type == "info":
        family.series.setdefault(labels, [Sample(name, labels, 1)])


def _histogram(name: str, labels: Labels, value: Histogram) -> list[Sample]:
    count = value.counts[-1] if value.counts else 0
    bounds = [(repr(float(bound)), below) for bound, below in buckets(value)]
    return [
        *(Sample(f"{name}_bucket", (*labels, ("le", bound)), below) for bound, below in [*bounds, ("+Inf", count)]),
        Sample(f"{name}_sum", labels, value.sum),
        Sample(f"{name}_count", labels, count),
    ]


def _lines(family: Family, name: str, shown: str, escape: Mapping[int, str]) -> str:
    escaped = clean(family.help).translate(escape)
    head = f"# HELP {name} {escaped}\n" if escaped else ""
    samples = [_sample_line(sample) for labels in sorted(family.series) for sample in family.series[labels]]
    return f"{head}# TYPE {name} {shown}\n{''.join(samples)}"


_PLAIN = str.maketrans({"\\": "\\\\"})
_QUOTED = str.maketrans({"\\": "\\\\", '"': '\\"'})
"""What a help text escapes, in each format; line breaks are gone before."""


def _plain_type(family: Family) -> str:
    return "gauge" if family.type == "info" else family.type


def _openmetrics_name(family: Family, taken: AbstractSet[str]) -> tuple[str, str]:
    """Name and type of a family in OpenMetrics."""
    suffix = {"counter": "_total", "info": "_info"}.get(family.type, "")
    stem = family.name.removesuffix(suffix)
    return (family.name, "unknown") if suffix and stem in taken else (stem, family.type)


def _sample_line(sample: Sample) -> str:
    if not sample.labels:
        return f"{sample.name} {show_value(sample.value)}\n"
    pairs = [f'{name}="{_escape(text)}"' for name, text in sample.labels]
    return f"{sample.name}{{{','.join(pairs)}}} {show_value(sample.value)}\n"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
