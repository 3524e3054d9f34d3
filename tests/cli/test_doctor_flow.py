"""What the doctor says of the way of the numbers: one sentence for each stop, and one when all arrive."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from doubles import FakeClock, House, Keeping, metric
from pegel.cli.doctor_flow import flow_findings
from pegel.cli.findings import Finding
from pegel.cli.status_facts import gather
from pegel.errors import Retryable
from pegel.pipeline.health import Vitals
from pegel.plan import Plan
from pegel.state.bulletin import Said

NOON = 1_772_539_200


@dataclass
class Telling(Keeping):
    """A sink that can be asked what it has."""

    says: Callable[[Sequence[str]], Mapping[str, int] | None] = field(default=lambda _metrics: None)

    def stored(self, metrics: Sequence[str]) -> Mapping[str, int] | None:
        return self.says(metrics)


@dataclass
class Ward(House):
    """A runner that has counted an hour of two metrics, and what is known of it afterwards."""

    sink: Telling = field(default_factory=Telling)
    clock: FakeClock = field(default_factory=lambda: FakeClock(NOON + 610.0))

    def __post_init__(self) -> None:
        self.metrics = [metric("one"), metric("two")]

    def count(self) -> None:
        self.source.write(*((NOON + second, "a", 1, "u") for second in range(0, 600, 20)))
        self.run()

    def vitals(self, later: float = 0.0) -> Vitals:
        """As of a moment after the runner's last one, at which it still runs."""
        facts = gather(self.plan(), clock=FakeClock(self.clock.now + later))
        return replace(facts, process=7, said=Said(pid=7, mode="service", began=float(NOON)))


@pytest.fixture
def ward(tmp_path: Path) -> Ward:
    ward = Ward(tmp_path)
    ward.count()
    return ward


def told(vitals: Vitals, **options: Any) -> list[Finding]:
    return list(flow_findings(vitals, **{"unheard": (), "connect": True, **options}))


def test_when_all_arrive_one_line_says_so_and_where_they_were_seen(ward: Ward) -> None:
    [found] = told(ward.vitals())
    assert (found.level, found.part) == ("ok", "flow")
    assert found.sentence == "2 metrics, newest window of 1 min 10 s ago"
    ward.sink.says = lambda metrics: dict.fromkeys(metrics, NOON * 10**6)
    assert told(ward.vitals())[0].sentence.endswith("; seen in kept")


def test_metrics_that_stop_at_one_place_are_one_line(ward: Ward) -> None:
    """A source that is down would otherwise be told as often as it has metrics."""
    [found] = told(ward.vitals(later=7200))
    assert (found.level, found.part) == ("note", "flow")
    assert found.sentence == (
        "for an hour or more there is nothing of one, two; it stops at source log: nothing new was written for 2 h,"
        " and all of it is read"
    )


def test_what_a_store_lacks_is_told_of_this_store_alone(ward: Ward) -> None:
    ward.sink.says = lambda _metrics: {"one": NOON * 10**6}
    [found] = told(ward.vitals())
    assert found.sentence.startswith("nothing new arrives of two; it stops at sink kept: it took every point, and the")


def test_a_store_that_does_not_tell_is_a_note_and_no_accusation(ward: Ward) -> None:
    def refuse(_metrics: Sequence[str]) -> Mapping[str, int]:
        raise Retryable("the token may not read")

    ward.sink.says = refuse
    note, flow = told(ward.vitals())
    assert (note.level, note.part) == ("note", "sink kept")
    assert note.sentence == "it cannot be asked what it has stored: the token may not read"
    assert flow.level == "ok"


@pytest.mark.parametrize("options", [{"connect": False}, {"unheard": ["kept"]}])
def test_nobody_is_asked_who_does_not_answer_or_should_not_be_asked(ward: Ward, options: dict[str, Any]) -> None:
    """Each would cost ten seconds, and its own finding says it already."""

    def asked(_metrics: Sequence[str]) -> Mapping[str, int]:
        raise AssertionError

    ward.sink.says = asked
    assert [one.level for one in told(ward.vitals(), **options)] == ["ok"]


def test_many_metrics_are_named_by_the_first_three(ward: Ward) -> None:
    ward.metrics = [metric(f"m{number}") for number in range(5)]
    assert told(ward.vitals(later=7200))[0].sentence.startswith(
        "for an hour or more there is nothing of m0, m1, m2 and 2 more;"
    )


def test_before_the_first_start_and_without_metrics_there_is_nothing_to_follow(tmp_path: Path) -> None:
    fresh = Ward(tmp_path)
    assert told(fresh.vitals()) == []
    fresh.count()
    nothing = Plan(runner=fresh.plan().runner, sources=[], metrics=[], sinks=fresh.plan().sinks)
    [found] = told(replace(fresh.vitals(), plan=nothing))
    assert (found.level, found.sentence) == ("ok", "there is no metric: the runner tells of itself alone")
