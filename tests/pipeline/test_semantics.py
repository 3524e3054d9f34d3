"""Rules behind the numbers that need the whole turn: cardinality, kinds, totals, privacy, back-pressure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest

from doubles import House, Keeping, metric, settle
from pegel.errors import StateError
from pegel.metrics.definition import Metric, Value
from pegel.plan import Plan
from pegel.sinks import Histogram
from pegel.units import Duration, Size

NOON = 1_772_539_200


def counter(**changes: Any) -> Metric:
    return replace(metric(), values={"n": Value(value="count(*)", kind="counter")}, **changes)


def shown(house: House) -> dict[str, Mapping[str, Any]]:
    """What a view shows, by key."""
    runner = house.runner()
    points = [point for one in runner.turn.metrics if one.standing.until is None for point in one.snapshot()]
    runner.close()
    return {dict(point.labels).get("key", ""): point.values for point in points}


# -- cardinality (6) -----------------------------------------------------------------------------------------


def test_beyond_the_limit_values_are_counted_as_other_and_totals_stay_right(tmp_path: Path) -> None:
    house = House(tmp_path, metrics=[replace(metric(), max_values={"key": 2})])
    house.source.write(*[(NOON + second, f"k{second}", 1, "u") for second in range(10)])
    house.run(close_all=True)
    got = {labels[0][1]: values["n"] for (_, labels), values in house.sink.newest().items()}
    assert got == {"k0": 1, "k1": 1, "__other__": 8}


def test_distinct_users_of_other_are_a_union_not_a_sum(tmp_path: Path) -> None:
    limited = replace(metric(users="count(distinct user)"), max_values={"key": 1})
    house = House(tmp_path, metrics=[limited])
    house.source.write(*[(NOON + second, f"k{second}", 1, f"u{second % 2}") for second in range(9)])
    house.run(close_all=True)
    got = {labels[0][1]: values["users"] for (_, labels), values in house.sink.newest().items()}
    assert got == {"k0": 1, "__other__": 2}


def test_a_series_that_was_retired_comes_back_with_its_total(tmp_path: Path) -> None:
    house = House(tmp_path, metrics=[counter(series_ttl=Duration(3600.0))])
    house.source.write((NOON, "a", 1, "u"), (NOON, "b", 1, "u"))
    house.run()
    house.clock.now += 7200
    house.source.write((NOON + 7200, "b", 1, "u"))
    house.run()
    house.clock.now += 600
    house.run()
    house.source.write((NOON + 7800, "a", 1, "u"))
    house.run()
    assert shown(house)["a"] == {"n": 2}


# -- kinds (2, 3, 4) -----------------------------------------------------------------------------------------


def test_a_counter_gives_its_increment_per_window_and_its_total_to_views(tmp_path: Path) -> None:
    house = House(tmp_path, metrics=[counter()])
    for minute in range(3):
        house.source.write((NOON + 60 * minute, "a", 1, "u"), (NOON + 60 * minute, "a", 1, "u"))
        house.clock.now += 60
        house.run()
    house.run(close_all=True)
    assert [values["n"] for values in house.sink.newest().values()] == [2, 2, 2]
    assert shown(house) == {"a": {"n": 6}}


def test_a_counter_never_falls_over_restarts_and_expired_windows(tmp_path: Path) -> None:
    house = House(tmp_path, metrics=[counter(allowed_lateness=Duration(60.0))])
    totals = []
    for minute in range(0, 600, 60):
        house.clock.now = NOON + 60 * minute
        house.source.write((NOON + 60 * minute, "a", 1, "u"))
        house.run()
        totals.append(shown(house)["a"]["n"])
    assert totals == list(range(1, 11))


@pytest.mark.parametrize(("change", "total"), [({"every": Duration(300.0)}, 4), ({"labels": []}, 2)])
def test_a_changed_counter_keeps_its_total_only_with_the_same_labels_and_expression(
    tmp_path: Path, change: dict[str, Any], total: int
) -> None:
    house = House(tmp_path, metrics=[counter()])
    house.source.write((NOON, "a", 1, "u"))
    house.run()
    house.metrics = [counter(**change)]
    house.source.write((NOON + 1, "a", 1, "u"))  # still of the old definition's window
    house.source.write((NOON + 900, "a", 1, "u"), (NOON + 1800, "a", 1, "u"))
    house.clock.now += 1800
    house.run()
    assert next(iter(shown(house).values())) == {"n": total}


def test_a_renamed_metric_goes_on_with_its_windows_and_totals(tmp_path: Path) -> None:
    house = House(tmp_path, metrics=[counter()])
    house.source.write((NOON, "a", 1, "u"))
    house.run()
    house.metrics = [counter(name="renamed", renamed_from="m")]
    house.source.write((NOON + 1, "a", 1, "u"))
    house.run(close_all=True)
    assert [(point.metric, dict(point.values)) for point in house.sink.received] == [("renamed", {"n": 2})]


def test_a_histogram_is_per_window_in_points_and_since_the_beginning_in_views(tmp_path: Path) -> None:
    sizes = replace(metric(), values={"size": Value(value="histogram(number, [10, 100])", kind="histogram")})
    house = House(tmp_path, metrics=[sizes])
    house.source.write(*[(NOON, "a", number, "u") for number in (1, 10, 11, 1000)])
    house.source.write((NOON + 60, "a", 50, "u"))
    house.run(close_all=True)
    first, second = (values["size"] for values in house.sink.newest().values())
    assert first == Histogram((10.0, 100.0), (2, 3, 4), 1022.0)
    assert second == Histogram((10.0, 100.0), (0, 1, 1), 50.0)
    assert shown(house)["a"]["size"] == Histogram((10.0, 100.0), (2, 4, 5), 1072.0)


def test_info_speaks_at_first_sight_at_a_change_and_once_a_day(tmp_path: Path) -> None:
    info = replace(metric(every=60.0), values={"name": Value(value="last(user)", kind="info")})
    house = House(tmp_path, metrics=[info], change=lambda plan: replace(plan, private=frozenset()))
    for hour, user in ((0, "x"), (1, "x"), (2, "y"), (3, "y"), (26.5, "y")):
        house.clock.now = NOON + 3600 * hour + 90
        house.source.write((NOON + 3600 * hour, "a", 1, user), (NOON + 3600 * hour + 80, "a", 1, user))
        house.run()
    said = [((point.start_us // 10**6 - NOON) / 3600, point.values["name"]) for point in house.sink.received]
    assert said == [(0, "x"), (2, "y"), (26.5, "y")]


# -- privacy (7) ---------------------------------------------------------------------------------------------


def test_keys_are_deleted_when_no_window_needs_them(tmp_path: Path) -> None:
    house = House(tmp_path, metrics=[replace(metric(users="count(distinct user)"), allowed_lateness=Duration(60.0))])
    counts = []
    for day in range(4):
        house.clock.now = NOON + 86_400 * day
        house.source.write((NOON + 86_400 * day, "a", 1, "someone"))
        runner = house.runner()
        settle(runner)
        (count,) = runner.state.connection.execute("select count(*) from keys").fetchone()
        counts.append(count)
        runner.close()
    assert counts == [1, 1, 1, 1]


def test_no_member_is_in_clear_in_the_state(tmp_path: Path) -> None:
    house = House(tmp_path, metrics=[metric(users="count(distinct user)")])
    house.source.write((NOON, "a", 1, "canary-192.0.2.77"))
    runner = house.runner()
    settle(runner)
    data = b"".join(path.read_bytes() for path in (tmp_path / "state").rglob("*") if path.is_file())
    runner.close()
    assert b"canary" not in data
    assert len(data) > 10_000


def test_the_same_member_has_another_hash_in_another_metric(tmp_path: Path) -> None:
    """Two metrics of one state cannot be joined on their members."""
    house = House(
        tmp_path, metrics=[metric("m", users="count(distinct user)"), metric("o", users="count(distinct user)")]
    )
    house.source.write((NOON, "a", 1, "someone"))
    runner = house.runner()
    settle(runner)
    hashes = runner.state.connection.execute("select members from runs").fetchall()
    runner.close()
    assert len(hashes) == 2
    assert hashes[0] != hashes[1]


# -- names ---------------------------------------------------------------------------------------------------


def renamed(house: House, **changes: Any) -> Plan:
    plan = house.plan()
    source = replace(plan.sources[0], name="new", **changes)
    return replace(plan, sources=[source], metrics=[replace(one, sources=["new"]) for one in plan.metrics])


def test_a_new_name_for_a_log_that_was_read_is_refused_until_it_is_said_what_is_meant(tmp_path: Path) -> None:
    from pegel.pipeline import Runner

    house = House(tmp_path)
    house.source.write((NOON, "a", 1, "u"))
    house.run()
    with pytest.raises(StateError, match='renamed_from = "log"'):
        Runner(renamed(house), clock=house.clock).open()
    runner = Runner(renamed(house, renamed_from="log"), clock=house.clock)
    runner.open()
    settle(runner)
    runner.last_turn(close_all=True)
    settle(runner)
    runner.close()
    assert [dict(point.values) for point in house.sink.received] == [{"n": 1}]


# -- sinks that are behind (9, reliability 5) ----------------------------------------------------------------


class SmallHouse(House):
    """A house whose sink has room for very little."""

    when_full: Literal["block", "drop_oldest"] = "block"

    def plan(self) -> Plan:
        plan = super().plan()
        sinks = [replace(plan.sinks[0], max_bytes=Size(2000), when_full=self.when_full)]
        return replace(plan, sinks=sinks)


def test_a_full_outbox_stops_reading_and_loses_nothing(tmp_path: Path) -> None:
    house = SmallHouse(tmp_path, sink=Keeping(failing="down"))
    for minute in range(100):
        house.source.write((NOON + 60 * minute, "a", 1, "u"))
        house.clock.now += 60
        house.run()
    runner = house.runner()
    assert runner.plan.sources[0].source.exhausted() is False
    runner.close()
    house.sink.failing = ""
    for _ in range(100):
        house.clock.now += 10
        house.run()
    house.run(close_all=True)
    assert [point.start_us // 10**6 - NOON for point in house.sink.received] == [60 * minute for minute in range(100)]


def test_drop_oldest_drops_and_counts(tmp_path: Path) -> None:
    house = SmallHouse(tmp_path, sink=Keeping(failing="down"))
    house.when_full = "drop_oldest"
    for minute in range(100):
        house.source.write((NOON + 60 * minute, "a", 1, "u"))
        house.clock.now += 60
        house.run()
    runner = house.runner()
    lost = runner.state.counters()["outbox_dropped_total", '{"sink":"kept"}']
    left = runner.state.outbox.backlog("kept")
    runner.close()
    assert lost + left.points == 98  # the last two windows are open
    assert left.bytes <= 2500


# -- what stays behind ---------------------------------------------------------------------------------------


def test_a_series_lives_as_long_as_a_window_looks_at_it(tmp_path: Path) -> None:
    """A rolling month sees a label again that was idle for longer than a tombstone is kept."""
    month = replace(metric(every=86_400.0, over=30 * 86_400.0, users="count(distinct user)"))
    house = House(tmp_path, metrics=[month])
    for day in range(46):
        house.clock.now = NOON + 86_400 * day + 60
        rare = [(NOON + 86_400 * day, "rare", 1, f"u{day}")] if day in (0, 12, 28) else []
        house.source.write((NOON + 86_400 * day, "often", 1, "u"), *rare)
        house.run()
    seen = {start: values["users"] for (start, labels), values in house.sink.newest().items() if labels[0][1] == "rare"}
    midnight = NOON - 43_200
    assert seen[midnight + 86_400 * 29] == 3
    assert seen[midnight + 86_400 * 41] == 2
    assert len([point for point in house.sink.received if dict(point.labels)["key"] == "rare"]) == len(seen)


def test_a_counter_that_is_idle_is_shown_no_more_and_comes_back_with_its_total(tmp_path: Path) -> None:
    """A page that shows every label that ever was grows for ever."""
    house = House(tmp_path, metrics=[replace(counter(), series_ttl=Duration(3600.0))])
    house.source.write((NOON, "rare", 1, "u"), (NOON, "often", 1, "u"))
    house.run()
    for minute in range(2, 130, 2):
        house.clock.now = NOON + 60 * minute
        house.source.write((NOON + 60 * minute, "often", 1, "u"))
        house.run()
    assert shown(house).keys() == {"often"}
    house.source.write((NOON + 60 * 128, "rare", 1, "u"))
    house.run()
    assert shown(house)["rare"] == {"n": 2}


def test_a_metric_that_comes_back_counts_on(tmp_path: Path) -> None:
    """Removed and added again: no window twice, no total lost."""
    house = House(tmp_path, metrics=[counter(), metric("other")])
    house.source.write((NOON, "a", 1, "u"))
    house.run()
    house.metrics = [metric("other")]
    house.run()
    house.metrics = [counter(), metric("other")]
    house.source.write((NOON + 30, "a", 1, "u"))
    house.run(close_all=True)
    mine = [(point.revision, dict(point.values)) for point in house.sink.received if point.metric == "m"]
    assert mine == [(1, {"n": 1}), (2, {"n": 2})]
    assert shown(house)["a"] == {"n": 2}


def test_definitions_that_are_over_are_folded_no_longer(tmp_path: Path) -> None:
    house = House(tmp_path, metrics=[replace(metric(), allowed_lateness=Duration(60.0))])
    house.source.write((NOON, "a", 1, "u"))
    house.run()
    house.metrics = [replace(metric(n="sum(number)"), allowed_lateness=Duration(60.0))]
    for day in range(1, 10):
        house.clock.now = NOON + 86_400 * day
        house.source.write((NOON + 86_400 * day, "a", 1, "u"))
        house.run()
    runner = house.runner()
    assert [one.metric.values["n"].value for one in runner.turn.metrics] == ["sum(number)"]
    runner.close()


def test_an_undone_turn_lets_no_key_go(tmp_path: Path) -> None:
    """A key that is in the file and another one in memory would count everybody twice."""
    house = House(tmp_path, metrics=[metric(users="count(distinct user)")])
    house.source.write((NOON, "a", 1, "u"))
    runner = house.runner()
    settle(runner)
    (metric_id, epoch, key) = runner.state.connection.execute("select metric, epoch, key from keys").fetchone()
    with pytest.raises(ZeroDivisionError), runner.state.transaction():  # noqa: PT012 - the block is what fails
        runner.state.keys.expire(metric_id, epoch + 1)
        raise ZeroDivisionError
    assert runner.state.keys.get(metric_id, epoch) == key
    runner.close()


def test_a_distinct_count_beyond_approx_over_is_an_estimate_that_says_so(tmp_path: Path) -> None:
    estimated = replace(metric(users="count(distinct user)"), approx_over=100)
    house = House(tmp_path, metrics=[estimated])
    house.source.write(*[(NOON, "many", 1, f"u{number}") for number in range(5000)], (NOON, "few", 1, "u"))
    house.run(close_all=True)
    got = {labels[0][1]: dict(values) for (_, labels), values in house.sink.newest().items()}
    assert got["few"] == {"users": 1}
    assert got["many"]["approx"] == 1
    assert abs(got["many"]["users"] - 5000) < 150


class FrugalHouse(House):
    """A house with room for few members."""

    def plan(self) -> Plan:
        plan = super().plan()
        return replace(plan, runner=replace(plan.runner, members=Size(20_000)))


def test_beyond_the_budget_the_biggest_sets_become_estimates(tmp_path: Path) -> None:
    """Memory and disk stay bounded; small sets stay exact."""
    house = FrugalHouse(tmp_path, metrics=[metric(users="count(distinct user)")])
    house.source.write(*[(NOON, "many", 1, f"u{number}") for number in range(5000)], (NOON, "few", 1, "u"))
    house.run()
    house.clock.now += 61
    house.run()
    house.run(close_all=True)
    got = {labels[0][1]: dict(values) for (_, labels), values in house.sink.newest().items()}
    assert got["few"] == {"users": 1}
    assert got["many"]["approx"] == 1
