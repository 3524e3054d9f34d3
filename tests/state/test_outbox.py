"""The outbox: frozen before it leaves, gone when it is acknowledged (semantics 9)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pegel.state import State


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    state = State(tmp_path / "state")
    yield state
    state.close()


def test_a_newer_revision_replaces_one_that_has_not_left(state: State) -> None:
    with state.transaction():
        state.outbox.put("s", "m", 60, b"old", 1, 0)
        state.outbox.put("s", "m", 60, b"new", 2, 0)
    assert [window.points for window in state.outbox.oldest_waiting("s", 100)] == [b"new"]


def test_what_is_frozen_never_changes(state: State) -> None:
    """A newer revision waits behind it."""
    with state.transaction():
        state.outbox.put("s", "m", 60, b"old", 1, 0)
        number = state.outbox.freeze("s", state.outbox.oldest_waiting("s", 100), b"payload", 0)
        state.outbox.put("s", "m", 60, b"new", 1, 0)
    (request,) = state.outbox.requests("s", 10)
    assert (request.id, request.payload, request.ambiguous) == (number, b"payload", False)
    assert state.outbox.backlog("s").points == 2


def test_a_request_of_a_runner_that_died_is_ambiguous(tmp_path: Path) -> None:
    """It may have been stored; it is sent again byte for byte."""
    state = State(tmp_path / "state")
    with state.transaction():
        state.outbox.put("s", "m", 60, b"x", 1, 0)
        state.outbox.freeze("s", state.outbox.oldest_waiting("s", 100), b"payload", 0)
    state.close()
    again = State(tmp_path / "state")
    (request,) = again.outbox.requests("s", 10)
    assert request.ambiguous
    assert request.payload == b"payload"
    again.close()


def test_an_acknowledgement_removes_the_request(state: State) -> None:
    with state.transaction():
        state.outbox.put("s", "m", 60, b"x", 1, 0)
        state.outbox.acknowledge(state.outbox.freeze("s", state.outbox.oldest_waiting("s", 100), b"p", 0))
    assert state.outbox.backlog("s") == type(state.outbox.backlog("s"))(0, 0, None)


def test_windows_leave_oldest_first_and_in_bounded_requests(state: State) -> None:
    with state.transaction():
        for pane in (180, 60, 120):
            state.outbox.put("s", "m", pane, b"x", 3, 0)
    assert [window.pane for window in state.outbox.oldest_waiting("s", 6)] == [60, 120]
    assert [window.pane for window in state.outbox.oldest_waiting("s", 1)] == [60]


def test_the_age_cap_drops_and_counts(state: State) -> None:
    with state.transaction():
        state.outbox.put("s", "m", 60, b"x", 3, 1_000)
        state.outbox.put("s", "m", 120, b"x", 2, 9_000)
        assert state.outbox.drop("s", older_than=5_000) == 3
    assert state.outbox.backlog("s").points == 2


def test_the_byte_cap_drops_the_oldest_first(state: State) -> None:
    with state.transaction():
        for pane in (60, 120, 180):
            state.outbox.put("s", "m", pane, b"x" * 100, 1, 0)
        assert state.outbox.drop("s", most_bytes=150) == 2
    assert [window.pane for window in state.outbox.oldest_waiting("s", 10)] == [180]


def test_one_sink_does_not_see_what_waits_for_another(state: State) -> None:
    with state.transaction():
        state.outbox.put("a", "m", 60, b"x", 1, 0)
    assert state.outbox.oldest_waiting("b", 10) == []
    assert state.outbox.sinks() == {"a"}
