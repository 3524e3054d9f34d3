"""A view shows what is committed: not at every commit, but the last one is never left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from doubles import House, metric, settle
from pegel.metrics.definition import Value
from pegel.pipeline.runner import Runner
from pegel.plan import SinkPlan
from pegel.sinks import Point, Sink
from pegel.units import Duration

NOON = 1_772_539_200


@dataclass(kw_only=True)
class Showing(Sink):
    """Keeps what it was shown."""

    shown: list[Sequence[Point]] = field(default_factory=list)

    @property
    def view(self) -> bool:
        return True

    def encode(self, points: Sequence[Point]) -> bytes:
        raise NotImplementedError

    def send(self, payload: bytes) -> None:
        raise NotImplementedError

    def show(self, points: Sequence[Point]) -> None:
        self.shown.append(points)


def open_runner(house: House, sink: Showing, early_interval: float) -> Runner:
    plan = SinkPlan(name="page", type="showing", sink=sink, early_interval=Duration(early_interval))
    runner = Runner(replace(house.plan(), sinks=[plan]), clock=house.clock)
    runner.open()
    return runner


def total(runner: Runner, sink: Showing) -> object:
    """What the page says now."""
    for view in runner.views:
        view.show()
    return sum(point.values["n"] for point in sink.shown[-1])  # type: ignore[misc]


def test_a_commit_that_came_too_soon_is_shown_later_without_another(tmp_path: Path) -> None:
    """The last line of a log before a quiet hour; at a start it is the whole of what was missed."""
    counter = replace(metric(), values={"n": Value(value="count(*)", kind="counter")})
    house, sink = House(tmp_path, metrics=[counter]), Showing()
    runner = open_runner(house, sink, early_interval=1.0)
    house.source.write((NOON, "a", 1, "u"))
    settle(runner)
    assert total(runner, sink) == 0
    house.clock.now += 2
    settle(runner)
    assert total(runner, sink) == 1
    runner.close()


def test_nothing_is_shown_again_where_nothing_was_committed(tmp_path: Path) -> None:
    """An idle runner makes no snapshots."""
    house, sink = House(tmp_path), Showing()
    runner = open_runner(house, sink, early_interval=1.0)
    house.clock.now += 2
    settle(runner)
    total(runner, sink)
    for _ in range(5):
        house.clock.now += 2
        runner.catch_up_views()
    assert not any(view.busy for view in runner.views)
    runner.close()
