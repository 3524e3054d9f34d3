"""Metrics, tables and records for the tests of the metric language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pegel.metrics.compiled import CompiledMetric, compile_metric
from pegel.metrics.definition import Metric, Value
from pegel.metrics.errors import MetricErrors
from pegel.metrics.partials import Partials
from pegel.metrics.windows import DAY
from pegel.table import Batch, Table
from pegel.units import Duration

COLUMNS = {
    "label": "VARCHAR",
    "n": "BIGINT",
    "f": "DOUBLE",
    "d": "DECIMAL(12,2)",
    "s": "VARCHAR",
    "ok": "BOOLEAN",
    "wide": "HUGEINT",
    "list": "BIGINT[]",
}
STORED = {"_t": "BIGINT", "_pos": "BIGINT", **COLUMNS}
NOON = 20_000 * DAY + DAY // 2
MINUTE = 60_000_000
KEY = b"k" * 16

Values = Mapping[str, str | Value]


def metric(values: Values, **options: Any) -> Metric:
    """A metric per minute by `label`, with other options where given."""
    made = {name: value if isinstance(value, Value) else Value(value=value) for name, value in values.items()}
    given: dict[str, Any] = {"name": "m", "sources": ["s"], "every": Duration(60), "labels": ["label"], **options}
    return Metric(values=made, **given)


def compiled(values: Values, private: Iterable[str] = (), **options: Any) -> CompiledMetric:
    return compile_metric(metric(values, **options), COLUMNS, frozenset(private))


def refusals(
    values: Values, private: Iterable[str] = (), **options: Any
) -> dict[tuple[str | int, ...], tuple[int, str]]:
    """Position and message of what is wrong, by field."""
    try:
        compiled(values, private, **options)
    except MetricErrors as errors:
        return {path: (error.position, error.message) for path, error in errors.errors}
    return {}


def table(batch: Batch, records: Sequence[Mapping[str, Any]], *, few: bool = True) -> Table:
    """A kept table; `_t` is noon and `_pos` counts where a record does not say. `few` chooses the way of folding."""
    full = [{"_t": NOON, "_pos": number, **record} for number, record in enumerate(records)]
    rows = ", ".join(f"({', '.join(_literal(record.get(name)) for name in STORED)})" for record in full)
    source = f"(values {rows}) as given" if rows else f"(values ({', '.join(['null'] * len(STORED))})) as given"
    names = ", ".join(f'"{name}"' for name in STORED)
    typed = ", ".join(f'"{name}"::{kind} as "{name}"' for name, kind in STORED.items())
    kept = batch.keep(batch.table(f"select {typed} from {source}({names}) {'' if rows else 'limit 0'}", STORED))
    return Table(batch, kept.sql, kept.columns, kept.at_most if few else None)


def key(_epoch: int) -> bytes:
    """The same secret for every epoch."""
    return KEY


def fold(metric: CompiledMetric, batch: Batch, records: Sequence[Mapping[str, Any]], *, few: bool = True) -> Partials:
    return metric.fold(table(batch, records, few=few), key)


def _literal(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, float):
        return f"'{value!r}'::double"
    return str(value)
