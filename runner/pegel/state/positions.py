"""Where the sources are: streams, partitions and their watermarks."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pegel.errors import StateError


class StreamPosition(Protocol):
    """What is stored of a stream (`pegel.sources.Position` fits)."""

    @property
    def stream(self) -> str: ...
    @property
    def order(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def cursor(self) -> Mapping[str, Any]: ...
    @property
    def done(self) -> bool: ...
    @property
    def forget(self) -> bool: ...


@dataclass(frozen=True)
class StoredPosition:
    """A stream's row, read back."""

    stream: str
    order: int
    offset: int
    cursor: dict[str, Any]
    done: bool


@dataclass
class Partition:
    """How far one partition of a source is.

    Attributes:
        newest: Latest event time in us, bounded by the wall clock when it was read; None before the first record.
        active: Wall clock in us when bytes were last used up.
    """

    newest: int | None
    active: int


class Positions:
    """The tables `sources`, `partitions` and `streams`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def known(self, source: str) -> bool:
        """Whether a source of this name has ever been opened on this state."""
        return self._connection.execute("select 1 from sources where name = ?", (source,)).fetchone() is not None

    def names(self) -> list[str]:
        """All sources ever opened and not renamed."""
        return [row[0] for row in self._connection.execute("select name from sources order by name")]

    def register(self, source: str, started: str) -> None:
        """Remember that a source exists and where it began."""
        self._connection.execute("insert or ignore into sources (name, started) values (?, ?)", (source, started))

    def rename(self, old: str, new: str) -> None:
        """Give a source a new name; its cursors and watermark stay."""
        for table, column in (("sources", "name"), ("partitions", "source"), ("streams", "source")):
            self._connection.execute(f"update {table} set {column} = ? where {column} = ?", (new, old))

    def streams(self, source: str) -> list[StoredPosition]:
        """The committed positions of a source, in the order of reading."""
        rows = self._connection.execute(
            "select stream, position, offset, cursor, done from streams where source = ? order by position",
            (source,),
        )
        return [
            StoredPosition(stream, order, offset, json.loads(cursor), bool(done))
            for stream, order, offset, cursor, done in rows
        ]

    def move(self, source: str, positions: Iterable[StreamPosition]) -> None:
        """Store positions; part of the running transaction."""
        for position in positions:
            if position.forget:
                self._connection.execute(
                    "delete from streams where source = ? and stream = ?", (source, position.stream)
                )
                continue
            self._connection.execute(
                "insert or replace into streams values (?, ?, ?, ?, ?, ?)",
                (
                    source,
                    position.stream,
                    position.order,
                    position.offset,
                    json.dumps(dict(position.cursor), sort_keys=True, separators=(",", ":")),
                    int(position.done),
                ),
            )

    def ask_again(self, source: str) -> None:
        """Somebody wants what was put aside to be tried again; part of the running transaction."""
        self._connection.execute(
            "insert into meta values (?, 1) on conflict do update set value = value + 1", (f"tries:{source}",)
        )

    def tries(self) -> dict[str, int]:
        """How often somebody has wanted that, by source."""
        rows = self._connection.execute("select name, value from meta where name >= 'tries:' and name < 'tries;'")
        return {name.removeprefix("tries:"): int(value) for name, value in rows}

    def partitions(self, source: str) -> dict[str, Partition]:
        """How far each partition of a source is."""
        rows = self._connection.execute("select partition, newest, active from partitions where source = ?", (source,))
        return {name: Partition(newest, active) for name, newest, active in rows}

    def advance(self, source: str, partition: str, newest: int | None, active: int) -> None:
        """Note event time and activity of a partition; event time never goes back."""
        self._connection.execute(
            "insert into partitions values (?, ?, ?, ?) on conflict do update set"
            " newest = max(coalesce(newest, excluded.newest), coalesce(excluded.newest, newest)),"
            " active = excluded.active",
            (source, partition, newest, active),
        )

    def forget_partitions(self, source: str, partitions: Iterable[str]) -> None:
        """Partitions that are gone; the source's watermark stays."""
        self._connection.executemany(
            "delete from partitions where source = ? and partition = ?", [(source, one) for one in partitions]
        )

    def watermark(self, source: str) -> int | None:
        """The stored watermark of a source in us; None before its first record."""
        row = self._connection.execute("select watermark from sources where name = ?", (source,)).fetchone()
        return row[0] if row else None

    def raise_watermark(self, source: str, watermark: int) -> None:
        """Move a source's watermark; never back."""
        self._connection.execute(
            "update sources set watermark = max(coalesce(watermark, ?1), ?1) where name = ?2",
            (watermark, source),
        )

    def first_time(self, source: str) -> tuple[str, int | None]:
        """Where a source began (`beginning` or `end`) and, for `end`, the time of the first record read."""
        row = self._connection.execute("select started, first_time from sources where name = ?", (source,)).fetchone()
        if row is None:
            raise StateError(f"source {source} was never opened on this state")
        return row[0], row[1]

    def set_first_time(self, source: str, time: int) -> None:
        """Remember the time of the first record after a start at the end."""
        self._connection.execute(
            "update sources set first_time = ? where name = ? and first_time is null", (time, source)
        )
