"""The Prometheus of the stack: its configuration, its alerts, and that each of them can fire and can be understood."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from collections import ChainMap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from engines.conftest import StartPrometheus
from engines.influxdb import Bucket
from engines.prometheus import Pushgateway
from pegel.cli import COMMANDS
from pegel.pipeline import reader
from stack import catalogue
from stack.alerts import HOME, RULES, RUNBOOK, TESTS, Alert, alerts, cases, read
from stack.catalogue import SCRAPED, WRITTEN, Catalogue
from stack.project import ROOT
from stack.promql import grouped, selected

ALERTS = [pytest.param(alert, id=alert.name) for alert in alerts()]
OF_RUNNERS = [pytest.param(alert, id=alert.name) for alert in alerts() if alert.group in ("ookla", "cdn77", "pegel")]


def promtool_says(promtool: Path, *words: str | Path) -> None:
    done = subprocess.run([promtool, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# -- promtool --------------------------------------------------------------------------------------------------------


def test_the_configuration_is_right(promtool: Path) -> None:
    promtool_says(promtool, "check", "config", HOME / "prometheus.yml")


def test_the_rules_are_right(promtool: Path) -> None:
    promtool_says(promtool, "check", "rules", "--lint=all", "--lint-fatal", *RULES)


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_the_alerts_fire_when_they_must_and_not_when_they_must_not(promtool: Path, path: Path) -> None:
    promtool_says(promtool, "test", "rules", path)


# -- every alert -----------------------------------------------------------------------------------------------------


def test_every_alert_is_tried_at_a_moment_of_each_kind() -> None:
    """An alert that nobody has seen fire is a hope; one that nobody has seen silent wakes people for nothing."""
    tried = {case for path in TESTS for case in cases(path)}
    always = {("Watchdog", False)}
    assert {(alert.name, fires) for alert in alerts() for fires in (True, False)} == tried | always


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_says_how_bad_it_is_what_happened_and_where_help_is(alert: Alert) -> None:
    assert alert.labels.keys() == {"severity"}
    assert alert.labels["severity"] in ("critical", "warning", "info", "none")
    assert alert.annotations.keys() == {"summary", "description", "runbook_url"}
    assert alert.annotations["runbook_url"] == f"docs/runbook.md#{alert.name.lower()}"
    assert len(alert.annotations["summary"]) < 120
    assert alert.annotations["description"].endswith(".")


def test_the_runbook_has_a_heading_for_every_alert_in_their_order() -> None:
    headings = re.findall(r"^### (\w+)$", RUNBOOK.read_text(), re.MULTILINE)
    assert headings == [alert.name for alert in alerts()]


def test_the_names_of_alerts_are_unique() -> None:
    names = [alert.name for alert in alerts()]
    assert len(names) == len(set(names))


# -- what they look at exists ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def runner_shows(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    directory = tmp_path_factory.mktemp("catalogue")
    presets = [catalogue.of_preset(preset, directory) for preset in ("ookla", "cdn77")]
    return {**ChainMap(*map(dict, presets)), **catalogue.of_runner(directory)}


def looked_at(prefixes: tuple[str, ...]) -> Iterator[tuple[str, str, set[str]]]:
    """Alert, metric and labels, of the metrics whose names begin so."""
    for alert in alerts():
        for name, labels in selected(alert.expression):
            if name.startswith(prefixes):
                yield alert.name, name, labels


def test_a_runner_shows_every_metric_and_label_that_an_alert_asks_for(runner_shows: Catalogue) -> None:
    """An alert on a name that nobody exposes is silent for ever."""
    for alert, name, labels in looked_at(("pegel_", "ookla_", "asn_", "cdn77_")):
        assert name in runner_shows, f"{alert} asks for {name}"
        assert labels <= runner_shows[name], f"{alert} asks for {sorted(labels - runner_shows[name])} of {name}"


@pytest.mark.parametrize("alert", OF_RUNNERS)
def test_series_are_put_together_by_labels_that_one_of_them_has(alert: Alert, runner_shows: Catalogue) -> None:
    """`by (srever)` is no error: all servers become one."""
    known = set(SCRAPED | WRITTEN).union(
        *(runner_shows.get(name, frozenset()) for name, _ in selected(alert.expression))
    )
    assert grouped(alert.expression) <= known


def test_prometheus_shows_what_alerts_ask_for(prometheus: StartPrometheus) -> None:
    server = prometheus()
    server.request("POST", "/api/v1/write", b"refused")
    group = 'prometheus_rule_evaluation_failures_total{rule_group="'  # it is there as soon as there is a rule
    page = server.page() + group
    assert 'prometheus_http_requests_total{code="400",handler="/api/v1/write"} 1' in page
    assert [
        name for _, name, _ in looked_at(("prometheus_",)) if not re.search(rf"^{name}\b", page, re.MULTILINE)
    ] == []


def test_pushgateway_shows_what_alerts_ask_for(pushgateway: Pushgateway) -> None:
    pushgateway.push("job/player", "watching 3\n")
    page = pushgateway.page()
    assert [name for _, name, _ in looked_at(("push_",)) if f"{name}{{" not in page] == []


def test_influxdb_shows_what_alerts_ask_for(bucket: Bucket) -> None:
    """`http_api_requests_total` would be the obvious one, and does not count a single error."""
    assert bucket.write("refused").status == 400
    as_json = {"Content-Type": "application/json"}
    query = b'{"query": "refused"}'
    assert (
        bucket.server.request("POST", "/api/v2/query?org=pegel", query, as_json, bucket.server.operator).status == 400
    )
    page = bucket.server.request("GET", "/metrics").body.decode()
    for name in ("http_write_request_count", "http_query_request_count"):
        assert re.search(rf'^{name}{{endpoint="/api/v2/\w+",org_id="\w+",status="4\d\d"}} \d', page, re.MULTILINE)
    # a task has run before its counter is there; what it is called was seen on 2.7.12
    ours = {name for _, name, _ in looked_at(("http_", "task_"))}
    assert ours == {"http_write_request_count", "http_query_request_count", "task_executor_total_runs_complete"}


def test_nothing_else_is_looked_at() -> None:
    """A new prefix needs a test of its own here."""
    names = {name for alert in alerts() for name, _ in selected(alert.expression)}
    known = ("pegel_", "ookla_", "cdn77_", "prometheus_", "push_", "http_", "task_")
    assert {name for name in names if not name.startswith(known)} == {"up"}


def test_what_a_source_may_lose_is_what_its_log_warns_of() -> None:
    (lost,) = [alert for alert in alerts() if alert.name == "PegelLogLost"]
    assert set(re.findall(r'what=~"([^"]+)"', lost.expression)[0].split("|")) == reader._TOLD.keys()


# -- the runbook -----------------------------------------------------------------------------------------------------


def test_every_command_of_the_runbook_exists(services: dict[str, Any]) -> None:
    """Somebody types it at night."""
    text = RUNBOOK.read_text()
    assert set(re.findall(r"\bpegel ([a-z]+)\b", " ".join(re.findall(r"`[^`]+`", text)))) <= set(COMMANDS)
    named = re.findall(r"docker compose (?:exec|logs --tail \d+|logs|kill --signal HUP|up --detach|ps) (\w+)", text)
    assert set(named) <= {*services, "SERVICE"}


# -- with the rest of the stack --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def config() -> dict[str, Any]:
    found: dict[str, Any] = read(HOME / "prometheus.yml")
    return found


def test_every_service_is_scraped_where_it_listens(config: dict[str, Any], services: dict[str, Any]) -> None:
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    assert list(jobs) == ["runner", "pushgateway", "prometheus", "grafana", "influxdb"]
    for name, job in jobs.items():
        (target,) = job["static_configs"][0]["targets"]
        assert target.partition(":")[0] in (name, "localhost")
    assert jobs["pushgateway"]["honor_labels"] is True
    assert set(jobs["runner"]["dns_sd_configs"][0]["names"]) <= set(services)


def test_a_profile_that_is_off_is_no_target_that_is_down(services: dict[str, Any]) -> None:
    """Without it an engine says SERVFAIL instead of "no such name": an error every 15 s, and a demo that has ended is
    taken for one that is down (seen on 20.10; both are gone with it)."""
    assert services["prometheus"]["dns_opt"] == ["ndots:1"]


def test_a_job_that_is_missing_is_told(config: dict[str, Any]) -> None:
    """`absent` needs the name of each job; a new one must be in it too."""
    (absent,) = [alert for alert in alerts() if alert.name == "TargetAbsent"]
    jobs = {job["job_name"] for job in config["scrape_configs"]}
    assert set(re.findall(r'absent\(up\{job="(\w+)"\}\)', absent.expression)) == jobs


def test_grafana_knows_how_often_prometheus_scrapes(config: dict[str, Any]) -> None:
    """`$__rate_interval` is made of it; where they differ panels are empty or coarse."""
    sources = read(ROOT / "grafana" / "provisioning" / "datasources" / "pegel.yaml")["datasources"]
    (source,) = [one for one in sources if one["uid"] == "pegel-prometheus"]
    assert source["jsonData"]["timeInterval"] == config["global"]["scrape_interval"]


def test_a_week_may_be_written_late(config: dict[str, Any]) -> None:
    assert config["storage"]["tsdb"]["out_of_order_time_window"] == "192h"


# -- at work ---------------------------------------------------------------------------------------------------------


def test_every_rule_works_on_a_real_server_and_pushed_labels_are_kept(
    config: dict[str, Any], prometheus: StartPrometheus, pushgateway: Pushgateway
) -> None:
    """A rule may be good grammar and still fail at work: labels that match several series."""
    pushgateway.push("job/studio/instance/player-1", "watching 3\n")
    server = prometheus(yaml.safe_dump(at_work(config, {"pushgateway": pushgateway.address})))
    (pushed,) = server.until("watching")
    assert pushed.labels == {"__name__": "watching", "job": "studio", "instance": "player-1"}
    server.until('ALERTS{alertname="Watchdog", alertstate="firing"}')
    (group,) = [one for one in server.api("/api/v1/rules")["groups"] if one["name"] == "stack"]
    assert {one["health"] for one in group["rules"]} == {"ok"}
    assert {one.labels["alertname"] for one in server.until('ALERTS{alertname="TargetDown"}')} == {"TargetDown"}
    for job in ("runner", "prometheus", "grafana", "influxdb"):
        server.until(f'up{{job="{job}"}} == 0')
    assert {one.labels["job"] for one in server.query("up == 1")} == {"pushgateway"}


def example(directory: Path) -> str:
    """The file that its README shows."""
    (block,) = re.findall(r"^```json\n(.*?)^```", (directory / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    return str(block)


def test_the_files_that_the_readmes_show_are_taken(prometheus: StartPrometheus, tmp_path: Path) -> None:
    """Runners on other hosts, and those who are told of alerts; with the configuration as it is shipped."""
    shutil.copytree(HOME, tmp_path / "prometheus")
    for name in ("targets", "alertmanagers"):
        (tmp_path / "prometheus" / name / "own.json").write_text(example(HOME / name))
    server = prometheus(tmp_path / "prometheus" / "prometheus.yml")
    never = threading.Event()
    targets: list[dict[str, str]] = []
    managers: list[str] = []
    for _ in range(200):
        targets = [one["labels"] for one in server.api("/api/v1/targets?state=active")["activeTargets"]]
        managers = [one["url"] for one in server.api("/api/v1/alertmanagers")["activeAlertmanagers"]]
        if managers and any("site" in one for one in targets):
            break
        never.wait(0.1)
    assert {"job": "runner", "instance": "speedtest-1.example.net:9464", "site": "cologne"} in targets
    assert managers == ["http://alertmanager.example.net:9093/api/v2/alerts"]


def at_work(config: dict[str, Any], addresses: dict[str, str]) -> dict[str, Any]:
    """The configuration with services at these addresses, the others nowhere, and everything once a second."""
    jobs = [
        {
            **{key: value for key, value in job.items() if not key.endswith("_sd_configs")},
            "static_configs": [{"targets": [addresses.get(job["job_name"], "127.0.0.1:1")]}],
        }
        for job in config["scrape_configs"]
    ]
    each_second = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    rules = [str(HOME / name) for name in config["rule_files"]]
    return {"global": each_second, "storage": config["storage"], "rule_files": rules, "scrape_configs": jobs}
