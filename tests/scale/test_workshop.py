"""A worker's work: objects of any size, objects that are cut, keys that are told and forgotten."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from doubles import metric
from pegel.pipeline.stage import unpack
from pegel.scale.errands import Done, Errand, Lesson, Untaught
from pegel.scale.workshop import Rings, Workshop
from pegel.sources import Parcel
from pegel.sources.inflate import DamagedError, UnreadyError
from pipeline.objects import records
from scale.colleagues import ScaledHouse
from sources.bucket_driving import key

USERS = metric(n="count(*)", users="count(distinct user)")
KEY = bytes(range(16))


@pytest.fixture
def house(tmp_path: Path) -> ScaledHouse:
    return ScaledHouse(tmp_path, [USERS], together=200, options={"piece_size": 100})


@pytest.fixture
def workshop(house: ScaledHouse) -> Iterator[Workshop]:
    made = house.hired(0)
    yield made
    made.close()


def put(house: ScaledHouse, number: int, data: bytes, end: str = "") -> Parcel:
    name = key(12, number, end=end)
    house.bucket.put(name, data)
    return Parcel(name, house.bucket.objects[name].etag, len(data), number)


def errand(workshop: Workshop, house: ScaledHouse, *parcels: Parcel) -> Errand:
    now = round(house.clock.now * 1e6) + 3600 * 10**6
    return Errand("log", workshop._benches["log"].likeness, "ring", now, parcels)


def teach(workshop: Workshop, wanted: Errand) -> None:
    lacks = workshop.carry_out(wanted, "here")
    assert isinstance(lacks, Untaught)
    assert lacks.worker == "here"
    workshop.learn(Lesson("ring", dict.fromkeys(lacks.places, KEY)))


def rows(count: int) -> bytes:
    return records(*((second, "k", second, f"u{second % 7}") for second in range(count)))


def test_an_object_bigger_than_what_is_folded_at_a_time_counts_once(house: ScaledHouse, workshop: Workshop) -> None:
    """Its parts are folded one by one, and merged with what is small."""
    wanted = errand(workshop, house, put(house, 1, rows(3)), put(house, 2, rows(50)), put(house, 3, rows(2)))
    teach(workshop, wanted)
    answer = workshop.carry_out(wanted)
    assert isinstance(answer, Done)
    assert [made.records for made in answer.share.made] == [3, 50, 2]
    (row,) = unpack(answer.share.partials)["m"].rows
    assert row[2] == 55
    (members,) = [members for *_, members in unpack(answer.share.partials)["m"].sets]
    assert len(members) == 7


def test_of_an_object_that_turns_out_to_be_cut_nothing_counts(house: ScaledHouse, workshop: Workshop) -> None:
    """Even where its first parts had been folded before its end was missed."""
    cut = gzip.compress(rows(50))[:-30]
    wanted = errand(workshop, house, put(house, 1, rows(3)), put(house, 2, cut, ".gz"), put(house, 3, rows(2)))
    teach(workshop, wanted)
    answer = workshop.carry_out(wanted)
    assert isinstance(answer, Done)
    assert [made.records for made in answer.share.made] == [3, 0, 2]
    assert isinstance(answer.share.made[1].error, DamagedError | UnreadyError)
    (row,) = unpack(answer.share.partials)["m"].rows
    assert row[2] == 5


def test_what_was_consumed_before_is_left_out(house: ScaledHouse, workshop: Workshop) -> None:
    """A runner that read by itself until workers came had consumed a part of an object."""
    parcel = put(house, 1, rows(10))
    consumed = len(rows(4))
    wanted = errand(workshop, house, replace(parcel, offset=consumed))
    teach(workshop, wanted)
    answer = workshop.carry_out(wanted)
    assert isinstance(answer, Done)
    (made,) = answer.share.made
    assert (made.records, made.consumed) == (6, len(rows(10)) - consumed)


def test_a_record_from_the_future_is_judged_by_the_clock_of_the_runner(house: ScaledHouse, workshop: Workshop) -> None:
    """Clocks of workers may be wrong; records that the runner would count must count."""
    parcel = put(house, 1, rows(3))
    wanted = replace(errand(workshop, house, parcel), now=round(house.clock.now * 1e6) - 300 * 10**6)
    teach(workshop, wanted)
    answer = workshop.carry_out(wanted)
    assert isinstance(answer, Done)
    assert answer.share.made[0].rejects == {"future": 2}
    assert answer.share.made[0].records == 1


def test_keys_are_forgotten_an_hour_after_their_last_use(house: ScaledHouse) -> None:
    """A key that the runner deletes must not live on in the memory of its workers."""
    rings = Rings(house.clock)
    place = ("m", 0)
    rings.learn(Lesson("ring", {place: KEY}))
    for _ in range(3):
        house.clock.now += 3000
        assert rings.get("ring", place) == KEY
    assert rings.get("another", place) is None
    house.clock.now += 3600
    assert rings.get("ring", place) is None
    rings.learn(Lesson("ring", {("m", 1): KEY}))
    assert list(rings._keys) == [("ring", ("m", 1))]
