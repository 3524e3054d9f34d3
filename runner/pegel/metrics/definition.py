"""A metric as its author wrote it, checked field by field; `compile` (in `compiled.py`) gives it meaning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from pegel.sinks import Kind
from pegel.units import Duration


@dataclass(frozen=True, kw_only=True)
class Value:
    """One entry of `values`.

    Options:
        value: An aggregate expression in SQL.
        kind: `gauge` (the default), `counter`, `histogram` or `info`.
        help: What it means, where that differs from the metric's help.
        metric: Show it as a metric of its own under this name, where it is called `value`. So values that share
            what they count (`count(distinct x)` and `arrivals(x)` share one set) can have names of their own.
        labels: Labels with a fixed value; only with `metric`.
    """

    value: str
    kind: Kind = "gauge"
    help: str = ""
    metric: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


ALONE = "value"
"""Name of a value that is a metric of its own."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One `[[metrics]]` entry.

    Options:
        name: Measurement name, with the runner's prefix.
        help: One sentence.
        sources: Names of the sources it reads (`from`).
        every: Length of a window, or of a step of a rolling window; `1d` is a calendar day in `timezone`.
        over: Length of a rolling window, a multiple of `every`; None for windows that follow one another.
        labels: Columns that tell series apart.
        constant_labels: Labels with a fixed value (the runner's `labels`).
        where: SQL condition on records.
        values: By name, in the order of the file.
        timezone: Of calendar days.
        allowed_lateness: A closed window accepts corrections for so long.
        max_series: Series beyond this number are folded into `__other__`.
        max_values: The same per label.
        series_ttl: A series without records for so long frees its slot.
        approx_over: A distinct count with more members than this becomes an estimate; None for never.
        renamed_from: Name under which its totals are stored.
    """

    name: str
    help: str = ""
    sources: Sequence[str]
    every: Duration
    over: Duration | None = None
    labels: Sequence[str] = ()
    constant_labels: Mapping[str, str] = field(default_factory=dict)
    where: str | None = None
    values: Mapping[str, Value]
    timezone: str = "UTC"
    allowed_lateness: Duration = Duration(7200.0)
    max_series: int = 10_000
    max_values: Mapping[str, int] = field(default_factory=dict)
    series_ttl: Duration = Duration(86400.0)
    approx_over: int | None = None
    renamed_from: str | None = None

    def shown(self) -> list[Metric]:
        """The metrics that sinks see: itself, and each value that has a `metric` of its own."""
        shared = {name: value for name, value in self.values.items() if not value.metric}
        alone = [
            replace(
                self,
                name=value.metric,
                help=value.help or self.help,
                constant_labels={**self.constant_labels, **value.labels},
                values={ALONE: value},
            )
            for value in self.values.values()
            if value.metric
        ]
        return [replace(self, values=shared), *alone] if shared else alone
