from __future__ import annotations

from dataclasses import replace

from pegel.cli.timelines import MAX_LINES, additive, columns, group_by, settled, timelines
from pegel.sinks import Histogram, Point
from sinks.hostile import point


def of(server: str, minute: int = 0, country: str = "DE", **values: float) -> Point:
    found = point(labels=(("country", country), ("server", server)), minute=minute)
    return replace(found, values=values)


def test_each_series_is_a_line_and_a_silent_window_a_gap() -> None:
    lines = timelines([of("a", 0, tests=1), of("b", 0, tests=5), of("a", 2, tests=3)])
    assert len(lines.windows) == 3
    assert lines.lines == {"tests": {"DE, a": [1, None, 3], "DE, b": [5, None, None]}}


def test_too_many_series_are_shown_together_and_say_how() -> None:
    """Forty lines in one picture are no picture; a share that is added up is no share."""
    points = [of(str(number), tests=2, share=0.5) for number in range(MAX_LINES + 1)]
    assert timelines(points).lines == {"tests": {"sum of 7 series": [14]}, "share": {"mean of 7 series": [0.5]}}


def test_windows_that_do_not_follow_on_are_only_those_that_have_points() -> None:
    """A metric whose `every` was changed has windows of two lengths."""
    points = [of("a", 0, tests=1), of("a", 1, tests=2), point(labels=(), minute=1, tests=3)]
    odd = Point("m", (), points[0].start_us + 7, points[0].start_us + 60_000_007, {"tests": 4})
    assert len(timelines([*points, odd]).windows) == 3


def test_open_windows_are_not_in_a_picture() -> None:
    """Ten seconds into a minute its count would be a fall to a sixth."""
    closed, still_open = point(), point(minute=1, revision=0, tests=2)
    assert settled([closed, still_open]) == [closed]
    assert settled([still_open]) == [still_open]
    assert [each.revision for each in group_by([point(labels=()), point(revision=0)], None)] == [0]


def test_grouping_adds_counts_and_averages_fractions() -> None:
    points = [of("a", tests=1, share=0.25), of("b", tests=2, share=0.75), of("c", country="FR", tests=4, share=1.0)]
    grouped = group_by(points, "country")
    assert [(each.labels, each.values) for each in grouped] == [
        ((("country", "DE"),), {"tests": 3, "share": 0.5}),
        ((("country", "FR"),), {"tests": 4, "share": 1.0}),
    ]


def test_histograms_of_several_series_are_added_up() -> None:
    points = [point(labels=(("a", each),), latency=Histogram((1.0,), (1, 3), 2.5)) for each in "xy"]
    assert group_by(points, None)[0].values == {"latency": Histogram((1.0,), (2, 6), 5.0)}


def test_a_counter_is_added_up_even_if_it_is_a_float() -> None:
    points = [point(kinds={"bytes": "counter"}, bytes=0.5), point(bytes=1.5)]
    assert additive(points) == {"bytes": False}
    assert additive(points[:1]) == {"bytes": True}


def test_columns_are_in_the_order_of_the_config() -> None:
    assert columns([of("a", z=1, b=2), point(labels=(), a=3)]) == (["country", "server"], ["z", "b", "a"])


def test_texts_and_histograms_become_numbers_only_where_they_have_one() -> None:
    lines = timelines([point(name="x", latency=Histogram((1.0,), (1, 3), 2.5))])
    assert lines.lines == {"latency": {"st-01": [3]}}
