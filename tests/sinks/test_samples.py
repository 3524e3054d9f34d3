from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from pegel.sinks import Histogram, Kind, Point
from pegel.sinks.samples import Encoder, Frame, frames
from pegel.sinks.write_request import STALE, Moment, varint
from pegel.sinks.write_request2 import Translator
from sinks.hostile import many_points, point
from sinks.protobuf import Series, fields, read, read2

RUNNER = {"runner": "r1"}
NOON = 1_772_539_260_000
"""The end of a friendly point's window, in milliseconds."""


def encoded(*points: Point, encoder: Encoder | None = None) -> list[Frame]:
    return frames((encoder or Encoder(RUNNER)).encode(points))


def series(*points: Point) -> dict[str, Series]:
    """By name and labels, as one would write them."""
    found = [one for frame in encoded(*points) for one in read(frame.body)]
    return {",".join(f"{name}={text}" for name, text in one.labels): one for one in found}


# -- the message ------------------------------------------------------------------------------------------


@given(st.integers(0, 2**64 - 1))
def test_a_varint_is_read_as_what_it_was(number: int) -> None:
    ((field, value),) = list(fields(b"\x08" + varint(number)))
    assert (field, value) == (1, number)


@settings(max_examples=150)
@given(many_points, many_points)
def test_whatever_the_points_a_request_is_what_the_protocol_wants(first: list[Point], second: list[Point]) -> None:
    """Sorted labels, none twice, none empty; one sample for a series; one time. Also where much is known already."""
    encoder = Encoder(RUNNER)
    for points in (first, second, first):
        for frame in encoded(*points, encoder=encoder):
            found = read(frame.body)
            assert len(found) == sum(frame.counts)
            assert len({one.labels for one in found}) == len(found)
            for one in found:
                check(one, frame.time)


def check(one: Series, time: int) -> None:
    names = [name for name, _ in one.labels]
    assert names == sorted(set(names))
    assert {"__name__", "runner"} <= set(names)
    assert all(text for _, text in one.labels)
    assert not any(name.startswith("__") for name in names if name != "__name__")
    ((bits, at),) = one.samples
    assert at == time
    value = struct.unpack("<d", bits)[0]
    assert bits == STALE or not math.isnan(value)


@settings(max_examples=100)
@given(many_points)
def test_the_rows_of_a_request_can_be_sent_one_by_one(points: list[Point]) -> None:
    """That is how the one that is refused is found."""
    for frame in encoded(*points):
        apart = [one for row in frame.rows for one in read(frame.part([row]))]
        assert apart == read(frame.body) == read(frame.part(list(frame.rows)))
    assert sorted(row for frame in encoded(*points) for row in frame.rows) == list(range(len(points)))


@settings(max_examples=100)
@given(many_points)
def test_version_2_says_the_same(points: list[Point]) -> None:
    translator = Translator()
    for frame in encoded(*points):
        assert read2(translator.translate(frame.body, frame.time)) == read(frame.body)


@given(many_points)
def test_the_same_points_are_the_same_bytes_whatever_was_encoded_before(points: list[Point]) -> None:
    """What is frozen must not depend on the life of the runner that froze it."""
    used = Encoder(RUNNER)
    used.encode([point(n=number) for number in range(3)])
    assert used.encode(points) == Encoder(RUNNER).encode(points)


def test_times_before_1970_and_far_away_are_written_too() -> None:
    for time in (-1, 0, 1, 2**41, 2**42, 2**62):
        tail = Moment.of(time).tail
        ((_, value),) = list(fields(tail))
        assert (value - (1 << 64) if value >> 63 else value) == time


# -- what points are as series ----------------------------------------------------------------------------


def test_a_sample_has_the_time_at_which_its_window_ends() -> None:
    (one,) = series(point(n=3, kinds={"n": "counter"})).values()
    assert one.samples == ((struct.pack("<d", 3.0), NOON),)


def test_names_are_those_of_the_page() -> None:
    kinds = {"tests": "counter", "users": "gauge"}
    names = [dict(one.labels)["__name__"] for one in series(point(kinds=kinds)).values()]  # type: ignore[arg-type]
    assert names == ["ookla_speedtest_minutely_tests_total", "ookla_speedtest_minutely_users"]
    (alone,) = series(point(value=3, kinds={"value": "gauge"}))
    assert alone == "__name__=ookla_speedtest_minutely,runner=r1,server=st-01"


def test_a_remark_changes_no_name() -> None:
    """A metric with one value, called `value`, has its name alone; that it is an estimate is another series."""
    found = series(point(value=3, approx=1, kinds={"value": "gauge"}))
    names = [dict(one.labels)["__name__"] for one in found.values()]
    assert names == ["ookla_speedtest_minutely", "ookla_speedtest_minutely_approx"]


def test_a_histogram_is_buckets_a_sum_and_a_count() -> None:
    histogram = Histogram((0.5, 10.0), (1, 3, 4), 21.5)
    found = series(point(h=histogram, kinds={"h": "histogram"}))
    got = {
        (dict(one.labels)["__name__"].rpartition("_")[2], dict(one.labels).get("le")): one.value
        for one in found.values()
    }
    assert got == {
        ("bucket", "0.5"): 1,
        ("bucket", "10.0"): 3,
        ("bucket", "+Inf"): 4,
        ("sum", None): 21.5,
        ("count", None): 4,
    }


def test_a_series_that_is_over_has_the_stale_marker() -> None:
    histogram = Histogram((0.5,), (1, 4), math.nan)
    ended = series(point(n=math.nan, h=histogram, kinds={"n": "counter", "h": "histogram"}))
    assert {bits for one in ended.values() for bits, _ in one.samples} == {STALE}
    assert len(ended) == 5


def test_the_texts_of_an_info_are_labels() -> None:
    (name,) = series(point("asn_map", (("asn", "64500"),), name="Example", kinds={"name": "info"}))
    assert name == "__name__=asn_map_info,asn=64500,name=Example,runner=r1"


def test_a_label_of_the_runners_name_steps_aside() -> None:
    (name,) = series(point("m", (("runner", "theirs"),), value=1, kinds={"value": "gauge"}))
    assert name == "__name__=m,exported_runner=theirs,runner=r1"
    (own,) = series(point("m", (("runner", "r1"),), value=1, kinds={"value": "gauge"}))
    assert own == "__name__=m,runner=r1"


def test_there_may_be_no_label_of_the_runner() -> None:
    (one,) = read(encoded(point("m", (), value=1, kinds={"value": "gauge"}), encoder=Encoder({}))[0].body)
    assert one.labels == (("__name__", "m"),)


def test_a_value_that_becomes_a_counter_gets_the_name_of_one() -> None:
    encoder = Encoder({})
    name = [
        dict(read(encoded(point("m", (), n=1, kinds={"n": kind}), encoder=encoder)[0].body)[0].labels)["__name__"]
        for kind in ("gauge", "counter")
    ]
    assert name == ["m_n", "m_n_total"]


# -- requests ---------------------------------------------------------------------------------------------


def times(points: Sequence[Point]) -> list[tuple[int, int]]:
    return [(frame.time, len(frame.rows)) for frame in encoded(*points)]


def test_a_request_has_one_time_and_they_come_in_order() -> None:
    """Of a series that has its newest sample twice nothing can be sent again."""
    given = [point(minute=minute, labels=(("key", key),)) for minute in (2, 0, 1) for key in "ab"]
    assert times(given) == [(NOON, 2), (NOON + 60_000, 2), (NOON + 120_000, 2)]


def test_a_request_is_not_too_big() -> None:
    given = [point(labels=(("key", str(number)),), n=1) for number in range(12_000)]
    assert times(given) == [(NOON, 5_000), (NOON, 5_000), (NOON, 2_000)]


def test_of_two_series_that_cleaning_made_equal_the_first_one_stays() -> None:
    """A request that has a series twice is refused as a whole."""
    given = [point(labels=(("key", text),), n=number) for number, text in enumerate(["a\n", "a\r", "b"])]
    (frame,) = encoded(*given)
    assert frame.counts == [1, 0, 1]


def test_totals_may_have_labels_of_their_own() -> None:
    """A counter of a back-fill is a series of its own; a gauge is the same as that of the runner."""
    kinds: dict[str, Kind] = {"n": "counter", "g": "gauge", "h": "histogram", "i": "info"}
    one = point("m", (), n=1, g=2, h=Histogram((1.0,), (1, 1), 0.5), i="text", kinds=kinds)
    found = read(encoded(one, encoder=Encoder({"runner": "r"}, {"backfill": "b"}))[0].body)
    labels = [dict(series.labels) for series in found]
    names = {one["__name__"]: "backfill" in one for one in labels}
    assert names == {
        "m_n_total": True,
        "m_g": False,
        "m_h_bucket": True,
        "m_h_sum": True,
        "m_h_count": True,
        "m_info": False,
    }
    assert all(one["runner"] == "r" for one in labels)


def test_what_requests_have_in_common_is_said_for_each_of_them_and_forgotten_in_time() -> None:
    """The same series with other values, with times that are shorter as bytes, and in another order."""
    points = [point("m", (("key", key),), n=number, kinds={"n": "gauge"}) for number, key in enumerate("abc")]
    requests = [points, [replace(one, values={"n": 7}) for one in points], points[::-1], points[:1]]
    requests += [[replace(one, end_us=1_000_000) for one in points], points]
    for translator in (Translator(), Translator(most=3)):
        for request in requests:
            for frame in encoded(*request):
                assert read2(translator.translate(frame.body, frame.time)) == read(frame.body)
