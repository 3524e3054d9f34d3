"""`pegel state --new-identity`: a state that was copied gets a name of its own, and writes series of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pegel.cli import app
from pegel.errors import StateError
from pegel.state import State, snapshots
from pegel.state.report import report
from pipeline.test_sampling import World


def rename(directory: Path) -> str:
    """What the command says."""
    result = CliRunner().invoke(app, ["state", "--new-identity", "--state", str(directory)])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def second(tmp_path: Path) -> Iterator[World]:
    """Ten minutes later: the copy of a state that has counted and sent 9, and another receiver."""
    first, second = World(tmp_path / "first"), World(tmp_path / "second")
    first.runner.minutes(3, a=3)
    first.finish()
    first.runner.stop()
    shutil.copytree(tmp_path / "first" / "state", tmp_path / "second" / "state")
    second.runner.source.logs = deepcopy(first.runner.source.logs)
    second.clock.now = first.clock.now + 600
    yield second
    second.runner.stop()


@pytest.fixture
def copied(second: World) -> Path:
    return second.runner.directory / "state"


def test_the_new_name_is_said_and_kept(copied: Path) -> None:
    before = report(copied)["identity"]
    said = rename(copied)
    after = report(copied)["identity"]
    assert before != after
    assert said == f"the runner of {copied} is called {after} from now on\n"
    assert rename(copied) != said


def test_counters_go_on_from_their_totals_and_are_no_step(copied: Path, second: World) -> None:
    """Under another name the series is new: from 0 its total would be one step."""
    rename(copied)
    second.runner.minutes(4, a=1)
    second.finish()
    values = second.values("a")
    assert (values[0], values[-1], second.tsdb.broken) == (9, 13, [])


def test_a_snapshot_of_another_machine_is_no_restore_under_its_own_name(copied: Path, second: World) -> None:
    """Nothing was ever sent of these series, so that nothing has to wait."""
    snapshots.take(copied / "state.db")
    shutil.copy(snapshots.snapshot_path(copied / "state.db", 0), copied / "state.db")
    rename(copied)
    second.runner.write(a=4)
    second.clock.now += 60
    second.runner.minutes(2, b=1)
    second.finish()
    assert second.values("a")[:2] == [9, 13]


def test_a_state_in_use_keeps_its_name(copied: Path) -> None:
    state = State(copied)
    result = CliRunner().invoke(app, ["state", "--new-identity", "--state", str(copied)])
    assert (result.exit_code, state.identity) == (1, report(copied)["identity"])
    assert isinstance(result.exception, StateError) or "use" in result.output
    state.close()


def test_no_state_is_made_where_none_is(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["state", "--new-identity", "--state", str(tmp_path / "none")])
    assert result.exit_code != 0
    assert not (tmp_path / "none").exists()
