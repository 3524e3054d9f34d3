"""Points for scripts: CSV and JSON, exact and always in the same order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from pegel.cli.timelines import columns
from pegel.sinks import Point
from pegel.sinks.influx import fields_of
from pegel.sinks.local_points import StoredMetric
from pegel.sinks.ndjson import document, show_time
from pegel.sinks.safe_text import distinct_names, to_json
from pegel.units import show_duration

Export = Literal["csv", "json", "ndjson"]

_METRIC_COLUMNS = ("metric", "series", "every", "oldest", "newest", "help")


def points_text(points: Sequence[Point], form: Export) -> str:
    """Points as CSV, as a JSON array with one point per line, or as lines of JSON.

    The columns of CSV are time, labels, values, revision; a histogram has one per bucket, its sum and its count.
    """
    if form != "csv":
        return _json(map(document, points), form)
    labels, _ = columns(points)
    fields = list(dict.fromkeys([name for point in points for name, _ in fields_of(point.values)]))
    return "".join(csv_rows(points, labels, fields))


def csv_rows(points: Iterable[Point], labels: Sequence[str], fields: Sequence[str]) -> list[str]:
    """Lines of CSV with these labels and fields as columns; the header is the first."""
    return _csv([distinct_names(["time", *labels, *fields, "revision"]), *_point_rows(points, labels, fields)])


def metrics_text(metrics: Sequence[StoredMetric], form: Export) -> str:
    """Metrics in the same forms; CSV is without their kinds."""
    documents = [_metric_document(metric) for metric in metrics]
    if form == "csv":
        return "".join(_csv([_METRIC_COLUMNS, *[[each[name] for name in _METRIC_COLUMNS] for each in documents]]))
    return _json(documents, form)


def _point_rows(points: Iterable[Point], labels: Sequence[str], fields: Sequence[str]) -> Iterator[Sequence[object]]:
    for point in points:
        pairs, values = dict(point.labels), dict(fields_of(point.values))
        row = [*[pairs.get(name, "") for name in labels], *[values.get(name, "") for name in fields]]
        yield [show_time(point.start_us), *row, point.revision]


def _metric_document(metric: StoredMetric) -> dict[str, object]:
    return {
        "metric": metric.name,
        "help": metric.help,
        "kinds": dict(metric.kinds),
        "series": metric.series,
        "every": show_duration(metric.width_us / 1e6),
        "oldest": show_time(metric.oldest_us),
        "newest": show_time(metric.newest_us),
    }


def _csv(rows: Iterable[Sequence[object]]) -> list[str]:
    return [",".join([_cell(str(value)) for value in row]) + "\n" for row in rows]


def _cell(text: str) -> str:
    """A text as RFC 4180 has it (the csv module leaves a lone carriage return bare, and its own reader stumbles)."""
    return '"' + text.replace('"', '""') + '"' if any(each in text for each in '",\r\n') else text


def _json(documents: Iterable[object], form: Export) -> str:
    lines = [to_json(each) for each in documents]
    if form == "ndjson":
        return "".join([f"{line}\n" for line in lines])
    return "[\n  " + ",\n  ".join(lines) + "\n]\n" if lines else "[]\n"
