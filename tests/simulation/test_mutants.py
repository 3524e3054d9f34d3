"""Every known mistake, made on purpose in the product, is caught; without it the same seeds are right.

Otherwise the silence of the other simulations would mean nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from simulation.mutants import MUTANTS, Mutant
from simulation.product import Product
from simulation.simulation import Script, simulate
from simulation.stage import Stage

SEEDS = (3, 7, 20)
"""Pinned: one of them catches each mistake. A crash is placed by counting points, so after a change of the
product another seed may be needed."""

TICKS = 60


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_broken_product_is_caught(mutant: Mutant) -> None:
    script = Script(ticks=TICKS, rewrite=mutant.rewrite)
    assert any(simulate(seed, mutant.build, script).wrong for seed in SEEDS), mutant.mistake


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("sound", {mutant.sound for mutant in MUTANTS}, ids=lambda sound: sound.__name__)
def test_the_product_is_right_where_its_broken_variants_are_caught(
    seed: int, sound: Callable[[Stage], Product]
) -> None:
    assert simulate(seed, sound, Script(ticks=TICKS)).wrong == []
