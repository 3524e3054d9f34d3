"""A runner in simulated time, one life after the other, on real files and with a real InfluxDB at the end.

Each life has the state of the one before. Time passes when a test says so, and whenever there is nothing to do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from engines.job import Job
from pegel.listening import Endpoint
from pegel.pipeline import Runner
from pegel.sinks import Point, Sampling, Sink
from pegel.units import Duration
from simulation.crashes import CrashPoints, Database, SimulatedCrash
from simulation.simulation import close_descriptors_into
from simulation.world import SimClock

MOMENT = 0.5
"""Seconds of simulated time that pass while there is nothing to do."""

FENCE = 20.0
"""Seconds for which a request that was given up may still arrive: twice the timeout of the sink."""

MOST_STEPS = 20_000
"""Without any time passing; a runner that does more does not come to rest."""

LONGEST_REST = 2000.0
"""Seconds of simulated time in which everything that can be delivered must be."""


@dataclass
class Watched(Sink):
    """A sink with a crash point before and after each request."""

    inner: Sink
    points: CrashPoints

    @property
    def overwrites(self) -> bool:
        return self.inner.overwrites

    @property
    def remote(self) -> bool:
        return self.inner.remote

    @property
    def late(self) -> Duration:
        return self.inner.late

    @property
    def view(self) -> bool:
        return self.inner.view

    @property
    def sampling(self) -> Sampling | None:
        return self.inner.sampling

    def introduce(self, identity: str, backfill: str = "") -> None:
        self.inner.introduce(identity, backfill)

    def probe(self) -> Sequence[str]:
        return self.inner.probe()

    def stored(self, metrics: Sequence[str]) -> Mapping[str, int] | None:
        return self.inner.stored(metrics)

    def settle_in(self, directory: Path) -> None:
        self.inner.settle_in(directory)

    def open(self) -> None:
        self.inner.open()

    def mended(self) -> bool:
        return self.inner.mended()

    def encode(self, points: Sequence[Point]) -> bytes:
        return self.inner.encode(points)

    def send(self, payload: bytes) -> None:
        self.points.reach("before send")
        self.inner.send(payload)
        self.points.reach("stored but not acknowledged")

    def send_again(self, payload: bytes) -> None:
        self.points.reach("before send")
        self.inner.send_again(payload)
        self.points.reach("stored but not acknowledged")

    def show(self, points: Sequence[Point]) -> None:
        self.inner.show(points)

    def show_again(self, points: Sequence[Point]) -> None:
        self.inner.show_again(points)

    def endpoints(self) -> Sequence[Endpoint]:
        return self.inner.endpoints()

    def close(self) -> None:
        self.inner.close()


@dataclass
class Lives:
    """Runs a job.

    Attributes:
        job: What to run.
        clock: Its time.
        points: Where it may die.
        deaths: How often it did.
    """

    job: Job
    clock: SimClock
    points: CrashPoints = field(default_factory=CrashPoints)
    deaths: int = 0
    _runner: Runner | None = None
    _sinks: list[Watched] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._database = Database(self.points)

    def runner(self) -> Runner:
        """The one that lives; a new one where the last has died."""
        if self._runner is None:
            plan = self.job.plan()
            self._sinks = [Watched(sink.sink, self.points) for sink in plan.sinks]
            sinks = [replace(sink, sink=watched) for sink, watched in zip(plan.sinks, self._sinks, strict=True)]
            runner = Runner(replace(plan, sinks=sinks), clock=self.clock, connect=self._database.connect)
            runner.open()
            self._runner = runner
        return self._runner

    def step(self, *, close_all: bool = False) -> bool:
        """What can be done now; true if anything was, and after a death."""
        try:
            return self.runner().step(close_all=close_all)
        except SimulatedCrash:
            self._bury()
            return True

    def done(self) -> bool:
        """Whether all there is was read, committed and delivered."""
        runner = self._runner
        return runner is not None and runner.caught_up() and runner.delivered()

    def go_on(self) -> None:
        """Do what can be done now; if that is nothing, let a moment pass."""
        if not self.step():
            self.clock.advance(MOMENT)

    def pass_time(self, seconds: float) -> None:
        """Let time pass, and then do what can be done, whatever is left."""
        self.clock.advance(seconds)
        for _ in range(MOST_STEPS):
            if not self.step():
                return
        raise AssertionError(f"the runner does not come to rest within {MOST_STEPS} steps")

    def die(self, after: int, name: str = "") -> bool:
        """Go on until a point (of this name) is passed for the `after`-th time, and die there.

        False if everything was done before.
        """
        deaths = self.deaths
        self.points.arm(after, name)
        while self.deaths == deaths and not self.done():
            self.go_on()
        self.points.arm(0)
        return self.deaths > deaths

    def finish(self) -> None:
        """Read and deliver all there is, windows that are open included, and what is sent once more after a fence."""
        self._deliver()
        self.step(close_all=True)
        self._deliver()
        self.pass_time(FENCE)
        self._deliver()
        self.close()

    def _deliver(self) -> None:
        end = self.clock.monotonic() + LONGEST_REST
        while not self.done():
            assert self.clock.monotonic() < end, f"not delivered: {[one.trouble for one in self.runner().deliveries]}"
            self.go_on()

    def close(self) -> None:
        """End this life as a person would."""
        if self._runner is not None:
            self._runner.close()
            self._runner = None

    def _bury(self) -> None:
        """The process is gone: its memory, its locks, its connections, what it had not committed."""
        self.deaths += 1
        self._runner = None
        self.points.dead = False
        self._database.kill()
        for sink in self._sinks:
            sink.close()
        close_descriptors_into(self.job.directory / "state")
