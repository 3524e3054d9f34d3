"""The turn: windows close by event time, corrections follow, and a restart changes nothing (semantics 1)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from doubles import Given, House, Keeping, metric, settle
from pegel.plan import Plan
from pegel.sinks import Point
from pegel.units import Duration

NOON = 1_772_539_200
A = (("key", "a"),)


@dataclass
class TwoLogs(House):
    """Beside the log there is one that does not exist yet, or cannot be read."""

    broken: str = ""

    def plan(self) -> Plan:
        plan = super().plan()
        absent = replace(plan.sources[0], name="absent", source=Given(broken=self.broken))
        return replace(plan, sources=[*plan.sources, absent])


def values(points: list[Point]) -> list[tuple[int, int, object]]:
    return [(point.start_us // 10**6 - NOON, point.revision, dict(point.values)) for point in points]


def test_a_window_closes_when_the_watermark_passes_its_end(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.source.write((NOON + 1, "a", 1, "u"), (NOON + 59, "a", 1, "v"))
    house.run()
    assert house.sink.received == []
    house.source.write((NOON + 66, "a", 1, "u"))  # 66 s - 5 s of disorder is past 60 s
    house.clock.now += 66
    house.run()
    assert values(house.sink.received) == [(0, 1, {"n": 2})]


def test_a_late_record_corrects_its_window(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.clock.now += 70
    house.source.write((NOON + 1, "a", 1, "u"), (NOON + 70, "a", 1, "u"))
    house.run()
    house.source.write((NOON + 2, "a", 1, "u"))
    house.run()
    assert values(house.sink.received) == [(0, 1, {"n": 1}), (0, 2, {"n": 2})]


def test_a_record_is_late_judged_against_the_watermark_before_the_turn(tmp_path: Path) -> None:
    """Order within a batch must not matter."""
    house = House(tmp_path)
    house.clock.now += 70
    house.source.write((NOON + 70, "a", 1, "u"), (NOON + 1, "a", 1, "u"))
    house.run()
    assert values(house.sink.received) == [(0, 1, {"n": 1})]


def test_a_record_behind_the_allowed_lateness_is_counted_and_changes_nothing(tmp_path: Path) -> None:
    house = House(tmp_path, metrics=[replace(metric(), allowed_lateness=Duration(60.0))])
    house.clock.now += 300
    house.source.write((NOON + 1, "a", 1, "u"), (NOON + 200, "a", 1, "u"))
    house.run()
    before = len(house.sink.received)
    house.source.write((NOON + 2, "a", 1, "u"))
    runner = house.runner()
    settle(runner)
    assert runner.state.counters()["too_late_total", '{"metric":"m"}'] == 1
    runner.close()
    assert len(house.sink.received) == before


def test_a_future_record_is_rejected_and_moves_no_watermark(tmp_path: Path) -> None:
    """One bad line must not close all windows."""
    house = House(tmp_path)
    house.source.write((NOON + 1, "a", 1, "u"), (NOON + 86_400, "a", 1, "u"))
    runner = house.runner()
    settle(runner)
    assert runner.state.counters()["rejects_total", '{"reason":"future","source":"log"}'] == 1
    runner.close()
    assert house.sink.received == []


def test_a_quiet_source_does_not_hold_its_windows(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.source.write((NOON + 1, "a", 1, "u"))
    house.run()
    house.clock.now += 60 + 60 + 5  # the window, idle_after, disorder
    house.run()
    assert values(house.sink.received) == [(0, 1, {"n": 1})]


def test_a_backlog_is_read_before_silence_closes_anything(tmp_path: Path) -> None:
    """A runner that was down for an hour must not call its backlog late."""
    house = House(tmp_path)
    house.source.write((NOON + 1, "a", 1, "u"))
    house.run()
    house.clock.now += 3600
    house.source.write((NOON + 2, "a", 1, "u"), (NOON + 130, "a", 1, "u"))
    house.run()
    assert house.sink.newest()[NOON, A] == {"n": 2}
    assert [point.revision for point in house.sink.received if point.start_us == NOON * 10**6] == [1]


def test_a_partition_that_was_not_read_yet_holds_the_windows(tmp_path: Path) -> None:
    """The oldest thing that is known but not read bounds the watermark."""
    house = House(tmp_path)
    house.clock.now += 300
    house.source.write((NOON + 1, "a", 1, "u"), (NOON + 200, "a", 1, "u"), partition="one")
    house.source.write((NOON + 2, "a", 1, "u"), (NOON + 210, "a", 1, "u"), partition="two")
    house.run()
    assert values(house.sink.received)[0] == (0, 1, {"n": 2})


def test_a_failing_source_holds_its_windows_up_to_max_hold(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.source.write((NOON + 1, "a", 1, "u"))
    house.run()
    house.source.broken = "no such device"
    house.clock.now += 600
    house.run()
    assert house.sink.received == []
    house.clock.now += 3600
    house.run()
    assert values(house.sink.received) == [(0, 1, {"n": 1, "incomplete": 1})]


def test_early_values_go_only_to_sinks_that_overwrite(tmp_path: Path) -> None:
    house = House(tmp_path, sink=Keeping(early=True))
    house.source.write((NOON + 1, "a", 1, "u"))
    house.run()
    assert values(house.sink.received) == [(0, 0, {"n": 1})]


def test_close_all_closes_the_newest_windows_too(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.source.write((NOON + 1, "a", 1, "u"), (NOON + 61, "a", 1, "u"))
    house.run(close_all=True)
    assert values(house.sink.received) == [(0, 1, {"n": 1}), (60, 1, {"n": 1})]


def test_once_a_minute_gives_the_same_closed_points_as_the_service(tmp_path: Path) -> None:
    """Cron mode and service mode are one mode."""
    cron, service = House(tmp_path / "cron"), House(tmp_path / "service")
    running = service.runner()
    for minute in range(10):
        for house in (cron, service):
            house.source.write(*[(NOON + 60 * minute + second, "a", 1, f"u{second % 7}") for second in range(0, 60, 9)])
            house.clock.now += 60
        cron.run()
        settle(running)
    running.close()
    assert cron.sink.received == service.sink.received
    assert len(cron.sink.received) == 9


def test_distinct_users_are_exact_over_restarts(tmp_path: Path) -> None:
    house = House(tmp_path, metrics=[metric(users="count(distinct user)", n="count(*)")])
    for second in range(0, 60, 10):
        house.source.write((NOON + second, "a", 1, "u1"), (NOON + second, "a", 1, f"u{second}"))
        house.run()
    house.run(close_all=True)
    assert house.sink.newest()[NOON, A] == {"users": 7, "n": 12}


def test_a_sink_that_is_down_gets_everything_later_and_in_order(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.sink.failing = "connection refused"
    for minute in range(30):
        house.source.write((NOON + 60 * minute, "a", 1, "u"))
        house.clock.now += 60
        house.run()
    house.sink.failing = ""
    house.clock.now += 60
    house.run(close_all=True)
    assert [point.start_us // 10**6 - NOON for point in house.sink.received] == [60 * minute for minute in range(30)]


def test_a_daily_window_is_a_calendar_day(tmp_path: Path) -> None:
    days = replace(metric(users="count(distinct user)"), every=Duration(86400.0), timezone="Europe/Prague")
    house = House(tmp_path, metrics=[days])
    house.clock.now += 2 * 86400
    house.source.write((NOON, "a", 1, "u"), (NOON + 11.5 * 3600, "a", 1, "v"), (NOON + 12 * 3600, "a", 1, "w"))
    house.run(close_all=True)
    midnight = NOON - 13 * 3600  # Prague is UTC+1 in March
    assert house.sink.newest() == {(midnight, A): {"users": 1}, (midnight + 86400, A): {"users": 2}}


@pytest.mark.parametrize("kind", ["labels", "every", "value"])
def test_a_changed_metric_starts_at_the_next_window_edge(tmp_path: Path, kind: str) -> None:
    """No window mixes two definitions, and nothing is lost on the way."""
    house = House(tmp_path)
    house.source.write((NOON + 1, "a", 1, "u"))
    house.run()
    changed = {
        "labels": replace(metric(), labels=[]),
        "every": metric(every=300.0),
        "value": metric(n="sum(number)"),
    }[kind]
    house.metrics = [changed]
    house.source.write((NOON + 2, "a", 5, "u"), (NOON + 90, "a", 5, "u"), (NOON + 650, "a", 5, "u"))
    house.clock.now += 660
    house.run(close_all=True)
    got = house.sink.newest()
    assert got[NOON, A] == {"n": 2}
    choices: dict[str, dict[tuple[int, tuple[tuple[str, str], ...]], int]] = {
        "labels": {(60, ()): 1, (600, ()): 1},
        "every": {(600, A): 1},
        "value": {(60, A): 5, (600, A): 5},
    }
    rest = {(start - NOON, labels): value["n"] for (start, labels), value in got.items() if start != NOON}
    assert rest.items() >= choices[kind].items()


def test_a_removed_metric_sends_its_open_windows(tmp_path: Path) -> None:
    house = House(tmp_path, metrics=[metric("m"), metric("gone")])
    house.source.write((NOON + 1, "a", 1, "u"))
    house.run()
    house.metrics = [metric("m")]
    house.run()
    assert [(point.metric, dict(point.values)) for point in house.sink.received] == [("gone", {"n": 1})]


def test_start_end_never_emits_a_window_of_which_it_saw_only_a_part(tmp_path: Path) -> None:
    house = House(tmp_path, change=lambda plan: replace(plan, start="end"))
    house.clock.now += 70
    house.source.write((NOON + 30, "a", 1, "u"), (NOON + 61, "a", 1, "u"), (NOON + 70, "a", 1, "u"))
    house.run(close_all=True)
    assert values(house.sink.received) == [(60, 1, {"n": 2})]


def test_a_sink_that_is_gone_and_to_which_nothing_is_owed_is_forgotten(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What might have arrived late at it was remembered, and said as "0 points wait" at every start."""
    house = House(tmp_path)
    runner = house.runner()
    with runner.state.transaction():
        runner.state.fenced.put("gone", "m", 0, 1)
    runner.close()
    house.run()
    assert "points wait for gone" not in caplog.text
    runner = house.runner()
    assert runner.state.outbox.sinks() == set()
    runner.close()


def test_a_source_of_which_nothing_was_read_closes_no_window(tmp_path: Path) -> None:
    """A runner that is started before its log is there must not find the week in it too late."""
    house = House(tmp_path)
    house.run()
    house.clock.now += 3 * 3600
    house.run()
    house.source.write((NOON - 5 * 86_400, "a", 1, "u"), (NOON - 5 * 86_400 + 120, "a", 1, "u"))
    house.run(close_all=True)
    assert [dict(point.values) for point in house.sink.received] == [{"n": 1}, {"n": 1}]


def test_a_source_that_does_not_exist_yet_holds_no_other_up(tmp_path: Path) -> None:
    house = TwoLogs(tmp_path, [replace(metric(), sources=["log", "absent"])])
    house.source.write((NOON + 1, "a", 1, "u"), (NOON + 66, "a", 1, "u"))
    house.clock.now += 66
    house.run()
    assert values(house.sink.received) == [(0, 1, {"n": 1})]


def test_a_source_that_was_never_readable_holds_windows_no_longer_than_max_hold(tmp_path: Path) -> None:
    house = TwoLogs(tmp_path, [replace(metric(), sources=["log", "absent"])], broken="permission denied")
    house.source.write((NOON + 1, "a", 1, "u"), (NOON + 66, "a", 1, "u"))
    house.clock.now += 66
    runner = house.runner()
    settle(runner)
    assert house.sink.received == []
    house.clock.now += 3700
    settle(runner)
    assert values(house.sink.received)[0] == (0, 1, {"n": 1, "incomplete": 1})
    runner.close()
