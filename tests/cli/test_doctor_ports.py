"""Where a runner listens, as the doctor tells it: on invented ports, and on a real page."""

from __future__ import annotations

import errno
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from urllib.request import urlopen

import pytest

from pegel.cli.doctor_pages import fetched
from pegel.cli.doctor_ports import AtWork, Ports, port_findings
from pegel.cli.findings import Finding
from pegel.cli.health import with_health
from pegel.cli.listeners import Taken
from pegel.errors import Retryable
from pegel.listening import Endpoint
from pegel.plan import Plan, RunnerSettings, SinkPlan
from pegel.secret import Secret
from pegel.sinks.prometheus import Prometheus
from pegel.web import WebServer

NOW = 1_772_539_200.0
IN_USE = OSError(errno.EADDRINUSE, "in use")


def plan(directory: Path, *sinks: Prometheus) -> Plan:
    entries = [SinkPlan(name=str(number), type="prometheus", sink=sink) for number, sink in enumerate(sinks)]
    return Plan(runner=RunnerSettings(state=directory), sources=[], metrics=[], sinks=entries)


PAGE = Prometheus(listen="0.0.0.0:9464", hosts=["runner"])


def ports(
    error: OSError | None = IN_USE, taken: Taken | None = None, last: Mapping[str, float | None] | None = None
) -> Ports:
    return Ports(lambda _address: error, lambda _port: taken, lambda _endpoint: last or {})


RUNNER = AtWork(7, NOW - 86400.0)


def only(tmp_path: Path, found: Ports, runner: AtWork | None = RUNNER) -> Finding:
    [finding] = port_findings(plan(tmp_path, PAGE), found, runner, NOW)
    return finding


def test_a_free_port_is_fine_before_the_start_and_a_problem_beside_a_runner(tmp_path: Path) -> None:
    """A runner that does not listen where its file says runs another file."""
    assert only(tmp_path, ports(None), runner=None) == Finding("ok", "port 0.0.0.0:9464", "free")
    beside = only(tmp_path, ports(None))
    assert (beside.level, "it runs another configuration than this one" in beside.sentence) == ("problem", True)


def test_a_port_that_somebody_else_has_is_told_by_the_process(tmp_path: Path) -> None:
    for runner in (None, RUNNER):
        found = only(tmp_path, ports(taken=Taken(99, "node_exporter")), runner)
        assert (found.level, found.sentence) == ("problem", "it is taken by node_exporter (process 99)")
        assert "sport = :9464" in found.advice


def test_an_address_that_cannot_be_had_is_not_said_to_be_taken(tmp_path: Path) -> None:
    found = only(tmp_path, ports(OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")), None)
    assert found.sentence == "nobody can listen here: Cannot assign requested address"
    assert "`listen`" in found.advice


@pytest.mark.parametrize("taken", [Taken(7, "pegel"), Taken(), None])
def test_a_page_that_is_fetched_is_fine_whoever_may_see_the_runners_socket(tmp_path: Path, taken: Taken | None) -> None:
    found = only(tmp_path, ports(taken=taken, last={"0.0.0.0:9464/metrics": NOW - 9}))
    assert (found.level, found.sentence) == ("ok", "the runner answers, /metrics was fetched 9 s ago")


def test_a_page_that_nobody_fetches_is_told_with_the_names_that_it_goes_by(tmp_path: Path) -> None:
    """Whoever calls it by another name is refused: the usual reason, and Prometheus alone would know it."""
    never = only(tmp_path, ports(taken=Taken(7, "pegel"), last={"0.0.0.0:9464/metrics": None}))
    assert (never.level, never.sentence) == ("note", "nobody has fetched /metrics since it began 1 d ago")
    assert "0.0.0.0:9464 or runner (`hosts`)" in never.advice
    ceased = only(tmp_path, ports(taken=Taken(7, "pegel"), last={"0.0.0.0:9464/metrics": NOW - 7200}))
    assert ceased.sentence == "nobody has fetched /metrics for 2 h"


def test_a_runner_that_has_just_begun_needs_no_visitor_yet(tmp_path: Path) -> None:
    found = only(tmp_path, ports(taken=Taken(7, "pegel")), AtWork(7, NOW - 30.0))
    assert (found.level, found.sentence) == (
        "ok",
        "the runner answers (it began 30 s ago); /metrics was not fetched yet",
    )


def test_a_stranger_on_the_port_that_nobody_can_see_is_told_by_the_answer(tmp_path: Path) -> None:
    def refused(_endpoint: Endpoint) -> Mapping[str, float | None]:
        raise Retryable("its answer to /health (404) is not that of a runner")

    found = only(tmp_path, replace(ports(taken=Taken()), fetched=refused))
    assert (found.level, found.sentence) == ("problem", "its answer to /health (404) is not that of a runner")


def test_where_the_state_may_not_be_read_whoever_answers_as_a_runner_is_taken_for_it(tmp_path: Path) -> None:
    """An operator without rights must not be told that a stranger has the runner's port."""
    found = only(tmp_path, ports(taken=Taken(), last={"0.0.0.0:9464/metrics": NOW - 9}), AtWork())
    assert found.level == "ok"
    assert only(tmp_path, ports(taken=Taken()), AtWork()).sentence == "the runner answers; /metrics was not fetched yet"
    assert only(tmp_path, ports(None), AtWork()).sentence == "free"


def test_a_page_in_the_place_of_health_is_not_fetched_for_what_health_would_tell(tmp_path: Path) -> None:
    def asked(_endpoint: Endpoint) -> Mapping[str, float | None]:
        raise AssertionError

    own = plan(tmp_path, Prometheus(listen="127.0.0.1:9464", path="/health"))
    [found] = port_findings(own, replace(ports(taken=Taken()), fetched=asked), RUNNER, NOW)
    assert (found.level, found.sentence) == ("ok", "the runner answers")


def test_a_port_that_the_system_chooses_cannot_be_taken(tmp_path: Path) -> None:
    assert not list(port_findings(plan(tmp_path, Prometheus(listen="127.0.0.1:0")), ports(), None, NOW))


# -- a real page -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", [None, Secret("s3cret")])
def test_a_runner_tells_when_its_pages_were_fetched_and_asking_is_no_visit(
    tmp_path: Path, token: Secret | None
) -> None:
    """A counter that is new is 0 for its first visitor: that has to be Prometheus, and not a doctor."""
    page = Prometheus(listen="127.0.0.1:0", token=token)
    page.show([])
    of_plan = plan(tmp_path, page)
    web = WebServer(with_health(of_plan))
    web.open()
    web.start()
    try:
        [port] = web.addresses.values()
        [endpoint] = of_plan.endpoints()
        there = replace(endpoint, address=replace(endpoint.address, port=port))
        assert fetched(there) == {"127.0.0.1:0/metrics": None}
    finally:
        web.stop()


def test_a_visit_is_remembered_and_a_look_at_the_head_is_none(tmp_path: Path) -> None:
    page = Prometheus(listen="127.0.0.1:0")
    page.show([])
    web = WebServer(with_health(plan(tmp_path, page)))
    web.open()
    web.start()
    try:
        [port] = web.addresses.values()
        urlopen(f"http://127.0.0.1:{port}/metrics").close()
        with urlopen(f"http://127.0.0.1:{port}/health") as answer:
            facts = json.loads(answer.read())
    except OSError as error:  # 503: this state has never run
        facts = json.loads(error.read())  # type: ignore[attr-defined]
    finally:
        web.stop()
    assert facts["fetched"]["127.0.0.1:0/metrics"] > NOW


def test_nobody_there_and_somebody_else_there_are_told(tmp_path: Path) -> None:
    [endpoint] = plan(tmp_path, Prometheus(listen="127.0.0.1:1")).endpoints()
    with pytest.raises(Retryable, match="it does not answer"):
        fetched(endpoint)
