"""A runner in miniature for the file source: frames lines, commits when told, dies and comes back.

It keeps what a commit keeps, positions and counted records, and nothing else survives a kill.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from pegel.errors import SourceError
from pegel.formats import End
from pegel.seams import Files
from pegel.sources import Piece, Position, World
from pegel.sources.file import File
from simulation.world import SimClock, SimFiles

LOG = "/var/log/app.log"


def frame(piece: Piece) -> tuple[list[bytes], int]:
    """Lines end with a newline or, if whole by themselves (`<...>`), at a seam or at the very end."""
    cuts = {cut for cut in piece.seams if 0 < cut < len(piece.data) and _is_whole(piece.data, cut)}
    records, start = [], 0
    for cut in [*sorted(cuts), None]:
        part = piece.data[start:cut]
        lines = part.split(b"\n")
        rest = lines.pop()
        records += [line for line in lines if line]
        if cut is not None:
            records.append(rest)
            start = cut
            continue
        if piece.end is End.FINAL and rest:
            records.append(rest)
            rest = b""
        return records, len(piece.data) - len(rest)
    raise AssertionError


def _is_whole(data: bytes, cut: int) -> bool:
    return data[:cut].endswith(b">")


@dataclass
class Runner:
    """Reads, and keeps positions and records the way a state file would."""

    files: Files
    clock: SimClock
    options: dict[str, object] = field(default_factory=dict)
    start: str = "beginning"
    committed: dict[str, Position] = field(default_factory=dict)
    records: Counter[bytes] = field(default_factory=Counter)
    flight: list[tuple[list[bytes], Sequence[Position]]] = field(default_factory=list)
    source: File | None = None
    failures: int = 0

    def open(self) -> None:
        self.source = File(**{"path": LOG, **self.options})  # type: ignore[arg-type]
        world = World(self.clock, self.files, threading.Event(), self.start)  # type: ignore[arg-type]
        self.source.open(world, sorted(self.committed.values(), key=lambda one: one.order))

    def read(self) -> bool:
        """One poll; true if it brought something."""
        assert self.source is not None
        piece = self.source.poll()
        if piece is None:
            return False
        records, count = frame(piece)
        self.flight.append((records, self.source.consume(piece, count, piece.mark)))
        return True

    def try_to_read(self) -> bool:
        """One poll; a source that cannot be read is tried again later."""
        try:
            return self.read()
        except SourceError:
            self.failures += 1
            return False

    def commit(self, count: int | None = None) -> None:
        """Make the oldest pieces in flight durable, all of them by default."""
        chosen = len(self.flight) if count is None else count
        for records, positions in self.flight[:chosen]:
            self.records.update(records)
            for position in positions:
                if position.forget:
                    self.committed.pop(position.stream, None)
                else:
                    self.committed[position.stream] = position
        del self.flight[:chosen]

    def kill(self) -> None:
        """The process is gone, with all that was not committed."""
        self.flight.clear()
        self.source = None
        if isinstance(self.files, SimFiles):
            self.files.kill_reader()

    def stop(self) -> None:
        """An orderly end: what was read is committed."""
        self.commit()
        assert self.source is not None
        self.source.close()
        self.source = None

    def settle(self, seconds: float = 30.0) -> None:
        """Read for a while, until nothing comes any more."""
        until = self.clock.monotonic() + seconds
        while self.clock.monotonic() < until:
            while self.try_to_read():
                pass
            self.clock.advance(1.0)
        self.commit()

    @property
    def counts(self) -> dict[str, int]:
        assert self.source is not None
        return dict(self.source.status().counts)
