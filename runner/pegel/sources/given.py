"""A source of files that were named one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from pegel.errors import SourceError
from pegel.seams import Files
from pegel.sources import Piece, Position, Source, SourceStatus, World
from pegel.sources.course import Course, Settings
from pegel.sources.identity import Stream
from pegel.sources.inflate import MAGIC, Limits
from pegel.sources.log import Log

_LOOK = 1.0
"""Seconds between two looks at the files."""


@dataclass(kw_only=True)
class Given(Source):
    """Reads named files (plain or gzip) as one log, in the order given; for `preview` and `backfill`.

    They are recognised by their content, as the archives of a live log are: what is there twice, plain and
    packed, counts once, and after a restart each goes on where it was, whatever it is called by then. A file that
    can never be read is put aside and counted.

    Options:
        name: Of the log, in the positions.
        paths: The files, oldest first.
        begins: Event time in us with which a file begins, by path, where it is known: the watermark waits for it.
        piece_size: Bytes offered at a time.
        limits: What unpacking one file may cost.
    """

    guarantee = "replayable"

    name: str = "given"
    paths: Sequence[str]
    begins: Mapping[str, int] = field(default_factory=dict)
    piece_size: int = 8 * 2**20
    limits: Limits = field(default_factory=Limits)
    _log: Log | None = field(default=None, init=False, repr=False)
    _counts: Counter[str] = field(default_factory=Counter, init=False, repr=False)
    _status: SourceStatus = field(default=SourceStatus("waiting"), init=False, repr=False)

    def open(self, world: World, positions: Sequence[Position]) -> None:
        self._world = world
        self._counts = Counter()
        self._number = max((position.order for position in positions), default=0)
        streams = [Stream.restored(position) for position in sorted(positions, key=lambda one: one.order)]
        marks = [str(position.cursor.get("mark", "")) for position in positions if not position.cursor.get("late")]
        mark = marks[-1] if marks else ""
        course = Course(self.name, self._settings(world.files), world, streams, mark, self._next, self._counts)
        self._log = Log(course, skip=False)
        self._looked_at = world.clock.monotonic()
        self._log.look()
        self._status = self._current_status()

    def poll(self) -> Piece | None:
        log, now = self._opened, self._world.clock.monotonic()
        if now - self._looked_at >= _LOOK:
            self._looked_at = now
            log.look()
        piece = log.poll()
        self._status = self._current_status()
        if piece is None and log.is_stuck():
            raise SourceError(log.course.failure)
        return piece if piece is None else replace(piece, bound=self._bound(log.course))

    def consume(self, piece: Piece, count: int, mark: str) -> Sequence[Position]:  # noqa: ARG002 - the log knows it
        positions = self._opened.consume(count, mark)
        self._status = self._current_status()
        return positions

    def exhausted(self) -> bool:
        return self._opened.exhausted()

    def status(self) -> SourceStatus:
        return self._status

    def close(self) -> None:
        if self._log is not None:
            self._log.close()

    def put_aside(self) -> list[str]:
        """Why files were put aside, as sentences that name them."""
        streams = self._opened.course.streams.values()
        return [
            f"{name}: {stream.fate.removeprefix('quarantined: ')}"
            for stream in streams
            if stream.fate.startswith("quarantined")
            for name in stream.files
        ]

    @property
    def _opened(self) -> Log:
        assert self._log is not None
        return self._log

    def _current_status(self) -> SourceStatus:
        """How it is after a poll: only the thread that reads may look at open files."""
        log = self._opened
        state: Literal["reading", "idle", "waiting", "failing"] = "idle" if self.exhausted() else "reading"
        if log.course.failure:
            state = "failing"
        elif log.course.reason:
            state = "waiting"
        reason = log.course.failure or log.course.reason
        return SourceStatus(state, reason, log.lag, frozenset({self.name}), dict(self._counts))

    def _bound(self, course: Course) -> int | None:
        """The earliest time with which one of the files begins that were not begun yet."""
        times = [self.begins.get(entry.name) for entry in course.unread() if not course.is_front(entry)]
        return min((time for time in times if time is not None), default=None)

    def _settings(self, files: Files) -> Settings:
        return Settings(
            archives=(),
            rotation="copytruncate",  # equal content is a copy, however short it is
            flush_timeout=0.0,
            rotate_wait=0.0,
            archive_wait=0.0,
            archive_max_age=0.0,
            piece_size=self.piece_size,
            roots=("/",),
            limits=self.limits,
            listed=[(path, is_packed(files, path)) for path in self.paths],
        )

    def _next(self) -> int:
        self._number += 1
        return self._number


def is_packed(files: Files, path: str) -> bool:
    """Whether a file is gzip, whatever its name says; false where it cannot be opened."""
    try:
        file = files.open(path)
    except OSError:
        return False
    try:
        return file.pread(2, 0) == MAGIC
    finally:
        file.close()
