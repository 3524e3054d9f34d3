"""Every known mistake, made on purpose in the product, is caught; without it the same seeds are right.

Otherwise the silence of the other simulations would mean nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from simulation.mutants import MUTANTS, Mutant
from simulation.product import BUILDS, Product
from simulation.simulation import Script, simulate
from simulation.stage import Stage

PINNED = {"NotFrozen": 20, "HalfWrittenArchive": 20, "NoBarrier": 37, "FinishedMatchesAnyLength": 11}
"""The seed that catches a mutant, where it is none of the usual ones. A crash is placed by counting points, so
after a change of the product another seed may be needed."""

USUAL = (3, 7)

SCRIPT = Script(ticks=60)


def caught(mutant: Mutant) -> bool:
    """Whether numbers are wrong, and not only the program."""
    seeds = (PINNED[mutant.name],) if mutant.name in PINNED else USUAL
    outcomes = (simulate(seed, mutant.build, replace(SCRIPT, rewrite=mutant.rewrite)) for seed in seeds)
    return any(not sentence.startswith("the runner") for outcome in outcomes for sentence in outcome.wrong)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_broken_product_is_caught(mutant: Mutant) -> None:
    assert caught(mutant), mutant.mistake


@pytest.mark.parametrize("seed", sorted({*USUAL, *PINNED.values()}))
@pytest.mark.parametrize("sound", BUILDS, ids=lambda sound: sound.__name__)
def test_the_product_is_right_where_its_broken_variants_are_caught(
    seed: int, sound: Callable[[Stage], Product]
) -> None:
    assert simulate(seed, sound, SCRIPT).wrong == []
