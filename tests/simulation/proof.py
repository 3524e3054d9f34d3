"""Long runs over many seeds, and every single crash of a fixed workload; both say what they did in figures."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from simulation.simulation import Outcome, Script, simulate
from simulation.stage import Build


@dataclass
class Report:
    """What a proof did and found.

    Attributes:
        runs: Simulated runs, each of a seed of its own or with a crash of its own.
        crashes: Crashes, by the name of the point.
        disk_errors: Statements that failed because of the disk.
        records: Records that were written.
        windows: Windows whose values were compared, in each of two receivers.
        steps: Rolling windows that were compared.
        wrong: (seed, point of the crash or 0, sentence) of everything that was not as it must be.
        seconds: How long it took.
    """

    runs: int = 0
    crashes: Counter[str] = field(default_factory=Counter)
    disk_errors: int = 0
    records: int = 0
    windows: int = 0
    steps: int = 0
    wrong: list[tuple[int, int, str]] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, outcome: Outcome, point: int = 0) -> None:
        """Take in a run."""
        self.runs += 1
        self.crashes += outcome.crashes
        self.disk_errors += outcome.disk_errors
        self.records += outcome.records
        self.windows += outcome.windows
        self.steps += outcome.steps
        self.wrong += [(outcome.seed, point, sentence) for sentence in outcome.wrong]

    def __str__(self) -> str:
        return (
            f"{self.runs} runs, {self.crashes.total()} crashes at {len(self.crashes)} named points, "
            f"{self.disk_errors} disk errors, {self.records} records, {self.windows} windows, "
            f"{self.steps} rolling steps: {len(self.wrong)} wrong ({self.seconds:.0f} s)"
        )


def prove(
    build: Build, *, seed: int = 0, seconds: float = 0.0, crashes: int = 0, script: Script | None = None
) -> Report:
    """Run seeds from `seed` on until a time is over or so many crashes happened, whichever is asked for."""
    report, begun = Report(), time.monotonic()
    for number in itertools.count(seed):
        report.seconds = time.monotonic() - begun
        if (seconds and report.seconds >= seconds) or (crashes and report.crashes.total() >= crashes):
            return report
        report.add(simulate(number, build, script))
    raise AssertionError


def every_crash(build: Build, *, seed: int, ticks: int, points: Iterable[int] | None = None) -> Report:
    """One run without a crash to count the points of a workload, then one for each point, with a crash there."""
    report, begun = Report(), time.monotonic()
    first = simulate(seed, build, Script(ticks=ticks, crash_every=0))
    report.add(first)
    for point in points or range(1, first.passed.total() + 1):
        report.add(simulate(seed, build, Script(ticks=ticks, crash_every=0, crash_at=point)), point)
    report.seconds = time.monotonic() - begun
    return report


def every_disk_error(
    build: Build, *, seed: int, ticks: int, times: int = 2, statements: Iterable[int] | None = None
) -> Report:
    """A disk that fails at each statement of a workload in turn, for a few statements in a row."""
    report, begun = Report(), time.monotonic()
    first = simulate(seed, build, Script(ticks=ticks, crash_every=0))
    for number in statements or range(1, first.statements + 1):
        script = Script(ticks=ticks, crash_every=0, disk_error_at=number, disk_error_times=times)
        report.add(simulate(seed, build, script), number)
    report.seconds = time.monotonic() - begun
    return report
