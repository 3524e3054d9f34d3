from __future__ import annotations

import math
import random
from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

from pegel.sinks import Histogram, Point
from pegel.sinks.exposition import encode, families, family_name
from pegel.sinks.safe_text import clean
from sinks.exposition_reader import read
from sinks.hostile import many_points, point, texts


def text_of(*points: Point) -> str:
    return encode(points).decode()


def test_values_are_families_of_the_metric_with_help_and_type() -> None:
    assert text_of(point(kinds={"tests": "counter", "users": "gauge"})) == (
        "# HELP ookla_speedtest_minutely_tests_total Speed tests.\n"
        "# TYPE ookla_speedtest_minutely_tests_total counter\n"
        'ookla_speedtest_minutely_tests_total{server="st-01"} 12\n'
        "# HELP ookla_speedtest_minutely_users Speed tests.\n"
        "# TYPE ookla_speedtest_minutely_users gauge\n"
        'ookla_speedtest_minutely_users{server="st-01"} 9\n'
    )


def test_a_single_value_called_value_has_the_name_of_its_metric() -> None:
    assert 'up{server="st-01"} 1\n' in text_of(point("up", value=1))
    assert "up_value{" in text_of(point("up", value=1, other=2))


def test_a_value_that_is_missing_now_does_not_rename_the_others() -> None:
    """A name that changes with the data breaks every query on it."""
    assert "up_value{" in text_of(point("up", kinds={"value": "gauge", "other": "gauge"}, value=1))


def test_counters_end_in_total_once() -> None:
    assert family_name("shop_requests", "total", "counter", alone=False) == "shop_requests_total"
    assert family_name("shop_requests", "errors", "counter", alone=False) == "shop_requests_errors_total"
    assert family_name("bytes", "value", "counter", alone=True) == "bytes_total"


def test_a_histogram_is_cumulative_and_ends_with_infinity() -> None:
    value = Histogram((0.5, 1.0, math.inf), (2, 3, 4, 4), 7.0)
    assert text_of(point("latency", kinds={"value": "histogram"}, value=value)) == (
        "# HELP latency Speed tests.\n"
        "# TYPE latency histogram\n"
        'latency_bucket{server="st-01",le="0.5"} 2\n'
        'latency_bucket{server="st-01",le="1.0"} 3\n'
        'latency_bucket{server="st-01",le="+Inf"} 4\n'
        'latency_sum{server="st-01"} 7.0\n'
        'latency_count{server="st-01"} 4\n'
    )


def test_a_label_called_le_does_not_hide_the_bucket() -> None:
    value = Histogram((1.0,), (2, 3), 7.0)
    text = text_of(point("latency", (("le", "mine"),), kinds={"value": "histogram"}, value=value))
    assert 'latency_bucket{exported_le="mine",le="1.0"} 2' in text


def test_info_texts_are_labels_of_one_series() -> None:
    text = text_of(point("asn_map", (("asn", "64500"),), kinds={"name": "info"}, name="Example Net"))
    assert 'asn_map_info{asn="64500",name="Example Net"} 1\n' in text
    assert "# TYPE asn_map_info gauge" in text


def test_quotes_and_backslashes_are_escaped_and_newlines_gone() -> None:
    assert r'{server="a\"b\\c_d"} 1' in text_of(point("m", (("server", 'a"b\\c\nd'),), value=1))


def test_names_that_prometheus_does_not_allow_are_made_valid_and_stay_different() -> None:
    labels = (("0a", "1"), ("__name__", "x"), ("a-b", "2"), ("a_b", "3"))
    assert '{_0a="1",_name__="x",a_b="2",a_b_2="3"} 1' in text_of(point("m", labels, value=1))
    assert "_0m_x{" in text_of(point("0m", x=1))


def test_two_series_that_became_equal_are_one() -> None:
    """Prometheus refuses a scrape that repeats a series: one bad client would blind us."""
    text = text_of(point("m", (("page", "a\nb"),), value=1), point("m", (("page", "a\rb"),), value=2))
    assert text.count("m{") == 1


def test_two_metrics_under_one_name_do_not_spoil_the_scrape() -> None:
    text = text_of(point("a", kinds={"b_c": "gauge", "x": "gauge"}, b_c=1), point("a_b", value=3, c=2))
    assert read(text).samples[("a_b_c", (("server", "st-01"),))] == 1
    clash = Histogram((1.0,), (1, 2), 3.0)
    assert read(text_of(point("a", b_c=clash, x=1), point("a_b", value=3, c=2))).types["a_b_c"] == "histogram"


def test_the_newest_point_of_a_series_is_shown() -> None:
    text = text_of(point("m", minute=1, value=7), point("m", minute=0, revision=5, value=3))
    assert 'm{server="st-01"} 7\n' in text


def test_a_snapshot_without_points_is_empty() -> None:
    assert encode([]) == b""
    assert families([point(a=math.nan)]) == []


@given(many_points)
def test_any_snapshot_is_accepted_by_a_strict_reader(points: list[Point]) -> None:
    read(text_of(*points))


@given(st.lists(many_points, min_size=1, max_size=2), st.randoms())
def test_the_order_of_the_points_does_not_matter(lists: list[list[Point]], rng: random.Random) -> None:
    """A snapshot that is written twice must be the same file twice."""
    points = list({(each.metric, each.labels): each for each in chain.from_iterable(lists)}.values())
    shuffled = rng.sample(points, len(points))
    assert encode(shuffled) == encode(points)


@given(texts)
def test_a_label_is_read_back_as_it_was_cleaned(text: str) -> None:
    samples = read(text_of(point("m", (("a", text),), value=1))).samples
    assert list(samples) == [("m", (("a", clean(text)),) if text else ())]
