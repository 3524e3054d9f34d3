"""Who a stream is: checksums of what was consumed, and the files it was seen in.

A stream is the content of one generation of a log. It keeps its identity when its file is renamed, copied,
packed or moved to another device, because identity is content: a running CRC-32 over all consumed bytes, the
length, fingerprints of the first bytes and of those before the offset. Inode and name only make finding it
cheap. No byte of a record is stored.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from isal import isal_zlib

from pegel.seams import FileStat
from pegel.sources import Position

EDGE = 1024
"""Bytes at the beginning and before the offset that have a fingerprint of their own."""

_CHECKPOINTS = 12
_SPACING = 64
_NAMES = 4
_COPIES = 3


class FileKey(NamedTuple):
    """A file in one state; a rename does not change it, a write does."""

    dev: int
    ino: int
    size: int
    mtime_ns: int
    birth_ns: int

    @classmethod
    def of(cls, stat: FileStat) -> FileKey:
        """The key of a file as it is now."""
        return cls(stat.dev, stat.ino, stat.size, stat.mtime_ns, stat.birth_ns)

    def same_file(self, stat: FileStat) -> bool:
        """Whether it is the same inode; where birth times are known, they must agree."""
        born_together = not self.birth_ns or not stat.birth_ns or self.birth_ns == stat.birth_ns
        return (self.dev, self.ino) == (stat.dev, stat.ino) and born_together


class Checkpoint(NamedTuple):
    """The CRC-32 of all bytes before an offset."""

    offset: int
    crc: int


def crc_of(data: bytes | memoryview, crc: int = 0) -> int:
    """Extend a CRC-32."""
    return int(isal_zlib.crc32(data, crc))


def crc_of_zeros(count: int, crc: int = 0) -> int:
    """Extend a CRC-32 by that many zero bytes, without touching them one by one."""
    block, length = crc_of(b"\0"), 1
    while count:
        if count & 1:
            crc = int(isal_zlib.crc32_combine(crc, block, length))
        block = int(isal_zlib.crc32_combine(block, block, length))
        length *= 2
        count >>= 1
    return crc


def fingerprint(data: bytes) -> str:
    """A short hash of a few bytes."""
    return hashlib.blake2b(data, digest_size=8).hexdigest()


_NOTHING = Checkpoint(0, 0)


@dataclass
class Stream:
    """One generation of a log: how far it is consumed, and how to recognise it.

    Attributes:
        id: Never used for another stream.
        order: Place in the order of reading.
        offset: First byte that is not consumed.
        crc: Of all bytes before `offset`.
        head: Length and CRC of the first bytes, at most EDGE of them.
        tail: The last bytes before `offset`, at most EDGE; in memory only.
        tail_print: Length and fingerprint of the tail as it was stored.
        end: Length and CRC of the whole stream, once its end is certain.
        copies: Length and CRC of files that hold only a beginning of it, made by a rotator that was too early.
        late: It was found behind streams that are younger; it is read for itself.
        seen: The largest size that its file was seen with.
        files: The files that hold it, by name, oldest knowledge first.
        fate: Why it ended without being read to its end, such as `lost`.
    """

    id: str
    order: int
    offset: int = 0
    crc: int = 0
    head: Checkpoint = _NOTHING
    tail: bytes = b""
    tail_print: tuple[int, str] = (0, "")
    end: Checkpoint | None = None
    late: bool = False
    seen: int = 0
    files: dict[str, FileKey] = field(default_factory=dict)
    checkpoints: list[Checkpoint] = field(default_factory=list)
    copies: list[Checkpoint] = field(default_factory=list)
    fate: str = ""
    done: bool = False
    forgotten: bool = False

    def take(self, start: int, data: memoryview) -> None:
        """Consume bytes that begin at `start`; a gap before them was a hole of zeros."""
        if start > self.offset:
            self._skip(start - self.offset)
        if self.head.offset < EDGE and self.head.offset == self.offset:
            first = data[: EDGE - self.offset]
            self.head = Checkpoint(self.offset + len(first), crc_of(first, self.head.crc))
        done = 0
        for cut in (*_cuts(len(data)), len(data)):
            self.crc = crc_of(data[done:cut], self.crc)
            self.offset += cut - done
            self.checkpoints.append(Checkpoint(self.offset, self.crc))
            done = cut
        self.checkpoints = _thinned(self.checkpoints)
        self.tail = last(self.tail, data)

    def _skip(self, zeros: int) -> None:
        if self.head.offset < EDGE and self.head.offset == self.offset:
            first = min(zeros, EDGE - self.offset)
            self.head = Checkpoint(self.offset + first, crc_of_zeros(first, self.head.crc))
        self.crc = crc_of_zeros(zeros, self.crc)
        self.offset += zeros
        self.tail = (self.tail + bytes(min(zeros, EDGE)))[-EDGE:]

    def close(self) -> None:
        """All of it is consumed; what lies between the offset and its end are zeros."""
        if self.end is not None and self.end.offset > self.offset:
            self._skip(self.end.offset - self.offset)
        self.done = True

    def tail_fits(self, pread: Callable[[int, int], bytes]) -> bool:
        """Whether a file has, before our offset, the bytes that we saw there."""
        length, stored = (len(self.tail), fingerprint(self.tail)) if self.tail else self.tail_print
        before = pread(length, self.offset - length)
        return len(before) == length and (not length or fingerprint(before) == stored)

    def head_fits(self, pread: Callable[[int, int], bytes]) -> bool:
        """Whether a file begins as the stream does."""
        length = self.head.offset
        return crc_of(pread(length, 0)) == self.head.crc if length else True

    def found_in(self, name: str, key: FileKey) -> bool:
        """Remember a file that holds it; true if that is news."""
        if self.files.get(name) == key:
            return False
        self.files = {n: k for n, k in self.files.items() if n != name and not (k.dev == key.dev and k.ino == key.ino)}
        self.files[name] = key
        while len(self.files) > _NAMES:
            del self.files[next(iter(self.files))]
        return True

    def copied_as(self, copy: Checkpoint) -> None:
        """Remember a file that holds only a beginning of it."""
        if copy not in self.copies:
            self.copies = [*self.copies, copy][-_COPIES:]

    @property
    def contents(self) -> list[Checkpoint]:
        """Length and CRC of every file content that is known to be this stream and nothing else."""
        return [*([self.end] if self.end is not None and self.end.offset else []), *self.copies]

    def is_file(self, stat: FileStat) -> bool:
        """Whether an inode is one that it was seen in (which may be in use by another file today)."""
        return any(key.same_file(stat) for key in self.files.values())

    def best_checkpoint(self, length: int) -> Checkpoint:
        """The longest known prefix that is not longer than `length`."""
        known = [point for point in (*self.checkpoints, Checkpoint(self.offset, self.crc)) if point.offset <= length]
        return max(known, default=Checkpoint(0, 0))

    def position(self, partition: str, mark: str) -> Position:
        """What is stored of it."""
        cursor: dict[str, Any] = {"path": partition, "crc": self.crc, "head": list(self.head)}
        cursor["tail"] = [len(self.tail), fingerprint(self.tail)] if self.tail else list(self.tail_print)
        cursor["files"] = [[name, *key] for name, key in self.files.items()]
        if self.copies:
            cursor["copies"] = [list(copy) for copy in self.copies]
        if not self.done:
            cursor["points"] = [list(point) for point in self.checkpoints]
        optional = {"mark": mark, "late": self.late, "seen": self.seen, "fate": self.fate}
        cursor.update({name: value for name, value in optional.items() if value})
        return Position(self.id, self.order, self.offset, cursor, self.done, self.forgotten)

    @classmethod
    def restored(cls, position: Position) -> Stream:
        """The stream of a stored position; the tail comes back when its file is found."""
        cursor = position.cursor
        return cls(
            id=position.stream,
            order=position.order,
            offset=position.offset,
            crc=int(cursor["crc"]),
            head=Checkpoint(*cursor["head"]),
            tail_print=(int(cursor["tail"][0]), str(cursor["tail"][1])),
            end=Checkpoint(position.offset, int(cursor["crc"])) if position.done else None,
            late=bool(cursor.get("late")),
            seen=int(cursor.get("seen", 0)),
            files=_files(cursor.get("files", ())),
            checkpoints=[Checkpoint(*point) for point in cursor.get("points", ())],
            copies=[Checkpoint(*copy) for copy in cursor.get("copies", ())],
            fate=str(cursor.get("fate", "")),
            done=position.done,
        )


def last(tail: bytes, data: bytes | memoryview) -> bytes:
    """The last bytes of what was seen, at most EDGE, after more of them."""
    return bytes(data[-EDGE:]) if len(data) >= EDGE else (tail + bytes(data))[-EDGE:]


def _cuts(length: int) -> list[int]:
    """Places inside so many bytes that get a checkpoint, denser towards the end.

    Never close to each other: two checksums of neighbouring places would tell the bytes between them.
    """
    cuts, rest = [], length // 2
    while rest >= _SPACING:
        cuts.append(length - rest)
        rest //= 2
    return cuts


def _files(rows: Sequence[Sequence[Any]]) -> dict[str, FileKey]:
    return {str(row[0]): FileKey(*(int(value) for value in row[1:6])) for row in rows}


def _thinned(points: list[Checkpoint]) -> list[Checkpoint]:
    """Keep few checkpoints: close together near the offset, ever farther apart before it."""
    newest, kept = points[-1].offset, [points[-1]]
    for index in range(len(points) - 2, -1, -1):
        younger, older = kept[-1].offset, points[index - 1].offset if index else 0
        near = younger - points[index].offset < _SPACING
        if not near and younger - older > newest - younger:
            kept.append(points[index])
    return kept[:_CHECKPOINTS][::-1]
