"""The sink `local`: the embedded store, so that a runner can show its numbers without any server."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pegel.errors import Permanent, Retryable, StateError
from pegel.sinks import Point, Sink
from pegel.sinks.local_caps import Caps
from pegel.sinks.local_points import LocalPoints
from pegel.sinks.local_schema import FILE_NAME
from pegel.sinks.local_store import LocalStore
from pegel.sinks.points import pack, unpack_blocks
from pegel.units import Duration, Size


@dataclass(kw_only=True)
class Local(Sink):
    """Keep the points in one small database, on disk before they are acknowledged.

    `pegel points` and the status page read it while the runner writes. There is one row per series and window;
    a correction replaces it, and so do the early values of open windows. The oldest points go first when they
    are older than `max_age` (measured from the newest point of their metric) or when the file would outgrow
    `max_bytes`.

    Options:
        path: The database; without it `points.db` in the runner's state directory.
        max_age: Age at which points are deleted; a log of last year is as young as its newest record.
        max_bytes: Size of the file; the write-ahead log beside it takes up to 4 MiB more when it is idle.

    Example:
        [[sinks]]
        name = "local"
        type = "local"
        max_age = "30d"
        max_bytes = "256MiB"
    """

    early_interval = Duration(0.0)  # with every commit: `pegel points` is live

    path: Path | None = None
    max_age: Duration = Duration(30 * 86400.0)
    max_bytes: Size = Size(256 * 2**20)
    file: Path | None = field(default=None, init=False, compare=False)
    """The database itself."""
    _store: LocalStore | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def overwrites(self) -> bool:
        return True

    def settle_in(self, directory: Path) -> None:
        self.file = self.path or directory / FILE_NAME

    def open(self) -> None:
        if self._store is None:
            self._opened()

    def encode(self, points: Sequence[Point]) -> bytes:
        return pack(points)

    def send(self, payload: bytes) -> None:
        store = self._store or self._opened()
        try:
            blocks = unpack_blocks(payload)
        except ValueError as error:
            raise Permanent(f"{self.file}: {error}") from error
        try:
            store.put(blocks)
        except sqlite3.Error as error:
            self.close()  # what it remembers of the file may be wrong now
            raise Retryable(f"{self.file}: {error}") from error

    def stored(self, metrics: Sequence[str]) -> Mapping[str, int] | None:
        file = self.file or self.path
        if file is None or not file.exists():
            return {}
        try:
            with LocalPoints(file) as points:
                return {one.name: one.newest_us for one in points.metrics() if one.name in metrics}
        except (StateError, sqlite3.Error) as error:
            raise Retryable(str(error)) from error

    def close(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None

    def _opened(self) -> LocalStore:
        self.file = self.file or self.path
        if self.file is None:
            raise Retryable("the local store has no path; the runner names one in its state directory")
        try:
            self._store = LocalStore(self.file, Caps(int(self.max_age * 1e6), self.max_bytes))
        except sqlite3.Error as error:
            raise Retryable(f"{self.file}: {error}") from error
        return self._store
