"""The dashboard `Stack health` on a real Prometheus that scrapes real services; and what dashboards ask for exists."""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from engines.conftest import StartPrometheus, program_or_skip
from engines.grafana_prometheus import Look, called, lines, openmetrics, queries, substituted
from engines.influxdb import Server
from engines.prometheus import Prometheus, Pushgateway, Series
from engines.seeing import read_from_prometheus
from stack import catalogue
from stack.alerts import HOME
from stack.catalogue import SCRAPED, Catalogue
from stack.promql import grouped, selected

UID = "stack-health"
LOOK = Look(0, 3600, variables={"server": ".*", "zone": "0", "instance": ".*", "source": ".*", "sink": ".*"})

BOARDS = ("overview", "ookla-prometheus", "pegel-itself", "stack-health")
ALL = {(uid, name): query for uid in BOARDS for name, query in queries(uid).items()}

FROM_ITS_SOURCE = {
    "grafana_http_request_duration_seconds_count": {"status_code"},
    "grafana_plugin_request_duration_seconds_bucket": {"endpoint", "le", "plugin_id"},
    "grafana_plugin_request_total": {"endpoint", "plugin_id", "status"},
}
"""What Grafana shows, and its labels, as its source says; none ran here."""

SILENT = {
    "Requests per second by answer",
    "Queries to data sources by answer",
    "Time of a query to a data source",
    "Room on the disks of the runners",
    "Memory by service C",
    "@Starts of a service",
    "@Changes of Prometheus' configuration",
}
"""What has nothing to show here: no Grafana and no runner is there (see test_runner_dashboards), nothing began anew."""


@dataclass(frozen=True)
class Scene:
    """Services at a moment when everything was seen; nothing about it changes any more.

    Attributes:
        server: Who has seen it.
        moment: When all panels are asked.
        pushed: Seconds since 1970 before and after the push.
    """

    server: Prometheus
    moment: float
    pushed: tuple[float, float]

    def ask(self, name: str) -> list[Series]:
        """What a panel got."""
        return self.server.query(substituted(EVERY[name].expression, LOOK), self.moment)

    def shown(self, name: str) -> dict[str, float]:
        """Values by what they are called."""
        return {called(one, EVERY[name]): one.value for one in self.ask(name)}


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A Prometheus that scrapes itself, an InfluxDB and a Pushgateway each second; each has had something to do.

    None of them is shared: what other tests had refused is an alert here.
    """
    with ExitStack() as running:
        influxdb = Server(program_or_skip("influxdb2"), tmp_path_factory.mktemp("influxdb"))
        running.callback(influxdb.stop)
        gateway = Pushgateway(program_or_skip("pushgateway"), tmp_path_factory.mktemp("pushgateway"))
        running.callback(gateway.stop)
        before = time.time()
        gateway.push("job/player/instance/a", "watching 3\n")
        after = time.time()
        assert influxdb.bucket("health").write("m v=1 1772582000").status == 204
        influxdb.query("buckets()")
        directory = tmp_path_factory.mktemp("prometheus")
        config = yaml.safe_dump(configuration(directory, gateway, influxdb))
        server = Prometheus(program_or_skip("prometheus"), directory, config, "--storage.tsdb.retention.size=1GB")
        running.callback(server.stop)
        server.request("POST", "/api/v1/write", b"refused")
        (directory / "own.json").write_text(f'[{{"targets": ["{server.address}"]}}]', encoding="utf-8")
        yield Scene(server, settled(server), (before, after))


def configuration(directory: Path, gateway: Pushgateway, influxdb: Server) -> dict[str, Any]:
    """All jobs of the stack; nobody answers for two of them, and Prometheus learns its own address when it has one."""
    return {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(HOME / "rules" / "stack.yml")],
        "scrape_configs": [
            {"job_name": "pushgateway", "honor_labels": True, "static_configs": [{"targets": [gateway.address]}]},
            {"job_name": "influxdb", "static_configs": [{"targets": [":".join(map(str, influxdb.address))]}]},
            {"job_name": "grafana", "static_configs": [{"targets": ["127.0.0.1:1"]}]},
            {"job_name": "runner", "static_configs": [{"targets": ["127.0.0.1:1"]}]},
            {
                "job_name": "prometheus",
                "file_sd_configs": [{"files": [str(directory / "own.json")], "refresh_interval": "1s"}],
            },
        ],
    }


ANSWERING = 'up{job=~"prometheus|influxdb|pushgateway"}'


def settled(server: Prometheus) -> float:
    """A moment at which each service was scraped twice, and again since: nothing of it is still to come."""
    server.until(f"count(sum_over_time({ANSWERING}[1m]) >= 2) == 3")
    (seen,) = server.until(
        f"timestamp(count(up) == 5 and count({ANSWERING} == 1) == 3 "
        'and on () ALERTS{alertname="PrometheusRemoteWriteRejected", alertstate="firing"})'
    )
    server.until(f"min(timestamp(up)) > {seen.value} and min(timestamp(ALERTS)) > {seen.value}")
    return seen.value


EVERY = queries(UID)


@pytest.mark.parametrize("name", [name for name in EVERY if name not in SILENT])
def test_a_panel_has_something_to_show(services: Scene, name: str) -> None:
    assert services.ask(name)


@pytest.mark.parametrize("name", sorted(SILENT))
def test_a_panel_without_its_service_is_no_error(services: Scene, name: str) -> None:
    assert services.ask(name) == []


def test_what_is_down_is_down(services: Scene) -> None:
    assert services.shown("Services") == {"prometheus": 1, "influxdb": 1, "pushgateway": 1, "grafana": 0}
    assert services.shown("Runners") == {"127.0.0.1:1": 0}


def test_alerts_that_fire_are_counted_and_named(services: Scene) -> None:
    firing = services.ask("Which alerts fire?")
    names = {one.labels["alertname"]: one.labels["severity"] for one in firing}
    assert names == {"PrometheusRemoteWriteRejected": "warning"}
    assert services.shown("Alerts firing") == {"__auto": 1}


def test_figures_are_those_of_the_services(services: Scene) -> None:
    assert services.shown("Configuration") == {"__auto": 1}
    assert services.shown("Alertmanagers") == {"__auto": 0}
    assert 0 < next(iter(services.shown("Storage used").values())) < 0.5
    (age,) = services.ask("Age of pushes A")
    before, after = services.pushed
    assert services.moment - after <= age.value <= services.moment - before
    assert (age.labels["job"], age.labels["instance"]) == ("player", "a")
    (refused,) = services.ask("Age of pushes B")
    assert refused.value == 0
    assert "status 400" in services.shown("Remote writes per second by answer")


def test_a_reader_reads_words_and_texts(services: Scene) -> None:
    """By Grafana's own library. A code is a text and stays 400, a moment is an age."""
    look = replace(LOOK, begin=services.moment - 3600, end=services.moment)
    found = read_from_prometheus(program_or_skip("grafana-display"), services.server, UID, lambda _: look)
    assert {row["title"]: row["text"] for row in found["Services"]} == {
        "grafana": "down",
        "influxdb": "up",
        "prometheus": "up",
        "pushgateway": "up",
    }
    assert [row["text"] for row in found["Configuration"]] == ["in effect"]
    assert [row["text"] for row in found["Alertmanagers"]] == ["0"]
    (alert,) = found["Which alerts fire?"]
    assert list(alert) == ["Severity", "Alert", "What", "Where"]
    assert (alert["Alert"], alert["What"]) == ("PrometheusRemoteWriteRejected", "400")
    (group,) = found["Age of pushes"]
    assert list(group) == ["Job", "Instance", "Age", "Last one refused"]
    assert (group["Job"], group["Instance"], group["Last one refused"]) == ("player", "a", "no")


BEGIN = 1_772_582_400
CHANGED, RESTARTED = BEGIN + 600, BEGIN + 1200


def lives() -> Iterator[tuple[str, Mapping[str, str], float, float]]:
    """A Prometheus that takes another configuration, and is restarted with an InfluxDB later."""
    prometheus = {"job": "prometheus", "instance": "prometheus:9090"}
    influxdb = {"job": "influxdb", "instance": "influxdb:8086"}
    for moment in range(BEGIN - 300, BEGIN + 1800, 15):
        born = RESTARTED if moment >= RESTARTED else BEGIN - 900
        loaded = max(born, CHANGED) if moment >= CHANGED else born
        yield "process_start_time_seconds", prometheus, moment, born
        yield "prometheus_config_last_reload_success_timestamp_seconds", prometheus, moment, loaded
        yield "influxdb_uptime_seconds", influxdb, moment, moment - born


@pytest.mark.parametrize(
    ("name", "moment", "told"),
    [
        ("@Starts of a service", RESTARTED, {"prometheus was started", "influxdb was started"}),
        ("@Changes of Prometheus' configuration", CHANGED, {"prometheus took its configuration anew"}),
    ],
)
def test_what_happens_to_a_service_is_marked_then(
    prometheus: StartPrometheus, name: str, moment: int, told: set[str]
) -> None:
    """A restart reads the configuration, too, and is no change of it."""
    server = prometheus(samples=openmetrics(lives()))
    found = lines(server, EVERY[name], replace(LOOK, begin=BEGIN, end=BEGIN + 1800))
    assert set(found) == told
    assert all(moment <= time <= moment + 135 for values in found.values() for time in values)


def test_services_tell_when_they_began(services: Scene) -> None:
    for name in ("process_start_time_seconds", "influxdb_uptime_seconds"):
        assert services.server.query(name, services.moment), name


# -- what dashboards ask for exists ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def runner_shows(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    directory: Path = tmp_path_factory.mktemp("catalogue")
    return {**catalogue.of_preset("ookla", directory), **catalogue.of_runner(directory)}


@pytest.mark.parametrize("which", ALL, ids=" - ".join)
def test_a_runner_shows_every_metric_and_label_that_is_asked_for(
    which: tuple[str, str], runner_shows: Catalogue
) -> None:
    """A panel on a name that nobody exposes is empty for ever, and looks like a quiet day."""
    text = re.sub(r" @ end\(\)", "", substituted(ALL[which].expression, LOOK))
    asked = list(selected(text))
    known = set(SCRAPED) | {"asname", "server", "hour", "day"}
    for name, labels in asked:
        if name.startswith(("pegel_", "ookla_", "asn_")):
            assert name in runner_shows, name
            assert labels <= runner_shows[name], name
            known |= runner_shows[name]
    if all(name.startswith(("pegel_", "ookla_", "asn_")) for name, _ in asked):
        assert grouped(text) <= known


def test_of_grafana_only_what_its_source_shows_is_asked_for() -> None:
    of_grafana: defaultdict[str, set[str]] = defaultdict(set)
    for text in (substituted(query.expression, LOOK) for query in EVERY.values()):
        for name, labels in selected(text):
            if name.startswith("grafana_"):
                of_grafana[name] |= labels | grouped(text)
    assert of_grafana == FROM_ITS_SOURCE
