"""Crashes at named points, made by wrapping the seams of the runner; the product has none of its own."""

from __future__ import annotations

import re
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any, Literal

from pegel.seams import FileStat
from simulation.world import SimClock, SimFile, SimFiles


class SimulatedCrash(BaseException):
    """The process is dead: nothing may catch this and go on."""


class CrashPoints:
    """Counts the points that are passed and crashes at one of them.

    Attributes:
        passed: How often each point was passed, by name.
        hit: How often a crash happened at each point, by name.
        statements: How many statements were about to run.
        disk_errors: How many statements failed because of the disk.
        dead: A crash has happened; whoever touches a seam now only learns that again.
    """

    def __init__(self) -> None:
        self.passed: Counter[str] = Counter()
        self.hit: Counter[str] = Counter()
        self.dead = False
        self.disk_errors = 0
        self.statements = 0
        self._left = 0
        self._name = ""
        self._disk_fails_in = 0
        self._disk_fails_for = 0

    def arm(self, after: int, name: str = "") -> None:
        """Crash at the `after`-th point from now on (0 for never), of any name or of one."""
        self._left = after
        self._name = name
        self.dead = False

    def break_disk(self, after: int, times: int) -> None:
        """Let statements fail, `times` in a row, beginning with the `after`-th from now on."""
        self._disk_fails_in, self._disk_fails_for = after, times

    def use_disk(self) -> None:
        """A statement is about to run."""
        self.statements += 1
        if self._disk_fails_in > 1:
            self._disk_fails_in -= 1
        elif self._disk_fails_for:
            self._disk_fails_for -= 1
            self.disk_errors += 1
            raise sqlite3.OperationalError("database or disk is full")

    def reach(self, name: str) -> None:
        """Pass a point."""
        if self.dead:
            raise SimulatedCrash(name)
        self.passed[name] += 1
        if not self._left:
            return
        self._left -= name == self._name or not self._name
        if self._left == 0:
            self.hit[name] += 1
            self.dead = True
            raise SimulatedCrash(name)


class CrashClock:
    """A clock that may be the last thing a runner looks at."""

    def __init__(self, clock: SimClock, points: CrashPoints) -> None:
        self._clock = clock
        self._points = points

    def wall(self) -> float:
        self._points.reach("at the clock")
        return self._clock.wall()

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def wait(self, wake: threading.Event, seconds: float) -> bool:
        return self._clock.wait(wake, seconds)


class CrashFile:
    """An open file with a point behind each read."""

    def __init__(self, file: SimFile, points: CrashPoints) -> None:
        self._file = file
        self._points = points

    def stat(self) -> FileStat:
        return self._file.stat()

    def pread(self, size: int, offset: int) -> bytes:
        data = self._file.pread(size, offset)
        self._points.reach("after read")
        return data

    def next_data(self, offset: int) -> int:
        return self._file.next_data(offset)

    def close(self) -> None:
        self._file.close()


class CrashFiles:
    """The files with points behind listing, looking and opening."""

    def __init__(self, files: SimFiles, points: CrashPoints) -> None:
        self._files = files
        self._points = points

    def open(self, path: str) -> CrashFile:
        file = CrashFile(self._files.open(path), self._points)
        self._points.reach("after open")
        return file

    def stat(self, path: str) -> FileStat:
        return self._files.stat(path)

    def glob(self, pattern: str) -> Sequence[str]:
        names = self._files.glob(pattern)
        self._points.reach("after listing")
        return names

    def resolve(self, path: str) -> str:
        return self._files.resolve(path)


_WRITES = re.compile(
    r"\s*(?:insert(?:\s+or\s+\w+)?\s+into|replace\s+into|update|delete\s+from)\s+\W?(\w+)", re.IGNORECASE
)
_COMMIT = re.compile(r"\s*(?:commit|end)\b", re.IGNORECASE)
_ROLLBACK = re.compile(r"\s*rollback\b", re.IGNORECASE)

Rewrite = Callable[["CrashConnection", str], str]
"""Sees each statement before it runs, and may change it: the hook of mutants."""


class CrashConnection(sqlite3.Connection):
    """A connection with points before, inside and after every commit; dead after a crash.

    Each statement that writes is a point named after its table, so every order of writes inside a
    transaction is cut everywhere.
    """

    points: CrashPoints
    rewrite: Rewrite | None = None

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        return super().cursor(CrashCursor).execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> sqlite3.Cursor:
        return super().cursor(CrashCursor).executemany(sql, parameters)

    def cursor(self, factory: Any = None) -> Any:
        return super().cursor(factory or CrashCursor)

    def commit(self) -> None:
        if not self.in_transaction:
            return
        self.points.reach("before commit")
        super().commit()
        self.points.reach("after commit")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Literal[False]:
        if kind is None:
            self.commit()
        elif not self.points.dead:
            self.rollback()
        return False


class CrashCursor(sqlite3.Cursor):
    """A cursor of a `CrashConnection`."""

    connection: CrashConnection

    def execute(self, sql: str, parameters: Any = (), /) -> CrashCursor:
        sql = self._before(sql)
        super().execute(sql, parameters)
        self._after(sql)
        return self

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> CrashCursor:
        sql = self._before(sql)
        super().executemany(sql, parameters)
        self._after(sql)
        return self

    def _before(self, sql: str) -> str:
        connection = self.connection
        if connection.points.dead:
            raise SimulatedCrash(sql)
        if connection.rewrite is not None:
            sql = connection.rewrite(connection, sql)
        if _COMMIT.match(sql):
            connection.points.reach("before commit")
        if not _ROLLBACK.match(sql):  # giving up needs no room
            connection.points.use_disk()
        return sql

    def _after(self, sql: str) -> None:
        points = self.connection.points
        if _COMMIT.match(sql):
            points.reach("after commit")
        elif found := _WRITES.match(sql):
            points.reach(f"in commit after {found[1]}")


class Database:
    """Opens the connections of one runner's life, and kills them with it."""

    def __init__(self, points: CrashPoints, rewrite: Rewrite | None = None) -> None:
        self._points = points
        self._rewrite = rewrite
        self._open: list[CrashConnection] = []

    def connect(self, path: str) -> sqlite3.Connection:
        """The product's `connect`."""
        connection = sqlite3.connect(path, factory=CrashConnection, isolation_level=None, check_same_thread=False)
        connection.points = self._points
        connection.rewrite = self._rewrite
        self._open.append(connection)
        return connection

    def kill(self) -> None:
        """The process is gone: what was not committed never happened."""
        for connection in self._open:
            connection.close()
        self._open.clear()
