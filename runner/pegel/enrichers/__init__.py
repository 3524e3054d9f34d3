"""Enrichers: a table in, the same rows with more columns out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from pegel.table import Columns, Table

BUILTIN = {
    "sql": "pegel.enrichers.sql:Sql",
    "lookup": "pegel.enrichers.lookup:Lookup",
    "filter": "pegel.enrichers.filter:Filter",
    "jwt": "pegel.enrichers.jwt:Jwt",
    "asn": "pegel.enrichers.asn:Asn",
    "geoip": "pegel.enrichers.geoip:Geoip",
    "device": "pegel.enrichers.device:Device",
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

    def lacks(self) -> Sequence[str]:
        """What it depends on and cannot use now, each a sentence that begins with its name in quotes.

        A configuration is refused for it before its first start. Later it only says so: a download that failed
        tonight must not end the counting, and `enrich` does without until it is mended.
        """
        return ()

    @abstractmethod
    def enrich(self, table: Table) -> Table:
        """The table with the added columns. Runs on a worker thread; look-ups once per distinct value.

        The table has all that `needs` names; an enricher of which nothing is wanted is not asked at all.
        """

    def settle_in(self, directory: Path) -> None:  # noqa: B027 (most enrichers keep nothing on this machine)
        """Learn the runner's state directory, where an enricher may keep what is slow to find again."""

    def recall(self, directory: Path) -> None:  # noqa: B027 (as above)
        """Know what a runner keeps in its state directory, without changing anything there.

        In place of `settle_in` where a record is only tried out, maybe by a user who may not read that directory:
        what cannot be read is not known.
        """

    @property
    def slow(self) -> bool:
        """Whether there are look-ups that must not delay records; the runner then keeps a thread that calls `tend`."""
        return False

    def tend(self, patience: float) -> None:  # noqa: B027 (most enrichers know at once)
        """Do the look-ups that `enrich` left open; waits at most `patience` seconds for some to be wanted."""

    def probe(self) -> Sequence[str]:
        """Try what it depends on: what is wrong, as sentences that say what to do.

        Called by `pegel check --connect` and `pegel doctor`, never while running; takes at most 10 s.
        """
        return ()
