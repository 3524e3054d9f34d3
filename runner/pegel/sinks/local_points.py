"""The reading side of `points.db`, for `pegel points` and the status page; usable while the runner writes."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pegel.errors import StateError
from pegel.sinks import Histogram, Kind, Point, Value
from pegel.sinks.local_schema import check
from pegel.sinks.local_steps import in_steps

_METRICS = """
select name, help, kinds, (select count(*) from series where metric = metrics.id),
       (select min(start_us) from points where metric = metrics.id),
       (select max(start_us) from points where metric = metrics.id) as newest,
       (select width_us from points where metric = metrics.id order by start_us desc limit 1)
from metrics where newest is not null order by name
"""
_POINTS = """
select start_us, series, width_us, revision, vals from points
where metric = ? and start_us >= ? and start_us < ? and series in (select value from json_each(?))
"""
_NEWEST = "select max(start_us) from points where metric = ? and start_us < ?"
_SERIES = "select id, labels from series where metric = ?"
_ALWAYS = (-(2**63), 2**63 - 1)


@dataclass(frozen=True)
class StoredMetric:
    """A metric that has points.

    Attributes:
        name: As in the config, prefix included.
        help: Its sentence.
        kinds: By value, in the order of the config.
        series: How many label sets it has.
        oldest_us: Start of its oldest window.
        newest_us: Start of its newest window.
        width_us: Length of its newest window.
    """

    name: str
    help: str
    kinds: Mapping[str, Kind]
    series: int
    oldest_us: int
    newest_us: int
    width_us: int


class LocalPoints:
    """The store, opened for reading only; use it in a `with` block.

    Each call sees one committed state of the store and never makes the runner wait.

    Raises:
        FileNotFoundError: There is no store at this path yet.
        StateError: There is one, but it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db = _open(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the file back."""
        self._db.close()

    def metrics(self) -> list[StoredMetric]:
        """The metrics that have points, by name."""
        return [
            StoredMetric(name, text, json.loads(kinds), *numbers)
            for name, text, kinds, *numbers in self._query(_METRICS)
        ]

    def series(self, metric: str, labels: Mapping[str, str] | None = None) -> list[dict[str, str]]:
        """The label sets of a metric that have at least these labels, sorted."""
        number, _, _ = self._metric(metric)
        return sorted(self._series(number, labels or {}).values(), key=lambda each: sorted(each.items()))

    def newest_windows(self, metric: str, count: int, before_us: int | None = None) -> list[int]:
        """The starts of the newest `count` windows (that start before a time), oldest of them first."""
        number, _, _ = self._metric(metric)
        starts: list[int] = []
        before = _ALWAYS[1] if before_us is None else before_us
        while len(starts) < count:
            # One step down the index per window, however many series it has.
            ((start,),) = self._query(_NEWEST, number, before)
            if start is None:
                break
            starts.append(start)
            before = start
        return starts[::-1]

    def points(
        self,
        metric: str,
        labels: Mapping[str, str] | None = None,
        since_us: int | None = None,
        until_us: int | None = None,
        values: Collection[str] | None = None,
        step_us: int | None = None,
    ) -> list[Point]:
        """The points of a metric by time, then labels; an unknown metric has none.

        Args:
            metric: Its name.
            labels: Only series that have these labels, with these values.
            since_us: Only windows that start then or later.
            until_us: Only windows that start before.
            values: Only these values.
            step_us: Combine windows to steps of this length: counters and histograms are added up, other
                numbers averaged, of texts the last one stays.
        """
        number, help_text, kinds = self._metric(metric)
        series = self._series(number, labels or {})
        since = _ALWAYS[0] if since_us is None else since_us
        until = _ALWAYS[1] if until_us is None else until_us
        rows = self._query(_POINTS, number, since, until, json.dumps(list(series)))
        sets = {each: tuple(sorted(pairs.items())) for each, pairs in series.items()}
        points = [
            Point(metric, sets[row[1]], row[0], row[0] + row[2], _values(row[4], values), kinds, row[3], help_text)
            for row in rows
        ]
        points.sort(key=lambda point: (point.start_us, point.labels))
        return in_steps(points, step_us) if step_us else points

    def _metric(self, name: str) -> tuple[int, str, dict[str, Kind]]:
        found = self._query("select id, help, kinds from metrics where name = ?", name)
        return (found[0][0], found[0][1], json.loads(found[0][2])) if found else (-1, "", {})

    def _series(self, metric: int, labels: Mapping[str, str]) -> dict[int, dict[str, str]]:
        wanted = labels.items()
        found = ((number, json.loads(text)) for number, text in self._query(_SERIES, metric))
        return {number: pairs for number, pairs in found if wanted <= pairs.items()}

    def _query(self, sql: str, *parameters: object) -> list[Any]:
        try:
            return self._db.execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise StateError(f"{self._path}: {error}") from error


def _open(path: Path) -> sqlite3.Connection:
    if not path.is_file() or not path.stat().st_size:
        raise FileNotFoundError(path)
    # A reader needs the index of the write-ahead log. Where it may not create one nobody else is writing either.
    alone = not Path(f"{path}-wal").exists() and not os.access(path.parent, os.W_OK)
    address = f"{path.resolve().as_uri()}?mode=ro{'&immutable=1' if alone else ''}"
    try:
        connection = sqlite3.connect(address, uri=True, isolation_level=None)
        if connection.execute("select count(*) from sqlite_schema").fetchone() == (0,):
            connection.close()
            raise FileNotFoundError(path)
        check(connection)
    except sqlite3.Error as error:
        raise StateError(f"{path}: {error}") from error
    return connection


def _values(text: str, wanted: Collection[str] | None) -> dict[str, Value | Histogram]:
    values: dict[str, Any] = json.loads(text)
    return {
        name: _histogram(value) if isinstance(value, dict) else value
        for name, value in values.items()
        if wanted is None or name in wanted
    }


def _histogram(value: dict[str, Any]) -> Histogram:
    bounds, counts = zip(*value["buckets"], strict=True) if value["buckets"] else ((), ())
    return Histogram(tuple(bounds), (*counts, value["count"]), value["sum"])
