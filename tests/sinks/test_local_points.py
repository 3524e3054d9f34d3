from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from pegel.errors import StateError
from pegel.sinks.local import Local
from pegel.sinks.local_points import LocalPoints
from pegel.sinks.local_steps import in_steps
from sinks.hostile import point

METRIC = "ookla_speedtest_minutely"
ONE, TWO = (("asn", "64500"), ("server", "st-01")), (("asn", "64501"), ("server", "st-02"))
START = point().start_us
MINUTE = 60_000_000


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Local]:
    sink = Local(path=tmp_path / "points.db")
    for minute in range(4):
        points = [point(minute=minute, labels=labels, kinds={"tests": "counter"}) for labels in (TWO, ONE)]
        sink.send(sink.encode(points))
    sink.send(sink.encode([point("other", (), minute=7, x=1.5)]))
    yield sink
    sink.close()


@pytest.fixture
def local(sink: Local) -> Iterator[LocalPoints]:
    assert sink.path is not None
    with LocalPoints(sink.path) as local:
        yield local


def test_metrics_are_listed_with_their_newest_time(local: LocalPoints) -> None:
    first, second = local.metrics()
    assert (first.name, first.help, first.kinds, first.series) == (METRIC, "Speed tests.", {"tests": "counter"}, 2)
    assert (first.oldest_us, first.newest_us, first.width_us) == (START, START + 3 * MINUTE, MINUTE)
    assert (second.name, second.series, second.newest_us) == ("other", 1, START + 7 * MINUTE)


def test_points_come_by_time_then_labels(local: LocalPoints) -> None:
    points = local.points(METRIC)
    assert [(each.start_us, each.labels) for each in points] == sorted((each.start_us, each.labels) for each in points)
    assert len(points) == 8


def test_points_can_be_chosen_by_label_time_and_value(local: LocalPoints) -> None:
    points = local.points(METRIC, {"server": "st-02"}, START + MINUTE, START + 3 * MINUTE, {"users"})
    assert [(each.labels, each.start_us, each.values) for each in points] == [
        (TWO, START + MINUTE, {"users": 9}),
        (TWO, START + 2 * MINUTE, {"users": 9}),
    ]


def test_series_can_be_chosen_by_label(local: LocalPoints) -> None:
    assert local.series(METRIC) == [dict(ONE), dict(TWO)]
    assert local.series(METRIC, {"asn": "64501"}) == [dict(TWO)]
    assert local.series(METRIC, {"asn": "1"}) == []


def test_the_newest_windows_are_found_without_reading_the_others(local: LocalPoints) -> None:
    assert local.newest_windows(METRIC, 2) == [START + 2 * MINUTE, START + 3 * MINUTE]
    assert len(local.newest_windows(METRIC, 100)) == 4


def test_steps_add_counters_and_average_gauges(local: LocalPoints) -> None:
    points = local.points(METRIC, {"server": "st-01"}, step_us=2 * MINUTE)
    assert [(each.start_us, each.end_us, each.values) for each in points] == [
        (START, START + 2 * MINUTE, {"tests": 24, "users": 9.0}),
        (START + 2 * MINUTE, START + 4 * MINUTE, {"tests": 24, "users": 9.0}),
    ]


def test_an_unknown_metric_has_no_points(local: LocalPoints) -> None:
    assert (local.points("nothing"), local.series("nothing"), local.newest_windows("nothing", 3)) == ([], [], [])


def test_a_reader_sees_new_points_and_never_holds_the_writer(sink: Local, local: LocalPoints) -> None:
    """The status page stays open for days."""
    local.points(METRIC)
    sink.send(sink.encode([point(minute=9, labels=ONE)]))
    assert local.points(METRIC)[-1].start_us == START + 9 * MINUTE


def test_reading_changes_nothing(local: LocalPoints) -> None:
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        local._db.execute("delete from points")


def test_the_store_of_a_stopped_runner_can_be_read(sink: Local) -> None:
    sink.close()
    assert sink.path is not None
    with LocalPoints(sink.path) as local:
        assert len(local.points(METRIC)) == 8


def test_no_store_yet_is_not_an_error_of_the_store(tmp_path: Path) -> None:
    """A runner that was just started has none; the command says so in its own words."""
    for name in ("missing", "empty"):
        (tmp_path / "empty").touch()
        with pytest.raises(FileNotFoundError):
            LocalPoints(tmp_path / name)
    sqlite3.connect(tmp_path / "begun").execute("pragma journal_mode = wal").connection.close()
    with pytest.raises(FileNotFoundError):
        LocalPoints(tmp_path / "begun")


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello " * 500)
    with pytest.raises(StateError, match="file is not a database"):
        LocalPoints(tmp_path / "text")


def test_ten_thousand_series_are_read_back_whole(tmp_path: Path) -> None:
    sink = Local(path=tmp_path / "points.db")
    points = [point(labels=(("page", f"/{number:05}"),)) for number in range(10_000)]
    sink.send(sink.encode(points))
    sink.close()
    assert sink.path is not None
    with LocalPoints(sink.path) as local:
        assert local.points(METRIC) == points


def test_a_step_has_the_values_that_any_of_its_windows_has() -> None:
    combined = in_steps([point(tests=1), point(minute=1, users=4)], 2 * MINUTE)
    assert [each.values for each in combined] == [{"tests": 1.0, "users": 4.0}]
