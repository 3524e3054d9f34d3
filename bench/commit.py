"""What a commit of 10,000 changed series costs: merge, admission, transaction, and early points for one sink."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from doubles import House, Keeping, metric
from pegel.metrics.partials import Partials
from pegel.pipeline.stage import Chunk, Counted, Folded

SERIES = 10_000
NOON = 1_772_539_200 * 10**6


def folded(turn: int, number: int) -> Folded:
    partials = Partials()
    second = NOON + turn * 10**6
    partials.rows = [(NOON, (f"key-{index}",), 3, second, (1.5 * index,)) for index in range(SERIES)]
    chunk = Chunk("log", "log", None, SERIES * 3, turn, [], second, 1000, {})
    return Folded("log", [Counted(chunk, SERIES * 3, oldest=second, newest=second)], {number: partials})


def measure(sink: Keeping, turns: int = 15) -> list[float]:
    costs = []
    with tempfile.TemporaryDirectory() as directory:
        house = House(Path(directory), [metric(n="count(*)", s="sum(number * 0.5)")], sink=sink)
        runner = house.runner()
        for turn in range(turns):
            one = folded(turn, runner.turn.metrics[0].id)
            begun = time.process_time()
            runner.turn.run([one], {}, {})
            costs.append((time.process_time() - begun) * 1000)
        runner.close()
    return costs


def main() -> None:
    for name, sink in (("no early values", Keeping()), ("early values to one sink", Keeping(early=True))):
        costs = measure(sink)
        print(f"{name}: first {costs[0]:.0f} ms, then median {statistics.median(costs[1:]):.1f} ms CPU a commit")


if __name__ == "__main__":
    main()
