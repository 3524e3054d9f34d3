"""How far a bucket of several writers is: one that went away holds nobody up, one that is unread holds everybody."""

from __future__ import annotations

from pathlib import Path

import pytest

from pegel.sources.bucket import StoreError
from pipeline.objects import ObjectHouse, records
from sources.fake_bucket import NOON


@pytest.fixture
def house(tmp_path: Path) -> ObjectHouse:
    house = ObjectHouse(tmp_path)
    house.clock.now = NOON + 86_400  # all of it is long ago
    house.options["look_back"] = 2 * 86_400.0
    return house


def test_a_writer_that_went_away_holds_up_nobody_while_the_past_is_read(house: ObjectHouse) -> None:
    """Else every window of a night would stay open until the whole night was read."""
    house.put(1, records((1, "k", 1, "u")), after=10, writer="gone")
    for number in range(1, 40):
        house.put(number, records((number * 60, "k", 1, "u")), after=number * 60 + 10)
    runner = house.runner()
    reader = runner.readers[0]
    while not runner.turn.figures.records >= 30:
        runner.step()
    assert not reader.caught_up
    watermark = runner.turn.watermark("log")
    assert watermark is not None
    assert watermark / 1e6 >= NOON + 25 * 60 - 90
    runner.close()


def test_a_writer_of_which_something_is_unread_holds_everybody(house: ObjectHouse) -> None:
    """Its number says that it is read later, though it was written at the same time."""
    house.put(1, records((1, "k", 1, "u")), after=10, writer="b")
    for number in range(1, 30):
        house.put(number, records((number * 60, "k", 1, "u")), after=number * 60 + 10)
    late = house.put(2, records((30, "k", 1, "u")), after=1700, writer="b")
    runner = house.runner()
    for _ in range(200):
        runner.step()
        watermark = runner.turn.watermark("log")
        if runner.turn.figures.records <= 29:
            assert watermark is None or watermark / 1e6 <= NOON + 1 - 90
    counters = {name: value for (name, _), value in runner.state.counters().items()}
    assert counters["records_total"] == 31
    assert "late_total" not in counters, late
    runner.close()


def test_after_a_restart_nothing_closes_before_the_bucket_was_listed(house: ObjectHouse) -> None:
    """Until then nobody knows of the writers of which nothing was read."""
    for number in range(1, 30):
        house.put(number, records((number * 60, "k", 1, "u")), after=number * 60 + 10)
    house.put(1, records((30, "k", 1, "u")), after=1700, writer="b")
    runner = house.runner()
    while runner.turn.figures.records < 10:
        runner.step()
    before = runner.turn.watermark("log")
    runner.close()
    house.bucket.fault = lambda kind, _key: StoreError("503", slow=True) if kind == "list" else None
    runner = house.runner()
    for _ in range(5):
        runner.commit()
        runner.step()
    assert runner.turn.watermark("log") == before
    house.bucket.fault = lambda _kind, _key: None
    house.work(runner)
    counters = {name: value for (name, _), value in runner.state.counters().items()}
    assert counters["records_total"] == 30
    assert "late_total" not in counters
    runner.close()


def test_no_record_is_younger_than_its_object(house: ObjectHouse) -> None:
    """A clock that runs ahead at the writer closes no window too early."""
    house.put(1, records((1, "k", 1, "u"), (3000, "k", 1, "u")), after=10)
    house.put(2, records((20, "k", 1, "u")), after=30)
    runner = house.runner()
    runner.step()
    runner.step()
    watermark = runner.turn.watermark("log")
    assert watermark is None or watermark / 1e6 <= NOON + 30 - 90
    runner.close()
