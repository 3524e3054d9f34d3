"""Rolling distinct counts: who was last seen when.

Panes enter when they close, in order of event time. The index of an epoch holds, for every member that a window
may still look at, the last pane in which it appeared; a window counts those seen inside it. A late pane only
moves members forward in time, so steps still to come are right and closed ones stay.

The members of all series are in one index: a step costs what it changes, however many series there are.
Panes are counted (`Windows.number`) from the beginning of their epoch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from pegel.crowd import NOBODY, Crowd
from pegel.metrics.windows import Windows

Numbers = NDArray[np.int32]
Place = tuple[int, int]
"""(epoch, part): whose members one index holds."""

_LONG_AGO = -(2**31)
_GARBAGE = 8
"""One in so many members may be out of date before they are dropped."""


class LastSeen:
    """The members of one set of every series in one epoch, and the last pane of each."""

    def __init__(self) -> None:
        self._all = NOBODY
        self._panes: Numbers = np.empty(0, np.int32)
        self._since = _LONG_AGO + 1
        self._counts: Counter[int] = Counter()

    def load(self, panes: Iterable[tuple[int, Crowd]]) -> None:
        """Begin with what was seen in some panes, in any order."""
        found = sorted(panes, key=lambda entry: entry[0])
        if not found:
            return
        members = np.concatenate([crowd.members for _, crowd in found])
        series = np.concatenate([crowd.series for _, crowd in found])
        numbers = np.repeat(np.array([number for number, _ in found], np.int32), [crowd.size for _, crowd in found])
        order = np.argsort(members, kind="stable")
        members = members[order]
        last = np.ones(members.size, bool)
        np.not_equal(members[1:], members[:-1], out=last[:-1])
        order = order[last]
        self._all, self._panes = Crowd(members[last], series[order]), numbers[order]
        self._counts.update(self._all.only(self._panes >= self._since).per_series())

    def begin(self, since: int) -> None:
        """The window begins at a pane from now on."""
        gone = (self._panes >= self._since) & (self._panes < since)
        if gone.any():
            self._counts.subtract(self._all.only(gone).per_series())
        self._since = since

    def count(self, series: int) -> int:
        """How many members of a series were seen since the window began."""
        return self._counts[series]

    def see(self, pane: int, crowd: Crowd) -> Crowd:
        """Let members appear in a pane; returns those that were not in the window before: its arrivals."""
        before = self._move(pane, crowd)
        return crowd.only(before < self._since)

    def late(self, pane: int, crowd: Crowd, reach: range) -> tuple[Crowd, Crowd]:
        """Let members appear in a pane that has closed.

        Returns:
            Those that were not seen since `reach` began, and those last seen after it has ended: whether they
            were inside of it nobody can tell from here.
        """
        before = self._move(pane, crowd)
        return crowd.only(before < reach.start), crowd.only(before >= reach.stop)

    def _move(self, pane: int, crowd: Crowd) -> Numbers:
        """Note a pane for members; returns when each was last seen before, long ago if never."""
        places, known = self._all.find(crowd)
        before = np.full(places.size, _LONG_AGO, np.int32)
        where = places[known]
        before[known] = self._panes[where]
        self._panes[where] = np.maximum(before[known], pane)
        if not known.all():
            self._insert(places[~known], crowd.only(~known), pane)
        if pane >= self._since:
            self._counts.update(crowd.only(before < self._since).per_series())
        return before

    def _insert(self, places: NDArray[np.intp], crowd: Crowd, pane: int) -> None:
        at = places + np.arange(places.size)
        others = np.ones(self._panes.size + at.size, bool)
        others[at] = False
        members = np.empty(others.size, np.int64)
        series, panes = np.empty(others.size, np.int32), np.empty(others.size, np.int32)
        members[at], series[at], panes[at] = crowd.members, crowd.series, pane
        members[others], series[others], panes[others] = self._all.members, self._all.series, self._panes
        self._all, self._panes = Crowd(members, series), panes

    def last_in(self, pane: int) -> Crowd:
        """The members that were last seen in a pane."""
        return self._all.only(self._panes == pane)

    def forget(self, before: int) -> None:
        """Drop the members that were last seen before a pane, which is not after the beginning of the window."""
        kept = self._panes >= before
        if np.count_nonzero(kept) < kept.size - kept.size // _GARBAGE:
            self._all, self._panes = self._all.only(kept), self._panes[kept]
            self._counts = +self._counts

    @property
    def size(self) -> int:
        """How many members are held."""
        return self._panes.size


class RollingSets:
    """The indexes of one metric; times are starts of panes.

    Options:
        windows: Of the metric.
        parts: Those sets of which arrivals are wanted: late records look farther back.
    """

    def __init__(self, windows: Windows, parts: Iterable[int] = ()) -> None:
        self._windows = windows
        self._arriving = frozenset(parts)
        self._seen: dict[Place, LastSeen] = {}
        self._since: int | None = None

    def load(self, found: Iterable[tuple[Place, int, Crowd]], since: int) -> None:
        """Begin with what was seen in panes, and with a window that begins at `since`."""
        self._since = since
        by_place: dict[Place, list[tuple[int, Crowd]]] = {}
        for place, pane, crowd in found:
            by_place.setdefault(place, []).append((self._number(place, pane), crowd))
        for place, panes in by_place.items():
            self._index(place).load(panes)

    def begin(self, since: int) -> None:
        """The window begins at a pane from now on."""
        self._since = since
        for place, seen in self._seen.items():
            seen.begin(self._number(place, since))

    def see(self, place: Place, pane: int, crowd: Crowd) -> Crowd:
        """Let members appear in a pane that closes; returns its arrivals."""
        return self._index(place).see(self._number(place, pane), crowd)

    def late(self, place: Place, pane: int, crowd: Crowd) -> tuple[Crowd, Crowd]:
        """Let members appear in a pane that has closed; returns its arrivals, and who may be some (`LastSeen.late`)."""
        first, last = self.reach(pane)
        reach = range(self._number(place, first), self._number(place, last) + 1)
        return self._index(place).late(self._number(place, pane), crowd, reach)

    def reach(self, pane: int) -> tuple[int, int]:
        """The first and the last pane within `over` of a pane."""
        first = last = pane
        for _ in range(self._windows.steps - 1):
            last = self._windows.next(last)
        return self._windows.back(first, self._windows.steps - 1), last

    def count(self, place: Place, series: int) -> int:
        """Distinct members of a series since the window began."""
        seen = self._seen.get(place)
        return seen.count(series) if seen else 0

    def last_in(self, pane: int) -> dict[Place, Crowd]:
        """The members that were last seen in a pane, by index."""
        found = {place: seen.last_in(self._number(place, pane)) for place, seen in self._seen.items()}
        return {place: crowd for place, crowd in found.items() if crowd.size}

    def forget(self, window: int, late: int) -> None:
        """Drop those last seen before a pane: the beginning of the window, or of what late arrivals look at."""
        for place, seen in list(self._seen.items()):
            before = min(window, late) if place[1] in self._arriving else window
            seen.forget(self._number(place, before))
            if not seen.size:
                del self._seen[place]

    def _index(self, place: Place) -> LastSeen:
        seen = self._seen.get(place)
        if seen is None:
            seen = self._seen[place] = LastSeen()
            if self._since is not None:
                seen.begin(self._number(place, self._since))
        return seen

    def _number(self, place: Place, pane: int) -> int:
        return self._windows.number(pane) - self._windows.number(place[0])
