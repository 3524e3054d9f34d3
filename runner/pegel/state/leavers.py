"""Members of rolling sets that have left: only the last pane of each is kept.

A client that stays for hours is in every pane's set, but what a rolling window asks is when it was last seen. So
once a pane is a few steps old, its sets are replaced by those members that were not seen again since: one row for
all series, however many there are.
"""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Members = NDArray[np.int64]
Series = NDArray[np.int32]
Place = tuple[int, int]
"""(epoch, part) of one metric."""

_HEAD = struct.Struct("<I")


class Leavers:
    """The table `leavers`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def put(self, metric: int, pane: int, place: Place, members: Members, series: Series) -> None:
        """Keep members, and the series of each, as last seen in a pane; part of the running transaction."""
        self._connection.execute(
            "insert or replace into leavers (metric, pane, epoch, part, members) values (?, ?, ?, ?, ?)",
            (metric, pane, *place, pack(members, series)),
        )

    def since(self, metric: int, pane: int) -> Iterator[tuple[int, Place, Members, Series]]:
        """Who left in a pane or a later one."""
        rows = self._connection.execute(
            "select pane, epoch, part, members from leavers where metric = ? and pane >= ?", (metric, pane)
        )
        for found, epoch, part, blob in rows:
            yield found, (epoch, part), *unpack(blob)

    def expire(self, metric: int, before: int) -> None:
        """Forget who left in panes that start before a time."""
        self._connection.execute("delete from leavers where metric = ? and pane < ?", (metric, before))


def pack(members: Members, series: Series) -> bytes:
    """The number of series, each with how many members it has, and the members by series."""
    order = np.argsort(series, kind="stable")
    numbers, counts = np.unique(series, return_counts=True)
    table = np.concatenate((numbers, counts)).astype("<i4")
    return _HEAD.pack(numbers.size) + table.tobytes() + members[order].astype("<i8").tobytes()


def unpack(blob: bytes) -> tuple[Members, Series]:
    """Members in the order of `pack`, and the series of each."""
    (size,) = _HEAD.unpack_from(blob)
    numbers, counts = np.frombuffer(blob, "<i4", 2 * size, _HEAD.size).reshape(2, size)
    members = np.frombuffer(blob, "<i8", offset=_HEAD.size + 8 * size)
    return members, np.repeat(numbers, counts)
