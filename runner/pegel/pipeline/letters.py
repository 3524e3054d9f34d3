"""Dead letters: points that a sink refused for good, until the operator retries or discards them.

A letter is never sent behind a newer value of its row: it goes as soon as one is stored or refused in its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pegel.pipeline import waiting
from pegel.sinks import Point
from pegel.sinks.points import merge, pack, unpack
from pegel.state.letters import Letters
from pegel.state.outbox import Outbox, Window


class DeadLetters:
    """The letters of one sink. What it does is part of the running transaction."""

    def __init__(self, sink: str, letters: Letters) -> None:
        self._sink = sink
        self._letters = letters
        self._windows: set[tuple[str, int]] = set()
        self.remember()

    def remember(self) -> None:
        """Know which windows have letters according to the state."""
        self._windows = set(self._letters.windows(self._sink))

    @property
    def none(self) -> bool:
        """Whether there is no letter that could be overtaken."""
        return not self._windows

    def settle(self, windows: Sequence[Window], refused: Mapping[int, str], now: int) -> None:
        """Note what a sink said about a request.

        Args:
            windows: All that was in it.
            refused: Reasons by the index of the point; all others are stored.
            now: Wall clock in us.
        """
        place = 0
        for window in windows:
            mine = {index - place: refused[index] for index in range(place, place + window.count) if index in refused}
            if mine or (window.metric, window.pane) in self._windows:
                self._settle_window(window, mine, now)
            place += window.count

    def _settle_window(self, window: Window, refused: Mapping[int, str], now: int) -> None:
        points = unpack(window.points)
        former = self._letters.of_window(self._sink, window.metric, window.pane)
        letters = {reason: not_overtaken(unpack(packed), points) for reason, packed in former.items()}
        for index, reason in refused.items():
            letters.setdefault(reason, []).append(points[index])
        for reason, kept in letters.items():
            if kept:
                packed = Window(window.metric, window.pane, pack(kept), len(kept))
                self._letters.put(self._sink, reason, packed, now)
            else:
                self._letters.remove(self._sink, window.metric, window.pane, reason)
        self._windows.discard((window.metric, window.pane))
        if any(letters.values()):
            self._windows.add((window.metric, window.pane))


def retry(outbox: Outbox, letters: Letters, sink: str, now: int) -> tuple[int, int]:
    """Let the letters of a sink wait to be sent again; part of the running transaction.

    It does not depend on what a runner remembers, so it may happen beside one.

    Returns:
        How many points wait now, and how many are left out because a newer value is under way.
    """
    sent = outdated = 0
    for metric, pane in letters.windows(sink):
        found: list[Point] = []
        for reason, packed in letters.of_window(sink, metric, pane).items():
            found = merge(found, unpack(packed))
            letters.remove(sink, metric, pane, reason)
        under_way = [point for packed in outbox.claimed_of(sink, metric, pane) for point in unpack(packed)]
        fresh = not_overtaken(found, under_way)
        waiting.put(outbox, sink, fresh, now, older=True, turn=0)  # nobody knows any more of which commit they are
        sent, outdated = sent + len(fresh), outdated + len(found) - len(fresh)
    return sent, outdated


def not_overtaken(points: Iterable[Point], later: Iterable[Point]) -> list[Point]:
    """The points of which there is no later value, by series and window."""
    newest: dict[tuple[str, tuple[tuple[str, str], ...], int], int] = {}
    for point in later:
        key = (point.metric, point.labels, point.start_us)
        newest[key] = max(point.revision, newest.get(key, point.revision))
    return [
        point
        for point in points
        if point.revision > newest.get((point.metric, point.labels, point.start_us), point.revision - 1)
    ]
