from __future__ import annotations

from hypothesis import given

from pegel.cli.points_export import points_text
from pegel.cli.points_stream import CsvStream, TableStream
from pegel.cli.terminal import Terminal
from pegel.sinks import Point
from sinks.hostile import many_points, point


def test_the_header_of_csv_comes_once_and_again_where_there_is_a_new_column() -> None:
    stream = CsvStream()
    assert stream.text([point()]) == "time,server,tests,users,revision\n2026-03-03T12:00:00Z,st-01,12,9,1\n"
    assert stream.text([point(minute=1, tests=3)]) == "2026-03-03T12:01:00Z,st-01,3,,1\n"
    assert stream.text([point(minute=2, share=0.5)]) == (
        "time,server,tests,users,share,revision\n2026-03-03T12:02:00Z,st-01,,,0.5,1\n"
    )


@given(points=many_points)
def test_one_batch_of_csv_is_what_it_is_without_following(points: list[Point]) -> None:
    assert CsvStream().text(points) == points_text(points, "csv")


def test_a_table_goes_on_under_its_header() -> None:
    stream = TableStream(Terminal())
    assert stream.lines([point()]) == [
        "time                server  tests  users",
        "2026-03-03 12:00    st-01      12      9",
    ]
    assert stream.lines([point(minute=1, tests=3)]) == ["2026-03-03 12:01    st-01       3"]


def test_a_column_that_had_to_grow_stays_wide() -> None:
    stream = TableStream(Terminal())
    stream.lines([point()])
    wide = stream.lines([point(minute=1, tests=1_234_567)])
    assert wide == ["2026-03-03 12:01    st-01   1,234,567"]
    assert stream.lines([point(minute=2, tests=1)]) == ["2026-03-03 12:02    st-01           1"]


def test_what_may_still_change_and_what_has_changed_is_marked() -> None:
    stream = TableStream(Terminal())
    rows = stream.lines([point(revision=0), point(minute=1), point(minute=2, revision=2)])[1:]
    assert [row[17] for row in rows] == ["…", " ", "↻"]


def test_several_metrics_share_four_columns() -> None:
    stream = TableStream(Terminal(), several=True)
    assert stream.lines([point("a"), point("b", tests=1.5)]) == [
        "time                metric  labels        values",
        "2026-03-03 12:00    a       server=st-01  tests 12  users 9",
        "2026-03-03 12:00    b       server=st-01  tests 1.5",
    ]
    assert stream.lines([point("c", labels=())])[0].split()[:3] == ["2026-03-03", "12:00", "c"]
