"""The file source against random rotations, kills and commits: the records counted are the records written.

A seed is a whole history; the same seed fails again. `PEGEL_ROUNDS` asks for more of them.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable, Sequence

import pytest

from simulation.world import SimClock, SimFiles
from sources.driving import Runner
from sources.rotating import Rotator

METHODS = ("rename", "copytruncate", "mixed")
NAMINGS = ("number", "time")
PACKINGS = ("none", "in_place", "hidden", "delayed")
ROUNDS = int(os.environ.get("PEGEL_ROUNDS", "40"))


class Racing(SimFiles):
    """A directory that may change just after it was listed."""

    racer: Callable[[], object] | None = None

    def glob(self, pattern: str) -> Sequence[str]:
        names = super().glob(pattern)
        if self.racer is not None:
            self.racer()
        return names


def play(seed: int, method: str, naming: str, packing: str, steps: int = 60) -> tuple[Rotator, Runner]:
    dice = random.Random(f"{seed} {method} {naming} {packing}")
    clock = SimClock()
    files = Racing(clock)
    banner, gaps = dice.random() < 0.3, dice.random() < 0.3
    rotator = Rotator(files, clock, dice, method, naming, packing, banner, gaps)  # type: ignore[arg-type]
    runner = Runner(files, clock, {"piece_size": dice.choice([50, 300, 8 * 2**20])})
    if dice.random() < 0.4:
        files.racer = lambda: dice.random() < 0.15 and dice.choice([rotator.rotate, rotator.step])()
    weights = {
        "write": 6, "read": 12, "commit": 4, "rotate": 2, "step": 6, "tick": 6, "kill": 1, "stop": 1, "rest": 1,
    }  # fmt: skip
    for _ in range(steps):
        act(dice.choices(list(weights), list(weights.values()))[0], rotator, runner, dice)
    files.racer = None
    rotator.finish_line()
    rotator.finish()
    if runner.source is None:
        runner.open()
    runner.settle(40)
    return rotator, runner


def difference(rotator: Rotator, runner: Runner) -> tuple[Counter[bytes], Counter[bytes]]:
    """Records that were not counted and those that should not have been; what the rotator destroyed may be either."""
    return rotator.written - runner.records, runner.records - rotator.written - rotator.in_gaps


def act(action: str, rotator: Rotator, runner: Runner, dice: random.Random) -> None:
    clock = rotator.clock
    outside: dict[str, Callable[[], object]] = {
        "write": rotator.write,
        "rotate": rotator.rotate,
        "step": rotator.step,
        "tick": lambda: clock.advance(0.3 if rotator.is_copying else dice.choice([0.01, 0.5, 1.0, 2.0, 7.0])),
        "rest": lambda: clock.advance(0.3 if rotator.is_copying else 30.0),  # a copy takes no longer
    }
    inside: dict[str, Callable[[], object]] = {
        "kill": runner.kill,
        "stop": runner.stop,
        "commit": lambda: runner.commit(dice.randint(0, len(runner.flight))),
        "read": runner.try_to_read,
    }
    if action in outside:
        outside[action]()
    elif runner.source is None:
        runner.open()
    else:
        inside[action]()


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("naming", NAMINGS)
@pytest.mark.parametrize("method", METHODS)
def test_every_record_is_counted_once_whatever_happens(method: str, naming: str, packing: str) -> None:
    for seed in range(ROUNDS):
        rotator, runner = play(seed, method, naming, packing)
        missing, extra = difference(rotator, runner)
        assert (missing, extra) == (Counter(), Counter()), f"seed {seed}"
