"""An object is deleted when its whole effect is safe, and not a moment earlier."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pegel.pipeline import Runner
from pegel.sources.bucket import Refused
from pipeline.objects import ObjectHouse, records


@pytest.fixture
def house(tmp_path: Path) -> ObjectHouse:
    return ObjectHouse(tmp_path, options={"delete": True})


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
