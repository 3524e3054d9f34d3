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
    "in commit after meta",
    "in commit after metrics",
    "in commit after runs",
    "in commit after series",
    "in commit after panes_1",
    "in commit after streams",
    "in commit after partitions",
    "in commit after counters",
    "in commit after buckets",
    "in commit after crowds",
    "in commit after keys",
    "in commit after outbox",
    "in commit after requests",
    "in commit after claimed",
    "before send",
    "stored but not acknowledged",
)

STORIES = 5
"""In which these points are dealt out, so that each is met while there is much to lose."""


@pytest.mark.parametrize("names", [NAMED_POINTS[start::STORIES] for start in range(STORIES)], ids=", ".join)
def test_a_death_at_a_named_point_changes_no_number(
    names: tuple[str, ...], tmp_path: Path, bucket: Bucket, proxy: Proxy
) -> None:
    """Two deaths at each point, one soon after the other, on a road that loses replies."""
    lives = sample(tmp_path, bucket, proxy)
    proxy.otherwise = unreliable(NAMED_POINTS.index(names[0]))
    deaths = [(name, lives.die(after, name)) for name in names for after in (2, 1)]
    lives.finish()
    assert [name for name, died in deaths if not died] == []
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
