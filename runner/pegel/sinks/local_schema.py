"""The tables of `points.db`: what the sink `local` writes and `LocalPoints` reads.

    metrics   one row per metric: its number, name, help and the kinds of its values
    series    one row per metric and label set; `seen` is the last day (UTC, since 1970) on which it had a point
    points    one row per series and window, values as a JSON object

Rows lie in the order of metric and time: new points are appended to a few pages, the oldest are cut off in
one piece, and a question about an hour reads an hour.
"""

from __future__ import annotations

import sqlite3

FILE_NAME = "points.db"
"""Name of the store in the state directory."""

APPLICATION_ID = 0x50474C50  # "PGLP": tells our file from any other database
VERSION = 1

_TABLES = """
create table metrics (
    id integer primary key,
    name text not null unique,
    help text not null,
    kinds text not null
) strict;
create table series (
    id integer primary key,
    metric integer not null,
    labels text not null,
    seen integer not null,
    unique (metric, labels)
) strict;
create index series_by_day on series (metric, seen);
create table points (
    metric integer not null,
    start_us integer not null,
    series integer not null,
    width_us integer not null,
    revision integer not null,
    vals text not null,
    primary key (metric, start_us, series)
) strict, without rowid;
"""


def prepare(connection: sqlite3.Connection) -> None:
    """Create the tables in an empty file, and make sure that any other is ours.

    Raises:
        sqlite3.DatabaseError: It belongs to another program, or to a newer version of this one.
    """
    if connection.execute("select count(*) from sqlite_schema").fetchone() == (0,):
        connection.execute("pragma auto_vacuum = incremental")  # cannot be changed once there is a table
        connection.executescript(
            f"begin; {_TABLES} pragma application_id = {APPLICATION_ID}; pragma user_version = {VERSION}; commit;"
        )
    check(connection)


def check(connection: sqlite3.Connection) -> None:
    """Make sure that the file is a store that this program can read; see `prepare`."""
    owner, version = (connection.execute(f"pragma {name}").fetchone()[0] for name in ("application_id", "user_version"))
    if owner != APPLICATION_ID:
        raise sqlite3.DatabaseError("it is not a store of points; name another file")
    if version > VERSION:
        raise sqlite3.DatabaseError(f"it has version {version}, this program knows {VERSION}; use the newer program")
