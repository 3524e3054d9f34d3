"""`pegel run` as its users start it: a process, files, signals and exit codes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pegel.cli.preview import collect
from pegel.config import load
from pegel.state import bulletin
from sinks.influx_server import TOKEN, FakeInflux

CONFIG = """
[runner]
state = "state"
commit_interval = "100ms"

[[sources]]
name = "log"
type = "file"
path = "app.log"
poll_interval = "50ms"
format = {{ template = '{{time}} {{key}} {{user}}' }}
time = {{ column = "time", format = "iso8601" }}
private = ["user"]

[[metrics]]
name = "{metric}"
every = "1m"
labels = ["key"]
values.n = "count(*)"
values.users = "count(distinct user)"

[[sinks]]
type = "file"
path = "points.ndjson"

[[sinks]]
type = "local"
"""

PEGEL = [sys.executable, "-m", "pegel"]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.toml").write_text(CONFIG.format(metric="hits"))
    return tmp_path


@pytest.fixture
def running(place: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([*PEGEL, "run"], cwd=place, stderr=subprocess.PIPE, text=True)
    yield process
    process.kill()
    process.communicate()


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PEGEL, *words], capture_output=True, text=True, check=False, env={**os.environ, **environment}, timeout=60
    )


def write(place: Path, minute: int, *users: str) -> None:
    with (place / "app.log").open("a") as log:
        log.writelines(f"2026-03-03T12:{minute:02}:{second:02}Z a {user}\n" for second, user in enumerate(users))


def points(place: Path, metric: str = "hits") -> dict[str, dict[str, int]]:
    path = place / "points.ndjson"
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return {point["time"]: point["values"] for point in lines if point["metric"] == metric}


def refused(place: Path) -> str:
    """Why the running process says that it does not run the configuration that is there."""
    said = bulletin.read(place / "state")
    return "".join(one.sentence for one in said.troubles if one.kind == "config") if said else ""


@pytest.mark.usefixtures("running")
def test_a_configuration_that_the_state_refuses_is_no_secret_either(place: Path) -> None:
    """It passes `pegel check`, so nothing else would tell the operator that the old one goes on."""
    write(place, 0, "u")
    wait(lambda: (place / "state" / "runner.json").exists() and not refused(place))
    wait(lambda: "at byte" in run("status").stdout)
    config = place / "config.toml"
    config.write_text(config.read_text().replace('name = "log"', 'name = "other"'))
    wait(lambda: "renamed_from" in refused(place))
    status = run("status")
    assert status.returncode == 1
    assert "config: the changed one is refused since" in status.stdout


def wait(until: Callable[[], bool]) -> None:
    """Look again and again; a machine that is busy may take its time."""
    deadline = time.monotonic() + 30
    while not until():
        assert time.monotonic() < deadline
        os.sched_yield()


def test_once_leaves_the_newest_window_open_and_close_closes_it(place: Path) -> None:
    write(place, 0, "u", "v", "u")
    write(place, 2, "w")
    assert run("run", "--once").returncode == 0
    assert points(place) == {"2026-03-03T12:00:00Z": {"n": 3, "users": 2}}
    assert run("run", "--once", "--close").returncode == 0
    assert points(place)["2026-03-03T12:02:00Z"] == {"n": 1, "users": 1}


def test_preview_gives_the_same_points_and_touches_nothing(place: Path) -> None:
    write(place, 0, "u", "v", "u")
    found = collect(load(place / "config.toml"))
    assert [(point.metric, dict(point.values)) for point in found] == [("hits", {"n": 3, "users": 2})]
    assert not (place / "state").exists()
    assert not (place / "points.ndjson").exists()


def test_preview_of_files_reads_only_these(place: Path) -> None:
    write(place, 0, "configured")
    (place / "other.log").write_text("2026-03-03T13:00:00Z b x\n")
    result = run("preview", "config.toml", "other.log", "--format", "ndjson")
    assert json.loads(result.stdout) == {
        "metric": "hits",
        "time": "2026-03-03T13:00:00Z",
        "labels": {"key": "b"},
        "values": {"n": 1, "users": 1},
    }


def test_a_refused_configuration_starts_nothing(place: Path) -> None:
    (place / "config.toml").write_text(CONFIG.format(metric="hits").replace("count(*)", "count(*"))
    result = run("run", "--once")
    assert result.returncode == 2
    assert "config.toml:" in result.stderr
    assert not (place / "state").exists()


def test_a_sink_that_cannot_be_written_is_said_and_the_points_are_kept(place: Path) -> None:
    write(place, 0, "u")
    (place / "points.ndjson").mkdir()
    result = run("run", "--once", "--close", "--patience", "0s")
    assert result.returncode == 1
    assert "points.ndjson" in result.stderr
    (place / "points.ndjson").rmdir()
    assert run("run", "--once").returncode == 0
    assert points(place) == {"2026-03-03T12:00:00Z": {"n": 1, "users": 1}}


def test_s47_a_second_runner_on_one_state_is_refused(place: Path, running: subprocess.Popen[str]) -> None:
    write(place, 0, "u")
    wait((place / "state" / "points.db").exists)
    result = run("run", "--once")
    assert result.returncode == 3
    assert str(running.pid) in result.stderr


def test_it_stops_when_asked_and_goes_on_where_it_was(place: Path, running: subprocess.Popen[str]) -> None:
    write(place, 0, "u", "v")
    write(place, 2, "u")
    wait(lambda: len(points(place)) == 1)
    running.send_signal(signal.SIGTERM)
    assert running.wait(timeout=10) == 0
    write(place, 4, "u")
    assert run("run", "--once").returncode == 0
    lines = (place / "points.ndjson").read_text().splitlines()
    assert [json.loads(line)["values"]["n"] for line in lines] == [2, 1]


def test_a_changed_configuration_is_loaded_and_a_bad_one_is_not(place: Path, running: subprocess.Popen[str]) -> None:
    """The cursor stays, whatever happens to the metrics."""
    write(place, 0, "u")
    write(place, 2, "u")
    wait(lambda: len(points(place)) == 1)
    (place / "config.toml").write_text("[runner\n")
    running.send_signal(signal.SIGHUP)
    write(place, 4, "u")
    wait(lambda: len(points(place)) == 2)
    wait(lambda: "config.toml:1" in refused(place))
    (place / "config.toml").write_text(CONFIG.format(metric="visits"))
    running.send_signal(signal.SIGHUP)
    wait(lambda: "2026-03-03T12:04:00Z" in points(place))  # removed: its open window is sent as it is
    wait(lambda: not refused(place))
    write(place, 6, "u", "u")
    write(place, 8, "u")
    wait(lambda: points(place, "visits") == {"2026-03-03T12:06:00Z": {"n": 2, "users": 1}})


def test_the_state_is_shown_in_words_and_as_facts(place: Path) -> None:
    write(place, 0, "u")
    with (place / "app.log").open("a") as log:
        log.write("what is this\n")
    run("run", "--once", "--close")
    words = run("state").stdout
    assert "log: 1 records" in words
    assert "app.log" in words
    facts = json.loads(run("state", "--json").stdout)
    assert facts["sources"][0]["name"] == "log"
    assert {"name": "rejects_total", "labels": {"reason": "bad_time", "source": "log"}, "value": 1} in facts["counters"]


def test_once_gives_up_on_a_log_that_cannot_be_read_and_says_why(place: Path) -> None:
    """Cron must not pile up runs that wait for ever."""
    (place / "logs").write_text("no directory")
    config = CONFIG.format(metric="hits").replace('"app.log"', '"logs/app.log"')
    (place / "config.toml").write_text(config)
    result = run("run", "--once", "--patience", "0s")
    assert result.returncode == 1, result.stderr
    assert "logs/app.log" in result.stderr


def test_once_fails_where_points_were_refused_for_good(place: Path) -> None:
    """Cron sends its mail by the exit code; points that nobody will ever see must not be a success."""
    with FakeInflux() as influx:
        influx.oldest["telemetry"] = 1e10
        place_of = 'org = "example"\nbucket = "telemetry"\ntoken = "${INFLUX_TOKEN}"'
        sink = f'type = "influxdb2"\nurl = "{influx.url}"\n{place_of}'
        (place / "config.toml").write_text(CONFIG.format(metric="hits").replace('type = "local"', sink))
        write(place, 0, "u", "v")
        write(place, 2, "w")
        first, second = (run("run", "--once", "--close", INFLUX_TOKEN=TOKEN) for _ in range(2))
    assert first.returncode == 1
    assert re.search(r"influxdb2 refused \d points for good \(pegel sinks shows them\)", first.stderr)
    assert second.returncode == 0, "the next run has refused nothing"
