"""Requests that were given up and reach the server late, behind newer ones: the newest value wins all the same.

A request whose connection broke may still be on its way. It can overwrite what was stored after it, so that for
twice the timeout nobody may believe what InfluxDB holds; then the newest value is sent once more.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from engines.influxdb import Bucket
from engines.job import differences
from engines.lives import Watched
from engines.proxy import Proxy, held
from engines.speedtest import counted, story
from engines.stories import STEP, arrive_late
from pegel.sinks import Sink


def test_an_early_value_that_arrives_behind_the_final_one_does_not_stay(
    tmp_path: Path, bucket: Bucket, proxy: Proxy
) -> None:
    with story(tmp_path, bucket, proxy) as told:
        told.go_on(minutes=3, step=STEP)
        proxy.script(held)
        while not proxy.held:
            told.turn(STEP)
        told.go_on(minutes=0.25, step=STEP)
        proxy.release()
        told.lives.finish()
    assert differences(bucket.points(), counted(tmp_path)) == []


def test_the_watched_sink_says_all_that_a_sink_can_say() -> None:
    """What it left out would be the default of a sink, and these tests would prove that of another one."""
    said = {name for name in vars(Sink) if not name.startswith("_")} - {"early_interval"}
    assert said - vars(Watched).keys() == set()


@pytest.mark.parametrize("seed", range(2))
def test_whatever_comes_late_the_newest_value_stays(seed: int, tmp_path: Path, bucket: Bucket, proxy: Proxy) -> None:
    told = arrive_late(tmp_path, bucket, proxy, seed, minutes=6)
    assert told.wrong == []
    assert told.deaths > 2
    assert told.late > 10
