from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pegel.cli.points_changes import Changes
from pegel.cli.points_query import Wanted
from pegel.sinks import Point
from pegel.sinks.local import Local
from sinks.hostile import point

NAME = "ookla_speedtest_minutely"
NOW = 1_772_539_200.0 + 3600


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Local]:
    local = Local(path=tmp_path / "points.db")
    yield local
    local.close()


def put(sink: Local, *points: Point) -> None:
    sink.send(sink.encode(points))


def changes(sink: Local, pattern: str = NAME, *, early: bool = False, **wanted: object) -> Changes:
    assert sink.path is not None
    return Changes(sink.path, pattern, Wanted(**wanted), early=early)  # type: ignore[arg-type]


def minutes(points: list[Point]) -> list[tuple[int, object]]:
    return [((one.start_us - point().start_us) // 60_000_000, one.values["tests"]) for one in points]


def test_the_past_comes_first_and_then_only_what_is_new(sink: Local) -> None:
    put(sink, *(point(minute=minute, tests=minute) for minute in range(30)))
    followed = changes(sink)
    assert minutes(followed.news(NOW)) == [(minute, minute) for minute in range(20, 30)]
    assert followed.news(NOW) == []
    put(sink, point(minute=30, tests=7))
    assert minutes(followed.news(NOW)) == [(30, 7)]
    assert followed.news(NOW) == []
    assert followed.news(NOW) == []


def test_the_past_is_as_long_as_was_asked_for(sink: Local) -> None:
    put(sink, *(point(minute=minute, tests=minute) for minute in range(30)))
    assert len(changes(sink, last=3).news(NOW)) == 3
    assert len(changes(sink, since_us=point(minute=5).start_us).news(NOW)) == 25


def test_a_correction_is_shown_even_of_a_window_that_was_not(sink: Local) -> None:
    """A late record may change any of the windows of the last hours."""
    put(sink, *(point(minute=minute, tests=minute) for minute in range(30)))
    followed = changes(sink, last=1)
    followed.news(NOW)
    put(sink, point(minute=3, tests=99, revision=2))
    (found,) = followed.news(NOW)
    assert (found.values["tests"], found.revision) == (99, 2)


def test_an_open_window_is_shown_when_it_closes(sink: Local) -> None:
    put(sink, point(minute=0, tests=1))
    followed = changes(sink)
    followed.news(NOW)
    put(sink, point(minute=1, tests=4, revision=0))
    assert followed.news(NOW) == []
    put(sink, point(minute=1, tests=4))
    assert minutes(followed.news(NOW)) == [(1, 4)]


def test_early_values_are_shown_whenever_they_have_grown(sink: Local) -> None:
    put(sink, point(minute=0, tests=1))
    followed = changes(sink, early=True)
    followed.news(NOW)
    for tests in (4, 5):
        put(sink, point(minute=1, tests=tests, revision=0))
        assert minutes(followed.news(NOW)) == [(1, tests)]
    put(sink, point(minute=1, tests=5))
    assert minutes(followed.news(NOW)) == [(1, 5)]  # the same value, and now it is final


def test_a_store_that_is_not_there_yet_is_waited_for(sink: Local) -> None:
    followed = changes(sink, last=1)
    assert followed.news(NOW) == []
    put(sink, point(minute=0, tests=1), point(minute=1, tests=2))
    assert minutes(followed.news(NOW)) == [(0, 1), (1, 2)]


def test_a_metric_that_appears_is_news_from_its_first_point(sink: Local) -> None:
    put(sink, point("a"))
    followed = changes(sink, "*", last=1)
    followed.news(NOW)
    put(sink, point("b", minute=0, tests=1), point("b", minute=1, tests=2))
    assert minutes(followed.news(NOW)) == [(0, 1), (1, 2)]


def test_several_metrics_come_by_time(sink: Local) -> None:
    put(sink, point("b_x"), point("a_x", minute=1), point("a_x"), point("other"))
    found = changes(sink, "*_x").news(NOW)
    assert [one.metric for one in found] == ["a_x", "b_x", "a_x"]


def test_labels_and_values_choose(sink: Local) -> None:
    put(sink, point())
    followed = changes(sink, labels={"server": "st-02"}, values=["users"])
    assert followed.news(NOW) == []
    put(sink, point(minute=1), point(labels=(("server", "st-02"),), minute=1))
    (found,) = followed.news(NOW)
    assert (dict(found.labels), dict(found.values)) == ({"server": "st-02"}, {"users": 9})


def test_a_group_is_shown_when_its_sum_has_changed(sink: Local) -> None:
    series = [(("server", name), ("model", "m")) for name in ("a", "b")]
    put(sink, *(point(labels=tuple(sorted(labels)), tests=2) for labels in series))
    followed = changes(sink, by="model")
    assert minutes(followed.news(NOW)) == [(0, 4)]
    put(sink, point(labels=tuple(sorted(series[0])), tests=5, revision=2))
    assert minutes(followed.news(NOW)) == [(0, 7)]


def test_a_store_that_was_replaced_is_read_anew(sink: Local, tmp_path: Path) -> None:
    put(sink, point(minute=0, tests=1))
    followed = changes(sink)
    followed.news(NOW)
    sink.close()
    for file in tmp_path.iterdir():
        file.unlink()
    other = Local(path=sink.path)
    put(other, point(minute=1, tests=2))
    assert minutes(followed.news(NOW)) == [(1, 2)]
    other.close()


def test_a_write_that_bears_the_time_of_the_last_look_is_seen(sink: Local, tmp_path: Path) -> None:
    """Clocks of files tick every few milliseconds, and a write-ahead log that begins again keeps its size."""
    put(sink, point(minute=0, tests=1))
    followed = Changes(tmp_path / "points.db", NAME, Wanted(), stamp=lambda _: (4096, 7))
    followed.news(NOW)
    put(sink, point(minute=1, tests=2))
    assert minutes(followed.news(NOW)) == [(1, 2)]


writes = st.lists(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(0, 9)), max_size=4), max_size=6)


@settings(max_examples=30, deadline=None)
@given(batches=writes)
def test_what_was_shown_last_is_what_the_store_has(
    batches: list[list[tuple[int, int, int]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whoever writes down the last line of each window has the same numbers as the store, whatever came when."""
    sink = Local(path=tmp_path_factory.mktemp("store") / "points.db")
    followed = changes(sink, early=True)
    shown: dict[int, Point] = {}
    for batch in batches:
        put(sink, *(point(minute=minute, revision=revision, tests=tests) for minute, revision, tests in batch))
        shown.update({one.start_us: one for one in followed.news(NOW)})
    final = changes(sink, early=True, last=100).news(NOW)
    assert shown == {one.start_us: one for one in final}
    sink.close()
