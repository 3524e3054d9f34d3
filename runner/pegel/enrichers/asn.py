"""The autonomous system of an address: which provider it belongs to."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from pegel.enrichers import Enricher
from pegel.enrichers.addresses import packed
from pegel.enrichers.asn_files import read
from pegel.enrichers.inquiry import Inquiry, Whois
from pegel.enrichers.looking_up import looked_up
from pegel.enrichers.names import check_names
from pegel.enrichers.networks import Database, Network
from pegel.enrichers.newest import Newest
from pegel.sql import ExpressionError, unknown_column
from pegel.table import Columns, Table, literal

Part = Literal["asn", "name", "country"]

_OLD = 60
"""Days after which a database is worth a word."""


@dataclass(kw_only=True)
class Asn(Enricher):
    """Add the autonomous system that an address belongs to: the number and the name of its provider.

    Addresses are looked up in database files on this machine, asked in their order until one knows. A file is a
    MaxMind DB with numbers of autonomous systems (GeoLite2 ASN, DB-IP ASN Lite, ip-location-db, IPinfo), or a table
    of iptoasn.com; either may be packed by gzip, and all of it is in memory. It may be replaced at any time: within
    seconds the new one counts. A file that is missing or wrong then leaves the old one in use, and the log says so;
    at the start it is refused.

    An address that nobody knows, that is private, or that is no address at all is `unknown` and has no name.

    With `whois` a server is asked about public addresses that no file knows. **This tells a third party, over an
    unencrypted connection, from which networks people come**: the /24 of each IPv4 address and the /48 of each IPv6
    address, never the address itself, never a private one. It is off unless `whois` is written. Answers are kept in
    the state directory, as prefixes. What a server says also differs from day to day, so the same log read twice may
    give other numbers: a file does neither. Records wait for an answer at most for `wait`, once per batch, and not at
    all while the server fails: their provider is unknown then.

    Options:
        column: Text column with the address.
        files: Database files, or one.
        columns: New columns, each with what it is to be: `asn` (the number, as text), `name`, `country` (two
            letters, where the database has them).
        unknown: The number where none is known.
        whois: Whom to ask about addresses that no file knows; `{}` is Team Cymru's server. Nobody if it is left out.

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
    whois: Whois | None = None

    def __post_init__(self) -> None:
        if not self.columns:
            raise ValueError('columns: write at least one, such as { asn = "asn" }')
        check_names("columns", self.columns)
        files = [self.files] if isinstance(self.files, Path) else self.files
        self._files: Sequence[Newest[Database]] = [Newest(file, read) for file in files]
        self._inquiry = None if self.whois is None else Inquiry(self.whois)

    def needs(self, columns: Columns) -> frozenset[str]:
        if self.column not in columns:
            raise unknown_column(self.column, columns, 0)
        if columns[self.column] != "VARCHAR":
            raise ExpressionError(f'"{self.column}" is {columns[self.column]}; an address is text')
        return frozenset([self.column])

    def adds(self, columns: Columns) -> Columns:
        self.needs(columns)
        return dict.fromkeys(self.columns, "VARCHAR")

    def lacks(self) -> Sequence[str]:
        return [f'"{file.path}" {reason}' for file in self._files if (reason := file.trouble())]

    def enrich(self, table: Table) -> Table:
        """Look up each distinct address once, and join what was found."""
        if not self._files and not self._inquiry:
            return table.with_columns(self._columns(["null::varchar"] * 3), dict.fromkeys(self.columns, "VARCHAR"))
        return looked_up(table, self.column, self._texts, 3, self._columns, dict.fromkeys(self.columns, "VARCHAR"))

    def _columns(self, found: Sequence[str]) -> Mapping[str, str]:
        """SQL of the new columns over number, name and country as they were found."""
        places = dict(zip(get_args(Part), found, strict=True))
        values = {name: f"nullif({places[part]}, '')" for name, part in self.columns.items()}
        unknown = literal(self.unknown)
        return {
            name: f"coalesce({value}, {unknown})" if self.columns[name] == "asn" else value
            for name, value in values.items()
        }

    def _texts(self, values: Sequence[str]) -> Mapping[str, Sequence[str]]:
        return {value: [part or "" for part in network] for value, network in self._found(values).items()}

    def _found(self, values: Sequence[str]) -> Mapping[str, Network]:
        """The networks of those texts that are addresses which a file knows."""
        left = [(value, address) for value in values if (address := packed(value)) is not None]
        found: dict[str, Network] = {}
        for look_up in (*map(_look_up, self._files), *([self._inquiry.find] if self._inquiry else [])):
            networks = look_up([address for _, address in left])
            known = [(value, network) for (value, _), network in zip(left, networks, strict=True) if network]
            left = [asked for asked, network in zip(left, networks, strict=True) if not network]
            found.update(known)
        return found

    # -- what is slow -----------------------------------------------------------------------------------

    def settle_in(self, directory: Path) -> None:
        if self._inquiry:
            self._inquiry.settle_in(directory)

    def recall(self, directory: Path) -> None:
        if self._inquiry:
            self._inquiry.recall(directory)

    @property
    def slow(self) -> bool:
        return self._inquiry is not None

    def tend(self, patience: float) -> None:
        if self._inquiry:
            self._inquiry.tend(patience)

    def probe(self) -> Sequence[str]:
        wrong = [sentence for file in self._files if (sentence := _trouble(file, time.time()))]
        return [*wrong, *(self._inquiry.probe() if self._inquiry else ())]


def _look_up(file: Newest[Database]) -> Callable[[Sequence[bytes]], Sequence[Network | None]]:
    database = file.get()
    return database.find if database is not None else lambda addresses: [None] * len(addresses)


def _trouble(file: Newest[Database], now: float) -> str:
    """What is wrong with a file, as a sentence; empty if nothing is."""
    reason, database = file.trouble(), file.get()
    if database is None:
        return f'"{file.path}" {reason}'
    days = int((now - database.built) // 86400)
    return f'"{file.path}" is {days} days old, and networks move; download a new one' if days > _OLD else ""
