"""Silence is measured by a clock that does not jump: what time alone has closed stays closed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doubles import FakeClock
from pegel.pipeline.steady import TOLERATED, SteadyTime
from pipeline.objects import ObjectHouse, records
from simulation.world import SimClock
from sources.fake_bucket import NOON

HOUR = 3600.0


def us(seconds: float) -> int:
    return round(seconds * 1e6)


def test_it_is_the_wall_clock_while_that_goes_its_way() -> None:
    clock = SimClock()
    steady = SteadyTime(clock)
    for seconds in (0.0, 0.5, 86_400.0):
        clock.advance(seconds)
        assert steady.now() == us(clock.wall())


def test_a_clock_that_is_wrong_for_a_minute_is_not_believed() -> None:
    clock = SimClock()
    steady = SteadyTime(clock)
    right = clock.wall()
    clock.step(30 * HOUR)
    assert steady.now() == us(right)
    clock.advance(60.0)
    assert steady.now() == us(right + 60.0)
    clock.step(-30 * HOUR)
    assert steady.now() == us(right + 60.0) == us(clock.wall())


def test_records_say_that_the_time_is_right() -> None:
    """As after a machine was suspended: its timers stood still."""
    clock = SimClock()
    steady = SteadyTime(clock)
    clock.step(5 * HOUR)
    assert steady.now() < us(clock.wall())
    steady.confirm(us(clock.wall() - 2.0))
    assert steady.now() == us(clock.wall() - 2.0)
    clock.advance(10.0)
    assert steady.now() == us(clock.wall() - 2.0)


def test_a_small_correction_is_believed_at_once() -> None:
    clock = SimClock()
    steady = SteadyTime(clock)
    clock.step(TOLERATED / 1e6)
    assert steady.now() == us(clock.wall())
    clock.step(-2.0)
    assert steady.now() == us(clock.wall())


@given(st.lists(st.tuples(st.sampled_from(["advance", "step", "confirm"]), st.floats(-1e5, 1e5)), max_size=30))
def test_it_is_never_ahead_of_the_wall_clock(story: list[tuple[str, float]]) -> None:
    """What is in the future of the machine closes nothing."""
    clock = SimClock()
    steady = SteadyTime(clock)
    for what, seconds in story:
        if what == "advance":
            clock.advance(abs(seconds))
        elif what == "step":
            clock.step(seconds)
        else:
            steady.confirm(us(clock.wall() + seconds))
        assert steady.now() <= us(clock.wall())


@dataclass
class WrongClock(FakeClock):
    """A clock that is set wrong by some seconds; its timer goes on."""

    wrong: float = 0.0

    def wall(self) -> float:
        return self.now + self.wrong


@pytest.mark.parametrize("wrong", [HOUR, 30 * HOUR, 365 * 24 * HOUR, -HOUR, -30 * HOUR])
def test_records_count_after_a_clock_was_wrong_for_a_minute(tmp_path: Path, wrong: float) -> None:
    clock = WrongClock()
    house = ObjectHouse(tmp_path, clock=clock)
    runner = house.runner()
    for minute in (0, 1, 2, 8, 9, 10):
        clock.now = max(clock.now, NOON + minute * 60 + 30)
        house.put(minute, records((minute * 60 + 5, "k", 1, "u")), after=minute * 60 + 20)
        house.work(runner, 20.0)
        if minute == 2:
            clock.wrong = wrong
            house.work(runner, 60.0)
            clock.wrong = 0.0
    house.work(runner, 900.0)
    counted = {point.start_us: point.values["n"] for point in house.sink.received}
    assert sum(value for value in counted.values() if isinstance(value, int)) == 6
    runner.close()
