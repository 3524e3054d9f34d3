"""Every known mistake, made on purpose in the product, is caught; without it the same seed is right.

Otherwise the silence of the other simulations would mean nothing.
"""

from __future__ import annotations

import pytest

from simulation.mutants import MUTANTS, Mutant
from simulation.simulation import Script, simulate

PINNED = {
    "NotFrozen": 20,
}

TICKS = 60


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_broken_product_is_caught_by_its_seed(mutant: Mutant) -> None:
    broken = simulate(PINNED[mutant.name], mutant.build, Script(ticks=TICKS, rewrite=mutant.rewrite))
    assert broken.wrong != [], mutant.mistake


@pytest.mark.parametrize("seed", sorted({PINNED[mutant.name] for mutant in MUTANTS}))
def test_the_product_is_right_where_its_broken_variants_are_caught(seed: int) -> None:
    mutant = next(one for one in MUTANTS if PINNED[one.name] == seed)
    outcome = simulate(seed, mutant.sound, Script(ticks=TICKS))
    assert outcome.wrong == []
