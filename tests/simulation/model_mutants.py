"""Broken variants of the reference runner: each is a mistake that a real program has made.

A harness that cannot see them proves nothing. The number is the one in `reliability.md` 10.4.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from typing import Any

from simulation.model import Entry, Model, Tail
from simulation.oracle import Record


class CursorFirst(Model):
    """1: the cursor is committed before the numbers."""

    def between(self) -> None:
        self.db.execute("commit")
        self.db.execute("begin immediate")


class NumbersFirst(Model):
    """2: the numbers are committed before the cursor."""

    def commit(self, records: Sequence[Record], moved: tuple[list[bytes], int, int], closing: int) -> None:
        self.db.execute("begin immediate")
        self.queue(self.store_numbers(records), closing)
        self.db.execute("commit")
        self.db.execute("begin immediate")
        self.store_cursor(*moved)
        self.db.execute("commit")
        self.show()


class DeletedBeforeSent(Model):
    """3: the outbox row is gone before the sink has acknowledged it."""

    def payload(self, sink: Any, seq: int) -> bytes:
        payload = super().payload(sink, seq)
        self.db.execute("delete from outbox where seq = ?", (seq,))
        return payload


class _AlwaysNewTail(Tail):
    def inflate(self, packed: bytes) -> Entry:
        data = super().inflate(packed)
        return data and bytearray(data)  # type: ignore[return-value]


class ArchiveIsNew(Model):
    """4: a compressed archive is always a new file."""

    tail = _AlwaysNewTail

    def is_finished(self, entry: bytes, done: set[tuple[int, int]]) -> bool:
        if isinstance(entry, bytearray):
            return (zlib.crc32(entry, 1), len(entry)) in done
        return super().is_finished(entry, done)

    def store_cursor(self, finished: Iterable[bytes], offset: int, crc: int) -> None:
        finished = list(finished)
        super().store_cursor(finished, offset, crc)
        for entry in finished:
            if isinstance(entry, bytearray):
                row = (zlib.crc32(entry, 1), len(entry))
                self.db.execute("insert or ignore into finished values (?, ?)", row)

    def matches(self, entry: bytes, offset: int, crc: int) -> bool:
        return isinstance(entry, bytearray) or super().matches(entry, offset, crc)


class _SkippingTail(Tail):
    def inflate(self, packed: bytes) -> Entry:
        return b"" if super().inflate(packed) else None


class ArchiveIsSkipped(Model):
    """5: a compressed archive with a stored offset counts as read."""

    tail = _SkippingTail

    def matches(self, _entry: bytes, _offset: int, _crc: int) -> bool:
        return True

    def joined(self, entries: Sequence[Entry], offset: int, crc: int) -> tuple[bytes, list[int]]:
        first = entries[0] if entries else b""
        if first is not None and not Model.matches(self, first, offset, crc):
            self.db.execute("update cursor set offset = 0, crc = 0")
        return super().joined(entries, offset, crc)


class NoContentCheck(Model):
    """6 and 9: whatever is under the live name, and long enough, is the file that the cursor is in."""

    def unfinished(self, entries: list[Entry]) -> list[Entry]:
        return entries[-1:]

    def matches(self, entry: bytes, offset: int, _crc: int) -> bool:
        if len(entry) < offset:
            self.db.execute("update cursor set offset = 0, crc = 0")
        return len(entry) >= offset


class _ImpatientTail(Tail):
    def inflate(self, packed: bytes) -> Entry:
        return zlib.decompressobj(31).decompress(packed) or None


class HalfWrittenArchive(Model):
    """7: an archive is read while it is written."""

    tail = _ImpatientTail


class OnlyThisRun(Model):
    """8: each turn writes the part of the window that it has just read (the scheme of the original parser)."""

    def store_numbers(self, records: Sequence[Record]) -> set[tuple[int, str]]:
        starts = {record.time_us - record.time_us % self.every for record in records}
        for start in starts:
            self.db.execute("update panes set n = 0, total = 0, top = 0 where start = ?", (start,))
            self.db.execute("delete from members where start = ?", (start,))
        return super().store_numbers(records)


class NoCarry(Model):
    """10: half a line at the end of a rotated file is given up."""

    def joined(self, entries: Sequence[Entry], offset: int, crc: int) -> tuple[bytes, list[int]]:
        cut = [entry if entry is None else entry[: entry.rfind(b"\n") + 1] for entry in entries[:-1]]
        return super().joined([*cut, *entries[-1:]], offset, crc)

    def moved(self, entries: Sequence[Entry], position: int) -> tuple[list[bytes], int, int]:
        whole = [entry for entry in entries if entry is not None]
        cut = [entry[: entry.rfind(b"\n") + 1] for entry in whole[:-1]]
        done, position, crc = super().moved([*cut, *whole[-1:]], position)
        return whole[: len(done)], position, crc


class _CredulousTail(Tail):
    def is_copy(self, archive: bytes, live: bytes) -> bool:
        return live.startswith(archive[:1]) if b"\n" not in archive else live.startswith(archive)


class TinyPrefixIsCopy(Model):
    """11: a fragment of a few bytes is taken for a copy of the file that begins like it."""

    tail = _CredulousTail


class NoBarrier(Model):
    """12: an archive that is not complete yet does not hold back what comes after it."""

    def joined(self, entries: Sequence[Entry], offset: int, crc: int) -> tuple[bytes, list[int]]:
        return super().joined([entry for entry in entries if entry is not None], offset, crc)

    def moved(self, entries: Sequence[Entry], position: int) -> tuple[list[bytes], int, int]:
        return super().moved([entry for entry in entries if entry is not None], position)

    def matches(self, entry: bytes, offset: int, crc: int) -> bool:
        if not super().matches(entry, offset, crc):
            self.db.execute("update cursor set offset = 0, crc = 0")
        return True


class FinishedMatchesAnyLength(Model):
    """13: a file that only begins like a finished one counts as finished."""

    def is_finished(self, entry: bytes, done: set[tuple[int, int]]) -> bool:
        return any(len(entry) >= size and zlib.crc32(entry[:size]) == crc for crc, size in done)


class NotFrozen(Model):
    """14: the value is computed again when it is sent."""

    def payload(self, sink: Any, seq: int) -> bytes:
        start, key = self.db.execute("select start, key from outbox where seq = ?", (seq,)).fetchone()
        (rev,) = self.db.execute("select rev from outbox where seq = ?", (seq,)).fetchone()
        point = self.point(start, key)
        object.__setattr__(point, "revision", rev)
        return bytes(sink.encode([point]))


class ShownBeforeCommit(Model):
    """15: `/metrics` shows what is not committed yet, so a crash takes it back."""

    def queue(self, touched: Any, closing: int) -> None:
        self.show()
        super().queue(touched, closing)


class ClosedByArrival(Model):
    """16: a window closes as soon as a record of the next one is read, whatever the disorder."""

    def closing(self, busy: bool) -> int:
        (newest,) = self.db.execute("select newest from clock").fetchone()
        return max(super().closing(busy), newest or 0)


class LateIsLost(Model):
    """17: records of a closed window are dropped."""

    def store_numbers(self, records: Sequence[Record]) -> set[tuple[int, str]]:
        (closed,) = self.db.execute("select closed from clock").fetchone()
        return super().store_numbers([r for r in records if r.time_us >= closed])


MODEL_MUTANTS: tuple[type[Model], ...] = (
    CursorFirst,
    NumbersFirst,
    DeletedBeforeSent,
    ArchiveIsNew,
    ArchiveIsSkipped,
    NoContentCheck,
    HalfWrittenArchive,
    OnlyThisRun,
    NoCarry,
    TinyPrefixIsCopy,
    NoBarrier,
    FinishedMatchesAnyLength,
    NotFrozen,
    ShownBeforeCommit,
    ClosedByArrival,
    LateIsLost,
)
