"""What a sink of samples was sent of each series of totals, and what of it has no sample yet.

A series stays here after its last sample, with the total that it goes on with when it grows again.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Labels = tuple[tuple[str, str], ...]
"""Sorted by name."""

Totals = Mapping[str, Any]
"""Values that JSON can hold, by name."""

_COLUMNS = "labels, time, active, live, origin, sent, due, former"

_AT_ONCE = 500
"""Series that one statement looks for."""


@dataclass
class Course:
    """One series, up to now.

    Attributes:
        origin: The definition that counts it; another one counts from 0.
        time: Of the newest sample in us; None if there is none.
        active: End of the window with which it grew last, in us.
        live: It has a sample with every window.
        sent: Totals of the newest sample.
        due: Newer totals, which have no sample yet.
        former: What `sent` was before the request that is under way.
    """

    labels: Labels
    origin: int = 0
    time: int | None = None
    active: int = 0
    live: bool = False
    sent: Totals | None = None
    due: Totals | None = None
    former: Totals | None = None


class Sampled:
    """The table `sampled`; everything is part of the running transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def live(self, sink: str, metric: str) -> dict[Labels, Course]:
        """The series that have a sample with every window."""
        rows = self._connection.execute(
            f"select {_COLUMNS} from sampled where sink = ? and metric = ? and live", (sink, metric)
        )
        return {course.labels: course for course in map(_course, rows)}

    def some(self, sink: str, metric: str, labels: Collection[Labels]) -> dict[Labels, Course]:
        """Those of the given series that are known, live or not."""
        wanted = [_text(one) for one in labels]
        found: dict[Labels, Course] = {}
        for start in range(0, len(wanted), _AT_ONCE):
            part = wanted[start : start + _AT_ONCE]
            rows = self._connection.execute(
                f"select {_COLUMNS} from sampled where sink = ? and metric = ? and labels in ({_marks(part)})",
                (sink, metric, *part),
            )
            found.update((course.labels, course) for course in map(_course, rows))
        return found

    def save(self, sink: str, metric: str, courses: Iterable[Course]) -> None:
        """Remember series as they are now."""
        self._connection.executemany(
            f"insert or replace into sampled (sink, metric, {_COLUMNS}) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [(sink, metric, *_row(course)) for course in courses],
        )

    def forget(self, metric: str, origin: int, labels: Iterable[Labels]) -> None:
        """The totals of these series are gone for good: whoever comes back begins anew, at every sink."""
        self._connection.executemany(
            "delete from sampled where metric = ? and labels = ? and origin = ?",
            [(metric, _text(one), origin) for one in labels],
        )

    def forget_sink(self, sink: str) -> None:
        """A sink is gone for good."""
        self._connection.execute("delete from sampled where sink = ?", (sink,))

    def begin_anew(self) -> None:
        """Every series has another name at the sinks from now on; its totals go on."""
        self._connection.execute(
            "update sampled set sent = coalesce(due, sent), due = null, former = null, time = null, live = 0"
        )


def _course(row: tuple[Any, ...]) -> Course:
    labels, time, active, live, origin, sent, due, former = row
    pairs = tuple([(name, text) for name, text in json.loads(labels)])
    return Course(pairs, origin, time, active, bool(live), *map(_totals, (sent, due, former)))


def _row(course: Course) -> tuple[Any, ...]:
    texts = map(_totals_text, (course.sent, course.due, course.former))
    return (_text(course.labels), course.time, course.active, int(course.live), course.origin, *texts)


def _text(labels: Labels) -> str:
    return json.dumps(labels, ensure_ascii=False, separators=(",", ":"))


def _totals(text: str | None) -> Totals | None:
    return None if text is None else json.loads(text)


def _totals_text(totals: Totals | None) -> str | None:
    return None if totals is None else json.dumps(totals, separators=(",", ":"))


def _marks(values: Collection[object]) -> str:
    return ", ".join("?" * len(values))
