"""Counters that were written to a real Prometheus: `increase()` over what it holds is what was counted.

Each story of tests/pipeline/test_sampling.py that depends on the receiver, told to a real one; time is simulated.
"""

from __future__ import annotations

import itertools
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from doubles import FakeClock
from engines.conftest import program_or_skip
from engines.prometheus import Prometheus, Series
from engines.proxy import Proxy, lost_reply, passing
from pegel.cli import app
from pegel.metrics.definition import Metric, Value
from pegel.plan import SinkPlan
from pegel.sinks import Sink
from pegel.sinks.remote_write import RemoteWrite
from pegel.units import Duration
from pipeline.metered import MINUTE, Metered, counted, unexplained
from pipeline.test_sampling import NAMED_POINTS, story

WINDOW = 7200
CONFIG = "global: {scrape_interval: 1h}\nstorage: {tsdb: {out_of_order_time_window: 2h}}\n"
HALF_A_DAY = 12 * 3600
_NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """One for all tests, each of which has half a day of its own."""
    running = Prometheus(program_or_skip("prometheus"), tmp_path_factory.mktemp("prometheus"), CONFIG)
    yield running
    running.stop()


class World:
    """A runner whose samples go to a real server, through a proxy.

    Attributes:
        fates: What becomes of the next requests: `reply lost`, or anything else for nothing.
    """

    def __init__(self, server: Prometheus, directory: Path, metric: Metric | None = None, **options: Any) -> None:
        begin = round(time.time()) // HALF_A_DAY * HALF_A_DAY + (next(_NUMBERS) - 60) * HALF_A_DAY
        self.server = server
        self.options = {"out_of_order_window": Duration(WINDOW), **options}
        self.clock = FakeClock(float(begin))
        self.proxy = Proxy(server.place)
        self.runner = Metered(directory, [metric or counted()], clock=self.clock, meter=self.meter)

    def meter(self) -> Sink:
        sink = RemoteWrite(url=f"{self.proxy.url}/api/v1/write", **self.options)
        sink._wall = self.clock.wall
        return sink

    @property
    def fates(self) -> Sequence[str]:
        return ()

    @fates.setter
    def fates(self, fates: Sequence[str]) -> None:
        self.proxy.script(*[lost_reply if fate == "reply lost" else passing for fate in fates])

    def finish(self) -> None:
        self.runner.minutes(3)
        trouble = [one.trouble for one in self.runner.runner().deliveries]
        assert trouble == [""] * len(trouble)

    def query(self, expression: str, back: float = 0.0) -> list[Series]:
        """Ask the server at the end of the newest window; `@` is the selector of this runner."""
        identity = self.runner.runner().state.identity
        at = self.clock.now - self.clock.now % MINUTE - back
        return self.server.query(expression.replace("@", f'runner="{identity}"'), at)

    def samples(self, key: str, name: str = "m_n_total") -> Sequence[tuple[float, float]]:
        found = self.query(f'{name}{{@, key="{key}"}}[11h]')
        return found[0].samples if found else []

    def value(self, expression: str, back: float = 0.0) -> float:
        (series,) = self.query(expression, back)
        return series.value

    def wrong(self, *keys: str) -> list[str]:
        """Everything that is not as it must be at the end."""
        self.finish()
        events = self.runner.events
        return [f"{key}: {one}" for key in keys or events for one in unexplained(self.samples(key), events[key])]


@pytest.fixture
def worlds(server: Prometheus, tmp_path: Path) -> Iterator[Any]:
    """Makes worlds on the common server."""
    with ExitStack() as open_:

        def make(metric: Metric | None = None, *, on: Prometheus | None = None, **options: Any) -> World:
            number = next(_NUMBERS)
            world = World(on or server, tmp_path / f"world-{number}", metric, **options)
            open_.enter_context(world.proxy)
            open_.callback(world.runner.stop)
            return world

        yield make


@pytest.fixture
def world(worlds: Any) -> World:
    made: World = worlds()
    return made


def test_sparse_counters_grow_by_what_was_counted(world: World) -> None:
    """One event in ten minutes; samples of changed windows alone would show one step of five."""
    for number in range(40):
        world.runner.minute(a=1 if number % 10 == 3 else 0, b=2)
    assert world.wrong() == []
    assert world.value('increase(m_n_total{@, key="a"}[30m])', back=300) == pytest.approx(3, rel=0.05)
    assert world.value('increase(m_n_total{@, key="b"}[30m])', back=300) == pytest.approx(60)
    assert world.value('sum(rate(m_n_total{@, key="b"}[5m]))', back=300) == pytest.approx(2 / 60)


def test_windows_that_close_in_one_turn_have_each_its_own_growth(world: World) -> None:
    world.runner.minute(a=1)
    world.runner.stop()
    for number in (10, 20, 30):
        world.runner.write(a=number)
        world.clock.now += MINUTE
    assert world.wrong() == []
    end = max(world.runner.events["a"])
    for back, number in ((0, 30), (60, 20), (120, 10)):
        at = world.clock.now - world.clock.now % MINUTE - end + back
        assert world.value('increase(m_n_total{@, key="a"}[1m])', back=at) == number


def test_a_restart_every_minute_changes_nothing(world: World) -> None:
    for number in range(8):
        world.runner.minute(a=number % 3, b=1)
        world.runner.stop()
    assert world.wrong() == []


@pytest.mark.parametrize("names", [NAMED_POINTS[start::3] for start in range(3)], ids=", ".join)
def test_a_death_at_a_named_point_changes_no_number(names: Sequence[str], worlds: Any) -> None:
    """On a road that loses replies."""
    for name in names:
        world = worlds()
        world.runner.points.arm(2, name)
        story(world)
        world.runner.points.arm(0)
        assert (name, world.wrong()) == (name, [])
        assert world.runner.deaths >= 1


def test_lost_replies_count_nothing_twice(world: World) -> None:
    for number in range(12):
        world.fates = ["reply lost"] * (number % 3)
        world.runner.minute(a=number % 4, b=1)
    assert world.wrong() == []


@pytest.mark.parametrize("window", ["2h", "0s"])
def test_lost_replies_count_nothing_twice_whatever_the_receiver_takes_out_of_order(
    window: str, worlds: Any, tmp_path: Path
) -> None:
    """Without a window the samples of a request whose reply was lost are refused when they come again."""
    config = CONFIG.replace("2h", window)
    (tmp_path / "own").mkdir()
    own = Prometheus(program_or_skip("prometheus"), tmp_path / "own", config)
    try:
        world = worlds(on=own, out_of_order_window=Duration(0.0))
        for number in range(6):
            world.fates = ["reply lost"] * (number % 2)
            world.runner.minute(a=number % 4, b=1)
            if number == 3:
                world.runner.away(5, a=2)
        assert world.wrong() == []
        assert world.runner.runner().state.letters.count("meter") == 0
    finally:
        world.runner.stop()
        own.stop()


def test_an_hour_of_outage_loses_nothing(world: World) -> None:
    world.runner.minutes(3, a=1, b=2)
    world.proxy.down()
    world.runner.minutes(60, a=1)
    world.proxy.up()
    world.runner.minutes(4, a=1, b=1)
    assert world.wrong() == []
    assert world.value('increase(m_n_total{@, key="a"}[1h])', back=240) == pytest.approx(60)


def test_an_outage_beyond_the_receivers_window_keeps_every_sum(worlds: Any) -> None:
    """Six hours of increases add up to what was counted; a jump without its former total would be lost."""
    other = worlds()
    world = worlds()
    world.clock.now = other.clock.now
    world.runner.minutes(5, a=10)
    world.proxy.down()
    for _ in range(17):
        world.runner.minutes(10, a=10)
        other.clock.now = world.clock.now  # the head of the server goes on
        other.runner.minute(c=1)
    world.proxy.up()
    world.runner.minutes(5, a=10)
    world.finish()
    total = sum(world.runner.events["a"].values())
    hours = [world.value('increase(m_n_total{@, key="a"}[1h])', back=3600 * hour) for hour in range(3)]
    assert sum(hours) == pytest.approx(total - 50, rel=0.03)
    assert world.value('increase(m_n_total{@, key="a"}[10h])') == pytest.approx(total, rel=0.03)
    assert world.value('increase(m_n_total{@, key="a"}[1h])') == pytest.approx(550, abs=50), "the newest as they were"
    values = [value for _, value in world.samples("a")]
    assert values == sorted(values)
    assert values[-1] == total


def test_a_restart_of_the_server_loses_nothing(worlds: Any, tmp_path: Path) -> None:
    directory = tmp_path / "own"
    directory.mkdir()
    own = Prometheus(program_or_skip("prometheus"), directory, CONFIG)
    world = worlds(on=own)
    world.runner.minutes(5, a=1)
    own.stop()
    world.runner.minutes(20, a=2)
    own = world.server = Prometheus(program_or_skip("prometheus"), directory, CONFIG)
    try:
        world.proxy.lead_to(own.place)
        world.runner.minutes(3, a=1)
        assert world.wrong() == []
        world.runner.stop()
    finally:
        own.stop()


def test_a_sink_that_is_added_later_begins_without_a_jump(world: World) -> None:
    world.runner.minutes(5, a=30)
    world.runner.stop()
    later = RemoteWrite(url=f"{world.proxy.url}/api/v1/write", runner="later", out_of_order_window=Duration(WINDOW))
    later._wall = world.clock.wall
    world.runner.more = [SinkPlan(name="later", type="remote_write", sink=later)]
    world.runner.minutes(5, a=1)
    assert world.wrong() == []
    (series,) = world.query('m_n_total{runner="later"}[1h]')
    begun = series.samples[0]
    grown = Counter({end: number for end, number in world.runner.events["a"].items() if end > begun[0]})
    assert begun[1] > 100
    assert unexplained(series.samples, grown) == []


def test_a_series_that_lost_its_place_goes_on_from_its_total(worlds: Any) -> None:
    world = worlds(replace(counted(), series_ttl=Duration(1800.0)))
    world.runner.minute(a=5, b=1)
    world.runner.minutes(45, b=1)
    world.runner.minute(a=2, b=1)
    assert world.wrong() == []
    ranged = 'm_n_total{@, key="a"}[10m]'
    assert world.value(f"max_over_time({ranged}) - min_over_time({ranged})") == 2


def test_a_series_that_rests_is_not_found_any_more_until_it_goes_on(world: World) -> None:
    world.runner.minute(a=4, b=1)
    world.runner.minutes(18, b=1)
    assert world.query('m_n_total{@, key="a"}') == []
    assert world.value('m_n_total{@, key="b"}') > 10
    world.runner.minute(a=1, b=1)
    assert world.wrong() == []
    assert world.value('m_n_total{@, key="a"}') == 5


def test_late_records_are_in_the_next_total(world: World) -> None:
    world.runner.minutes(4, a=1, b=1)
    world.runner.minute(a=2, late=150, b=0)
    world.finish()
    assert world.value('m_n_total{@, key="a"}') == 6
    assert world.value('increase(m_n_total{@, key="a"}[10m])', back=120) == pytest.approx(6)


def test_gauges_histograms_and_texts_are_what_prometheus_knows(worlds: Any) -> None:
    world = worlds(
        counted(
            top=Value(value="max(number)"),
            h=Value(value="histogram(number, [0.5, 5])", kind="histogram"),
            who=Value(value='last("user")', kind="info"),
        )
    )
    world.runner.change = lambda plan: replace(plan, private=frozenset())
    world.runner.minutes(4, a=3)
    assert world.wrong() == []
    back = 180.0
    assert world.value('m_top{@, key="a"}', back) == 1
    assert world.value('histogram_quantile(0.5, m_h_bucket{@, key="a"})', back) == pytest.approx(2.75)
    assert world.value('m_h_count{@, key="a"}', back) == world.value('m_h_sum{@, key="a"}', back) == 12
    assert world.value('max(m_info{@, key="a", who="u"})', 300) == 1


def test_what_is_written_in_version_2_arrives_at_a_server_that_knows_only_version_1(worlds: Any) -> None:
    """It takes a message of 2.0 for an empty one, and says that all is well: no header of what was written."""
    world = worlds(protocol="2.0")
    world.runner.minutes(3, a=2)
    assert world.wrong() == []


def test_two_runners_never_write_one_series(worlds: Any) -> None:
    first, second = worlds(), worlds()
    second.clock.now = first.clock.now
    for _ in range(3):
        first.runner.minute(a=1)
        second.runner.minute(a=2)
    assert (first.wrong(), second.wrong()) == ([], [])


def test_a_copied_state_with_a_name_of_its_own_writes_series_of_its_own(worlds: Any) -> None:
    """Both have counted 9 when one becomes two: the sum over both grows by what both count since."""
    first, second = worlds(), worlds()
    first.runner.minutes(3, a=3)
    first.finish()
    first.runner.stop()
    shutil.copytree(first.runner.directory / "state", second.runner.directory / "state")
    said = CliRunner().invoke(app, ["state", "--new-identity", "--state", str(second.runner.directory / "state")])
    assert said.exit_code == 0
    second.runner.source.logs = deepcopy(first.runner.source.logs)
    second.runner.events = deepcopy(first.runner.events)
    second.clock.now = first.clock.now
    for _ in range(5):
        first.runner.minute(a=1)
        second.runner.minute(a=2)
    assert first.wrong() == []
    second.finish()
    own = second.samples("a")
    assert (own[0][1], own[-1][1]) == (9, 19)
    names = [one.runner.runner().state.identity for one in (first, second)]
    grown = first.value(f'sum(max_over_time(m_n_total{{runner=~"{"|".join(names)}"}}[20m]))')
    assert grown == 14 + 19
    assert first.value(f'sum(increase(m_n_total{{runner="{names[1]}"}}[20m]))', back=120) == pytest.approx(10, rel=0.15)


# -- looking at the server --------------------------------------------------------------------------------


def probe(server: Prometheus, **options: Any) -> list[str]:
    return list(RemoteWrite(url=f"{server.url}/api/v1/write", **options).probe())


def test_a_server_that_is_set_up_as_it_is_declared_is_not_doubted(server: Prometheus) -> None:
    assert probe(server, out_of_order_window=Duration(WINDOW)) == []


def test_a_window_that_is_declared_wrongly_is_found(server: Prometheus) -> None:
    (longer,) = probe(server, out_of_order_window=Duration(4 * 3600.0))
    assert longer.startswith("out_of_order_window is 4h, but the server takes 2h out of order")
    (unsaid,) = probe(server)
    assert unsaid == 'the server takes 2h out of order; say out_of_order_window = "2h" to make use of it'


def test_a_server_without_a_window_or_a_receiver_is_found(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    own = Prometheus(program_or_skip("prometheus"), tmp_path / "own")
    try:
        (nothing,) = probe(own)
        assert nothing.startswith("the server takes nothing out of order: after an outage gauges are lost")
        (elsewhere,) = RemoteWrite(url=f"{own.url}/api/v2/write").probe()
        assert "--web.enable-remote-write-receiver" in elsewhere
    finally:
        own.stop()
