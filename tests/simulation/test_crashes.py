"""The product in the simulated world: crashes at every named point, rotation of every kind, faults of disk and network.

Each seed draws a machine (how it rotates, packs, deletes; how late records are; what breaks) and a story.
At the end every window, every rolling step and every total is compared with the oracle's. `python -m prove`
(from `tests/`) runs the same for hours.
"""

from __future__ import annotations

import pytest

from simulation.product import product
from simulation.proof import every_crash
from simulation.simulation import Script, simulate

NAMED_POINTS = {
    "after read",
    "before commit",
    "after commit",
    "in commit after streams",
    "in commit after panes_1",
    "in commit after outbox",
    "in commit after requests",
    "before send to influx",
    "stored but not acknowledged by influx",
    "acknowledged by influx",
    "before send to file",
    "stored but not acknowledged by file",
    "acknowledged by file",
    "after view",
}


@pytest.mark.parametrize("seed", range(100))
def test_every_number_is_exact_whatever_happens(seed: int) -> None:
    outcome = simulate(seed, product, Script(ticks=30))
    assert outcome.wrong == []


def test_s44_a_single_crash_anywhere_changes_no_number() -> None:
    """Every 20th of the about 800 points of one short story; `prove` tries each of them."""
    report = every_crash(product, seed=3, ticks=8, points=range(1, 900, 20))
    assert report.wrong == []


def test_the_points_where_a_runner_may_die_are_all_there() -> None:
    """A point that is never passed proves nothing: a renamed table or a new order of work shows here."""
    outcome = simulate(3, product, Script(ticks=40, crash_every=0))
    assert sorted(NAMED_POINTS - outcome.passed.keys()) == []
