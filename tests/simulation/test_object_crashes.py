"""Objects in a bucket, a runner that dies at every point, deletions: all numbers equal an independent count."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from simulation.objects import Story

NAMED_POINTS = {
    "before list",
    "list done and not known",
    "before read",
    "read done and not known",
    "before delete",
    "delete done and not known",
    "before commit",
    "after commit",
    "in commit after streams",
    "in commit after touched",
}


@pytest.mark.parametrize("seed", range(2))
def test_every_number_is_exact_and_every_object_is_deleted_in_the_end(seed: int, tmp_path: Path) -> None:
    assert Story(seed, tmp_path).run().wrong == []


def test_the_points_where_a_runner_may_die_are_all_there(tmp_path: Path) -> None:
    passed: Counter[str] = Story(3, tmp_path, crash_every=0).run().points.passed
    assert sorted(NAMED_POINTS - passed.keys()) == []
