"""Columns out of a small table in a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from pegel.enrichers import Enricher
from pegel.enrichers.names import check_names
from pegel.enrichers.newest import Newest
from pegel.enrichers.reference import Reference, read
from pegel.sql import unknown_column
from pegel.table import Columns, Table, literal, quote

_KEY = "_lookup_key"


@dataclass(kw_only=True)
class Lookup(Enricher):
    """Add columns out of a small table in a file: names for numbers, plans of customers, sites of addresses.

    The file is a CSV with a header, or (`.toml`) a list of tables `[[row]]`; up to 64 MiB in UTF-8, each key once.
    All values are text and are compared as they are written. It may be replaced at any time: within a second the
    new one counts. A file that is missing or wrong then leaves the old table in use, and the log says so; at the
    start it is refused.

    Options:
        file: The table.
        column: Column of the record that is looked up.
        key: Column of the file in which its value is sought.
        columns: Columns of the file to add; or a table with new names, `{ new = "column of the file" }`.
        default: What a record gets whose value is not in the file, or has an empty field there; no value if
            this is left out.

    Example:
        [[enrichers]]
        type = "lookup"
        from = "shop"
        file = "/etc/pegel/customers.csv"
        column = "customer"
        key = "id"
        columns = { plan = "plan", country = "billing_country" }
        default = "unknown"
    """

    file: Path
    column: str
    key: str
    columns: Sequence[str] | Mapping[str, str]
    default: str | None = None

    def __post_init__(self) -> None:
        if not self.columns:
            raise ValueError("columns: name at least one column of the file")
        check_names("columns", list(self.columns))

    def needs(self, columns: Columns) -> frozenset[str]:
        if self.column not in columns:
            raise unknown_column(self.column, columns, 0)
        return frozenset([self.column])

    def adds(self, columns: Columns) -> Columns:
        self.needs(columns)
        return dict.fromkeys(self._added, "VARCHAR")

    def lacks(self) -> Sequence[str]:
        reason = self._table.trouble()
        return [f'"{self.file}" {reason}'] if reason else []

    def enrich(self, table: Table) -> Table:
        """Join by the key: once per distinct value, in the engine."""
        reference = self._table.get()
        if reference is None:
            missing = "null::varchar" if self.default is None else literal(self.default)
            return table.with_columns(dict.fromkeys(self._added, missing), dict.fromkeys(self._added, "VARCHAR"))
        found = [f"_lookup_{index}" for index in range(len(self._added))]
        frame = table.batch.register(reference.frame([_KEY, *found]))
        joined = f"select * from ({table.sql}) left join {frame} on {quote(self.column)}::varchar = {_KEY}"
        wide = replace(table, sql=joined).with_columns(
            {name: self._value(place) for name, place in zip(self._added, found, strict=True)},
            dict.fromkeys(self._added, "VARCHAR"),
        )
        return replace(wide, sql=f"select * exclude ({', '.join([_KEY, *found])}) from ({wide.sql})")

    def _value(self, found: str) -> str:
        value = f"nullif({found}, '')"
        return value if self.default is None else f"coalesce({value}, {literal(self.default)})"

    @cached_property
    def _added(self) -> Mapping[str, str]:
        """New columns, and the columns of the file that they are."""
        return self.columns if isinstance(self.columns, Mapping) else {name: name for name in self.columns}

    @cached_property
    def _table(self) -> Newest[Reference]:
        columns = [self.key, *self._added.values()]
        return Newest(self.file, lambda path: read(path, columns))
