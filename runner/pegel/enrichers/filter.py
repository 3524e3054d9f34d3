"""Records that nobody wants, dropped before they are counted."""

from __future__ import annotations

from dataclasses import dataclass

from pegel.enrichers import Enricher
from pegel.enrichers.binding import bound_condition
from pegel.formats import REJECT
from pegel.table import Columns, Table


@dataclass(kw_only=True)
class Filter(Enricher):
    """Keep the records for which a condition is true, and drop all others.

    A record for which it is false, has no value or fails is dropped without being counted anywhere. Records that
    the format has refused stay, so that they are still counted as rejects.

    Options:
        where: SQL condition on one record.

    Example:
        [[enrichers]]
        type = "filter"
        from = "shop"
        where = "not starts_with(request, 'GET /health')"
    """

    where: str

    def needs(self, columns: Columns) -> frozenset[str]:
        return bound_condition(self.where, columns).columns

    def adds(self, columns: Columns) -> Columns:
        bound_condition(self.where, columns)
        return {}

    def enrich(self, table: Table) -> Table:
        return table.where(f"{REJECT} is not null or try({self.where})")
