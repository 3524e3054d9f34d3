from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings

from pegel.errors import Permanent, Retryable
from pegel.sinks import Histogram, Point
from pegel.sinks.local import Local
from pegel.sinks.local_points import LocalPoints
from pegel.sinks.points import merge
from pegel.units import Duration, Size
from sinks.hostile import many_points, point

MINUTE = 60_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "points.db"


@pytest.fixture
def sink(path: Path) -> Iterator[Local]:
    sink = Local(path=path)
    sink.open()
    yield sink
    sink.close()


def store(sink: Local, *points: Point) -> None:
    sink.send(sink.encode(points))


def stored(path: Path, metric: str = "ookla_speedtest_minutely") -> list[Point]:
    with LocalPoints(path) as local:
        return local.points(metric)


def test_points_are_there_as_soon_as_send_returns(sink: Local, path: Path) -> None:
    points = [point(minute=0), point(minute=1, tests=3, p95=0.5, note="x", latency=Histogram((0.5,), (1, 2), 3.5))]
    store(sink, *points)
    assert stored(path) == points


def test_what_was_stored_survives_the_process(sink: Local, path: Path) -> None:
    """The file is copied while it is open: what a power cut would leave behind."""
    store(sink, point())
    copy = path.with_name("copy.db")
    copy.write_bytes(path.read_bytes())
    copy.with_name("copy.db-wal").write_bytes(path.with_name("points.db-wal").read_bytes())
    assert stored(copy) == [point()]


def test_early_values_and_corrections_replace_the_row(sink: Local, path: Path) -> None:
    for revision, tests in ((0, 1), (0, 2), (1, 3), (2, 4)):
        store(sink, point(revision=revision, tests=tests))
        assert stored(path) == [point(revision=revision, tests=tests)]


def test_a_lower_revision_never_replaces_a_higher_one(sink: Local, path: Path) -> None:
    """After a timeout an older payload may arrive last."""
    store(sink, point(revision=2, tests=4))
    store(sink, point(revision=1, tests=3))
    assert stored(path) == [point(revision=2, tests=4)]


def test_sending_the_same_bytes_twice_stores_them_once(sink: Local, path: Path) -> None:
    payload = sink.encode([point(), point(minute=1)])
    sink.send(payload)
    sink.send(payload)
    assert len(stored(path)) == 2


@settings(max_examples=30, deadline=None)
@given(many_points, many_points)
def test_any_points_end_as_the_merge_of_what_was_sent(
    tmp_path_factory: pytest.TempPathFactory, first: list[Point], second: list[Point]
) -> None:
    """Whatever strangers put into labels: as many rows come out as the algebra says, and none is an error."""
    sink = Local(path=tmp_path_factory.mktemp("any") / "points.db", max_age=Duration(10_000 * 365 * 86400.0))
    assert sink.path is not None
    store(sink, *first)
    store(sink, *second)
    sink.close()
    with LocalPoints(sink.path) as local:
        found = [each for metric in local.metrics() for each in local.points(metric.name)]
    assert len(found) <= len(merge(first, second))
    assert {each.start_us for each in found} <= {each.start_us for each in first + second}


def test_nothing_is_stored_of_a_payload_that_fails(sink: Local, path: Path) -> None:
    """Half of a payload would look like a quiet minute."""
    store(sink, point())
    assert sink._store is not None
    pages = sink._store._db.execute("pragma page_count").fetchone()[0]
    sink._store._db.execute(f"pragma max_page_count = {pages}")
    many = sink.encode([point(minute=minute, labels=(("page", str(minute)),)) for minute in range(1, 3000)])
    with pytest.raises(Retryable, match=r"points.db: database or disk is full"):
        sink.send(many)
    assert stored(path) == [point()]
    sink.send(many)
    assert len(stored(path)) == 3000


def test_points_older_than_the_age_are_dropped_with_their_series(path: Path) -> None:
    sink = Local(path=path, max_age=Duration(3600.0))
    gone, kept = (("server", "gone"),), (("server", "kept"),)
    store(sink, point(labels=gone), *(point(minute=minute, labels=kept) for minute in range(1440, 1440 + 120)))
    store(sink, point(minute=1440 + 120, labels=kept))
    sink.close()
    with LocalPoints(path) as local:
        assert local.series("ookla_speedtest_minutely") == [{"server": "kept"}]
        assert len(local.points("ookla_speedtest_minutely")) == 61


def test_a_series_that_was_dropped_comes_back_with_a_late_point(path: Path) -> None:
    """The sink must not go on with the number of a row that is gone: the point could never be found."""
    sink = Local(path=path, max_age=Duration(86400.0))
    back = (("server", "back"),)
    store(sink, point(labels=back))
    store(sink, point(minute=30 * 60))
    store(sink, point(minute=8 * 60, labels=back))
    sink.close()
    assert stored(path) == [point(minute=8 * 60, labels=back), point(minute=30 * 60)]


def test_a_series_that_another_process_has_dropped_comes_back_with_a_late_point(path: Path) -> None:
    """A back-fill and its runner write to one store: neither may trust numbers that the other has deleted."""
    runner, backfill = (Local(path=path, max_age=Duration(86400.0)) for _ in range(2))
    back = (("server", "back"),)
    store(backfill, point(labels=back))
    store(runner, point(minute=30 * 60))
    store(backfill, point(minute=8 * 60, labels=back))
    runner.close()
    backfill.close()
    assert stored(path) == [point(minute=8 * 60, labels=back), point(minute=30 * 60)]


def test_a_series_that_goes_on_is_kept_when_its_first_days_are_dropped(path: Path) -> None:
    sink = Local(path=path, max_age=Duration(86400.0))
    for day in range(1, 5):
        store(sink, point(minute=day * 1440))
        assert stored(path)[-1] == point(minute=day * 1440)
    sink.close()
    assert stored(path) == [point(minute=3 * 1440), point(minute=4 * 1440)]


def test_the_file_keeps_to_its_size_and_loses_the_oldest_windows(path: Path) -> None:
    limit = 512 * 1024
    sink = Local(path=path, max_bytes=Size(limit))
    for minute in range(120):
        store(sink, *(point(minute=minute, labels=(("page", f"/{number}"),)) for number in range(200)))
    sink.close()
    assert path.stat().st_size <= limit
    minutes = sorted({(each.start_us - point().start_us) // MINUTE for each in stored(path)})
    assert minutes == list(range(minutes[0], 120))
    assert 0 < minutes[0] < 110


def test_a_file_that_is_too_big_under_a_new_limit_shrinks(path: Path) -> None:
    sink = Local(path=path)
    for minute in range(40):
        store(sink, *(point(minute=minute, labels=(("page", f"/{number}"),)) for number in range(200)))
    sink.close()
    before = path.stat().st_size
    smaller = Local(path=path, max_bytes=Size(before // 2))
    for minute in range(40, 120):
        store(smaller, *(point(minute=minute, labels=(("page", f"/{number}"),)) for number in range(200)))
    smaller.close()
    assert path.stat().st_size <= before // 2


def test_old_points_are_dropped_a_little_at_a_time(path: Path) -> None:
    """A sender that stops for seconds because a month became too old at once holds the outbox."""
    sink = Local(path=path)
    store(sink, *(point(minute=minute) for minute in range(5000)))
    sink.close()
    sink = Local(path=path, max_age=Duration(3600.0))
    left = []
    for minute in range(5000, 5006):
        store(sink, point(minute=minute))
        left.append(len(stored(path)))
    sink.close()
    assert left == sorted(left, reverse=True)
    assert left[0] >= 3500
    assert left[-1] == 61


def test_the_newest_window_always_stays(path: Path) -> None:
    sink = Local(path=path, max_bytes=Size(1))
    store(sink, point(minute=1))
    assert stored(path) == [point(minute=1)]
    store(sink, point(minute=2))
    assert stored(path) == [point(minute=2)]
    sink.close()


def foreign(path: Path) -> str:
    with closing(sqlite3.connect(path)) as other:
        other.execute("create table users (name text)")
    return "it is not a store of points; name another file"


def newer(path: Path) -> str:
    with closing(sqlite3.connect(path)) as store:
        store.execute("pragma user_version = 99")
    return "it has version 99, this program knows 1"


def damaged(path: Path) -> str:
    path.write_bytes(b"no database " * 1000)
    return "file is not a database"


@pytest.mark.parametrize("spoil", [foreign, newer, damaged])
def test_a_file_that_is_not_ours_is_refused_and_left_alone(path: Path, spoil: Callable[[Path], str]) -> None:
    if spoil is newer:
        Local(path=path).open()
    reason = spoil(path)
    before = path.read_bytes()
    with pytest.raises(Retryable, match=reason):
        Local(path=path).open()
    assert path.read_bytes() == before


def test_bytes_that_are_not_points_can_never_be_stored(sink: Local) -> None:
    with pytest.raises(Permanent):
        sink.send(b"something else")


def test_without_a_path_it_says_so() -> None:
    with pytest.raises(Retryable, match="has no path"):
        Local().open()


def test_it_lives_in_the_state_directory_unless_told(tmp_path: Path) -> None:
    silent, told = Local(), Local(path=Path("elsewhere.db"))
    for sink in (silent, told):
        sink.settle_in(tmp_path)
    assert (silent.file, told.file) == (tmp_path / "points.db", Path("elsewhere.db"))


def test_early_values_are_welcome_and_it_is_not_remote() -> None:
    """Neither may an S3 object be deleted because a copy of its numbers is on this machine."""
    assert (Local().overwrites, Local().remote, Local().view) == (True, False, False)


def test_the_directory_being_gone_is_retried(tmp_path: Path) -> None:
    sink = Local(path=tmp_path / "missing" / "points.db")
    with pytest.raises(Retryable, match="unable to open database file"):
        sink.send(sink.encode([point()]))
    os.mkdir(tmp_path / "missing")  # noqa: PTH102
    sink.send(sink.encode([point()]))
    sink.close()


def test_it_tells_the_newest_window_of_each_metric_beside_the_runner(sink: Local, path: Path) -> None:
    """`pegel doctor` asks what has arrived."""
    beside = Local(path=path)
    name = point().metric
    assert beside.stored([name]) == {}
    store(sink, point(minute=0), point(minute=3))
    assert beside.stored([name, "other"]) == {name: point(minute=3).start_us}
    assert Local(path=path.with_name("none.db")).stored([name]) == {}
