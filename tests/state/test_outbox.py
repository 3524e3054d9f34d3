"""The outbox: frozen before it leaves, gone when it is acknowledged (semantics 9)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from pegel.state import State
from pegel.state.outbox import Outbox
from pegel.state.schema import migrate


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


def test_what_waits_knows_the_oldest_commit_that_is_in_it(state: State) -> None:
    """A correction that takes the place of a value has all of that value's commits in it."""
    for turn, pane in ((1, 60), (2, 120), (3, 60)):
        with state.transaction():
            state.remember("turn", turn)
            state.outbox.put("s", "m", pane, b"x", 1, 0)
    assert state.outbox.lowest("s") == 1
    with state.transaction():
        number = state.outbox.freeze("s", state.outbox.oldest_waiting("s", 1), b"payload", 0)
    assert state.outbox.lowest("s") == 1
    with state.transaction():
        state.outbox.acknowledge(number)
    assert state.outbox.lowest("s") == 2
    assert state.outbox.lowest("other") is None


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


def test_no_question_about_what_waits_reads_or_sorts_all_of_it(state: State) -> None:
    """After days without a sink it is hundreds of megabytes, and the questions come every few seconds."""
    asked: list[str] = []
    with state.transaction():
        state.outbox.put("s", "m", 60, b"x" * 100, 1, 1_000)
        state.connection.set_trace_callback(asked.append)
        state.outbox.oldest_waiting("s", 1)
        state.outbox.backlog("s")
        state.outbox.drop("s", older_than=500, most_bytes=1)
        state.connection.set_trace_callback(None)
    plans = [plan for sql in asked if "from outbox" in sql for plan in plan_of(state, sql)]
    assert [plan for plan in plans if "TEMP B-TREE" in plan] == []
    assert [plan for plan in plans if "COVERING" not in plan and "metric=" not in plan] == [
        "SEARCH outbox USING INDEX outbox_in_order (sink=?)"  # the oldest, of which only the first is read
    ]


def plan_of(state: State, sql: str) -> list[str]:
    return [row[3] for row in state.connection.execute(f"explain query plan {sql}")]


def test_the_size_of_a_backlog_is_that_of_what_waits_now(state: State) -> None:
    with state.transaction():
        state.outbox.put("s", "m", 60, b"x" * 100, 1, 0)
        state.outbox.put("s", "m", 60, b"x" * 30, 1, 0)
        state.outbox.put("s", "m", 120, b"x" * 5, 1, 0)
    assert state.outbox.backlog("s").bytes == 35


def test_a_backlog_of_an_older_state_keeps_its_size() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection, 2)
    connection.execute("insert into outbox values ('s', 'm', 60, ?, 7, 0)", (b"x" * 40,))
    migrate(connection)
    backlog = Outbox(connection, boot=1).backlog("s")
    assert (backlog.points, backlog.bytes) == (7, 40)
    connection.close()
