from __future__ import annotations

import math

import pytest
from hypothesis import given

from pegel.sinks import Histogram, Point, Value
from pegel.sinks.influx import Precision, encode, fields_of
from pegel.sinks.safe_text import clean
from sinks.hostile import many_points, point, texts
from sinks.line_protocol import read


def text_of(points: list[Point]) -> str:
    return encode(points).decode()


def test_a_point_is_one_line_with_its_start_in_seconds() -> None:
    assert text_of([point()]) == "ookla_speedtest_minutely,server=st-01 tests=12i,users=9i 1772539200\n"


@pytest.mark.parametrize(
    ("precision", "time"),
    [("s", "1772539200"), ("ms", "1772539200000"), ("us", "1772539200000000"), ("ns", "1772539200000000000")],
)
def test_times_have_the_precision_that_was_asked_for(precision: Precision, time: str) -> None:
    assert encode([point()], precision).decode().split()[-1] == time


def test_integers_floats_and_texts_keep_their_types() -> None:
    """A field that changes its type is refused by InfluxDB until the shard is over."""
    line = text_of([point(a=1, b=1.0, c=1e22, d='say "hi" \\', e=-0.5)])
    assert 'a=1i,b=1.0,c=1e+22,d="say \\"hi\\" \\\\",e=-0.5' in line


def test_a_histogram_becomes_a_field_per_bound_with_sum_and_count() -> None:
    line = text_of([point(latency=Histogram((0.5, 1.0), (2, 3, 4), 7.0))])
    assert " latency_le_0.5=2i,latency_le_1=3i,latency_sum=7.0,latency_count=4i " in line


def test_commas_blanks_and_equals_signs_are_escaped() -> None:
    labels = (("a key", "x,y=z w"), ("b", "back\\slash"))
    assert text_of([point("my, metric=", labels, n=1)]).startswith(
        "my\\,\\ metric=,a\\ key=x\\,y\\=z\\ w,b=back\\slash n=1i "
    )


def test_a_backslash_at_the_end_of_a_label_is_replaced() -> None:
    """It would swallow the comma behind it and turn a label into part of another."""
    assert ",a=x__,b=y " in text_of([point(labels=(("a", "x\\\\"), ("b", "y")))])


def test_empty_labels_are_left_out_and_reserved_names_renamed() -> None:
    labels = (("_field", "f"), ("empty", ""), ("time", "noon"))
    assert text_of([point("_m", labels, _x=1, time=2)]) == "m,field=f,time_=noon x=1i,time_=2i 1772539200\n"


def test_values_that_influxdb_cannot_hold_are_left_out() -> None:
    assert text_of([point(a=math.nan, b=2**63, c=-(2**63))]).split()[1] == f"c={-(2**63)}i"
    assert encode([point(a=math.inf)]) == b""


@given(many_points)
def test_any_point_is_read_back_as_one_line_with_its_own_labels_and_numbers(points: list[Point]) -> None:
    """Nobody may add a tag, a field or a line by what he sends."""
    readable = [each for each in points if encode([each])]
    lines = read(text_of(points))
    assert len(lines) == len(readable)
    for line, original in zip(lines, readable, strict=True):
        assert line.time == original.start_us // 1_000_000
        assert len(line.tags) == len([text for _, text in original.labels if text])
        assert not any(name.startswith("_") or name == "time" for name in (*line.tags, *line.fields))
        assert list(line.fields.values()) == [_stored(value) for _, value in fields_of(original.values)]


def _stored(value: Value) -> Value:
    return clean(value, 16_000) if isinstance(value, str) else value


@given(texts)
def test_a_text_value_is_read_back_as_it_was_cleaned(text: str) -> None:
    (line,) = read(text_of([point(note=text)]))
    assert line.fields == {"note": clean(text, 16_000)}


@given(texts)
def test_a_label_is_read_back_as_it_was_cleaned_but_for_backslashes_at_its_end(text: str) -> None:
    (line,) = read(text_of([point(labels=(("a", text), ("b", "y")))]))
    cleaned = clean(text)
    kept = cleaned.rstrip("\\")
    expected = kept + "_" * (len(cleaned) - len(kept))
    assert line.tags == ({"a": expected, "b": "y"} if text else {"b": "y"})


@given(many_points)
def test_a_line_is_never_too_long_for_influxdb(points: list[Point]) -> None:
    """Measurement and tags have to fit into 65,535 bytes."""
    for line in encode(points).split(b"\n"):
        assert len(line) <= 4 * 65_535
