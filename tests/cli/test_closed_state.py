"""Commands of a user who may not look into the state: a sentence that says who may, no traceback."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pegel.cli import app
from pegel.errors import StateError
from strangers import a_folder_for_all, shut_out

CONFIG = """
[runner]
state = "{folder}/state"

[[sources]]
name = "log"
type = "file"
path = "{folder}/app.log"
format = {{ template = '{{time}} {{key}}' }}
time = {{ column = "time", format = "iso8601" }}

[[metrics]]
name = "hits"
every = "1m"
values.n = "count(*)"

[[sinks]]
type = "local"
"""


@pytest.fixture
def config() -> Iterator[Path]:
    with a_folder_for_all() as folder:
        found = folder / "config.toml"
        found.write_text(CONFIG.format(folder=folder))
        found.chmod(0o644)
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        (folder / "app.log").write_text(f"{now} a\n")
        assert CliRunner().invoke(app, ["run", str(found), "--once", "--close"]).exit_code == 0
        yield found


@pytest.mark.parametrize(
    "words",
    [
        ["status", "CONFIG"],
        ["state", "CONFIG"],
        ["plan", "CONFIG"],
        ["points", "CONFIG"],
        ["points", "CONFIG", "hits"],
        ["sinks", "--config", "CONFIG"],
        ["sinks", "retry", "local", "--config", "CONFIG"],
        ["sinks", "discard", "local", "--yes", "--config", "CONFIG"],
    ],
    ids=" ".join,
)
def test_who_may_not_look_into_the_state_is_told_so(config: Path, words: list[str]) -> None:
    words = [str(config) if word == "CONFIG" else word for word in words]
    CliRunner().invoke(app, words)  # as the owner: it works, and what it imports is there
    with shut_out(config.parent / "state"):
        error = CliRunner().invoke(app, words).exception
    assert isinstance(error, StateError)
    assert f"cannot look into {config.parent}/state: Permission denied; ask as " in str(error)
    assert "sudo" in str(error)


def test_a_file_that_may_not_be_read_is_the_same(config: Path) -> None:
    """A directory that was opened with chmod does not open the file in it."""
    words = ["status", str(config)]
    CliRunner().invoke(app, words)
    (config.parent / "state").chmod(0o755)
    with shut_out(config.parent / "state" / "state.db"):
        assert isinstance(CliRunner().invoke(app, words).exception, StateError)


def test_the_doctor_goes_on_behind_a_state_that_is_closed(config: Path) -> None:
    """The owner is the finding; what else is wrong has to be said too."""
    words = ["doctor", str(config), "--offline"]
    CliRunner().invoke(app, words)
    with shut_out(config.parent / "state"):
        result = CliRunner().invoke(app, words)
    assert result.exit_code == 1
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "may not look into" in result.stdout
    assert "source log" in result.stdout
    assert "systemd" in result.stdout
