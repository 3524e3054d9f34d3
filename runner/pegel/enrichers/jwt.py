"""What a JSON web token says, unverified."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from pegel.enrichers import Enricher, tokens
from pegel.enrichers.names import check_names
from pegel.sql import ExpressionError, unknown_column
from pegel.table import Columns, Table, quote

_PATH = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(?:\.[A-Za-z_][A-Za-z0-9_-]*)*")


@dataclass(kw_only=True)
class Jwt(Enricher):
    """Add columns from the payload of a JSON web token.

    The signature is not checked and the header is not read, so nothing of this is proved: whoever wrote the token
    chose the values. No key is looked for and no address in it is followed. A token of at most 8 KiB is readable
    if it has three parts and the middle one, base64url without padding, is a JSON object of at most 4 KiB, 8
    levels and 64 keys. Of a key that is there twice the first counts; a comma too many and NaN are forgiven. Only
    strings and integers of 64 bits become values, as text. Everything else gives no value, never an error.

    Options:
        column: Column with the token.
        unverified: New columns, each with the path of its value in the payload: keys joined by dots.
        readable: Name of a further new column: true for a readable token, false for another, no value where
            there is no token.

    Example:
        [[enrichers]]
        type = "jwt"
        from = "speedtest"
        column = "token"
        unverified = { device_id = "data.deviceId", model = "data.model" }
        readable = "token_readable"
    """

    column: str
    unverified: Mapping[str, str]
    readable: str | None = None

    def __post_init__(self) -> None:
        if not self.unverified:
            raise ValueError('unverified: write at least one column, such as { user = "sub" }')
        check_names("unverified", self.unverified)
        for name, path in self.unverified.items():
            if not _PATH.fullmatch(path) or path.count(".") >= tokens.MAX_DEPTH:
                raise ValueError(
                    f'unverified.{name}: "{path}" is no path; write keys joined by dots, such as "data.id"'
                )
        if self.readable is not None:
            check_names("readable", [self.readable, *self.unverified])

    def needs(self, columns: Columns) -> frozenset[str]:
        if columns.get(self.column) != "VARCHAR":
            raise self._not_a_text(columns)
        return frozenset([self.column])

    def _not_a_text(self, columns: Columns) -> ExpressionError:
        if self.column in columns:
            return ExpressionError(f'"{self.column}" is {columns[self.column]}; a token is text')
        return unknown_column(self.column, columns, 0)

    def adds(self, columns: Columns) -> Columns:
        self.needs(columns)
        readable = {} if self.readable is None else {self.readable: "BOOLEAN"}
        return {**dict.fromkeys(self.unverified, "VARCHAR"), **readable}

    def enrich(self, table: Table) -> Table:
        wide = table
        for step in tokens.steps(quote(self.column), list(self.unverified.values())):
            wide = wide.with_columns(step, dict.fromkeys(step, "VARCHAR"))
        values = {name: tokens.leaf(index) for index, name in enumerate(self.unverified)}
        if self.readable is not None:
            values[self.readable] = tokens.READABLE
        wide = wide.with_columns(values, self.adds(table.columns))
        columns = {name: kind for name, kind in wide.columns.items() if name not in tokens.BETWEEN}
        return replace(wide, sql=f"select * exclude ({', '.join(tokens.BETWEEN)}) from ({wide.sql})", columns=columns)
