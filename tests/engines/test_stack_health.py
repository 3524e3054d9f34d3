"""The dashboard `Stack health` on a real Prometheus that scrapes real services; and what dashboards ask for exists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from engines.conftest import program_or_skip
from engines.grafana_prometheus import Look, Query, called, queries, substituted
from engines.influxdb import Bucket, Server
from engines.prometheus import Prometheus, Pushgateway
from stack import catalogue
from stack.alerts import HOME
from stack.catalogue import SCRAPED, Catalogue
from stack.promql import grouped, selected

UID = "stack-health"
LOOK = Look(0, 3600, 1, 1, variables={"server": ".*", "zone": "0", "instance": ".*", "source": ".*", "sink": ".*"})
"""Scrapes are a second apart: so rates are over four."""

BOARDS = ("overview", "ookla-prometheus", "pegel-itself", "stack-health")
ALL = {(uid, name): query for uid in BOARDS for name, query in queries(uid).items()}

FROM_ITS_SOURCE = {
    "grafana_http_request_duration_seconds_count": {"status_code"},
    "grafana_http_request_duration_seconds_bucket": {"le"},
    "grafana_datasource_request_total": {"datasource", "code"},
}
"""What Grafana shows, and its labels; none ran here."""

SILENT = {
    "Requests per second by answer",
    "Requests to data sources by answer",
    "Time of an answer",
    "Room on the disks of the runners",
    "Memory by service C",
}
"""Panels without a service behind them here: Grafana and the runner (see test_runner_dashboards)."""


@pytest.fixture(scope="module")
def services(influxdb: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus that scrapes itself, an InfluxDB and a Pushgateway each second; each has had something to do."""
    gateway = Pushgateway(program_or_skip("pushgateway"), tmp_path_factory.mktemp("pushgateway"))
    gateway.push("job/player/instance/a", "watching 3\n")
    bucket = influxdb.bucket("health")
    assert bucket.write("m v=1 1772582000").status == 204
    ask_nothing(bucket)
    directory = tmp_path_factory.mktemp("prometheus")
    config = {
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
    program = program_or_skip("prometheus")
    server = Prometheus(program, directory, yaml.safe_dump(config), "--storage.tsdb.retention.size=1GB")
    (directory / "own.json").write_text(f'[{{"targets": ["{server.address}"]}}]', encoding="utf-8")
    server.request("POST", "/api/v1/write", b"refused")
    server.until('rate(prometheus_http_requests_total{handler="/api/v1/write"}[4s])')
    server.until("rate(http_write_request_count[4s])")
    server.until("rate(prometheus_rule_evaluation_failures_total[4s])")
    server.until('ALERTS{alertname="PrometheusRemoteWriteRejected", alertstate="firing"}')
    yield server
    server.stop()
    gateway.stop()


def ask_nothing(bucket: Bucket) -> None:
    body = b'{"query": "buckets()"}'
    as_json = {"Content-Type": "application/json"}
    reply = bucket.server.request("POST", "/api/v2/query?org=pegel", body, as_json, bucket.server.operator)
    assert reply.status == 200


def now(server: Prometheus, query: Query) -> dict[str, float]:
    return {called(one, query): one.value for one in server.query(substituted(query.expression, LOOK))}


EVERY = queries(UID)


@pytest.mark.parametrize("name", [name for name in EVERY if name not in SILENT])
def test_a_panel_has_something_to_show(services: Prometheus, name: str) -> None:
    assert now(services, EVERY[name])


@pytest.mark.parametrize("name", SILENT)
def test_a_panel_without_its_service_is_no_error(services: Prometheus, name: str) -> None:
    assert now(services, EVERY[name]) == {}


def test_what_is_down_is_down(services: Prometheus) -> None:
    services.until('up{job="grafana"} == 0')
    assert now(services, EVERY["Services"]) == {"prometheus": 1, "influxdb": 1, "pushgateway": 1, "grafana": 0}
    assert now(services, EVERY["Runners"]) == {"127.0.0.1:1": 0}


def test_figures_are_those_of_the_services(services: Prometheus) -> None:
    assert now(services, EVERY["Configuration"]) == {"__auto": 1}
    assert now(services, EVERY["Alertmanagers"]) == {"__auto": 0}
    moment = services.query("time()")[0].value
    firing = services.query(EVERY["Which alerts fire"].expression, moment)
    assert [one.value for one in services.query(EVERY["Alerts firing"].expression, moment)] == [len(firing)]
    names = {one.labels["alertname"]: one.labels["severity"] for one in firing}
    assert names == {"PrometheusRemoteWriteRejected": "warning"}
    assert 0 < next(iter(now(services, EVERY["Storage used"]).values())) < 0.5
    (age,) = services.query(EVERY["Age of pushes A"].expression)
    assert 0 <= age.value < 60
    assert (age.labels["job"], age.labels["instance"]) == ("player", "a")
    (refused,) = services.query(EVERY["Age of pushes B"].expression)
    assert refused.value == 0
    assert "status 400" in now(services, EVERY["Remote writes per second by answer"])
    assert "status 204" in now(services, EVERY["Writes per second by answer"])
    assert "status 200" in now(services, EVERY["Queries per second by answer"])


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
    texts = [substituted(query.expression, LOOK) for query in EVERY.values()]
    of_grafana = {
        name: labels | grouped(text) for text in texts for name, labels in selected(text) if name.startswith("grafana_")
    }
    assert of_grafana == FROM_ITS_SOURCE
