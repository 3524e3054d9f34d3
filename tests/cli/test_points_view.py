from __future__ import annotations

import pytest

from pegel.cli.points_view import age, between, charts, figure, grouping, heading, overview, rows, sparklines
from pegel.cli.terminal import Terminal
from pegel.cli.timelines import timelines
from pegel.sinks import Histogram, Kind, Point, Value
from pegel.sinks.local_points import StoredMetric
from sinks.hostile import point

START = point().start_us
MINUTE = 60_000_000
NAME = "ookla_speedtest_minutely"
KINDS: dict[str, Kind] = {"tests": "counter", "users": "gauge"}
METRIC = StoredMetric(NAME, "Speed tests.", KINDS, 2, START, START + 3 * MINUTE, MINUTE)


def four_minutes() -> list[Point]:
    return [
        point(labels=(("server", server),), minute=minute, tests=tests * (minute + 1), users=9)
        for minute in range(4)
        for server, tests in (("st-01", 12), ("st-02", 1))
    ]


def test_the_overview_is_a_line_per_metric() -> None:
    now = (START + 6 * MINUTE) / 1e6
    other = StoredMetric("quiet", "", {}, 1, START, START, 3_600_000_000)
    assert overview([METRIC, other], {NAME: four_minutes()}, now, Terminal()) == [
        "metric                    series  every      newest (UTC)   ended  latest windows  last  value",
        "ookla_speedtest_minutely       2     1m  2026-03-03 12:03  2m ago            ▁▃▆█    52  tests, sum",
        "quiet                          1     1h  2026-03-03 12:00    open",
    ]


def test_the_heading_says_what_is_shown() -> None:
    assert heading(METRIC, four_minutes(), Terminal(80)) == [
        "ookla_speedtest_minutely  Speed tests.",
        "2026-03-03 12:00 to 12:04 UTC · 4 windows of 1m · 2 series",
    ]
    assert heading(METRIC, [point()], Terminal(80))[1] == "2026-03-03 12:00 to 12:01 UTC · 1 window of 1m"


def test_each_value_has_a_sparkline_per_series_with_its_extremes() -> None:
    assert sparklines(timelines(four_minutes()), Terminal(80)) == [
        "tests  st-01  ▁▃▆█        min 12      max 48      last 48",
        "       st-02  ▁▃▆█        min 1       max 4       last 4",
        "users  st-01  ▄▄▄▄        min 9       max 9       last 9",
        "       st-02  ▄▄▄▄        min 9       max 9       last 9",
    ]


def test_a_chart_per_value_has_the_series_in_its_legend() -> None:
    lines = charts(timelines([each for each in four_minutes() if each.values["tests"]]), Terminal(40), height=5)
    assert lines[0] == "tests"
    assert lines[7] == "    12:00                          12:03"
    assert lines[8:10] == [
        "● st-01  min 12      max 48      last 48",
        "● st-02  min 1       max 4       last 4",
    ]
    assert lines[11] == "users"


def test_a_table_has_a_row_per_point_with_dates_in_a_pipe() -> None:
    assert rows(four_minutes()[:2], Terminal()) == [
        "time              server  tests  users",
        "2026-03-03 12:00  st-01      12      9",
        "2026-03-03 12:00  st-02       1      9",
    ]


def test_an_open_window_is_marked() -> None:
    """Its number will still grow; it must not be taken for a sudden drop."""
    shown = rows([point(), point(minute=1, revision=0)], Terminal(80))
    assert shown[1:] == ["12:00    st-01      12      9", "12:01 …  st-01      12      9"]


def test_points_of_different_shape_share_a_table() -> None:
    shown = rows([point(labels=(("a", "x"),), n=1), point(labels=(("b", "y"),), note="text")], Terminal(80))
    assert shown == ["time   a  b  n  note", "12:00  x     1", "12:00     y     text"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(1234567, "1,234,567"), (0.123456, "0.1235"), (123456.7, "123,457"), (1e20, "1e+20"), ("x", "x"),
     (Histogram((1.0,), (3, 9), 4.5), "9 · ø 0.5"), (Histogram((), (0,), 0.0), "0")],
)  # fmt: skip
def test_a_figure_is_readable(value: Value | Histogram, text: str) -> None:
    assert figure(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "open"), (0.5, "now"), (59, "59s ago"), (60, "1m ago"), (7200, "2h ago"), (2e5, "2d ago")],
)
def test_an_age_has_its_largest_unit(seconds: float, text: str) -> None:
    assert age(START, START / 1e6 + seconds) == text


def test_a_span_over_midnight_has_both_dates() -> None:
    assert between(START, START + 86_400_000_000) == "2026-03-03 12:00 to 2026-03-04 12:00"


def test_grouping_says_what_was_added_and_what_averaged() -> None:
    """Adding distinct users of two servers counts a person twice: whoever reads the sum has to know it is one."""
    assert grouping([point(tests=1, share=0.5)], "server") == "by server: tests added up; share averaged"
