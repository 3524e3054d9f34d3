"""Every preset brings tests along, and they pass: what `pegel test --preset NAME` runs."""

from __future__ import annotations

import pytest

from pegel.config import load
from pegel.config.presets import names, shipped_tests
from pegel.pipeline.cases import judge
from pegel.plan import Case, Plan

ENVIRON = {"HOSTNAME": "here"}


def shipped() -> list[tuple[Plan, Case]]:
    plans = [load(shipped_tests(name), ENVIRON) for name in names()]
    return [(plan, case) for plan in plans for case in plan.tests]


@pytest.mark.parametrize("name", names())
def test_a_preset_has_tests(name: str) -> None:
    """Whoever changes one has to hear of it."""
    assert len(load(shipped_tests(name), ENVIRON).tests) >= 6


@pytest.mark.parametrize(("plan", "case"), [pytest.param(*one, id=one[1].name) for one in shipped()])
def test_it_passes(plan: Plan, case: Case) -> None:
    assert list(judge(plan, case).differences) == []
