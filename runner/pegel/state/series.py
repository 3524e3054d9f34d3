"""Which label sets have a series of their own, and which are folded into `__other__`.

Admission is first come, first served in event time and kept for ever, so a restart moves no count
between a value and `__other__`. A series that is idle gives its slot back; its totals wait for it.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

OTHER = "__other__"
TOMBSTONE = 7 * 86400 * 10**6
"""Microseconds for which the totals of a retired series are kept, at least."""

Labels = tuple[str, ...]


@dataclass(frozen=True)
class Limits:
    """How many series a metric may have.

    Attributes:
        series: At most so many label sets without `__other__` in them.
        values: At most so many values of each label (None: no limit of its own).
        idle: Microseconds of event time after which a series gives its slot back.
        kept: Microseconds for which a retired series may still be in a window.
    """

    series: int
    values: tuple[int | None, ...]
    idle: int
    kept: int = 0

    @property
    def overflow(self) -> int:
        """How many series with `__other__` in them may exist before more labels collapse."""
        return max(100, self.series // 10)


@dataclass
class _Index:
    """The admitted series of one metric, as of the running transaction."""

    ids: dict[Labels, int] = field(default_factory=dict)
    retired: dict[Labels, int] = field(default_factory=dict)
    names: dict[int, Labels] = field(default_factory=dict)
    last: dict[int, int] = field(default_factory=dict)
    stored: dict[int, int] = field(default_factory=dict)
    values: list[Counter[str]] = field(default_factory=list)
    plain: int = 0
    overflowing: int = 0

    def enter(self, labels: Labels, series: int, last: int) -> None:
        self.ids[labels] = series
        self.names[series] = labels
        self.last[series] = self.stored[series] = last
        self._tally(labels, 1)

    def leave(self, labels: Labels) -> None:
        self.retired[labels] = self.ids.pop(labels)
        self._tally(labels, -1)

    def expire(self, gone: set[int]) -> None:
        """Forget series for good."""
        self.retired = {labels: series for labels, series in self.retired.items() if series not in gone}
        for series in gone:
            self.names.pop(series, None)
            self.last.pop(series, None)
            self.stored.pop(series, None)

    def _tally(self, labels: Labels, step: int) -> None:
        if OTHER in labels:
            self.overflowing += step
        else:
            self.plain += step
        while len(self.values) < len(labels):
            self.values.append(Counter())
        for counter, value in zip(self.values, labels, strict=True):
            counter[value] += step
            if not counter[value]:
                del counter[value]

    def count(self, position: int) -> int:
        """How many values of a label are in use, `__other__` aside."""
        counter = self.values[position]
        return len(counter) - (OTHER in counter)


class SeriesTable:
    """The table `series`, with an index in memory that a rollback discards."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._indexes: dict[int, _Index] = {}

    def admit(self, metric: int, labels: Labels, time: int, limits: Limits) -> int:
        """The series that a label set is counted in, at an event time in us; part of the running transaction."""
        index = self._index(metric)
        series = index.ids.get(labels)
        if series is None:
            series = self._enter(index, metric, self._fit(index, labels, limits), time)
        if time > index.last[series]:
            self._saw(index, series, time, limits)
        return series

    def admit_all(self, metric: int, times: Mapping[Labels, int], limits: Limits) -> dict[Labels, int]:
        """The series of label sets by the event times of their first records, as `admit` says; new ones in that order.

        Most of them are known, and nothing is to be noted of them.
        """
        index = self._index(metric)
        ids = index.ids
        new = sorted([(time, labels) for labels, time in times.items() if labels not in ids])
        places = {labels: self.admit(metric, labels, time, limits) for time, labels in new}
        for labels, time in times.items():
            if labels not in places:
                series = places[labels] = ids[labels]
                if time > index.last[series]:
                    self._saw(index, series, time, limits)
        return places

    def _saw(self, index: _Index, series: int, time: int, limits: Limits) -> None:
        """Note when a series was seen last; in the file no more often than it matters."""
        index.last[series] = time
        if time - index.stored[series] > limits.idle // 24:
            index.stored[series] = time
            self._connection.execute("update series set last = ? where id = ?", (time, series))

    def labels_of(self, metric: int, series: int) -> Labels:
        """The label values of a series, retired or not."""
        return self._index(metric).names[series]

    def find(self, metric: int, labels: Labels) -> int | None:
        """The series of a label set, retired or not; None if it was never admitted, or is forgotten."""
        index = self._index(metric)
        return index.ids.get(labels) or index.retired.get(labels)

    def live(self, metric: int) -> dict[Labels, int]:
        """The series that hold a slot."""
        return self._index(metric).ids

    def retire(self, metric: int, watermark: int, limits: Limits) -> tuple[list[int], dict[int, Labels]]:
        """Free the slots of idle series; returns them, and the series whose totals have expired for good."""
        index = self._index(metric)
        idle = [(labels, s) for labels, s in index.ids.items() if index.last[s] < watermark - limits.idle]
        for labels, series in idle:
            index.leave(labels)
            self._connection.execute("update series set retired = ? where id = ?", (watermark, series))
        rows = self._connection.execute(
            "select id from series where metric = ? and retired < ?",
            (metric, watermark - max(TOMBSTONE, limits.kept)),
        ).fetchall()
        expired = {series: index.names[series] for (series,) in rows}
        if expired:
            index.expire(set(expired))
            self._connection.executemany("delete from series where id = ?", [(series,) for series in expired])
        return [series for _, series in idle], expired

    def emitted(self, series: int) -> tuple[str | None, int | None]:
        """What an `info` series showed last, and for which window."""
        row = self._connection.execute("select emitted, emitted_at from series where id = ?", (series,)).fetchone()
        return (row[0], row[1]) if row else (None, None)

    def set_emitted(self, series: int, values: str, at: int) -> None:
        """Remember what an `info` series shows now."""
        self._connection.execute("update series set emitted = ?, emitted_at = ? where id = ?", (values, at, series))

    def say_all_again(self) -> None:
        """Let every `info` series speak with its next window."""
        self._connection.execute("update series set emitted_at = null where emitted_at is not null")

    def copy(self, old: int, new: int) -> list[tuple[int, int]]:
        """Admit the series of one metric in another one too; returns (old series, new series)."""
        self._connection.execute(
            "insert into series (metric, labels, last, retired)"
            " select ?, labels, last, retired from series where metric = ?",
            (new, old),
        )
        self._indexes.pop(new, None)
        return self._connection.execute(
            "select a.id, b.id from series a join series b on a.labels = b.labels where a.metric = ? and b.metric = ?",
            (old, new),
        ).fetchall()

    def forget(self) -> None:
        """The transaction is undone: read the index anew."""
        self._indexes.clear()

    def _index(self, metric: int) -> _Index:
        index = self._indexes.get(metric)
        if index is None:
            index = self._indexes[metric] = _Index()
            rows = self._connection.execute("select id, labels, last, retired from series where metric = ?", (metric,))
            for series, text, last, retired in rows.fetchall():
                labels = tuple(json.loads(text))
                index.enter(labels, series, last)
                if retired is not None:
                    index.leave(labels)
        return index

    def _enter(self, index: _Index, metric: int, labels: Labels, time: int) -> int:
        series = index.ids.get(labels)
        if series is not None:
            return series
        series = index.retired.pop(labels, None)
        if series is not None:
            self._connection.execute("update series set retired = null, last = ? where id = ?", (time, series))
        else:
            text = json.dumps(labels, ensure_ascii=False, separators=(",", ":"))
            cursor = self._connection.execute(
                "insert into series (metric, labels, last) values (?, ?, ?)", (metric, text, time)
            )
            series = int(cursor.lastrowid or 0)
        index.enter(labels, series, time)
        return series

    def _fit(self, index: _Index, labels: Labels, limits: Limits) -> Labels:
        """The labels under which a new label set is counted."""
        fitted = list(labels)
        for position, most in enumerate(limits.values):
            if most is None or position >= len(index.values):
                continue
            if fitted[position] not in index.values[position] and index.count(position) >= most:
                fitted[position] = OTHER
        if OTHER not in fitted and index.plain < limits.series:
            return tuple(fitted)
        if OTHER in fitted and index.overflowing < limits.overflow:
            return tuple(fitted)
        for position in sorted(range(len(fitted)), key=index.count, reverse=True):
            fitted[position] = OTHER
            if tuple(fitted) in index.ids or index.overflowing < limits.overflow:
                break
        return tuple(fitted)
