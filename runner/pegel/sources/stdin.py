"""Standard input, or any other pipe that the process was started with."""

from __future__ import annotations

import os
import select
from collections.abc import Sequence
from dataclasses import dataclass, field

from pegel.errors import SourceError
from pegel.formats import End
from pegel.sources import Piece, Position, Source, SourceStatus, World
from pegel.units import Duration, Size

PARTITION = "stdin"


@dataclass(kw_only=True)
class Stdin(Source):
    """Read a pipe to its end, once.

    A pipe cannot be read again: what was read and not committed when the process dies is lost. The end of the
    pipe is the end of the source; its last line needs no newline.

    Options:
        fd: Number of the file descriptor.
        flush_timeout: Silence after which a record that could go on is taken for whole.
        piece_size: Bytes read at a time.

    Example:
        [[sources]]
        name = "shop"
        type = "stdin"
        format = { type = "lines", template = "{time} {message}" }
        time = { column = "time", format = "iso8601" }
    """

    guarantee = "lossy"

    fd: int = 0
    flush_timeout: Duration = Duration(5.0)
    piece_size: Size = Size(2**20)

    _rest: bytes = field(default=b"", init=False, repr=False)
    _offset: int = field(default=0, init=False, repr=False)
    _mark: str = field(default="", init=False, repr=False)
    _ended: bool = field(default=False, init=False, repr=False)
    _flushed: bool = field(default=True, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.fd < 0:
            raise ValueError("`fd` must not be negative")
        if self.piece_size < 1:
            raise ValueError("`piece_size` must be at least 1B")

    def open(self, world: World, positions: Sequence[Position]) -> None:
        self._clock = world.clock
        self._fresh_at = world.clock.monotonic()
        self._order = max((position.order for position in positions), default=0) + 1
        self._old = list(positions)

    def poll(self) -> Piece | None:
        if self._ended:
            return None
        fresh = self._read()
        now = self._clock.monotonic()
        if fresh:
            self._rest += fresh
            self._fresh_at, self._flushed = now, False
        if self._ended:
            return self._piece(End.FINAL)
        if fresh:
            return self._piece(End.MORE)
        if self._flushed or not self._rest or now - self._fresh_at < self.flush_timeout:
            return None
        self._flushed = True
        return self._piece(End.FLUSH)

    def consume(self, piece: Piece, count: int, mark: str) -> Sequence[Position]:
        self._rest, self._mark = piece.data[count:], mark
        self._offset += count
        old = [Position(one.stream, one.order, one.offset, one.cursor, forget=True) for one in self._old]
        self._old = []
        return [*old, Position(piece.stream, self._order, self._offset, {}, done=piece.end is End.FINAL)]

    def exhausted(self) -> bool:
        return self._ended

    def status(self) -> SourceStatus:
        state = "idle" if self._ended else "reading"
        return SourceStatus(state, lag_bytes=len(self._rest), partitions=frozenset({PARTITION}))  # type: ignore[arg-type]

    def close(self) -> None:
        """The descriptor stays open: it was there before us."""

    def _read(self) -> bytes:
        """What is in the pipe now, without waiting for more."""
        parts, wanted = [], int(self.piece_size)
        try:
            while wanted and select.select([self.fd], [], [], 0)[0]:
                part = os.read(self.fd, wanted)
                if not part:
                    self._ended = True
                    break
                parts.append(part)
                wanted -= len(part)
        except OSError as error:
            raise SourceError(f"descriptor {self.fd} cannot be read: {error.strerror or error}") from error
        return b"".join(parts)

    def _piece(self, end: End) -> Piece:
        stream = f"{PARTITION}#{self._order}"
        return Piece(PARTITION, stream, self._order, self._offset, self._rest, end, (), self._mark)
