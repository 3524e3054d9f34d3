"""`pegel backfill` as its users start it: a process, arguments, signals, exit codes, and what it says."""

from __future__ import annotations

import gzip
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer

from pegel.cli.backfill_files import expanded
from pegel.cli.backfill_progress import Meter
from pegel.cli.times import moment

PEGEL = [sys.executable, "-m", "pegel"]
NOON = 1_772_539_200
CONFIG = """
[runner]
state = "state"
commit_interval = "50ms"

[[sources]]
name = "log"
type = "file"
path = "app.log"
format = { template = '{time} {key}' }
time = { column = "time", format = "iso8601" }

[[metrics]]
name = "hits"
every = "1m"
values.n = "count(*)"

[[sinks]]
name = "kept"
type = "file"
path = "points.ndjson"
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.toml").write_text(CONFIG)
    (tmp_path / "old").mkdir()
    return tmp_path


def archive(place: Path, name: str, times: range) -> Counter[str]:
    """A packed archive; returns how many records each minute has."""
    texts = [datetime.fromtimestamp(NOON + second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for second in times]
    (place / "old" / name).write_bytes(gzip.compress("".join(f"{text} a\n" for text in texts).encode(), 1))
    return Counter(f"{text[:16]}:00Z" for text in texts)


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PEGEL, "backfill", "config.toml", *words], capture_output=True, text=True, check=False)


def points(place: Path) -> dict[str, int]:
    """What counts of each window: the line with the highest revision."""
    path = place / "points.ndjson"
    best: dict[str, tuple[int, int]] = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        point = json.loads(line)
        key = (point.get("revision", 1), point["values"]["n"])
        best[point["time"]] = max(best.get(point["time"], (0, 0)), key)
    return {time: n for time, (_, n) in best.items()}


def test_a_directory_goes_in_and_its_figures_come_out(place: Path) -> None:
    wanted = archive(place, "b.gz", range(600, 1200)) + archive(place, "a.gz", range(600))
    result = run("old")
    assert result.returncode == 0, result.stderr
    assert points(place) == wanted
    assert 'back-fill "log" reads 2 files' in result.stdout
    assert "1,200 records" in result.stdout
    assert "20 points stored by kept this time" in result.stdout


def test_a_second_time_there_is_nothing_left_to_do(place: Path) -> None:
    archive(place, "a.gz", range(600))
    run("old")
    before = (place / "points.ndjson").read_bytes()
    result = run("old", "--quiet")
    assert (result.returncode, result.stdout) == (0, "")
    assert (place / "points.ndjson").read_bytes() == before


def test_killed_and_killed_again_it_ends_with_every_record_counted_once(place: Path) -> None:
    """The real thing: kill -9 as soon as something new was committed, then the same command."""
    wanted: Counter[str] = Counter()
    for number in range(12):
        wanted += archive(place, f"{number}.gz", range(number * 15_000, (number + 1) * 15_000))
    kills = 0
    for _ in range(3):
        process = subprocess.Popen([*PEGEL, "backfill", "config.toml", "old", "--quiet"], stderr=subprocess.PIPE)
        before = committed(place)
        deadline = time.monotonic() + 30
        while process.poll() is None and committed(place) == before:
            assert time.monotonic() < deadline
            os.sched_yield()
        process.kill()
        process.communicate()
        kills += process.returncode == -signal.SIGKILL
    assert kills >= 1
    result = run("old")
    assert result.returncode == 0, result.stderr
    assert "goes on with" in result.stdout
    assert points(place) == wanted


def committed(place: Path) -> int:
    """Records that are counted for good."""
    path = place / "state" / "backfill" / "log" / "state.db"
    if not path.exists():
        return 0
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            row = connection.execute("select sum(value) from counters where name = 'records_total'").fetchone()
    except sqlite3.OperationalError:  # it is being made
        return 0
    return int(row[0] or 0)


def test_interrupted_it_says_how_to_go_on(place: Path) -> None:
    wanted: Counter[str] = Counter()
    for number in range(12):
        wanted += archive(place, f"{number}.gz", range(number * 15_000, (number + 1) * 15_000))
    process = subprocess.Popen([*PEGEL, "backfill", "config.toml", "old", "--quiet"], stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not committed(place):
        os.sched_yield()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "stopped; the same command goes on exactly here" in said
    assert run("old").returncode == 0
    assert points(place) == wanted


def test_a_sink_that_is_down_is_said_and_the_next_time_gets_the_rest(place: Path) -> None:
    wanted = archive(place, "a.gz", range(600))
    (place / "points.ndjson").mkdir()
    result = run("old", "--patience", "0s")
    assert result.returncode == 1
    assert "not everything was read or delivered: kept: points.ndjson" in result.stderr
    (place / "points.ndjson").rmdir()
    assert run("old").returncode == 0
    assert points(place) == wanted


def test_what_is_broken_is_named_and_is_exit_code_1(place: Path) -> None:
    archive(place, "a.gz", range(600))
    (place / "old" / "b.gz").write_bytes(gzip.compress(b"x" * 9000)[:25])
    result = run("old")
    assert result.returncode == 1
    assert "old/b.gz cannot be read: " in result.stderr
    assert len(points(place)) == 10


def test_with_nothing_to_read_it_is_finished_at_once(place: Path) -> None:
    """Otherwise it would keep every other back-fill from beginning."""
    (place / "old" / "empty").touch()
    result = run("old", "--id", "first")
    assert (result.returncode, "reads 0 files" in result.stdout) == (0, True), result.stderr
    assert "1 file skipped, is empty: old/empty" in result.stdout
    wanted = archive(place, "a.gz", range(600))
    assert run("old", "--id", "second").returncode == 0
    assert points(place) == wanted


def test_a_name_that_names_nothing_starts_nothing(place: Path) -> None:
    result = run("gone.gz")
    assert result.returncode == 2
    assert "there is no file gone.gz" in result.stderr
    assert not (place / "state").exists()


@pytest.mark.parametrize("name", ["../x", "a b", ".hidden"])
def test_a_name_that_is_no_directory_of_ours_is_refused(place: Path, name: str) -> None:
    archive(place, "a.gz", range(60))
    assert run("old", "--id", name).returncode == 2


def test_files_are_found_once_however_they_are_named(place: Path) -> None:
    for name in ("a.gz", "b.gz", ".hidden"):
        (place / "old" / name).touch()
    (place / "old" / "below").mkdir()
    (place / "old" / "below" / "c").touch()
    (place / "link").symlink_to(place / "old" / "a.gz")
    words = [Path(word) for word in ("link", "old", "old/*.gz", "old/a.gz")]
    assert expanded(words) == ["link", "old/b.gz", "old/below/c"]


def test_the_meter_says_share_speed_and_time_left() -> None:
    """What was done before this start is no speed of ours."""
    now = [100.0]
    meter = Meter(total=1000 * 2**20, now=lambda: now[0])
    meter.update(200 * 2**20, 0)
    now[0] += 10
    meter.update(400 * 2**20, 50_000)
    assert str(meter) == "40%, 400.0 MiB of 1000.0 MiB, 20.0 MiB/s, 5,000 records/s, 30 s left"


def test_a_meter_without_anything_to_read_divides_by_nothing() -> None:
    meter = Meter(total=0)
    meter.update(0, 0)
    assert str(meter).startswith("100%, 0 B of 0 B")


def test_times_are_utc_unless_they_say_otherwise() -> None:
    assert moment("2026-03-03T12:00:00", "--before") == NOON * 10**6
    assert moment("2026-03-03T13:00:00+01:00", "--before") == NOON * 10**6
    with pytest.raises(typer.BadParameter):
        moment("yesterday", "--before")
