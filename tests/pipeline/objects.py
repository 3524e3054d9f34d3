"""A runner on a bucket in memory and a remote sink, both of which survive its restarts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from doubles import FakeClock, Keeping, Words, metric, settle
from pegel.formats import Format
from pegel.metrics.definition import Metric
from pegel.pipeline import Runner
from pegel.plan import Plan, RunnerSettings, SinkPlan, SourcePlan, TimeOptions
from pegel.state import snapshots
from pegel.state.store import Connect, connect
from pegel.units import Duration
from sources.bucket_driving import key, source
from sources.fake_bucket import NOON, FakeBucket


@dataclass(kw_only=True)
class Remote(Keeping):
    """A sink on another machine."""

    @property
    def remote(self) -> bool:
        return True


def records(*rows: tuple[float, str, int, str]) -> bytes:
    """Records of `Words`; times in seconds after noon."""
    return "".join(f"{round(NOON + time)} {name} {number} {user}\n" for time, name, number, user in rows).encode()


@dataclass
class ObjectHouse:
    """A runner on a state directory with a bucket, a sink and a clock that survive its restarts."""

    directory: Path
    metrics: Iterable[Metric] = field(default_factory=lambda: [metric()])
    bucket: FakeBucket = field(default_factory=FakeBucket)
    sink: Keeping = field(default_factory=Remote)
    clock: FakeClock = field(default_factory=FakeClock)
    options: dict[str, Any] = field(default_factory=dict)
    change: Callable[[SourcePlan], SourcePlan] = lambda plan: plan
    connect: Connect = connect
    format: Format = field(default_factory=Words)

    def put(self, sequence: int, data: bytes, *, after: float = 0.0, writer: str = "a") -> str:
        """Store an object of the hour after noon, written so many seconds after it; returns its key."""
        name = key(12 + int(after // 3600), sequence, writer)
        self.bucket.put(name, data, NOON + after)
        return name

    def plan(self) -> Plan:
        plan = SourcePlan(
            name="log",
            source=source(self.bucket, **self.options),
            format=self.format,
            time=TimeOptions(column="second", format=["unix"]),
            private=frozenset({"user"}),
            disorder=Duration(90.0),
            idle_after=Duration(300.0),
            columns=self.format.columns(),
        )
        settings = RunnerSettings(state=self.directory / "state")
        sinks = [SinkPlan(name="kept", type="keeping", sink=self.sink, early_interval=Duration(0.0))]
        return Plan(runner=settings, sources=[self.change(plan)], metrics=list(self.metrics), sinks=sinks)

    def runner(self) -> Runner:
        """A new life of the runner, open."""
        runner = Runner(self.plan(), clock=self.clock, connect=self.connect)
        runner.open()
        return runner

    def work(self, runner: Runner, seconds: float = 61.0) -> None:
        """Let time pass, and the runner do what there is to do."""
        until = self.clock.now + seconds
        while self.clock.now < until:
            settle(runner)
            self.clock.now += 10.0
        settle(runner)

    def snapshot(self) -> None:
        """Take one, as the service does now and then."""
        snapshots.take(self.directory / "state" / "state.db")
