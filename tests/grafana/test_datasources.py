"""What Grafana is told when it starts: sources by name and uid, and where the dashboards are."""

from __future__ import annotations

import re
from typing import Any

import yaml

from grafana.conftest import PROVISIONING

DOCUMENT: dict[str, Any] = yaml.safe_load((PROVISIONING / "datasources" / "pegel.yaml").read_text(encoding="utf-8"))
SOURCES = {source["uid"]: source for source in DOCUMENT["datasources"]}
SCRAPE = "15s"


def test_names_and_uids_do_not_change() -> None:
    """On a volume that knows a uid under another name Grafana does not start."""
    assert {uid: source["name"] for uid, source in SOURCES.items()} == {
        "pegel-prometheus": "Prometheus",
        "pegel-prometheus-minutes": "Prometheus (minutes)",
        "pegel-influx-flux": "InfluxDB (Flux)",
        "pegel-influx-influxql": "InfluxDB (InfluxQL)",
    }
    assert DOCUMENT["prune"] is True


def test_one_is_the_default_and_nobody_edits_them() -> None:
    assert [uid for uid, source in SOURCES.items() if source.get("isDefault")] == ["pegel-prometheus"]
    for source in SOURCES.values():
        assert (source["editable"], source["access"]) == (False, "proxy")


def test_intervals_are_those_of_the_data() -> None:
    """They decide how wide `$__rate_interval` is; one that is too short shows nothing."""
    settings = (PROVISIONING.parents[1] / "stack" / "prometheus" / "prometheus.yml").read_text(encoding="utf-8")
    assert yaml.safe_load(settings)["global"]["scrape_interval"] == SCRAPE
    intervals = {uid: source["jsonData"]["timeInterval"] for uid, source in SOURCES.items()}
    assert intervals.pop("pegel-prometheus") == SCRAPE
    assert set(intervals.values()) == {"1m"}


def test_tokens_are_read_from_files() -> None:
    secrets = {uid: source.get("secureJsonData") for uid, source in SOURCES.items() if "secureJsonData" in source}
    token = "$__file{/run/stack-tokens/grafana-read}"
    assert secrets == {
        "pegel-influx-flux": {"token": token},
        "pegel-influx-influxql": {"httpHeaderValue1": f"Token {token}"},
    }


def test_what_comes_from_the_environment_is_given_by_the_stack() -> None:
    """Grafana puts nothing in the place of a name that it does not know."""
    text = (PROVISIONING / "datasources" / "pegel.yaml").read_text(encoding="utf-8")
    wanted = set(re.findall(r"\$\{(\w+)\}", text))
    stack = yaml.safe_load((PROVISIONING.parents[1] / "stack" / "compose.yaml").read_text(encoding="utf-8"))
    assert wanted <= set(stack["services"]["grafana"]["environment"])


def test_hosts_are_services_of_the_stack() -> None:
    stack = yaml.safe_load((PROVISIONING.parents[1] / "stack" / "compose.yaml").read_text(encoding="utf-8"))
    hosts = {re.fullmatch(r"http://([a-z]+):\d+", source["url"]) for source in SOURCES.values()}
    assert {found[1] if found else "" for found in hosts} <= set(stack["services"])


def test_dashboards_are_where_they_are_mounted_and_stay_as_they_are() -> None:
    document = yaml.safe_load((PROVISIONING / "dashboards" / "pegel.yaml").read_text(encoding="utf-8"))
    (provider,) = document["providers"]
    assert provider["options"]["path"] == "/etc/grafana/provisioning/dashboards"
    assert (provider["allowUiUpdates"], provider["disableDeletion"]) == (False, True)
    assert provider["folderUid"]
