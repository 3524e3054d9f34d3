"""Members of the sets of rolling metrics: those of all series together, in runs that are appended or merged.

The runs of a pane are disjoint; one that is not much bigger than the next is merged with it, so no commit rewrites
a big one. A client that stays for hours is in the set of every pane, but what a rolling window asks is when it was
last seen: once a pane is a few steps old, only those are kept of it that were not seen again since.
"""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Iterator, Mapping

from pegel.crowd import Crowd

Place = tuple[int, int]
"""(epoch, part) of one metric."""


class Crowds:
    """The table `crowds`, with the panes used last in memory.

    Options:
        budget: Bytes of members kept in memory.
    """

    def __init__(self, connection: sqlite3.Connection, budget: int = 8 * 2**20) -> None:
        self._connection = connection
        self._budget = budget
        self._panes: OrderedDict[tuple[int, int], dict[Place, list[Crowd]]] = OrderedDict()

    def add(self, metric: int, pane: int, place: Place, crowd: Crowd) -> Crowd:
        """Put members into the sets of a pane; part of the running transaction. Returns those that were new."""
        runs = self._runs(metric, pane).setdefault(place, [])
        fresh = crowd
        for run in runs:
            fresh = fresh.without(run) if fresh.size else fresh
        if fresh.size:
            self._append(metric, pane, place, runs, fresh)
        return fresh

    def _append(self, metric: int, pane: int, place: Place, runs: list[Crowd], fresh: Crowd) -> None:
        merged = fresh
        while runs and runs[-1].size <= 2 * merged.size:
            merged = Crowd.union((runs.pop(), merged))
        self._connection.execute(
            "delete from crowds where metric = ? and pane = ? and epoch = ? and part = ? and seq > ?",
            (metric, pane, *place, len(runs)),
        )
        self._connection.execute(
            "insert or replace into crowds values (?, ?, ?, ?, ?, ?)",
            (metric, pane, *place, len(runs), merged.pack()),
        )
        runs.append(merged)

    def pane(self, metric: int, pane: int) -> dict[Place, Crowd]:
        """The members of the sets of a pane."""
        return {place: Crowd.union(runs) for place, runs in self._runs(metric, pane).items() if runs}

    def since(self, metric: int, pane: int, before: int) -> Iterator[tuple[int, Place, Crowd]]:
        """What is kept of the panes in [pane, before)."""
        rows = self._connection.execute(
            "select pane, epoch, part, members from crowds where metric = ? and pane >= ? and pane < ?",
            (metric, pane, before),
        )
        for found, epoch, part, blob in rows:
            yield found, (epoch, part), Crowd.unpack(blob)

    def replace(self, metric: int, pane: int, crowds: Mapping[Place, Crowd]) -> None:
        """Keep something else of a pane than what there is; part of the running transaction."""
        self._connection.execute("delete from crowds where metric = ? and pane = ?", (metric, pane))
        self._panes.pop((metric, pane), None)
        for place, crowd in crowds.items():
            self.add(metric, pane, place, crowd)

    def stored_bytes(self) -> int:
        """Bytes of members in the state."""
        row = self._connection.execute("select coalesce(sum(length(members)), 0) from crowds").fetchone()
        return int(row[0])

    def expire(self, metric: int, before: int) -> None:
        """Forget the panes that start before a time."""
        self._connection.execute("delete from crowds where metric = ? and pane < ?", (metric, before))
        for place in [place for place in self._panes if place[0] == metric and place[1] < before]:
            del self._panes[place]

    def settle(self) -> None:
        """The transaction is committed: make room."""
        sizes = {place: sum(map(_bytes, sets.values())) for place, sets in self._panes.items()}
        total = sum(sizes.values())
        while total > self._budget and len(self._panes) > 1:
            place, _ = self._panes.popitem(last=False)
            total -= sizes[place]

    def forget(self) -> None:
        """The transaction is undone: read anew."""
        self._panes.clear()

    def _runs(self, metric: int, pane: int) -> dict[Place, list[Crowd]]:
        key = (metric, pane)
        sets = self._panes.get(key)
        if sets is None:
            sets = self._panes[key] = {}
            rows = self._connection.execute(
                "select epoch, part, members from crowds where metric = ? and pane = ? order by epoch, part, seq", key
            )
            for epoch, part, blob in rows:
                sets.setdefault((epoch, part), []).append(Crowd.unpack(blob))
        self._panes.move_to_end(key)
        return sets


def _bytes(runs: list[Crowd]) -> int:
    return sum(run.members.nbytes + run.series.nbytes for run in runs)
