"""An object that holds nothing but rejects is put aside, in the commit that counts them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pegel.formats.ndjson import Ndjson
from pegel.pipeline import Runner
from pegel.units import Size
from pipeline.objects import ObjectHouse, records
from sources.bucket_driving import key
from sources.fake_bucket import NOON, Stored

FUTURE = 100_000
OBJECT = key(12, 1)
NOTHING = "quarantined: nothing in it is a record (rejects: "


@pytest.fixture
def house(tmp_path: Path) -> ObjectHouse:
    house = ObjectHouse(tmp_path, options={"delete": True})
    house.clock.now += 700
    return house


def cursor(runner: Runner, name: str = OBJECT) -> dict[str, Any]:
    rows = {one.stream: one for one in runner.state.positions.streams("log")}
    return {**rows[f"logs/{name}"].cursor, "offset": rows[f"logs/{name}"].offset}


def test_what_holds_no_record_is_put_aside_with_its_reason_and_all_else_goes_on(house: ObjectHouse) -> None:
    house.put(1, records(*[(FUTURE + number, "k", 1, "u") for number in range(1500)]))
    house.put(2, records((5, "k", 1, "u")))
    runner = house.runner()
    house.work(runner)
    assert cursor(runner)["fate"] == NOTHING + "future 1,500)"
    assert "fate" not in cursor(runner, key(12, 2))
    assert runner.readers[0].plan.source.put_aside() == [f"{OBJECT}: {NOTHING[13:]}future 1,500)"]
    assert runner.readers[0].plan.source.status().counts["quarantined_objects"] == 1
    runner.close()


def test_one_record_is_enough_to_be_counted_as_it_is(house: ObjectHouse) -> None:
    """Whether it comes first, last, or in a piece of its own."""
    house.options |= {"piece_size": 100, "part_size": 100}
    bad = [(FUTURE + number, "k", 1, "u") for number in range(40)]
    house.put(1, records((5, "k", 1, "u"), *bad))
    house.put(2, records(*bad, (5, "k", 1, "u"), *bad))
    house.put(3, records(*bad, (5, "k", 1, "u")))
    house.put(4, records(*bad))
    runner = house.runner()
    house.work(runner)
    assert ["fate" in cursor(runner, key(12, number)) for number in (1, 2, 3, 4)] == [False, False, False, True]
    assert cursor(runner, key(12, 4))["fate"] == NOTHING + "future 40)"
    runner.close()


def test_an_end_that_comes_alone_is_one(house: ObjectHouse) -> None:
    """All bytes were used up before anybody knew that they were the last ones; the end comes with what is next."""
    house.options |= {"piece_size": 100, "part_size": 100}
    line = records((FUTURE, "k", 1, "u"))
    house.bucket.objects[OBJECT] = Stored(line.ljust(100, b"\n") * 3, NOON)
    house.put(2, records((5, "k", 1, "u")))
    runner = house.runner()
    house.work(runner)
    assert cursor(runner)["fate"] == NOTHING + "future 3)"
    assert "fate" not in cursor(runner, key(12, 2))
    runner.close()


def test_it_is_read_from_its_beginning_when_somebody_asks(house: ObjectHouse) -> None:
    """Its rejects were those of a clock that was wrong, say; in the same life, and in a later one."""
    house.put(1, records((FUTURE, "k", 1, "u")))
    house.put(2, records((FUTURE, "k", 1, "v")))
    runner = house.runner()
    house.work(runner)
    house.clock.now = NOON + FUTURE
    with runner.state.transaction():
        runner.state.positions.ask_again("log")
    house.work(runner)
    assert "fate" not in cursor(runner)
    assert sum(value for (name, _), value in runner.state.counters().items() if name == "records_total") == 2
    runner.close()


def test_a_later_life_reads_it_again_only_when_asked(house: ObjectHouse) -> None:
    house.put(1, records((FUTURE, "k", 1, "u")))
    runner = house.runner()
    house.work(runner)
    runner.close()
    house.clock.now = NOON + FUTURE
    runner = house.runner()
    house.work(runner)
    assert "fate" in cursor(runner)
    with runner.state.transaction():
        runner.state.positions.ask_again("log")
    house.work(runner)
    assert "fate" not in cursor(runner)
    assert cursor(runner)["offset"] == len(records((FUTURE, "k", 1, "u")))
    runner.close()


def test_it_is_never_deleted(house: ObjectHouse) -> None:
    house.put(1, records((FUTURE, "k", 1, "u")))
    runner = house.runner()
    for number in (90, 91):
        house.put(number, records((600 * (number - 89), "k", 1, "u")), after=600 * (number - 89))
        house.work(runner, 700.0)
        house.snapshot()
    house.work(runner, 200.0)
    waiting = [row[0] for row in runner.state.connection.execute("select stream from touched")]
    assert f"logs/{OBJECT}" not in waiting
    assert OBJECT in house.bucket.objects
    assert key(12, 90) not in house.bucket.objects
    runner.close()


@pytest.mark.parametrize(
    "data",
    [
        bytes(range(256)) * 50,
        b"\n".join(b"<p>line %d</p>" % number for number in range(10_000)),
        b'{"second": ' + b"1" * 2_000_000 + b"}",
    ],
    ids=["binary", "page", "a line without an end"],
)
def test_strangers_among_objects_of_json_are_put_aside(house: ObjectHouse, data: bytes) -> None:
    """Each of the kinds that are found in buckets, read by the real format."""
    house.format = Ndjson(
        types={"second": "bigint", "key": "varchar", "number": "bigint", "user": "varchar"}, max_record=Size(65536)
    )
    house.put(1, data)
    house.put(2, b'{"second": %d, "key": "k", "number": 1, "user": "u"}\n' % (NOON + 5))
    runner = house.runner()
    house.work(runner)
    assert cursor(runner)["fate"].startswith(NOTHING)
    assert sum(value for (name, _), value in runner.state.counters().items() if name == "records_total") == 1
    runner.close()
