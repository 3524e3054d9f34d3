"""What a test of a configuration says: nothing where all is as expected, the nearest thing where it is not."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doubles import House
from pegel.pipeline.cases import Difference, compare, judge
from pegel.plan import Case, Expected
from pegel.sinks import Histogram, Point

NOON = 1_772_539_200
RECORDS = f"{NOON} a 1 u\n{NOON + 1} a 2 v\n{NOON + 60} b 3 u\n"


def point(minute: int, key: str, **values: Any) -> Point:
    start = (NOON + 60 * minute) * 10**6
    return Point("m", (("key", key),), start, start + 60 * 10**6, values)


def case(*points: Expected, **facts: Any) -> Case:
    return Case(name="a test", source="log", **{"input": RECORDS, "points": {"m": points}, **facts})


def differences(tmp_path: Path, case: Case) -> Sequence[Difference]:
    return judge(House(tmp_path).plan(), case).differences


def test_nothing_is_said_where_all_is_as_expected(tmp_path: Path) -> None:
    """Labels, values and times that are left out may be anything."""
    both = [Expected(time=NOON * 10**6, labels={"key": "a"}, values={"n": 2}), Expected(values={"n": 1})]
    assert differences(tmp_path, case(*both)) == []


def test_a_point_too_many_or_too_few_is_told(tmp_path: Path) -> None:
    one, two = Expected(labels={"key": "a"}), Expected(labels={"key": "b"})
    (surplus,) = differences(tmp_path, case(one))
    assert (surplus.expected, surplus.got) == (None, "2026-03-03 12:01:00 key=b n=1")
    (missing,) = differences(tmp_path, case(one, two, Expected(values={"n": 7})))
    assert (missing.expected, missing.got) == ("n=7", None)


def test_no_points_at_all_can_be_expected(tmp_path: Path) -> None:
    assert len(differences(tmp_path, case())) == 2


def test_a_wrong_point_is_shown_beside_the_nearest_one(tmp_path: Path) -> None:
    expected = [Expected(labels={"key": "a"}, values={"n": 3}), Expected(labels={"key": "b"})]
    (difference,) = differences(tmp_path, case(*expected))
    assert difference.expected == "key=a n=3"
    assert difference.got == "2026-03-03 12:00:00 key=a n=2"
    assert difference.wrong == ["n is 2, expected 3"]


def test_the_state_and_the_log_of_the_plan_are_left_alone(tmp_path: Path) -> None:
    """Tests may run on the machine that counts."""
    house = House(tmp_path)
    house.source.write((NOON, "c", 1, "u"))
    judge(house.plan(), case(Expected(), Expected()))
    assert not (tmp_path / "state").exists()
    assert house.sink.received == []


def test_refused_records_are_expected_by_their_number(tmp_path: Path) -> None:
    """A test whose records are not read at all must not pass."""
    future = case(input="9999999999 a 1 u\n")
    assert differences(tmp_path, future) == [Difference("rejects", wrong=["future is 1, expected 0"])]
    assert differences(tmp_path, case(input="9999999999 a 1 u\n", rejects={"future": 1})) == []
    assert differences(tmp_path, case(input="", rejects={"future": 2})) == [
        Difference("rejects", wrong=["future is 0, expected 2"])
    ]


def test_records_may_be_in_a_file_of_their_own(tmp_path: Path) -> None:
    """A day of a log is no text to write between quotes."""
    file = tmp_path / "records.gz"
    file.write_bytes(gzip.compress(RECORDS.encode()))
    expected = [Expected(values={"n": 2}), Expected(values={"n": 1})]
    assert differences(tmp_path, case(*expected, input=None, input_file=file)) == []


def test_a_file_that_is_missing_fails_the_test(tmp_path: Path) -> None:
    (difference,) = differences(tmp_path, case(input=None, input_file=tmp_path / "none"))
    assert difference == Difference("input", wrong=[f"{tmp_path / 'none'} cannot be read: No such file or directory"])


@pytest.mark.parametrize(
    ("expected", "same"),
    [
        ({"count": 3}, True),
        ({"sum": 4.5, "buckets": [[1.0, 2]]}, True),
        ({"count": 2}, False),
        ({"buckets": []}, False),
    ],
)
def test_a_histogram_is_told_by_its_parts(expected: dict[str, Any], same: bool) -> None:
    found = point(0, "a", size=Histogram((1.0, float("inf")), (2, 3), 4.5))
    assert (not list(compare("m", [Expected(values={"size": expected})], [found]))) is same


def test_floats_need_not_be_equal_to_the_last_bit() -> None:
    assert list(compare("m", [Expected(values={"x": 0.3})], [point(0, "a", x=0.1 + 0.2)])) == []


@given(data=st.data())
def test_loose_expectations_are_paired_as_well_as_possible(data: st.DataObject) -> None:
    """An expectation that fits several points must not take the only one that fits another."""
    points = [point(data.draw(st.integers(0, 2)), data.draw(st.sampled_from("ab")), n=index % 3) for index in range(6)]
    expected = []
    for one in data.draw(st.permutations(points)):
        said = data.draw(st.sets(st.sampled_from(["time", "key", "n"])))
        expected.append(
            Expected(
                time=one.start_us if "time" in said else None,
                labels=dict(one.labels) if "key" in said else {},
                values=one.values if "n" in said else {},
            )
        )
    assert list(compare("m", expected, points)) == []
    assert len(list(compare("m", [*expected, Expected()], points))) == 1


def test_a_text_in_the_place_of_a_number_is_told_from_it(tmp_path: Path) -> None:
    """`n is 1, expected 1` helps nobody."""
    (difference,) = differences(
        tmp_path, case(Expected(labels={"key": "a"}, values={"n": "2"}), Expected(labels={"key": "b"}))
    )
    assert difference.wrong == ['n is 2 (a number), expected "2" (a text)']
