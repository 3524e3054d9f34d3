"""Bytes that were read and are not consumed yet, across the files of a log."""

from __future__ import annotations

from dataclasses import dataclass

from pegel.formats import End
from pegel.sources import Piece
from pegel.sources.identity import Checkpoint, Stream, crc_of, crc_of_zeros


@dataclass
class _Part:
    stream: Stream
    start: int
    length: int


class Chain:
    """What one framer sees: the unconsumed bytes of consecutive streams as one run of bytes.

    Args:
        partition: The configured path.
        mark: The framer's mark that was stored last.
        begun: Whether bytes were consumed before these.
    """

    def __init__(self, partition: str, mark: str = "", *, begun: bool = False) -> None:
        self.mark = mark
        self._partition = partition
        self._data = b""
        self._parts: list[_Part] = []
        self._begun = begun

    def __len__(self) -> int:
        return len(self._data)

    def add(self, stream: Stream, start: int, data: bytes) -> None:
        """Bytes of a stream were read; a start behind its last byte means that a hole was left out."""
        previous = self._parts[-1] if self._parts else None
        if previous is not None and previous.stream is stream and previous.start + previous.length == start:
            previous.length += len(data)
        else:
            self._parts.append(_Part(stream, start, len(data)))
        self._data = self._data + data if self._data else data

    def read_to(self, stream: Stream) -> Checkpoint:
        """Length and CRC of a stream up to its last byte that was read."""
        offset, crc, at = stream.offset, stream.crc, 0
        for part in self._parts:
            if part.stream is stream:
                crc = crc_of_zeros(part.start - offset, crc)
                crc = crc_of(memoryview(self._data)[at : at + part.length], crc)
                offset = part.start + part.length
            at += part.length
        return Checkpoint(offset, crc)

    def read_before(self, stream: Stream, length: int) -> Checkpoint:
        """The longest prefix of a stream that is known and not longer than `length`."""
        offset, crc, at = stream.offset, stream.crc, 0
        if length < offset:
            return stream.best_checkpoint(length)
        for part in self._parts:
            if part.stream is stream and part.start < length:
                used = min(part.length, length - part.start)
                crc = crc_of_zeros(part.start - offset, crc)
                crc = crc_of(memoryview(self._data)[at : at + used], crc)
                offset = part.start + used
            at += part.length
        return Checkpoint(offset, crc)

    def holds(self, stream: Stream) -> bool:
        """Whether bytes of a stream are still unconsumed."""
        return any(part.stream is stream for part in self._parts)

    def drop(self, stream: Stream) -> None:
        """Forget the unconsumed bytes of a stream; they are read again from another file."""
        at, kept, parts = 0, [], []
        for part in self._parts:
            if part.stream is not stream:
                kept.append(self._data[at : at + part.length])
                parts.append(part)
            at += part.length
        self._data, self._parts = b"".join(kept), parts

    def piece(self, stream: Stream, end: End) -> Piece:
        """Offer all of it; `stream` is where the next bytes will come from, for a piece without any."""
        first = self._parts[0] if self._parts else _Part(stream, stream.offset, 0)
        return Piece(
            partition=self._partition,
            stream=first.stream.id,
            order=first.stream.order,
            offset=first.start,
            data=self._data,
            end=end,
            seams=tuple(self._seams()),
            mark=self.mark,
        )

    def _seams(self) -> list[int]:
        """Where a file begins, or goes on behind a hole; also at 0, unless nothing at all was before it."""
        at, seams = 0, []
        for index, part in enumerate(self._parts):
            begins = index > 0 or (part.stream.offset == 0 and self._begun)
            if begins:
                seams.append(at)
            at += part.length
        return seams

    def consume(self, count: int, mark: str) -> list[Stream]:
        """The first `count` bytes are used up; returns the streams that moved, in order."""
        moved: list[Stream] = []
        at, view = 0, memoryview(self._data)
        if mark != self.mark and self._parts:
            moved.append(self._parts[0].stream)
        while self._parts and at < count:
            part = self._parts[0]
            used = min(part.length, count - at)
            part.stream.take(part.start, view[at : at + used])
            if part.stream not in moved:
                moved.append(part.stream)
            at += used
            if used < part.length:
                self._parts[0] = _Part(part.stream, part.start + used, part.length - used)
            else:
                del self._parts[0]
        self._begun = self._begun or count > 0
        self._data = self._data[count:]
        self.mark = mark
        for stream in moved:
            if stream.end is not None and not self.holds(stream):
                stream.close()
        return moved
