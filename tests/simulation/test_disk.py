"""A state disk that fails: the turn is undone, the process goes on, and no number changes."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from pegel.errors import StateError
from pegel.pipeline import Runner
from pegel.sources.file import File
from simulation.crashes import CrashConnection, CrashPoints, Database
from simulation.oracle import Record
from simulation.product import plan, product
from simulation.proof import every_disk_error
from simulation.records import spell
from simulation.sinks import Receiver, SimSink, SimView
from simulation.stage import LOG, Stage, Timing
from simulation.world import SimClock, SimFiles


@pytest.mark.parametrize("times", [1, 2, 5])
def test_a_disk_that_fails_at_any_statement_changes_no_number(times: int) -> None:
    """Every 20th of the about 780 statements of one short story; `prove` tries each of them.

    Two in a row matter: the second fails when memory is made from the state again.
    """
    report = every_disk_error(product, seed=3, ticks=10, times=times, statements=range(20, 780, 20))
    assert report.wrong == []
    assert report.disk_errors > 0


def test_senders_go_on_with_the_deliveries_that_they_hold(tmp_path: Path) -> None:
    """A service starts a thread for each delivery once; after a failed commit it must not serve a dead one."""
    clock, points = SimClock(), CrashPoints()
    files = SimFiles(clock)
    start = round(clock.wall() * 1e6)
    files.create(LOG, spell(Record(1, start, "a", 1, "u")) + spell(Record(2, start + 200_000_000, "a", 1, "u")))
    sinks = [
        SimSink(Receiver("influx", overwrites=True), points),
        SimSink(Receiver("file", overwrites=False), points),
        SimView(Receiver("metrics", overwrites=True), points),
    ]
    broken: list[bool] = []

    def fail_commit(_: CrashConnection, sql: str) -> str:
        if sql == "commit" and broken:
            broken.clear()
            raise sqlite3.OperationalError("database or disk is full")
        return sql

    database = Database(points, fail_commit)
    stage = Stage(tmp_path, clock, files, database.connect, sinks, Timing(), "auto")
    runner = Runner(plan(stage, File(path=LOG)), clock=clock, files=files, connect=database.connect)
    runner.open()
    held = list(runner.deliveries)
    clock.advance(300.0)
    broken.append(True)
    with pytest.raises(StateError):
        runner.step()
    runner.step()
    assert [bool(delivery.handed) or delivery.sent_points > 0 for delivery in held] == [True, True]
    runner.close()


@pytest.mark.parametrize(
    "read", ["from requests where sink", "from counters", "from letters", "from outbox where sink"]
)
def test_a_read_that_fails_is_waited_for_like_a_commit(read: str, tmp_path: Path) -> None:
    """Handing over, our own metrics and looks for retries read outside of the turn's transaction."""
    clock, points = SimClock(), CrashPoints()
    files = SimFiles(clock)
    start = round(clock.wall() * 1e6)
    files.create(LOG, spell(Record(1, start, "a", 1, "u")) + spell(Record(2, start + 200_000_000, "a", 1, "u")))
    receiver = Receiver("influx", overwrites=True)
    sinks = [SimSink(receiver, points), SimSink(Receiver("file", overwrites=False), points), SimView(receiver, points)]
    failures = [0]

    def fail(_: CrashConnection, sql: str) -> str:
        if read in sql and sql.startswith("select") and clock.wall() * 1e6 > start + 250_000_000 and failures[0] < 3:
            failures[0] += 1
            raise sqlite3.OperationalError("disk I/O error")
        return sql

    database = Database(points, fail)
    stage = Stage(tmp_path, clock, files, database.connect, sinks, Timing(), "auto")
    runner = Runner(plan(stage, File(path=LOG)), clock=clock, files=files, connect=database.connect)
    runner.open()
    for _ in range(60):
        clock.advance(10.0)
        with contextlib.suppress(StateError):
            runner.step()
    counts = {start: sent.values["n"] for (series, start), sent in receiver.points.items() if series[0] == "requests"}
    runner.close()
    assert failures[0] == 3
    assert sum(counts.values()) == 2
