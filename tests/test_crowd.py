"""Members of many series in one array: the same as a set for each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pegel.crowd import Crowd

hashes = st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3)
Sets = Mapping[int, set[int]]
sets = st.dictionaries(st.integers(1, 2**31 - 1) | st.integers(1, 4), st.sets(hashes, max_size=8), max_size=5)


def crowd(found: Sets) -> Crowd:
    return Crowd.of({series: [np.array(sorted(members), np.int64)] for series, members in found.items()})


def pairs(found: Sets) -> set[tuple[int, int]]:
    return {(series, member) for series, members in found.items() for member in members}


@given(sets, sets)
def test_it_knows_what_sets_know(one: Sets, other: Sets) -> None:
    mine, theirs = crowd(one), crowd(other)
    assert mine.size == len(pairs(one))
    assert mine.without(theirs).size == len(pairs(one) - pairs(other))
    assert Crowd.union((mine, theirs)).size == len(pairs(one) | pairs(other))
    assert mine.per_series() == Counter(series for series, _ in pairs(one))


@given(sets)
def test_packing_changes_nothing(found: Sets) -> None:
    mine = crowd(found)
    again = Crowd.unpack(mine.pack())
    assert (again.members.tolist(), again.series.tolist()) == (mine.members.tolist(), mine.series.tolist())
    assert np.all(again.members[1:] > again.members[:-1])


@given(st.lists(st.sets(hashes, max_size=8), max_size=4))
def test_sets_that_became_one_series_share_their_members(parts: list[set[int]]) -> None:
    """`__other__` is the union of many label sets, not their sum."""
    found = Crowd.of({7: [np.array(sorted(part), np.int64) for part in parts]})
    assert found.per_series() == ({7: len(set().union(*parts))} if set().union(*parts) else {})
