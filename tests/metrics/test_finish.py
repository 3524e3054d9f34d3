from __future__ import annotations

import math

import pytest

from metrics.making import compiled, fold
from pegel.metrics.definition import Value
from pegel.metrics.partials import Pane
from pegel.sinks import Histogram
from pegel.table import Batch


def test_nothing_to_finish_gives_nothing() -> None:
    assert compiled({"a": "count(*)", "b": "1.0 * count(*)"}).finish([]) == []


def test_values_come_in_the_order_of_the_file() -> None:
    one = compiled({"b": "1 + count(*)", "a": "count(*)", "c": "2 * count(*)"})
    assert list(one.finish([Pane(1)])[0]) == ["b", "a", "c"]


def test_panes_keep_their_order() -> None:
    one = compiled({"v": "count(*) * 2"})
    assert one.finish([Pane(number) for number in (5, 1, 3)]) == [{"v": 10}, {"v": 2}, {"v": 6}]


def test_a_window_without_records_has_counts_of_zero_and_no_other_values() -> None:
    """Rolling windows step down to one last 0."""
    values = {
        "n": "count(*)",
        "c": "count(n)",
        "u": "count(distinct s)",
        "s": "sum(n)",
        "a": "avg(n)",
        "q": "quantile(f, 0.5)",
    }
    one = compiled({**values, "v": "stddev(n)", "l": "last(s)", "r": "1.0 * sum(n) / count(*)"})
    assert one.finish([one.empty()]) == [{"n": 0, "c": 0, "u": 0}]


@pytest.mark.parametrize("expression", ["1 / count(n)", "count(n) / 0", "0 * 1.0 / count(n)", "ln(-1.0 * count(*))"])
def test_a_division_by_zero_and_other_failures_give_no_value(expression: str) -> None:
    """NaN would be stored as NULL in one place and poison a query in another."""
    one = compiled({"v": expression, "n": "count(*)"})
    pane = Pane(2, tuple(0 for _ in one.scalars))
    assert one.finish([pane]) == [{"n": 2}]


def test_a_cast_that_fails_gives_no_value_in_that_window_only() -> None:
    one = compiled({"v": "max(s)::bigint + 1"})
    assert one.finish([Pane(1, ("two",)), Pane(1, ("2",))]) == [{}, {"v": 3}]


def test_a_type_does_not_change_with_the_data() -> None:
    """InfluxDB refuses a field that was an integer yesterday and is a float today."""
    one = compiled({"v": "case when count(*) > 1 then 1 else 1.5 end", "a": "avg(n)", "s": "sum(n)"})
    found = one.finish([Pane(2, (4, 2)), Pane(1, (4, 1))])
    assert [repr(row["v"]) for row in found] == ["1.0", "1.5"]
    assert {type(row["a"]) for row in found} == {float}
    assert {type(row["s"]) for row in found} == {int}


def test_an_integer_beyond_64_bits_gives_no_value() -> None:
    one = compiled({"v": "sum(n)::hugeint * 1000000000000"})
    assert one.finish([Pane(1, (2**62,)), Pane(1, (3,))]) == [{}, {"v": 3_000_000_000_000}]


def test_booleans_become_0_and_1() -> None:
    assert compiled({"v": "count(*) > 1"}).finish([Pane(1), Pane(2)]) == [{"v": 0}, {"v": 1}]


def test_info_values_are_text(batch: Batch) -> None:
    values = {"a": "last(s)", "b": "max(n)", "c": "max(ok)", "d": "count(*) || ' records'"}
    one = compiled({name: Value(value=text, kind="info") for name, text in values.items()})
    partials = fold(one, batch, [{"s": "x", "n": 3, "ok": True}])
    pane = Pane(1, partials.rows[0][4])
    assert one.finish([pane]) == [{"a": "x", "b": "3", "c": "true", "d": "1 records"}]


def test_a_histogram_is_cumulative_and_its_last_count_is_for_all() -> None:
    one = compiled({"h": Value(value="histogram(f, [1, 2.5])", kind="histogram")})
    pane = Pane(6, (10.5,), buckets=({0: 3, 2: 2},))
    assert one.finish([pane, one.empty()]) == [
        {"h": Histogram((1.0, 2.5), (3, 3, 5), 10.5)},
        {"h": Histogram((1.0, 2.5), (0, 0, 0), 0.0)},
    ]


def test_variance_of_one_record_is_zero_of_the_population_and_none_of_a_sample() -> None:
    one = compiled({"p": "var_pop(n)", "s": "var_samp(n)"})
    assert one.finish([Pane(1, (1, 5.0, 0.0))]) == [{"p": 0.0}]


def test_an_infinite_sum_gives_no_value() -> None:
    one = compiled({"s": "sum(f)", "a": "avg(f)", "t": "sum(f) + 1"})
    assert one.finish([Pane(2, (math.inf, 2))]) == [{}]


def test_combining_panes_is_merging_them() -> None:
    one = compiled({"a": "sum(n)", "l": "last(s)", "q": "quantile(f, 0.5)", "u": "count(distinct s)"})
    first = Pane(2, (5, "a", 1, 1), (3,), ({7: 1},))
    second = Pane(1, (None, "b", 2, 1), (4,), ({7: 2, 8: 1},))
    assert one.combine([first, second]) == Pane(3, (5, "b", 2, 1), (0,), ({7: 3, 8: 1},))
    assert one.combine([]) == one.empty()


def test_text_values_keep_quotes_and_backslashes() -> None:
    text = 'it\'s "a\\b", {1}'
    one = compiled({"v": "max(s) || ''"})
    assert one.finish([Pane(1, (text,))]) == [{"v": text}]
