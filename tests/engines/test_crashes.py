"""The runner dies at every named point, and replies are lost: what a real InfluxDB holds in the end is exact."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from engines.influxdb import Bucket
from engines.job import Job, differences, ookla
from engines.lives import Lives
from engines.proxy import Fault, Proxy, cut_reply, disk_full, lost_reply, passing, reset, unavailable, web_page
from presets import ookla_oracle as oracle
from presets.ookla_run import keyed
from simulation.world import SimClock

GOLDEN = keyed(oracle.GOLDEN.read_text(encoding="utf-8"))

PIECE = "64KiB"
"""A fourteenth of the sample, so that there is something to die between."""

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


def unreliable(seed: int) -> Fault:
    """A road to the server on which half of all requests meet with something."""
    rng = random.Random(seed)
    faults = [passing] * 6 + [lost_reply, lost_reply, reset, cut_reply, unavailable, disk_full, web_page]
    return lambda exchange: rng.choice(faults)(exchange)


def lives(directory: Path, bucket: Bucket, proxy: Proxy) -> Lives:
    return Lives(Job(directory, bucket, ookla(oracle.SAMPLE, PIECE), proxy.url), SimClock())


@pytest.mark.parametrize("name", NAMED_POINTS)
def test_a_death_at_a_named_point_changes_no_number(name: str, tmp_path: Path, bucket: Bucket, proxy: Proxy) -> None:
    """Three deaths in one story, on a road that loses replies; the second comes soon after the first."""
    story = lives(tmp_path, bucket, proxy)
    proxy.otherwise = unreliable(NAMED_POINTS.index(name))
    assert [story.die(after, name) for after in (3, 1, 2)] == [True] * 3
    story.finish()
    assert differences(bucket.points(), GOLDEN) == []


@pytest.mark.parametrize("seed", range(4))
def test_deaths_anywhere_on_an_unreliable_road_change_no_number(
    seed: int, tmp_path: Path, bucket: Bucket, proxy: Proxy
) -> None:
    story = lives(tmp_path, bucket, proxy)
    proxy.otherwise = unreliable(100 + seed)
    rng = random.Random(seed)
    while story.die(rng.randint(1, 200)):
        pass
    story.finish()
    assert story.deaths > 5
    assert differences(bucket.points(), GOLDEN) == []


def test_every_point_where_a_runner_may_die_has_its_test(tmp_path: Path, bucket: Bucket, proxy: Proxy) -> None:
    """A renamed table or a new order of work shows here. What is passed once is a start, and the product has tests."""
    story = lives(tmp_path, bucket, proxy)
    story.finish()
    often = {name for name, count in story.points.passed.items() if count > 6}
    assert often - set(NAMED_POINTS) == {
        "in commit after panes_2",
        "in commit after panes_3",
        "in commit after panes_4",
    }
