"""A source of files that were named one by one: read from front to back, once."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field

from pegel.errors import SourceError
from pegel.formats import End
from pegel.seams import OpenFile
from pegel.sources import Piece, Position, Source, SourceStatus, World


class _Raw(io.RawIOBase):
    """An open file as a stream, for the decompressor."""

    def __init__(self, file: OpenFile) -> None:
        self._file = file
        self._offset = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        data = self._file.pread(len(buffer), self._offset)
        buffer[: len(data)] = data
        self._offset += len(data)
        return len(data)


@dataclass(kw_only=True)
class Given(Source):
    """Reads named files (plain or gzip) in the order given, as one log; for `preview`.

    Options:
        paths: The files, oldest first.
        piece_size: Bytes offered at a time.
    """

    guarantee = "replayable"

    paths: Sequence[str]
    piece_size: int = 8 * 2**20
    _index: int = field(default=0, init=False, repr=False)
    _rest: bytes = field(default=b"", init=False, repr=False)
    _offset: int = field(default=0, init=False, repr=False)
    _mark: str = field(default="", init=False, repr=False)
    _stream: io.BufferedIOBase | None = field(default=None, init=False, repr=False)

    def open(self, world: World, positions: Sequence[Position]) -> None:  # noqa: ARG002 - it always starts at the front
        self._files = world.files

    def poll(self) -> Piece | None:
        if self._index >= len(self.paths):
            return None
        path = self.paths[self._index]
        try:
            if self._stream is None:
                self._stream = self._opened(path)
            fresh = self._stream.read(self.piece_size)
        except (OSError, EOFError) as error:
            raise SourceError(f"cannot read {path}: {error}") from error
        end = End.MORE if fresh else End.FINAL
        return Piece(
            partition="given",
            stream=path,
            order=self._index,
            offset=self._offset,
            data=self._rest + fresh,
            end=end,
            mark=self._mark,
        )

    def _opened(self, path: str) -> io.BufferedIOBase:
        file = self._files.open(path)
        raw = io.BufferedReader(_Raw(file), 2**18)
        if raw.peek(2)[:2] != b"\x1f\x8b":
            return raw
        from isal import igzip

        opened: io.BufferedIOBase = igzip.IGzipFile(fileobj=raw)  # type: ignore[no-untyped-call]
        return opened

    def consume(self, piece: Piece, count: int, mark: str) -> Sequence[Position]:
        self._rest, self._mark = piece.data[count:], mark
        self._offset += count
        position = Position(piece.stream, piece.order, self._offset, {}, done=piece.end is End.FINAL)
        if piece.end is End.FINAL:
            self._index += 1
            self._stream, self._rest, self._offset, self._mark = None, b"", 0, ""
        return [position]

    def exhausted(self) -> bool:
        return self._index >= len(self.paths)

    def status(self) -> SourceStatus:
        return SourceStatus("idle" if self.exhausted() else "reading", partitions=frozenset({"given"}))

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
