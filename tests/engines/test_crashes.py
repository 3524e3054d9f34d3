"""The runner dies at every named point, and replies are lost: what a real InfluxDB holds in the end is exact."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines.influxdb import Bucket
from engines.job import differences
from engines.proxy import Proxy
from engines.stories import GOLDEN, die_anywhere, sample, unreliable

NAMED_POINTS = (
    "before commit",
    "after commit",
    "in commit after sources",
    "in commit after metrics",
    "in commit after runs",
    "in commit after series",
    "in commit after panes_1",
    "in commit after streams",
    "in commit after partitions",
    "in commit after counters",
    "in commit after buckets",
    "in commit after keys",
    "in commit after outbox",
    "in commit after requests",
    "before send",
    "stored but not acknowledged",
)


@pytest.mark.parametrize("name", NAMED_POINTS)
def test_a_death_at_a_named_point_changes_no_number(name: str, tmp_path: Path, bucket: Bucket, proxy: Proxy) -> None:
    """Three deaths in one story, on a road that loses replies; the second comes soon after the first."""
    lives = sample(tmp_path, bucket, proxy)
    proxy.otherwise = unreliable(NAMED_POINTS.index(name))
    assert [lives.die(after, name) for after in (3, 1, 2)] == [True] * 3
    lives.finish()
    assert differences(bucket.points(), GOLDEN) == []


@pytest.mark.parametrize("seed", range(3))
def test_deaths_anywhere_on_an_unreliable_road_change_no_number(
    seed: int, tmp_path: Path, bucket: Bucket, proxy: Proxy
) -> None:
    told = die_anywhere(tmp_path, bucket, proxy, seed)
    assert told.wrong == []
    assert told.deaths > 5


def test_every_point_where_a_runner_often_dies_has_its_test(tmp_path: Path, bucket: Bucket, proxy: Proxy) -> None:
    """A renamed table or a new order of work shows here; the tables of the other metrics are like the first one."""
    lives = sample(tmp_path, bucket, proxy)
    lives.finish()
    often = {name for name, count in lives.points.passed.items() if count > 6 and "panes_" not in name}
    assert often <= set(NAMED_POINTS)
