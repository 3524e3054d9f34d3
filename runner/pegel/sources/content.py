"""The bytes of one file from front to back, plain or packed, and a pass over them that recognises it."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from pegel.seams import FileStat, OpenFile
from pegel.sources.identity import EDGE, Checkpoint, crc_of, last
from pegel.sources.inflate import Inflater, Limits, UnreadyError

CHUNK = 2**20
"""Bytes that are read in one go where nothing else is asked for; also one unit of bounded work."""

_Result = TypeVar("_Result")
Steps = Generator[None, None, _Result]
"""Work in bounded steps, with a result at the end."""


class Content(Protocol):
    """What a stream reads from; `place` is the offset of the next byte."""

    place: int

    def read(self, size: int) -> bytes:
        """The next bytes; none at what is the end for now.

        Raises:
            OSError: The device fails.
            UnreadyError, DamagedError: A packed file is not what it was when it was verified.
        """

    def stat(self) -> FileStat:
        """The state of the file."""

    def close(self) -> None:
        """Give the descriptor back."""


class Plain:
    """A file that is not packed."""

    def __init__(self, file: OpenFile, place: int = 0) -> None:
        self.file = file
        self.place = place

    def read(self, size: int) -> bytes:
        # Asking for no more than there is: a read at the end would still allocate `size` bytes.
        size = min(size, self.file.stat().size - self.place)
        data = self.file.pread(size, self.place) if size > 0 else b""
        self.place += len(data)
        return data

    def stat(self) -> FileStat:
        return self.file.stat()

    def close(self) -> None:
        self.file.close()


class Packed:
    """A gzip file."""

    def __init__(self, file: OpenFile, limits: Limits) -> None:
        self._file = file
        self._inflater = Inflater(file.pread, limits)
        self.place = 0

    def read(self, size: int) -> bytes:
        data = self._inflater.read(size)
        self.place += len(data)
        return data

    def stat(self) -> FileStat:
        return self._file.stat()

    def close(self) -> None:
        self._file.close()


class Kept:
    """A small packed file whose content is still in memory from its verification."""

    def __init__(self, file: OpenFile, pieces: Iterable[bytes]) -> None:
        self._file = file
        self._pieces = deque(pieces)
        self.place = 0

    def read(self, size: int) -> bytes:
        taken: list[bytes] = []
        room = size
        while self._pieces and room > 0:
            piece = self._pieces.popleft()
            if len(piece) > room:
                self._pieces.appendleft(piece[room:])
                piece = piece[:room]
            taken.append(piece)
            room -= len(piece)
        self.place += size - room
        return b"".join(taken)

    def stat(self) -> FileStat:
        return self._file.stat()

    def close(self) -> None:
        self._file.close()


@dataclass
class Survey:
    """What a pass over a file found.

    Attributes:
        length: Bytes, as far as the pass went.
        crc: Of these bytes.
        at: CRC of the bytes before each of the offsets that were asked for and reached.
        head: The first bytes.
        tail: The last bytes.
        pieces: All bytes, where there are few.
    """

    length: int = 0
    crc: int = 0
    at: dict[int, int] = field(default_factory=dict)
    head: bytes = b""
    tail: bytes = b""
    pieces: Sequence[bytes] | None = ()

    def add(self, data: bytes, marks: list[int]) -> None:
        """Account for the next bytes; `marks` are the offsets to come whose CRC is wanted, ascending."""
        view, start, done = memoryview(data), self.length, 0
        while marks and marks[0] <= start + len(data):
            mark = marks.pop(0)
            self.crc = crc_of(view[done : mark - start], self.crc)
            self.at[mark] = self.crc
            done = mark - start
        self.crc = crc_of(view[done:], self.crc)
        self.length += len(data)
        if len(self.head) < EDGE:
            self.head = (self.head + data[:EDGE])[:EDGE]
        self.tail = last(self.tail, data)

    def fits(self, point: Checkpoint) -> bool:
        """Whether its beginning has that length and CRC; the beginning of length 0 proves nothing and fits."""
        return self.at.get(point.offset, 0) == point.crc and self.length >= point.offset


def survey(content: Content, probes: Iterable[int], *, until: int | None = None, keep: int = 0) -> Steps[Survey]:
    """Read from the front, one chunk a step.

    Args:
        content: At its beginning.
        probes: Offsets whose CRC is wanted.
        until: Go no farther than this offset.
        keep: Keep the bytes in memory if there are not more than so many.
    """
    found = Survey()
    marks = sorted({probe for probe in probes if probe > 0})
    pieces: list[bytes] | None = [] if keep else None
    while until is None or found.length < until:
        data = content.read(CHUNK if until is None else min(CHUNK, until - found.length))
        if not data:
            break
        found.add(data, marks)
        if pieces is not None:
            pieces.append(data)
            pieces = pieces if found.length <= keep else None
        yield
    found.pieces = pieces
    return found


def skip(content: Content, offset: int) -> Steps[bytes]:
    """Read up to an offset, one chunk a step; returns the last bytes before it.

    Raises:
        UnreadyError: The file is shorter.
    """
    tail = b""
    while content.place < offset:
        data = content.read(min(CHUNK, offset - content.place))
        if not data:
            raise UnreadyError("the file became shorter")
        tail = last(tail, data)
        yield
    return tail
