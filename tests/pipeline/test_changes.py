"""A plan takes over a state: what is decided is what happens, and nothing falls between two definitions."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from doubles import Given, House, Keeping, metric, settle
from pegel.errors import StateError
from pegel.metrics.definition import Metric, Value
from pegel.pipeline import Runner, registry
from pegel.pipeline.changes import NOTHING_YET, MetricChange, Remembered, decide, definition
from pegel.pipeline.live import Standing
from pegel.pipeline.summary import Summary
from pegel.pipeline.telling import tell
from pegel.plan import Plan, RunnerSettings, SinkPlan, SourcePlan
from pegel.secret import Secret
from pegel.sinks import Kind
from pegel.state import State, connect
from pegel.units import Duration

NOON = 1_772_539_200
A = (("key", "a"),)


def counter(name: str = "m", **changes: Any) -> Metric:
    return replace(metric(name), values={"n": Value(value="count(*)", kind="counter")}, **changes)


def lived(tmp_path: Path, *metrics: Metric) -> House:
    """A house whose metrics have counted one record, in a window that is still open."""
    house = House(tmp_path, metrics=metrics or [metric()])
    house.source.write((NOON + 1, "a", 1, "u"))
    house.run()
    return house


def life(house: House, plan: Plan) -> None:
    """One life of a changed plan, all windows closed at its end."""
    runner = Runner(plan, clock=house.clock)
    runner.open()
    settle(runner)
    runner.last_turn(close_all=True)
    settle(runner)
    runner.close()


def known(house: House) -> Remembered:
    with sqlite3.connect(house.directory / "state" / "state.db") as connection:
        found = registry.remembered(connection)
    connection.close()
    return found


def said(house: House, plan: Plan) -> dict[str, str]:
    """What is said of each part, with its mark."""
    lines = tell(decide(known(house), plan))
    return {f"{line.what} {line.name}": f"{line.mark} {line.sentence}" for line in lines}


# -- what is decided is what happens ---------------------------------------------------------------------------

NAMES = ("a", "b", "c")


@st.composite
def metrics_of(draw: st.DrawFn, before: Sequence[str] = ()) -> list[Metric]:
    """Some small definitions; a few say that they had another name."""
    found = []
    for name in draw(st.lists(st.sampled_from(NAMES), unique=True)):
        made = metric(name, every=draw(st.sampled_from([60.0, 300.0, 86400.0])))
        kinds: tuple[Kind, ...] = ("gauge", "counter")
        made = replace(
            made,
            labels=draw(st.sampled_from([[], ["key"]])),
            help=draw(st.sampled_from(["", "said"])),
            max_series=draw(st.sampled_from([10, 20])),
            values={
                "n": Value(value=draw(st.sampled_from(["count(*)", "sum(number)"])), kind=draw(st.sampled_from(kinds)))
            },
            renamed_from=draw(st.sampled_from([None, *before])) if before else None,
        )
        found.append(made)
    return found


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_what_is_decided_is_what_becomes_of_the_definitions(tmp_path: Path, data: st.DataObject) -> None:
    """Three plans, one after another: rows go on, end and begin as was said, and no others do."""
    state = State(tmp_path / f"{len(list(tmp_path.iterdir()))}", connect)
    try:
        for _ in range(3):
            plan = plan_of(data.draw(metrics_of(NAMES)))
            before = registry.standings(state.connection)
            changes = decide(registry.remembered(state.connection), plan)
            with state.transaction():
                registry.carry_out(state, changes, plan)
            after = registry.standings(state.connection)
            assert after == expected(before, changes.metrics, after)
            assert [one.kind for one in decide(registry.remembered(state.connection), plan).metrics] == [
                "same" for _ in plan.metrics
            ]
            watermark = NOON * 10**6 + 60 * 10**6 * data.draw(st.integers(0, 500))
            state.connection.execute("update metrics set watermark = ? where until is null", (watermark,))
    finally:
        state.close()


def plan_of(metrics: Sequence[Metric]) -> Plan:
    return Plan(runner=RunnerSettings(), sources=[], metrics=metrics, sinks=[])


def expected(before: Sequence[Standing], changes: Sequence[MetricChange], after: Sequence[Standing]) -> list[Standing]:
    """The rows that the changes speak of: an independent reading of what each kind of change means."""
    rows = {one.id: one for one in before}
    fresh = iter(sorted({one.id for one in after} - rows.keys()))
    for change in changes:
        old = change.standing
        name = change.name
        if old is not None:
            rows[old.id] = replace(old, name=name, until=change.edge if change.edge is not None else None)
            if change.kind in ("same", "described", "back"):
                assert change.metric is not None
                rows[old.id].definition = definition(change.metric)
        if change.kind in ("new", "different"):
            assert change.metric is not None
            number = next(fresh)
            rows[number] = Standing(number, name, definition(change.metric), since=change.edge)
    return [rows[number] for number in sorted(rows)]


@pytest.mark.parametrize("order", [1, -1])
def test_a_name_that_is_still_used_is_not_taken_over(tmp_path: Path, order: int) -> None:
    """`renamed_from` stays in files for years; the order of two entries must not decide whose windows are whose."""
    house = lived(tmp_path, metric("m"))
    house.metrics = [metric("m"), replace(metric("n"), renamed_from="m")][::order]
    kinds = {one.name: one.kind for one in decide(known(house), house.plan()).metrics}
    assert kinds == {"m": "same", "n": "new"}


def test_a_state_without_a_past_has_only_news(tmp_path: Path) -> None:
    changes = decide(Remembered(), House(tmp_path).plan())
    kinds = [*(one.kind for one in changes.sources), *(one.kind for one in changes.metrics)]
    assert [*kinds, *(one.kind for one in changes.sinks)] == ["new"] * 3
    assert list(changes.settings) == []


# -- nothing falls between two definitions ---------------------------------------------------------------------


@pytest.mark.parametrize(("before", "after"), [(60.0, 300.0), (300.0, 60.0), (60.0, 86400.0)])
def test_every_record_is_counted_by_one_of_two_definitions(tmp_path: Path, before: float, after: float) -> None:
    """A new length of windows begins where windows of both begin; what comes before belongs to the old one."""
    house = lived(tmp_path, metric(every=before))
    house.metrics = [metric(every=after)]
    house.source.write(*[(NOON + 20 * step, "a", 1, "u") for step in range(1, 100)])
    house.clock.now += 2000
    house.run(close_all=True)
    assert sum(values["n"] for values in house.sink.newest().values()) == 100


def test_days_of_another_time_zone_begin_at_their_midnight(tmp_path: Path) -> None:
    """Days of Prague and of UTC never begin together."""
    house = lived(tmp_path, replace(metric(every=86400.0)))
    after = replace(metric(every=86400.0), timezone="Europe/Prague")
    (change,) = decide(known(house), plan_of([after])).metrics
    assert change.edge is not None
    assert (change.edge // 10**6 - NOON) % 86400 == 11 * 3600


def test_a_definition_that_counted_nothing_ends_at_once() -> None:
    old = Standing(1, "m", definition(metric()))
    remembered = Remembered(standings=[old], edges={1: NOTHING_YET})
    (change,) = decide(remembered, plan_of([metric(every=300.0)])).metrics
    assert (change.kind, change.edge) == ("different", NOTHING_YET)


def test_a_source_and_its_metric_may_change_their_names_and_sense_together(tmp_path: Path) -> None:
    """The old definition's open windows are finished from the source's new name."""
    house = lived(tmp_path)
    plan = house.plan()
    changed = replace(metric(n="sum(number)"), sources=["new"])
    source = replace(plan.sources[0], name="new", renamed_from="log")
    house.source.write((NOON + 2, "a", 7, "u"), (NOON + 90, "a", 5, "u"))
    life(house, replace(plan, sources=[source], metrics=[changed]))
    assert house.sink.newest() == {(NOON, A): {"n": 2}, (NOON + 60, A): {"n": 5}}


def test_windows_are_sent_though_their_source_is_gone_too(tmp_path: Path) -> None:
    """Both entries of a job are taken out of a file at once."""
    house = lived(tmp_path)
    plan = house.plan()
    life(house, replace(plan, sources=[replace(plan.sources[0], name="other", source=Given())], metrics=[]))
    assert house.sink.newest() == {(NOON, A): {"n": 1}}


@pytest.mark.parametrize("columns", [{}, {"key": "BIGINT"}])
def test_windows_are_finished_though_their_column_is_another_one_now(tmp_path: Path, columns: dict[str, str]) -> None:
    """A column of a format gets another name or type in the same edit as the metric that used it."""
    house = lived(tmp_path)
    plan = house.plan()
    kept = {name: kind for name, kind in plan.sources[0].columns.items() if name != "key"}
    source = replace(plan.sources[0], columns={**kept, **columns})
    life(house, replace(plan, sources=[source], metrics=[replace(metric(), labels=["second"])]))
    assert house.sink.newest() == {(NOON, A): {"n": 1}}


# -- what is said ----------------------------------------------------------------------------------------------


def test_the_same_plan_is_the_same(tmp_path: Path) -> None:
    house = lived(tmp_path)
    assert {text[0] for text in said(house, house.plan()).values()} == {"="}


UP_TO = "its old definition counts up to 2026-03-03 {} UTC, its new one from there"
NEW_SERIES = "its series are new ones for the sinks"
AGAIN = "its counters begin at 0 again, since {} is not the same"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({}, "= counts as before"),
        ({"help": "Words."}, "~ counts as before; is described differently"),
        ({"allowed_lateness": Duration(60.0)}, "~ counts as before; allowed_lateness is 1m instead of 2h"),
        ({"max_series": 5}, "~ counts as before; max_series is 5 instead of 10000"),
        (
            {"constant_labels": {"site": "x"}},
            "~ counts as before; the labels of every point changed, so its series are new ones for the sinks",
        ),
        ({"every": Duration(300.0)}, f"~ every changed; {UP_TO.format('12:05:00')}; its counters keep their totals"),
        ({"where": "number > 1"}, f"! where changed; {UP_TO.format('12:01:00')}; {AGAIN.format('where')}"),
        (
            {"labels": []},
            f"! labels changed; {UP_TO.format('12:01:00')}; {AGAIN.format('labels')}; {NEW_SERIES}",
        ),
    ],
)
def test_a_counter_is_told_what_its_change_costs(tmp_path: Path, change: dict[str, Any], sentence: str) -> None:
    """Whoever edits a file at night decides by these sentences."""
    house = lived(tmp_path, counter())
    house.metrics = [counter(**change)]
    assert said(house, house.plan())["metric m"] == sentence


def test_a_rolling_metric_is_told_of_its_gap(tmp_path: Path) -> None:
    house = lived(tmp_path, metric(over=300.0))
    house.metrics = [metric(over=300.0, n="sum(number)")]
    assert said(house, house.plan())["metric m"].endswith("it has no points until 5m are covered again")
    assert said(house, house.plan())["metric m"][0] == "!"


def test_metrics_come_go_and_come_back(tmp_path: Path) -> None:
    house = lived(tmp_path, metric("m"), metric("old"))
    house.metrics = [metric("fresh"), replace(metric("new"), renamed_from="old")]
    lines = said(house, house.plan())
    assert lines["metric m"].startswith("- ends, and its open windows are sent as they are")
    assert lines["metric fresh"] == "+ is new and counts what is read from now on, so its first window is not whole"
    assert lines["metric new"] == "~ takes the windows and totals of old along; counts as before"
    house.run()
    house.metrics = [metric("m"), metric("new")]
    assert said(house, house.plan())["metric m"].startswith("+ is back and goes on with its windows and totals")


def test_sources_come_go_and_change(tmp_path: Path) -> None:
    house = lived(tmp_path)
    plan = house.plan()
    (log,) = plan.sources
    other = replace(log, name="other", source=Given())
    assert said(house, replace(plan, sources=[log, other]))["source other"] == (
        "+ is new and begins at the beginning of its log, archives included"
    )
    late = replace(other, start="end")
    assert said(house, replace(plan, sources=[log, late]))["source other"].startswith("+ is new and begins at the end")
    assert said(house, replace(plan, sources=[other]))["source log"].startswith("- is not read any more")
    slow = replace(log, disorder=Duration(9.0))
    assert said(house, replace(plan, sources=[slow]))["source log"] == (
        "~ goes on where it is; disorder changed, for what is read from now on"
    )


def test_an_unsaid_rename_is_refused_with_the_words_of_run(tmp_path: Path) -> None:
    house = lived(tmp_path)
    plan = house.plan()
    unsaid = replace(plan, sources=[replace(plan.sources[0], name="new")], metrics=[])
    assert said(house, unsaid)["source new"] == '! run refuses it: "log" has read log; say renamed_from or start'
    with pytest.raises(StateError, match='renamed_from = "log"'):
        Runner(unsaid, clock=house.clock).open()


@dataclass(kw_only=True)
class Moved(Given):
    """A source with a path."""

    path: str = "log"

    def reads(self, partition: str) -> bool:
        return partition == self.path


def test_another_path_may_mean_that_records_are_counted_twice(tmp_path: Path) -> None:
    """A log that is moved is another log, as far as a cursor can tell."""
    moved = Moved(path="log")
    house = House(tmp_path, source=moved)
    moved.write((NOON, "a", 1, "u"))
    house.run()
    plan = house.plan()
    elsewhere = replace(plan, sources=[replace(plan.sources[0], source=Moved(logs=moved.logs, path="new"))])
    assert said(house, elsewhere)["source log"] == (
        "! goes on where it is; path changed, for what is read from now on; log is not read any more; if it is the same"
        " log under another path, it is read from its beginning and counted again"
    )


def test_sinks_come_and_go(tmp_path: Path) -> None:
    house = lived(tmp_path)
    house.sink.failing = "down"
    house.source.write((NOON + 90, "a", 1, "u"))
    house.run(close_all=True)
    plan = house.plan()
    (kept,) = plan.sinks
    fewer = replace(plan, sinks=[replace(kept, metrics=["x_*"]), replace(kept, name="second", sink=Keeping())])
    assert said(house, fewer)["sink second"] == "+ is new and gets the points from now on"
    assert said(house, fewer)["sink kept"] == (
        "~ metrics changed; 2 points wait for it and are sent as it is configured now"
    )
    assert said(house, replace(plan, sinks=[]))["sink kept"] == (
        "! is gone, but 2 points wait for it; they are dropped when they have waited for 72h"
    )


def test_settings_of_the_runner_are_told(tmp_path: Path) -> None:
    house = lived(tmp_path)
    plan = house.plan()
    runner = replace(plan.runner, prefix="x_", labels={"site": "a"}, workers=3)
    lines = said(house, replace(plan, runner=runner))
    assert lines["runner prefix"].startswith("! is x_ instead of none: every metric has another name")
    assert lines["runner labels"] == "~ is site=a instead of none: all series are new ones for the sinks"
    assert lines["runner workers"] == "~ is 3 instead of 0; no number depends on it"


def test_a_plan_that_takes_over_logs_the_same_sentences(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What was announced can be found again, and a start with nothing new says nothing."""
    house = lived(tmp_path, counter())
    house.metrics = [counter(where="number > 1")]
    (expected,) = [text[2:] for name, text in said(house, house.plan()).items() if name == "metric m"]
    with caplog.at_level("INFO", logger="pegel.config"):
        house.run()
        assert [record.getMessage() for record in caplog.records] == [f"metric m: {expected}"]
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        caplog.clear()
        house.run()
        assert caplog.records == []


# -- the summary ------------------------------------------------------------------------------------------------


@dataclass(kw_only=True)
class Posting(Keeping):
    """A sink with what must not be written down."""

    url: str = ""
    token: Secret | None = None


def summary(url: str, token: str) -> Summary:
    sink = SinkPlan(name="post", type="post", sink=Posting(url=url, token=Secret(token)))
    return Summary.of(Plan(runner=RunnerSettings(), sources=[], metrics=[], sinks=[sink]))


def test_a_summary_holds_no_secret_and_no_login() -> None:
    """It stands in the state, where nothing of the kind belongs, not even as a digest that could be tried out."""
    written = summary("https://me:pass@host/", "hunter2").written()
    assert "hunter2" not in written
    assert "host" not in written
    assert written == summary("https://me:word@host/", "hunter3").written()
    assert written != summary("https://me:pass@other/", "hunter2").written()


def test_a_summary_comes_back_as_it_was(tmp_path: Path) -> None:
    now = Summary.of(House(tmp_path).plan())
    assert Summary.read(now.written()) == now


def source_with(**changes: Any) -> SourcePlan:
    return replace(House(Path()).plan().sources[0], **changes)


def test_a_digest_is_the_same_in_another_process() -> None:
    """A set has no order of its own; a start would find changes that nobody made."""
    first = Summary.of(replace(plan_of([]), sources=[source_with(private=frozenset({"a", "b", "c"}))]))
    second = Summary.of(replace(plan_of([]), sources=[source_with(private=frozenset({"c", "b", "a"}))]))
    assert first == second
    assert first.sources["log"]["private"] == "d33b202c020cbde1"


def test_the_order_in_which_values_are_said_does_not_matter(tmp_path: Path) -> None:
    """Columns and sets in the state are found by their numbers: these must not follow from the order in a file."""
    house = House(tmp_path, [metric(total="sum(number)", first="first(number)", users="count(distinct user)")])
    house.source.write((house.clock.now, "k", 3, "u"), (house.clock.now, "k", 4, "v"))
    house.run()
    house.metrics = [metric(users="count(distinct user)", first="first(number)", total="sum(number)")]
    house.source.write((house.clock.now, "k", 5, "w"))
    house.run()
    house.metrics = [metric(n="max(number)")]  # the former definition is finished as it was stored
    house.run(close_all=True)
    assert {"total": 12, "first": 3, "users": 3} in list(house.sink.newest().values())
