"""What a sink of samples was sent of each series of totals, and what of it has no sample yet.

A series stays here after its last sample, with the total that it goes on with when it grows again.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

Labels = tuple[tuple[str, str], ...]
"""Sorted by name."""

Totals = Mapping[str, Any]
"""Values that JSON can hold, by name."""

_COLUMNS = "labels, time, active, live, origin, sent, due, former"

_REMEMBERED = 65_536
"""Label sets whose text is remembered."""

_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

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
        written: `sent` as it is stored; None where it has changed since.
        former: What `sent` was before the request that is under way, as it is stored.
    """

    labels: Labels
    origin: int = 0
    time: int | None = None
    active: int = 0
    live: bool = False
    sent: Totals | None = None
    due: Totals | None = None
    written: str | None = None
    former: str | None = None

    def begin(self) -> None:
        """A request is made: this is what the series stands on before it."""
        self.former = self.written if self.written is not None else _written(self.sent)

    def step_back(self) -> None:
        """The request under way is not there and never will be; what it had is due."""
        self.due, self.sent, self.written = self.due or self.sent, _read(self.former), self.former
        self.live = True


class Sampled:
    """The table `sampled`; everything is part of the running transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def live(self, sink: str, metric: str) -> dict[Labels, Course]:
        """The series that have a sample with every window."""
        rows = self._connection.execute(
            f"select {_COLUMNS} from sampled where sink = ? and metric = ? and live", (sink, metric)
        )
        return {course.labels: course for course in _courses(rows.fetchall())}

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
            found.update((course.labels, course) for course in _courses(rows.fetchall()))
        return found

    def save(self, sink: str, metric: str, courses: Iterable[Course]) -> None:
        """Remember series as they are now."""
        self._connection.executemany(
            f"insert into sampled (sink, metric, {_COLUMNS}) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " on conflict do update set time = excluded.time, active = excluded.active, live = excluded.live,"
            " origin = excluded.origin, sent = excluded.sent, due = excluded.due, former = excluded.former",
            [(sink, metric, *_row(course)) for course in courses],
        )

    def owes(self, sink: str) -> bool:
        """Whether a series has grown by something that has no sample yet, and is in no window that waits."""
        row = self._connection.execute(
            "select 1 from sampled where sink = ? and live and due is not null limit 1", (sink,)
        ).fetchone()
        return row is not None

    def forget(self, metric: str, origin: int, labels: Iterable[Labels]) -> None:
        """The totals of these series are gone for good: whoever comes back begins anew, at every sink."""
        self._connection.executemany(
            "delete from sampled where metric = ? and labels = ? and origin = ?",
            [(metric, _text(one), origin) for one in labels],
        )

    def forget_metrics(self, prefix: str) -> None:
        """Nothing was sent of metrics whose names begin like this, as far as anybody knows."""
        self._connection.execute("delete from sampled where substr(metric, 1, ?) = ?", (len(prefix), prefix))

    def restart(self, metric: str) -> None:
        """The totals of a metric begin with 0 again, at every sink."""
        self._connection.execute(
            "update sampled set sent = null, due = null, former = null, live = 0 where metric = ?", (metric,)
        )

    def forget_sink(self, sink: str) -> None:
        """A sink is gone for good."""
        self._connection.execute("delete from sampled where sink = ?", (sink,))

    def begin_anew(self) -> None:
        """Every series has another name at the sinks from now on; its totals go on."""
        self._connection.execute(
            "update sampled set sent = coalesce(due, sent), due = null, former = null, time = null, live = 0"
        )


def _courses(rows: Sequence[tuple[Any, ...]]) -> list[Course]:
    """What rows say; what was sent of all of them is read at once."""
    read = json.loads(f"[{','.join([row[5] or 'null' for row in rows])}]")
    return [
        Course(_labels(labels), origin, time, active, bool(live), was, _read(due), sent, former)
        for was, (labels, time, active, live, origin, sent, due, former) in zip(read, rows, strict=True)
    ]


def _row(course: Course) -> tuple[Any, ...]:
    sent = course.written if course.written is not None else _written(course.sent)
    due, live = _written(course.due), int(course.live)
    return (_text(course.labels), course.time, course.active, live, course.origin, sent, due, course.former)


@lru_cache(maxsize=_REMEMBERED)
def _text(labels: Labels) -> str:
    return _json(labels)


@lru_cache(maxsize=_REMEMBERED)
def _labels(text: str) -> Labels:
    return tuple([(name, value) for name, value in json.loads(text)])


def _read(text: str | None) -> Totals | None:
    return None if text is None else json.loads(text)


def _written(totals: Totals | None) -> str | None:
    if totals is None:
        return None
    if {type(value) for value in totals.values()} == {int}:  # nearly all are, and an encoder is made for each text
        return f"{{{','.join([f'{_quoted(name)}:{value}' for name, value in totals.items()])}}}"
    return _json(totals)


@lru_cache(maxsize=_REMEMBERED)
def _quoted(name: str) -> str:
    return _json(name)


def _marks(values: Collection[object]) -> str:
    return ", ".join("?" * len(values))
