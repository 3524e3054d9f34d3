"""Distinct sets: exact, appended, never rewritten as one big blob."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pegel.state.members import Members
from pegel.state.schema import migrate

KEY = (0, 0, 1)


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection)
    yield connection
    connection.close()


def hashes(values: list[int]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.unique(np.array(values, np.int64))


numbers = st.integers(-(2**63), 2**63 - 1) | st.integers(0, 50)


@settings(deadline=None)
@given(st.lists(st.lists(numbers, min_size=1, max_size=30), max_size=30), st.integers(0, 30))
def test_a_set_has_what_was_put_into_it(batches: list[list[int]], restart: int) -> None:
    """In any batches, also when the memory is lost on the way."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection)
    members = Members(connection)
    for number, batch in enumerate(batches):
        if number == restart:
            members.flush()
            members.forget()
        members.add(1, 60, KEY, hashes(batch))
    expected = sorted({value for batch in batches for value in batch})
    members.flush()
    members.forget()
    if batches:
        found = members.pane(1, 60)[KEY]
        assert found.all().tolist() == expected
        assert found.size == len(expected)
    connection.close()


def test_a_growing_set_has_few_runs_and_rewrites_little(connection: sqlite3.Connection) -> None:
    """A day of one-second commits must neither be 86,400 rows nor rewrite megabytes a second."""
    members = Members(connection)
    written = 0
    for number in range(2000):
        before = connection.total_changes
        members.add(1, 0, KEY, np.arange(number * 10, number * 10 + 10, dtype=np.int64))
        members.flush()
        written += connection.total_changes - before
    runs = connection.execute("select length(members) from runs").fetchall()
    assert len(runs) <= 16
    assert members.pane(1, 0)[KEY].size == 20_000
    assert written < 4000


def test_known_members_write_nothing(connection: sqlite3.Connection) -> None:
    members = Members(connection)
    members.add(1, 0, KEY, hashes([1, 2, 3]))
    members.flush()
    before = connection.total_changes
    members.add(1, 0, KEY, hashes([2, 3]))
    members.flush()
    assert connection.total_changes == before


def test_beyond_the_limit_a_set_becomes_an_estimate_that_does_not_depend_on_order(
    connection: sqlite3.Connection,
) -> None:
    """Same members, same estimate, whatever the batches: within 2 %."""
    members = Members(connection)
    everyone = np.arange(50_000, dtype=np.int64) * 7919
    sizes = []
    for pane, parts in ((0, np.array_split(everyone, 7)), (60, np.array_split(everyone[::-1], 3))):
        for part in parts:
            members.add(1, pane, KEY, np.sort(part), 1000)
        members.flush()
        members.forget()
        sizes.append(members.pane(1, pane)[KEY].size)
    assert sizes[0] == sizes[1]
    assert abs(sizes[0] - 50_000) < 1000


def test_expired_panes_are_gone(connection: sqlite3.Connection) -> None:
    members = Members(connection)
    members.add(1, 0, KEY, hashes([1]))
    members.add(1, 60, KEY, hashes([2]))
    members.expire(1, 60)
    assert members.pane(1, 0) == {}
    assert connection.execute("select count(*) from runs").fetchone() == (1,)
