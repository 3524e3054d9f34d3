"""One window at a time: what a series was sent before decides what it is sent now."""

from __future__ import annotations

from pegel.pipeline.ticks import Tick
from pegel.sinks import Point
from pegel.state.sampled import Course, Labels

MINUTE = 60 * 10**6
IDLE = 15 * MINUTE


def total(number: int, value: float, labels: Labels = ()) -> Point:
    """The total of a counter at the end of a window."""
    return Point("m", labels, number * MINUTE, (number + 1) * MINUTE, {"n": value}, {"n": "counter"}, 7, "")


def tick(courses: dict[Labels, Course], point: Point, *, missed: bool = False) -> list[tuple[int, object]]:
    """The samples of one window: end in minutes, and total."""
    found = Tick([point], courses, IDLE, missed).samples()
    return [(one.end_us // MINUTE, one.values["n"]) for one in found]


def test_the_noise_of_adding_fractions_is_no_fall() -> None:
    """A total that is less by the last bit would be a reset, and `increase()` would count all of it again."""
    courses: dict[Labels, Course] = {}
    value = 1e6 + 0.1
    assert tick(courses, total(1, value)) == [(1, 0.0), (2, value)]
    assert tick(courses, total(2, value - 1e-10)) == [(3, value)]


def test_a_total_that_really_fell_is_a_reset() -> None:
    courses: dict[Labels, Course] = {}
    tick(courses, total(1, 10.0))
    assert tick(courses, total(2, 4.0)) == [(3, 4.0)]


def test_a_window_that_the_receiver_takes_no_more_is_in_the_next_that_it_takes() -> None:
    """Sent all the same it would be refused, a request for each window of an outage."""
    courses: dict[Labels, Course] = {}
    tick(courses, total(1, 10.0))
    assert tick(courses, total(2, 15.0), missed=True) == []
    assert tick(courses, total(9, 16.0)) == [(9, 10.0), (10, 16.0)]
