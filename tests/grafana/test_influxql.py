"""The rules for InfluxQL find what they are for."""

from __future__ import annotations

import pytest

from grafana.influxql import faults

RIGHT = [
    'SELECT last("x") FROM "m" WHERE $timeFilter AND "a" =~ /^$a$/ GROUP BY time($__interval), "a" fill(null)',
    'SELECT last("x") FROM "m" WHERE "server" !~ /^${server}$/ AND $timeFilter',
    'SHOW TAG VALUES FROM "m" WITH KEY = "server"',
]
WRONG = {
    'SELECT "x" FROM "m"': "without $timeFilter",
    'SELECT last("x") FROM "m" WHERE $timeFilter GROUP BY time(1m) fill(null)': "time($__interval)",
    'SELECT last("x") FROM "m" WHERE $timeFilter GROUP BY time($__interval)': "say what a gap is",
    'SELECT last("x") FROM "m" WHERE $timeFilter GROUP BY time($__interval) fill(previous)': "say what a gap is",
    'SELECT "x" FROM "telemetry"."autogen"."m" WHERE $timeFilter': "the database",
    'SELECT "x" FROM "m" WHERE $timeFilter AND "server" = \'$server\'': "several can be chosen",
    'SELECT "x" FROM "m" WHERE $timeFilter AND "server" =~ /$server/': "several can be chosen",
    'SHOW TAG VALUES FROM "m" WITH KEY = "node" WHERE "server" = \'${server}\'': "several can be chosen",
}


@pytest.mark.parametrize("text", RIGHT)
def test_what_is_right_passes(text: str) -> None:
    assert faults(text) == []


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_is_found(text: str) -> None:
    (found,) = faults(text)
    assert found.startswith(WRONG[text])
