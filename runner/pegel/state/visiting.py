"""A small change of a state by another process than its runner, whether one runs or not.

The runner's memory knows nothing of what is changed here, so it may only be what is read afresh in every turn:
points that wait for sinks, dead letters, and how often sources were asked to try again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pegel.errors import StateError
from pegel.state.letters import Letters
from pegel.state.outbox import Outbox
from pegel.state.place import database
from pegel.state.positions import Positions
from pegel.state.schema import MIGRATIONS

_PATIENCE = 10.0
"""Seconds to wait for a turn of the runner to end."""


@dataclass(frozen=True)
class Visit:
    """What may be changed."""

    outbox: Outbox
    letters: Letters
    positions: Positions


@contextmanager
def visiting(directory: Path) -> Iterator[Visit]:
    """One transaction beside the runner: all that is done inside, or nothing of it.

    Raises:
        StateError: There is no state, it is of another version, or it cannot be written.
    """
    path = database(directory)
    if path is None:
        raise StateError(f"there is no state in {directory} yet; has the runner run?")
    try:
        connection = sqlite3.connect(f"file:{path}?mode=rw", uri=True, timeout=_PATIENCE, isolation_level=None)
        with closing(connection):
            connection.execute("pragma synchronous = full")
            connection.execute("begin immediate")
            (version,) = connection.execute("pragma user_version").fetchone()
            if version != len(MIGRATIONS):
                raise StateError(f"{path} has schema {version}, this program writes {len(MIGRATIONS)}; run it once")
            # closing without a commit undoes it
            yield Visit(Outbox(connection, 0), Letters(connection), Positions(connection))
            connection.execute("commit")
    except sqlite3.Error as error:
        raise StateError(f"cannot write to {path}: {error}") from error
