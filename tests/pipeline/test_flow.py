"""Where the numbers of a metric stop: each place, told by its reason, and nothing told where all is well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from doubles import House, metric
from pegel.enrichers import Enricher
from pegel.enrichers.filter import Filter
from pegel.metrics.definition import Value
from pegel.pipeline.flow import Stopped, Stored, stopped
from pegel.pipeline.health import Vitals
from pegel.pipeline.holding import holder
from pegel.pipeline.stops import Stop
from pegel.plan import Plan
from pegel.state.bulletin import Said, Trouble
from pegel.units import Duration, Size

NOW = 1_772_539_200.0
US = 10**6
HOURS = 3600.0


def at(age: float) -> int:
    """A moment so many seconds ago."""
    return round((NOW - age) * US)


def source(newest: float | None = 10.0, active: float | None = 10.0, **more: Any) -> dict[str, Any]:
    known = {"partition": "app.log", "newest": None if newest is None else at(newest)}
    partitions = [] if active is None else [{**known, "active": at(active)}]
    return {"name": "log", "watermark": None, "partitions": partitions, "streams": [], "unread": 0, **more}


def counting(newest: float | None = 60.0, closed: float | None = 60.0, **more: Any) -> dict[str, Any]:
    facts = {
        "name": "m",
        "until": None,
        "watermark": None if closed is None else at(closed),
        "newest": None if newest is None else at(newest),
        "not_before": None,
    }
    return {**facts, **more}


def counter(name: str, value: int, **labels: str) -> dict[str, Any]:
    return {"name": name, "labels": labels, "value": value}


def facts(**changes: Any) -> dict[str, Any]:
    return {"sources": [source()], "metrics": [counting()], "sinks": [], "counters": [], **changes}


@pytest.fixture
def well(tmp_path: Path) -> Vitals:
    said = Said(pid=7, mode="service", began=NOW - 86400.0)
    return Vitals(now=NOW, plan=House(tmp_path).plan(), facts=facts(), process=7, said=said)


def sick(well: Vitals, **changes: Any) -> Vitals:
    return replace(well, facts=facts(**changes))


def troubled(vitals: Vitals, *troubles: Trouble) -> Vitals:
    assert vitals.said is not None
    return replace(vitals, said=replace(vitals.said, troubles=troubles))


def with_metric(vitals: Vitals, **changes: Any) -> Vitals:
    return replace(vitals, plan=replace(vitals.plan, metrics=[replace(metric(), **changes)]))


def with_enrichers(plan: Plan, *enrichers: Enricher) -> Plan:
    return replace(plan, sources=[replace(one, enrichers=enrichers) for one in plan.sources])


def found(vitals: Vitals, stored: Stored | None = None) -> Sequence[Stopped]:
    return list(stopped(vitals, stored))


def only(vitals: Vitals, stored: Stored | None = None) -> Stop:
    [one] = found(vitals, stored)
    return one.stop


def test_where_all_is_well_nothing_stops(well: Vitals) -> None:
    assert found(well) == []
    assert found(well, {"kept": {"m": at(60)}}) == []


# -- the runner ------------------------------------------------------------------------------------------------------


def test_a_runner_that_does_not_run_is_the_reason_before_any_other(well: Vitals) -> None:
    still = replace(sick(well, metrics=[counting(2 * HOURS, 2 * HOURS)]), process=None)
    assert only(still).part == "runner"
    assert "it does not run (died, began 1 d ago)" in only(still).sentence


def test_a_stopped_runner_is_no_reason_while_its_numbers_are_new(well: Vitals) -> None:
    """Somebody restarts it: nothing has been missing for an hour."""
    assert found(replace(well, process=None)) == []


def test_between_two_runs_of_cron_the_flow_is_followed_on(well: Vitals) -> None:
    cron = Said(pid=7, mode="once", began=NOW - 40, ended=NOW - 38)
    quiet = sick(well, sources=[source(2 * HOURS, 2 * HOURS)], metrics=[counting(2 * HOURS)])
    assert only(replace(quiet, process=None, said=cron)).part == "source log"


def test_a_metric_that_the_runner_does_not_know_tells_of_another_configuration(well: Vitals) -> None:
    stop = only(sick(well, metrics=[]))
    assert (stop.part, "what runs is not this configuration" in stop.sentence) == ("config", True)


# -- sources ---------------------------------------------------------------------------------------------------------


def old(well: Vitals, **changes: Any) -> Vitals:
    """No number for hours, and a source that tells why."""
    return sick(well, **{"metrics": [counting(3 * HOURS, 3 * HOURS)], **changes})


def test_a_source_that_fails_or_waits_says_so_in_its_own_words(well: Vitals) -> None:
    quiet = old(well, sources=[source(3 * HOURS, 3 * HOURS)])
    trouble = Trouble("source", "log", "app.log does not exist", NOW - 7200, waiting=True)
    assert only(troubled(quiet, trouble)).sentence == "it waits for 2 h: app.log does not exist"
    assert only(troubled(quiet, replace(trouble, waiting=False))).sentence.startswith("it fails for 2 h")


def test_a_state_that_cannot_be_written_is_why_nothing_is_read(well: Vitals) -> None:
    quiet = old(well, sources=[source(3 * HOURS, 3 * HOURS, unread=5)])
    stop = only(troubled(quiet, Trouble("state", "", "disk full", NOW - 60)))
    assert stop.sentence == "the state cannot be written, for 1 min: disk full"


def test_a_log_to_which_nothing_is_written_is_a_note(well: Vitals) -> None:
    """At night that is as it should be."""
    stop = only(old(well, sources=[source(3 * HOURS, 3 * HOURS)]))
    assert (stop.level, stop.part) == ("note", "source log")
    assert stop.sentence == "nothing new was written for 3 h, and all of it is read"


def test_a_source_that_never_gave_a_byte_is_a_problem(well: Vitals) -> None:
    stop = only(old(well, sources=[source(None, None)], metrics=[counting(None, None)]))
    assert (stop.level, stop.sentence) == ("problem", "nothing was ever read from it")


def test_rejected_lines_are_told_by_the_reason_of_most(well: Vitals) -> None:
    rejects = [
        counter("rejects_total", 5, source="log", reason="bad_time"),
        counter("rejects_total", 895, source="log", reason="malformed"),
        counter("rejects_total", 9999, source="other", reason="nul_hole"),
    ]
    stop = only(old(well, sources=[source(3 * HOURS, 5.0)], counters=rejects))
    assert "no line was a record for 3 h: 895 of 900 rejected ones are `malformed`" in stop.sentence
    assert "(it does not fit the format)" in stop.sentence
    assert "pegel explain" in stop.advice


def test_records_of_the_future_are_the_fault_of_a_clock(well: Vitals) -> None:
    rejects = [counter("rejects_total", 5, source="log", reason="future")]
    stop = only(old(well, sources=[source(None, 5.0)], counters=rejects))
    assert "`future`" in stop.sentence
    assert "date -u" in stop.advice


def test_records_that_come_with_old_times_are_the_fault_of_a_clock_too(well: Vitals) -> None:
    stop = only(old(well, sources=[source(2 * HOURS, 5.0)]))
    assert stop.sentence == "it is read, and what comes has times of 2 h ago"
    assert "UTC" in stop.advice


def test_a_backlog_is_a_note_and_no_wrong_clock(well: Vitals) -> None:
    stop = only(old(well, sources=[source(2 * HOURS, 5.0, unread=2**20)]))
    assert (stop.level, "it reads old records (of 2 h ago), 1.0 MiB are to come" in stop.sentence) == ("note", True)


def test_a_filter_that_lets_nothing_pass_is_shown(well: Vitals) -> None:
    quiet = old(well, sources=[source(None, 5.0)])
    stop = only(replace(quiet, plan=with_enrichers(quiet.plan, Filter(where="key = 'b'"))))
    assert stop.sentence == "it is read, and its filter lets nothing pass: `where = key = 'b'`"


def test_a_log_that_is_not_read_on_because_an_outbox_is_full_names_the_sink(well: Vitals) -> None:
    waiting = {"name": "kept", "waiting_bytes": 2**20, "waiting_points": 9, "oldest": at(3 * HOURS), "reasons": []}
    quiet = old(well, sources=[source(3 * HOURS, 3 * HOURS, unread=5)], sinks=[waiting])
    small = [replace(one, max_bytes=Size(1000)) for one in quiet.plan.sinks]
    assert "the outbox of kept is full" in only(replace(quiet, plan=replace(quiet.plan, sinks=small))).sentence
    assert "written and not read" in only(quiet).sentence


def test_of_two_sources_the_one_with_a_problem_is_told(well: Vitals) -> None:
    plan = well.plan
    second = replace(plan.sources[0], name="second")
    both = replace(plan, sources=[*plan.sources, second], metrics=[replace(metric(), sources=["log", "second"])])
    rows = [source(3 * HOURS, 3 * HOURS), {**source(None, None), "name": "second"}]
    assert only(replace(old(well, sources=rows), plan=both)).part == "source second"
    fresh = [source(3 * HOURS, 3 * HOURS), {**source(5.0), "name": "second"}]
    assert only(replace(old(well, sources=fresh), plan=both)).part == "metric m", "the second one has records"


# -- counting and windows --------------------------------------------------------------------------------------------


def test_a_condition_that_no_record_meets_is_shown(well: Vitals) -> None:
    stop = only(with_metric(old(well), where="status >= 500"))
    assert (stop.part, "none of them passes `where = status >= 500`" in stop.sentence) == ("metric m", True)
    assert stop.level == "note", "a metric of errors is right to be silent where there are none"


def test_values_that_cannot_be_stored_are_told(well: Vitals) -> None:
    counters = [counter("unusable_values_total", 7, metric="m", reason="not_finite")]
    assert "7 were not finite" in only(old(well, counters=counters)).sentence


def test_records_that_come_too_late_are_told(well: Vitals) -> None:
    assert "7 came too late" in only(old(well, counters=[counter("too_late_total", 7, metric="m")])).sentence
    assert "none is counted" in only(old(well)).sentence


def test_windows_that_wait_are_told_by_the_log_they_wait_for(well: Vitals) -> None:
    slow = {"partition": "slow.log", "newest": at(2 * HOURS), "active": at(5.0)}
    asleep = {"partition": "asleep.log", "newest": at(50 * HOURS), "active": at(50 * HOURS)}
    row = source()
    row["partitions"] += [slow, asleep]
    stop = only(sick(well, sources=[row], metrics=[counting(60.0, 2 * HOURS)]))
    assert stop.sentence == "windows are closed up to 2 h ago: they wait for slow.log", "the other one is idle"
    assert "`idle_after`" in stop.advice


def test_windows_wait_for_a_source_that_fails(well: Vitals) -> None:
    held = troubled(sick(well, metrics=[counting(60.0, None)]), Trouble("source", "log", "denied", NOW - 60))
    assert "no window was ever closed: they wait for the source log, which fails: denied" in only(held).sentence
    assert "after 1h (`max_hold`)" in only(held).advice


def test_a_log_that_is_waited_for_on_purpose_is_no_source_that_fails(well: Vitals) -> None:
    """It holds no window: only what cannot be read does."""
    slow = sick(well, sources=[source(2 * HOURS, 5.0)], metrics=[counting(60.0, 2 * HOURS)])
    waiting = troubled(slow, Trouble("source", "log", "it does not exist", NOW - 60, waiting=True))
    assert "fails" not in holder(metric(), waiting).what


def test_a_definition_that_has_ended_says_nothing_of_the_one_at_work(well: Vitals) -> None:
    former = counting(3 * HOURS, 3 * HOURS, until=at(2 * HOURS))
    assert found(sick(well, metrics=[former, counting()])) == []


def test_a_rolling_window_that_is_not_covered_is_a_note(well: Vitals) -> None:
    for begun, advice in ((1800.0, ["the first one comes in about 1 h 30 min"]), (7201.0, [])):
        young = with_metric(sick(well, metrics=[counting(not_before=at(begun))]), over=Duration(7200.0))
        assert [(one.stop.level, one.stop.advice) for one in found(young)] == [("note", one) for one in advice]


def test_a_metric_of_days_has_time_until_its_day_is_over(well: Vitals) -> None:
    """Its newest closed window began up to two days ago."""
    assert found(with_metric(sick(well, metrics=[counting(40 * HOURS, 20 * HOURS)]), every=Duration(86400.0))) == []


def test_what_is_told_once_a_day_is_not_missed_for_a_day(well: Vitals) -> None:
    texts = {"name": Value(value="max(key)", kind="info")}
    stored = {"kept": {"m": at(20 * HOURS)}}
    assert found(with_metric(well, values=texts), stored) == []


# -- sinks -----------------------------------------------------------------------------------------------------------


def waits(**more: Any) -> dict[str, Any]:
    return {"name": "kept", "waiting_bytes": 9, "waiting_points": 9, "oldest": at(5.0), "reasons": [], **more}


def test_a_metric_that_no_sink_takes_is_told(well: Vitals) -> None:
    plan = replace(well.plan, sinks=[replace(one, metrics=["other_*"]) for one in well.plan.sinks])
    assert only(replace(well, plan=plan)).sentence == "it is counted, and no sink takes it"


def test_a_sink_that_fails_is_told_after_five_minutes(well: Vitals) -> None:
    trouble = Trouble("sink", "kept", "connection refused", NOW - 301)
    assert only(troubled(well, trouble)).sentence == "nothing was stored for 5 min 1 s: connection refused"
    assert found(troubled(well, replace(trouble, since=NOW - 299))) == []
    assert found(troubled(well, trouble))[0].sink == "kept"


def test_a_sink_that_is_slower_than_its_points_is_told(well: Vitals) -> None:
    assert "the oldest waits for 2 h" in only(sick(well, sinks=[waits(oldest=at(2 * HOURS))])).sentence
    assert found(sick(well, sinks=[waits()])) == []


def refusing(well: Vitals, *metrics: str, age: float) -> Vitals:
    letters = {"reason": "field type conflict", "points": 12, "first": at(9 * HOURS), "last": at(age)}
    return sick(well, sinks=[waits(oldest=None, reasons=[{**letters, "metrics": list(metrics)}])])


def test_points_that_were_refused_within_the_hour_are_told_whatever_else_is_there(well: Vitals) -> None:
    for stored in ({"kept": {"m": at(60)}}, {"kept": {"m": at(3 * HOURS)}}, None):
        stop = only(refusing(well, "m", "n", age=60), stored)
        assert stop.sentence == "it refused 12 points for good: field type conflict"
    assert found(refusing(well, "n", age=60)) == []


def test_old_refusals_are_the_reason_only_where_the_store_has_nothing_newer(well: Vitals) -> None:
    old_ones = refusing(well, "m", age=3 * HOURS)
    assert found(old_ones) == []
    assert found(old_ones, {"kept": {"m": at(60)}}) == []
    assert "it refused 12 points" in only(old_ones, {"kept": {"m": at(3 * HOURS)}}).sentence


def test_a_store_that_does_not_have_what_it_took_is_told(well: Vitals) -> None:
    """Another bucket, a restored backup, a retention of an hour: every other figure looks well."""
    assert "the store has none of it in a week" in only(well, {"kept": {}}).sentence
    assert "has its newest point from 3 h ago" in only(well, {"kept": {"m": at(3 * HOURS)}}).sentence


def test_values_with_names_of_their_own_are_looked_for_by_these(well: Vitals) -> None:
    """Nothing is stored under the name of such a metric."""
    named = with_metric(
        well, values={"n": Value(value="count(*)", metric="hits"), "u": Value(value="max(number)", metric="top")}
    )
    assert found(named, {"kept": {"hits": at(3 * HOURS), "top": at(60)}}) == []
    assert "has its newest point from 3 h ago" in only(named, {"kept": {"hits": at(3 * HOURS)}}).sentence
    chosen = replace(named, plan=replace(named.plan, sinks=[replace(named.plan.sinks[0], metrics=["hits"])]))
    assert "the store has none of it in a week" in only(chosen, {"kept": {"top": at(60)}}).sentence
    assert (
        only(replace(named, plan=replace(named.plan, sinks=[replace(named.plan.sinks[0], metrics=["m"])]))).part
        == "sinks"
    )
