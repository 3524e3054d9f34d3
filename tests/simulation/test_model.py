"""The harness itself: it accepts a right runner and sees every known mistake.

The reference runner is wrong nowhere; each broken variant of it is caught by a pinned seed. So a seed that
passes with the product says something.
"""

from __future__ import annotations

import pytest

from simulation.model import Model, model
from simulation.model_mutants import MODEL_MUTANTS
from simulation.simulation import Script, simulate

SCRIPT = Script(rolling=False, late_requests=False)
"""The reference runner has no fences; the product is tried with late requests."""

SEEDS = (3, 1, 55, 7)
"""Pinned: one of them catches each mistake."""


@pytest.mark.parametrize("seed", range(12))
def test_the_reference_runner_is_right_through_every_crash(seed: int) -> None:
    outcome = simulate(seed, model, SCRIPT)
    assert outcome.wrong == []
    assert outcome.crashes.total() > 0


@pytest.mark.parametrize("mutant", MODEL_MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_broken_variant_is_caught(mutant: type[Model]) -> None:
    """A harness that cannot see a mistake is no evidence of its absence."""
    assert any(simulate(seed, mutant, SCRIPT).wrong for seed in SEEDS)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_reference_runner_is_right_where_its_broken_variants_are_caught(seed: int) -> None:
    assert simulate(seed, model, SCRIPT).wrong == []


def test_a_seed_gives_the_same_run_again() -> None:
    """A failure that cannot be repeated cannot be fixed."""
    first, second = simulate(7, model, SCRIPT), simulate(7, model, SCRIPT)
    assert (first.crashes, first.passed, first.records) == (second.crashes, second.passed, second.records)
