"""A metric with its expressions split into mergeable partials: what folds, merges and finishes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pegel.metrics.definition import Metric
from pegel.metrics.finish import Finisher
from pegel.metrics.fold import fold
from pegel.metrics.merging import combine, gather, merge_partials, merge_scalars
from pegel.metrics.partials import Keys, Pane, Partials, Scalar, ScalarPart
from pegel.metrics.program import Program
from pegel.metrics.windows import Windows
from pegel.sinks import Histogram, Value
from pegel.table import Columns, Table

APPROXIMATE_OVER = 10_000
"""Members from which approx_count_distinct(x) is an estimate; below it is exact too."""


@dataclass(frozen=True)
class CompiledMetric:
    """The interface between the metric language and those who run it. It holds only data and can be pickled.

    Attributes:
        metric: The definition.
        scalars: Columns of a pane's row.
        sets: Names of the distinct sets (count(distinct), approx_count_distinct, arrivals).
        arrivals: Indices of those sets of which arrivals are wanted, in the order of `Pane.arrivals`.
        buckets: Names of the bucketed parts (quantile, histogram).
        needed: Columns that it reads.
        estimated: Indices of the sets that may become estimates by themselves.
    """

    metric: Metric
    scalars: Sequence[ScalarPart]
    sets: Sequence[str]
    arrivals: Sequence[int]
    buckets: Sequence[str]
    needed: frozenset[str]
    estimated: frozenset[int] = frozenset()
    program: Program | None = field(default=None, repr=False)
    finisher: Finisher | None = field(default=None, repr=False)

    def fold(self, table: Table, keys: Keys) -> Partials:
        """Fold a table with `_t` (event time, us), `_pos` (order of arrival) and `needed` into partials.

        The table is read more than once: keep it first (`Batch.keep`). A column that it lacks is NULL.
        """
        return fold(self._running, table, keys)

    def merge(self, *parts: Partials) -> Partials:
        """Merge partials; order and grouping do not matter."""
        return merge_partials(self._running.scalars, parts)

    def gather(self, folds: Sequence[Partials]) -> Partials:
        """Several folds as one, for a state that merges sets and buckets itself."""
        return gather(self._running.scalars, folds)

    def merge_scalars(self, a: Sequence[Scalar], b: Sequence[Scalar]) -> tuple[Scalar, ...]:
        """Merge the scalars of two rows, as the SQL of `scalars` does."""
        return merge_scalars(self._running.scalars, a, b)

    def combine(self, panes: Sequence[Pane]) -> Pane:
        """One pane for several of one series, none included; arrivals add up, `distinct` is left at 0."""
        return combine(self._running.scalars, panes, self.empty())

    @property
    def windows(self) -> Windows:
        """Where its panes begin and end."""
        return self._running.windows

    def empty(self) -> Pane:
        """The pane of a window without records."""
        nothing: dict[int, int] = {}
        return Pane(
            records=0,
            scalars=(None,) * len(self.scalars),
            distinct=(0,) * len(self.sets),
            buckets=(nothing,) * len(self.buckets),
            arrivals=(0,) * len(self.arrivals),
        )

    def approximate(self, part: int) -> int | None:
        """Members from which a set may become an estimate, None for never (arrivals are always exact)."""
        if part in self.arrivals:
            return None
        limits = [self.metric.approx_over, APPROXIMATE_OVER if part in self.estimated else None]
        return min((limit for limit in limits if limit is not None), default=None)

    def finish(self, panes: Sequence[Pane]) -> list[Mapping[str, Value | Histogram]]:
        """The values of merged panes, in the same order; a value that does not exist is left out."""
        assert self.finisher is not None
        return self.finisher.finish(panes)

    @property
    def _running(self) -> Program:
        assert self.program is not None
        return self.program


def compile_metric(metric: Metric, columns: Columns, private: frozenset[str]) -> CompiledMetric:
    """Give a definition its meaning over the columns that its sources really have.

    Raises:
        MetricErrors: Everything that is wrong with it.
    """
    from pegel.metrics.compiler import Compiler  # the compiler makes what is declared here

    return Compiler(metric, columns, private).compile()
