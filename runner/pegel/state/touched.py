"""Streams whose source waits until their effect is safe: which windows they touched, and how far these are."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Any

_EVER = 2**62
"""Later than every event time in us."""


@dataclass(frozen=True)
class Touched:
    """A stream that may be released once nothing of its windows is refused.

    Attributes:
        first: Earliest event time in it, in us.
        last: Latest event time in it, in us.
    """

    stream: str
    order: int
    offset: int
    cursor: dict[str, Any]
    first: int
    last: int


class TouchedStreams:
    """The table `touched`; everything is part of the running transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def note(self, source: str, stream: str, first: int | None, last: int | None, turn: int, *, done: bool) -> None:
        """Records of a stream, with these event times, are part of a commit."""
        self._connection.execute(
            "insert into touched values (?, ?, ?, ?, ?, ?, null) on conflict do update set"
            " first = min(first, excluded.first), last = max(last, excluded.last), turn = excluded.turn,"
            " done = excluded.done",
            (source, stream, _EVER if first is None else first, -_EVER if last is None else last, turn, int(done)),
        )

    def adopt(self, source: str, turn: int) -> None:
        """Streams that were counted before anybody asked for their release have touched whatever there is."""
        self._connection.execute(
            "insert or ignore into touched select source, stream, ?, coalesce((select max(newest) from partitions"
            " where partitions.source = streams.source), ?), ?, 1, null from streams"
            " where source = ? and done and json_extract(cursor, '$.etag') is not null"
            " and json_extract(cursor, '$.fate') is null",
            (-_EVER, -_EVER, turn, source),
        )

    def close(self, source: str, before: int, turn: int, told: int) -> None:
        """In this commit all windows are closed that begin before a time.

        Args:
            source: Of these streams.
            before: That time, in us.
            turn: Number of the commit.
            told: Sinks were told of late records up to this commit.
        """
        self._connection.execute(
            "update touched set closed = ? where source = ? and done and closed is null and last < ? and turn <= ?",
            (turn, source, before, told),
        )

    def safe(self, source: str, *, closed: int, turn: int, behind: int, most: int) -> list[Touched]:
        """Streams whose windows had closed before a commit, and whose records are in one that is not newer.

        Args:
            source: Of these streams.
            closed: The oldest commit of which not everything has been acknowledged.
            turn: The newest commit that a snapshot has.
            behind: Only streams with a greater number in the order of reading.
            most: How many.
        """
        rows = self._connection.execute(
            "select stream, position, offset, cursor, first, last from touched join streams using (source, stream)"
            " where source = ? and closed < ? and closed <= ? and position > ? order by position limit ?",
            (source, closed, turn, behind, most),
        )
        return [
            Touched(stream, order, offset, json.loads(cursor), *span) for stream, order, offset, cursor, *span in rows
        ]

    def forget(self, source: str, stream: str) -> None:
        """Nobody waits for a stream any more."""
        self._connection.execute("delete from touched where source = ? and stream = ?", (source, stream))
