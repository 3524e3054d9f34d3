"""A bucket whose every request is a point where the runner may die, and stories of objects in it."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from doubles import metric
from pegel.errors import PegelError
from pegel.pipeline import Runner
from pegel.sources.bucket import StoreError
from pipeline.objects import ObjectHouse, records
from simulation.crashes import CrashPoints, Database, SimulatedCrash
from sources.bucket_driving import key
from sources.fake_bucket import NOON, FakeBucket

MINUTE = 60


@dataclass
class CrashBucket(FakeBucket):
    """A bucket with points before and after each request."""

    points: CrashPoints = field(default_factory=CrashPoints)

    async def list(self, *words: str) -> Any:
        return await self._between("list", super().list(*words))

    async def read(self, *words: Any) -> Any:
        return await self._between("read", super().read(*words))

    async def delete(self, *words: str) -> Any:
        return await self._between("delete", super().delete(*words))

    async def _between(self, name: str, work: Any) -> Any:
        try:
            self.points.reach(f"before {name}")
        except SimulatedCrash:
            work.close()
            raise
        result = await work
        self.points.reach(f"{name} done and not known")
        return result


@dataclass
class Story:
    """Some minutes of two writers, a runner that dies again and again, a sink that is down now and then.

    Attributes:
        kind: Of the house in which it plays.
        wrong: What is not as an independent count of the raw events says.
    """

    seed: int
    folder: Path
    crash_every: int = 120
    objects: int = 24
    kind: type[ObjectHouse] = ObjectHouse
    points: CrashPoints = field(default_factory=CrashPoints)
    wrong: list[str] = field(default_factory=list)
    deaths: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.bucket = CrashBucket(page_size=self.random.choice([2, 5, 1000]), points=self.points)
        self.bucket.fault = self._fault
        self.house = self.kind(self.folder, [metric(n="count(*)", users="count(distinct user)", total="sum(number)")])
        self.house.bucket = self.bucket
        self.house.options = {"delete": True, "parallel": 3, "part_size": self.random.choice([50, 10**6])}
        self.house.clock.now = NOON
        self.counts: dict[tuple[int, str], list[tuple[int, str]]] = defaultdict(list)
        self.pending = self._uploads()

    def _fault(self, kind: str, _key: str) -> StoreError | None:
        return StoreError("503", slow=True) if self.random.random() < (0.3 if kind == "delete" else 0.05) else None

    def _uploads(self) -> list[tuple[float, str, bytes]]:
        """When which object appears: every half minute one of each writer, some of them minutes late."""
        found = []
        for number in range(self.objects):
            writer = "ab"[number % 2]
            time = (number // 2) * 30.0
            rows = []
            for _ in range(self.random.randrange(1, 6)):
                row = (time + self.random.uniform(-20, 20), self.random.choice("xy"), self.random.randrange(9))
                rows.append((*row, self.random.choice("uvw")))
            late = self.random.uniform(0, 600) if self.random.random() < 0.2 else 0.0
            data = records(*rows)
            for line in data.decode().splitlines():
                second, name, value, user = line.split()
                self.counts[int(second) // MINUTE * MINUTE, name].append((int(value), user))
            found.append((NOON + time + 30 + late, key(12, number, writer), data))
        return sorted(found)

    def run(self) -> Story:
        """Play it, end every window, and compare."""
        for _ in range(400):
            self._upload()
            self._live()
            self.house.clock.now += 20.0  # whoever starts it again takes a moment
            if not self.pending and self.house.clock.now > NOON + self.objects * 15 + 2000:
                break
        self.points.arm(0)
        self.random.random = lambda: 1.0  # type: ignore[method-assign] # nothing fails any more
        self.house.sink.failing = ""
        self._last_life()
        runner = self._open(Database(self.points))
        self.house.work(runner, 900.0)
        for _ in range(2):  # the older one of two has to have it
            self.house.snapshot()
        self.house.work(runner, 1300.0)
        runner.close()
        self._compare()
        return self

    def _upload(self) -> None:
        while self.pending and self.pending[0][0] <= self.house.clock.now:
            written, name, data = self.pending.pop(0)
            self.bucket.put(name, data, written)

    def _open(self, database: Database) -> Runner:
        self.house.connect = database.connect
        return self.house.runner()

    def _live(self) -> None:
        """One life: some steps, until it dies or is stopped."""
        database = Database(self.points)
        self.points.arm(self.random.randrange(1, self.crash_every) if self.crash_every else 0)
        runner = None
        try:
            runner = self._open(database)
            for _ in range(self.random.randrange(1, 40)):
                self.house.sink.failing = "down" if self.random.random() < 0.1 else ""
                self._meanwhile()
                runner.step()
                self.house.clock.now += self.random.choice([0.0, 1.0, 20.0])
                self._upload()
                if self.random.random() < 0.05:
                    self.house.snapshot()
        except SimulatedCrash:
            self.deaths += 1
        except PegelError as error:
            self.wrong.append(str(error))
        finally:
            self._bury(runner, database)

    def _last_life(self) -> None:
        """Nothing dies or fails from now on."""

    def _meanwhile(self) -> None:
        """What others do while the runner lives."""

    def _bury(self, runner: Runner | None, database: Database) -> None:
        """What was not committed is gone; only what this process holds is given back."""
        database.kill()
        self.points.dead = False
        self.points.arm(0)
        if runner is not None:
            for reader in runner.readers:
                reader.close()
            runner.engine.close()
            runner.state._lock.release()

    def _compare(self) -> None:
        assert not self.pending
        expected = {(start, (("key", name),)): _values(rows) for (start, name), rows in self.counts.items()}
        found = {place: dict(values) for place, values in self.house.sink.newest().items()}
        for place, values in expected.items():
            if found.get(place) != values:
                self.wrong.append(f"{place}: {found.get(place)}, not {values}")
        self.wrong += [f"{place} should not be" for place in found.keys() - expected.keys()]
        self.wrong += [f"{name} is still there" for name in self.bucket.objects]


def _values(rows: list[tuple[int, str]]) -> dict[str, int]:
    """What a window must have: rows are (number, user)."""
    return {"n": len(rows), "users": len({user for _, user in rows}), "total": sum(number for number, _ in rows)}
