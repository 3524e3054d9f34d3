"""Every known mistake, made on purpose in the product, is caught; without it the same seeds are right.

Otherwise the silence of the other simulations would mean nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from simulation.mutants import MUTANTS, SEEDS, Mutant
from simulation.product import BUILDS, Product
from simulation.simulation import Script, simulate
from simulation.stage import Stage

SCRIPT = Script(ticks=60)


def caught(mutant: Mutant) -> bool:
    """Whether numbers are wrong, and not only the program.

    A crash is placed by counting points, so that after a change of the product the pinned seeds may miss: then others
    are tried.
    """
    seeds = (*SEEDS, *range(1000, 1040))
    outcomes = (simulate(seed, mutant.build, replace(SCRIPT, rewrite=mutant.rewrite)) for seed in seeds)
    return any(not sentence.startswith("the runner") for outcome in outcomes for sentence in outcome.wrong)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_broken_product_is_caught(mutant: Mutant) -> None:
    assert caught(mutant), mutant.mistake


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("sound", BUILDS, ids=lambda sound: sound.__name__)
def test_the_product_is_right_where_its_broken_variants_are_caught(
    seed: int, sound: Callable[[Stage], Product]
) -> None:
    assert simulate(seed, sound, SCRIPT).wrong == []
