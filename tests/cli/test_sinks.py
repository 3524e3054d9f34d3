"""`pegel sinks`: an operator mends what a server refused, beside a running runner or without one."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from doubles import FakeClock
from pegel.cli import app
from pegel.state import State
from pipeline.roads import Depot, Road, Server, again, point


@pytest.fixture
def depot(tmp_path: Path) -> Iterator[Depot]:
    """A runner that lives, and has two dead letters of two windows."""
    clock = FakeClock()
    server = Server(clock, refuses=lambda one: "wrong type" if dict(one.labels)["key"] == "a" else "")
    depot = Depot(tmp_path, Road(server=server), clock)
    depot.turn(*[point(window, key, window) for window in (0, 5) for key in "ab"])
    depot.send()
    depot.turn()
    server.refuses = lambda _: ""
    yield depot
    depot.close()


def pegel(depot: Depot, *arguments: str, code: int = 0, answer: str | None = None) -> str:
    result = CliRunner().invoke(app, ["sinks", *arguments, "--state", str(depot.directory / "state")], input=answer)
    assert result.exit_code == code, result.output
    return result.output


def test_the_list_says_what_was_refused_and_what_can_be_done(depot: Depot) -> None:
    assert pegel(depot).splitlines() == [
        "far: nothing waits",
        "  2 refused: wrong type (windows of 2026-03-03 12:00 to 2026-03-03 12:05 UTC)",
        "  pegel sinks retry far sends them again, pegel sinks discard far deletes them",
    ]


def test_the_list_says_what_waits(depot: Depot) -> None:
    depot.turn(point(9, "b", 9))
    assert pegel(depot).startswith("far: 1 points wait (")
    assert pegel(depot, "list", "near") == "nothing waits for near\n"


def test_the_list_is_there_for_machines(depot: Depot) -> None:
    (sink,) = json.loads(pegel(depot, "--json"))
    first = 1_772_539_200_000_000
    assert sink["dead_letters"] == 2
    (reason,) = sink["reasons"]
    assert reason.pop("metrics") == ["m"]
    assert reason == {"reason": "wrong type", "points": 2, "first": first, "last": first + 300_000_000}


def test_a_retry_beside_a_running_runner_is_sent_by_it(depot: Depot) -> None:
    assert not depot.delivery.due()
    depot.clock.now += 2
    assert pegel(depot, "retry", "far") == "2 points are sent to far again now\n"
    assert depot.delivery.due()
    depot.turn()
    depot.send()
    assert len(depot.sink.server.rows) == 4
    depot.turn()
    assert pegel(depot) == "nothing waits\n"


def test_a_retry_without_a_runner_waits_for_one(depot: Depot) -> None:
    depot.state.close()
    assert pegel(depot, "retry", "far") == "2 points are sent to far again when the runner runs again\n"
    depot.start()
    depot.turn()
    depot.send()
    assert len(depot.sink.server.rows) == 4


def test_a_retry_leaves_out_what_is_overtaken(depot: Depot) -> None:
    depot.turn(again(point(0, "a"), 7))
    assert pegel(depot, "retry", "far").splitlines() == [
        "1 points are sent to far again now",
        "1 are left out: a newer value is on its way",
    ]


def test_a_retry_of_nothing_says_so(depot: Depot) -> None:
    pegel(depot, "retry", "far")
    depot.turn(point(9, "b", 9))
    assert pegel(depot, "retry", "far") == "no points of far were refused\n"


@pytest.mark.parametrize("words", [["retry", "near"], ["discard", "near", "--yes"], ["discard", "near"]])
def test_a_sink_that_nobody_knows_is_a_wrong_command(depot: Depot, words: list[str]) -> None:
    """`0 points of fra deleted` looks like success, and the points of `far` are still there."""
    said = " ".join(pegel(depot, *words, code=2).replace("│", " ").split())
    assert "there is no sink near; there is: far" in said
    assert depot.state.letters.count("far") == 2


def test_discarding_needs_a_word(depot: Depot) -> None:
    """They are gone for good."""
    assert "2 points would be deleted; say --yes" in pegel(depot, "discard", "far", code=2).replace("\n", " ")
    assert depot.state.letters.count("far") == 2
    assert pegel(depot, "discard", "far", "--yes") == "2 points of far deleted\n"
    assert depot.state.letters.count("far") == 0


def test_the_sink_has_to_be_named(depot: Depot) -> None:
    assert "say of which sink" in pegel(depot, "retry", code=2)


def test_a_state_that_is_being_written_is_waited_for_and_never_half_changed(depot: Depot) -> None:
    """A turn of the runner holds the file for milliseconds."""
    reader = sqlite3.connect(depot.state.path)
    with depot.state.transaction():
        depot.delivery.put([point(7, "b", 7)])
        assert reader.execute("select count(*) from outbox").fetchone() == (0,)
    reader.close()
    pegel(depot, "retry", "far")
    assert depot.state.letters.count("far") == 0


def test_the_state_of_another_version_is_left_alone(tmp_path: Path) -> None:
    other = State(tmp_path / "other")
    other.connection.execute("pragma user_version = 99")
    other.close()
    result = CliRunner().invoke(app, ["sinks", "retry", "far", "--state", str(tmp_path / "other")])
    assert "has schema 99" in str(result.exception)


def test_where_there_is_no_state_it_says_so(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["sinks", "retry", "far", "--state", str(tmp_path)])
    assert "has the runner run?" in str(result.exception)
