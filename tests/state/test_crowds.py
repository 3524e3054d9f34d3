"""Members of rolling sets in the state: exact, appended, and gone when nobody needs them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pegel.crowd import Crowd
from pegel.state.crowds import Crowds
from pegel.state.schema import migrate

PLACE = (0, 0)


def connected() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection)
    return connection


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    connection = connected()
    yield connection
    connection.close()


def crowd(*members: int, series: int = 1) -> Crowd:
    return Crowd.of({series: [np.array(sorted(members), np.int64)]})


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 60), min_size=1, max_size=20), max_size=20), st.integers(0, 20))
def test_a_pane_has_what_was_put_into_it_and_says_what_was_new(batches: list[list[int]], restart: int) -> None:
    connection = connected()
    crowds, seen = Crowds(connection), set[int]()
    for number, batch in enumerate(batches):
        if number == restart:
            crowds.forget()
        fresh = crowds.add(1, 60, PLACE, crowd(*set(batch)))
        assert fresh.size == len(set(batch) - seen)
        seen.update(batch)
    crowds.forget()
    assert [found.size for found in crowds.pane(1, 60).values()] == ([len(seen)] if seen else [])
    connection.close()


def test_a_growing_pane_has_few_runs_and_rewrites_little(connection: sqlite3.Connection) -> None:
    """An hour of one-second commits must neither be 3,600 rows nor rewrite megabytes a second."""
    crowds, before = Crowds(connection), connection.total_changes
    for number in range(1000):
        crowds.add(1, 0, PLACE, crowd(*range(number * 10, number * 10 + 10)))
    runs, size = connection.execute("select count(*), sum(length(members)) from crowds").fetchone()
    assert runs <= 12
    assert size == 10_000 * 12
    assert connection.total_changes - before < 3 * 1000


def test_memory_is_given_back_and_read_again(connection: sqlite3.Connection) -> None:
    crowds = Crowds(connection, budget=100)
    for pane in range(5):
        crowds.add(1, pane, PLACE, crowd(*range(20)))
    crowds.settle()
    assert [crowds.pane(1, pane)[PLACE].size for pane in range(5)] == [20] * 5


def test_what_is_replaced_or_has_expired_is_gone(connection: sqlite3.Connection) -> None:
    crowds = Crowds(connection)
    for pane in (0, 60, 120):
        crowds.add(1, pane, PLACE, crowd(1, 2, 3))
    crowds.add(2, 0, PLACE, crowd(9))
    crowds.replace(1, 60, {PLACE: crowd(2)})
    crowds.expire(1, 60)
    assert [(pane, found.size) for pane, _, found in crowds.since(1, 0, 1000)] == [(60, 1), (120, 3)]
    assert crowds.stored_bytes() == 12 * (1 + 3 + 1)
    assert crowds.pane(2, 0)[PLACE].size == 1
