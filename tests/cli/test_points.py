from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from pegel.cli import app
from pegel.cli.points import picture
from pegel.cli.points_query import Wanted
from pegel.cli.terminal import Terminal
from pegel.errors import PegelError, StateError
from pegel.sinks.local import Local
from pegel.sinks.local_points import StoredMetric
from sinks.hostile import point

NAME = "ookla_speedtest_minutely"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    sink = Local(path=tmp_path / "points.db")
    sink.send(sink.encode([point(minute=minute, tests=minute) for minute in range(30)]))
    sink.close()
    return tmp_path


def run(*arguments: str | Path, **environment: str) -> Result:
    names = dict.fromkeys(("PEGEL_STATE", "PEGEL_CONFIG"))  # what the machine has set must not matter
    return CliRunner().invoke(app, ["points", *map(str, arguments)], env={**names, **environment})


def test_without_a_metric_all_are_listed(state: Path) -> None:
    lines = run("--state", state).stdout.splitlines()
    assert lines[0].split()[0] == "metric"
    assert lines[1].startswith(f"{NAME}       1     1m  2026-03-03 12:29")


def test_a_pipe_gets_the_bare_table(state: Path) -> None:
    """What is shown for its beauty on a terminal would be in the way of `awk`."""
    assert run(NAME, "--last", "2", "--state", state).stdout == (
        "time              server  tests\n2026-03-03 12:28  st-01      28\n2026-03-03 12:29  st-01      29\n"
    )


def test_csv_json_and_ndjson_are_for_scripts(state: Path) -> None:
    options = (NAME, "--since", "2026-03-03T12:01Z", "--until", "2026-03-03T12:02", "--state", state, "--format")
    assert run(*options, "csv").stdout == "time,server,tests,revision\n2026-03-03T12:01:00Z,st-01,1,1\n"
    expected = {"metric": NAME, "time": "2026-03-03T12:01:00Z", "labels": {"server": "st-01"}, "values": {"tests": 1}}
    assert json.loads(run(*options, "json").stdout) == [expected]
    assert json.loads(run(*options, "ndjson").stdout) == expected


def test_charts_work_in_a_pipe_too(state: Path) -> None:
    lines = run(NAME, "--last", "20", "--format", "spark", "--state", state).stdout.splitlines()
    assert "┤" in lines[4]
    assert lines[-1].split() == ["●", "st-01", "min", "10", "max", "29", "last", "29"]


def test_the_state_directory_is_found_from_the_configuration(state: Path, tmp_path: Path) -> None:
    """The file need not be right: whoever looks at numbers must not be stopped by a wrong sink."""
    config = tmp_path / "pegel.toml"
    config.write_text(f"[runner]\nstate = '{state}'\n[[sinks]]\ntype = 'no such'\n")
    assert NAME in run(config).stdout
    assert NAME in run(config, NAME, "--last", "1", "--format", "json").stdout
    assert NAME in run(NAME, "--last", "1", "--format", "json", PEGEL_CONFIG=str(config)).stdout
    assert NAME in run(PEGEL_STATE=str(state)).stdout


def test_a_local_sink_with_a_path_of_its_own_is_found(state: Path, tmp_path: Path) -> None:
    config = tmp_path / "pegel.toml"
    config.write_text(f"[runner]\nstate = 'elsewhere'\n[[sinks]]\ntype = 'local'\npath = '{state}/points.db'\n")
    assert NAME in run(config).stdout


def test_nothing_yet_is_explained_and_not_an_error(tmp_path: Path) -> None:
    """Somebody looks a second after the start; a script must still get something that it can read."""
    result = run("--state", tmp_path)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == (
        f"pegel: no points yet: {tmp_path}/points.db appears when the first window closes. Is the runner running?\n"
    )
    assert run("--state", tmp_path, "--format", "json").stdout == "[]\n"


def test_no_points_in_the_last_hour_are_explained(state: Path) -> None:
    result = run(NAME, "--state", state)
    assert (result.exit_code, result.stdout) == (0, "")
    assert f"no points of {NAME} in the last hour; the newest is of 2026-03-03 12:29 UTC" in result.stderr


def test_an_unknown_metric_and_a_missing_configuration_are_errors(state: Path, tmp_path: Path) -> None:
    assert isinstance(run("nothing", "--state", state).exception, PegelError)
    assert isinstance(run(tmp_path / "missing.toml").exception, StateError)


@pytest.mark.parametrize(
    ("option", "text", "reason"),
    [
        ("--since", "yesterday", '"yesterday" is neither a duration such as 90s, 2h or 7d nor a time such as'),
        ("--label", "server", '"server" is not name=value'),
        ("--last", "0", "greater than or equal to 1"),
        ("--format", "xml", "xml"),
    ],
)
def test_a_wrong_option_says_what_is_right(state: Path, option: str, text: str, reason: str) -> None:
    result = run(NAME, option, text, "--state", state)
    assert result.exit_code == 2
    assert reason in " ".join(result.stderr.split())


def test_a_terminal_shows_the_shape_above_the_newest_rows() -> None:
    found = [point(minute=minute, tests=minute) for minute in range(30)]
    metric = StoredMetric(NAME, "Speed tests.", {}, 1, found[0].start_us, found[-1].start_us, 60_000_000)
    lines = picture(metric, found, Wanted(), Terminal(80))
    assert lines[3] == "tests  st-01  ▁▁▁▁▂▂▂▂▃▃▃▄▄▄▄▅▅▅▅▆▆▆▇▇▇▇████  min 0       max 29      last 29"
    assert lines[5:7] == ["time   server  tests", "12:10  st-01      10"]
    assert lines[-2:] == [
        "12:29  st-01      29",
        "10 earlier rows are not shown; --last N shows more, --format csv all",
    ]


@pytest.mark.parametrize("words", [[], [NAME], ["--follow"]])
def test_a_configuration_that_stores_elsewhere_says_where(tmp_path: Path, words: list[str]) -> None:
    """It asked whether the runner was running, and all was well; --follow would wait for ever."""
    config = tmp_path / "config.toml"
    config.write_text('[[sinks]]\nname = "far"\ntype = "influxdb2"\n')
    result = run(config, *words, PEGEL_STATE=str(tmp_path / "state"))
    assert "has no `local` sink" in result.stderr
    assert "they go to far" in result.stderr
    assert "running?" not in result.stderr
    assert result.exit_code == (1 if words == ["--follow"] else 0)


def test_a_store_of_former_times_is_still_shown(state: Path) -> None:
    config = state / "config.toml"
    config.write_text('[[sinks]]\ntype = "stdout"\n')
    assert NAME in run(config, PEGEL_STATE=str(state)).stdout
