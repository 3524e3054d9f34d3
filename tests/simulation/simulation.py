"""One seed, from the first record to the verdict: the world, the lives of the runner, the comparison."""

from __future__ import annotations

import gc
import os
import random
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pegel.errors import PegelError, StateError
from simulation.actors import Application, Network, Rotator, draw_habits
from simulation.crashes import CrashClock, CrashFiles, CrashPoints, Database, Rewrite, SimulatedCrash
from simulation.oracle import SECOND, Row, rolling, totals, windows
from simulation.sinks import Receiver, SimSink, SimView
from simulation.stage import LOG, Build, Stage, Subject, Timing
from simulation.world import SimClock, SimFiles

FAST = Path("/dev/shm")
"""Where states live: what is proved here does not depend on the disk's speed."""


END_STEP = 30.0
"""Seconds between two looks of the runner at the end, when nothing happens any more."""

LONGEST_WORK = 500
"""Steps after which a runner that still finds something to do will never stop."""


@dataclass
class Outcome:
    """What a seed showed.

    Attributes:
        wrong: Everything that is not as it must be, as sentences; empty is the aim.
        crashes: How often the runner crashed, by the name of the point.
        passed: How often each point was passed.
        disk_errors: Statements that failed because of the disk.
        statements: Statements that were run on the state.
        records: Records that the application wrote.
        windows: Windows that were compared.
        steps: Rolling windows that were compared.
        rotations: Steps of rotation and compression.
    """

    seed: int
    wrong: list[str] = field(default_factory=list)
    crashes: Counter[str] = field(default_factory=Counter)
    passed: Counter[str] = field(default_factory=Counter)
    records: int = 0
    disk_errors: int = 0
    statements: int = 0
    windows: int = 0
    steps: int = 0
    rotations: int = 0


@dataclass(frozen=True)
class Script:
    """How a run goes beyond its seed.

    Attributes:
        ticks: Moments of the workload.
        crash_every: Points between two crashes, on average; 0 for none.
        crash_at: Crash at exactly this point of the whole run instead (1 is the first).
        disk_error_at: This statement of the whole run fails (1 is the first), instead of disk errors by the seed.
        disk_error_times: It, and those that follow, up to so many.
        rolling: Whether the runner makes rolling windows.
        late_requests: Whether a request without a reply may arrive behind a later one.
        rewrite: Changes statements on their way to the database (a mutant's hook).
    """

    ticks: int = 120
    crash_every: int = 60
    crash_at: int = 0
    disk_error_at: int = 0
    disk_error_times: int = 1
    rolling: bool = True
    late_requests: bool = True
    rewrite: Rewrite | None = None


class Simulation:
    """A runner in a simulated world."""

    def __init__(self, seed: int, build: Build, script: Script, state: Path, timing: Timing | None = None) -> None:
        random.seed(seed)  # the product shakes its back-off with the global generator
        self.rng = random.Random(seed)
        self.script = script
        self.build = build
        self.state = state
        self.timing = timing or Timing()
        self.habits = draw_habits(self.rng)
        self.clock = SimClock()
        self.files = SimFiles(self.clock, births=self.habits.births)
        self.application = Application(self.rng, self.clock, self.files, self.habits)
        self.rotator = Rotator(self.rng, self.files, self.application, self.habits)
        self.network = [Network(self.rng), Network(self.rng)]
        self.points = CrashPoints()
        self.receivers = [
            Receiver("influx", overwrites=True, premature=self._premature, fault=self.network[0].fault),
            Receiver("file", overwrites=False, premature=self._premature, fault=self.network[1].fault),
        ]
        self.view = Receiver("metrics", overwrites=True)
        self.database = Database(self.points, script.rewrite)
        self.subject: Subject | None = None
        self.outcome = Outcome(seed)
        self._latest_wall = 0.0
        self._opened = False
        self._down_for = 0
        self.points.arm(script.crash_at)
        self.points.break_disk(script.disk_error_at, script.disk_error_times if script.disk_error_at else 0)

    def run(self) -> Outcome:
        """The whole story."""
        for _ in range(self.script.ticks):
            self._tick()
        self._settle()
        self.outcome.disk_errors, self.outcome.statements = self.points.disk_errors, self.points.statements
        self.points.break_disk(0, 0)
        self.points.arm(0)
        self._guarded(self._ensure_open)  # the last crash may have been the last thing that happened
        self._compare()
        self._compare_late()
        self._end_life()
        self.outcome.crashes, self.outcome.passed = self.points.hit, self.points.passed
        self.outcome.records = len(self.application.written)
        return self.outcome

    # --- the workload

    def _tick(self) -> None:
        roll = self.rng.random()
        if roll < 0.55:
            self.application.write()
        elif roll < 0.62:
            self.application.finish()
        elif roll < 0.65:
            self.rotator.hurry()
        if self.rng.random() < 0.35 or (self.rotator.busy and self.rng.random() < 0.5):
            self.rotator.work()
            self.outcome.rotations += 1
        if self.rng.random() < 0.1:
            self._disturb()
        self._pass_time()
        self._live()
        if self.rng.random() < 0.15 and self._all_counted():
            self.rotator.retain()

    def _disturb(self) -> None:
        """Something of the world goes wrong, or right again."""
        what = self.rng.choice(["network", "files", "clock", "restart", "disk"])
        if what == "network":
            network = self.rng.choice(self.network)
            network.down = not network.down
        elif what == "files" and self.habits.faulty:
            self.files.heal()
            if self.files.exists(LOG) and self.rng.random() < 0.7:
                self.rng.choice([self.files.deny, self.files.break_reads])(LOG)
        elif what == "clock" and self.habits.skewed:
            self.application.shift_clock()
        elif what == "disk" and not self.script.disk_error_at:
            self.points.break_disk(self.rng.randint(1, 40), self.rng.choice([1, 1, 2, 60]))
        elif what == "restart" and self.subject is not None:
            self._guarded(self.subject.close)
            self._end_life()
            self._down_for = self.rng.choice([0, 1, 10, 40])

    def _pass_time(self) -> None:
        slow = self.rng.random() < 0.05 and not self.application.half and not self.rotator.busy
        self._wait(self.rng.uniform(60.0, 200.0) if slow else self.rng.uniform(0.05, 6.0))

    def _wait(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self._latest_wall = max(self._latest_wall, self.clock.wall())
        for receiver in self.receivers:
            receiver.arrive(self.clock.monotonic())

    # --- the runner's lives

    def _live(self) -> None:
        self._down_for -= 1
        if self.subject is None and (self._down_for > 0 or self.rng.random() < 0.15):
            return
        for _ in range(self.rng.randint(0, 3)):
            self._guarded(self._step)

    def _step(self) -> bool:
        self._ensure_open()
        assert self.subject is not None
        return self.subject.step()

    def _ensure_open(self) -> None:
        if self.subject is not None:
            return
        if self.script.crash_every:
            self._plan_crash()
        subject = self.build(self._stage())
        self.subject, self._opened = subject, False
        subject.open()
        self._opened = True

    def _plan_crash(self) -> None:
        """When this life ends: after a number of points, or at one of the rare ones by name."""
        names = sorted(self.points.passed)
        if names and self.rng.random() < 0.5:
            self.points.arm(self.rng.randint(1, 3), self.rng.choice(names))
        else:
            self.points.arm(self.rng.randint(1, 2 * self.script.crash_every))

    def _stage(self) -> Stage:
        sinks = [
            *(
                SimSink(receiver, self.points, self.clock.monotonic, self.script.late_requests)
                for receiver in self.receivers
            ),
            SimView(self.view, self.points),
        ]
        return Stage(
            state=self.state,
            clock=CrashClock(self.clock, self.points),
            files=CrashFiles(self.files, self.points),
            connect=self.database.connect,
            sinks=sinks,
            timing=self.timing,
            rotation="auto" if self.habits.rotation == "mixed" else self.habits.rotation,
        )

    def _guarded(self, act: Callable[[], object]) -> bool:
        """Do something that may end the runner's life; true if there was work."""
        try:
            return bool(act())
        except SimulatedCrash:
            self._end_life()
        except StateError:
            self._survive()
            return True
        except (PegelError, ArithmeticError, LookupError, TypeError, ValueError, OSError, sqlite3.Error) as error:
            self.outcome.wrong.append(f"the runner failed: {error!r}")
            self._end_life()
        return False

    def _survive(self) -> None:
        """The state could not be written: a service waits and goes on, or gives up and is started again."""
        self._expect_disk_fault()
        if self._opened and self.rng.random() < 0.7:
            self._wait(5.0)
        else:
            self._end_life()

    def _expect_disk_fault(self) -> None:
        if not self.points.disk_errors:
            self.outcome.wrong.append("the state failed on a disk without a fault")

    def _end_life(self) -> None:
        """The process is gone: memory, descriptors, locks, uncommitted transactions."""
        self.subject = None
        self.points.dead = False
        self.database.kill()
        self.files.kill_reader()
        close_descriptors_into(self.state)

    # --- the end

    def _settle(self) -> None:
        """Everything is repaired and finished, and the runner gets all the time that it needs."""
        self.rotator.finish()
        self.application.finish()
        self.application.right_clock()
        self.files.heal()
        for network in self.network:
            network.healed = True
        if not self.script.crash_at:
            self.points.arm(0)
        if not self.script.disk_error_at:
            self.points.break_disk(0, 0)
        self.script = replace(self.script, crash_every=0)
        for _ in range(round(self._end_seconds() / END_STEP)):
            self._rest()
            self._wait(END_STEP)

    def _end_seconds(self) -> float:
        """Silence after which every window must have closed, and every rolling one run out."""
        timing = self.timing
        return 60.0 + timing.idle_after + timing.disorder + 2 * timing.every + timing.over

    def _rest(self) -> None:
        """Let the runner do what it can do now."""
        for _ in range(LONGEST_WORK):
            if not self._guarded(self._step):
                return
            self._wait(0.5)
        self.outcome.wrong.append(f"the runner found no rest within {LONGEST_WORK} steps")

    def _all_counted(self) -> bool:
        """Whether the view shows every record, and no half of one waits: only then may an archive go."""
        shown = sum(values["n"] for values in self._counters().values())
        return shown == len(self.application.written) and not self.application.half and not self.rotator.busy

    def _compare(self) -> None:
        every = round(self.timing.every * SECOND)
        expected = windows(self.application.written, every)
        self.outcome.windows = len(expected)
        for receiver in self.receivers:
            found = {
                (start, dict(labels)["key"]): Row(**sent.values)
                for ((metric, labels), start), sent in receiver.points.items()
                if metric == "requests"
            }
            self.outcome.wrong += difference(receiver.name, expected, found)
            self.outcome.wrong += receiver.broken
            self._compare_rolling(receiver)
        shown = {key: (values["n"], values["total"]) for key, values in self._counters().items()}
        self.outcome.wrong += difference("metrics", totals(self.application.written), shown)
        self.outcome.wrong += self.view.broken

    def _compare_rolling(self, receiver: Receiver) -> None:
        """Closed steps are final, so what they show is certain only where nothing came late.

        Arrivals are never taken back and none is left out, so that what the steps say of them adds up to the total.
        """
        if not self.script.rolling:
            return
        told = sum(sent.values["came"] for ((metric, _), _), sent in receiver.points.items() if metric == "active")
        shown = sum(values["came"] for (metric, _), values in self.view.shown.items() if metric == "active")
        self.outcome.wrong += difference(f"{receiver.name} arrivals", {"came": shown}, {"came": told})
        if self.habits.late or self.habits.skewed:
            return
        found = {
            start: (sent.values["recent"], sent.values["people"], sent.values["came"])
            for ((metric, _), start), sent in receiver.points.items()
            if metric == "active"
        }
        every, over = round(self.timing.every * SECOND), round(self.timing.over * SECOND)
        expected = rolling(self.application.written, every, over, round(self.clock.wall() * SECOND))
        self.outcome.steps += len(expected)
        self.outcome.wrong += difference(f"{receiver.name} rolling", expected, found)

    def _compare_late(self) -> None:
        """Nothing is late where everything was written in time: no window may close before its records are read."""
        if self.subject is None:
            self.outcome.wrong.append("the runner did not live to the end")
            return
        if self.subject.rejected():
            self.outcome.wrong.append(f"{self.subject.rejected()} records were torn: every one was written whole")
        late = self.subject.late()
        if late and not self.habits.late and not self.habits.skewed:
            self.outcome.wrong.append(f"{late} records were late, though all were written in time")

    def _counters(self) -> dict[str, dict[str, Any]]:
        """What the view shows of the counted metric, by key."""
        return {
            dict(labels)["key"]: values
            for (metric, labels), values in self.view.shown.items()
            if metric == "requests" and "n" in values
        }

    def _premature(self, end_us: int) -> bool:
        """Whether a window cannot have been over: neither by the records written so far nor by silence."""
        timing = self.timing
        half = self.application.half
        newest = max((record.time_us for record in self.application.written), default=0)
        newest = max(newest, round(self._latest_wall * SECOND)) if half else newest
        by_records = newest - timing.disorder * SECOND
        by_silence = (max(self._latest_wall, self.clock.wall()) - timing.idle_after - timing.disorder) * SECOND
        return end_us > max(by_records, by_silence)


def difference(name: str, expected: Mapping[Any, object], found: Mapping[Any, object]) -> list[str]:
    """What differs, as sentences."""
    keys = {*expected, *found}
    return [
        f"{name}: {key}: expected {expected.get(key)}, found {found.get(key)}"
        for key in sorted(keys, key=str)
        if expected.get(key) != found.get(key)
    ]


def close_descriptors_into(directory: Path) -> None:
    """Close what the dead runner left open below a directory, as the end of its process would."""
    gc.collect(0)
    for link in list(Path("/proc/self/fd").iterdir()):
        try:
            target = link.readlink()
        except OSError:  # the descriptor of the listing itself
            continue
        if target.is_relative_to(directory):
            os.close(int(link.name))


def simulate(seed: int, build: Build, script: Script | None = None, timing: Timing | None = None) -> Outcome:
    """Run one seed on a state of its own."""
    place = FAST if FAST.is_dir() else None
    state = Path(tempfile.mkdtemp(prefix="pegel-sim-", dir=place))
    try:
        return Simulation(seed, build, script or Script(), state, timing).run()
    finally:
        shutil.rmtree(state)
