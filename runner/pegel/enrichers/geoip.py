"""Where an address is: country, region, city, coordinates."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Literal

from pegel.enrichers import Enricher
from pegel.enrichers.geoip_file import NOWHERE, Place, read
from pegel.enrichers.looking_up import looked_up
from pegel.enrichers.names import check_names
from pegel.enrichers.newest import Newest
from pegel.sql import ExpressionError, unknown_column
from pegel.table import Columns, Table, literal

Part = Literal["country", "region", "city", "latitude", "longitude"]

_UNKNOWN: Mapping[str, str] = {"country": "XX", "region": "Unknown", "city": "Unknown"}

_OLD = 60
"""Days after which a database is worth a word."""


@dataclass(kw_only=True)
class Geoip(Enricher):
    """Add where an address is: its country, region, city or coordinates.

    Addresses are looked up in a MaxMind DB on this machine (GeoLite2 City, DB-IP City Lite, ip-location-db, IPinfo;
    one of countries has countries alone), which may be packed by gzip and is in memory. It may be replaced at any
    time: within seconds the new one counts. A file that is missing or wrong then leaves the old one in use, and the
    log says so; at the start it is refused.

    What the database does not know, a private address and what is no address at all are `XX` as a country and
    `Unknown` as a region or city; a coordinate has no value then. Without a file none of the columns has a value.

    Options:
        column: Text column with the address.
        file: The database. None if it is empty, so that it can be a variable that is not set.
        columns: New columns, each with what it is to be: `country` (two letters), `region` (the state or
            province), `city`, `latitude`, `longitude` (numbers, in degrees).
        language: Of names, where the database has several.
        unknown: What stands for an unknown `country`, `region` or `city`.

    Example:
        [[enrichers]]
        type = "geoip"
        from = "shop"
        column = "client"
        file = "/var/lib/pegel/GeoLite2-City.mmdb"
        columns = { client_country = "country", client_region = "region" }
    """

    column: str
    file: Literal[""] | Path = ""
    columns: Mapping[str, Part] = field(default_factory=lambda: dict[str, Part](country="country", region="region"))
    language: str = "en"
    unknown: Mapping[Literal["country", "region", "city"], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.columns:
            raise ValueError('columns: write at least one, such as { region = "region" }')
        check_names("columns", self.columns)
        for part in self.unknown:
            if part not in _UNKNOWN:
                raise ValueError(f'unknown: "{part}" is none of {", ".join(_UNKNOWN)}')
        file = Path(self.file) if self.file else None
        self._file = None if file is None else Newest(file, partial(read, language=self.language))

    def needs(self, columns: Columns) -> frozenset[str]:
        if self.column not in columns:
            raise unknown_column(self.column, columns, 0)
        if columns[self.column] != "VARCHAR":
            raise ExpressionError(f'"{self.column}" is {columns[self.column]}; an address is text')
        return frozenset([self.column])

    def adds(self, columns: Columns) -> Columns:
        self.needs(columns)
        return {
            name: "DOUBLE" if part in ("latitude", "longitude") else "VARCHAR" for name, part in self.columns.items()
        }

    def lacks(self) -> Sequence[str]:
        reason = self._file.trouble() if self._file else ""
        return [f'"{self.file}" {reason}'] if reason else []

    def enrich(self, table: Table) -> Table:
        """Look up each distinct address once, and join what was found."""
        types = self.adds(table.columns)
        if self._file is None:
            return table.with_columns({name: f"null::{kind}" for name, kind in types.items()}, types)
        places = self._file.get()
        find = places.find if places is not None else _nowhere
        wanted = sorted(set(self.columns.values()))
        parts = itemgetter(*map(Place._fields.index, wanted), 0)  # one more, so that it is a tuple in any case

        def found(addresses: Sequence[str]) -> Mapping[str, Sequence[str]]:
            return {address: parts(find(address))[:-1] for address in addresses}

        def added(names: Sequence[str]) -> Mapping[str, str]:
            at = dict(zip(wanted, names, strict=True))
            return {name: self._value(part, at[part]) for name, part in self.columns.items()}

        return looked_up(table, self.column, found, len(wanted), added, types)

    def _value(self, part: Part, found: str) -> str:
        if part == "latitude" or part == "longitude":
            return f"try_cast(nullif({found}, '') as double)"
        unknown = self.unknown.get(part, _UNKNOWN[part])
        return f"coalesce(nullif({found}, ''), {literal(unknown)})"

    def probe(self) -> Sequence[str]:
        if self._file is None:
            return ()
        reason, places = self._file.trouble(), self._file.get()
        if places is None:
            return [f'"{self.file}" {reason}']
        days = int((time.time() - places.built) // 86400)
        old = f'"{self.file}" is {days} days old, and addresses move; download a new one'
        return [old] if days > _OLD else []


def _nowhere(address: str) -> Place:
    del address
    return NOWHERE
