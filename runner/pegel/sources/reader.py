"""Reading one stream from one file: holes are left out, and a file that is no longer that stream is noticed."""

from __future__ import annotations

from pegel.seams import FileStat
from pegel.sources.content import Content, Plain
from pegel.sources.identity import EDGE, Stream, last

_HOLE = bytes(4096)


class ReplacedError(Exception):
    """The file was truncated or written anew since it was read."""


class Reader:
    """Reads a stream forward.

    Args:
        stream: What is read.
        content: Where from; its place is the first byte to read.
        name: The path that it was opened by.
        archive: It was an archive already when it was opened.
        head: The first bytes of the content before its place.
        tail: The last bytes before its place.
        size: The size that it was seen with; a file that is shorter was cut.
    """

    def __init__(
        self, stream: Stream, content: Content, name: str, *, archive: bool, head: bytes, tail: bytes, size: int = 0
    ) -> None:
        self.stream = stream
        self.content = content
        self.name = name
        self.archive = archive
        self.rotated = archive
        self.place = content.place
        self._read_out = False
        self.moved_at = 0.0
        self._head = head
        self._tail = tail
        self._size = size
        self._rest = b""
        self._seen: tuple[int, int] | None = None

    @property
    def at_end(self) -> bool:
        """Whether all that is there was read; the file is asked, since it may have grown after the last read."""
        stat = self.content.stat()
        return self._read_out and (stat.size, stat.mtime_ns) == self._seen

    @property
    def is_plain(self) -> bool:
        """Whether the file may still grow."""
        return isinstance(self.content, Plain)

    @property
    def end(self) -> int:
        """Length of the stream if nothing follows; zeros at its end are part of it."""
        return max(self.place, self.content.place)

    def read(self, size: int, now: float) -> tuple[int, bytes] | None:
        """The next bytes and the offset of the first one; None at what is the end for now.

        Raises:
            ReplacedError: The file is no longer the stream; nothing that was read from it since is offered.
        """
        stat = self.content.stat()
        state = (stat.size, stat.mtime_ns)
        if self._read_out and state == self._seen:
            return None
        if isinstance(self.content, Plain):
            self.content.place = self.place  # zeros at the end may have been written over
        start, data = self._next(size)
        if isinstance(self.content, Plain) and not self._is_same(self.content, start + len(data)):
            raise ReplacedError(f"{self.name} was truncated or replaced in place")
        if state != self._seen:
            self.moved_at = now
        self._seen, self._read_out = state, not data
        if not data:
            return None
        self._advance(start, data)
        return start, data

    def is_quiet(self, now: float, wall: float, wait: float) -> bool:
        """Whether nothing was written for `wait` seconds.

        The time of an archive's last write says so at once; a file that we saw being rotated may still be
        written by a process whose clock we need not trust.
        """
        if not isinstance(self.content, Plain):
            return True
        written_at = self.content.stat().mtime_ns / 1e9
        return now - self.moved_at >= wait or (self.archive and wall - written_at >= wait)

    def is_intact(self) -> bool:
        """Whether the file still holds what was read from it."""
        content = self.content
        return not isinstance(content, Plain) or self._is_same(content, self.place)

    def stat(self) -> FileStat:
        """The state of the open file."""
        return self.content.stat()

    def close(self) -> None:
        """Give the descriptor back."""
        self.content.close()

    def _next(self, size: int) -> tuple[int, bytes]:
        """Bytes behind the next hole, up to the one after it."""
        while True:
            base = self.content.place - len(self._rest)
            data, self._rest = self._rest or self.content.read(size), b""
            if not data or b"\0" not in data:
                return base, data
            in_hole = base == 0 or base != self.place or data.startswith(_HOLE)
            if not in_hole or data[0] != 0:
                return base, self._until_hole(base, data)
            text = data.lstrip(b"\0")
            if text:
                base += len(data) - len(text)
                return base, self._until_hole(base, text)
            self._jump()

    def _jump(self) -> None:
        """Go to the end of a hole without reading it; to its start of data only where there is data."""
        if isinstance(self.content, Plain):
            self.content.place = self.content.file.next_data(self.content.place)

    def _until_hole(self, start: int, data: bytes) -> bytes:
        hole = data.find(_HOLE)
        if hole < 0:
            return data
        if isinstance(self.content, Plain):
            self.content.place = start + hole
        else:
            self._rest = data[hole:]
        return data[:hole]

    def _is_same(self, plain: Plain, end: int) -> bool:
        """The bytes around our place are what they were; asked after a read, it vouches for the read."""
        return (
            plain.stat().size >= max(end, self._size)
            and plain.file.pread(len(self._tail), self.place - len(self._tail)) == self._tail
            and plain.file.pread(len(self._head), 0) == self._head
        )

    def _advance(self, start: int, data: bytes) -> None:
        gap = start - self.place
        if len(self._head) < EDGE and self.place == len(self._head):
            self._head = (self._head + bytes(min(gap, EDGE)) + data[:EDGE])[:EDGE]
        self._tail = last(last(self._tail, bytes(min(gap, EDGE))), data)
        self.place = start + len(data)
