"""A reference runner in a few lines: the protocol of `reliability.md` section 2 over SQLite, nothing fast.

It shows that the harness accepts a right runner, and carries the broken variants that no seam of the
product can express. It reads the whole log at every step and trusts two habits of the simulated rotator
that a product must not trust: names are numbered, and only what was read is deleted.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import Any

from pegel.errors import Retryable, StateError
from pegel.formats import End
from pegel.seams import Files
from pegel.sinks import Point
from simulation.oracle import Record
from simulation.records import take
from simulation.stage import LOG, Stage

_TABLES = """
create table if not exists cursor
    (one integer primary key check (one = 1), offset integer, crc integer);
create table if not exists finished
    (crc integer, size integer, primary key (crc, size));
create table if not exists clock
    (one integer primary key check (one = 1), newest integer, active integer, closed integer);
create table if not exists panes
    (start integer, key text, n integer, total integer, top integer, last integer,
    last_time integer, last_number integer, rev integer default 0, primary key (start, key));
create table if not exists members
    (start integer, key text, user text, primary key (start, key, user));
create table if not exists totals
    (key text primary key, n integer, total integer);
create table if not exists outbox
    (seq integer primary key autoincrement, sink text, start integer, key text, rev integer,
    payload blob, frozen integer default 0)
"""

_ADD = """
insert into panes values (?1, ?2, 1, ?3, ?3, ?3, ?4, ?5, 0) on conflict do update set
    n = n + 1, total = total + ?3, top = max(top, ?3),
    last = iif((?4, ?5) > (last_time, last_number), ?3, last),
    last_time = max(last_time, ?4),
    last_number = iif((?4, ?5) > (last_time, last_number), ?5, last_number)
"""
_ADD_TOTAL = "insert into totals values (?1, 1, ?2) on conflict do update set n = n + 1, total = total + ?2"
_ADVANCE = "update clock set newest = max(coalesce(newest, ?1), ?1), active = ?2"

_TURN = 500
"""Bytes of a turn: many small commits, many places to crash."""

Entry = bytes | None
"""Content of one file of the log, None while its archive is not complete."""


class Tail:
    """The log as a sequence of contents, oldest first; the first that is not finished is where we are."""

    def __init__(self, files: Files) -> None:
        self._files = files

    def entries(self) -> list[Entry]:
        """The archives that are no copy of another file, then the live file."""
        numbers = {int(name.split(".")[2]) for name in self._files.glob(f"{LOG}.*") if "~" not in name}
        live = self._read(LOG)
        found = [self._archive(number) for number in sorted(numbers, reverse=True)]
        if found and live and found[-1] is not None and self.is_copy(found[-1], live):
            found.pop()
        return [entry for entry in found if entry != b""] + [live or b""]

    def is_copy(self, archive: bytes, live: bytes) -> bool:
        """Whether the newest archive is a copy of the live file that is not truncated yet."""
        return live.startswith(archive) and b"\n" in archive

    def _archive(self, number: int) -> Entry:
        plain = self._read(f"{LOG}.{number}")
        return plain if plain is not None else self.inflate(self._read(f"{LOG}.{number}.gz") or b"")

    def inflate(self, packed: bytes) -> Entry:
        """The content of an archive that is complete."""
        inflater = zlib.decompressobj(31)
        data = inflater.decompress(packed)
        return data if inflater.eof else None

    def _read(self, path: str) -> bytes | None:
        """The content of a file, None if there is none of this name."""
        try:
            file = self._files.open(path)
        except FileNotFoundError:
            return None
        try:
            return file.pread(1 << 24, 0)
        finally:
            file.close()


class Model:
    """The reference runner."""

    tail: type[Tail] = Tail

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.every = round(stage.timing.every * 1e6)
        self.reader = self.tail(stage.files)

    def open(self) -> None:
        try:
            self.prepare()
        except sqlite3.OperationalError as error:
            raise StateError(str(error)) from error

    def prepare(self) -> None:
        self.db: sqlite3.Connection = self.stage.connect(str(self.stage.state / "model.db"))
        self.db.execute("pragma journal_mode = wal")
        for statement in _TABLES.split(";"):
            self.db.execute(statement)
        self.db.execute("insert or ignore into cursor values (1, 0, 0)")
        self.db.execute("insert or ignore into clock values (1, null, 0, 0)")
        self.show()

    def close(self) -> None:
        self.db.close()

    def rejected(self) -> int:
        return 0

    def late(self) -> int:
        return 0

    def step(self) -> bool:
        try:
            return self.turn()
        except sqlite3.OperationalError as error:  # a disk that is full, found at a read or at a commit
            raise StateError(str(error)) from error

    def turn(self) -> bool:
        try:
            entries = self.unfinished(self.reader.entries())
        except OSError:  # not now: what cannot be read may be anything
            entries = []
        offset, crc = self.db.execute("select offset, crc from cursor").fetchone()
        data, seams = self.joined(entries, offset, crc)
        found = take(data[:_TURN], End.MORE, [cut for cut in seams if cut <= _TURN])
        closing = self.closing(bool(found.consumed))
        if found.consumed or closing:
            moved = self.moved(entries, offset + found.consumed) if found.consumed else ([], offset, crc)
            self.commit(found.records, moved, closing)
        sent = [self.deliver(sink) for sink in self.stage.sinks]
        return bool(found.consumed) or bool(closing) or any(sent)

    # --- reading

    def unfinished(self, entries: list[Entry]) -> list[Entry]:
        """Leave out what was read to its end."""
        done = set(self.db.execute("select crc, size from finished").fetchall())
        return [e for e in entries if e is None or not self.is_finished(e, done)]

    def is_finished(self, entry: bytes, done: set[tuple[int, int]]) -> bool:
        """Whether this content was read to its end, by all of its bytes."""
        return (zlib.crc32(entry), len(entry)) in done

    def joined(self, entries: Sequence[Entry], offset: int, crc: int) -> tuple[bytes, list[int]]:
        """The bytes from the cursor on, over all files that can be read in order, and where files meet."""
        if not entries or entries[0] is None or not self.matches(entries[0], offset, crc):
            return b"", []
        data, seams = entries[0][offset:], []
        for entry in entries[1:]:
            if entry is None:
                break
            seams.append(len(data))
            data += entry
        return data, seams

    def matches(self, entry: bytes, offset: int, crc: int) -> bool:
        """Whether this is the file that the cursor is in."""
        return len(entry) >= offset and zlib.crc32(entry[:offset]) == crc

    def moved(self, entries: Sequence[Entry], position: int) -> tuple[list[bytes], int, int]:
        """Contents that are finished, and the cursor behind them."""
        rest = [entry for entry in takewhile(lambda one: one is not None, entries) if entry is not None]
        done: list[bytes] = []
        while len(rest) > 1 and rest[1] and position >= len(rest[0]):
            position -= len(rest[0])
            done.append(rest.pop(0))
        return done, position, zlib.crc32(rest[0][:position])

    # --- the commit

    def closing(self, busy: bool) -> int:
        """The watermark if it passes the end of a window that is open, else 0."""
        newest, active, closed = self.db.execute("select newest, active, closed from clock").fetchone()
        now = round(self.stage.clock.wall() * 1e6)
        timing = self.stage.timing
        mark = 0 if newest is None else newest - round(timing.disorder * 1e6)
        if not busy and newest is not None and now - active > timing.idle_after * 1e6:
            mark = max(mark, now - round((timing.idle_after + timing.disorder) * 1e6))
        waiting = self.db.execute("select 1 from panes where start >= ? and start + ? <= ?", (closed, self.every, mark))
        return mark if waiting.fetchone() else 0

    def commit(self, records: Sequence[Record], moved: tuple[list[bytes], int, int], closing: int) -> None:
        """Numbers, cursor, watermark and outgoing points, all or nothing."""
        self.db.execute("begin immediate")
        self.store_cursor(*moved)
        self.between()
        touched = self.store_numbers(records)
        self.queue(touched, closing)
        self.db.execute("commit")
        self.show()

    def between(self) -> None:
        """Between cursor and numbers: nothing, since both are one transaction."""

    def store_cursor(self, finished: Iterable[bytes], offset: int, crc: int) -> None:
        for entry in finished:
            self.db.execute("insert or ignore into finished values (?, ?)", (zlib.crc32(entry), len(entry)))
        self.db.execute("update cursor set offset = ?, crc = ?", (offset, crc))

    def store_numbers(self, records: Sequence[Record]) -> set[tuple[int, str]]:
        touched = set()
        for r in records:
            start = r.time_us - r.time_us % self.every
            touched.add((start, r.key))
            self.db.execute(_ADD, (start, r.key, r.value, r.time_us, r.number))
            self.db.execute("insert or ignore into members values (?, ?, ?)", (start, r.key, r.user))
            self.db.execute(_ADD_TOTAL, (r.key, r.value))
        if records:
            now = round(self.stage.clock.wall() * 1e6)
            newest = min(now, max(r.time_us for r in records))
            self.db.execute(_ADVANCE, (newest, now))
        return touched

    def queue(self, touched: Iterable[tuple[int, str]], closing: int) -> None:
        """Outbox rows of windows that close now, and of closed ones that changed."""
        (closed,) = self.db.execute("select closed from clock").fetchone()
        mark = max(closing, closed)
        mark -= mark % self.every
        opened = self.db.execute(
            "select start, key from panes where start >= ? and start < ?", (closed, mark)
        ).fetchall()
        for start, key in sorted({*opened, *((s, k) for s, k in touched if s < mark)}):
            self.db.execute("update panes set rev = rev + 1 where start = ? and key = ?", (start, key))
            self.put(start, key)
        self.db.execute("update clock set closed = ?", (mark,))

    def put(self, start: int, key: str) -> None:
        point = self.point(start, key)
        for sink in self.stage.sinks:
            if not sink.view:
                name = sink.receiver.name  # type: ignore[attr-defined]
                self.db.execute(
                    "delete from outbox where sink = ? and start = ? and key = ? and not frozen",
                    (name, start, key),
                )
                self.db.execute(
                    "insert into outbox (sink, start, key, rev, payload) values (?, ?, ?, ?, ?)",
                    (name, start, key, point.revision, sink.encode([point])),
                )

    def point(self, start: int, key: str) -> Point:
        n, total, top, last, rev = self.db.execute(
            "select n, total, top, last, rev from panes where start = ? and key = ?", (start, key)
        ).fetchone()
        (users,) = self.db.execute("select count(*) from members where start = ? and key = ?", (start, key)).fetchone()
        values = {"n": n, "total": total, "users": users, "top": top, "last": last}
        return Point("requests", (("key", key),), start, start + self.every, values, revision=rev)

    # --- sending

    def deliver(self, sink: Any) -> bool:
        """Send the oldest row: frozen before its first byte leaves, deleted once it is acknowledged."""
        if sink.view:
            return False
        row = self.db.execute(
            "select seq from outbox where sink = ? order by seq limit 1", (sink.receiver.name,)
        ).fetchone()
        if row is None:
            return False
        self.db.execute("update outbox set frozen = 1 where seq = ?", row)
        try:
            sink.send(self.payload(sink, row[0]))
        except Retryable:
            return True
        self.db.execute("delete from outbox where seq = ?", row)
        return True

    def payload(self, _sink: Any, seq: int) -> bytes:
        (payload,) = self.db.execute("select payload from outbox where seq = ?", (seq,)).fetchone()
        return bytes(payload)

    def show(self) -> None:
        """Give the committed totals to the views."""
        rows = self.db.execute("select key, n, total from totals order by key").fetchall()
        points = [Point("requests", (("key", key),), 0, 0, {"n": n, "total": total}) for key, n, total in rows]
        for sink in self.stage.sinks:
            if sink.view:
                sink.send(sink.encode(points))


def model(stage: Stage) -> Model:
    """Build the reference runner."""
    return Model(stage)
