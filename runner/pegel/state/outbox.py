"""What sinks have not acknowledged: points while they may still change, requests once they are frozen.

A window's points wait in `outbox`, where a newer revision replaces an older one. Freezing turns some of them
into a request: bytes that never change again, committed before the first of them leaves, and the points that
are in them (`claimed`). A request goes when its sink has taken it, or has refused some of it for good.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

TURN = "turn"
"""Name of the fact that numbers the commits."""

_ZLIB = b"\x78\x01"
"""How data begin that zlib has packed at its fastest."""


@dataclass(frozen=True)
class Window:
    """Packed points of one window.

    Attributes:
        turn: Number of the oldest commit of which something is in them; told of those that wait.
    """

    metric: str
    pane: int
    points: bytes
    count: int
    turn: int = 0


@dataclass(frozen=True)
class Request:
    """Frozen bytes for one sink.

    Attributes:
        ambiguous: It may have been sent before, by a runner that died.
    """

    id: int
    sink: str
    payload: bytes
    count: int
    attempts: int
    ambiguous: bool


@dataclass(frozen=True)
class Backlog:
    """How much a sink is behind: points, bytes and the age of the oldest in us."""

    points: int
    bytes: int
    oldest: int | None


class Outbox:
    """The tables `outbox`, `requests` and `claimed`."""

    def __init__(self, connection: sqlite3.Connection, boot: int) -> None:
        self._connection = connection
        self._boot = boot

    def waiting(self, sink: str, metric: str, pane: int) -> bytes | None:
        """The packed points of a window that have not been frozen, if any."""
        row = self._connection.execute(
            "select points from outbox where sink = ? and metric = ? and pane = ?", (sink, metric, pane)
        ).fetchone()
        return row[0] if row else None

    def put(
        self, sink: str, metric: str, pane: int, points: bytes, count: int, now: int, turn: int | None = None
    ) -> None:
        """Let packed points wait, in the place of those that wait already; part of the running transaction.

        Args:
            sink: For whom.
            metric: Whose.
            pane: Of which window, in us.
            points: All that the window has to say; its first commit stays the oldest one that is in them.
            count: How many.
            now: Wall clock in us.
            turn: Number of the oldest commit that is in them; None for the running one.
        """
        self._connection.execute(
            "insert into outbox (sink, metric, pane, points, count, created, size, turn)"
            f" values (?, ?, ?, ?, ?, ?, ?, coalesce(?, (select value from meta where name = '{TURN}'), 0))"
            " on conflict do update set points = excluded.points, count = excluded.count, size = excluded.size,"
            " turn = min(turn, excluded.turn)",
            (sink, metric, pane, points, count, now, len(points), turn),
        )

    def lowest(self, sink: str) -> int | None:
        """Number of the oldest commit of which the sink has not acknowledged everything; None if it has all."""
        rows = self._connection.execute(
            "select min(turn) from outbox where sink = ?1 union all select min(turn) from requests where sink = ?1",
            (sink,),
        )
        return min((int(row[0]) for row in rows if row[0] is not None), default=None)

    def oldest_waiting(self, sink: str, most_points: int) -> list[Window]:
        """Windows that wait, oldest first, up to a number of points (at least one window).

        Their order is that of `claimed`: points in a request are known by their place.
        """
        found: list[Window] = []
        total = 0
        rows = self._connection.execute(
            "select metric, pane, points, count, turn from outbox where sink = ? order by pane, metric", (sink,)
        )
        for metric, pane, points, count, turn in rows:
            if found and total + count > most_points:
                break
            found.append(Window(metric, pane, points, count, turn))
            total += count
        rows.close()
        return found

    def freeze(
        self,
        sink: str,
        windows: Sequence[Window],
        payload: bytes,
        now: int,
        turn: int | None = None,
        *,
        again: bool = False,
    ) -> int:
        """Turn waiting windows into a request; it may leave once the transaction is committed. Returns its id.

        Args:
            sink: For whom.
            windows: What is in it.
            payload: What is sent.
            now: Wall clock in us.
            turn: Number of the oldest commit of which something is in it; None where the windows say it.
            again: The sink may have had all of it, from a runner whose state is lost.
        """
        self.withdraw(sink, windows)
        cursor = self._connection.execute(
            "insert into requests (sink, payload, count, created, boot, turn) values (?, ?, ?, ?, ?, ?)",
            (
                sink,
                _pressed(payload),
                sum(w.count for w in windows),
                now,
                0 if again else self._boot,
                min(w.turn for w in windows) if turn is None else turn,
            ),
        )
        number = int(cursor.lastrowid or 0)
        self._connection.executemany(
            "insert into claimed values (?, ?, ?, ?, ?)",
            [(number, w.metric, w.pane, w.points, w.count) for w in windows],
        )
        return number

    def withdraw(self, sink: str, windows: Sequence[Window]) -> None:
        """Windows wait no longer: what they say is in the state elsewhere."""
        self._connection.executemany(
            "delete from outbox where sink = ? and metric = ? and pane = ?",
            [(sink, window.metric, window.pane) for window in windows],
        )

    def waits(self, sink: str) -> bool:
        """Whether anything waits that has not been frozen."""
        found = self._connection.execute("select 1 from outbox where sink = ? limit 1", (sink,)).fetchone()
        return found is not None

    def waits_since(self, sink: str) -> int | None:
        """When what has waited longest began to wait (us, wall clock), if anything does."""
        (created,) = self._connection.execute("select min(created) from outbox where sink = ?", (sink,)).fetchone()
        return None if created is None else int(created)

    def claimed(self, request: int) -> list[Window]:
        """The windows in a request, in the order in which they were frozen."""
        rows = self._connection.execute(
            "select metric, pane, points, count from claimed where request = ? order by pane, metric", (request,)
        )
        return [Window(*row) for row in rows.fetchall()]

    def claimed_later(self, sink: str, request: int) -> list[Window]:
        """The windows of a request as they are in requests behind it, those of the newest last."""
        rows = self._connection.execute(
            "select later.metric, later.pane, later.points, later.count"
            " from requests join claimed later on later.request = requests.id"
            " join claimed mine on mine.request = ? and mine.metric = later.metric and mine.pane = later.pane"
            " where requests.sink = ? and requests.id > ? order by requests.id",
            (request, sink, request),
        )
        return [Window(*row) for row in rows.fetchall()]

    def claimed_of(self, sink: str, metric: str, pane: int) -> list[bytes]:
        """The points of a window in all requests of a sink, those of the newest last."""
        rows = self._connection.execute(
            "select points from requests join claimed on claimed.request = requests.id"
            " where sink = ? and metric = ? and pane = ? order by requests.id",
            (sink, metric, pane),
        )
        return [row[0] for row in rows.fetchall()]

    def requests(self, sink: str, most: int, after: int = 0) -> list[Request]:
        """The next frozen requests of a sink, in order."""
        rows = self._connection.execute(
            "select id, sink, payload, count, attempts, boot from requests"
            " where sink = ? and id > ? order by id limit ?",
            (sink, after, most),
        )
        return [
            Request(number, name, zlib.decompress(payload), count, attempts, boot != self._boot)
            for number, name, payload, count, attempts, boot in rows.fetchall()
        ]

    def acknowledge(self, request: int) -> None:
        """A sink stored a request, or what is storable of it."""
        self._connection.execute("delete from requests where id = ?", (request,))
        self._connection.execute("delete from claimed where request = ?", (request,))

    def failed(self, request: int) -> None:
        """Count an attempt that may or may not have arrived."""
        self._connection.execute("update requests set attempts = attempts + 1 where id = ?", (request,))

    def backlog(self, sink: str) -> Backlog:
        """How much a sink is behind."""
        points = size = 0
        oldest: int | None = None
        for table, bytes_of in (("outbox", "size"), ("requests", "length(payload)")):
            n, length, created = self._connection.execute(
                f"select coalesce(sum(count), 0), coalesce(sum({bytes_of}), 0), min(created)"
                f" from {table} where sink = ?",
                (sink,),
            ).fetchone()
            points, size = points + n, size + length
            oldest = min(filter(lambda one: one is not None, (oldest, created)), default=None)
        return Backlog(points, size, oldest)

    def drop(self, sink: str, *, older_than: int | None = None, most_bytes: int | None = None) -> int:
        """Give up points that wait, oldest first: by age, or until a sink's backlog fits. Returns how many.

        Requests are not touched: they may be on their way.
        """
        lost = 0
        if older_than is not None:
            lost += self._delete("sink = ? and created < ?", (sink, older_than))
        excess = 0 if most_bytes is None else self.backlog(sink).bytes - most_bytes
        rows = self._connection.execute(
            "select metric, pane, size from outbox where sink = ? order by pane, metric", (sink,)
        )
        for metric, pane, size in rows.fetchall() if excess > 0 else ():
            if excess <= 0:
                break
            lost += self._delete("sink = ? and metric = ? and pane = ?", (sink, metric, pane))
            excess -= size
        return lost

    def _delete(self, condition: str, values: tuple[object, ...]) -> int:
        (count,) = self._connection.execute(
            f"select coalesce(sum(count), 0) from outbox where {condition}", values
        ).fetchone()
        self._connection.execute(f"delete from outbox where {condition}", values)
        return int(count)

    def forget_sink(self, sink: str) -> int:
        """Delete all that waits for a sink that is gone from the config. Returns how many points."""
        lost = self.backlog(sink).points
        self._connection.execute(
            "delete from claimed where request in (select id from requests where sink = ?)", (sink,)
        )
        for table in ("outbox", "requests", "fenced"):
            self._connection.execute(f"delete from {table} where sink = ?", (sink,))
        return lost

    def sinks(self) -> set[str]:
        """Sinks for which anything waits."""
        rows = self._connection.execute(
            "select sink from outbox union select sink from requests union select sink from fenced"
        )
        return {row[0] for row in rows}


def _pressed(payload: bytes) -> bytes:
    """The payload under zlib; one that is packed already (that of `local`) is only wrapped."""
    return zlib.compress(payload, 0 if payload.startswith(_ZLIB) else 1)
