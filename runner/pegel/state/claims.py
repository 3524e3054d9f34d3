"""Whose a window is: the live runner's, or that of a back-fill beside it.

A sink that replaces keeps the last point that it was sent for a window, so each window has one owner who has seen
all of its records. A live state remembers the first window of every metric that it ever showed; what is before
that may be claimed, once and for ever, and whatever the live runner still reads of claimed windows it leaves alone.
A claim is one fact in the state, so it holds for a runner that runs at the time.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from pegel.errors import StateError
from pegel.state.schema import MIGRATIONS

EVER = 2**62
"""Later than every window; its negative is earlier."""

FINISHED = "backfill_finished"
"""The fact that says when a back-fill had read all that was given and closed its windows, in us."""

Span = tuple[int, int]
"""Windows that start in [first, second), in us."""


def first_key(metric: str) -> str:
    """The fact that says which window of a metric was the first to be shown."""
    return f"first_window:{metric}"


def foreign_key(metric: str) -> str:
    """The fact that says which windows of a metric are somebody else's."""
    return f"foreign_windows:{metric}"


def to_text(spans: Sequence[Span]) -> str:
    """How spans are stored."""
    return json.dumps(spans, separators=(",", ":"))


def from_text(text: object) -> tuple[Span, ...]:
    """Stored spans; none where nothing is stored."""
    return tuple((start, end) for start, end in json.loads(str(text))) if text is not None else ()


def is_in(spans: Sequence[Span], pane: int) -> bool:
    """Whether a window is in one of the spans."""
    return any(start <= pane < end for start, end in spans)


def claim(directory: Path, untouched: Mapping[str, int]) -> dict[str, int]:
    """Take the windows of a live state that come before its first; returns where they end, by metric.

    What was claimed before stays as it is. The runner of the state may be at work.

    Args:
        directory: Of the live state.
        untouched: Where the claim on a metric ends that the live state has never shown.

    Raises:
        StateError: The state cannot be written.
    """
    path = directory / "state.db"
    try:
        with closing(sqlite3.connect(path, isolation_level=None, timeout=10.0)) as connection:
            connection.execute("pragma synchronous = full")
            connection.execute("begin immediate")
            _refuse_other_schema(connection, path)
            ends = {metric: _claimed(connection, metric, start) for metric, start in untouched.items()}
            connection.execute("commit")
    except sqlite3.Error as error:
        raise StateError(f"cannot write to {path}: {error}") from error
    return ends


def _claimed(connection: sqlite3.Connection, metric: str, untouched: int) -> int:
    before = from_text(_fact(connection, foreign_key(metric)))
    if before:
        return before[0][1]
    first = _fact(connection, first_key(metric))
    end = untouched if first is None else int(str(first))
    connection.execute("insert into meta values (?, ?)", (foreign_key(metric), to_text([(-EVER, end)])))
    return end


def counted(directory: Path) -> dict[str, Span] | None:
    """The first window that a back-fill has counted and where its windows end, by metric; None until it has finished.

    They end at its watermark, or where its own windows did: time may have gone on while it waited for nothing.

    Raises:
        StateError: Its state cannot be read.
    """
    path = directory / "state.db"
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5.0)) as connection:
            _refuse_other_schema(connection, path)
            if _fact(connection, FINISHED) is None:
                return None
            query = "select name, max(watermark) from metrics where watermark is not null group by name"
            ends = dict(connection.execute(query).fetchall())
            firsts = {metric: _fact(connection, first_key(metric)) for metric in ends}
            foreign = {metric: from_text(_fact(connection, foreign_key(metric))) for metric in ends}
    except sqlite3.Error as error:
        raise StateError(f"cannot read {path}: {error}") from error
    last = {
        metric: min([start for start, end in spans if end == EVER], default=EVER) for metric, spans in foreign.items()
    }
    return {
        metric: (int(str(first)), min(ends[metric], last[metric]))
        for metric, first in firsts.items()
        if first is not None
    }


def _fact(connection: sqlite3.Connection, name: str) -> object:
    row = connection.execute("select value from meta where name = ?", (name,)).fetchone()
    return row[0] if row else None


def _refuse_other_schema(connection: sqlite3.Connection, path: Path) -> None:
    (version,) = connection.execute("pragma user_version").fetchone()
    if version != len(MIGRATIONS):
        raise StateError(
            f"{path} has schema {version} and this program {len(MIGRATIONS)}; let this version of pegel run on it first"
        )
