"""Reading one source: pieces are framed in order and handed on with the positions behind them."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence

from pegel.errors import SourceError
from pegel.formats import Format, Frames
from pegel.pipeline.stage import Chunk, chunk
from pegel.plan import SourcePlan
from pegel.seams import Clock, Files
from pegel.sources import Afar, Piece, Position, Progress, World
from pegel.state import State

_FIRST_DELAY, _LONGEST_DELAY = 0.5, 30.0
"""Seconds until a source that failed is read again."""

_FULL = 1 << 20
"""Bytes; after a piece of at least this size there is probably more."""

_GROUP = 16 << 20
"""Bytes that are folded together at most, about."""


_TOLD = {
    "quarantined_objects": "an object can never be read and was put aside; pegel state shows why",
    "lost_objects": "an object was deleted before all of it was read",
    "quarantined_archives": "an archive can never be read and was put aside",
    "lost_streams": "a log ended before all of it was read",
    "identity_ambiguous": "it cannot be told whether a file is a copy or a new log",
    "truncate_gap_suspected": "lines may have been lost between a copy and its truncation",
}
"""What a source noticed that a person should hear of; all of it is counted."""


class Reader:
    """The reading side of one source. One thread calls `read`; the turn looks at the rest."""

    def __init__(
        self, plan: SourcePlan, state: State, clock: Clock, files: Files, pace: float, afar: Afar | None = None
    ) -> None:
        """Open the source at its committed positions.

        Args:
            plan: The source.
            state: Where its positions are.
            clock: Time.
            files: The file system.
            pace: Seconds between two reads of a source that has little to say.
            afar: Other machines that read for this one.
        """
        self.plan = plan
        self.name = plan.name
        self.log = logging.getLogger(f"pegel.sources.{plan.name}")
        self.wake = threading.Event()
        self.failing = ""
        self._failing_since = 0.0
        self._waiting = ""
        self._told: dict[str, int] = {}
        self.given = 0
        self.taken = 0
        self.caught_up = False
        self._clock = clock
        self._pace = pace
        self._not_before = 0.0
        self._delay = _FIRST_DELAY
        self._format: Format = plan.format
        positions = [
            Position(one.stream, one.order, one.offset, one.cursor, one.done)
            for one in state.positions.streams(plan.name)
        ]
        world = World(clock=clock, files=files, wake=self.wake, start=plan.start, afar=afar)
        plan.source.open(world, positions)
        self.progress = Progress(watermark=state.positions.watermark(plan.name))
        self._learned: Progress | None = None
        self._flying: deque[str] = deque()
        self._counting = threading.Lock()

    def read(self) -> Chunk | None:
        """The next framed piece, None when there is nothing to read now."""
        progress = self.progress
        if progress is not self._learned:
            self.plan.source.learn(progress)
            self._learned = progress
        try:
            piece = self.plan.source.poll()
        except SourceError as error:
            self._fail(error)
            return None
        if self.plan.source.status().state == "failing":
            self._delay, self._not_before = _FIRST_DELAY, 0.0  # a part of it fails, the rest is read as always
        else:
            self._recover()
        if piece is None:
            self._tell()
            self.caught_up = self.plan.source.exhausted()
            return None
        self.caught_up = False
        frames = self._frames(piece)
        positions = self.plan.source.consume(piece, frames.consumed, frames.mark)
        if not positions and not frames.consumed and not frames.rejects:
            return None
        self.given += 1
        with self._counting:
            self._flying.append(piece.partition)
        return chunk(self.name, piece, frames, positions, round(self._clock.wall() * 1e6))

    def _frames(self, piece: Piece) -> Frames:
        """The records of a piece; those that another machine has framed are not here."""
        if piece.made is not None:
            return Frames(None, piece.made.records, piece.made.consumed)
        return self._format.split(piece.data, piece.end, piece.mark, piece.seams)

    def read_together(self) -> Sequence[Chunk]:
        """The next chunk, and those that are joined to it."""
        chunks: list[Chunk] = []
        while (one := self.read()) is not None:
            chunks.append(one)
            if not one.joined:
                break
        return chunks

    def _fail(self, error: SourceError) -> None:
        if not self.failing:
            self.log.warning("%s cannot be read and is tried again: %s", self.name, error)
            self._failing_since = self._clock.monotonic()
        self.failing = str(error)
        self._not_before = self._clock.monotonic() + self._delay
        self._delay = min(self._delay * 2, _LONGEST_DELAY)

    def _recover(self) -> None:
        if self.failing:
            self.log.warning("%s can be read again", self.name)
        self.failing, self._delay = "", _FIRST_DELAY

    @property
    def in_flight(self) -> int:
        """Chunks that were read and are not committed. The reader counts one side, the turn the other."""
        return self.given - self.taken

    def settle(self, count: int) -> None:
        """So many of the oldest chunks are committed; called by the turn's thread."""
        with self._counting:
            for _ in range(count):
                self._flying.popleft()
        self.taken += count

    def unread(self) -> frozenset[str]:
        """Partitions of which something is not committed, whether it was read or not; only of ordered sources.

        What the source says comes first: a piece that leaves it meanwhile is among those in flight by then.
        """
        known = self.plan.source.status().unread
        with self._counting:
            return known.union(self._flying)

    def _tell(self) -> None:
        """Say once what holds the source back, and what it noticed."""
        status = self.plan.source.status()
        waiting = status.reason if status.state == "waiting" else ""
        if waiting and waiting != self._waiting:
            self.log.warning("%s waits: %s", self.name, waiting)
        self._waiting = waiting
        for name, count in status.counts.items():
            if name in _TOLD and count > self._told.get(name, 0):
                self.log.warning("%s: %s (%d so far)", self.name, _TOLD[name], count)
                self._told[name] = count

    def failing_for(self) -> float | None:
        """Seconds for which it could not be read; None if it can."""
        return self._clock.monotonic() - self._failing_since if self.failing else None

    def ready(self) -> bool:
        """Whether a failed source may be read again."""
        return not self.failing or self._clock.monotonic() >= self._not_before

    def loop(self, give: Callable[[Sequence[Chunk]], None], stop: threading.Event, held: Callable[[], bool]) -> None:
        """Read until told to stop; `give` may block and `held` may say wait: both hold the source back.

        While there is much to read, chunks are given in groups, to be folded together.
        """
        group: list[Chunk] = []
        begun = 0.0
        while not stop.is_set():
            one = self.read() if self.ready() and not held() else None
            if one is not None:
                if group and (group[-1].made is None) != (one.made is None):
                    give(group)
                    group = []
                begun = begun if group else self._clock.monotonic()
                group.append(one)
            more = self._has_more(one)
            if group and not group[-1].joined and (not more or self._is_enough(group, begun)):
                give(group)
                group = []
            if not more:
                self._rest(stop, short=one is None)

    def _is_enough(self, group: Sequence[Chunk], begun: float) -> bool:
        """Whether a group is big enough, or has waited long enough, to be folded."""
        return sum(chunk.consumed for chunk in group) >= _GROUP or self._clock.monotonic() >= begun + self._pace

    def _has_more(self, one: Chunk | None) -> bool:
        """Whether reading on at once is worth it: after a full piece, or while the source works its way on."""
        if one is not None and one.consumed >= _FULL:
            return True
        source = self.plan.source
        return not self.failing and source.status().state == "reading" and not source.exhausted()

    def _rest(self, stop: threading.Event, *, short: bool) -> None:
        """Let bytes gather: a batch costs the same for one record as for a thousand."""
        if short:
            self._clock.wait(self.wake, self._pace)
            self.wake.clear()
        else:
            self._clock.wait(stop, self._pace)

    def close(self) -> None:
        """Give the source back."""
        self.plan.source.close()
