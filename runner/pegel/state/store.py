"""Opening, checking and committing state.db."""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pegel.errors import StateError
from pegel.state import snapshots
from pegel.state.fenced import Fenced
from pegel.state.keys import KeyRing
from pegel.state.letters import Letters
from pegel.state.lock import DirectoryLock
from pegel.state.outbox import Outbox
from pegel.state.positions import Positions
from pegel.state.sampled import Sampled
from pegel.state.schema import migrate
from pegel.state.series import SeriesTable
from pegel.state.touched import TouchedStreams
from pegel.state.windows import WindowTables

Connect = Callable[[str], sqlite3.Connection]
"""Opens a database file; a parameter, so that a test can fail any call on it."""

CHECKED_AT_START = 64 * 2**20
"""Bytes; a bigger file is checked while the runner already reads, so that it starts at once."""


RESTORED = "restored"
"""Fact: when this state was put in the place of a newer one, in us; what sinks have up to then may be newer than it."""


def connect(path: str) -> sqlite3.Connection:
    """Open a database without implicit transactions; the state's one writer thread owns it."""
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10.0)


class State:
    """The state of one runner. One thread writes; everything it writes becomes true in one commit.

    Attributes:
        boot: Number of this start; every commit asserts that no later start has taken over.
        identity: Random name of this state, for ever.
        positions: Where the sources are, and their watermarks.
        series: Label sets that were admitted, per metric.
        windows: Panes, sets and totals, per metric.
        keys: Secret keys of distinct members.
        outbox: What sinks have not acknowledged.
        fenced: What may still be overtaken at a sink by a former value.
        letters: What sinks will never store.
        touched: Streams that wait to be released.
        sampled: What sinks of samples were sent of each series.
    """

    def __init__(self, directory: Path, connect: Connect = connect, *, accept_loss: bool = False) -> None:
        """Take the lock, check the file and bring it to this program's schema.

        Raises:
            StateError: Locked, unreadable, newer than this program, corrupt without a snapshot, or on a
                network file system.
        """
        make_private(directory)
        self.directory = directory
        self.path = directory / "state.db"
        self._snapshot_at: float | None = None
        self._snapshot_facts: dict[str, Any] = {}
        self._lock = DirectoryLock(directory)
        try:
            self.restored = snapshots.recover(self.path, accept_loss=accept_loss, checked_size=CHECKED_AT_START)
            self.connection = connect(str(self.path))
            prepare(self.connection)
            migrate(self.connection)
            self.boot, self.identity = self._claim()
            self.positions = Positions(self.connection)
            self.series = SeriesTable(self.connection)
            self.windows = WindowTables(self.connection)
            self.outbox = Outbox(self.connection, self.boot)
            self.fenced = Fenced(self.connection)
            self.letters = Letters(self.connection)
            self.touched = TouchedStreams(self.connection)
            self.sampled = Sampled(self.connection)
            self.keys = KeyRing(self.connection)
        except sqlite3.Error as error:
            self._lock.release()
            raise StateError(f"cannot use {self.path}: {error}") from error
        except BaseException:
            self._lock.release()
            raise

    def _claim(self) -> tuple[int, str]:
        """Raise the boot number; whoever held the state before can no longer commit."""
        self.connection.execute("begin immediate")
        boot = int(self.meta("boot") or 0) + 1
        identity = str(self.meta("identity") or secrets.token_hex(8))
        self.remember("boot", boot)
        self.remember("identity", identity)
        self.connection.execute("commit")
        return boot, identity

    def renew_identity(self) -> str:
        """Give this state another name, which sinks tell runners apart by; part of the running transaction.

        Where series have that name as a label they begin anew there, with the totals that they have reached.
        """
        self.identity = secrets.token_hex(8)
        self.remember("identity", self.identity)
        self.remember(snapshots.COPIED, None)
        self.sampled.begin_anew()
        return self.identity

    def meta(self, name: str) -> Any:
        """A single fact about the state, None if it was never set."""
        row = self.connection.execute("select value from meta where name = ?", (name,)).fetchone()
        return row[0] if row else None

    def snapshot_fact(self, name: str) -> Any:
        """A single fact about the state as its newest snapshot has it, None if there is none."""
        newest = snapshots.taken(self.path)
        if newest != self._snapshot_at:
            self._snapshot_at, self._snapshot_facts = newest, snapshots.facts(self.path)
        return self._snapshot_facts.get(name)

    @property
    def is_newest_copy(self) -> bool:
        """Whether this is the newest snapshot of what it was taken of, as far as anybody knows."""
        return bool(self.meta(snapshots.COPIED) == self.snapshot_fact(snapshots.COPIED))

    def restore_begins(self, now: int) -> bool:
        """Whether this is a snapshot that nobody has run since it was put in its place; asked once for all.

        Then what is told about the runner itself begins anew; part of the running transaction.

        Args:
            now: Wall clock in us, which becomes the moment of the restore.
        """
        if self.meta(snapshots.COPIED) is None:
            return False
        self.remember(snapshots.COPIED, None)
        self.remember(RESTORED, now)
        self.connection.execute("delete from counters")
        return True

    def remember(self, name: str, value: object) -> None:
        """Set a single fact about the state; part of the running transaction."""
        self.connection.execute("insert or replace into meta values (?, ?)", (name, value))

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing: what is written inside is committed at the end, or undone by any exception.

        Raises:
            StateError: Another runner has taken over this state, or the disk refused; nothing has changed.
        """
        connection = self.connection
        try:
            connection.execute("begin immediate")
            if self.meta("boot") != self.boot:
                raise StateError("another runner has taken over this state directory")
            yield connection
            self.windows.members.flush()
            keys = self.keys.save()
            connection.execute("commit")
        except BaseException as error:
            self._undo()
            if _is_of_the_disk(error):
                raise StateError(f"cannot write to {self.path}: {error}", fatal=_fatal(error)) from error
            raise
        self.keys.saved(keys)
        self.windows.settle()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """What is read outside of a transaction.

        Raises:
            StateError: The disk refused.
        """
        try:
            yield
        except sqlite3.Error as error:
            if not _is_of_the_disk(error):
                raise
            raise StateError(f"cannot read {self.path}: {error}", fatal=_fatal(error)) from error

    def _undo(self) -> None:
        """Back to the last commit, in the file and in every index in memory."""
        if self.connection.in_transaction:
            self.connection.execute("rollback")
        self.series.forget()
        self.windows.forget()
        self.keys.forget()

    def count(self, name: str, value: int, **labels: str) -> None:
        """Add to one of our own counters; part of the running transaction."""
        self.connection.execute(
            "insert into counters values (?, ?, ?) on conflict do update set value = value + excluded.value",
            (name, canonical(labels), value),
        )

    def counters(self) -> dict[tuple[str, str], int]:
        """Our own counters: (name, labels as text) -> value."""
        rows = self.connection.execute("select name, labels, value from counters")
        return {(name, labels): value for name, labels, value in rows}

    def check_in_background(self) -> None:
        """Check a file that was too big to be checked at the start; called on a thread of its own.

        Raises:
            StateError: It is damaged.
        """
        if self.path.stat().st_size > CHECKED_AT_START:
            problem = snapshots.damage(self.path)
            if problem is not None:
                raise StateError(f"{self.path} is damaged ({problem}); start again to restore the newest snapshot")

    def carry_totals(self, old: int, new: int) -> None:
        """Give a metric's series and cumulative rows to the definition that follows it, once.

        Both have the same labels and parts. Part of the running transaction.
        """
        name = f"totals_of:{old}"
        if self.meta(name) is None:
            pairs = self.series.copy(old, new)
            self.windows.move_totals(old, new, pairs)
            self.remember(name, new)

    def close(self) -> None:
        """Close the file and let another runner in."""
        self.connection.close()
        self._lock.release()


def _is_of_the_disk(error: BaseException) -> bool:
    """Whether the file failed, not the program."""
    return isinstance(error, sqlite3.OperationalError) or type(error) is sqlite3.DatabaseError


def _fatal(error: BaseException) -> bool:
    """Whether what is on the disk is unknown after an error: a failed fsync, a damaged file."""
    unknown = (
        sqlite3.SQLITE_IOERR_FSYNC,
        sqlite3.SQLITE_IOERR_DIR_FSYNC,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
    )
    return getattr(error, "sqlite_errorcode", None) in unknown


def canonical(labels: object) -> str:
    """One text for one label set."""
    return json.dumps(labels, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def prepare(connection: sqlite3.Connection) -> None:
    """Set what makes a commit durable and the file lean."""
    connection.execute("pragma auto_vacuum = incremental")
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = full")
    connection.execute("pragma secure_delete = on")
    connection.execute("pragma cache_size = -8192")  # KiB
    connection.execute("pragma temp_store = memory")


def make_private(directory: Path) -> None:
    """Make the state directory, readable by nobody else.

    Raises:
        StateError: It cannot be made, or it belongs to another user.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = directory.stat().st_uid
    except OSError as error:
        raise StateError(f"cannot make the state directory {directory}: {error.strerror}") from error
    if owner != os.geteuid() and os.geteuid() != 0:
        raise StateError(f"the state directory {directory} belongs to another user (uid {owner})")
