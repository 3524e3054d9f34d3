"""Admission: which label sets have a series of their own (semantics 6)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pegel.state import State
from pegel.state.series import OTHER, TOMBSTONE, Limits

HOUR = 3600 * 10**6


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    state = State(tmp_path / "state")
    yield state
    state.close()


def limits(series: int = 10_000, values: tuple[int | None, ...] = (None, None), idle: int = 24 * HOUR) -> Limits:
    return Limits(series, values, idle)


def admitted(state: State, metric: int, series: int) -> tuple[str, ...]:
    return state.series.labels_of(metric, series)


def test_first_come_first_served_per_label(state: State) -> None:
    """Beyond `max_values` a value is folded for that label only; the others keep theirs."""
    few = limits(values=(None, 2))
    with state.transaction():
        got = [admitted(state, 1, state.series.admit(1, ("s", model), 0, few)) for model in ("a", "b", "c", "a")]
    assert got == [("s", "a"), ("s", "b"), ("s", OTHER), ("s", "a")]


def test_many_are_admitted_as_if_one_came_after_another(state: State) -> None:
    """By the time of the first record, then by the labels: which one gets the last slot does not depend on a batch."""
    times: dict[tuple[str, ...], int] = {("s", "d"): 2, ("s", "c"): 1, ("s", "b"): 1, ("s", "a"): 30 * HOUR}
    few = limits(series=3)
    with state.transaction():
        known = state.series.admit(1, ("s", "a"), 0, few)
        places = state.series.admit_all(1, times, few)
        assert places[("s", "a")] == known
        assert [admitted(state, 1, places[labels])[1] for labels in times] == [OTHER, "c", "b", "a"]
        idle, _ = state.series.retire(1, 31 * HOUR, few)
    assert known not in idle, "its record of now was noted"


def test_at_max_series_the_label_with_most_values_collapses(state: State) -> None:
    few = limits(series=3)
    with state.transaction():
        for model in ("a", "b", "c"):
            state.series.admit(1, ("s", model), 0, few)
        assert admitted(state, 1, state.series.admit(1, ("s", "d"), 0, few)) == ("s", OTHER)
        assert admitted(state, 1, state.series.admit(1, ("t", "d"), 0, few)) == ("t", OTHER)


def test_admission_survives_a_restart(tmp_path: Path) -> None:
    """A restart must not move counts between a value and `__other__`."""
    few = limits(values=(None, 1))
    with_state = State(tmp_path / "state")
    with with_state.transaction():
        first = with_state.series.admit(1, ("s", "a"), 0, few)
        other = with_state.series.admit(1, ("s", "b"), 0, few)
    with_state.close()
    again = State(tmp_path / "state")
    with again.transaction():
        assert again.series.admit(1, ("s", "b"), 0, few) == other
        assert again.series.admit(1, ("s", "a"), 0, few) == first
    again.close()


def test_admissions_of_a_turn_that_fails_are_forgotten(state: State) -> None:
    few = limits(values=(None, 1))
    with pytest.raises(RuntimeError), state.transaction():  # noqa: PT012 - the block is what fails
        state.series.admit(1, ("s", "a"), 0, few)
        raise RuntimeError
    with state.transaction():
        assert admitted(state, 1, state.series.admit(1, ("s", "b"), 0, few)) == ("s", "b")


def test_an_idle_value_frees_its_slot_and_comes_back_with_its_series(state: State) -> None:
    """Its total waits as a tombstone, so a counter goes on where it stopped."""
    few = limits(values=(None, 1))
    with state.transaction():
        old = state.series.admit(1, ("s", "a"), 0, few)
        assert state.series.retire(1, 25 * HOUR, few) == ([old], {})
        assert admitted(state, 1, state.series.admit(1, ("s", "b"), 25 * HOUR, few)) == ("s", "b")
        state.series.retire(1, 60 * HOUR, few)
        assert state.series.admit(1, ("s", "a"), 60 * HOUR, few) == old


def test_a_tombstone_expires_after_seven_days(state: State) -> None:
    with state.transaction():
        old = state.series.admit(1, ("s", "a"), 0, limits())
        state.series.retire(1, 25 * HOUR, limits())
        _, gone = state.series.retire(1, 25 * HOUR + TOMBSTONE + 1, limits())
        assert gone == {old: ("s", "a")}
        assert state.series.admit(1, ("s", "a"), 300 * HOUR, limits()) != old


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 400).map(str)), max_size=300))
def test_series_stay_bounded_and_every_record_has_one(labels: list[tuple[str, str]]) -> None:
    """A cardinality attack costs at most the limit and a bounded overflow."""
    from pegel.state.schema import migrate
    from pegel.state.series import SeriesTable

    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection)
    table = SeriesTable(connection)
    few = limits(series=20)
    for pair in labels:
        table.admit(1, pair, 0, few)
    assert len(table.live(1)) <= 20 + few.overflow + 3
    connection.close()
