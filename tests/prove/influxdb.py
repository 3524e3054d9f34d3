"""Long proofs against a real InfluxDB: random stories, and the real logrotate under a runner that is killed."""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from engines.catalog import program
from engines.influxdb import Bucket, Server
from engines.job import differences
from engines.proxy import Proxy
from engines.rotating import DELAYS, METHODS
from engines.rotating import Story as Rotation
from engines.stories import Told, arrive_late, die_anywhere

Tell = Callable[[Path, Bucket, Proxy, int], Told]

STORIES: tuple[Tell, ...] = (die_anywhere, arrive_late)


@dataclass
class Report:
    """What was done and found.

    Attributes:
        wrong: What is not as it must be, as sentences.
    """

    stories: int = 0
    deaths: int = 0
    late: int = 0
    rotations: int = 0
    records: int = 0
    kills: int = 0
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.stories} stories with {self.deaths} deaths and {self.late} requests that arrived late;"
            f" {self.rotations} rotations by logrotate of {self.records} records under {self.kills} SIGKILLs:"
            f" {len(self.wrong)} wrong ({self.seconds:.0f} s)"
        )


@contextmanager
def server() -> Iterator[tuple[Server, Path]]:
    """A running InfluxDB, and a directory beside it; both vanish in the end."""
    with tempfile.TemporaryDirectory(prefix="pegel-influxdb-") as place:
        (Path(place) / "server").mkdir()
        running = Server(program("influxdb2"), Path(place) / "server")
        try:
            yield running, Path(place)
        finally:
            running.stop()


def prove(*, seed: int, deaths: int, kills: int) -> Report:
    """Tell stories until the runner has died so often, then let logrotate work while it is killed for real."""
    report, begun = Report(), time.monotonic()
    with server() as (running, place):
        for number in itertools.count(seed):
            if report.deaths >= deaths:
                break
            _tell(STORIES[number % len(STORIES)], running, place / f"story-{number}", number, report)
        for number, (method, delay) in enumerate(itertools.product(METHODS, DELAYS)):
            rotation = Rotation(
                program("logrotate"), method, delay, looks=20 * max(1, kills // 8), kills=kills // 4, seed=seed + number
            )
            _rotate(rotation, running, place / f"rotation-{number}", report)
    report.seconds = time.monotonic() - begun
    return report


def _tell(tell: Tell, running: Server, place: Path, seed: int, report: Report) -> None:
    place.mkdir()
    with Proxy(running.address) as proxy:
        told = tell(place, running.bucket(place.name), proxy, seed)
    report.stories += 1
    report.deaths += told.deaths
    report.late += told.late
    report.wrong += [f"{tell.__name__}, seed {seed}: {sentence}" for sentence in told.wrong]


def _rotate(rotation: Rotation, running: Server, place: Path, report: Report) -> None:
    place.mkdir()
    bucket = running.bucket(place.name)
    rotated = rotation.run(place, bucket)
    report.rotations += rotated.rotations
    report.records += rotated.records
    report.kills += rotated.kills
    wrong = [str(one) for one in differences(bucket.points(), rotated.expected)]
    wrong += [rotated.said] if rotated.said else []
    report.wrong += [f"{rotation.method}, {rotation.delay}, seed {rotation.seed}: {sentence}" for sentence in wrong]
