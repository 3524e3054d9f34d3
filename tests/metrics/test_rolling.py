"""Who was last seen when, against a dictionary."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pegel.crowd import Crowd
from pegel.metrics.rolling import LastSeen, RollingSets
from pegel.metrics.windows import DAY, Windows

MINUTE = 60 * 10**6
panes = st.lists(st.dictionaries(st.integers(1, 3), st.sets(st.integers(0, 9)), max_size=3), max_size=14)


def crowd(sets: dict[int, set[int]]) -> Crowd:
    return Crowd.of({series: [np.array(sorted(members), np.int64)] for series, members in sets.items()})


@settings(deadline=None)
@given(panes, st.integers(1, 6), st.integers(0, 14))
def test_counts_and_arrivals_are_those_of_a_dictionary(
    given_panes: list[dict[int, set[int]]], length: int, restart: int
) -> None:
    seen, known = LastSeen(), dict[tuple[int, int], int]()
    for pane, sets in enumerate(given_panes):
        since = pane - length + 1
        if pane == restart:
            seen = reloaded(known, since - 1)
        seen.begin(since)
        present = {(series, member) for series, members in sets.items() for member in members}
        expected = len([one for one in present if known.get(one, -99) < since])
        assert seen.see(pane, crowd(sets)).size == expected
        known |= dict.fromkeys(present, pane)
        seen.forget(since)
        for series in (1, 2, 3):
            assert seen.count(series) == len([one for one, last in known.items() if one[0] == series and last >= since])
        assert seen.last_in(pane).size == len(present)


def reloaded(known: dict[tuple[int, int], int], since: int) -> LastSeen:
    """A new index, from what panes of the state say in any order."""
    by_pane: dict[int, dict[int, set[int]]] = {}
    for (series, member), last in known.items():
        by_pane.setdefault(last, {}).setdefault(series, set()).add(member)
    seen = LastSeen()
    seen.load((pane, crowd(sets)) for pane, sets in reversed(by_pane.items()))
    seen.begin(since)
    return seen


def test_an_index_that_nobody_needs_is_dropped() -> None:
    """The members of an epoch must not stay for ever: its key is gone, too."""
    sets = RollingSets(Windows(60.0, 180.0))
    sets.begin(0)
    sets.see((0, 0), 0, crowd({1: {1, 2}}))
    assert sets.count((0, 0), 1) == 2
    sets.begin(MINUTE)
    sets.forget(MINUTE, MINUTE)
    assert (sets.count((0, 0), 1), sets.last_in(0)) == (0, {})


def test_late_arrivals_look_back_farther_than_the_window() -> None:
    sets = RollingSets(Windows(60.0, 180.0, late=180.0), parts=[0])
    sets.begin(0)
    sets.see((0, 0), 0, crowd({1: {7}}))
    sets.begin(4 * MINUTE)
    sets.forget(4 * MINUTE, 0)
    came, doubtful = sets.late((0, 0), 2 * MINUTE, crowd({1: {7, 8}}))
    assert (came.size, doubtful.size) == (1, 0)


def test_days_are_counted_in_their_own_calendar() -> None:
    """A day of 23 hours is one pane, like any other."""
    windows = Windows(86400.0, 7 * 86400.0, "Europe/Prague")
    day = windows.pane_start(20_540 * DAY)
    numbers = []
    for _ in range(5):  # over 29 March 2026
        numbers.append(windows.number(day))
        day = windows.next(day)
    assert [b - a for a, b in itertools.pairwise(numbers)] == [1] * 4
