"""What may stay in the embedded store, and the cutting off of the rest, a little at a time."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

DAY_US = 86_400_000_000

_BOUNDS = """
select id, (select min(start_us) from points where metric = metrics.id) as oldest,
       (select max(start_us) from points where metric = metrics.id) as newest
from metrics where oldest is not null
"""


@dataclass(frozen=True)
class Caps:
    """Limits of the store.

    Attributes:
        max_age_us: Points that start longer than this before the newest one of their metric are dropped.
        max_bytes: Size that the file keeps to by dropping the oldest windows of all metrics.
    """

    max_age_us: int
    max_bytes: int

    def enforce(self, db: sqlite3.Connection, stored: int) -> bool:
        """Drop what is too old or too much; true if series were dropped with their last points.

        The work is in proportion to the `stored` points, so that no call is slow because much has become too
        old at once; the next calls go on. The newest window always stays.
        """
        bounds = db.execute(_BOUNDS).fetchall()
        budget = full = 4 * stored + 1000
        too_much = self._cutoff_by_size(db, bounds)
        for metric, oldest, newest in bounds:
            cutoff = min(max(newest - self.max_age_us, too_much), newest)
            if oldest < cutoff and budget > 0:
                budget -= _cut(db, metric, cutoff, budget)
        return budget < full and _forget_series(db)

    def _cutoff_by_size(self, db: sqlite3.Connection, bounds: Sequence[tuple[int, int, int]]) -> int:
        """The time before which points have to go so that the file keeps its size."""
        size, pages, free = (_pragma(db, name) for name in ("page_size", "page_count", "freelist_count"))
        if pages * size > self.max_bytes and free:  # the cap was higher before
            db.execute("pragma incremental_vacuum(256)").fetchall()
        if not bounds or (pages - free) * size <= self.max_bytes * 15 // 16:
            return -(2**63)
        oldest, newest = min(each[1] for each in bounds), max(each[2] for each in bounds)
        return oldest + (newest - oldest) // 16 + 1


def _cut(db: sqlite3.Connection, metric: int, cutoff: int, budget: int) -> int:
    """Delete whole windows before `cutoff`, oldest first, until about `budget` points are gone."""
    last = db.execute(
        "select start_us from points where metric = ? and start_us < ? order by start_us limit 1 offset ?",
        (metric, cutoff, budget),
    ).fetchone()
    end = cutoff if last is None else last[0] + 1
    return db.execute("delete from points where metric = ? and start_us < ?", (metric, end)).rowcount


def _forget_series(db: sqlite3.Connection) -> bool:
    """Delete the series that were last seen before the oldest point of their metric."""
    gone = 0
    for metric, oldest, _ in db.execute(_BOUNDS).fetchall():
        sql = "delete from series where metric = ? and seen < ?"
        gone += db.execute(sql, (metric, oldest // DAY_US)).rowcount
    return gone > 0


def _pragma(db: sqlite3.Connection, name: str) -> int:
    value: int = db.execute(f"pragma {name}").fetchone()[0]
    return value
