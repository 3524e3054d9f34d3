"""A runner that dies at every point, and workers that die, fail and answer in any order: every number is exact."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from pegel.errors import SourceError
from pegel.plan import ScaleSettings
from pegel.sources.bucket import StoreError
from pegel.units import Size
from pipeline.objects import ObjectHouse
from scale.colleagues import ScaledHouse
from simulation.objects import Story
from sources.fake_bucket import FakeBucket


@dataclass
class ScaledStory(Story):
    """The story of objects, read by three workers."""

    kind: type[ObjectHouse] = ScaledHouse

    @property
    def scaled(self) -> ScaledHouse:
        assert isinstance(self.house, ScaledHouse)
        return self.house

    def __post_init__(self) -> None:
        super().__post_init__()
        house = self.scaled
        house.shelf = FakeBucket(objects=self.bucket.objects, fault=self._busy)
        house.count, house.together = 3, self.random.choice([100, 10**6])
        house.settings = ScaleSettings(
            scheduler="tcp://127.0.0.1:8786",
            max_in_flight=Size(self.random.choice([100, 1000, 10**6])),
            without_workers=self.random.choice(["wait", "read_here"]),
        )
        house.colleagues.slow = True

    def _busy(self, kind: str, _key: str) -> StoreError | None:
        return StoreError("503", slow=True) if kind == "read" and self.random.random() < 0.05 else None

    def _meanwhile(self) -> None:
        """Workers answer in any order, fail, die, are replaced; or all of them are away."""
        crew = self.scaled.colleagues
        for _ in range(self.random.randrange(3)):
            if crew.waiting:
                died = SourceError("4 workers have died") if self.random.random() < 0.1 else None
                crew.deliver(self.random.randrange(len(crew.waiting)), died)
        if self.random.random() < 0.05:
            number = self.random.randrange(3)
            crew.workshops[number].close()
            crew.workshops[number] = self.scaled.hired(number)
        crew.trouble = "nobody is there" if self.random.random() < 0.1 else ""

    def _last_life(self) -> None:
        crew = self.scaled.colleagues
        crew.slow, crew.trouble = False, ""
        for work, _ in crew.waiting:
            work.close()
        crew.waiting.clear()


@pytest.mark.parametrize("seed", range(4))
def test_every_number_is_exact_whoever_dies(seed: int, tmp_path: Path) -> None:
    story = ScaledStory(seed, tmp_path)
    story.run()
    story.scaled.colleagues.dismiss()
    assert story.wrong == []
    assert story.scaled.colleagues.errands
    assert story.deaths
