"""Dead letters: points that a sink will never store as they are, kept for the operator to retry or discard."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass

from pegel.state.outbox import Window


@dataclass(frozen=True)
class Counted:
    """Letters with one reason: how many points, the starts of their first and last windows in us, their metrics."""

    sink: str
    reason: str
    points: int
    first: int
    last: int
    metrics: tuple[str, ...]


class Letters:
    """The table `letters`; everything that writes is part of the running transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def put(self, sink: str, reason: str, window: Window, now: int) -> None:
        """Set points aside, in the place of those of this window with the same reason."""
        self._connection.execute(
            "insert into letters values (?, ?, ?, ?, ?, ?, ?)"
            " on conflict do update set points = excluded.points, count = excluded.count",
            (sink, window.metric, window.pane, reason, window.points, window.count, now),
        )

    def of_window(self, sink: str, metric: str, pane: int) -> dict[str, bytes]:
        """The packed points of a window, by reason."""
        rows = self._connection.execute(
            "select reason, points from letters where sink = ? and metric = ? and pane = ? order by reason",
            (sink, metric, pane),
        )
        return dict(rows.fetchall())

    def remove(self, sink: str, metric: str, pane: int, reason: str) -> None:
        """They are no letters any more."""
        self._connection.execute(
            "delete from letters where sink = ? and metric = ? and pane = ? and reason = ?",
            (sink, metric, pane, reason),
        )

    def windows(self, sink: str) -> list[tuple[str, int]]:
        """The windows with letters: metric and pane, oldest first."""
        rows = self._connection.execute(
            "select distinct metric, pane from letters where sink = ? order by pane, metric", (sink,)
        )
        return rows.fetchall()

    def counted(self) -> list[Counted]:
        """All letters by sink and reason."""
        rows = self._connection.execute(
            "select sink, reason, sum(count), min(pane), max(pane), json_group_array(distinct metric)"
            " from letters group by sink, reason"
        )
        return [
            Counted(sink, reason, points, first, last, tuple(json.loads(metrics)))
            for sink, reason, points, first, last, metrics in rows.fetchall()
        ]

    def count(self, sink: str) -> int:
        """How many points were set aside."""
        row = self._connection.execute("select coalesce(sum(count), 0) from letters where sink = ?", (sink,)).fetchone()
        return int(row[0])

    def within(self, sink: str, metrics: Collection[str], first: int, last: int) -> bool:
        """Whether any is of a window of these metrics that begins in [first, last]."""
        rows = self._connection.execute(
            "select distinct metric from letters where sink = ? and pane >= ? and pane <= ?", (sink, first, last)
        )
        return any(metric in metrics for (metric,) in rows)

    def size(self, sink: str) -> int:
        """The bytes of them."""
        row = self._connection.execute(
            "select coalesce(sum(length(points)), 0) from letters where sink = ?", (sink,)
        ).fetchone()
        return int(row[0])

    def drop(self, sink: str, excess: int = 2**62) -> int:
        """Give up the oldest, at least so many bytes of them. Returns how many points."""
        rows = self._connection.execute(
            "select metric, pane, reason, count, length(points) from letters where sink = ? order by pane, metric",
            (sink,),
        )
        lost = 0
        for metric, pane, reason, count, size in rows.fetchall():
            if excess <= 0:
                break
            self.remove(sink, metric, pane, reason)
            lost, excess = lost + count, excess - size
        return lost
