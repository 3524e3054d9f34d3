"""Objects in a bucket, a runner that dies at every point, deletions: all numbers equal an independent count."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from pipeline.objects import records
from simulation.objects import Story
from sources.bucket_driving import key
from sources.fake_bucket import NOON

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


class StoryOfStrangers(Story):
    """Among the objects are some of which nothing is a record: all of it is of a time to come."""

    strangers = (key(12, 100, "a"), key(12, 101, "b"))

    def _uploads(self) -> list[tuple[float, str, bytes]]:
        far = records(*[(10**7 + number, "x", 1, "u") for number in range(3)])
        return sorted([*super()._uploads(), (NOON + 100, self.strangers[0], far), (NOON + 200, self.strangers[1], far)])

    def _compare(self) -> None:
        kept = {name: self.bucket.objects.pop(name, None) for name in self.strangers}
        self.wrong += [f"{name} was deleted" for name, stored in kept.items() if stored is None]
        runner = self.house.runner()
        rows = {one.stream: str(one.cursor.get("fate")) for one in runner.state.positions.streams("log")}
        runner.close()
        fates = [rows.get(f"logs/{name}", "") for name in self.strangers]
        self.wrong += [fate for fate in fates if not fate.startswith("quarantined: nothing in it is a record")]
        super()._compare()


def test_what_holds_no_record_is_put_aside_wherever_a_runner_dies(tmp_path: Path) -> None:
    """Never between being counted and being put aside: then it would be deleted like the others."""
    assert StoryOfStrangers(1, tmp_path, objects=10, crash_every=60).run().wrong == []


def test_the_points_where_a_runner_may_die_are_all_there(tmp_path: Path) -> None:
    passed: Counter[str] = Story(3, tmp_path, crash_every=0).run().points.passed
    assert sorted(NAMED_POINTS - passed.keys()) == []
