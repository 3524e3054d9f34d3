"""The threads: what they read, fold and send together is what one thread would."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from doubles import House, Keeping, metric
from pegel.pipeline import Runner
from pegel.pipeline.service import Service
from pegel.seams import SystemClock

NOON = 1_772_539_200
A = (("key", "a"),)


def opened(house: House) -> Runner:
    runner = Runner(house.plan(), clock=SystemClock())
    runner.open()
    return runner


def test_once_reads_and_sends_all_there_is_and_leaves_the_newest_window_open(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.source.write(*[(NOON + second, "a", 1, "u") for second in range(200)])
    runner = opened(house)
    assert Service(runner, threading.Event()).run_once(close_all=False, patience=5.0) == ""
    runner.close()
    assert [point.start_us // 10**6 - NOON for point in house.sink.received] == [0, 60, 120]


def test_once_with_close_closes_the_newest_window_too(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.source.write((NOON, "a", 1, "u"))
    runner = opened(house)
    assert Service(runner, threading.Event()).run_once(close_all=True, patience=5.0) == ""
    runner.close()
    assert house.sink.newest() == {(NOON, A): {"n": 1}}


def test_once_sends_open_windows_early_where_the_sink_overwrites(tmp_path: Path) -> None:
    house = House(tmp_path, sink=Keeping(early=True))
    house.source.write((NOON, "a", 1, "u"))
    runner = opened(house)
    Service(runner, threading.Event()).run_once(close_all=False, patience=5.0)
    runner.close()
    assert [(point.revision, point.values) for point in house.sink.received] == [(0, {"n": 1})]


def test_once_says_what_it_could_not_deliver_and_keeps_it(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.sink.failing = "connection refused"
    house.source.write((NOON, "a", 1, "u"))
    runner = opened(house)
    assert Service(runner, threading.Event()).run_once(close_all=True, patience=0.0) == "kept: connection refused"
    runner.close()
    house.sink.failing = ""
    house.run()
    assert house.sink.newest() == {(NOON, A): {"n": 1}}


def test_a_stopped_service_has_committed_or_will_read_again(tmp_path: Path) -> None:
    """Stopping at any moment changes no number."""
    house = House(tmp_path, metrics=[metric(n="count(*)", users="count(distinct user)")])
    house.source.write(*[(NOON + second / 51, "a", 1, f"u{second % 17}") for second in range(3000)])
    stop = threading.Event()
    runner = opened(house)
    runner.turn.watch(lambda _points: stop.set())
    Service(runner, stop).run()
    runner.close()
    house.clock.now = NOON + 60
    house.run(close_all=True)
    assert house.sink.newest() == {(NOON, A): {"n": 3000, "users": 17}}


def test_an_error_of_a_thread_stops_the_service_with_it(tmp_path: Path) -> None:
    """A reader that dies silently would be an outage that nobody sees."""
    house = House(tmp_path)
    house.source.write((NOON, "a", 1, "u"))
    house.source.logs["log"] += b"bad\n"
    runner = opened(house)
    with pytest.raises(ValueError, match="not enough values"):
        Service(runner, threading.Event()).run()
    runner.close()


def test_s46_a_state_that_cannot_be_written_holds_everything_and_then_goes_on(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.source.write((NOON, "a", 1, "u"))
    runner = opened(house)
    fill_the_disk(runner.state.connection)
    with pytest.raises(Exception, match=r"cannot write .*full"):
        runner.step()
    assert house.sink.received == []
    runner.state.connection.execute("pragma max_page_count = 1000000")
    runner.last_turn(close_all=True)
    runner.step()
    runner.close()
    assert house.sink.newest() == {(NOON, A): {"n": 1}}


def fill_the_disk(connection: sqlite3.Connection) -> None:
    """Allow no new page, and fill those that there are."""
    (pages,) = connection.execute("pragma page_count").fetchone()
    connection.execute(f"pragma max_page_count = {pages}")
    for size in (4000, 400, 40, 4):
        with pytest.raises(sqlite3.OperationalError, match="full"):  # noqa: PT012 - it fails at some point
            while True:
                connection.execute("insert into counters values (hex(randomblob(8)), ?, 0)", ("x" * size,))


def test_connections_are_opened_through_the_seam(tmp_path: Path) -> None:
    opened_paths: list[str] = []

    def connect(path: str) -> sqlite3.Connection:
        opened_paths.append(path)
        return sqlite3.connect(path, isolation_level=None, check_same_thread=False)

    runner = Runner(House(tmp_path).plan(), connect=connect)
    runner.open()
    runner.close()
    assert opened_paths == [str(tmp_path / "state" / "state.db")]
