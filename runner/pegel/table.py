"""A batch of records as a table: DuckDB, locked down, behind two small classes.

`Engine` is one in-memory DuckDB for the process. A `Batch` is one worker's turn on it:
arrays and temporary tables live as long as the batch. A `Table` is a SELECT with known column
types; enrichers and metrics build on it and nothing runs until rows are asked for.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import duckdb

from pegel.arrow import Frame

Columns = Mapping[str, str]
"""Column names and their DuckDB types, in order."""

Row = tuple[Any, ...]


def quote(name: str) -> str:
    """Write a name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Write a text as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


_REMEMBERED = 256
"""Statements that are not parsed again; parsing is a third of what it takes to plan one (0.3 ms of 1.7)."""


class Engine:
    """One DuckDB in memory that cannot reach files, the network or extensions.

    Options:
        temp_directory: Where DuckDB may spill, encrypted; it must exist.
        memory_limit: Bytes that DuckDB may use before it spills.
    """

    def __init__(self, temp_directory: str = "", memory_limit: int = 96 * 2**20) -> None:
        self._connection = duckdb.connect(
            config={
                "threads": 1,  # a query runs on the thread that asks; parallel work is many batches
                "async_threads": 0,  # for files, which it must not read
                "memory_limit": f"{memory_limit // 2**20}MiB",
                "temp_directory": temp_directory,
                # What is spilled are records, private columns among them. The key is in memory alone and ends with the
                # process. DuckDB's own cipher draws it from a generator that it calls unsafe for a database that is
                # kept; the safe one is in an extension that would have to be fetched.
                "temp_file_encryption": "true",
                "force_mbedtls_unsafe": "true",
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                "preserve_insertion_order": "true",
            }
        )
        self._connection.execute("set TimeZone = 'UTC'")
        self._connection.execute("set enable_external_access = false")
        self._connection.execute("set lock_configuration = true")
        self._parsed = functools.lru_cache(_REMEMBERED)(self._parse)

    def batch(self) -> Batch:
        """Start a batch with a connection of its own; use it in a `with` block."""
        return Batch(self._connection.cursor(), self._parsed)

    def _parse(self, sql: str) -> duckdb.Statement:
        (statement,) = self._connection.extract_statements(sql)
        return statement

    def close(self) -> None:
        """Give all memory back."""
        self._connection.close()


class Batch:
    """One worker's turn on the engine; leaving it drops temporary tables."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, parse: Callable[[str], duckdb.Statement]) -> None:
        self._cursor = cursor
        self._parse = parse
        self._names = itertools.count()
        self._registered: dict[str, Frame] = {}
        self._held: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cursor.close()
        for frame in self._registered.values():
            frame.let_go()

    def register(self, frame: Frame) -> str:
        """Make arrays in memory readable as a table until the next `keep` has run; returns its name in SQL."""
        name = f"frame_{next(self._names)}"
        self._cursor.register(name, frame)
        self._registered[name] = frame
        return name

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[Row]:
        """Run a statement and fetch everything; the next statement may start."""
        return self._cursor.execute(self._parse(sql), parameters).fetchall()

    def table(self, sql: str, columns: Columns) -> Table:
        """A table from a SELECT whose columns are known."""
        return Table(self, sql, dict(columns))

    def hold(self, table: Table) -> Table:
        """Run a table once and keep its rows until the next `keep` has run: what follows reads it more than once.

        One that is held as good as already stays as it is.
        """
        if table.held:
            return table
        name = f"held_{next(self._names)}"
        ((rows,),) = self.query(f"create temp table {name} as {table.sql}")
        self._held.append(name)
        return Table(self, f"select * from {name}", table.columns, at_most=rows, held=True)

    def keep(self, table: Table) -> Table:
        """Run a table once and keep its rows for this batch."""
        return self.keep_all([table])

    def keep_all(self, tables: Iterable[Table], parameters: Mapping[str, Any] | None = None) -> Table:
        """Run tables of the same columns once, one after another, and keep their rows for this batch.

        What was registered or held for a table is let go before the next one is asked for. All of them use all the
        parameters.
        """
        name = f"kept_{next(self._names)}"
        count = 0
        columns: Columns = {}
        for table in tables:
            verb = f"insert into {name}" if columns else f"create temp table {name} as"
            ((rows,),) = self.query(f"{verb} {table.sql}", parameters)
            self._let_go()
            count += rows
            columns = table.columns
        return Table(self, f"select * from {name}", columns, at_most=count)

    def _let_go(self) -> None:
        for name, frame in self._registered.items():
            self._cursor.unregister(name)
            frame.let_go()
        self._registered.clear()
        for name in self._held:
            self._cursor.execute(f"drop table {name}")
        self._held.clear()


@dataclass(frozen=True)
class Table:
    """A SELECT with known columns. Every method returns a new table; only `rows` and `distinct` run it.

    Attributes:
        at_most: It has no more rows than this; None where that is not known.
        held: It was made of rows that are held by little more than joins, so that reading it again costs little.
    """

    batch: Batch
    sql: str
    columns: Columns
    at_most: int | None = None
    held: bool = False

    def with_columns(self, expressions: Mapping[str, str], types: Columns) -> Table:
        """Add columns (or replace those of the same name) by SQL expressions over the present ones."""
        stale = [quote(name) for name in expressions if name in self.columns]
        kept = f"* exclude ({', '.join(stale)})" if stale else "*"
        added = ", ".join(f"({sql}) as {quote(name)}" for name, sql in expressions.items())
        remaining = {name: kind for name, kind in self.columns.items() if name not in expressions}
        return Table(
            self.batch,
            f"select {kept}, {added} from ({self.sql})",
            {**remaining, **{n: types[n] for n in expressions}},
            self.at_most,
        )

    def only(self, wanted: Collection[str]) -> Table:
        """Leave out the columns that are not wanted; the runner's own (`_row`, `_reject`) stay."""
        stale = [name for name in self.columns if name not in wanted and not name.startswith("_")]
        if not stale:
            return self
        columns = {name: kind for name, kind in self.columns.items() if name not in stale}
        sql = f"select * exclude ({', '.join(map(quote, stale))}) from ({self.sql})"
        return Table(self.batch, sql, columns, self.at_most, self.held)

    def where(self, condition: str) -> Table:
        """Keep the rows for which an SQL condition is true."""
        return Table(self.batch, f"select * from ({self.sql}) where {condition}", self.columns, self.at_most)

    def rows(self, *columns: str) -> list[Row]:
        """Run it and fetch the rows, all columns or those named."""
        chosen = ", ".join(quote(column) for column in columns) or "*"
        return self.batch.query(f"select {chosen} from ({self.sql})")

    def distinct(self, column: str) -> list[Any]:
        """The distinct values of a column that are not NULL."""
        name = quote(column)
        return [
            row[0] for row in self.batch.query(f"select distinct {name} from ({self.sql}) where {name} is not null")
        ]


def union(tables: Sequence[Table]) -> Table:
    """The rows of tables that have the same columns, one after another."""
    first = tables[0]
    return first.batch.table(" union all ".join(f"({table.sql})" for table in tables), first.columns)
