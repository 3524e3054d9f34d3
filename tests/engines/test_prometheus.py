"""The doubles of the stack's Prometheus and Pushgateway do what other tests rest on."""

from __future__ import annotations

import math

import pytest

from engines.conftest import StartPrometheus
from engines.prometheus import Pushgateway

NOON = 1_772_539_200

SAMPLES = f"""\
# TYPE tests gauge
tests{{server="a"}} 1 {NOON}
tests{{server="a"}} 2 {NOON + 60}
tests{{server="b"}} 7 {NOON + 60}
# EOF
"""


def test_old_samples_can_be_asked_for_at_once(prometheus: StartPrometheus) -> None:
    """A panel over thirty days is tested without waiting for a single scrape."""
    server = prometheus(samples=SAMPLES)
    found = server.query("tests", NOON + 60)
    assert {one.labels["server"]: one.value for one in found} == {"a": 2, "b": 7}
    (series,) = server.query_range("sum(tests)", NOON, NOON + 60, 60)
    assert series.samples == [(NOON, 1), (NOON + 60, 9)]


def test_a_scalar_is_a_series_and_an_error_says_why(prometheus: StartPrometheus) -> None:
    server = prometheus()
    assert server.query("1 / 0")[0].value == math.inf
    with pytest.raises(RuntimeError, match="parse error"):
        server.query("sum(")


def test_the_receiver_is_on(prometheus: StartPrometheus) -> None:
    status, body = prometheus().request("POST", "/api/v1/write", b"no snappy")
    assert (status, b"snappy" in body) == (400, True)


def test_pushed_metrics_stay_until_they_are_deleted(pushgateway: Pushgateway) -> None:
    pushgateway.push("job/player/instance/a", "watching 3\n")
    assert 'watching{instance="a",job="player"} 3' in pushgateway.page()
    pushgateway.delete("job/player/instance/a")
    assert "watching" not in pushgateway.page()
