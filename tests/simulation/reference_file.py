"""The reference's reading of a rotated log as a source of the product: proves the pipeline by itself."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from pegel.errors import SourceError
from pegel.formats import End
from pegel.sources import Piece, Position, Source, SourceStatus, World
from simulation.model import Entry, Tail
from simulation.stage import LOG

_PIECE = 700


@dataclass(kw_only=True)
class ReferenceFile(Source):
    """Reads the simulated log; see `model.Tail` for what it trusts."""

    guarantee = "replayable"

    _entries: list[bytes] = field(default_factory=list, init=False)
    _seen: bytes = field(default=b"", init=False)
    _whole: bool = field(default=False, init=False)

    def open(self, world: World, positions: Sequence[Position]) -> None:
        self._tail = Tail(world.files)
        self._finished = {(one.cursor["crc"], one.cursor["size"]) for one in positions if one.done}
        here = [one for one in positions if not one.done]
        self._order = here[0].order if here else 0
        self._offset = here[0].offset if here else 0
        self._crc = here[0].cursor["crc"] if here else 0

    def poll(self) -> Piece | None:
        try:
            found = self._tail.entries()
        except OSError as error:
            raise SourceError(f"cannot read: {error}") from error
        rest = [one for one in found if one is None or (zlib.crc32(one), len(one)) not in self._finished]
        self._entries = _readable(rest)
        if not self._entries or zlib.crc32(self._entries[0][: self._offset]) != self._crc:
            self._whole = False
            return None
        data = b"".join(self._entries)[self._offset :]
        self._whole = None not in rest and len(data) <= _PIECE
        data = data[:_PIECE]
        if data == self._seen:
            return None
        self._whole, self._seen = False, data
        return self._piece(data)

    def _piece(self, data: bytes) -> Piece:
        seams, size = [], -self._offset
        for entry in self._entries[:-1]:
            size += len(entry)
            seams.append(size)
        seams = [cut for cut in seams if cut <= len(data)]
        return Piece(LOG, str(self._order), self._order, self._offset, data, End.MORE, seams)

    def consume(self, piece: Piece, count: int, mark: str) -> Sequence[Position]:  # noqa: ARG002 - never marked
        if not count:
            return ()
        self._seen = piece.data[count:]
        self._offset += count
        moved: list[Position] = []
        while len(self._entries) > 1 and self._entries[1] and self._offset >= len(self._entries[0]):
            entry = self._entries.pop(0)
            self._finished.add((zlib.crc32(entry), len(entry)))
            moved.append(self._position(entry, len(entry), done=True))
            self._order += 1
            self._offset -= len(entry)
        self._crc = zlib.crc32(self._entries[0][: self._offset])
        return [*moved, self._position(self._entries[0], self._offset, done=False)]

    def _position(self, entry: bytes, offset: int, *, done: bool) -> Position:
        cursor = {"crc": zlib.crc32(entry[:offset]), "size": offset}
        return Position(str(self._order), self._order, offset, cursor, done=done)

    def exhausted(self) -> bool:
        return self._whole

    def status(self) -> SourceStatus:
        return SourceStatus("reading", partitions=frozenset({LOG}))

    def close(self) -> None:
        """Nothing stays open between two polls."""


def _readable(entries: Sequence[Entry]) -> list[bytes]:
    """The entries in front of the first that is not complete."""
    found: list[bytes] = []
    for entry in entries:
        if entry is None:
            break
        found.append(entry)
    return found
