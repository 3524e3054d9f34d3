"""Counters at a sink of samples: between any two ends of windows they grow by what was counted in between.

Each rule of docs/decisions.md ("Samples for Prometheus") in a world where only one thing happens, and then all of them
at random. The same stories are told to a real Prometheus in tests/engines/test_remote_write.py.
"""

from __future__ import annotations

import itertools
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doubles import FakeClock
from pegel.metrics.definition import Metric, Value
from pegel.plan import SinkPlan
from pegel.units import Duration
from pipeline.metered import MINUTE, Metered, counted, unexplained
from pipeline.tsdb import Meter, Tsdb

TWO_HOURS = 7200.0


class World:
    """A runner, a road and a receiver.

    Attributes:
        fate: What becomes of requests, where `fates` is empty.
        fates: What becomes of the next ones.
    """

    def __init__(self, directory: Path, window: float = TWO_HOURS, metric: Metric | None = None) -> None:
        self.tsdb = Tsdb(window)
        self.fate = "stored"
        self.fates: list[str] = []
        self.clock = FakeClock()
        self.shards = 1
        self.runner = Metered(directory, [metric or counted()], clock=self.clock, meter=self.meter)

    def meter(self) -> Meter:
        return Meter(tsdb=self.tsdb, wall=self.clock.wall, fate=self._fate, shards=self.shards)

    def _fate(self) -> str:
        return self.fates.pop(0) if self.fates else self.fate

    def finish(self) -> None:
        """Let all windows close that have something in them, and everything arrive."""
        self.fate, self.fates = "stored", []
        self.runner.minutes(3)

    def wrong(self, *keys: str) -> list[str]:
        """Everything that is not as it must be at the end."""
        self.finish()
        events = self.runner.events
        found = [(key, one) for key in keys or events for one in unexplained(self.tsdb.of(key), events[key])]
        return [*self.tsdb.broken, *(f"{key}: {one}" for key, one in found)]

    def values(self, key: str) -> list[float]:
        return [value for _, value in self.tsdb.of(key)]

    def counter(self, name: str) -> int:
        counters = self.runner.runner().state.counters()
        return sum(value for (one, _), value in counters.items() if one == name)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.runner.stop()


# -- while all is well ------------------------------------------------------------------------------------


def test_a_counter_begins_with_nothing_one_window_earlier(world: World) -> None:
    """`increase()` sees no first step where there is one sample."""
    world.runner.minute(a=3)
    assert world.wrong() == []
    assert world.values("a")[:2] == [0, 3]


def test_a_series_has_a_sample_with_every_window_while_it_lives(world: World) -> None:
    """Of counters that grow now and then, samples of changed windows alone lose four steps of five."""
    world.runner.minute(a=1, b=1)
    world.runner.minutes(9, b=1)
    world.runner.minute(a=2, b=1)
    assert world.wrong() == []
    times = [time for time, _ in world.tsdb.of("a")]
    assert times == [times[0] + MINUTE * number for number in range(len(times))]


def test_a_series_that_rests_is_ended_and_goes_on_from_its_total(world: World) -> None:
    world.runner.minute(a=4, b=1)
    world.runner.minutes(18, b=1)
    assert world.tsdb.now("a", world.clock.now) is None
    assert world.tsdb.now("b", world.clock.now) is not None
    world.runner.minute(a=1, b=1)
    assert world.wrong() == []
    assert world.values("a")[-4:] == [4, 4, 5, 5]


@pytest.mark.parametrize("rest", range(14, 19))
def test_it_may_go_on_at_any_moment_after_its_end(rest: int, world: World) -> None:
    """The sample before its next step must not have the time of its end, nor be older."""
    world.runner.minute(a=4, b=1)
    world.runner.minutes(rest, b=1)
    world.runner.minute(a=1, b=1)
    assert world.wrong() == []


def test_everything_rests_and_goes_on(world: World) -> None:
    """Windows close by the clock alone."""
    world.runner.minutes(2, a=1)
    world.runner.minutes(40)
    assert world.tsdb.now("a", world.clock.now) is None
    world.runner.minute(a=7)
    assert world.wrong() == []


def test_windows_that_close_in_one_turn_have_each_its_own_total(world: World) -> None:
    """Totals "as of the commit" would make `increase()` 60, 0, 0 for 10, 20, 30."""
    world.runner.minute(a=1)
    world.runner.stop()
    for number in (10, 20, 30):
        world.runner.write(a=number)
        world.clock.now += MINUTE
    assert world.wrong() == []


def test_a_runner_that_starts_twice_in_a_minute_says_how_it_is_once(world: World) -> None:
    """Two samples of one time are refused, and what is refused keeps objects of a bucket from being released."""
    world.runner.wanted = ("*", "pegel_*")
    world.runner.minutes(2, a=1)
    for _ in range(3):
        world.runner.stop()
        world.runner.write(a=1)
        world.runner.work()
        world.clock.now += 5
    assert world.wrong() == []
    assert world.runner.runner().state.letters.count("meter") == 0
    (minutes,) = [
        set(held)
        for (metric, *_, name), held in world.tsdb.series.items()
        if (metric, name) == ("pegel_runner", "commits")
    ]
    assert len(minutes) >= 4, "a sample with every minute"


@pytest.mark.parametrize("restarted", [False, True])
def test_what_is_late_is_in_the_next_of_many_windows_that_close_together(restarted: bool, world: World) -> None:
    """Not only in the next one in which its series has something."""
    world.runner.minute(a=4, b=1)
    world.runner.minutes(3, b=1)
    if restarted:
        world.runner.stop()
    known = len(world.values("a"))
    world.runner.write(late=200, a=2)
    for number in range(6):
        world.runner.write(a=number // 3 % 2, b=1)
        world.clock.now += MINUTE
    assert world.wrong("b") == []
    assert world.values("a")[known:] == [6, 6, 6, 6, 7, 8, 9, 9]


def test_open_windows_are_in_no_total(world: World) -> None:
    world.runner.minute(a=1)
    world.runner.write(a=5)
    world.clock.now += 10
    world.runner.work()
    assert world.values("a")[-1:] in ([], [1])
    assert world.wrong() == []


def test_a_window_of_a_stopped_runner_is_counted_when_it_is_back(world: World) -> None:
    world.runner.minutes(2, a=1)
    world.runner.away(25, a=2)
    world.runner.minutes(2, a=1)
    assert world.wrong() == []


def test_a_series_that_rested_while_the_runner_was_away_is_ended_too(world: World) -> None:
    world.runner.minute(a=3)
    world.runner.away(40, b=1)
    world.runner.minute(a=1, b=1)
    assert world.wrong() == []


def test_a_restart_every_minute_changes_nothing(world: World) -> None:
    """Runs from cron live for a second."""
    for number in range(12):
        world.runner.minute(a=number % 3, b=1)
        world.runner.stop()
    assert world.wrong() == []


# -- late records -----------------------------------------------------------------------------------------


def test_a_late_record_is_in_the_next_total(world: World) -> None:
    world.runner.minutes(4, a=1)
    world.runner.minute(a=2, late=150)
    world.finish()
    values = world.values("a")
    assert (values[-1], world.tsdb.broken) == (6, [])
    assert values == sorted(values)


@pytest.mark.parametrize("restarted", [False, True])
def test_a_late_record_of_a_series_that_rests_is_in_the_next_window(world: World, restarted: bool) -> None:
    """Nothing but the state knows after a restart that something is owed."""
    world.runner.minutes(3, a=1, b=1)
    world.runner.minutes(4, b=1)
    world.runner.write(a=5, late=200)
    world.clock.now += 10
    world.runner.work()
    if restarted:
        world.runner.stop()
    world.runner.minutes(2, b=1)
    world.finish()
    values = world.values("a")
    assert (values[-1], world.tsdb.broken) == (8, [])
    assert values == sorted(values)


def test_a_late_record_of_a_series_that_was_ended_begins_it_again(world: World) -> None:
    world.runner.minute(a=1, b=1)
    world.runner.minutes(30, b=1)
    world.runner.write(a=2, late=1500)
    world.runner.minutes(2, b=1)
    world.finish()
    assert (world.values("a")[-1], world.tsdb.broken) == (3, [])
    assert 1 in world.values("a")[-5:], "the step from 1 to 3 is seen"


# -- the road ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fate", ["down", "lost", "reply lost"])
def test_an_hour_of_outage_loses_nothing_inside_the_receivers_window(fate: str, world: World) -> None:
    world.runner.minutes(5, a=1, b=2)
    world.fate = fate
    world.runner.minutes(60, a=1)
    world.fate = "stored"
    world.runner.minutes(5, a=1, b=1)
    assert world.wrong() == []


def test_lost_replies_count_nothing_twice(world: World) -> None:
    for number in range(20):
        world.fates = ["reply lost"] * (number % 3)
        world.runner.minute(a=number % 4, b=1)
    assert world.wrong() == []


@pytest.mark.parametrize("window", [0.0, TWO_HOURS])
def test_an_outage_beyond_the_receivers_window_is_one_step_at_its_begin(window: float, tmp_path: Path) -> None:
    """Every hour that is looked at adds up to what was counted; the newest have their own numbers."""
    world = World(tmp_path, window)
    world.runner.minutes(5, a=1, b=1)
    world.fate = "down"
    hours = 2 + round(window / 3600)
    world.runner.minutes(60 * hours, a=1)
    back = world.clock.now
    world.fate = "stored"
    world.runner.minutes(5, a=1)
    world.finish()
    samples = world.tsdb.of("a")
    grown = [(end, after - before) for (_, before), (end, after) in itertools.pairwise(samples)]
    world.runner.stop()
    assert world.tsdb.broken == []
    assert sum(step for _, step in grown) == 60 * hours + 10
    (jump,) = [(end, step) for end, step in grown if step > 1]
    assert back - max(3600, window) < jump[0] < back - max(3600, window) + 480
    assert dict(samples)[jump[0]] - dict(samples)[jump[0] - MINUTE] == jump[1], "two samples next to each other"
    assert all(step == 1 for end, step in grown if jump[0] < end < back)


def test_what_was_under_way_when_the_road_broke_is_in_that_step(tmp_path: Path) -> None:
    """The receiver never had it: the former total goes back to before it."""
    world = World(tmp_path, 0.0)
    world.runner.minutes(5, a=10)
    world.fate = "down"
    world.runner.minutes(100, a=1)
    last = world.values("a")[-1]
    world.finish()
    world.runner.stop()
    assert world.tsdb.broken == []
    values = world.values("a")
    assert values[-1] == 150
    assert values.count(last) >= 2, "the last total that the receiver had is said again"


def test_what_may_have_arrived_is_never_taken_back(tmp_path: Path) -> None:
    """A total below one that was stored would be a reset, and count everything twice."""
    world = World(tmp_path, 0.0)
    world.runner.minutes(5, a=10)
    world.fate = "reply lost"
    world.runner.minutes(3, a=10)
    world.fate = "down"
    world.runner.minutes(100, a=1)
    world.finish()
    world.runner.stop()
    values = world.values("a")
    assert (values[-1], world.tsdb.broken) == (180, [])
    assert values == sorted(values)


def test_a_runner_that_was_away_for_too_long_makes_one_step(tmp_path: Path) -> None:
    """Its log is there from the beginning; samples of yesterday are refused."""
    world = World(tmp_path)
    world.runner.minutes(3, a=1)
    world.runner.away(300, a=1)
    world.runner.minutes(3, a=1)
    world.finish()
    world.runner.stop()
    values = world.values("a")
    assert (values[-1], world.tsdb.broken) == (306, [])
    assert values == sorted(values)


def test_a_first_start_on_an_old_log_begins_with_nothing(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.runner.away(300, a=1)
    world.runner.minutes(3, a=1)
    world.finish()
    world.runner.stop()
    assert (world.values("a")[0], world.values("a")[-1], world.tsdb.broken) == (0, 303, [])


def test_a_backlog_is_no_bigger_than_what_can_be_sent(tmp_path: Path) -> None:
    world = World(tmp_path, 0.0)
    world.runner.minutes(2, a=1)
    world.fate = "down"
    world.runner.minutes(90, a=1)
    backlog = world.runner.runner().state.outbox.backlog("meter")
    world.runner.stop()
    assert backlog.points < 60


# -- shards -----------------------------------------------------------------------------------------------

KEYS = dict.fromkeys("abcdefgh", 1)


def test_series_have_their_places_in_shards(world: World) -> None:
    """One that waits for its receiver holds up no series of another."""
    world.shards = 3
    world.runner.minutes(3, **KEYS)
    world.fates = ["down", "stored", "reply lost"] * 4
    world.runner.minutes(4, **KEYS)
    assert world.wrong() == []
    (first, second, third) = world.runner.runner().deliveries
    assert (first.name, second.name, third.name) == ("meter", "meter/1", "meter/2")
    assert all(one.sent_points > 0 for one in (first, second, third))


def test_another_number_of_shards_is_taken_when_nothing_waits(world: World) -> None:
    """A series that changes its place while something of it is under way would be sent out of order."""
    world.shards = 3
    world.runner.minutes(3, **KEYS)
    world.fate = "down"
    world.runner.minutes(3, **KEYS)
    world.shards = 2
    world.runner.stop()
    world.runner.minute(**KEYS)
    assert len(world.runner.runner().deliveries) == 3
    world.finish()
    world.runner.stop()
    world.runner.minute(**KEYS)
    assert len(world.runner.runner().deliveries) == 2
    assert world.wrong() == []


# -- the life of a series, a metric, a sink ---------------------------------------------------------------


def test_a_series_that_lost_its_place_goes_on_from_its_total(tmp_path: Path) -> None:
    """A 0 would count the total twice."""
    world = World(tmp_path, metric=replace(counted(), series_ttl=Duration(1800.0)))
    world.runner.minute(a=5, b=1)
    world.runner.minutes(50, b=1)
    world.runner.minute(a=2, b=1)
    wrong = world.wrong()
    world.runner.stop()
    assert wrong == []


def test_a_sink_that_is_added_later_gets_what_comes_from_then_on(world: World) -> None:
    """The totals of a year are no step of its first minute."""
    world.runner.minutes(5, a=3)
    world.runner.stop()
    second = Tsdb(TWO_HOURS)
    world.runner.more = [SinkPlan(name="second", type="meter", sink=Meter(tsdb=second, wall=world.clock.wall))]
    began = world.clock.now
    world.runner.minutes(5, a=1)
    assert world.wrong() == []
    samples = second.of("a")
    assert samples[0][1] > 0
    grown = Counter({end: number for end, number in world.runner.events["a"].items() if end > samples[0][0]})
    assert unexplained(samples, grown) == []
    assert samples[0][0] >= began - 2 * MINUTE


def test_another_expression_begins_anew_and_is_no_jump(world: World) -> None:
    world.runner.minutes(5, a=3)
    world.runner.stop()
    world.runner.metrics = [replace(counted(), values={"n": Value(value="2 * count(*)", kind="counter")})]
    world.runner.minutes(5, a=2)
    world.finish()
    assert world.tsdb.broken == []
    values = world.values("a")
    grown = sum(b - a if b >= a else b for a, b in itertools.pairwise(values))  # as `increase()` sees it
    assert grown == 15 + 20


def test_a_metric_whose_labels_stay_keeps_its_total_when_it_gets_a_gauge(world: World) -> None:
    world.runner.minutes(5, a=3)
    world.runner.stop()
    world.runner.metrics = [counted(top=Value(value="max(number)"))]
    world.runner.minutes(5, a=2)
    world.finish()
    assert world.tsdb.broken == []


# -- gauges and histograms --------------------------------------------------------------------------------


def test_a_gauge_has_one_sample_and_a_correction_is_counted(tmp_path: Path) -> None:
    world = World(tmp_path, metric=counted(top=Value(value="max(number)")))
    world.runner.minutes(3, a=1)
    world.runner.minute(a=1, late=100)
    world.finish()
    times = [time for time, _ in world.tsdb.of("a", "top")]
    missed = world.counter("missed_total")
    world.runner.stop()
    assert len(times) == len(set(times)) == 3
    assert (missed, world.tsdb.broken) == (1, [])


def test_gauges_that_are_too_old_are_counted_and_not_sent(tmp_path: Path) -> None:
    world = World(tmp_path, 0.0, metric=counted(top=Value(value="max(number)")))
    world.fate = "down"
    world.runner.minutes(100, a=1)
    world.finish()
    sent, missed = len(world.tsdb.of("a", "top")), world.counter("missed_total")
    world.runner.stop()
    assert world.tsdb.broken == []
    assert 50 < sent < 60
    assert sent + missed == 100


def test_a_histogram_is_a_total_and_is_ended_like_one(tmp_path: Path) -> None:
    world = World(tmp_path, metric=counted(h=Value(value="histogram(number, [1, 5])", kind="histogram")))
    world.runner.minutes(3, a=2)
    world.finish()
    values = world.values("a")
    assert [value for _, value in world.tsdb.of("a", "h_count")] == values
    world.runner.minutes(30)
    assert world.tsdb.now("a", world.clock.now, "h_count") is None
    world.runner.minute(a=1)
    world.finish()
    world.runner.stop()
    assert (world.tsdb.of("a", "h_count")[-1][1], world.tsdb.broken) == (7, [])


# -- everything at once -----------------------------------------------------------------------------------

count = st.integers(0, 3)
action = st.one_of(
    st.tuples(st.just("minute"), count, count),
    st.tuples(st.just("minute"), count, count),
    st.tuples(st.just("rest"), st.integers(1, 18)),
    st.tuples(st.just("away"), st.integers(1, 6), count),
    st.tuples(st.just("fates"), st.lists(st.sampled_from(["down", "lost", "reply lost"]), max_size=5)),
    st.tuples(st.just("restart")),
    st.tuples(st.just("die"), st.integers(1, 60)),
)


@settings(max_examples=10)
@given(st.lists(action, max_size=12))
def test_whatever_happens_the_counters_grow_by_what_was_counted(actions: list[tuple[str, ...]]) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as directory:
        world = World(Path(directory), window=8 * 3600.0)
        for what, *how in actions:
            ACTIONS[what](world, *how)
        world.runner.points.arm(0)
        wrong = world.wrong()
        world.runner.stop()
    assert wrong == []


ACTIONS: Mapping[str, Callable[..., object]] = {
    "minute": lambda world, a, b: world.runner.minute(a=a, b=b),
    "rest": lambda world, minutes: world.runner.minutes(minutes),
    "away": lambda world, minutes, a: world.runner.away(minutes, a=a),
    "fates": lambda world, fates: world.fates.extend(fates),
    "restart": lambda world: world.runner.stop(),
    "die": lambda world, after: world.runner.points.arm(after),
}


NAMED_POINTS = (
    "before commit",
    "after commit",
    "in commit after meta",
    "in commit after metrics",
    "in commit after panes_1",
    "in commit after outbox",
    "in commit after requests",
    "in commit after claimed",
    "in commit after sampled",
    "before send",
    "stored but not acknowledged",
)


def story(world: World) -> None:
    """A little of everything, over a road that loses replies."""
    for number in range(4):
        world.fates = ["reply lost"] if number == 2 else []
        world.runner.minute(a=number % 3, b=1)
    world.runner.stop()
    world.runner.minute(a=2, c=1)


@pytest.fixture(scope="module")
def passed(tmp_path_factory: pytest.TempPathFactory) -> Counter[str]:
    """How often the story passes each point."""
    world = World(tmp_path_factory.mktemp("story"))
    story(world)
    world.finish()
    world.runner.stop()
    return world.runner.points.passed


@pytest.mark.parametrize("name", NAMED_POINTS)
def test_a_death_at_a_named_point_changes_no_number(name: str, passed: Counter[str], world: World) -> None:
    """At the first one, and somewhere in the middle."""
    for after in (1, max(1, passed[name] // 3)):
        world.runner.points.arm(after, name)
        story(world)
    assert world.wrong() == []
    assert world.runner.deaths == 2
