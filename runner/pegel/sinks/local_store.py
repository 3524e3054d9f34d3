"""The writing side of `points.db`: one transaction per call, numbers of metrics and series remembered."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from math import isfinite
from pathlib import Path
from typing import cast

from pegel.sinks import Histogram, Value
from pegel.sinks.local_caps import DAY_US, Caps
from pegel.sinks.local_schema import prepare
from pegel.sinks.ndjson import exists, plain
from pegel.sinks.points import Block
from pegel.sinks.safe_text import clean, clean_name, to_json

_MAX_REMEMBERED = 200_000
"""Series whose numbers are kept in memory (some 60 MB); beyond, they are looked up again."""

_UPSERT_POINT = """
insert into points (metric, start_us, series, width_us, revision, vals) values (?, ?, ?, ?, ?, ?)
on conflict do update set width_us = excluded.width_us, revision = excluded.revision, vals = excluded.vals
where excluded.revision >= points.revision
"""
_UPSERT_SERIES = """
insert into series (metric, labels, seen) values (?, ?, ?)
on conflict (metric, labels) do update set seen = max(seen, excluded.seen) returning id, seen
"""
_UPSERT_METRIC = """
insert into metrics (name, help, kinds) values (?, ?, ?)
on conflict (name) do update set help = excluded.help, kinds = excluded.kinds returning id
"""

_Series = dict[tuple[str, ...], tuple[int, int]]
"""Number of a series and the last day it was seen on, by label values."""


class LocalStore:
    """The open database.

    Args:
        path: Where it is; it is created if it is not there.
        caps: What may stay in it.

    Raises:
        sqlite3.Error: It cannot be used; the text says why.
    """

    def __init__(self, path: Path, caps: Caps) -> None:
        self._caps = caps
        self._metrics: dict[tuple[str, str, str], int] = {}
        self._series: dict[tuple[int, tuple[str, ...]], _Series] = {}
        self._version: int | None = None
        # Used by one thread at a time, though not always by the one that opened it.
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            prepare(self._db)  # first: a file that belongs to somebody else stays as it is
            _configure(self._db)
        except sqlite3.Error:
            self._db.close()
            raise

    def put(self, blocks: Iterable[Block]) -> None:
        """Store the points of all blocks and drop what the caps no longer allow, in one durable transaction.

        Raises:
            sqlite3.Error: Nothing was stored; close this store and open it again.
        """
        with self._db:
            self._db.execute("begin immediate")
            self._forget_if_written_by_another()
            count = sum([self._put_block(block) for block in blocks])
            series_dropped = self._caps.enforce(self._db, count)
        if series_dropped or sum(map(len, self._series.values())) > _MAX_REMEMBERED:
            self._series.clear()

    def close(self) -> None:
        """Give the file back."""
        self._db.close()

    def _forget_if_written_by_another(self) -> None:
        """A back-fill beside a runner may have dropped series whose numbers are remembered here."""
        (version,) = self._db.execute("pragma data_version").fetchone()
        if version != self._version:
            self._version = version
            self._series.clear()
            self._metrics.clear()

    def _put_block(self, block: Block) -> int:
        if not block.value_names:
            return 0
        metric = self._metric(block)
        series = self._numbers(metric, block)
        texts = _values_as_json(block.value_names, block.values)
        rows = zip(block.starts, series, block.widths, block.revisions, texts, strict=True)
        self._db.executemany(_UPSERT_POINT, [(metric, *row) for row in rows if row[-1] != "{}"])
        return block.rows

    def _metric(self, block: Block) -> int:
        key = (clean_name(block.metric), clean(block.help), to_json(block.kinds, compact=True))
        number = self._metrics.get(key)
        if number is None:
            (number,) = self._db.execute(_UPSERT_METRIC, key).fetchone()
            self._metrics[key] = number
        return number

    def _numbers(self, metric: int, block: Block) -> list[int]:
        """The numbers of the series of a block's rows."""
        names = block.label_names
        known = self._series.setdefault((metric, names), {})
        rows = zip(*block.labels, strict=True) if names else [()] * block.rows
        numbers = []
        for start, texts in zip(block.starts, rows, strict=True):
            day = start // DAY_US
            found = known.get(texts)
            if found is None or found[1] < day:
                labels = to_json(dict(zip(names, texts, strict=True)), compact=True)
                found = known[texts] = self._db.execute(_UPSERT_SERIES, (metric, labels, day)).fetchone()
            numbers.append(found[0])
        return numbers


def _configure(connection: sqlite3.Connection) -> None:
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = full")
    connection.execute(f"pragma journal_size_limit = {4 * 2**20}")


def _values_as_json(names: Sequence[str], columns: Sequence[Sequence[Value | Histogram]]) -> list[str]:
    """The values of each row as a JSON object, `{}` where there are none."""
    rows = zip(*[_fields(name, column) for name, column in zip(names, columns, strict=True)], strict=True)
    return ["{" + ",".join(filter(None, row)) + "}" for row in rows]


def _fields(name: str, column: Sequence[Value | Histogram]) -> list[str]:
    """The values of a column with their name, as they stand in an object; empty where they do not exist."""
    key = to_json(name) + ":"
    if set(map(type, column)) <= {int, float}:  # almost every column, and three times as fast
        return [f"{key}{value!r}" if isfinite(cast("float", value)) else "" for value in column]
    return [key + to_json(plain(value), compact=True) if exists(value) else "" for value in column]
