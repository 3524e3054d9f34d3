"""The production file against the hardening table of docs/stack.md, service by service and line by line."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from pegel.config import load
from stack.project import ALWAYS, DEMO, DEV, ROOT, project, run

STACK = ROOT / "stack"
SERVICES = [*ALWAYS, *DEMO, *DEV]
RUNNERS = ("runner", "demo", "runner-dev")
WRITERS = ("demo-log", "demo-cdn")
"""They write the logs of the demonstration."""


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest, services: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = services[request.param]
    return found


# -- every service ------------------------------------------------------------------------------------------------


def test_these_are_all(services: dict[str, Any]) -> None:
    """A new service must be in the lists, or nothing below looks at it."""
    assert set(services) == set(SERVICES)


def test_the_container_cannot_be_written_to(service: dict[str, Any]) -> None:
    assert service["read_only"] is True
    assert service["tmpfs"] == ["/tmp:size=64m,mode=1777"]


def test_it_has_no_rights(service: dict[str, Any]) -> None:
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"cap_add", "privileged", "devices", "pid", "ipc", "userns_mode"} & set(service)


def test_it_is_nobody_in_particular(service: dict[str, Any]) -> None:
    """Numbers, since names are the image's; never root."""
    assert re.fullmatch(r"[1-9]\d*:\d+", service["user"])


def test_it_has_limits(service: dict[str, Any]) -> None:
    assert service["pids_limit"] == 256
    assert 128 * 2**20 <= int(service["mem_limit"]) <= 2 * 2**30


def test_its_log_does_not_fill_the_disk(service: dict[str, Any]) -> None:
    assert service["logging"] == {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}}


def test_it_goes_on_after_a_crash_and_a_reboot(service: dict[str, Any]) -> None:
    assert service["restart"] == "unless-stopped"


def test_nobody_waits_for_a_service_to_end(service: dict[str, Any]) -> None:
    """A one-shot service runs again at every `up`, and makes `--dry-run` wait for ever."""
    conditions = {one["condition"] for one in service.get("depends_on", {}).values()}
    assert conditions <= {"service_healthy", "service_started"}


def test_its_health_is_looked_at(service: dict[str, Any]) -> None:
    """By address: `localhost` may be IPv6. Without `start_interval`, which older engines refuse."""
    health = service["healthcheck"]
    assert health["test"][0] in ("CMD", "CMD-SHELL")
    assert "localhost" not in " ".join(health["test"])
    assert set(health) == {"test", "interval", "timeout", "retries", "start_period"}


def test_two_projects_can_run_beside_each_other(service: dict[str, Any]) -> None:
    assert not {"container_name", "network_mode"} & set(service) or service["network_mode"] == "none"


def test_what_it_is_given_are_directories_that_it_cannot_change(service: dict[str, Any]) -> None:
    """A mounted file stays the old one when an editor replaces it; whatever a container may write is a volume."""
    for mount in service["volumes"]:
        if mount["type"] == "bind":
            assert mount["read_only"] is True
            assert Path(mount["source"]).is_relative_to(ROOT)
            assert not Path(mount["source"]).is_file()
        else:
            assert mount["type"] == "volume"
            assert mount["source"]
    assert not {"configs", "secrets"} & set(service)


def test_what_it_keeps_is_in_volumes_and_they_are_all(services: dict[str, Any]) -> None:
    """The root is read-only, so a place that is missing here is one where a service fails when it first writes."""
    kept = {
        name: {mount["target"] for mount in one["volumes"] if mount["type"] == "volume" and not mount.get("read_only")}
        for name, one in services.items()
    }
    assert kept == {
        "prometheus": {"/prometheus"},
        "pushgateway": {"/pushgateway"},
        "influxdb": {"/var/lib/influxdb2", "/etc/influxdb2"},
        "grafana": {"/var/lib/grafana"},
        "runner": {"/var/lib/pegel"},
        "demo-log": {"/var/lib/pegel"},
        "demo-cdn": {"/var/lib/pegel"},
        "demo": {"/var/lib/pegel"},
        "runner-dev": {"/var/lib/pegel"},
    }
    assert "--storage.tsdb.path=/prometheus" in services["prometheus"]["command"]
    assert "--persistence.file=/pushgateway/metrics" in services["pushgateway"]["command"]


def test_who_starts_programs_has_somebody_to_bury_them(services: dict[str, Any]) -> None:
    """A runner and its health check, a start script that works in the background."""
    assert {name for name, one in services.items() if one.get("init")} == {"influxdb", *RUNNERS, *WRITERS}


def test_no_secret_is_in_the_environment(service: dict[str, Any]) -> None:
    """`docker inspect` shows it to everybody who may ask the engine."""
    sounds = re.compile("(PASSWORD|SECRET_KEY|TOKEN)$")
    assert not [name for name in service.get("environment", {}) if sounds.search(name)]


# -- ports and networks -------------------------------------------------------------------------------------------


def test_only_grafana_can_be_reached_and_only_from_this_machine(services: dict[str, Any]) -> None:
    published = {name: one["ports"] for name, one in services.items() if one.get("ports")}
    assert list(published) == ["grafana"]
    assert [(port["host_ip"], port["published"]) for port in published["grafana"]] == [("127.0.0.1", "3000")]


def test_ports_are_variables(compose: Path) -> None:
    """Somebody else's program is on 3000 already."""
    environ = {"GRAFANA_PORT": "3333", "BIND_ADDRESS": "192.0.2.1"}
    grafana = project(compose, environ=environ)["services"]["grafana"]
    assert [(port["host_ip"], port["published"]) for port in grafana["ports"]] == [("192.0.2.1", "3333")]
    assert grafana["environment"]["GF_SERVER_ROOT_URL"] == "http://localhost:3333/"


def test_the_stores_have_no_way_in_or_out(compose: Path, services: dict[str, Any]) -> None:
    assert project(compose)["networks"]["backend"]["internal"] is True
    networks = {name: set(one.get("networks", {})) for name, one in services.items()}
    assert networks == {
        "prometheus": {"backend"},
        "pushgateway": {"backend"},
        "influxdb": {"backend"},
        "grafana": {"edge", "backend"},
        "runner": {"backend", "outside"},
        "demo-log": set(),
        "demo-cdn": set(),
        "demo": {"backend"},
        "runner-dev": {"backend", "outside"},
    }


# -- secrets ------------------------------------------------------------------------------------------------------


def test_a_token_is_for_the_service_that_needs_it(services: dict[str, Any]) -> None:
    """InfluxDB writes each token for the group of its reader; nobody is in the group of another."""
    influxdb, grafana = services["influxdb"], services["grafana"]
    runner_group, grafana_group = (influxdb["environment"][name] for name in ("RUNNER_GROUP", "GRAFANA_GROUP"))
    assert influxdb["group_add"] == [runner_group, grafana_group]
    assert grafana["group_add"] == [grafana_group] != [runner_group]
    assert all(services[name]["group_add"] == [runner_group] for name in RUNNERS)
    others = set(SERVICES) - {"influxdb", "grafana", *RUNNERS}
    assert not any("group_add" in services[name] or "stack-tokens" in str(services[name]) for name in others)


def test_only_influxdb_can_write_tokens(services: dict[str, Any]) -> None:
    writers = {
        name
        for name, one in services.items()
        for mount in one["volumes"]
        if mount["source"] == "stack-tokens" and not mount.get("read_only")
    }
    assert writers == {"influxdb"}


def test_each_service_sees_its_own_secrets_only(services: dict[str, Any]) -> None:
    seen = {
        name: Path(mount["source"]).relative_to(STACK).as_posix()
        for name, one in services.items()
        for mount in one["volumes"]
        if mount["target"] == "/run/own-secrets"
    }
    assert seen == {"influxdb": "secrets/influxdb", "grafana": "secrets/grafana"}


# -- what is set --------------------------------------------------------------------------------------------------


def test_nothing_has_to_be_set(compose: Path) -> None:
    """Compose warns of each variable without a value."""
    done = run(compose, "config", "--quiet")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("variable", "value", "service", "found"),
    [
        ("PROMETHEUS_RETENTION", "200h", "prometheus", "--storage.tsdb.retention.time=200h"),
        ("PROMETHEUS_RETENTION_SIZE", "3GB", "prometheus", "--storage.tsdb.retention.size=3GB"),
        ("INFLUX_RETENTION", "7d", "influxdb", "'INFLUX_RETENTION': '7d'"),
        ("INFLUX_RETENTION_5M", "999d", "influxdb", "'INFLUX_RETENTION_5M': '999d'"),
        ("INFLUX_RETENTION_V1", "8d", "influxdb", "'INFLUX_RETENTION_V1': '8d'"),
        ("INFLUX_ORG", "acme", "grafana", "'INFLUX_ORG': 'acme'"),
        ("SERVER_TAG", "st-01", "runner", "'SERVER_TAG': 'st-01'"),
        ("PEGEL_CONFIG_DIR", "/etc/pegel", "runner", "'source': '/etc/pegel'"),
    ],
)
def test_every_store_keeps_its_data_for_as_long_as_is_said(
    compose: Path, variable: str, value: str, service: str, found: str
) -> None:
    assert found in str(project(compose, environ={variable: value})["services"][service])


def read_variables() -> dict[str, str]:
    """The variables of the files, with their defaults."""
    text = "".join((STACK / name).read_text() for name in ("compose.yaml", "compose.ports.yaml"))
    return dict(re.findall(r"\$\{(\w+):-([^{}]*)\}", text))


def test_the_example_of_settings_is_what_counts_without_any() -> None:
    example = dict(re.findall(r"^#(\w+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert example == read_variables()


def test_every_variable_is_in_the_documentation() -> None:
    """With its default; and none is there that nothing reads."""
    read = {name: default.removeprefix("./") for name, default in read_variables().items()}
    rows = re.findall(r"^\| (`[A-Z].*?) \| (.*?) \|", (ROOT / "docs" / "stack.md").read_text(), re.MULTILINE)
    told = {name: cell for names, cell in rows for name in re.findall(r"\w+", names)}
    assert set(read) <= set(told)
    assert {name for name in told if name not in read} <= {"GRAFANA_URL"}  # its default has a variable
    assert [name for name, default in read.items() if default not in told[name]] == []


def test_grafana_asks_nobody_on_the_internet(services: dict[str, Any]) -> None:
    """At each start it would replace its data sources by newer ones, and be without them where it cannot."""
    environment = services["grafana"]["environment"]
    assert environment["GF_PLUGINS_PREINSTALL_DISABLED"] == "true"
    assert environment["GF_AUTH_ANONYMOUS_ENABLED"] == environment["GF_SECURITY_ALLOW_EMBEDDING"] == "false"
    calls = ("PREINSTALL_AUTO_UPDATE", "PLUGIN_ADMIN_ENABLED")
    assert {environment[f"GF_PLUGINS_{name}"] for name in calls} == {"false"}
    assert environment["GF_PLUGINS_PUBLIC_KEY_RETRIEVAL_DISABLED"] == "true"
    reports = ("REPORTING_ENABLED", "CHECK_FOR_UPDATES", "CHECK_FOR_PLUGIN_UPDATES")
    assert {environment[f"GF_ANALYTICS_{name}"] for name in reports} == {"false"}
    assert environment["GF_SECURITY_DISABLE_GRAVATAR"] == "true"
    assert environment["GF_NEWS_NEWS_FEED_ENABLED"] == environment["GF_USERS_ALLOW_SIGN_UP"] == "false"
    assert "GF_INSTALL_PLUGINS" not in environment


def test_influxdb_tells_nobody_and_takes_no_weak_password(services: dict[str, Any]) -> None:
    environment = services["influxdb"]["environment"]
    for name in ("REPORTING_DISABLED", "HARDENING_ENABLED", "STRONG_PASSWORDS"):
        assert environment[f"INFLUXD_{name}"] == "true"


def test_nobody_can_delete_what_is_stored_over_the_network(services: dict[str, Any]) -> None:
    """Neither store asks for a login, and whoever is in their network may talk to them."""
    words = [*services["prometheus"]["command"], *services["pushgateway"]["command"]]
    assert not [word for word in words if "admin-api" in word or "lifecycle" in word]
    assert "--web.enable-remote-write-receiver" in words


def test_grafana_is_given_what_its_provisioning_names(services: dict[str, Any]) -> None:
    """Variables, token files, the first page: without one Grafana does not start, or starts without data."""
    grafana = services["grafana"]
    places = {mount["target"]: mount["source"] for mount in grafana["volumes"]}
    provisioning = Path(places["/etc/grafana/provisioning"])
    text = "".join(path.read_text() for path in sorted(provisioning.rglob("*.yaml")))
    assert set(re.findall(r"\$\{(\w+)\}", text)) <= set(grafana["environment"])
    made = {f"/run/stack-tokens/{name}" for name in ("grafana-read",)}
    assert places["/run/stack-tokens"] == "stack-tokens"
    assert set(re.findall(r"\$__file\{([^}]*)\}", text)) == made
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (provisioning / Path(home).relative_to("/etc/grafana/provisioning")).is_file()


def test_prometheus_finds_the_configuration_that_it_is_told(services: dict[str, Any]) -> None:
    prometheus = services["prometheus"]
    (mount,) = (mount for mount in prometheus["volumes"] if mount["target"] == "/etc/prometheus")
    (told,) = (word.partition("=")[2] for word in prometheus["command"] if word.startswith("--config.file="))
    assert (Path(mount["source"]) / Path(told).relative_to("/etc/prometheus")).is_file()


def test_profiles(compose: Path) -> None:
    assert set(project(compose)["services"]) == set(ALWAYS)
    assert set(project(compose, "demo")["services"]) == {*ALWAYS, *DEMO}
    assert set(project(compose, "dev")["services"]) == {*ALWAYS, *DEV}


def test_an_override_of_the_operator_is_added(compose: Path, tmp_path: Path) -> None:
    """How a log of the host, or a port, comes in without a change of a committed file."""
    override = tmp_path / "compose.override.yaml"
    override.write_text('services: {runner: {volumes: ["/opt/ookla:/opt/ookla:ro"], group_add: ["4"]}}\n')
    runner = project(compose, files=(override,))["services"]["runner"]
    assert "/opt/ookla" in {mount["source"] for mount in runner["volumes"]}
    assert runner["group_add"] == ["10101", "4"]


@pytest.mark.parametrize("name", ["targets", "alertmanagers"])
def test_prometheus_gets_a_way_out_where_somebody_is_to_be_reached(compose: Path, tmp_path: Path, name: str) -> None:
    """As it is shipped it reaches nobody on another host, whatever its files name."""
    text = (STACK / "prometheus" / name / "README.md").read_text()
    (block,) = re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    (tmp_path / "compose.override.yaml").write_text(block)
    opened = project(compose, files=(tmp_path / "compose.override.yaml",))
    assert set(opened["services"]["prometheus"]["networks"]) == {"backend", "outside"}
    assert not opened["networks"]["outside"].get("internal")
    assert "ports" not in opened["services"]["prometheus"]


def test_ports_of_the_stores_are_a_file_of_their_own(compose: Path) -> None:
    opened = project(compose, files=(STACK / "compose.ports.yaml",))["services"]
    published = {
        name: [(port["host_ip"], port["published"]) for port in one["ports"]]
        for name, one in opened.items()
        if "ports" in one
    }
    assert published == {
        "grafana": [("127.0.0.1", "3000")],
        "prometheus": [("127.0.0.1", "9090")],
        "pushgateway": [("127.0.0.1", "9091")],
        "influxdb": [("127.0.0.1", "8086")],
    }


# -- images -------------------------------------------------------------------------------------------------------


def test_versions_are_exact_and_in_one_file(services: dict[str, Any]) -> None:
    """`influxdb:latest` may be another product tomorrow."""
    assert "image:" not in (STACK / "compose.yaml").read_text()
    images = {one["image"] for name, one in services.items() if name not in (*RUNNERS, *WRITERS)}
    exact = re.compile(r"[a-z/]+:v?\d+\.\d+\.\d+(@sha256:[0-9a-f]{64})?")
    assert len(images) == 4
    assert all(exact.fullmatch(image) for image in images)


def test_the_runner_is_the_one_of_this_checkout(services: dict[str, Any]) -> None:
    """Our image is in no registry; who asks one for it gets a stranger's."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert services["runner"]["build"]["args"]["VERSION"] == version
    for name in ("runner", *DEMO):
        assert services[name]["image"] == f"pegel:{version}"
        assert services[name]["pull_policy"] == "never"
    assert services["runner-dev"]["pull_policy"] == "build"


def test_it_is_built_in_the_base_that_its_dockerfile_names(services: dict[str, Any]) -> None:
    base = services["runner"]["build"]["args"]["BASE"]
    assert f"ARG BASE={base}\n" in (STACK / "runner" / "Dockerfile").read_text()


# -- configurations -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["runner", "demo"])
def test_the_configurations_load(name: str, services: dict[str, Any], tmp_path: Path) -> None:
    (mounted,) = (mount["source"] for mount in services[name]["volumes"] if mount["target"] == "/etc/pegel")
    token = tmp_path / "token"
    token.write_text("x")
    text = (Path(mounted) / "config.toml").read_text().replace("/run/stack-tokens/runner-write", str(token))
    for mount in services[name]["volumes"]:
        if mount["target"] == "/samples":
            text = text.replace('"/samples/', f'"{mount["source"]}/')
    (tmp_path / "config.toml").write_text(text)
    plan = load(tmp_path / "config.toml", services[name]["environment"])
    (page, *_, influx) = plan.sinks
    (endpoint,) = page.sink.endpoints()
    assert name in endpoint.hosts
    assert endpoint.address.port == 9464
    assert influx.type == "influxdb2"
