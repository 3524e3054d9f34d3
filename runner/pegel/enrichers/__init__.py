"""Enrichers: a table in, the same rows with more columns out."""

from __future__ import annotations

from abc import ABC, abstractmethod

from pegel.table import Columns, Table

BUILTIN = {
    "sql": "pegel.enrichers.sql:Sql",
    "lookup": "pegel.enrichers.lookup:Lookup",
    "filter": "pegel.enrichers.filter:Filter",
    "jwt": "pegel.enrichers.jwt:Jwt",
}


class Enricher(ABC):
    """Adds columns. It never drops a row (only `filter` does) and never raises for a value.

    Fields of the subclass are its options in the config.
    """

    @abstractmethod
    def needs(self, columns: Columns) -> frozenset[str]:
        """The columns, of those given, that this enricher reads."""

    @abstractmethod
    def adds(self, columns: Columns) -> Columns:
        """The columns that it adds to those given, with their DuckDB types.

        Raises:
            ExpressionError: An SQL option does not fit the columns; it has the place and candidates.
        """

    @abstractmethod
    def enrich(self, table: Table) -> Table:
        """The table with the added columns. Runs on a worker thread; look-ups once per distinct value.

        The table has all that `needs` names; an enricher of which nothing is wanted is not asked at all.
        """
