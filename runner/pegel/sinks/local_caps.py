"""What may stay in the embedded store, and the cutting off of the rest, a little at a time."""

from __future__ import annotations

import sqlite3
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
        max_age_us: Points that start longer than this before the newest one are dropped.
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
        if not bounds:
            return False
        cutoff = self._cutoff(db, min(each[1] for each in bounds), max(each[2] for each in bounds))
        budget = 4 * stored + 1000
        for metric, oldest, _ in bounds:
            if oldest < cutoff and budget > 0:
                budget -= _cut(db, metric, cutoff, budget)
        if budget == 4 * stored + 1000:
            return False
        return _forget_series(db)

    def _cutoff(self, db: sqlite3.Connection, oldest: int, newest: int) -> int:
        cutoff = newest - self.max_age_us
        size, pages, free = (_pragma(db, name) for name in ("page_size", "page_count", "freelist_count"))
        if (pages - free) * size > self.max_bytes * 15 // 16:
            cutoff = max(cutoff, oldest + (newest - oldest) // 16 + 1)
        if pages * size > self.max_bytes and free:  # the cap was higher before
            db.execute("pragma incremental_vacuum(256)").fetchall()
        return min(cutoff, newest)


def _cut(db: sqlite3.Connection, metric: int, cutoff: int, budget: int) -> int:
    """Delete whole windows before `cutoff`, oldest first, until about `budget` points are gone."""
    last = db.execute(
        "select start_us from points where metric = ? and start_us < ? order by start_us limit 1 offset ?",
        (metric, cutoff, budget),
    ).fetchone()
    end = cutoff if last is None else last[0] + 1
    return db.execute("delete from points where metric = ? and start_us < ?", (metric, end)).rowcount


def _forget_series(db: sqlite3.Connection) -> bool:
    """Delete the series that were last seen before the oldest point there is."""
    (oldest,) = db.execute(f"select min(oldest) from ({_BOUNDS})").fetchone()
    if oldest is None:
        return False
    return db.execute("delete from series where seen < ?", (oldest // DAY_US,)).rowcount > 0


def _pragma(db: sqlite3.Connection, name: str) -> int:
    value: int = db.execute(f"pragma {name}").fetchone()[0]
    return value
