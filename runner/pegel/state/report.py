"""What is in a state, as facts: read beside a running runner, never written."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pegel.errors import StateError
from pegel.state import snapshots
from pegel.state.letters import Letters
from pegel.state.place import database
from pegel.state.schema import MIGRATIONS
from pegel.state.windows import TOTAL


def report(directory: Path) -> dict[str, Any]:
    """All facts about the state in a directory, JSON-ready; times in microseconds since 1970.

    Raises:
        StateError: There is no state, or it cannot be read.
    """
    with looking(directory) as connection:
        return _facts(connection, directory / "state.db")


@contextmanager
def looking(directory: Path) -> Iterator[sqlite3.Connection]:
    """A connection that sees a state as of one commit, and cannot write to it.

    Raises:
        StateError: There is no state, or it cannot be read, or it is not one of this program.
    """
    path = database(directory)
    if path is None:
        raise StateError(f"there is no state in {directory} yet; has the runner run?")
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5.0, isolation_level=None)
        connection.row_factory = sqlite3.Row
        try:
            connection.execute("begin")
            (version,) = connection.execute("pragma user_version").fetchone()
            if version != len(MIGRATIONS):
                raise StateError(f"{path} has schema {version}, this program reads {len(MIGRATIONS)}")
            yield connection
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise StateError(f"cannot read {path}: {error}") from error


def _facts(connection: sqlite3.Connection, path: Path) -> dict[str, Any]:
    meta = dict(connection.execute("select name, value from meta").fetchall())
    kept = [snapshots.snapshot_path(path, number) for number in range(snapshots.GENERATIONS)]
    return {
        "state": str(path),
        "bytes": path.stat().st_size,
        "schema": len(MIGRATIONS),
        "identity": meta.get("identity"),
        "starts": meta.get("boot"),
        "snapshots": [{"path": str(one), "time": round(one.stat().st_mtime * 1e6)} for one in kept if one.exists()],
        "sources": _sources(connection),
        "metrics": _metrics(connection),
        "sinks": _sinks(connection),
        "counters": [
            {"name": name, "labels": json.loads(labels), "value": value}
            for name, labels, value in connection.execute(
                "select name, labels, value from counters order by name, labels"
            )
        ],
    }


def _sources(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    found = []
    for name, watermark, started in connection.execute("select name, watermark, started from sources order by name"):
        streams = connection.execute(
            "select stream, position, offset, done, cursor from streams where source = ? order by position",
            (name,),
        )
        partitions = connection.execute(
            "select partition, newest, active from partitions where source = ? order by partition", (name,)
        )
        found.append(
            {
                "name": name,
                "watermark": watermark,
                "start": started,
                "partitions": [dict(row) for row in partitions],
                "streams": [
                    {**dict(row), "done": bool(row["done"]), "cursor": json.loads(row["cursor"])} for row in streams
                ],
            }
        )
    return found


def _metrics(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    found = []
    for row in connection.execute(
        "select id, name, watermark, since, until, not_before from metrics order by name, id"
    ).fetchall():
        number = row["id"]
        (series,) = connection.execute(
            "select count(*) from series where metric = ? and retired is null", (number,)
        ).fetchone()
        exists = connection.execute("select 1 from sqlite_schema where name = ?", (f"panes_{number}",)).fetchone()
        panes, records, newest = 0, 0, None
        if exists:
            panes, records, newest = connection.execute(
                "select count(distinct pane), coalesce(sum(records), 0), max(pane)"
                f" from panes_{number} where pane > {TOTAL}"
            ).fetchone()
        counted = {"windows": panes, "records_in_windows": records, "newest": newest}
        found.append({**dict(row), "series": series, **counted})
    return found


def _sinks(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for table, column in (("outbox", "points"), ("requests", "payload")):
        query = f"select sink, sum(count), sum(length({column})), min(created) from {table} group by sink"
        for sink, points, size, oldest in connection.execute(query):
            entry = found.setdefault(sink, _sink(sink))
            entry["waiting_points"] += points
            entry["waiting_bytes"] += size
            entry["oldest"] = min(filter(None, (entry["oldest"], oldest)))
    for one in Letters(connection).counted():
        entry = found.setdefault(one.sink, _sink(one.sink))
        entry["dead_letters"] += one.points
        entry["reasons"].append(
            {
                "reason": one.reason,
                "points": one.points,
                "first": one.first,
                "last": one.last,
                "metrics": list(one.metrics),
            }
        )
    return sorted(found.values(), key=lambda entry: entry["name"])


def _sink(name: str) -> dict[str, Any]:
    return {"name": name, "waiting_points": 0, "waiting_bytes": 0, "oldest": None, "dead_letters": 0, "reasons": []}
