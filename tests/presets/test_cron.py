"""Started once a minute by cron, the preset gives the points that it gives as a service."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from doubles import settle
from pegel.pipeline import Runner
from pegel.samples.ookla_log import PROFILES, records
from pegel.samples.rotation import Compression, RotatingLog, Rotation
from presets import ookla_oracle as oracle
from presets.ookla_run import Run, keyed
from simulation.world import SimClock

START = 1_772_582_120.0
"""2026-03-03 23:55:20 UTC: a day, an hour and some minutes end while the log grows."""

MINUTES = 8


@dataclass
class Server:
    """Writes its log as time goes by, and rotates it."""

    directory: Path
    compression: Compression
    log: Iterator[tuple[float, bytes]] = field(
        default_factory=lambda: records(61, START, PROFILES["dirty"].at_rate(2.5))
    )

    def __post_init__(self) -> None:
        self.directory.mkdir()
        rotation = Rotation(limit=90_000, compression=self.compression)
        self.file = RotatingLog(self.directory / oracle.LIVE, rotation)

    def write_until(self, now: float) -> None:
        """Everything that happens until now; what comes first after it is held back."""
        for moment, record in self.log:
            if moment > now:
                self.log = itertools.chain([(moment, record)], self.log)
                break
            self.file.write(moment, record)
        self.file.flush()


def one_life(run: Run, clock: SimClock) -> None:
    """`pegel run --once` in simulated time."""
    runner = opened(run, clock)
    settle(runner)
    runner.last_turn(close_all=False)
    settle(runner)
    runner.close()


def opened(run: Run, clock: SimClock) -> Runner:
    runner = Runner(run.plan(), clock=clock)
    runner.open()
    return runner


def names_said(run: Run) -> list[str]:
    """Every row of the dimension table that was sent, repetitions included."""
    return sorted(line for line in run.lines() if '"asn_map"' in line)


@pytest.mark.parametrize("compression", ["in_place", "none"])
def test_the_points_are_those_of_the_service(tmp_path: Path, compression: Compression) -> None:
    """Minutes that were read in two runs, days and hours over many runs, names that were said in an earlier one."""
    clock = SimClock(wall=START)
    server = Server(tmp_path / "log", compression)
    service, cron = (Run(tmp_path / name, tmp_path / "log") for name in ("service", "cron"))
    with server.file:
        runner = opened(service, clock)
        for second in range(5, MINUTES * 60 + 180, 5):
            clock.advance(5)
            if second < MINUTES * 60:
                server.write_until(clock.wall())
            settle(runner)
            if second % 60 == 0:
                one_life(cron, clock)
                assert cron.points() == service.points()
        runner.close()
    assert names_said(cron) == names_said(service) != []
    metrics = {metric for _, metric, _ in cron.points()}
    assert {"ookla_speedtest_daily", "ookla_speedtest_hourly", "ookla_speedtest_app_daily"} <= metrics
    cron.once(close=True)
    wanted = oracle.points(oracle.count(oracle.read_log(tmp_path / "log")), "st-01")
    assert cron.points() == keyed(oracle.ndjson(wanted))
