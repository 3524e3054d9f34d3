"""An enricher with the mistake that all this is about: it tells the log what it sees."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from pegel.enrichers import Enricher
from pegel.table import Columns, Table


@dataclass(kw_only=True)
class Leaky(Enricher):
    """Says the values of a column in the log."""

    column: str

    def needs(self, columns: Columns) -> frozenset[str]:  # noqa: ARG002
        return frozenset([self.column])

    def adds(self, columns: Columns) -> Columns:  # noqa: ARG002
        return {}

    def enrich(self, table: Table) -> Table:
        kept = table.batch.hold(table)
        logging.getLogger("pegel.enrichers.leaky").debug("Saw %s.", kept.distinct(self.column))
        return kept
