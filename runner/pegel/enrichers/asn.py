"""The autonomous system of an address: which provider it belongs to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

from pegel.arrow import Frame, texts
from pegel.enrichers import Enricher
from pegel.enrichers.addresses import packed
from pegel.enrichers.names import check_names
from pegel.enrichers.networks import Database, Network
from pegel.enrichers.newest import Newest
from pegel.sql import ExpressionError, unknown_column
from pegel.table import Columns, Table, literal, quote

Part = Literal["asn", "name", "country"]

_KEY = "_asn_address"


@dataclass(kw_only=True)
class Asn(Enricher):
    """Add the autonomous system that an address belongs to: the number and the name of its provider.

    Addresses are looked up in database files on this machine, asked in their order until one knows. A file is a
    MaxMind DB with numbers of autonomous systems (GeoLite2 ASN, DB-IP ASN Lite, ip-location-db, IPinfo), or a table
    of iptoasn.com; either may be packed by gzip, and all of it is in memory. It may be replaced at any time: within
    seconds the new one counts. A file that is missing or wrong then leaves the old one in use, and the log says so;
    at the start it is refused.

    An address that no file knows, that is private, or that is no address at all is `unknown` and has no name.

    Options:
        column: Text column with the address.
        files: Database files, or one.
        columns: New columns, each with what it is to be: `asn` (the number, as text), `name`, `country` (two
            letters, where the database has them).
        unknown: The number where none is known.

    Example:
        [[enrichers]]
        type = "asn"
        from = "shop"
        column = "client"
        files = ["/var/lib/pegel/ip2asn-combined.tsv.gz"]
        columns = { asn = "asn", provider = "name" }
    """

    column: str
    files: Path | Sequence[Path] = ()
    columns: Mapping[str, Part] = field(default_factory=lambda: dict[str, Part](asn="asn", asname="name"))
    unknown: str = "unknown"

    def __post_init__(self) -> None:
        if not self.columns:
            raise ValueError('columns: write at least one, such as { asn = "asn" }')
        check_names("columns", self.columns)

    def needs(self, columns: Columns) -> frozenset[str]:
        if self.column not in columns:
            raise unknown_column(self.column, columns, 0)
        if columns[self.column] != "VARCHAR":
            raise ExpressionError(f'"{self.column}" is {columns[self.column]}; an address is text')
        return frozenset([self.column])

    def adds(self, columns: Columns) -> Columns:
        self.needs(columns)
        for file in self._files:
            try:
                file.required()
            except ValueError as error:
                raise ExpressionError(f'"{file.path}" {error}') from None
        return dict.fromkeys(self.columns, "VARCHAR")

    def enrich(self, table: Table) -> Table:
        """Look up each distinct address once, and join what was found."""
        if not self._files:
            return self._with(table, {"asn": "", "name": "", "country": ""})
        kept = table.batch.hold(table)
        found = self._found(kept.distinct(self.column))
        places = {"asn": "_asn_0", "name": "_asn_1", "country": "_asn_2"}
        columns = [list(found), *([value or "" for value in part] for part in zip(*found.values(), strict=True))]
        if not found:
            return self._with(kept, dict.fromkeys(places, ""))
        frame = Frame(dict(zip([_KEY, *places.values()], map(texts, columns), strict=True)))
        name = table.batch.register(frame)
        joined = f"select * from ({kept.sql}) left join {name} on {quote(self.column)} = {_KEY}"
        wide = self._with(replace(kept, sql=joined), places)
        return replace(wide, sql=f"select * exclude ({', '.join([_KEY, *places.values()])}) from ({wide.sql})")

    def _with(self, table: Table, places: Mapping[Part | str, str]) -> Table:
        """The table with the new columns, read from these; an empty name of a column stands for no value."""
        values = {}
        for name, part in self.columns.items():
            value = f"nullif({places[part]}, '')" if places[part] else "null::varchar"
            values[name] = f"coalesce({value}, {literal(self.unknown)})" if part == "asn" else value
        return table.with_columns(values, dict.fromkeys(values, "VARCHAR"))

    def _found(self, values: Sequence[str]) -> Mapping[str, Network]:
        """The networks of those texts that are addresses which a file knows."""
        open_now = [(value, address) for value in values if (address := packed(value)) is not None]
        found: dict[str, Network] = {}
        for file in self._files:
            database = file.get()
            if database is None or not open_now:
                continue
            networks = database.find([address for _, address in open_now])
            both = list(zip(open_now, networks, strict=True))
            found |= {value: network for (value, _), network in both if network is not None}
            open_now = [asked for asked, network in both if network is None]
        return found

    @cached_property
    def _files(self) -> Sequence[Newest[Database]]:
        from pegel.enrichers.asn_files import read

        files = [self.files] if isinstance(self.files, Path) else self.files
        return [Newest(file, read) for file in files]
