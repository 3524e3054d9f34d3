"""Windows of which a former value may still arrive at a sink, and the newest points that were sent since."""

from __future__ import annotations

import sqlite3

from pegel.state.outbox import Window


class Fenced:
    """The table `fenced`; everything is part of the running transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def put(self, sink: str, metric: str, pane: int, until: int) -> None:
        """A value of this window that was sent before may arrive until then (us), or later if that was said."""
        self._connection.execute(
            "insert into fenced values (?, ?, ?, ?, null, 0)"
            " on conflict do update set until = max(until, excluded.until)",
            (sink, metric, pane, until),
        )

    def ends(self, sink: str) -> dict[tuple[str, int], int]:
        """Until when, by metric and pane."""
        rows = self._connection.execute("select metric, pane, until from fenced where sink = ?", (sink,))
        return {(metric, pane): until for metric, pane, until in rows}

    def points(self, sink: str, metric: str, pane: int) -> bytes | None:
        """The newest points of a window that were sent since, if any."""
        row = self._connection.execute(
            "select points from fenced where sink = ? and metric = ? and pane = ?", (sink, metric, pane)
        ).fetchone()
        return row[0] if row else None

    def keep(self, sink: str, window: Window) -> None:
        """Remember what was sent."""
        self._connection.execute(
            "update fenced set points = ?, count = ? where sink = ? and metric = ? and pane = ?",
            (window.points, window.count, sink, window.metric, window.pane),
        )

    def lift(self, sink: str, metric: str, pane: int) -> None:
        """Nothing can arrive late any more."""
        self._connection.execute("delete from fenced where sink = ? and metric = ? and pane = ?", (sink, metric, pane))
