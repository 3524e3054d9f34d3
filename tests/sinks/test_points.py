from __future__ import annotations

import json
import zlib

import pytest
from hypothesis import given

from pegel.sinks import Point, Value
from pegel.sinks.points import merge, pack, unpack, unpack_blocks
from sinks.hostile import many_points, point


@given(many_points)
def test_unpacking_gives_back_what_was_packed(points: list[Point]) -> None:
    """A point waits here until its sink takes it; it must come out as it went in, order and types too."""
    assert repr(unpack(pack(points))) == repr(points)


def test_the_order_of_mixed_points_is_kept() -> None:
    points = [point(), point("b", ()), point(minute=1), point("b", (("x", "y"),)), point(minute=2)]
    assert unpack(pack(points)) == points


@pytest.mark.parametrize("values", [(1, 1.0, "1", True), (1, 1.0), (1.0, 1), (1, True), (0.0, -0.0), ("1", 1)])
def test_values_that_are_equal_stay_what_they_are(values: tuple[Value, ...]) -> None:
    """InfluxDB refuses a field that changes its type, so 1 must never come back as 1.0."""
    points = [point(minute=minute, x=value) for minute, value in enumerate(values)]
    assert [repr(each.values["x"]) for each in unpack(pack(points))] == [repr(value) for value in values]


def test_equal_points_give_equal_bytes_whoever_holds_them() -> None:
    one = [point(kinds={"tests": "counter"}), point(minute=1, kinds={"tests": "counter"})]
    shared = point(kinds={"tests": "counter"}).kinds
    other = [Point(**{**each.__dict__, "kinds": shared}) for each in one]
    assert pack(one) == pack(other)


def test_ten_thousand_points_take_less_than_twenty_bytes_each() -> None:
    """72 hours of outage have to fit on a small disk."""
    points = [point(labels=(("asn", str(n)), ("server", f"st-{n % 40}")), tests=n % 200) for n in range(10_000)]
    assert len(pack(points)) < 20 * len(points)


def test_blocks_have_the_same_points_as_columns() -> None:
    (block,) = unpack_blocks(pack([point(), point(minute=1, tests=3, users=2)]))
    assert (block.metric, block.label_names, block.value_names) == (
        "ookla_speedtest_minutely", ("server",), ("tests", "users"),
    )  # fmt: skip
    assert (block.rows, block.labels, block.values) == (2, [["st-01", "st-01"]], [[12, 3], [9, 2]])
    assert (block.widths, block.revisions) == ([60_000_000] * 2, [1, 1])


@pytest.mark.parametrize("data", [b"", b"not packed", zlib.compress(b"[]"), zlib.compress(b"{}"), zlib.compress(b"1")])
def test_bytes_that_are_not_ours_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"packed|unpack|values"):
        unpack(data)


def test_bytes_of_a_newer_version_are_refused_by_name() -> None:
    """After a downgrade the operator must learn why, not see half of the points."""
    with pytest.raises(ValueError, match="version 2; this program reads version 1"):
        unpack(zlib.compress(json.dumps([2, None, []]).encode()))


def test_a_correction_replaces_its_series_and_keeps_the_others() -> None:
    first, other = point(), point(labels=(("server", "st-02"),))
    corrected = point(revision=2, tests=13)
    late = point(labels=(("server", "st-03"),), revision=2)
    assert merge([first, other], [corrected, late]) == [corrected, other, late]


def test_a_lower_revision_never_replaces_a_higher_one() -> None:
    corrected, stale = point(revision=3), point(revision=2, tests=1)
    assert merge([corrected], [stale]) == [corrected]
    assert merge([point(revision=0)], [point(revision=0, tests=5)]) == [point(revision=0, tests=5)]


@given(many_points, many_points)
def test_merging_again_changes_nothing(older: list[Point], newer: list[Point]) -> None:
    """The outbox may be asked twice after a crash."""
    merged = merge(older, newer)
    assert repr(merge(merged, newer)) == repr(merged)
