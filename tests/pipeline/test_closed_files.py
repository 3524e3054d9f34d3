"""A log that may not be read, seen through the whole runner: windows wait, a single run fails, a part is read on."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

from doubles import FakeClock, House
from pegel.pipeline import Runner
from pegel.pipeline.reader import Reader
from pegel.pipeline.service import Service
from pegel.seams import SystemClock
from pegel.sources.file import File
from simulation.world import SimClock, SimFiles

NOON = 1_772_539_200
A = (("key", "a"),)
LOG = "/var/log/app.log"


def line(second: int) -> bytes:
    return b"%d a 1 u\n" % (NOON + second)


def stage(folder: Path, path: str = LOG) -> tuple[House, Runner, SimFiles]:
    """A runner on files in memory."""
    house, files = House(folder), SimFiles(SimClock())
    plan = house.plan()
    source = replace(plan.sources[0], source=File(path=path))
    return house, Runner(replace(plan, sources=[source]), clock=SystemClock(), files=files), files


def test_a_single_run_fails_with_the_name_of_what_it_may_not_read_and_the_next_one_counts_it(tmp_path: Path) -> None:
    """Cron hears of nothing but the exit code; a success would say that the numbers are whole."""
    for closed in (True, False):
        house, runner, files = stage(tmp_path)
        files.append(f"{LOG}.1", line(0))
        files.append(LOG, line(1))
        if closed:
            files.forbid(f"{LOG}.1")
        runner.open()
        result = Service(runner, threading.Event()).run_once(close_all=True, patience=0.0)
        runner.close()
        values = house.sink.newest()
        if closed:
            assert result.startswith(f"log: {LOG}.1 cannot be read: Permission denied")
            assert values == {}
        else:
            assert (result, values) == ("", {(NOON, A): {"n": 2}})


def test_a_source_of_which_a_part_fails_reads_the_rest_without_a_pause(tmp_path: Path) -> None:
    """Else the logs beside the closed one would be read every 30 seconds, and the log would say that all is well."""
    _, runner, files = stage(tmp_path, "/var/log/*.log")
    files.append("/var/log/a.log", line(0))
    files.append("/var/log/b.log", line(1))
    files.forbid("/var/log/a.log")
    runner.open()
    clock = FakeClock()
    reader = Reader(runner.plan.sources[0], runner.state, clock, files, pace=0.1)
    for number in range(20):
        clock.now += 2.0
        reader.read()
        assert reader.read() is None
        assert "a.log cannot be read" in reader.failing
        files.append("/var/log/b.log", line(2 + number))
        assert reader.read() is not None
        assert reader.ready()
        assert "a.log cannot be read" in reader.failing
    files.heal()
    clock.now += 2.0
    assert reader.read() is not None
    assert not reader.failing
    reader.close()
    runner.close()
