"""A runner that counts events for a sink of samples, minute by minute, and what its counters must have grown by.

The events are the truth: what a series grows between two ends of windows is the number of its events in between,
whatever happened to the runner and on the road meanwhile.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from doubles import House, settle
from engines.lives import Watched
from pegel.metrics.definition import Metric, Value
from pegel.pipeline import Runner
from pegel.plan import Plan, SinkPlan
from pegel.sinks import Sink
from pegel.units import Duration
from simulation.crashes import CrashPoints, Database, SimulatedCrash
from simulation.simulation import close_descriptors_into

MINUTE = 60


def counted(**values: Value) -> Metric:
    """A metric over the words of source `log`, by key: the number of records, and what else is asked for."""
    return Metric(
        name="m",
        sources=["log"],
        every=Duration(60.0),
        labels=["key"],
        values={"n": Value(value="count(*)", kind="counter"), **values},
        help="Records.",
    )


@dataclass
class Metered(House):
    """Lives of a runner with a sink of samples.

    Attributes:
        meter: Makes the sink of each life.
        wanted: Names of metrics that the sink takes.
        more: Sinks beside it.
        points: Where a life may end.
        events: How many there were, by key and end of the window (seconds since 1970).
        deaths: How often the runner died.
    """

    meter: Callable[[], Sink] = field(kw_only=True)
    wanted: Sequence[str] = ("*",)
    more: Sequence[SinkPlan] = ()
    points: CrashPoints = field(default_factory=CrashPoints)
    events: dict[str, Counter[int]] = field(default_factory=dict)
    deaths: int = 0
    _alive: Runner | None = None
    _sink: Watched | None = None

    def __post_init__(self) -> None:
        self._database = Database(self.points)

    def plan(self) -> Plan:
        self._sink = Watched(self.meter(), self.points)
        meter = SinkPlan(name="meter", type="meter", sink=self._sink, metrics=list(self.wanted))
        return replace(super().plan(), sinks=[meter, *self.more])

    def runner(self) -> Runner:
        """The one that lives; a new one where the last has died or was stopped."""
        if self._alive is None:
            runner = Runner(self.plan(), clock=self.clock, connect=self._database.connect)
            runner.open()
            self._alive = runner
        return self._alive

    def minute(self, *, late: float = 0.0, **keys: int) -> None:
        """A minute goes by, in which each key has so many events; they are read `late` by so many seconds."""
        self.write(late=late, **keys)
        for _ in range(2):
            self.clock.now += MINUTE / 2
            self.work()

    def minutes(self, count: int, **keys: int) -> None:
        """The same minute again and again."""
        for _ in range(count):
            self.minute(**keys)

    def away(self, minutes: int, **keys: int) -> None:
        """Time goes by without a runner."""
        self.stop()
        for _ in range(minutes):
            self.write(**keys)
            self.clock.now += MINUTE

    def write(self, *, late: float = 0.0, **keys: int) -> None:
        """Events of now, or of a time ago."""
        for key, number in keys.items():
            time = round(self.clock.now + 5 - late)
            self.events.setdefault(key, Counter())[time - time % MINUTE + MINUTE] += number
            self.source.write(*[(time, key, 1, "u")] * number)

    def work(self) -> None:
        """Let the runner do all that is to be done; where it dies another one goes on."""
        for _ in range(100):
            try:
                settle(self.runner())
            except SimulatedCrash:
                self._bury()
            else:
                return
        raise AssertionError("every life ends at once")

    def stop(self) -> None:
        """End this life as a person would."""
        if self._alive is not None:
            self._alive.close()
            self._alive = None

    def _bury(self) -> None:
        self.deaths += 1
        self._alive = None
        self.points.dead = False
        self._database.kill()
        if self._sink is not None:
            self._sink.close()
        close_descriptors_into(self.directory / "state")


def steps(events: Counter[int]) -> dict[int, int]:
    """How much a counter must grow in each window with something in it, by the end of the window."""
    return {end: number for end, number in sorted(events.items()) if number}


def unexplained(samples: Sequence[tuple[float, float]], expected: Counter[int]) -> list[str]:
    """What is wrong with the samples of one series, as sentences.

    Args:
        samples: Time in seconds and total, in order of time; without stale markers.
        expected: How many events there were by end of the window.
    """
    at = {round(time): value for time, value in samples}
    wrong = [f"{time}: not the end of a window" for time, _ in samples if time % MINUTE]
    wrong += [f"{b}: fell from {x} to {y}" for (_, x), (b, y) in itertools.pairwise(samples) if y < x]
    for end, number in steps(expected).items():
        before, after = at.get(end - MINUTE), at.get(end)
        if before is None or after is None:
            wrong.append(f"{end}: no sample {'after' if after is None else 'before'} {number} events")
        elif after - before != number:
            wrong.append(f"{end}: grew by {after - before}, not by {number}")
    grown = samples[-1][1] - samples[0][1] if samples else 0
    if grown != sum(expected.values()):
        wrong.append(f"grew by {grown} in all, not by {sum(expected.values())}")
    return wrong
