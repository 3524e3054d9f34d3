"""Prefixes and their origins, remembered: in memory for look-ups, in a file for the next start.

No address is kept, only prefixes: what was announced, and the /24 (IPv6 /48) that was asked about.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from pegel.enrichers.networks import Network
from pegel.enrichers.newest import why
from pegel.enrichers.whois import Prefix, prefix

MOST = 100_000
"""Prefixes that are kept; beyond, those go first that end first."""

_VERSION = 1
_SCHEMA = f"""
create table prefixes (
    server text not null, prefix text not null, asn text, name text, country text, until integer not null,
    primary key (server, prefix)) strict, without rowid;
create table servers (server text primary key, failures integer not null, not_before integer not null) strict;
pragma user_version = {_VERSION};
"""

_SHORTEN = """
delete from prefixes where (server, prefix) in (
    select server, prefix from prefixes order by until desc limit -1 offset ?)
"""

_log = logging.getLogger(__name__)

Connect = Callable[[Path], sqlite3.Connection]
"""Opens the database file."""


class Known(NamedTuple):
    """What is known of a prefix: whose it is (None: nobody's), until when."""

    network: Network | None
    until: float


class Found(NamedTuple):
    """The longest known prefix around an address."""

    length: int
    network: Network | None


class Prefixes:
    """Known prefixes, found by the longest that covers an address. Not safe for threads by itself."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._tables: dict[int, dict[int, dict[int, Known]]] = {4: {}, 16: {}}
        self._lengths: dict[int, list[int]] = {4: [], 16: []}
        self._count = 0

    def find(self, address: bytes, now: float) -> Found | None:
        """The longest prefix around an address that is known at that time."""
        width = len(address)
        number, tables = int.from_bytes(address, "big"), self._tables[width]
        for length in self._lengths[width]:
            known = tables[length].get(number >> (8 * width - length))
            if known is not None and now < known.until:
                return Found(length, known.network)
        return None

    def add(self, where: Prefix, known: Known, now: float) -> None:
        """Know a prefix, instead of what was known of it."""
        width = len(where.address)
        tables = self._tables[width]
        if where.length not in tables:
            tables[where.length] = {}
            self._lengths[width] = sorted(tables, reverse=True)
        key = int.from_bytes(where.address, "big") >> (8 * width - where.length)
        self._count += key not in tables[where.length]
        tables[where.length][key] = known
        if self._count > self._most:
            self._forget(now)

    def _forget(self, now: float) -> None:
        """Make room for a tenth."""
        ends = sorted(known.until for table in self._every() for known in table.values())
        border = max(now, ends[len(ends) - self._most * 9 // 10])
        for table in self._every():
            for key in [key for key, known in table.items() if known.until <= border]:
                del table[key]
        self._count = sum(map(len, self._every()))

    def _every(self) -> Iterator[dict[int, Known]]:
        for tables in self._tables.values():
            yield from tables.values()


@dataclass
class Memory:
    """What is remembered of a server from one start to the next.

    Attributes:
        prefixes: Prefixes and what is known of them.
        failures: Queries in a row that failed.
        not_before: When it may be asked again, in seconds since 1970.
    """

    prefixes: dict[Prefix, Known] = field(default_factory=dict)
    failures: int = 0
    not_before: float = 0.0


def connect(path: Path) -> sqlite3.Connection:
    """Open the file, which only its owner may read."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
    return sqlite3.connect(path, timeout=2.0, isolation_level=None)


class PrefixFile:
    """The file behind the memory: small, and worth nothing that could not be asked again.

    One that is damaged is begun anew, and one that cannot be written is done without; both are said once.
    """

    def __init__(self, path: Path, server: str, connect: Connect = connect, most: int = MOST) -> None:
        self._path = path
        self._server = server
        self._connect = connect
        self._most = most
        self._trouble = ""

    def load(self) -> Memory:
        """What was remembered; nothing if there is no file or it cannot be read."""
        memory = Memory()
        self._run(lambda database: self._read(database, memory))
        return memory

    def look(self) -> Memory:
        """What somebody else remembers there; the file is left as it is, and silently not used if that is no use."""
        memory = Memory()
        try:
            address = f"{self._path.absolute().as_uri()}?mode=ro"
            with contextlib.closing(sqlite3.connect(address, uri=True, timeout=2.0)) as database:
                self._read(database, memory)
        except sqlite3.Error:
            return Memory()
        return memory

    def save(self, memory: Memory, now: float) -> None:
        """Add to what is remembered, and forget what is over."""
        if not self._run(lambda database: self._write(database, memory, now)):
            self._run(lambda database: self._write(database, memory, now))

    def _read(self, database: sqlite3.Connection, memory: Memory) -> None:
        for row in database.execute("select failures, not_before from servers where server = ?", [self._server]):
            memory.failures, memory.not_before = row
        rows = database.execute("select * from prefixes where server = ? limit ?", [self._server, self._most])
        for _, text, asn, name, country, until in rows:
            where = prefix(text)
            if where is not None:
                memory.prefixes[where] = Known(Network(asn, name, country) if asn else None, until)

    def _write(self, database: sqlite3.Connection, memory: Memory, now: float) -> None:
        rows = [
            (self._server, str(where), *(known.network or (None, None, None)), round(known.until))
            for where, known in memory.prefixes.items()
        ]
        standing = [self._server, memory.failures, round(memory.not_before)]
        database.execute("begin immediate")
        database.executemany("insert or replace into prefixes values (?, ?, ?, ?, ?, ?)", rows)
        database.execute("insert or replace into servers values (?, ?, ?)", standing)
        database.execute("delete from prefixes where until <= ?", [round(now)])
        database.execute(_SHORTEN, [self._most])
        database.execute("commit")

    def _run(self, work: Callable[[sqlite3.Connection], None]) -> bool:
        """Work on the file; false if it was damaged and is gone now."""
        try:
            with contextlib.closing(self._connect(self._path)) as database:
                _prepare(database)
                work(database)
        except (OSError, sqlite3.OperationalError) as error:
            self._tell(f"cannot be used: {why(error)}; after a restart the whois server is asked again")
        except sqlite3.DatabaseError:
            self._tell("was damaged and is begun anew")
            return not self._removed()
        else:
            self._trouble = ""
        return True

    def _removed(self) -> bool:
        try:
            self._path.unlink(missing_ok=True)
        except OSError:
            return False
        return True

    def _tell(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            _log.warning("%s %s.", self._path, trouble)


def _prepare(database: sqlite3.Connection) -> None:
    """Make the tables in a new file. A crash of the machine may spoil it: that is cheaper than waiting for the disk."""
    database.execute("pragma synchronous = off")
    ((version,),) = database.execute("pragma user_version").fetchall()
    ((tables,),) = database.execute("select count(*) from sqlite_master").fetchall()
    if version != _VERSION and tables:
        raise sqlite3.DatabaseError("made by another version")
    if not tables:
        database.executescript(_SCHEMA)
