"""Dimension rows: said when something is first seen, when it changes and once a day, whatever happens in between."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from doubles import House, Keeping, metric, settle
from pegel.metrics.definition import Metric, Value
from pegel.pipeline import Runner
from pegel.plan import Plan
from pegel.units import Duration
from simulation.crashes import CrashPoints, Database, SimulatedCrash
from simulation.simulation import close_descriptors_into

NOON = 1_772_539_200
HOUR, DAY = 3600, 86_400


def names(**changes: Any) -> Metric:
    """The name (the user's column) of each key."""
    return replace(metric(), values={"name": Value(value="last(user)", kind="info")}, **changes)


def house_of(directory: Path, *metrics: Metric) -> House:
    return House(directory, metrics=metrics or [names()], change=lambda plan: replace(plan, private=frozenset()))


def see(house: House, time: float, name: str, key: str = "a", *, life: bool = True) -> None:
    """A record, and one a good minute later that closes its window."""
    house.source.write((time, key, 1, name), (time + 66, "tick", 1, "tick"))
    house.clock.now = max(house.clock.now, time + 90)
    if life:
        house.run()


def said(house: House, key: str = "a") -> list[tuple[int, str]]:
    """Every point of a key as it was sent: seconds after noon, name."""
    return [
        (point.start_us // 10**6 - NOON, str(point.values["name"]))
        for point in house.sink.received
        if ("key", key) in point.labels
    ]


def test_it_is_said_at_first_sight_at_a_change_and_after_a_day(tmp_path: Path) -> None:
    house = house_of(tmp_path)
    for time, name in ((0, "x"), (HOUR, "x"), (2 * HOUR, "y"), (3 * HOUR, "y"), (DAY, "y"), (DAY + 2 * HOUR, "y")):
        see(house, NOON + time, name)
    assert said(house) == [(0, "x"), (2 * HOUR, "y"), (DAY + 2 * HOUR, "y")]


def test_nothing_is_said_of_a_window_that_is_still_open(tmp_path: Path) -> None:
    """A sink of early values would get a name that another one replaces within the minute."""
    house = house_of(tmp_path)
    house.sink.early = True
    house.source.write((NOON, "a", 1, "x"))
    house.run()
    assert said(house) == []


def test_of_two_names_in_a_window_the_last_one_counts(tmp_path: Path) -> None:
    """A database is replaced in the middle of a minute."""
    house = house_of(tmp_path)
    house.source.write((NOON + 1, "a", 1, "old"), (NOON + 30, "a", 1, "new"), (NOON + 20, "a", 1, "old"))
    see(house, NOON + 31, "new")
    assert said(house) == [(0, "new")]


def test_a_late_record_of_an_earlier_window_is_no_news(tmp_path: Path) -> None:
    """The old name of yesterday's window must not stand after the new one, nor be followed by it again."""
    house = house_of(tmp_path)
    see(house, NOON, "old")
    see(house, NOON + 600, "new")
    house.source.write((NOON + 301, "a", 1, "old"))
    see(house, NOON + 900, "new")
    assert said(house) == [(0, "old"), (600, "new")]


def test_a_late_record_of_the_window_that_spoke_corrects_it(tmp_path: Path) -> None:
    house = house_of(tmp_path)
    see(house, NOON, "x")
    house.source.write((NOON + 40, "a", 1, "y"))
    house.run()
    assert said(house) == [(0, "x"), (0, "y")]
    assert [point.revision for point in house.sink.received if ("key", "a") in point.labels] == [1, 2]


def test_what_is_first_seen_late_is_said_at_once(tmp_path: Path) -> None:
    house = house_of(tmp_path)
    see(house, NOON, "x", key="b")
    house.source.write((NOON + 40, "a", 1, "y"))
    house.run()
    see(house, NOON + 120, "y")
    assert said(house) == [(40 // 60 * 60, "y")]


def test_series_that_share_a_place_say_nothing(tmp_path: Path) -> None:
    """One provider's name would stand for all that did not fit, another one each minute."""
    house = house_of(tmp_path, names(max_values={"key": 2}))
    for minute, key in enumerate("abcd"):
        see(house, NOON + 120 * minute, key, key=key)
    assert {point.labels[0][1] for point in house.sink.received} == {"a", "tick"}


def test_numbers_beside_a_name_come_with_every_window(tmp_path: Path) -> None:
    values = {"n": Value(value="count(*)"), "name": Value(value="last(user)", kind="info")}
    house = house_of(tmp_path, replace(metric(), values=values))
    for minute in range(3):
        see(house, NOON + 120 * minute, "x")
    got: list[Mapping[str, object]] = [p.values for p in house.sink.received if ("key", "a") in p.labels]
    assert got == [{"n": 1, "name": "x"}, {"n": 1}, {"n": 1}]


def test_steps_of_a_rolling_window_repeat_nothing(tmp_path: Path) -> None:
    house = house_of(tmp_path, names(over=Duration(300.0)))
    for minute in range(20):
        house.source.write((NOON + 60 * minute, "a", 1, "x"))
        house.clock.now = NOON + 60 * minute + 70
        house.run()
    assert len(said(house)) == 1


def test_a_sink_that_is_new_gets_all_with_the_next_window(tmp_path: Path) -> None:
    """Its dashboard should not wait a day for names."""
    house = house_of(tmp_path)
    see(house, NOON, "x")
    see(house, NOON + 120, "x")
    assert said(house) == [(0, "x")]
    second = Keeping()

    def both(plan: Plan) -> Plan:
        (kept,) = plan.sinks
        return replace(plan, sinks=[kept, replace(kept, name="second", sink=second)])

    for time in (240, 360):
        see(house, NOON + time, "x", life=False)
        runner = Runner(both(house.plan()), clock=house.clock)
        runner.open()
        settle(runner)
        runner.close()
    assert [p.start_us // 10**6 - NOON for p in second.received if ("key", "a") in p.labels] == [240]


@pytest.mark.parametrize("name", ["before commit", "after commit"])
def test_a_crash_repeats_and_loses_nothing(tmp_path: Path, name: str) -> None:
    """What was said moves with the commit: killed before it the window speaks again, after it never."""
    points = CrashPoints()
    database = Database(points)
    house = house_of(tmp_path / "house")
    wanted = house_of(tmp_path / "wanted")
    deaths = 0
    for minute, user in enumerate("xxyyx"):
        see(wanted, NOON + 120 * minute, user)
        see(house, NOON + 120 * minute, user, life=False)
        points.arm(3 + minute % 3, name)
        for _ in range(2):  # the life that ends, and the one after it
            runner = Runner(house.plan(), clock=house.clock, connect=database.connect)
            try:
                runner.open()
                settle(runner)
                runner.close()
            except SimulatedCrash:
                deaths += 1
                points.dead = False
                database.kill()
                close_descriptors_into(tmp_path / "house")
    house.run()
    assert deaths > 3
    assert said(house) == said(wanted)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_division_into_lives_says_the_same(tmp_path: Path, data: st.DataObject) -> None:
    """Cron once a minute, the service, a crash after every commit: the same rows, none twice."""
    minutes = data.draw(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xy")), min_size=1, max_size=12))
    stops = data.draw(st.lists(st.booleans(), min_size=len(minutes), max_size=len(minutes)))
    number = len(list(tmp_path.iterdir()))
    whole, parts = (house_of(tmp_path / f"{number}-{kind}") for kind in ("whole", "parts"))
    for minute, ((key, name), stop) in enumerate(zip(minutes, stops, strict=True)):
        see(whole, NOON + 9 * HOUR * minute, name, key, life=False)
        see(parts, NOON + 9 * HOUR * minute, name, key, life=stop)
    whole.run()
    parts.run()
    assert [(p.labels, p.start_us, p.values) for p in parts.sink.received] == [
        (p.labels, p.start_us, p.values) for p in whole.sink.received
    ]
