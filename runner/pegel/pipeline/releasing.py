"""Telling sources what is safe: streams whose whole effect was acknowledged and is in a snapshot.

A stream is released when all windows that it touched have closed, every remote sink has acknowledged what followed,
none of it is a dead letter, and a snapshot of the state has it all. Commits are numbered, and whatever waits for a
sink knows the oldest one that is in it: what followed from a commit is acknowledged as soon as nothing waits that is
as old. So a sink that always has something to take lets go of what is behind it all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pegel.pipeline.delivery import Delivery
from pegel.pipeline.live import LiveMetric
from pegel.pipeline.stage import Chunk, Counted
from pegel.plan import SourcePlan
from pegel.seams import Clock
from pegel.sources import Position, Progress
from pegel.state import State
from pegel.state.outbox import TURN
from pegel.state.touched import Touched

_MOST = 1000
"""Streams that are looked at, and told of, at a time; the next ones with the next look, so that none that may not be
released stands in the way of others."""

_INTERVAL = 5.0
"""Seconds between two looks at what has become safe."""

_ASK_INTERVAL = 2.0
"""Seconds between two looks whether somebody wants to try again what was put aside."""

_NEVER = 2**62
"""Later than every commit."""


class Releases:
    """What sources may let go of; one for all of them."""

    def __init__(self, state: State, clock: Clock, sources: Iterable[SourcePlan], roads: Iterable[Delivery]) -> None:
        """Know which sources want to hear of it.

        Args:
            state: Where it is remembered.
            clock: Time.
            sources: Of the plan.
            roads: To the sinks; those that are remote have to acknowledge.
        """
        self._state = state
        self._clock = clock
        self._sources = [source.name for source in sources if source.source.releases]
        self._roads = [road for road in roads if road.sink.remote]
        self._samples = any(road.sink.sampling is not None for road in self._roads)
        self._moved: dict[int, tuple[int, int]] = {}
        self._behind: dict[str, int] = {}
        self._looked = float("-inf")
        self._asked_at = float("-inf")
        self._tries = state.positions.tries()
        self.turn = int(state.meta(TURN) or 0)
        self.released: dict[str, Sequence[Position]] = {}

    def begin(self) -> None:
        """Take over streams that were counted before their source asked; part of the running transaction."""
        for source in self._sources:
            self._state.touched.adopt(source, self.turn)

    def number(self, metrics: Sequence[LiveMetric]) -> None:
        """A commit begins; part of its transaction."""
        for metric in metrics if self._sources else ():
            if metric.id not in self._moved:
                self._moved[metric.id] = (metric.closed_before(), int(self._state.meta(_moved(metric)) or 0))
        self.turn += 1
        self._state.remember(TURN, self.turn)
        self._tries = self._state.positions.tries()

    def note(self, source: str, one: Counted) -> None:
        """Records of a stream are part of this commit."""
        if source not in self._sources:
            return
        chunk = one.chunk
        gone = {position.stream for position in chunk.positions if position.removed or position.forget}
        for stream in gone:
            self._state.touched.forget(source, stream)
        if chunk.stream and chunk.stream not in gone:
            self._state.touched.note(source, chunk.stream, one.oldest, one.newest, self.turn, done=_is_done(chunk))

    def look(self, metrics: Sequence[LiveMetric]) -> None:
        """See what is safe by now, now and then; after the windows of this commit were closed."""
        if not self._sources or not self._roads:
            return
        self._follow(metrics)
        now = self._clock.monotonic()
        if now - self._looked < _INTERVAL:
            return
        self._looked = now
        lowest = min(self._lowest(road) for road in self._roads)
        kept = self._state.snapshot_fact(TURN) or 0
        for source in self._sources:
            mine = [one for one in metrics if source in one.metric.sources]
            if mine:
                before = min(one.closed_before() for one in mine)
                self._state.touched.close(source, before, self.turn, told=self._told(mine))
            behind = self._behind.get(source, -1)
            safe = self._state.touched.safe(source, closed=lowest, turn=int(kept), behind=behind, most=_MOST)
            self._behind[source] = safe[-1].order if len(safe) == _MOST else -1
            self.released[source] = [
                Position(one.stream, one.order, one.offset, one.cursor, done=True)
                for one in safe
                if not self._is_refused(one, mine)
            ]

    def _follow(self, metrics: Sequence[LiveMetric]) -> None:
        """Note which metrics have closed windows in this commit."""
        for metric in metrics:
            closed = metric.closed_before()
            if self._moved.get(metric.id, (closed, 0))[0] != closed:
                self._moved[metric.id] = (closed, self.turn)
                self._state.remember(_moved(metric), self.turn)

    def _told(self, metrics: Sequence[LiveMetric]) -> int:
        """The newest commit whose late records sinks have been told of.

        Those that replace are told of a corrected window at once; a total has what was late in it with the next
        window that closes.
        """
        if not self._samples:
            return self.turn
        return min(self._moved.get(one.id, (0, 0))[1] for one in metrics)

    def _lowest(self, road: Delivery) -> int:
        """The oldest commit of which a sink has not acknowledged everything."""
        if road.sink.sampling is not None and self._state.sampled.owes(road.plan.name):
            return 0
        lowest = self._state.outbox.lowest(road.name)
        return _NEVER if lowest is None else lowest

    def _is_refused(self, one: Touched, metrics: Sequence[LiveMetric]) -> bool:
        """Whether a point of a window that a stream touched is a dead letter."""
        first = min((metric.windows.pane_start(max(one.first, 0)) for metric in metrics), default=0)
        names = {shown.metric.name for metric in metrics for shown in metric.shown}
        return any(self._state.letters.within(road.name, names, first, one.last) for road in self._roads)

    def asked_again(self) -> bool:
        """Whether somebody has asked since the last commit to try again what a source put aside."""
        now = self._clock.monotonic()
        if now - self._asked_at < _ASK_INTERVAL:
            return False
        self._asked_at = now
        with self._state.reading():
            return self._state.positions.tries() != self._tries

    def progress(self, source: str, watermark: int | None) -> Progress:
        """What a source has to hear after a commit."""
        return Progress(watermark, self.released.get(source, ()), self._tries.get(source, 0))


def _moved(metric: LiveMetric) -> str:
    """Name of the fact that says in which commit a metric has closed windows last; a new life goes on from it."""
    return f"moved:{metric.id}"


def _is_done(chunk: Chunk) -> bool:
    """Whether all of the stream was counted with these records."""
    return any(one.stream == chunk.stream and one.done and "fate" not in one.cursor for one in chunk.positions)
