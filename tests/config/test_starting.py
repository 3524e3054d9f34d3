from __future__ import annotations

import re
from pathlib import Path

import pytest

from config.conftest import BUCKET, Folder
from pegel.config import load
from pegel.config.presets import FOLDER, names
from pegel.config.starting import START, starter

PROVIDERS = FOLDER / "samples" / "ookla" / "asn.tsv"
PLACES = FOLDER / "samples" / "cdn77" / "city.mmdb"
CRONTAB = {
    "INFLUX_URL": "http://127.0.0.1:8086/",
    "INFLUX_ORG": "example",
    "INFLUX_BUCKET": "speedtest",
    "INFLUX_TOKEN": "canary",
    "SERVER_TAG": "st-07",
}
"""What a crontab of the original has."""

EXPORTER = {
    "S3_ENDPOINT": "https://eu-1.cdn77-storage.com",
    "S3_PREFIX": "real-time-logs/all-logs",
    **BUCKET,
    "PROMETHEUS_URL": "http://127.0.0.1:9090/api/v1/write",
    "POLL_INTERVAL": "30",
    "LOOKBACK_HOURS": "3",
    "GEOIP_DB_PATH": str(PLACES),
}
"""What the container of the exporter has that `cdn77` replaces."""


@pytest.mark.parametrize("preset", [None, *names()])
def test_a_new_configuration_is_right_as_it_is(folder: Folder, preset: str | None) -> None:
    """The first thing that a person sees must not be an error."""
    assert folder.problems(starter("config.toml", preset)) == []


@pytest.mark.parametrize("preset", names())
def test_what_is_in_comments_is_right_too(folder: Folder, preset: str) -> None:
    """Taking the # away is how people change a setting."""
    text = starter("config.toml", preset)
    setting = re.compile(r"# ([a-z_.]+ = .*|\[\[\w+\]\]|\]|  \S.*,)$")
    lines = [match[1] if (match := setting.match(line)) else line for line in text.splitlines()]
    source = "\n".join(lines).replace("/var/lib/pegel/ip2asn-combined.tsv.gz", str(PROVIDERS))
    source = source.replace("/var/lib/pegel/GeoLite2-City.mmdb", str(PLACES))
    folder.environ |= EXPORTER
    assert source.count("\n#") < text.count("\n#") - 6
    assert folder.problems(source) == []


def test_the_environment_of_the_original_is_all_that_ookla_needs(folder: Folder) -> None:
    """Who comes from it changes one line of the crontab: the command."""
    text = starter("config.toml", "ookla")
    folder.environ |= CRONTAB
    plan = load(folder.write(text), folder.environ)
    assert [(sink.name, sink.type) for sink in plan.sinks] == [("influx", "influxdb2")]
    assert plan.sources[0].labels == {"server": "st-07"}
    assert folder.warnings(text) == []


def test_the_environment_of_the_original_is_all_that_cdn77_needs(folder: Folder) -> None:
    folder.environ |= EXPORTER
    plan = load(folder.write(starter("config.toml", "cdn77")), folder.environ)
    source = plan.sources[0].source
    assert (source.poll_interval, source.look_back) == (30.0, 3 * 3600.0)  # type: ignore[attr-defined]
    assert [(sink.name, sink.type) for sink in plan.sinks] == [("prometheus", "remote_write")]


def test_without_an_influxdb_ookla_has_the_embedded_store(folder: Folder) -> None:
    text = starter("config.toml", "ookla")
    assert [sink.type for sink in load(folder.write(text), folder.environ).sinks] == ["local"]
    (warning,) = folder.warnings(text)
    assert "the sink is off, because ${INFLUX_URL:-} is empty" in warning


def test_whois_stays_in_comments() -> None:
    """Nobody's network is told to anybody unless a person has decided so."""
    assert "\n# enrichers.asn.whois" in starter("config.toml", "ookla")


def test_what_is_added_by_hand_belongs_to_a_preset() -> None:
    assert {path.stem for path in Path(FOLDER / START).iterdir()} <= set(names())
