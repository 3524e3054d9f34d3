"""An InfluxDB that is down, has a full disk or refuses its token, for a while: nothing is lost, nothing doubled.

The hours are simulated, the server, its answers and the log on disk are real.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from engines.influxdb import Bucket, Server
from engines.job import differences
from engines.proxy import Fault, Proxy, disk_full, passing, unavailable, web_page
from engines.speedtest import counted, story
from prove.outage import survive


def test_an_hour_without_the_server_loses_nothing(tmp_path: Path, bucket: Bucket, proxy: Proxy) -> None:
    with story(tmp_path, bucket, proxy) as told:
        told.go_on(minutes=5)
        assert len(bucket.points()) > 10
        proxy.down()
        told.go_on(minutes=60, step=60.0)
        assert told.waiting() > 300
        proxy.up()
        told.go_on(minutes=5)
        told.lives.finish()
    assert differences(bucket.points(), counted(tmp_path)) == []


@pytest.mark.parametrize("fault", [disk_full, unavailable, web_page])
def test_answers_that_are_no_success_lose_nothing(fault: Fault, tmp_path: Path, bucket: Bucket, proxy: Proxy) -> None:
    with story(tmp_path, bucket, proxy) as told:
        told.go_on(minutes=3)
        proxy.otherwise = fault
        told.go_on(minutes=10, step=60.0)
        assert told.waiting() > 50
        proxy.otherwise = passing
        told.lives.finish()
    assert differences(bucket.points(), counted(tmp_path)) == []


def test_a_runner_that_is_restarted_while_the_server_is_away_loses_nothing(
    tmp_path: Path, bucket: Bucket, proxy: Proxy
) -> None:
    """What waits is on disk, not in the memory of a life."""
    with story(tmp_path, bucket, proxy) as told:
        told.go_on(minutes=3)
        proxy.down()
        for _ in range(4):
            told.go_on(minutes=3)
            told.lives.close()
        proxy.up()
        told.lives.finish()
    assert differences(bucket.points(), counted(tmp_path)) == []


def test_a_token_that_is_revoked_and_renewed_loses_nothing(tmp_path: Path, bucket: Bucket, proxy: Proxy) -> None:
    """A new token in its file is enough: no restart, and no waiting for a back-off that has grown long."""
    with story(tmp_path, bucket, proxy) as told:
        told.go_on(minutes=3)
        bucket.revoke(bucket.write_only)
        told.go_on(minutes=10, step=60.0)
        (delivery,) = told.lives.runner().deliveries
        assert "token" in delivery.trouble
        assert told.waiting() > 50
        told.lives.job.give_token(bucket.write_only.text)
        told.go_on(minutes=2)
        assert delivery.trouble == ""
        told.lives.finish()
    assert differences(bucket.points(), counted(tmp_path)) == []


def test_what_waits_for_many_series_is_small_and_complete(influxdb: Server, tmp_path: Path) -> None:
    """A quarter of an hour of some hundred series; `./dev prove` does it for days and prints what it took."""
    survived = survive(influxdb, tmp_path, hours=0.25, series=500)
    assert survived.wrong == []
    assert survived.points >= 7_500
    assert survived.bytes < 15 * survived.points
