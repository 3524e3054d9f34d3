"""New columns by SQL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pegel.enrichers import Enricher
from pegel.enrichers.binding import bound_columns
from pegel.enrichers.names import check_names
from pegel.sql import Bound
from pegel.table import Columns, Table


@dataclass(kw_only=True)
class Sql(Enricher):
    """Add columns that are computed from the present ones.

    An expression sees one record: aggregates, subqueries, clocks, random numbers and files are refused. Where it
    fails for a record (a cast of a text that is no number), that record gets no value there; nothing else happens.

    Options:
        columns: Expressions in SQL by the name of the column that they give. They are computed in the order of
            the file, so one may use those before it; a name that exists already is replaced.

    Example:
        [[enrichers]]
        type = "sql"
        from = "shop"
        columns.page = "split_part(split_part(request, ' ', 2), '?', 1)"
        columns.section = "split_part(page, '/', 2)"
        columns.ok = "status < 400"
    """

    columns: Mapping[str, str]

    def __post_init__(self) -> None:
        if not self.columns:
            raise ValueError("columns: write at least one expression")
        check_names("columns", self.columns)

    def needs(self, columns: Columns) -> frozenset[str]:
        new: set[str] = set()
        needed: set[str] = set()
        for name, bound in bound_columns(self.columns, columns).items():
            needed |= bound.columns - new
            new.add(name)
        return frozenset(needed)

    def adds(self, columns: Columns) -> Columns:
        return {name: bound.type for name, bound in bound_columns(self.columns, columns).items()}

    def enrich(self, table: Table) -> Table:
        bound = bound_columns(self.columns, table.columns)
        types = {name: one.type for name, one in bound.items()}
        for step in self._steps(bound):
            table = table.with_columns(step, types)
        return table

    def _steps(self, bound: Mapping[str, Bound]) -> Iterator[Mapping[str, str]]:
        """The expressions in as few steps as possible: one that uses a column of a step comes in the next."""
        step: dict[str, str] = {}
        for name, one in bound.items():
            if step.keys() & one.columns:
                yield step
                step = {}
            step[name] = f"try({self.columns[name]})"
        yield step
