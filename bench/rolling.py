"""Rolling windows of two hours with a step a minute: what a step costs, what the state holds, how fast a start is.

Four cases: a million clients of ten minutes each, and 250,000 that stay for the whole two hours; each as one series
and as a thousand. The members of a minute come in four folds, as from objects of fifteen seconds, and everybody is in
all of them; the step is the turn that closes the minute. The gauge and its arrivals share one set. Every case has a
process of its own, so that its memory is its own.
"""

from __future__ import annotations

import multiprocessing
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from doubles import House, metric
from pegel.metrics.definition import Metric, Value
from pegel.metrics.partials import Members, Partials
from pegel.pipeline import Runner
from pegel.pipeline.stage import Chunk, Counted, Folded

NOON = 1_772_582_400 * 10**6  # midnight, so that one key is enough ...
FIRST = 180  # ... three hours into the day
STEPS = 120
FOLDS = 4
MINUTE = 60 * 10**6


def viewers() -> Metric:
    values = {
        "active": Value(value="count(distinct user)"),
        "arrived": Value(value="arrivals(user)", kind="counter"),
    }
    return replace(metric("viewers", over=STEPS * 60.0), values=values)


class Clients:
    """Who is there in each minute, and on which series."""

    def __init__(self, count: int, stay: int, series: int) -> None:
        random = np.random.default_rng(7)
        self._hashes = random.integers(-(2**63), 2**63 - 1, 3 * count, np.int64)
        self._per_minute = count // STEPS if stay < STEPS else 0
        self._stay = stay
        self._count = count
        self._series = series

    def of(self, minute: int) -> Members:
        if not self._per_minute:
            return self._hashes[: self._count]
        return self._hashes[minute * self._per_minute : (minute + self._stay) * self._per_minute]

    def folds(self, minute: int, number: int) -> Iterator[Folded]:
        """The records of a minute; everybody is in every fold of it, as whoever asks every few seconds is."""
        pane = NOON + (FIRST + minute) * MINUTE
        there = np.unique(self.of(minute))
        series = there % self._series
        order = np.argsort(series, kind="stable")  # so that each set stays sorted
        sets = np.split(there[order], np.searchsorted(series[order], np.arange(1, self._series)))
        for fold in range(FOLDS):
            partials = Partials()
            for one, members in enumerate(sets):
                if members.size:
                    labels = (f"stream-{one}",)
                    partials.rows.append((pane, labels, members.size, pane, ()))
                    partials.sets.append((0, pane, NOON, labels, members.copy()))
            yield folded(pane + fold, there.size, {number: partials})


def folded(time: int, records: int, partials: dict[int, Partials]) -> Folded:
    chunk = Chunk("log", "log", None, records, time, [], time, 1000, {})
    return Folded("log", [Counted(chunk, records, oldest=time, newest=time)], partials)


def cpu(runner: Runner, fold: Folded) -> float:
    """Milliseconds that a turn takes."""
    begun = time.process_time()
    runner.turn.run([fold], {}, {})
    return (time.process_time() - begun) * 1000


def measure(name: str, count: int, stay: int, series: int) -> None:
    clients = Clients(count, stay, series)
    with tempfile.TemporaryDirectory() as directory:
        house = House(Path(directory), [viewers()])
        runner = house.runner()
        number = runner.turn.metrics[0].id
        merges, steps = [], []
        for minute in range(2 * STEPS):
            end = NOON + (FIRST + minute + 1) * MINUTE
            house.clock.now = end / 1e6 + 10
            merges.append(statistics.mean(cpu(runner, fold) for fold in clients.folds(minute, number)))
            steps.append(cpu(runner, folded(end + 6 * 10**6, 0, {})))
            settle_points(house, runner)
        runner.state.connection.execute("pragma wal_checkpoint(truncate)")
        used = pages(runner, "page_count") - pages(runner, "freelist_count")
        size = used * pages(runner, "page_size") / 1e6
        active = runner.turn.metrics[0].snapshot()[0].values
        runner.close()
        before = memory()
        begun = time.process_time()
        runner = house.runner()
        start = time.process_time() - begun
        assert runner.turn.metrics[0].snapshot()[0].values == active
        runner.close()
    late = steps[STEPS + 5 :]
    print(
        f"{name}: a step {statistics.median(late):.0f} ms CPU (most {max(late):.0f}), a merge"
        f" {statistics.median(merges):.0f} ms, state {size:.1f} MB, start {start:.2f} s, peak {before:.0f} MB resident",
        flush=True,
    )


def settle_points(house: House, runner: Runner) -> None:
    """Nobody is sent to in this measurement; points do not pile up."""
    runner.state.connection.execute("delete from outbox")
    house.sink.received.clear()


def pages(runner: Runner, what: str) -> int:
    return int(runner.state.connection.execute(f"pragma {what}").fetchone()[0])


def memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


CASES = (
    ("1,000,000 clients of 10 minutes, one series", 1_000_000, 10, 1),
    ("1,000,000 clients of 10 minutes, 1,000 series", 1_000_000, 10, 1000),
    ("250,000 clients that stay, one series", 250_000, STEPS, 1),
    ("250,000 clients that stay, 1,000 series", 250_000, STEPS, 1000),
)


def main() -> None:
    for case in CASES:
        process = multiprocessing.get_context("spawn").Process(target=measure, args=case)
        process.start()
        process.join()
        if process.exitcode:
            sys.exit(process.exitcode)


if __name__ == "__main__":
    main()
