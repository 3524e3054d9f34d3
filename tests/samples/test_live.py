"""A log that is written live: its past at once, then at the pace of the clock, and never anything twice."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from pegel.samples import cdn77, live
from pegel.samples.cdn77_traffic import PROFILES
from pegel.samples.rotation import Rotation


class StopWhenWaiting(threading.Event):
    """Set as soon as somebody waits for it: once the past is written."""

    def wait(self, timeout: float | None = None) -> bool:
        self.set()
        return super().wait(timeout)


def every_second(start: float) -> Iterator[tuple[float, bytes]]:
    return ((start + second, f"{start + second:.0f}\n".encode()) for second in range(100_000))


def follow(log: Path, past: float, stop: threading.Event) -> list[float]:
    """The times of the records that are there at the end."""
    live.follow(log, every_second, past, Rotation(), stop)
    return [float(line) for line in log.read_bytes().split()]


def test_it_begins_with_the_past(tmp_path: Path) -> None:
    """A demonstration has something to show at once."""
    now = time.time()
    times = follow(tmp_path / "log", 600, StopWhenWaiting())
    assert times[0] == pytest.approx(now - 600, abs=10)
    assert times[-1] == pytest.approx(now, abs=10)
    assert times == sorted(times)


def test_one_that_is_there_goes_on_where_it_ended(tmp_path: Path) -> None:
    """A demonstration that is stopped and started again must not tell its past twice."""
    log = tmp_path / "log"
    ended = time.time() - 60
    log.write_text(f"{ended:.0f}\n")
    os.utime(log, (ended, ended))
    times = follow(log, 600, StopWhenWaiting())
    assert times[1] == pytest.approx(ended, abs=10)
    assert times[-1] == pytest.approx(ended + 60, abs=10)


def test_one_that_ended_long_ago_goes_on_with_the_past(tmp_path: Path) -> None:
    """Nobody waits for a week to be written."""
    log = tmp_path / "log"
    log.write_bytes(b"")
    os.utime(log, (0, 0))
    assert len(follow(log, 600, StopWhenWaiting())) == pytest.approx(600, abs=10)


def test_it_stops_at_once_even_in_the_past(tmp_path: Path) -> None:
    """Who is asked to end does so, and not when it is through."""
    stop = threading.Event()
    stop.set()
    assert follow(tmp_path / "log", 86_400, stop) == []


def test_the_log_of_the_cdn_has_rows_of_its_past_and_rotates(tmp_path: Path) -> None:
    now = time.time()
    shape = PROFILES["clean"].at_rate(3)
    cdn77.follow(tmp_path, 1, 600, shape, Rotation(limit=500_000, compression="none"), StopWhenWaiting())
    files = sorted(tmp_path.iterdir(), key=lambda file: (file.name == cdn77.LOG_NAME, file.name))
    assert len(files) > 2
    stamps = [json.loads(line)["timestamp"] for file in files for line in file.read_bytes().splitlines()]
    assert len(stamps) == pytest.approx(1800, rel=0.05)
    assert stamps == sorted(stamps)
    assert datetime.fromisoformat(stamps[0]).timestamp() == pytest.approx(now - 600, abs=10)


def test_the_command_writes_live_until_its_time_is_over(tmp_path: Path) -> None:
    cdn77.main(["--out", str(tmp_path / "new"), "--live", "--past", "60s", "--rate", "3", "--seconds", "0.2"])
    assert (tmp_path / "new" / cdn77.LOG_NAME).stat().st_size > 100_000
