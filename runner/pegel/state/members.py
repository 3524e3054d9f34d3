"""Members of distinct sets: sorted 64-bit hashes in runs that are only ever appended or merged with smaller ones.

A set grows by what is new to it. New members become a run; a run that is not much bigger than the one before
it is merged with it, so a set of n members has O(log n) runs and no commit rewrites a big one. The runs of a
set are disjoint: its size is the sum of theirs.
"""

from __future__ import annotations

import sqlite3
from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from pegel.state.sketch import Sketch

Hashes = NDArray[np.int64]
Key = tuple[int, int, int]
"""(epoch, part, series) within one pane of one metric."""

_SKETCH = -1
_OVERHEAD = 700
"""Bytes that a set in memory costs beside its members, about."""


class HashSet:
    """One set: its runs, oldest and biggest first, or a sketch once it became an estimate."""

    __slots__ = ("runs", "sketch")

    def __init__(self, runs: list[Hashes], sketch: Sketch | None = None) -> None:
        self.runs = runs
        self.sketch = sketch

    @property
    def size(self) -> int:
        """How many members it has (an estimate, always the same for the same members, once it is a sketch)."""
        return self.sketch.estimate() if self.sketch else sum(run.size for run in self.runs)

    def new(self, members: Hashes) -> Hashes:
        """Those of sorted, distinct members that are not in the set yet."""
        for run in self.runs:
            if not members.size:
                break
            places = np.searchsorted(run, members)
            places[places == run.size] = 0
            members = members[run[places] != members]
        return members

    def all(self) -> Hashes:
        """All members, sorted."""
        return np.sort(np.concatenate(self.runs)) if self.runs else np.empty(0, np.int64)


class Members:
    """The table `runs`, with the panes used last in memory.

    Options:
        budget: Bytes of members kept in memory.
    """

    def __init__(self, connection: sqlite3.Connection, budget: int = 8 * 2**20) -> None:
        self._connection = connection
        self._budget = budget
        self._panes: OrderedDict[tuple[int, int], dict[Key, HashSet]] = OrderedDict()
        self._sizes: dict[tuple[int, int], int] = {}
        self._unwritten: dict[tuple[int, ...], bytes] = {}

    def add(self, metric: int, pane: int, key: Key, members: Hashes, approximate_over: int | None = None) -> None:
        """Put sorted, distinct members into a set; part of the running transaction."""
        sets = self.pane(metric, pane)
        found = sets.get(key)
        if found is None:
            found = sets[key] = HashSet([])
            self._sizes[metric, pane] += _OVERHEAD
        if found.sketch is not None:
            found.sketch.update(members)
            self._store(metric, pane, key, _SKETCH, found.sketch.pack())
            return
        fresh = found.new(members)
        if not fresh.size:
            return
        self._append(metric, pane, key, found, fresh)
        self._sizes[metric, pane] += fresh.nbytes
        if approximate_over is not None and found.size > approximate_over:
            self.promote(metric, pane, key)

    def _append(self, metric: int, pane: int, key: Key, found: HashSet, fresh: Hashes) -> None:
        merged = 0
        while found.runs and found.runs[-1].size <= 2 * fresh.size:
            fresh = np.sort(np.concatenate((found.runs.pop(), fresh)))
            merged += 1
        if merged > 1:
            self.flush()
            self._connection.execute(
                "delete from runs where metric = ? and pane = ? and epoch = ? and part = ? and series = ? and seq > ?",
                (metric, pane, *key, len(found.runs)),
            )
        self._store(metric, pane, key, len(found.runs), fresh.astype("<i8", copy=False).tobytes())
        found.runs.append(fresh)

    def promote(self, metric: int, pane: int, key: Key) -> None:
        """Turn a set into an estimate, for good."""
        found = self.pane(metric, pane)[key]
        sketch = Sketch()
        sketch.update(found.all())
        self.flush()
        self._connection.execute(
            "delete from runs where metric = ? and pane = ? and epoch = ? and part = ? and series = ?",
            (metric, pane, *key),
        )
        self._store(metric, pane, key, _SKETCH, sketch.pack())
        self._sizes[metric, pane] -= sum(run.nbytes for run in found.runs)
        found.runs, found.sketch = [], sketch

    def pane(self, metric: int, pane: int) -> dict[Key, HashSet]:
        """All sets of a pane."""
        place = (metric, pane)
        sets = self._panes.get(place)
        if sets is None:
            sets = self._panes[place] = self._load(metric, pane)
            self._sizes[place] = sum(_OVERHEAD + sum(run.nbytes for run in one.runs) for one in sets.values())
        else:
            self._panes.move_to_end(place)
        return sets

    def panes(self, metric: int) -> list[int]:
        """The panes that have sets, oldest first."""
        self.flush()
        found = self._connection.execute("select distinct pane from runs where metric = ? order by pane", (metric,))
        return [row[0] for row in found]

    def _load(self, metric: int, pane: int) -> dict[Key, HashSet]:
        self.flush()
        sets: dict[Key, HashSet] = {}
        rows = self._connection.execute(
            "select epoch, part, series, seq, members from runs where metric = ? and pane = ?"
            " order by epoch, part, series, seq",
            (metric, pane),
        )
        for epoch, part, series, seq, blob in rows:
            found = sets.setdefault((epoch, part, series), HashSet([]))
            if seq == _SKETCH:
                found.sketch = Sketch.unpack(blob)
            else:
                found.runs.append(np.frombuffer(blob, "<i8"))
        return sets

    def _store(self, metric: int, pane: int, key: Key, seq: int, blob: bytes) -> None:
        self._unwritten[metric, pane, *key, seq] = blob

    def flush(self) -> None:
        """Write the runs of this transaction; before its commit, and before anything else looks at the table."""
        rows = [(*place, blob) for place, blob in self._unwritten.items()]
        self._unwritten.clear()
        self._connection.executemany("insert or replace into runs values (?, ?, ?, ?, ?, ?, ?)", rows)

    def stored_bytes(self) -> int:
        """Bytes of members in the state."""
        self.flush()
        row = self._connection.execute("select coalesce(sum(length(members)), 0) from runs").fetchone()
        return int(row[0])

    def biggest(self, most: int) -> list[tuple[int, int, Key, int]]:
        """The biggest exact sets: (metric, pane, key, bytes)."""
        self.flush()
        rows = self._connection.execute(
            "select metric, pane, epoch, part, series, sum(length(members)) from runs where seq >= 0"
            " group by 1, 2, 3, 4, 5 order by 6 desc limit ?",
            (most,),
        )
        return [
            (metric, pane, (epoch, part, series), size) for metric, pane, epoch, part, series, size in rows.fetchall()
        ]

    def expire(self, metric: int, before: int) -> None:
        """Forget the sets of panes that start before a time."""
        self.flush()
        self._connection.execute("delete from runs where metric = ? and pane < ?", (metric, before))
        for place in [place for place in self._panes if place[0] == metric and place[1] < before]:
            del self._panes[place], self._sizes[place]

    def settle(self) -> None:
        """The transaction is committed: make room."""
        total = sum(self._sizes.values())
        while total > self._budget and len(self._panes) > 1:
            place, _ = self._panes.popitem(last=False)
            total -= self._sizes.pop(place)

    def forget(self) -> None:
        """The transaction is undone: read anew."""
        self._unwritten.clear()
        self._panes.clear()
        self._sizes.clear()
