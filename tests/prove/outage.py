"""An InfluxDB that is away for hours while thousands of series go on, and comes back.

The hours are simulated, so the clock of the outage costs nothing; the state, the outbox, the network and the
InfluxDB that takes it all in the end are real, and so is the time of the draining.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from engines.influxdb import EVERYTHING, Bucket, Server
from engines.job import Job
from engines.proxy import Proxy
from pegel.pipeline import Runner
from pegel.pipeline.service import Service
from prove.crowd import name, total
from simulation.world import SimClock

SOURCES = """
[[sources]]
name = "crowd"
type = "prove.crowd:Minutes"
first = {first}
count = {count}
format = {{ type = "prove.crowd:Crowd", members = {members} }}
time = {{ column = "second", format = "unix" }}

[[metrics]]
name = "crowd"
help = "What the members of the crowd do."
from = "crowd"
every = "1m"
labels = ["member"]
values.n = "count(*)"
values.total = "sum(value)"
"""

WARM_UP = 10
"""Minutes before the outage."""


@dataclass
class Survived:
    """What an outage cost, and what is wrong after it.

    Attributes:
        hours: Of the outage.
        points: That waited at its end.
        bytes: That they took in the outbox.
        disk: Bytes of the state's files at its end.
        memory_before: Resident bytes when it began.
        memory_most: The most during it.
        memory_draining: The most while the backlog went out.
        simulated_in: Seconds that the hours took here.
        drained_in: Seconds until the server had it all.
        drained_by: Seconds of CPU of this process for that.
        wrong: What is not as it must be, as sentences.
    """

    hours: float = 0.0
    series: int = 0
    points: int = 0
    bytes: int = 0
    disk: int = 0
    memory_before: int = 0
    memory_most: int = 0
    memory_draining: int = 0
    simulated_in: float = 0.0
    drained_in: float = 0.0
    drained_by: float = 0.0
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.hours:g} h without InfluxDB, {self.series} series: {self.points} points waited in"
            f" {self.bytes / 1e6:.0f} MB ({self.bytes / max(1, self.points):.1f} a point),"
            f" state {self.disk / 1e6:.0f} MB;"
            f" memory {self.memory_before / 1e6:.0f} MB before, at most {self.memory_most / 1e6:.0f} during,"
            f" {self.memory_draining / 1e6:.0f} draining; simulated in {self.simulated_in:.0f} s;"
            f" drained in {self.drained_in:.1f} s ({self.drained_by:.1f} s of CPU): {len(self.wrong)} wrong"
        )


def survive(influxdb: Server, place: Path, *, hours: float, series: int) -> Survived:
    """Run the story, with a new bucket of a server and in an empty directory."""
    minutes = WARM_UP + round(hours * 60)
    first = int(time.time()) // 60 - minutes
    survived = Survived(hours=hours, series=series)
    with Proxy(influxdb.address) as proxy:
        sources = SOURCES.format(first=first, count=minutes, members=series)
        job = Job(place / "job", influxdb.bucket(f"outage-{first}"), sources, proxy.url)
        _go_without(job, proxy, first, minutes, survived)
        proxy.up()
        _drain(job, survived)
    survived.wrong += _differences(job.bucket, first, minutes, series)
    return survived


def _go_without(job: Job, proxy: Proxy, first: int, minutes: int, survived: Survived) -> None:
    """The hours of the outage, in simulated time."""
    clock, begun = SimClock(wall=first * 60.0), time.monotonic()
    runner = Runner(job.plan(), clock=clock)
    runner.open()
    for minute in range(minutes):
        if minute == WARM_UP:
            proxy.down()
            survived.memory_before = survived.memory_most = _resident()
        clock.advance(60.0)
        while runner.step():
            pass
        survived.memory_most = max(survived.memory_most, _resident())
    runner.last_turn(close_all=True)
    backlog = runner.state.outbox.backlog("influx")
    survived.points, survived.bytes = backlog.points, backlog.bytes
    runner.close()
    survived.disk = sum(path.stat().st_size for path in (job.directory / "state").rglob("*") if path.is_file())
    survived.simulated_in = time.monotonic() - begun


def _drain(job: Job, survived: Survived) -> None:
    """A runner as it is started by a service, now that the server is back."""
    done, most = threading.Event(), [0]

    def watch() -> None:
        while not done.wait(0.2):
            most[0] = max(most[0], _resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    begun, used = time.monotonic(), time.process_time()
    runner = Runner(job.plan())
    runner.open()
    undelivered = Service(runner, threading.Event()).run_once(close_all=True, patience=60.0)
    runner.close()
    survived.drained_in, survived.drained_by = time.monotonic() - begun, time.process_time() - used
    done.set()
    watcher.join()
    survived.memory_draining = most[0]
    survived.wrong += [undelivered] if undelivered else []


def _differences(bucket: Bucket, first: int, minutes: int, series: int) -> list[str]:
    """Every series' number of points, of records, and its sum, as InfluxDB has them."""
    found = {
        what: {
            record["member"]: record["_value"]
            for record in bucket.query(
                f'{EVERYTHING} |> filter(fn: (r) => r._measurement == "crowd" and r._field == "{field}")'
                f' |> {function}() |> keep(columns: ["member", "_value"])'
            )
        }
        for what, field, function in (("points", "n", "count"), ("records", "n", "sum"), ("total", "total", "sum"))
    }
    wrong = []
    for member in range(series):
        got = tuple(found[what].get(name(member)) for what in ("points", "records", "total"))
        if got != (minutes, minutes, total(member, first, minutes)):
            wrong.append(f"member {member}: {got} instead of {(minutes, minutes, total(member, first, minutes))}")
    return wrong


def _resident() -> int:
    """Bytes of memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
