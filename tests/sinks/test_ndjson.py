from __future__ import annotations

import json
import math

from hypothesis import given

from pegel.sinks import Histogram, Point
from pegel.sinks.ndjson import encode, show_time
from sinks.hostile import many_points, point


def test_a_point_is_one_line_as_documented() -> None:
    """Scripts are written against this line."""
    assert encode([point()]) == (
        b'{"metric": "ookla_speedtest_minutely", "time": "2026-03-03T12:00:00Z", '
        b'"labels": {"server": "st-01"}, "values": {"tests": 12, "users": 9}}\n'
    )


def test_a_correction_says_its_revision() -> None:
    assert encode([point(revision=2)]).endswith(b'"users": 9}, "revision": 2}\n')


def test_labels_and_values_are_sorted() -> None:
    line = encode([point(labels=(("b", "1"), ("a", "2")), z=1, a=2.5)])
    assert b'"labels": {"a": "2", "b": "1"}, "values": {"a": 2.5, "z": 1}' in line


def test_a_histogram_has_its_buckets_sum_and_count() -> None:
    line = encode([point(latency=Histogram((0.5, 1.0, math.inf), (2, 3, 4, 4), 7.25))])
    assert json.loads(line)["values"]["latency"] == {"buckets": [[0.5, 2], [1.0, 3]], "sum": 7.25, "count": 4}


def test_values_that_are_no_numbers_are_left_out_and_so_is_an_empty_point() -> None:
    """JSON has no NaN: one such line would stop every strict reader."""
    assert json.loads(encode([point(a=math.nan, b=1)]))["values"] == {"b": 1}
    assert encode([point(a=math.inf), point(a=Histogram((), (0,), math.nan))]) == b""


def test_a_fraction_of_a_second_is_shown_only_where_there_is_one() -> None:
    assert show_time(500_000) == "1970-01-01T00:00:00.500000Z"
    assert show_time(-1_000_000) == "1969-12-31T23:59:59Z"


def _refuse(word: str) -> None:
    raise AssertionError(word)


@given(many_points)
def test_any_point_is_one_line_of_strict_json(points: list[Point]) -> None:
    """Whatever a stranger put into a label, it stays inside its own string."""
    lines = encode(points).decode().split("\n")
    assert lines.pop() == ""
    for line in lines:
        document = json.loads(line, parse_constant=_refuse)
        assert set(document) - {"revision"} == {"metric", "time", "labels", "values"}
        assert document["values"]
        assert len(line.splitlines()) == 1


@given(many_points)
def test_the_same_points_give_the_same_bytes(points: list[Point]) -> None:
    again = [Point(**{**each.__dict__, "values": dict(reversed(list(each.values.items())))}) for each in points]
    assert encode(again) == encode(points)
