"""Rolling distinct counts: who was last seen when, per series.

Panes enter when they close, in order of event time. The index of an epoch holds, for every member of a set
that a window may still look at, the last pane in which it appeared; a window counts those seen inside it.
A late pane only moves members forward in time, so steps still to come are right and closed ones stay.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.int64]


class LastSeen:
    """The members of one series in one epoch: sorted hashes and the last pane of each."""

    __slots__ = ("_hashes", "_panes")

    def __init__(self) -> None:
        self._hashes: Hashes = np.empty(0, np.int64)
        self._panes: Hashes = np.empty(0, np.int64)

    def see(self, pane: int, members: Hashes, since: int) -> int:
        """Let sorted, distinct members appear in a pane.

        Returns how many of them were not seen in [since, pane] before: the arrivals of the pane.
        """
        places = np.searchsorted(self._hashes, members)
        inside = places < self._hashes.size
        known = np.zeros(members.size, bool)
        known[inside] = self._hashes[places[inside]] == members[inside]
        where = places[known]
        recent = int(np.count_nonzero(self._panes[where] >= since))
        self._panes[where] = np.maximum(self._panes[where], pane)
        fresh = ~known
        if fresh.any():
            self._hashes = np.insert(self._hashes, places[fresh], members[fresh])
            self._panes = np.insert(self._panes, places[fresh], pane)
        return members.size - recent

    def count(self, since: int) -> int:
        """How many members were seen in a pane >= since."""
        return int(np.count_nonzero(self._panes >= since))

    def forget(self, before: int) -> None:
        """Drop the members that were last seen in a pane < before."""
        kept = self._panes >= before
        if not kept.all():
            self._hashes, self._panes = self._hashes[kept], self._panes[kept]

    @property
    def size(self) -> int:
        """How many members are held."""
        return self._hashes.size


class RollingSets:
    """The indexes of one metric: by (epoch, part, series)."""

    def __init__(self) -> None:
        self._seen: dict[tuple[int, int, int], LastSeen] = {}

    def see(self, key: tuple[int, int, int], pane: int, members: Hashes, since: int) -> int:
        """Let members appear in a pane; returns the arrivals (see `LastSeen.see`)."""
        return self._seen.setdefault(key, LastSeen()).see(pane, members, since)

    def count(self, key: tuple[int, int, int], since: int) -> int:
        """Distinct members of a series since a pane."""
        seen = self._seen.get(key)
        return seen.count(since) if seen else 0

    def forget(self, before: int) -> None:
        """Drop what no window can look at any more."""
        for key, seen in list(self._seen.items()):
            seen.forget(before)
            if not seen.size:
                del self._seen[key]
