"""Secret keys of distinct members: one per metric and epoch, deleted when no window needs it any more."""

from __future__ import annotations

import secrets
import sqlite3
import threading


class KeyRing:
    """The table `keys`. Workers ask for keys while they fold; new ones are stored with the numbers made with them."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._guard = threading.Lock()
        self._keys: dict[tuple[int, int], bytes] = {
            (metric, epoch): key for metric, epoch, key in connection.execute("select metric, epoch, key from keys")
        }
        self._unsaved: set[tuple[int, int]] = set()
        self._leaving: set[tuple[int, int]] = set()
        self.expired = False
        """Keys were deleted since the snapshots were taken."""

    def get(self, metric: int, epoch: int) -> bytes:
        """The key of an epoch of a metric; made at first use. Callable from any thread."""
        place = (metric, epoch)
        with self._guard:
            key = self._keys.get(place)
            if key is None:
                key = self._keys[place] = secrets.token_bytes(16)
                self._unsaved.add(place)
            return key

    def save(self) -> frozenset[tuple[int, int]]:
        """Store the new keys; part of the running transaction. Returns them for `saved`."""
        with self._guard:
            unsaved = frozenset(self._unsaved - self._leaving)
            rows = [(metric, epoch, self._keys[metric, epoch]) for metric, epoch in unsaved]
        if rows:
            self._connection.executemany("insert or ignore into keys values (?, ?, ?)", rows)
        return unsaved

    def saved(self, keys: frozenset[tuple[int, int]]) -> None:
        """The transaction is committed."""
        with self._guard:
            self._unsaved -= keys | self._leaving
            self.expired = self.expired or bool(self._leaving)
            for place in self._leaving:
                del self._keys[place]
            self._leaving.clear()

    def forget(self) -> None:
        """The transaction is undone: no key has left."""
        with self._guard:
            self._leaving.clear()

    def expire(self, metric: int, before: int) -> None:
        """Delete the keys of epochs that begin before a time; part of the running transaction."""
        self._connection.execute("delete from keys where metric = ? and epoch < ?", (metric, before))
        with self._guard:
            self._leaving |= {place for place in self._keys if place[0] == metric and place[1] < before}
