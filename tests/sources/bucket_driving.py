"""A runner in miniature for the source `s3`: frames lines, commits when told, dies and comes back.

It keeps what a commit keeps, positions and counted records, and nothing else survives a kill.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from doubles import FakeClock
from pegel.errors import SourceError
from pegel.formats import End
from pegel.seams import SystemFiles
from pegel.secret import Secret
from pegel.sources import Piece, Position, Progress, World
from pegel.sources.s3 import S3
from sources.fake_bucket import FakeBucket

OPTIONS: Mapping[str, Any] = {
    "bucket": "logs",
    "prefix": "p/",
    "layout": "%Y%m%d/%H/",
    "names": "rtl.{partition}+{sequence}.log{any}",
    "look_back": 7200.0,
    "access_key": Secret("key"),
    "secret_key": Secret("secret"),
}


def key(hour: int, sequence: int, writer: str = "a", end: str = "") -> str:
    """A key of 3 March 2026."""
    return f"p/20260303/{hour:02d}/rtl.{writer}+{sequence:06d}.log{end}"


def source(fake: FakeBucket, **options: Any) -> S3:
    """A source that reads a bucket of a test; a real one where it has an endpoint."""
    tiny = {name: options.pop(name) for name in ("piece_size", "part_size") if options.get(name, 10**6) < 65536}
    made = S3(**{**OPTIONS, **options})
    for name, size in tiny.items():
        setattr(made, name, size)  # smaller than is allowed: objects of a test are small, too
    if "endpoint" not in options:
        made.connect = lambda _clock: fake
    return made


@dataclass
class Driver:
    """Reads, and keeps positions and records the way a state file would."""

    bucket: FakeBucket = field(default_factory=FakeBucket)
    options: dict[str, Any] = field(default_factory=dict)
    clock: FakeClock = field(default_factory=FakeClock)
    start: str = "beginning"
    committed: dict[str, Position] = field(default_factory=dict)
    records: Counter[bytes] = field(default_factory=Counter)
    order: list[str] = field(default_factory=list)
    flight: list[tuple[list[bytes], Sequence[Position], str]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    watermark: int | None = None
    source: S3 | None = None

    def open(self) -> S3:
        self.source = source(self.bucket, **self.options)
        world = World(self.clock, SystemFiles(), threading.Event(), self.start)  # type: ignore[arg-type]
        self.source.open(world, sorted(self.committed.values(), key=lambda one: one.order))
        self.learn()
        return self.source

    def learn(self, **told: Any) -> None:
        """Tell the source what was committed."""
        assert self.source is not None
        self.source.learn(Progress(**{"watermark": self.watermark, **told}))

    def read(self) -> bool:
        """One poll; true if it brought something."""
        assert self.source is not None
        try:
            piece = self.source.poll()
        except SourceError as error:
            self.failures.append(str(error))
            return False
        if piece is None:
            return False
        records, count = frame(piece)
        self.flight.append((records, self.source.consume(piece, count, piece.mark), piece.stream))
        return True

    def commit(self, count: int | None = None) -> None:
        """Make the oldest pieces in flight durable, all of them by default."""
        chosen = len(self.flight) if count is None else count
        for records, positions, stream in self.flight[:chosen]:
            self.records.update(records)
            if stream and stream not in self.order[-1:]:
                self.order.append(stream)
            for position in positions:
                if position.forget:
                    self.committed.pop(position.stream, None)
                else:
                    self.committed[position.stream] = position
        del self.flight[:chosen]

    def kill(self) -> None:
        """The process is gone, with all that was not committed."""
        self.flight.clear()
        self.stop()

    def stop(self) -> None:
        """An orderly end: what was read is committed."""
        self.commit()
        assert self.source is not None
        self.source.close()
        self.source = None

    def settle(self, seconds: float = 130.0) -> None:
        """Read for a while, until nothing comes any more; then commit."""
        until = self.clock.now + seconds
        while self.clock.now < until:
            for _ in range(10_000):
                if not self.read() and not self._works():
                    break
            self.clock.now += 1.0
        self.commit()

    def _works(self) -> bool:
        assert self.source is not None
        return self.source.status().state == "reading" and not self.source.exhausted()

    def run(self, seconds: float = 130.0) -> None:
        """One whole life."""
        self.open()
        self.settle(seconds)
        self.stop()

    def fate(self, key: str) -> str:
        """What became of an object, as it is stored."""
        return str(self.committed[f"{self.name}/{key}"].cursor.get("fate", ""))

    @property
    def name(self) -> str:
        """Of the bucket."""
        return str({**OPTIONS, **self.options}["bucket"])

    @property
    def counts(self) -> dict[str, int]:
        assert self.source is not None
        return dict(self.source.status().counts)


def frame(piece: Piece) -> tuple[list[bytes], int]:
    """Lines; the last one needs no newline where nothing follows."""
    lines = piece.data.split(b"\n")
    rest = b"" if piece.end is End.FINAL else lines.pop()
    return [line for line in lines if line], len(piece.data) - len(rest)
