"""`pegel status` beside real runs: its exit code is a verdict that monitoring trusts."""

from __future__ import annotations

import gzip
import json
import os
import threading
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from doubles import FakeClock
from pegel.cli import app
from pegel.cli.status_facts import gather
from pegel.cli.watching import watching
from pegel.config import load

CONFIG = """
[[sources]]
name = "log"
type = "file"
path = "app.log"
format = { template = '{time} {key}' }
time = { column = "time", format = "iso8601" }

[[metrics]]
name = "hits"
every = "1m"
labels = ["key"]
values.n = "count(*)"

[[sinks]]
type = "file"
path = "points.ndjson"
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PEGEL_STATE", "state")
    (tmp_path / "config.toml").write_text(CONFIG)
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 120))
    (tmp_path / "app.log").write_text(f"{now} a\n" * 50)
    return tmp_path


def pegel(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, [*words])
    return result.exit_code, result.stdout


@pytest.mark.usefixtures("place")
def test_before_the_first_run_it_is_not_well() -> None:
    code, out = pegel("status")
    assert (code, out.splitlines()[0]) == (1, "not healthy: 1 reason")


@pytest.mark.usefixtures("place")
def test_between_two_runs_all_is_on_one_screen() -> None:
    assert pegel("run", "--once")[0] == 0
    code, out = pegel("status")
    assert (code, out.splitlines()[0]) == (0, "healthy (between two runs)")
    for words in ("the last run began", "log: 50 records, newest 2 min", "all read", "hits: ", "file: nothing waits"):
        assert words in out
    assert len(out.splitlines()) < 24


def test_a_runner_without_sources_says_so(place: Path) -> None:
    """The stack begins like that: its screen had holes where the reader looks for the first line."""
    (place / "config.toml").write_text("[[sinks]]\ntype = 'file'\npath = 'points.ndjson'\nmetrics = ['pegel_*']\n")
    pegel("run", "--once")
    out = pegel("status")[1]
    assert "source   none is configured" in out
    assert "\n\n\n" not in out


def test_what_was_rejected_and_what_is_unread_is_shown(place: Path) -> None:
    pegel("run", "--once")
    with (place / "app.log").open("a") as log:
        log.write("no time here\n" * 20)
    assert "260 B unread" in pegel("status")[1]
    pegel("run", "--once")
    code, out = pegel("status")
    assert code == 1
    assert "source log: 28.6% of its records are rejected" in out
    assert "20 rejected: malformed (28.57%)" in out or "20 rejected: bad_time (28.57%)" in out


def test_the_last_sentence_of_a_sink_that_fails_is_shown(place: Path) -> None:
    (place / "points.ndjson").mkdir()
    assert pegel("run", "--once", "--close", "--patience", "0s")[0] == 1
    code, out = pegel("status")
    assert code == 1
    assert "the last run left something: file: points.ndjson: Is a directory" in out
    assert "1 points wait" in out
    (place / "points.ndjson").rmdir()
    pegel("run", "--once")
    assert pegel("status")[0] == 0


def test_a_damaged_archive_is_a_reason_until_it_is_moved_away(place: Path) -> None:
    """Its records are missing from numbers that look complete."""
    broken = place / "app.log.1.gz"
    broken.write_bytes(gzip.compress(bytes(range(256)) * 10)[:-4])
    os.utime(broken, (1e9, 1e9))
    config = place / "config.toml"
    config.write_text(CONFIG.replace('path = "app.log"', 'path = "app.log"\nrotate_wait = "0s"'))
    for _ in range(2):
        assert pegel("run", "--once")[0] == 0
        code, out = pegel("status")
        assert code == 1
        assert "source log: an archive is damaged and not counted: " in out
        assert "app.log.1.gz (the file ends in the middle of a gzip member)" in out
        assert "1 quarantined archives" in out
    broken.unlink()
    assert pegel("status")[0] == 0


@pytest.mark.usefixtures("place")
def test_machines_get_the_verdict_and_all_facts() -> None:
    pegel("run", "--once")
    facts = json.loads(pegel("status", "--json")[1])
    assert (facts["healthy"], facts["complaints"], facts["runner"]["mode"]) == (True, [], "once")
    assert facts["state"]["sources"][0]["unread"] == 0


def test_a_state_that_cannot_be_read_is_no_verdict(place: Path) -> None:
    pegel("run", "--once")
    (place / "state" / "state.db").write_bytes(b"no database at all" * 100)
    assert CliRunner().invoke(app, ["status"]).exception is not None


def test_nothing_is_written_by_looking(place: Path) -> None:
    """The operator may be allowed to read and nothing else."""
    pegel("run", "--once")
    before = {path.name: path.stat().st_mtime_ns for path in (place / "state").iterdir()}
    gather(load(place / "config.toml"))
    after = {path.name: path.stat().st_mtime_ns for path in (place / "state").iterdir()}
    assert {name: after[name] for name in before} == before


def test_watching_looks_again_until_it_is_interrupted() -> None:
    class Impatient(FakeClock):
        def wait(self, wake: threading.Event, seconds: float) -> bool:
            super().wait(wake, seconds)
            if self.now > FakeClock.now + 5:
                raise KeyboardInterrupt
            return False

    assert list(watching(again=True, clock=Impatient())) == [0, 1, 2]
    assert list(watching(again=False)) == [0]
