"""`/health`: the verdict of `pegel status` over HTTP."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from doubles import FakeClock
from pegel.cli.health import PATH, Verdict, with_health
from pegel.listening import Asked
from pegel.pipeline.health import Complaint
from pegel.plan import Plan, RunnerSettings, SinkPlan
from pegel.sinks.prometheus import Prometheus

AILING = Complaint("sink influx", "fails since 10 minutes", "look at its server")


def test_all_is_well_or_there_is_a_reason() -> None:
    well, ailing = Verdict(list).answer(Asked()), Verdict(lambda: [AILING]).answer(Asked())
    assert (well.status, json.loads(well.body)["healthy"]) == (200, True)
    assert (ailing.status, json.loads(ailing.body)["complaints"][0]["part"]) == (503, "sink influx")


def test_who_asks_often_is_told_what_was_seen_before() -> None:
    """A look reads the state; a stranger's loop must not make it a load."""
    looks: list[int] = []
    clock = FakeClock()

    def look() -> Sequence[Complaint]:
        looks.append(1)
        return []

    verdict = Verdict(look, clock)
    for _ in range(10):
        verdict.answer(Asked())
    assert len(looks) == 1
    clock.now += 6
    verdict.answer(Asked())
    assert len(looks) == 2


def test_it_is_at_every_address_under_the_rules_of_what_is_there(tmp_path: Path) -> None:
    one = Prometheus(listen="127.0.0.1:1", hosts=["runner"])
    two = Prometheus(listen="127.0.0.1:1", path="/more")
    other = Prometheus(listen="127.0.0.1:2", path=PATH)
    sinks = [SinkPlan(name=str(number), type="prometheus", sink=sink) for number, sink in enumerate((one, two, other))]
    plan = Plan(runner=RunnerSettings(state=tmp_path), sources=[], metrics=[], sinks=sinks)
    health = [endpoint for endpoint in with_health(plan) if endpoint.path == PATH]
    assert sorted((str(endpoint.address), tuple(endpoint.hosts)) for endpoint in health) == [
        ("127.0.0.1:1", ("runner",)),
        ("127.0.0.1:2", ()),
    ]
