"""After a restore no counter falls, unless to 0: not at a sink of samples, not on a page.

The same story is told to a real Prometheus in tests/engines/test_restored.py.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from doubles import Given, House, settle
from pegel.listening import Asked
from pegel.metrics.definition import Metric, Value
from pegel.pipeline import Runner
from pegel.plan import SinkPlan
from pegel.sinks.prometheus import Prometheus
from pegel.sources import Piece, SourceStatus
from pegel.state import snapshots
from pegel.units import Duration
from pipeline.metered import MINUTE, Metered, counted
from pipeline.test_sampling import TWO_HOURS, World


class Forgetful(Given):
    """A source that says what it noticed, and may offer a few lines at a time."""

    losses = frozenset({"lost_streams"})
    lost = 0
    most = 10_000

    def poll(self) -> Piece | None:
        piece = super().poll()
        return piece and replace(piece, data=b"".join(piece.data.splitlines(keepends=True)[: self.most]))

    def status(self) -> SourceStatus:
        return replace(super().status(), counts={"lost_streams": self.lost, "rotations": 5})


class Stream(Forgetful):
    """What was read of it is gone."""

    guarantee = "lossy"


class Deleting(Forgetful):
    """Lets go of what is in a snapshot."""

    @property
    def releases(self) -> bool:
        return True


@pytest.fixture(params=[TWO_HOURS, 0.0], ids=["window", "no window"])
def world(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[World]:
    world = a_world(tmp_path, request.param)
    yield world
    world.runner.stop()


def a_world(
    directory: Path, window: float = TWO_HOURS, source: Given | None = None, metric: Metric | None = None
) -> World:
    world = World(directory, window, metric)
    world.runner.source = source or Forgetful()
    return world


def snapshot(runner: Metered) -> None:
    snapshots.take(runner.directory / "state" / "state.db")


def lose(runner: Metered) -> None:
    """The disk spoils the state; the next life finds the snapshot."""
    runner.stop()
    path = runner.directory / "state" / "state.db"
    path.write_bytes(b"nothing of value" * 1000)


def increase(samples: Sequence[tuple[float, float]]) -> float:
    """What Prometheus sees: a fall is a counter that began with 0."""
    return sum(b - a if b >= a else b for (_, a), (_, b) in itertools.pairwise(samples))


def falls(samples: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    return [(a, b) for (_, a), (_, b) in itertools.pairwise(samples) if b < a]


# -- samples ----------------------------------------------------------------------------------------------


def test_counters_wait_for_what_is_read_again_and_go_on(world: World) -> None:
    """Samples of the snapshot's time are lower than those that were sent since; b rests while all is read again."""
    world.runner.minutes(5, a=3, b=1)
    snapshot(world.runner)
    world.runner.minutes(4, a=5)
    world.runner.minute(a=1, b=2)
    before = {key: world.tsdb.of(key) for key in "ab"}
    lose(world.runner)
    world.runner.minutes(4, a=2)
    world.runner.minute(a=2, b=4)
    world.finish()
    assert world.tsdb.broken == []
    for key in "ab":
        assert falls(world.tsdb.of(key)) == []
        assert world.tsdb.of(key)[: len(before[key])] == before[key]
        assert increase(world.tsdb.of(key)) == sum(world.runner.events[key].values())


def test_what_was_counted_while_nobody_ran_is_one_step(world: World) -> None:
    world.runner.minutes(5, a=3)
    snapshot(world.runner)
    world.runner.minutes(3, a=3)
    lose(world.runner)
    world.runner.away(20, a=10)
    world.runner.minutes(3, a=1)
    world.finish()
    assert world.tsdb.broken == []
    assert falls(world.tsdb.of("a")) == []
    assert increase(world.tsdb.of("a")) == 24 + 200 + 3


def test_a_restore_from_long_ago_counts_nothing_twice(world: World) -> None:
    """All that was sent since is older than what a receiver takes."""
    world.runner.minutes(2, a=3)
    snapshot(world.runner)
    world.runner.minutes(200, a=1)
    lose(world.runner)
    world.runner.minutes(3, a=1)
    world.finish()
    assert world.tsdb.broken == []
    assert falls(world.tsdb.of("a")) == []
    assert increase(world.tsdb.of("a")) == 209


@pytest.mark.parametrize("kind", [Forgetful, Stream])
def test_counters_begin_with_nothing_where_something_cannot_be_read_again(
    kind: type[Forgetful], tmp_path: Path
) -> None:
    """The receiver has 15 + 20; with 15 + 8 everything would count twice, and series that rest stand at 5."""
    world = a_world(tmp_path, source=kind())
    world.runner.minutes(5, a=3, b=1)
    snapshot(world.runner)
    world.runner.minutes(4, a=5)
    counted_before = increase(world.tsdb.of("a"))
    lose(world.runner)
    cut(world, keep=8)
    since = world.clock.now
    world.runner.minutes(5, a=2)
    world.runner.stop()
    world.runner.minutes(2, a=2, b=7)
    world.finish()
    world.runner.stop()
    assert world.tsdb.broken == []
    assert {low for _, low in falls(world.tsdb.of("a"))} == {0}
    assert increase(world.tsdb.of("a")) == counted_before + 14
    assert increase([one for one in world.tsdb.of("b") if one[0] > since]) == 14
    assert [low for _, low in falls(world.tsdb.of("b"))] == [0]


def cut(world: World, keep: int) -> None:
    """Of what the lost state had read beyond the snapshot only so many records are there, and the source says so."""
    source = world.runner.source
    assert isinstance(source, Forgetful)
    lines = source.logs["log"].splitlines(keepends=True)
    head, rest = lines[:20], lines[20:]
    filler = [b"%d gone 0 u\n" % int(line.split()[0]) for line in rest[keep:]]
    source.logs["log"] = bytearray(b"".join([*head, *rest[:keep], *filler]))
    source.lost = 1


@pytest.mark.parametrize("window", [TWO_HOURS, 0.0])
def test_what_waited_when_counters_began_with_nothing_does_not_count(window: float, tmp_path: Path) -> None:
    """A request was under way when the snapshot was taken, so that all that is read again waits behind it."""
    world = a_world(tmp_path, window, Stream(), counted(top=Value(value="max(number)")))
    world.runner.minutes(4, a=3, b=1)
    world.fate = "down"
    world.runner.minute(a=3, b=1)
    snapshot(world.runner)
    world.fate = "stored"
    world.runner.minutes(4, a=5)
    sent = increase(world.tsdb.of("a"))
    lose(world.runner)
    cut(world, keep=8)
    world.fate = "down"
    world.runner.minutes(5, a=2)
    world.finish()
    letters = world.runner.runner().state.letters.count("meter")
    world.runner.stop()
    assert (world.tsdb.broken, letters) == ([], 0)
    assert {low for _, low in falls(world.tsdb.of("a"))} == {0}
    assert increase(world.tsdb.of("a")) == sent + 10
    assert falls(world.tsdb.of("b")) == []


def test_a_series_of_which_the_snapshot_knows_nothing_has_no_two_samples_of_one_time(world: World) -> None:
    """Its 0 belongs where the receiver has its last total."""
    world.runner.source = Stream()
    world.runner.minutes(5, a=3, b=1)
    snapshot(world.runner)
    world.runner.minutes(3, c=5)
    world.runner.write(c=5)
    world.clock.now += MINUTE / 2
    world.runner.work()
    assert world.tsdb.of("c")[-1][0] == world.clock.now - MINUTE / 2
    lose(world.runner)
    cut(world, keep=0)
    world.runner.work()
    world.runner.write(c=2)
    world.clock.now += MINUTE / 2
    world.runner.work()
    world.finish()
    assert world.tsdb.broken == []
    assert [low for _, low in falls(world.tsdb.of("c"))] == [0]
    assert increase(world.tsdb.of("c")) == 15 + 2


def test_what_was_lost_before_the_restore_has_no_part_in_it(world: World) -> None:
    """Nobody ever had it."""
    source = world.runner.source
    assert isinstance(source, Forgetful)
    source.lost = 1
    world.runner.minutes(3, a=3)
    snapshot(world.runner)
    world.runner.minutes(3, a=3)
    source.lost = 0
    lose(world.runner)
    world.runner.minutes(3, a=1)
    world.finish()
    assert falls(world.tsdb.of("a")) == []
    assert increase(world.tsdb.of("a")) == 21


def test_restarts_while_it_is_read_again_change_nothing(world: World) -> None:
    world.runner.minutes(5, a=3)
    snapshot(world.runner)
    world.runner.minutes(5, a=5)
    lose(world.runner)
    for _ in range(6):
        world.runner.write(a=1)
        world.runner.work()
        world.runner.stop()
        world.clock.now += MINUTE / 2
    world.finish()
    assert (world.tsdb.broken, falls(world.tsdb.of("a"))) == ([], [])
    assert increase(world.tsdb.of("a")) == 46


def test_a_road_that_is_down_meanwhile_changes_nothing(world: World) -> None:
    world.runner.minutes(5, a=3)
    snapshot(world.runner)
    world.runner.minutes(5, a=5)
    lose(world.runner)
    world.fate = "down"
    world.runner.minutes(10, a=1)
    world.finish()
    assert (world.tsdb.broken, falls(world.tsdb.of("a"))) == ([], [])
    assert increase(world.tsdb.of("a")) == 50


def test_gauges_of_windows_that_nobody_sent_arrive(tmp_path: Path) -> None:
    """Those that the receiver has are said again, which changes nothing and is no refusal."""
    world = a_world(tmp_path, 0.0, metric=counted(top=Value(value="max(number)")))
    world.runner.minutes(3, a=1)
    snapshot(world.runner)
    world.runner.minutes(3, a=1)
    lose(world.runner)
    world.runner.away(3, a=1)
    world.runner.minutes(3, a=1)
    world.finish()
    letters = world.runner.runner().state.letters.count("meter")
    world.runner.stop()
    assert len(world.tsdb.of("a", "top")) == 12
    assert (world.tsdb.broken, letters) == ([], 0)


def test_histograms_and_arrivals_begin_with_nothing_too(tmp_path: Path) -> None:
    arrived = {"h": Value(value="histogram(number, [1, 5])", kind="histogram")}
    world = a_world(tmp_path, source=Stream(), metric=counted(**arrived))
    world.runner.minutes(5, a=3)
    snapshot(world.runner)
    world.runner.minutes(5, a=5)
    lose(world.runner)
    world.runner.source.logs["log"] = world.runner.source.logs["log"][: -len("0000000000 a 1 u\n") * 20]
    world.runner.minutes(5, a=2)
    world.finish()
    world.runner.stop()
    for value in ("n", "h_count", "h_sum"):
        samples = world.tsdb.of("a", value)
        assert {low for _, low in falls(samples)} == {0}
        assert increase(samples) == increase(world.tsdb.of("a"))


# -- the page ---------------------------------------------------------------------------------------------


class Page:
    """A runner with a page that is scraped, and counted by what a Prometheus makes of it."""

    def __init__(self, directory: Path, source: Given) -> None:
        self.house = House(directory, metrics=[replace(counted(), allowed_lateness=Duration(600.0))], source=source)
        self.seen: list[tuple[float, float]] = []
        self._open()

    def _open(self) -> None:
        self.sink = Prometheus()
        plan = SinkPlan(name="page", type="prometheus", sink=self.sink, early_interval=Duration(0.0))
        self.runner = Runner(replace(self.house.plan(), sinks=[plan]), clock=self.house.clock)
        self.runner.open()

    def minutes(self, count: int, events: int) -> None:
        for _ in range(count):
            self.house.source.write(*[(self.house.clock.now, "a", 1, "u")] * events)
            self.house.clock.now += MINUTE
            settle(self.runner)
            self.show()

    def show(self) -> None:
        for view in self.runner.views:
            view.show()
        [endpoint] = self.sink.endpoints()
        text = endpoint.answer(Asked(client="10.0.0.1")).body.decode()
        found = [line.split()[-1] for line in text.splitlines() if line.startswith('m_n_total{key="a"}')]
        self.seen += [(self.house.clock.now, float(one)) for one in found]

    def snapshot(self) -> None:
        snapshots.take(self.house.directory / "state" / "state.db")

    def lose(self) -> None:
        self.runner.close()
        (self.house.directory / "state" / "state.db").write_bytes(b"nothing of value" * 1000)
        self._open()


def test_a_page_has_no_totals_until_they_are_what_they_were(tmp_path: Path) -> None:
    page = Page(tmp_path, Forgetful())
    page.minutes(3, 5)
    page.snapshot()
    page.minutes(3, 5)
    shown = len(page.seen)
    page.lose()
    page.minutes(4, 2)
    page.runner.close()
    assert falls(page.seen) == []
    assert page.seen[-1][1] == 38
    assert len(page.seen) > shown


def test_a_page_has_no_totals_of_a_part_of_what_is_read_again(tmp_path: Path) -> None:
    page = Page(tmp_path, source := Forgetful())
    page.minutes(2, 5)
    page.snapshot()
    page.minutes(3, 5)
    page.lose()
    source.most = 2
    for _ in range(20):
        page.runner.step()
        page.show()
    source.most = 100
    page.minutes(3, 1)
    page.runner.close()
    assert falls(page.seen) == []
    assert page.seen[-1][1] == 28


def test_a_page_begins_with_nothing_where_something_is_gone(tmp_path: Path) -> None:
    page = Page(tmp_path, Stream())
    page.minutes(3, 5)
    page.snapshot()
    page.minutes(3, 5)
    page.lose()
    page.minutes(6, 2)
    page.runner.close()
    (fall,) = falls(page.seen)
    assert fall[0] == 30
    assert fall[1] <= 2 * 6


# -- how it begins ----------------------------------------------------------------------------------------


def test_a_snapshot_that_somebody_put_in_place_is_known_as_one(world: World) -> None:
    """On another machine, or by hand: nothing is damaged there."""
    world.runner.minutes(3, a=3)
    snapshot(world.runner)
    world.runner.minutes(3, a=5)
    world.runner.stop()
    path = world.runner.directory / "state" / "state.db"
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    path.write_bytes(snapshots.snapshot_path(path, 0).read_bytes())
    world.runner.minutes(3, a=1)
    world.finish()
    assert (world.tsdb.broken, falls(world.tsdb.of("a"))) == ([], [])
    assert increase(world.tsdb.of("a")) == 27


@pytest.mark.parametrize(("older", "low"), [(False, []), (True, [0])])
def test_what_a_source_deletes_is_in_the_newest_snapshot_and_in_no_older_one(
    older: bool, low: list[int], tmp_path: Path
) -> None:
    """Objects that only the newest one has counted are gone: nothing says so when they are looked for."""
    world = a_world(tmp_path, source=Deleting())
    world.runner.minutes(3, a=3)
    snapshot(world.runner)
    world.runner.minutes(3, a=5)
    snapshot(world.runner)
    lose(world.runner)
    if older:
        snapshots.snapshot_path(tmp_path / "state" / "state.db", 0).write_bytes(b"nothing of value" * 1000)
    world.runner.minutes(5, a=1)
    world.finish()
    world.runner.stop()
    assert [after for _, after in falls(world.tsdb.of("a"))] == low


def test_the_next_start_is_no_restore(world: World) -> None:
    """A snapshot is taken of a state that goes on."""
    world.runner.minutes(3, a=3)
    snapshot(world.runner)
    world.runner.stop()
    world.runner.minutes(3, a=1)
    assert world.wrong() == []


def test_the_start_after_a_restore_is_none(world: World) -> None:
    """Else every start would swallow what was counted since the one before."""
    world.runner.minutes(3, a=3)
    snapshot(world.runner)
    lose(world.runner)
    world.runner.minutes(3, a=1)
    world.finish()
    begin = world.clock.now
    world.runner.away(5, a=2)
    world.finish()
    times = [time for time, _ in world.tsdb.of("a") if time > begin]
    assert times[:5] == [begin + MINUTE * number for number in range(1, 6)]


def test_what_is_told_of_the_runner_itself_begins_with_nothing(world: World) -> None:
    world.runner.minutes(3, a=3)
    snapshot(world.runner)
    lose(world.runner)
    assert world.counter("records_total") == 0


def test_counters_of_the_runner_itself_never_fall_to_what_the_snapshot_has(world: World) -> None:
    world.runner.wanted = ("*", "pegel_*")
    world.runner.minutes(5, a=3)
    snapshot(world.runner)
    world.runner.minutes(4, a=5)
    lose(world.runner)
    world.runner.minutes(3, a=1)
    world.finish()
    (records,) = [held for series, held in world.tsdb.series.items() if series[0] == "pegel_records"]
    samples = sorted(records.items())
    assert world.tsdb.broken == []
    assert {low for _, low in falls(samples)} == {0}
