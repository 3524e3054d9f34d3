"""Workers read, and the runner counts: the same numbers as without them, whatever they do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from doubles import Keeping, metric
from pegel.errors import SourceError
from pegel.scale.errands import Errand
from pegel.sources.bucket import Refused, StoreError
from pipeline.objects import ObjectHouse, records
from scale.colleagues import SCALE, ScaledHouse

METRICS = [
    metric(n="count(*)", total="sum(number)", users="count(distinct user)", first="first(number)"),
    metric("long", every=60.0, over=300.0, users="count(distinct user)", new="arrivals(user)"),
]


def fill(house: ObjectHouse, objects: int = 30) -> None:
    """Objects that overlap in time and share users, some late."""
    for number in range(objects):
        rows = [
            (
                number * 20.0 + second - 60.0 * (number % 3 == 1),
                f"k{second // 3 % 3}",
                second,
                f"u{(number + second) % 17}",
            )
            for second in range(0, 40, 3)
        ]
        house.put(number, records(*rows), after=number * 20.0 + 40.0, writer="ab"[number % 2])


Values = dict[tuple[str, int, tuple[tuple[str, str], ...]], Mapping[str, object]]


def newest(sink: Keeping) -> Values:
    """The values of the highest revision of each point."""
    found = sorted(sink.received, key=lambda point: point.revision)
    return {(point.metric, point.start_us, point.labels): point.values for point in found}


def truth(tmp_path: Path, house: ScaledHouse) -> Values:
    """What a runner without workers makes of the same bucket."""
    alone = ObjectHouse(tmp_path / "alone", house.metrics, bucket=house.bucket)
    alone.clock.now = house.clock.now
    run(alone)
    return newest(alone.sink)


def run(house: ObjectHouse) -> None:
    """One life, until every window has closed."""
    runner = house.runner()
    house.work(runner, 600.0)
    runner.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[ScaledHouse]:
    made = ScaledHouse(tmp_path, METRICS)
    fill(made)
    made.clock.now += 3600.0
    crew = made.colleagues  # from now on they have this configuration
    yield made
    crew.dismiss()


def test_the_numbers_are_those_of_a_runner_without_workers(tmp_path: Path, house: ScaledHouse) -> None:
    expected = truth(tmp_path, house)
    run(house)
    assert house.colleagues.errands
    assert newest(house.sink) == expected
    assert len(expected) > 50


def test_an_errand_holds_no_key_of_a_set(house: ScaledHouse) -> None:
    """Tasks are kept by a scheduler and shown in its logs; keys go to who lacks them, once."""
    run(house)
    keys = [key for lesson in house.colleagues.lessons for key in lesson.keys.values()]
    assert keys
    assert not [key for key in keys for errand in house.colleagues.errands if repr(key) in repr(errand)]
    assert "keys" not in repr(house.colleagues.lessons[0])
    assert len(house.colleagues.lessons) <= house.count


def test_a_worker_with_another_configuration_declines(house: ScaledHouse) -> None:
    """A worker that counts in its own way would make numbers that nobody can explain."""
    house.metrics = [metric(n="max(number)")]
    runner = house.runner()
    house.work(runner, 20.0)
    reader = runner.readers[0]
    assert "a worker has declined: its configuration makes something else of source log" in reader.failing
    assert "metric m" in reader.failing
    assert house.sink.received == []
    runner.close()


def test_a_declined_share_is_read_here_where_that_is_wanted(tmp_path: Path, house: ScaledHouse) -> None:
    house.metrics = [metric(n="max(number)")]
    house.settings = replace(SCALE, without_workers="read_here")
    runner = house.runner()
    house.work(runner, 60.0)
    runner.close()
    assert newest(house.sink) == truth(tmp_path, house)


def test_while_nobody_is_there_objects_wait_and_it_is_said(house: ScaledHouse) -> None:
    house.colleagues.trouble = "no worker is there"
    runner = house.runner()
    house.work(runner, 120.0)
    assert runner.readers[0].failing == "no worker is there"
    assert house.sink.received == []
    house.colleagues.trouble = ""
    house.work(runner, 120.0)
    assert not runner.readers[0].failing
    assert house.sink.received
    runner.close()


def test_an_object_that_cannot_be_read_is_put_aside_here(house: ScaledHouse) -> None:
    """What is worth reading again is decided by who has the ledger."""
    name = house.put(7, b"\x1f\x8b broken", after=180.0, writer="b")
    runner = house.runner()
    house.work(runner)
    counts = runner.readers[0].plan.source.status().counts
    assert counts["quarantined_objects"] == 1
    rows = [one for one in runner.state.positions.streams("log") if one.stream.endswith(name)]
    assert rows[0].cursor["fate"].startswith("quarantined")
    runner.close()


def test_a_right_that_is_missing_for_one_object_holds_up_no_other(house: ScaledHouse) -> None:
    bad = sorted(house.bucket.objects)[5]
    house.bucket.fault = lambda kind, key: Refused("no right") if kind == "read" and key == bad else None
    runner = house.runner()
    house.work(runner, 120.0)
    assert runner.readers[0].plan.source.status().counts["quarantined_objects"] == 1
    assert runner.caught_up()
    runner.close()


def test_what_fails_for_a_while_is_asked_for_again(tmp_path: Path, house: ScaledHouse) -> None:
    """A worker that dies, a server that is busy: nothing is passed over, nothing counts twice."""
    expected = truth(tmp_path, house)
    seen: dict[str, int] = {}

    def fault(errand: Errand) -> SourceError | None:
        seen[errand.parcels[0].key] = seen.get(errand.parcels[0].key, 0) + 1
        return SourceError("3 workers have died") if seen[errand.parcels[0].key] < 3 else None

    def busy(kind: str, key: str) -> StoreError | None:
        seen[key] = seen.get(key, 0) + 1
        return StoreError("slow down", slow=True) if kind == "read" and seen[key] % 4 == 1 else None

    house.colleagues.fault, house.bucket.fault = fault, busy
    run(house)
    assert newest(house.sink) == expected


def test_former_definitions_are_finished_at_home(house: ScaledHouse) -> None:
    """Workers know the new definition only; what belongs to windows of the former one is counted by who knows it."""
    runner = house.runner()
    for _ in range(3):
        runner.step()
    assert house.colleagues.errands
    runner.close()
    house.metrics = [metric(n="max(number)")]
    house.colleagues.errands.clear()
    late = house.put(100, records((590.0, "k0", 7, "u"), (700.0, "k0", 9, "u")), after=700.0)
    runner = house.runner()
    runner.step()
    assert late in house.bucket.objects
    assert house.colleagues.errands == []
    runner.close()
