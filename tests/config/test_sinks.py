from __future__ import annotations

import pytest

from config.conftest import METRIC, SOURCE, Folder
from pegel.config import load
from pegel.config.showing import spell_out

SWITCHED = """
[[sinks]]
name = "influx"
type = "influxdb2"
only_if = "${INFLUX_URL:-}"
url = "${INFLUX_URL}"
org = "${INFLUX_ORG}"
bucket = "b"
token = "${INFLUX_TOKEN}"
"""

TEXT = SOURCE + METRIC + SWITCHED


def names(folder: Folder, text: str = TEXT) -> list[str]:
    return [sink.name for sink in load(folder.write(text), folder.environ).sinks]


@pytest.mark.parametrize("url", [None, ""])
def test_a_sink_whose_condition_is_empty_does_not_exist_and_needs_nothing(folder: Folder, url: str | None) -> None:
    """One file for those with an InfluxDB and those without: its variables are asked for only where they are used."""
    if url is not None:
        folder.environ["INFLUX_URL"] = url
    assert names(folder) == ["local"]
    assert folder.warnings(TEXT) == [
        "config.toml:20:1  sinks[0].only_if: the sink is off, because ${INFLUX_URL:-} is empty"
    ]


def test_a_sink_whose_condition_is_met_is_on(folder: Folder) -> None:
    folder.environ |= {"INFLUX_URL": "http://h:8086/", "INFLUX_ORG": "o", "INFLUX_TOKEN": "t"}
    assert names(folder) == ["influx"]
    assert folder.warnings(TEXT) == []


def test_what_a_sink_that_is_on_refers_to_must_be_there(folder: Folder) -> None:
    """Half of the variables is a mistake, and never the embedded store in silence."""
    folder.environ |= {"INFLUX_URL": "http://h:8086/", "INFLUX_ORG": "o"}
    assert folder.problems(TEXT) == [
        "config.toml:24:10  sinks[0].token: the environment variable INFLUX_TOKEN is not set"
    ]


def test_a_condition_that_cannot_be_read_is_told_and_switches_nothing_off(folder: Folder) -> None:
    text = TEXT.replace(":-}", "}")
    assert folder.problems(text)[0] == (
        "config.toml:20:12  sinks[0].only_if: the environment variable INFLUX_URL is not set"
    )


def test_show_keeps_a_sink_that_is_off_here(folder: Folder) -> None:
    """Elsewhere the same text may switch it on."""
    assert 'only_if = "${INFLUX_URL:-}"' in spell_out(folder.write(TEXT), folder.environ)
