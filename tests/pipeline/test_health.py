"""The rules of health, each over invented facts: what is wrong is said, and what is normal is not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from doubles import House
from pegel.pipeline.health import Vitals, complaints, span
from pegel.state.bulletin import Said, Trouble

NOW = 1_772_539_200.0
US = 10**6


def facts(**changes: Any) -> dict[str, Any]:
    """A state that is well."""
    newest = round((NOW - 10) * US)
    partition = {"partition": "log", "newest": newest, "active": newest}
    well = {
        "state": "state.db",
        "bytes": 2**20,
        "snapshots": [{"path": "s", "time": round((NOW - 60) * US)}],
        "sources": [{"name": "log", "watermark": newest, "partitions": [partition], "streams": []}],
        "metrics": [{"name": "m", "until": None, "watermark": newest - 5 * US, "series": 1}],
        "sinks": [],
        "counters": [{"name": "records_total", "labels": {"source": "log"}, "value": 1000}],
    }
    return {**well, **changes}


def service(**changes: Any) -> Said:
    return Said(**{"pid": 7, "mode": "service", "began": NOW - 86400.0, **changes})


def cron(**changes: Any) -> Said:
    return Said(**{"pid": 7, "mode": "once", "began": NOW - 40, "former": NOW - 100, "ended": NOW - 38, **changes})


@pytest.fixture
def well(tmp_path: Path) -> Vitals:
    return Vitals(now=NOW, plan=House(tmp_path).plan(), facts=facts(), process=7, said=service())


def said(vitals: Vitals) -> list[str]:
    return [str(one) for one in complaints(vitals)]


def only(vitals: Vitals) -> str:
    [sentence] = said(vitals)
    return sentence


def test_what_is_well_is_not_complained_about(well: Vitals) -> None:
    assert said(well) == []


def test_a_runner_between_two_runs_of_cron_is_well(well: Vitals) -> None:
    assert said(replace(well, process=None, said=cron())) == []


def test_damaged_archives_are_named_with_what_to_do(well: Vitals) -> None:
    put_aside = [{"file": f"log.{number}.gz", "reason": "no end"} for number in (1, 2)]
    sources = [{**one, "put_aside": put_aside} for one in facts()["sources"]]
    assert only(replace(well, facts=facts(sources=sources))) == (
        "source log: 2 archives are damaged and not counted: log.1.gz (no end; and 1 more); move it away (mended or"
        " not, its windows are closed); pegel backfill counts a good copy"
    )


def test_objects_that_were_put_aside_are_named_with_what_to_do(well: Vitals) -> None:
    put_aside = [{"file": "logs/a", "reason": "it is a web page", "kind": "object"}]
    sources = [{**one, "put_aside": put_aside} for one in facts()["sources"]]
    assert only(replace(well, facts=facts(sources=sources))) == (
        "source log: an object is put aside and not counted: logs/a (it is a web page); mend or delete it, then pegel"
        " state retry: it is read again, or no longer named"
    )


def test_a_state_that_is_not_there_has_one_reason(well: Vitals) -> None:
    assert only(replace(well, facts=None)).startswith("runner: it has never run")


def test_a_service_that_was_stopped_and_one_that_died_are_told_apart(well: Vitals) -> None:
    """One was somebody's decision, the other needs a look into the log."""
    assert "it was stopped 1 min 5 s ago" in only(replace(well, process=None, said=service(ended=NOW - 65)))
    assert "process 7 began 1 d ago and died without a word" in only(replace(well, process=None, said=service()))


def test_cron_that_no_longer_starts_it_is_said(well: Vitals) -> None:
    old = cron(began=NOW - 1000, former=NOW - 1060, ended=NOW - 999)
    assert "the last run was 16 min 40 s ago; does cron" in only(replace(well, process=None, said=old))


def test_a_job_that_runs_every_hour_is_not_late_after_half_an_hour(well: Vitals) -> None:
    hourly = cron(began=NOW - 1800, former=NOW - 5400, ended=NOW - 1790)
    assert said(replace(well, process=None, said=hourly)) == []
    assert "the last run was" in only(replace(well, process=None, now=NOW + 6000, said=hourly, silent=1e9))


def test_a_run_that_died_or_left_something_is_said(well: Vitals) -> None:
    assert "died without a word" in only(replace(well, process=None, said=cron(ended=None)))
    assert "kept: refused" in only(replace(well, process=None, said=cron(result="kept: refused")))


@pytest.mark.parametrize(
    ("trouble", "seconds", "wanted"),
    [
        (Trouble("sink", "kept", "connection refused"), 299, ""),
        (Trouble("sink", "kept", "connection refused"), 301, "nothing was stored for 5 min 1 s: connection refused"),
        (Trouble("source", "log", "permission denied"), 301, "it cannot be read for 5 min 1 s: permission denied"),
        (Trouble("source", "log", "does not exist", waiting=True), 599, ""),
        (Trouble("source", "log", "does not exist", waiting=True), 601, "it waits for 10 min 1 s: does not exist"),
        (Trouble("state", "", "disk full"), 1, "it cannot be written since 1 s: disk full"),
        (Trouble("config", "", "c.toml:1 no"), 1, "is refused since 1 s and the old one goes on: c.toml:1 no"),
    ],
)
def test_a_trouble_counts_when_it_lasts(well: Vitals, trouble: Trouble, seconds: float, wanted: str) -> None:
    """A server that restarts must wake nobody."""
    vitals = replace(well, said=service(troubles=(replace(trouble, since=NOW - seconds),)))
    assert [sentence for sentence in said(vitals) if wanted in sentence] == said(vitals)
    assert bool(said(vitals)) is bool(wanted)


def test_a_source_that_is_silent_is_said_after_as_long_as_was_asked(well: Vitals) -> None:
    assert said(replace(well, now=NOW + 6 * 3600 - 60, facts=facts(snapshots=[{"time": (NOW + 21000) * US}]))) == []
    late = replace(well, now=NOW + 6 * 3600, facts=facts(snapshots=[{"time": (NOW + 21000) * US}]))
    assert only(late).startswith("source log: silent: its newest record is 6 h 10 s old")


def test_a_source_without_any_record_is_said(well: Vitals) -> None:
    nothing: dict[str, Any] = {"name": "log", "watermark": None, "partitions": [], "streams": []}
    assert only(replace(well, facts=facts(sources=[nothing]))).startswith("source log: no record was ever read")


@pytest.mark.parametrize(("rejects", "bad"), [(9, False), (10, False), (11, True)])
def test_one_percent_of_rejects_is_the_limit(well: Vitals, rejects: int, *, bad: bool) -> None:
    counters = [
        {"name": "records_total", "labels": {"source": "log"}, "value": 1000},
        {"name": "rejects_total", "labels": {"source": "log", "reason": "malformed"}, "value": rejects},
    ]
    assert bool(said(replace(well, facts=facts(counters=counters)))) is bad


def test_a_few_rejects_of_a_new_log_are_no_reason(well: Vitals) -> None:
    counters = [
        {"name": "records_total", "labels": {"source": "log"}, "value": 20},
        {"name": "rejects_total", "labels": {"source": "log", "reason": "malformed"}, "value": 9},
    ]
    assert said(replace(well, facts=facts(counters=counters))) == []


def test_windows_that_wait_name_the_log_they_wait_for(well: Vitals) -> None:
    """Of ten logs under one pattern, one that stands still holds the windows of all."""
    source = facts()["sources"][0]
    still = {"partition": "still.log", "newest": round((NOW - 700) * US), "active": 0}
    source["partitions"].append(still)
    held = facts(sources=[source], metrics=[{"name": "m", "until": None, "watermark": round((NOW - 705) * US)}])
    assert "metric m: its windows are 11 min 35 s behind the newest record: they wait for still.log" in only(
        replace(well, facts=held)
    )


def test_a_full_outbox_and_refused_points_are_said_with_their_reason(well: Vitals) -> None:
    sink = {
        "name": "kept",
        "waiting_points": 10,
        "waiting_bytes": 2**29 + 1,
        "dead_letters": 3,
        "reasons": [{"reason": "field type conflict", "points": 3}],
    }
    full, dead = said(replace(well, facts=facts(sinks=[sink])))
    assert "512.0 MiB wait for it, of 1.0 GiB at most; mend it before reading stops" in full
    assert "it refused 3 points for good: field type conflict; mend what it says, then pegel sinks retry" in dead


def test_points_for_a_sink_that_is_gone_are_said(well: Vitals) -> None:
    sink = {"name": "gone", "waiting_points": 10, "waiting_bytes": 5, "dead_letters": 0}
    assert "not configured any more" in only(replace(well, facts=facts(sinks=[sink])))


def test_a_snapshot_that_is_too_old_is_said_only_of_what_runs(well: Vitals) -> None:
    old = facts(snapshots=[{"time": (NOW - 3700) * US}])
    assert "no snapshot was taken for 1 h 1 min" in only(replace(well, facts=old))
    assert said(replace(well, facts=old, process=None, said=cron())) == []


def test_a_runner_that_has_just_begun_has_no_snapshot_yet(well: Vitals) -> None:
    assert said(replace(well, facts=facts(snapshots=[]), said=service(began=NOW - 5))) == []


def test_the_disk_needs_room_for_a_snapshot(well: Vitals) -> None:
    assert "make room" in only(replace(well, free=2**28))
    assert said(replace(well, free=2**28 + 2**20)) == []


def test_a_stretch_of_time_has_two_units_at_most() -> None:
    assert [span(seconds) for seconds in (0, 59, 60, 3661, 90061)] == ["0 s", "59 s", "1 min", "1 h 1 min", "1 d 1 h"]


def test_why_nothing_was_read_is_said_where_it_is_known(well: Vitals) -> None:
    """`Is the path right?` is no question to ask who knows that the file does not exist."""
    nothing: dict[str, Any] = {"name": "log", "watermark": None, "partitions": [], "streams": []}
    missing = Trouble("source", "log", "app.log does not exist", since=NOW - 5, waiting=True)
    sentence = only(replace(well, facts=facts(sources=[nothing]), said=service(troubles=(missing,))))
    assert sentence.startswith("source log: no record was ever read: app.log does not exist;")


@pytest.mark.parametrize(("lost", "wrong"), [(10, False), (11, True)])
def test_records_that_came_too_late_are_a_reason_above_one_percent(well: Vitals, lost: int, wrong: bool) -> None:
    """They are in no number, and no reject either."""
    late = {"name": "too_late_total", "labels": {"metric": "m", "source": "log"}, "value": lost}
    found = said(replace(well, facts=facts(counters=[*facts()["counters"], late])))
    assert [one.startswith("metric m: 11 records came too late") for one in found] == [True] * wrong
