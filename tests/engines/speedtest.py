"""A speed-test server in simulated time that writes its log to disk, and the runner beside it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engines.influxdb import Bucket, Key, Value
from engines.job import Job, ookla
from engines.lives import Lives
from engines.proxy import Proxy
from pegel.samples.ookla_log import PROFILES, records
from pegel.samples.rotation import RotatingLog, Rotation
from presets import ookla_oracle as oracle
from presets.ookla_run import keyed
from simulation.world import SimClock

START = 1_772_582_000.0
"""2026-03-03 23:53:20 UTC: some minutes before a new day."""


@dataclass
class Story:
    """A server that writes its log, and a runner beside it."""

    lives: Lives
    file: RotatingLog
    log: Iterator[tuple[float, bytes]]

    def go_on(self, minutes: float, step: float = 20.0) -> None:
        """Let the server write and the runner look, in turns of `step` seconds."""
        for _ in range(round(minutes * 60 / step)):
            self.turn(step)

    def turn(self, step: float) -> None:
        """The server writes for some seconds, then the runner looks."""
        until = self.lives.clock.wall() + step
        for moment, record in self.log:
            self.file.write(moment, record)
            if moment >= until - 1:
                break
        self.file.flush()
        self.lives.pass_time(step)

    def waiting(self) -> int:
        """Points that the sink has not taken."""
        return self.lives.runner().state.outbox.backlog("influx").points


@contextlib.contextmanager
def story(directory: Path, bucket: Bucket, proxy: Proxy) -> Iterator[Story]:
    """Everything at its start."""
    (directory / "log").mkdir()
    job = Job(directory / "job", bucket, ookla(directory / "log"), proxy.url)
    log = records(7, START, PROFILES["dirty"].at_rate(0.7))
    with RotatingLog(directory / "log" / oracle.LIVE, Rotation(limit=300_000)) as file:
        yield Story(Lives(job, SimClock(wall=START)), file, log)


def counted(directory: Path) -> dict[Key, dict[str, Value]]:
    """What the oracle finds in the log."""
    return keyed(oracle.ndjson(oracle.points(oracle.count(oracle.read_log(directory / "log")), "st-01")))
