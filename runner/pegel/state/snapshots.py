"""Copies of the state that survive a broken file, and the way back to them."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from pegel.errors import StateError

GENERATIONS = 2

COPIED = "copied"
"""Fact in a snapshot: when it was taken, in us. A state that begins with it has been put in the place of another."""


def take(path: Path) -> Path:
    """Copy a live state.db consistently; the older generation makes room. Returns the new snapshot.

    Runs on a connection of its own, beside the writer.
    """
    newest, older = snapshot_path(path, 0), snapshot_path(path, 1)
    fresh = path.with_suffix(".snapshot-new")
    fresh.unlink(missing_ok=True)
    source = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    target = sqlite3.connect(fresh)
    try:
        source.backup(target, pages=256)
        target.execute("pragma journal_mode = delete")
        with target:
            target.execute("insert or replace into meta values (?, ?)", (COPIED, round(time.time() * 1e6)))
        _drop_keys_that_expired(target)
    finally:
        source.close()
        target.close()
    _sync(fresh)
    if newest.exists():
        newest.replace(older)
    fresh.replace(newest)
    _sync(path.parent)
    return newest


def age(path: Path, now: float) -> float | None:
    """Seconds since the newest snapshot was taken; None if there is none."""
    newest = taken(path)
    return None if newest is None else max(0.0, now - newest)


def taken(path: Path) -> float | None:
    """When the newest snapshot was taken, in seconds since 1970; None if there is none."""
    for number in range(GENERATIONS):  # a moment ago the newest may have become the older one
        with suppress(FileNotFoundError):
            return snapshot_path(path, number).stat().st_mtime
    return None


def facts(path: Path) -> dict[str, Any]:
    """The single facts in the newest snapshot; nothing where there is none, or it cannot be read."""
    newest = snapshot_path(path, 0)
    if not newest.exists():
        return {}
    try:
        with closing(sqlite3.connect(f"file:{newest}?mode=ro", uri=True)) as connection:
            return dict(connection.execute("select name, value from meta").fetchall())
    except sqlite3.Error:
        return {}  # it was replaced a moment ago; the next look finds the other one


def recover(path: Path, *, accept_loss: bool, checked_size: int) -> Path | None:
    """Put the newest good snapshot in the place of a state.db that is broken; returns it, None if all is well.

    The broken file is kept beside as `state.db.corrupt-<time>`.

    Raises:
        StateError: It is broken and there is no good snapshot (unless the loss is accepted).
    """
    if not path.exists():
        return None
    problem = damage(path) if path.stat().st_size <= checked_size else damage(path, header_only=True)
    if problem is None:
        return None
    aside = path.with_name(f"{path.name}.corrupt-{int(time.time())}")
    candidates = [snapshot_path(path, number) for number in range(GENERATIONS)]
    good = next((candidate for candidate in candidates if candidate.exists() and damage(candidate) is None), None)
    if good is None and not accept_loss:
        raise StateError(
            f"{path} is damaged ({problem}) and there is no good snapshot beside it; restore a backup,"
            " or start with --accept-state-loss to begin anew"
        )
    path.replace(aside)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    if good is not None:
        copy_whole(good, path)
    return good


def damage(path: Path, *, header_only: bool = False) -> str | None:
    """What is wrong with a database file, in SQLite's words; None if it is sound."""
    connection = sqlite3.connect(path)
    try:
        if header_only:
            connection.execute("select count(*) from sqlite_schema").fetchone()
            return None
        verdict = connection.execute("pragma quick_check(1)").fetchone()[0]
        return None if verdict == "ok" else str(verdict)
    except sqlite3.DatabaseError as error:
        return str(error)
    finally:
        connection.close()


def snapshot_path(path: Path, generation: int) -> Path:
    """Where a generation of snapshots is kept."""
    return path.with_name(f"{path.name}.snapshot-{generation}")


def copy_whole(source: Path, target: Path) -> None:
    """Copy a file so that the target is either absent or complete, also after a power cut."""
    fresh = target.with_name(target.name + ".new")
    fresh.write_bytes(source.read_bytes())
    _sync(fresh)
    fresh.replace(target)
    _sync(target.parent)


def _drop_keys_that_expired(target: sqlite3.Connection) -> None:
    """Free pages of a snapshot may hold keys that the live file has overwritten; they leave with a vacuum."""
    target.execute("vacuum")


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
