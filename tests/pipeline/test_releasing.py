"""An object is deleted when its whole effect is safe, and not a moment earlier."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import pytest

from pegel.errors import Retryable
from pegel.pipeline import Runner
from pegel.sinks import Point, Sampling
from pegel.sinks.points import unpack
from pegel.sources import Position
from pegel.sources.bucket import Refused
from pegel.state.outbox import Window
from pegel.state.sampled import Course
from pegel.units import Duration
from pipeline.metered import counted
from pipeline.objects import ObjectHouse, Remote, records
from sources.bucket_driving import key
from sources.fake_bucket import NOON


@pytest.fixture
def house(tmp_path: Path) -> ObjectHouse:
    return ObjectHouse(tmp_path, options={"delete": True})


@dataclass(kw_only=True)
class Choosy(Remote):
    """Takes no request with a point that it does not like; all its copies share what they were sent."""

    refuses: list[Callable[[Point], bool]]

    def send(self, payload: bytes) -> None:
        if any(refused(point) for refused in self.refuses for point in unpack(payload)):
            raise Retryable("later")
        super().send(payload)


@dataclass(kw_only=True)
class Sampled(Choosy):
    """A sink of samples with two shards."""

    @property
    def sampling(self) -> Sampling:
        return Sampling(Duration(3600.0), Duration(900.0), shards=2)


def go_on(house: ObjectHouse, runner: Runner) -> None:
    """Enough time for windows to close, and for a commit after that."""
    house.put(90, records((600, "k", 1, "u")), after=601)
    house.work(runner, 240.0)


def test_an_object_is_deleted_when_closed_acknowledged_and_in_a_snapshot(house: ObjectHouse) -> None:
    name = house.put(1, records((5, "k", 1, "u"), (6, "k", 1, "v")))
    house.clock.now += 700
    runner = house.runner()
    house.work(runner)
    assert name in house.bucket.objects  # nothing has closed its window
    go_on(house, runner)
    assert name in house.bucket.objects  # no snapshot has it
    house.snapshot()
    go_on(house, runner)
    assert name not in house.bucket.objects
    assert len(house.bucket.objects) == 1  # the window of the other one is open
    runner.close()


def test_a_sink_that_is_down_keeps_the_objects(house: ObjectHouse) -> None:
    name = house.put(1, records((5, "k", 1, "u")))
    house.sink.failing = "down"
    house.clock.now += 700
    runner = house.runner()
    house.work(runner)
    go_on(house, runner)
    house.snapshot()
    go_on(house, runner)
    assert name in house.bucket.objects
    house.sink.failing = ""
    house.work(runner, 120.0)
    house.snapshot()
    house.work(runner, 200.0)
    assert name not in house.bucket.objects
    runner.close()


def test_a_replaced_object_is_not_deleted(house: ObjectHouse) -> None:
    """What is there now was never counted."""
    name = house.put(1, records((5, "k", 1, "u")))
    house.clock.now += 700
    runner = house.runner()
    house.work(runner)
    house.put(1, records((5, "k", 9, "other")))
    go_on(house, runner)
    house.snapshot()
    go_on(house, runner)
    assert house.bucket.objects[name].data == records((5, "k", 9, "other"))
    runner.close()


def test_a_refused_deletion_is_tried_for_ever_and_disturbs_nothing(house: ObjectHouse) -> None:
    name = house.put(1, records((5, "k", 1, "u")))
    house.bucket.fault = lambda kind, _key: Refused("no") if kind == "delete" else None
    house.clock.now += 700
    runner = house.runner()
    house.work(runner)
    go_on(house, runner)
    house.snapshot()
    go_on(house, runner)
    first = house.bucket.asked["delete"]
    assert first >= 1
    runner.close()
    runner = house.runner()  # it is remembered
    house.work(runner, 300.0)
    assert house.bucket.asked["delete"] > first
    house.bucket.fault = lambda _kind, _key: None
    house.work(runner, 600.0)
    assert name not in house.bucket.objects
    assert [point.values["n"] for point in house.sink.received if point.revision == 1] == [1, 1]
    runner.close()


def test_an_object_that_somebody_else_has_deleted_is_done_with(house: ObjectHouse) -> None:
    """Else a bucket that was emptied by hand, or whose answer to a deletion was lost, is asked for ever."""
    name = house.put(1, records((5, "k", 1, "u")))
    house.clock.now += 700
    runner = house.runner()
    house.work(runner)
    del house.bucket.objects[name]
    go_on(house, runner)
    house.snapshot()
    go_on(house, runner)
    asked = house.bucket.asked["delete"]
    assert asked >= 1
    house.work(runner, 400.0)
    assert house.bucket.asked["delete"] == asked
    counts = dict(runner.readers[0].plan.source.status().counts)
    assert (counts.get("deleted_objects"), counts.get("delete_failures")) == (1, None)
    runner.close()


def test_a_dry_run_deletes_nothing(house: ObjectHouse) -> None:
    house.options["dry_run"] = True
    name = house.put(1, records((5, "k", 1, "u")))
    house.clock.now += 700
    runner = house.runner()
    house.work(runner)
    go_on(house, runner)
    house.snapshot()
    go_on(house, runner)
    assert name in house.bucket.objects
    counters = {key: value for key, value in runner.state.counters().items() if "objects_to_delete" in key[1]}
    assert list(counters.values()) == [1]
    runner.close()
    house.options["dry_run"] = False
    runner = house.runner()
    house.work(runner, 120.0)
    assert name not in house.bucket.objects
    runner.close()


def test_objects_from_before_the_option_are_deleted_too(house: ObjectHouse) -> None:
    house.options["delete"] = False
    name = house.put(1, records((5, "k", 1, "u")))
    house.clock.now += 700
    runner = house.runner()
    house.work(runner)
    runner.close()
    house.options["delete"] = True
    runner = house.runner()
    go_on(house, runner)
    house.snapshot()
    go_on(house, runner)
    assert name not in house.bucket.objects
    runner.close()


def test_a_deleted_key_that_comes_back_counts_no_second_time(house: ObjectHouse) -> None:
    name = house.put(1, records((5, "k", 1, "u")))
    stored = house.bucket.objects[name]
    house.clock.now += 700
    runner = house.runner()
    house.work(runner)
    go_on(house, runner)
    house.snapshot()
    go_on(house, runner)
    assert name not in house.bucket.objects
    house.bucket.objects[name] = stored
    house.work(runner, 200.0)
    counters = {
        json.loads(labels).get("source"): value
        for (n, labels), value in runner.state.counters().items()
        if n == "records_total"
    }
    assert counters == {"log": 2}
    runner.close()


def test_a_sink_that_always_has_a_backlog_lets_go_of_what_it_has_taken(house: ObjectHouse) -> None:
    """Else a receiver that is just fast enough never lets an object be deleted, and the bucket grows for ever."""
    house.sink = sink = Choosy(refuses=[lambda _point: True])
    first, second = house.put(1, records((5, "k", 1, "u"))), house.put(2, records((400, "k", 1, "u")), after=401)
    house.clock.now += 700
    runner = house.runner()
    house.work(runner)
    go_on(house, runner)
    sink.refuses = [lambda point: point.start_us >= (NOON + 360) * 1e6]
    house.snapshot()
    go_on(house, runner)
    assert {point.start_us for point in sink.received} == {round(NOON * 1e6)}
    assert first not in house.bucket.objects
    assert second in house.bucket.objects
    runner.close()


def test_every_shard_of_a_sink_has_to_acknowledge(house: ObjectHouse) -> None:
    """The second one may be behind while the first has everything."""
    house.metrics = [counted()]
    names = _names_of_shards()
    house.sink = sink = Sampled(refuses=[lambda point: ("key", names[1]) in point.labels])
    name = house.put(1, records((5, names[0], 1, "u"), (6, names[1], 1, "u")))
    house.clock.now += 700
    runner = house.runner()
    house.work(runner)
    for _ in range(3):
        go_on(house, runner)
        house.snapshot()
    assert names[0] in {point.labels[0][1] for point in sink.received}
    assert name in house.bucket.objects
    sink.refuses.clear()
    house.work(runner, 120.0)
    go_on(house, runner)
    assert name not in house.bucket.objects
    runner.close()


@pytest.mark.parametrize(("refused", "kept"), [("m", True), ("another", False)])
def test_a_dead_letter_keeps_the_objects_of_its_own_metric(house: ObjectHouse, refused: str, kept: bool) -> None:
    """One of the runner's own points, or of another source, says nothing about this object."""
    name = house.put(1, records((5, "k", 1, "u")))
    house.clock.now += 700
    runner = house.runner()
    with runner.state.transaction():
        runner.state.letters.put("kept", "no", Window(refused, round(NOON * 1e6), b"", 1), 0)
    house.work(runner)
    for _ in range(2):
        go_on(house, runner)
        house.snapshot()
    assert (name in house.bucket.objects) is kept
    runner.close()


def test_objects_that_are_kept_stand_in_nobodys_way(house: ObjectHouse) -> None:
    """However many of them are older: a dead letter of one night does not fill the bucket for ever."""
    runner = house.runner()
    night = round((NOON - 86_400) * 1e6)
    kept = [f"logs/{key(1, number)}" for number in range(1_500)]
    cursor = {"etag": "e", "size": 1, "written": night}
    with runner.state.transaction():
        rows = [Position(one, number, 1, cursor, True) for number, one in enumerate(kept, 1)]
        runner.state.positions.move("log", rows)
        for one in kept:
            runner.state.touched.note("log", one, night, night, 0, done=True)
        runner.state.letters.put("kept", "no", Window("m", night // 60_000_000 * 60_000_000, b"", 1), 0)
    runner.close()
    name = house.put(1, records((5, "k", 1, "u")))
    house.clock.now += 700
    runner = house.runner()
    house.work(runner)
    for _ in range(2):
        go_on(house, runner)
        house.snapshot()
    assert name not in house.bucket.objects
    assert house.bucket.asked["delete"] == 1
    runner.close()


def test_what_has_grown_and_has_no_sample_yet_holds_objects_back(house: ObjectHouse) -> None:
    """After an outage that was longer than a receiver looks back, totals wait in no window but for the next one."""
    house.metrics, house.sink = [counted()], Sampled(refuses=[])
    name = house.put(1, records((5, "k", 1, "u")))
    house.clock.now += 700
    runner = house.runner()
    owed = Course((("key", "elsewhere"),), live=True, due={"n": 7})
    with runner.state.transaction():
        runner.state.sampled.save("kept", "quiet", [owed])
    house.work(runner)
    for _ in range(2):
        go_on(house, runner)
        house.snapshot()
    assert name in house.bucket.objects
    owed.due, owed.sent = None, owed.due
    with runner.state.transaction():
        runner.state.sampled.save("kept", "quiet", [owed])
    house.work(runner, 61.0)
    assert name not in house.bucket.objects
    runner.close()


def test_a_late_object_waits_for_the_total_that_has_it(house: ObjectHouse) -> None:
    """A sink of samples hears of it with the next window that closes; until then nothing waits for that sink."""
    house.metrics, house.sink = [counted()], Sampled(refuses=[])
    house.put(1, records((5, "k", 1, "u")))
    house.clock.now += 700
    runner = house.runner()
    house.work(runner)
    go_on(house, runner)
    late = house.put(2, records((6, "k", 1, "u")), after=610)
    house.work(runner, 61.0)
    house.snapshot()
    house.work(runner, 61.0)
    assert runner.state.counters()["late_total", '{"metric":"m"}'] == 1
    assert late in house.bucket.objects
    house.put(91, records((800, "k", 1, "u")), after=801)
    house.work(runner, 130.0)
    house.snapshot()
    house.work(runner, 61.0)
    assert late not in house.bucket.objects
    runner.close()


def _names_of_shards() -> Sequence[str]:
    """A key of each of two shards."""
    found: dict[int, str] = {}
    for number in range(100):
        name = f"k{number}"
        found.setdefault(crc32(repr(("m_n", (("key", name),))).encode()) % 2, name)
    return [found[0], found[1]]
