"""Panes and totals: what is counted so far, per metric, window and series.

A metric has one table `panes_<id>` with a column per scalar part; merging is SQL that the metric language
wrote. The row at `TOTAL` holds what a series has counted since it exists, by the same statement.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from pegel.state.crowds import Crowds
from pegel.state.members import Members

TOTAL = -(2**62)
"""Pane of a series' cumulative row."""

_MANY = 64
"""Series from which reading a whole pane is cheaper than reading them one by one."""

_FIXED = ("pane", "series", "records", "corrections")


class Part(Protocol):
    """A scalar part: a column, its type and how two of its values become one."""

    @property
    def name(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def merge(self) -> str: ...


class PaneRow(NamedTuple):
    """One series in one pane.

    Attributes:
        corrections: How often it changed after its window had closed.
        arrivals: Counts that were made when the pane closed.
    """

    pane: int
    series: int
    records: int
    corrections: int
    scalars: tuple[Any, ...]
    arrivals: tuple[int, ...]


@dataclass(frozen=True)
class _Statements:
    upsert: str
    select: str
    scalars: int


class WindowTables:
    """The tables `panes_<id>` and `buckets`, and the members of distinct sets."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._statements: dict[int, _Statements] = {}
        self.members = Members(connection)
        self.crowds = Crowds(connection)

    def define(self, metric: int, parts: Sequence[Part], arrivals: int) -> None:
        """Make the table of a metric if it is new; call once per start."""
        extra = [f"a{number}" for number in range(arrivals)]
        columns = [f"{part.name} {part.type}" for part in parts] + [f"{name} integer" for name in extra]
        self._connection.execute(
            f"create table if not exists panes_{metric} (pane integer, series integer, records integer not null,"
            f" corrections integer not null{''.join(', ' + column for column in columns)},"
            " primary key (pane, series)) without rowid"
        )
        merges = [
            "records = t.records + excluded.records",
            "corrections = t.corrections + excluded.corrections",
        ]
        merges += [f"{part.name} = {part.merge.format(old='t.', new='excluded.')}" for part in parts]
        merges += [f"{name} = coalesce(t.{name}, 0) + coalesce(excluded.{name}, 0)" for name in extra]
        names = [*_FIXED, *(part.name for part in parts), *extra]
        self._statements[metric] = _Statements(
            upsert=f"insert into panes_{metric} as t ({', '.join(names)}) values ({', '.join('?' * len(names))})"
            f" on conflict do update set {', '.join(merges)}",
            select=f"select {', '.join(names)} from panes_{metric}",
            scalars=len(parts),
        )

    def merge(self, metric: int, rows: Iterable[tuple[Any, ...]]) -> None:
        """Merge rows (pane, series, records, corrections, *scalars, *arrivals); part of the running transaction."""
        self._connection.executemany(self._statements[metric].upsert, rows)

    def merge_buckets(self, metric: int, rows: Iterable[tuple[int, int, int, int, int]]) -> None:
        """Add to buckets: (pane, part, series, bucket, count)."""
        self._connection.executemany(
            "insert into buckets (metric, pane, part, series, bucket, n) values (?, ?, ?, ?, ?, ?)"
            " on conflict do update set n = n + excluded.n",
            ((metric, *row) for row in rows),
        )

    def rows(self, metric: int, since: int, before: int) -> list[PaneRow]:
        """The rows of the panes in [since, before), by (pane, series)."""
        statements = self._statements[metric]
        found = self._connection.execute(
            f"{statements.select} where pane >= ? and pane < ? order by pane, series", (since, before)
        )
        return [_pane_row(row, statements.scalars) for row in found]

    def some_rows(self, metric: int, pane: int, series: Collection[int]) -> list[PaneRow]:
        """The rows of some series in one pane, by series."""
        if len(series) > _MANY:
            return [row for row in self.rows(metric, pane, pane + 1) if row.series in series]
        statements = self._statements[metric]
        found = [
            self._connection.execute(f"{statements.select} where pane = ? and series = ?", (pane, one)).fetchone()
            for one in sorted(series)
        ]
        return [_pane_row(row, statements.scalars) for row in found if row is not None]

    def series_in(self, metric: int, pane: int) -> list[int]:
        """The series with a row in a pane."""
        found = self._connection.execute(f"select series from panes_{metric} where pane = ?", (pane,))
        return [row[0] for row in found]

    def total(self, metric: int) -> list[PaneRow]:
        """The cumulative rows of a metric."""
        return self.rows(metric, TOTAL, TOTAL + 1)

    def panes(self, metric: int, since: int, before: int) -> list[int]:
        """The panes in [since, before) that have rows, oldest first (the totals are no pane)."""
        found = self._connection.execute(
            f"select distinct pane from panes_{metric} where pane >= ? and pane < ? and pane > ? order by pane",
            (since, before, TOTAL),
        )
        return [row[0] for row in found]

    def newest(self, metric: int) -> int | None:
        """The newest pane with a row."""
        row = self._connection.execute(f"select max(pane) from panes_{metric} where pane > ?", (TOTAL,)).fetchone()
        return None if row[0] is None else int(row[0])

    def bucket_counts(self, metric: int, pane: int, series: int) -> dict[int, dict[int, int]]:
        """The buckets of a series in a pane, by part."""
        result: dict[int, dict[int, int]] = {}
        for part, bucket, n in self._connection.execute(
            "select part, bucket, n from buckets where metric = ? and pane = ? and series = ?",
            (metric, pane, series),
        ):
            result.setdefault(part, {})[bucket] = n
        return result

    def expire(self, metric: int, before: int) -> int:
        """Forget the panes that start before a time; totals stay. Returns how many rows went."""
        gone = self._connection.execute(
            f"delete from panes_{metric} where pane > ? and pane < ?", (TOTAL, before)
        ).rowcount
        self._connection.execute(
            "delete from buckets where metric = ? and pane > ? and pane < ?", (metric, TOTAL, before)
        )
        self.members.expire(metric, before)
        self.crowds.expire(metric, before)
        return gone

    def forget_totals(self, metric: int, series: Sequence[int]) -> None:
        """Delete the cumulative rows of series that are gone for good."""
        marks = [(TOTAL, one) for one in series]
        self._connection.executemany(f"delete from panes_{metric} where pane = ? and series = ?", marks)
        self._connection.executemany(
            "delete from buckets where metric = ? and pane = ? and series = ?",
            [(metric, *mark) for mark in marks],
        )

    def bucket_rows(self, metric: int, since: int) -> list[tuple[int, int, int, int, int]]:
        """The buckets of the panes from `since` on: (pane, part, series, bucket, count)."""
        return self._connection.execute(
            "select pane, part, series, bucket, n from buckets where metric = ? and pane >= ?", (metric, since)
        ).fetchall()

    def clear_totals(self, metric: int) -> None:
        """Delete all cumulative rows of a metric."""
        self._connection.execute(f"delete from panes_{metric} where pane = ?", (TOTAL,))
        self._connection.execute("delete from buckets where metric = ? and pane = ?", (metric, TOTAL))

    def move_totals(self, old: int, new: int, series: Sequence[tuple[int, int]]) -> None:
        """Give cumulative rows to another metric with the same parts: pairs of (old series, new series)."""
        self._connection.executemany(
            f"insert into panes_{new} select * from panes_{old} where pane = ? and series = ?",
            [(TOTAL, before) for before, _ in series],
        )
        renamed = [(after, TOTAL, before) for before, after in series]
        self._connection.executemany(f"update panes_{new} set series = ? where pane = ? and series = ?", renamed)
        self._connection.executemany(
            "update buckets set metric = ?, series = ? where metric = ? and pane = ? and series = ?",
            [(new, after, old, TOTAL, before) for before, after in series],
        )
        self._connection.execute(f"delete from panes_{old} where pane = ?", (TOTAL,))

    def drop(self, metric: int) -> None:
        """Delete all that is kept of a metric."""
        self._connection.execute(f"drop table if exists panes_{metric}")
        for table in ("buckets", "runs", "crowds", "keys", "series"):
            self._connection.execute(f"delete from {table} where metric = ?", (metric,))
        self._connection.execute("delete from metrics where id = ?", (metric,))
        self.members.forget()
        self.crowds.forget()

    def settle(self) -> None:
        """The transaction is committed."""
        self.members.settle()
        self.crowds.settle()

    def forget(self) -> None:
        """The transaction is undone."""
        self.members.forget()
        self.crowds.forget()


def _pane_row(row: tuple[Any, ...], scalars: int) -> PaneRow:
    rest = row[4 + scalars :]
    arrivals = tuple([value or 0 for value in rest]) if rest else ()
    return PaneRow(row[0], row[1], row[2], row[3], row[4 : 4 + scalars], arrivals)
