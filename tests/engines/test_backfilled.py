"""A back-fill beside a runner at a real Prometheus: counters sum to what was counted, gauges are one series."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from doubles import FakeClock
from engines.conftest import program_or_skip
from engines.prometheus import Prometheus, Series
from pegel.plan import Plan, SinkPlan
from pegel.sinks.remote_write import RemoteWrite
from pegel.units import Duration
from pipeline.test_backfill import NOON, Place

MONTHS = 60 * 86_400.0
OLD = range(120, 600, 5)
LIVE = range(600, 900, 10)


@dataclass
class Written(Place):
    """A place whose sink is a real server."""

    server: Prometheus = field(kw_only=True)

    def plan(self) -> Plan:
        sink = RemoteWrite(url=f"{self.server.url}/api/v1/write", out_of_order_window=Duration(MONTHS))
        sink._wall = self.clock.wall
        return replace(super().plan(), sinks=[SinkPlan(name="samples", type="remote_write", sink=sink)])


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Written]:
    (tmp_path / "server").mkdir()
    config = "global: {scrape_interval: 1h}\nstorage: {tsdb: {out_of_order_time_window: 90d}}\n"
    server = Prometheus(program_or_skip("prometheus"), tmp_path / "server", config)
    yield Written(tmp_path, clock=FakeClock(NOON + 30 * 86400.0), server=server)
    server.stop()


def test_counters_add_up_over_the_border_and_gauges_are_one_series(place: Written) -> None:
    """The runner was there first: its totals are newer than all that the back-fill brings."""
    place.write("live.log", LIVE)
    place.live()
    place.backfill([place.write("old/a", OLD)])
    counted = Counter(time // 60 * 60 + 60 for time in [*OLD, *LIVE])
    for end, number in sorted(counted.items()):
        assert (end, value(place, "sum(increase(hits_n_total[1m]))", end)) == (end, number)
        [users] = place.server.query("hits_users", NOON + end)
        assert users.value == 7.0 if end <= 600 else users.value > 0
        assert "backfill" not in users.labels
    totals = place.server.query("max_over_time(hits_n_total[1h])", NOON + 1000)
    assert {one.labels.get("backfill", ""): one.value for one in totals} == {"old": len(OLD), "": len(LIVE)}
    assert len({one.labels["runner"] for one in totals}) == 1, "both belong to one runner"


def test_what_was_filled_in_is_not_found_any_more_where_the_runner_begins(place: Written) -> None:
    """Its last total would be added to those of the runner for five minutes."""
    place.write("live.log", LIVE)
    place.live()
    place.backfill([place.write("old/a", OLD)])
    assert found(place.server.query("hits_n_total", NOON + 660)) == [""]
    assert found(place.server.query("hits_n_total", NOON + 600)) == ["", "old"]


def found(series: list[Series]) -> list[str]:
    return sorted(one.labels.get("backfill", "") for one in series)


def value(place: Written, expression: str, at: int) -> float:
    [series] = place.server.query(expression, NOON + at)
    return series.value
