"""A metric with its expressions split into mergeable partials: what folds, merges and finishes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pegel.metrics.definition import Metric
from pegel.metrics.partials import Keys, Pane, Partials, ScalarPart
from pegel.sinks import Histogram, Value
from pegel.table import Columns, Table


@dataclass(frozen=True)
class CompiledMetric:
    """The interface between the metric language and those who run it (see metrics/README in the docstrings).

    Attributes:
        metric: The definition.
        scalars: Columns of a pane's row.
        sets: Names of the distinct sets (count(distinct), approx_count_distinct, arrivals).
        arrivals: Indices of those sets of which arrivals are wanted, in the order of `Pane.arrivals`.
        buckets: Names of the bucketed parts (quantile, histogram).
        needed: Columns that it reads.
    """

    metric: Metric
    scalars: Sequence[ScalarPart]
    sets: Sequence[str]
    arrivals: Sequence[int]
    buckets: Sequence[str]
    needed: frozenset[str]

    def fold(self, table: Table, keys: Keys) -> Partials:
        """Fold a table with `_t` (event time, us), `_pos` (order of arrival) and `needed` into partials."""
        raise NotImplementedError

    def finish(self, panes: Sequence[Pane]) -> list[Mapping[str, Value | Histogram]]:
        """The values of merged panes, in the same order; a value that does not exist is left out."""
        raise NotImplementedError


def compile_metric(metric: Metric, columns: Columns, private: frozenset[str]) -> CompiledMetric:
    """Give a definition its meaning over the columns that its sources really have."""
    raise NotImplementedError
