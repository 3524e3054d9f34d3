"""What may still arrive late: windows of attempts of unknown fate are sent once more when that is over.

A request that timed out may lie in a proxy and be stored minutes later, behind newer values of the same rows.
So its windows are fenced: sending goes on, what is sent of them is remembered, and when nothing of the attempt
can arrive any more the newest is sent once again. If nothing newer was sent, a late arrival repeats what is
there, and the fence is just lifted.
"""

from __future__ import annotations

from collections.abc import Iterable

from pegel.seams import Clock
from pegel.sinks import Point
from pegel.sinks.points import merge, pack, unpack
from pegel.state import State
from pegel.state.outbox import Window


class Fences:
    """The fenced windows of one sink. What it does is part of the running transaction."""

    def __init__(self, sink: str, late: float, state: State, clock: Clock) -> None:
        """`late` is how long a value may be under way, in seconds; 0 where there is nothing to fence."""
        self._sink = sink
        self._late = late
        self._state = state
        self._clock = clock
        self._ends: dict[tuple[str, int], float] = {}
        self.remember()

    def remember(self) -> None:
        """Know what is fenced according to the state: at the start, and after a commit that was undone."""
        wall, monotonic = self._clock.wall(), self._clock.monotonic()
        left = {key: until / 1e6 - wall for key, until in self._state.fenced.ends(self._sink).items()}
        self._ends = {key: monotonic + min(max(seconds, 0.0), self._late) for key, seconds in left.items()}

    def due(self) -> bool:
        """Whether the time of a fence is over."""
        now = self._clock.monotonic()
        return any(end <= now for end in self._ends.values())

    def raise_for(self, request: int) -> None:
        """Fence the windows of a request that may arrive late, with all that stands behind it already."""
        if not self._late:
            return
        until = round((self._clock.wall() + self._late) * 1e6)
        for window in self._state.outbox.claimed(request):
            self._state.fenced.put(self._sink, window.metric, window.pane, until)
            self._ends[window.metric, window.pane] = self._clock.monotonic() + self._late
        self.note(self._state.outbox.claimed_later(self._sink, request))

    def note(self, windows: Iterable[Window]) -> None:
        """Remember what is sent of fenced windows, in the order of sending."""
        for window in windows:
            if (window.metric, window.pane) in self._ends:
                sent = merge(self._points(window.metric, window.pane), unpack(window.points))
                self._state.fenced.keep(self._sink, Window(window.metric, window.pane, pack(sent), len(sent)))

    def lift(self) -> list[Point]:
        """Lift the fences whose time is over; what has to be sent once more."""
        now = self._clock.monotonic()
        points: list[Point] = []
        for metric, pane in [key for key, end in self._ends.items() if end <= now]:
            points += self._points(metric, pane)
            self._state.fenced.lift(self._sink, metric, pane)
            del self._ends[metric, pane]
        return points

    def _points(self, metric: str, pane: int) -> list[Point]:
        sent = self._state.fenced.points(self._sink, metric, pane)
        return [] if sent is None else unpack(sent)
