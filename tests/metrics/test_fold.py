from __future__ import annotations

import hashlib
import pickle
from typing import Any

import numpy as np
import pytest

from metrics.making import COLUMNS, KEY, MINUTE, NOON, compiled, fold, key, metric, table
from pegel.metrics.algebra import OVERFLOW
from pegel.metrics.closing import close
from pegel.metrics.compiled import CompiledMetric, compile_metric
from pegel.metrics.fold import FEW
from pegel.metrics.partials import Members, Partials
from pegel.metrics.windows import DAY
from pegel.table import Batch
from pegel.units import Duration

BOTH = pytest.mark.parametrize("few", [True, False], ids=["few", "many"])
Records = list[dict[str, Any]]


def member(text: str, secret: bytes = KEY) -> int:
    return int.from_bytes(hashlib.sha256(secret + text.encode()).digest()[:8], "big", signed=True)


def finished(one: CompiledMetric, partials: Partials) -> list[Any]:
    return list(one.finish([window.pane for window in close(one, partials)]))


@BOTH
def test_a_row_says_how_many_records_and_the_earliest_time(batch: Batch, few: bool) -> None:
    records: Records = [{"_t": NOON + 5}, {"_t": NOON + 3}, {"_t": NOON + MINUTE}]
    partials = fold(compiled({"n": "count(*)"}), batch, records, few=few)
    assert sorted(partials.rows) == [(NOON, ("",), 2, NOON + 3, ()), (NOON + MINUTE, ("",), 1, NOON + MINUTE, ())]


@BOTH
def test_an_empty_block_gives_nothing(batch: Batch, few: bool) -> None:
    """A group without records makes no point."""
    assert fold(compiled({"n": "count(*)", "u": "count(distinct s)"}), batch, [], few=few) == Partials()


@BOTH
def test_where_decides_which_records_count(batch: Batch, few: bool) -> None:
    one = compiled({"n": "count(*)", "u": "count(distinct s)"}, where="n > 1")
    records: Records = [{"n": 1, "s": "a"}, {"n": 2, "s": "b"}, {"n": None, "s": "c"}]
    assert finished(one, fold(one, batch, records, few=few)) == [{"n": 1, "u": 1}]


@BOTH
def test_members_are_sorted_keyed_hashes_of_the_text_form(batch: Batch, few: bool) -> None:
    """The state merges sorted sets; two runners with the same key must get the same hashes."""
    partials = fold(compiled({"u": "count(distinct n)"}), batch, [{"n": 7}, {"n": 7}, {"n": None}, {"n": -1}], few=few)
    ((part, pane, epoch, labels, members),) = partials.sets
    assert (part, pane, epoch, labels) == (0, NOON, NOON - NOON % DAY, ("",))
    assert members.dtype == np.int64
    assert members.tolist() == sorted([member("7"), member("-1")])


@BOTH
def test_null_is_not_a_member(batch: Batch, few: bool) -> None:
    one = compiled({"n": "count(*)", "u": "count(distinct s)"})
    assert finished(one, fold(one, batch, [{"s": None}], few=few)) == [{"n": 1, "u": 0}]


@BOTH
def test_the_first_hours_of_an_epoch_enter_the_previous_one_too(batch: Batch, few: bool) -> None:
    """A rolling window that began yesterday must find today's members under yesterday's key."""
    one = compiled({"u": "count(distinct s)"}, over=Duration(7200))
    midnight = 100 * DAY
    times = [midnight - 1, midnight, midnight + 2 * 3600 * 1_000_000]
    partials = fold(one, batch, [{"_t": time, "s": "x"} for time in times], few=few)
    places = sorted((pane, epoch) for _, pane, epoch, _, _ in partials.sets)
    assert places == [
        (midnight - MINUTE, midnight - DAY),
        (midnight, midnight - DAY),
        (midnight, midnight),
        (midnight + 120 * MINUTE, midnight),
    ]


@BOTH
def test_each_epoch_has_its_own_key(batch: Batch, few: bool) -> None:
    one = compiled({"u": "count(distinct s)"})
    asked: list[int] = []

    def keys(epoch: int) -> bytes:
        asked.append(epoch)
        return str(epoch).encode()

    records: Records = [{"_t": day * DAY, "s": "x"} for day in range(1, 60)]
    partials = one.fold(table(batch, records, few=few), keys)
    assert sorted(asked) == [day * DAY for day in range(1, 60)]
    hashes = {epoch: members.tolist() for _, _, epoch, _, members in partials.sets}
    assert hashes == {day * DAY: [member("x", str(day * DAY).encode())] for day in range(1, 60)}


@BOTH
def test_labels_are_text_and_null_is_empty(batch: Batch, few: bool) -> None:
    one = compile_metric(metric({"n": "count(*)"}, labels=["n", "ok", "label"]), COLUMNS, frozenset())
    partials = fold(one, batch, [{"n": 5, "ok": True, "label": None}], few=few)
    assert partials.rows[0][1] == ("5", "true", "")


@BOTH
def test_control_characters_leave_labels_and_what_becomes_equal_is_merged(batch: Batch, few: bool) -> None:
    """A newline in a user agent would break line protocols; it must not make a second series either."""
    one = compiled({"n": "count(*)", "s": "sum(n)", "u": "count(distinct s)", "q": "quantile(f, 1)"})
    names = ["a\nb", "ab", "a\x7fb", "a\x85b"]
    records: Records = [{"label": name, "n": 1, "s": name, "f": 1.0} for name in names]
    partials = fold(one, batch, records, few=few)
    assert [row[:4] for row in partials.rows] == [(NOON, ("ab",), 4, NOON)]
    assert [(labels, members.size) for _, _, _, labels, members in partials.sets] == [(("ab",), 4)]
    assert [entry[2:] for entry in partials.buckets] == [(("ab",), partials.buckets[0][3], 4)]
    assert finished(one, partials)[0]["s"] == 4


@BOTH
def test_a_label_has_at_most_128_characters(batch: Batch, few: bool) -> None:
    partials = fold(compiled({"n": "count(*)"}), batch, [{"label": "ž" * 200}], few=few)
    assert partials.rows[0][1] == ("ž" * 128,)


@BOTH
def test_a_record_cannot_pose_as_the_rest(batch: Batch, few: bool) -> None:
    """`__other__` holds the series beyond the limit; a log line must not add to it."""
    partials = fold(compiled({"n": "count(*)"}), batch, [{"label": "__other__"}], few=few)
    assert partials.rows[0][1] == ("_other_",)


@BOTH
def test_floats_that_are_not_finite_are_rejected_with_a_count(batch: Batch, few: bool) -> None:
    """One NaN would poison a sum, an average and a maximum for ever."""
    values = {"n": "count(*)", "c": "count(f)", "s": "sum(f)", "m": "max(f)", "a": "avg(f)", "u": "count(distinct f)"}
    one = compiled({**values, "v": "stddev_pop(f)", "q": "quantile(f, 1)", "l": "last(f)"})
    records: Records = [{"f": float(text)} for text in ("2", "nan", "inf", "-inf")]
    partials = fold(one, batch, records, few=few)
    assert partials.unusable == {"not_finite": 3}
    (found,) = finished(one, partials)
    assert found.pop("q") == pytest.approx(2, rel=0.0101)
    assert found == {"n": 4, "c": 1, "s": 2.0, "m": 2.0, "a": 2.0, "u": 1, "v": 0.0, "l": 2.0}


@BOTH
def test_a_filter_decides_which_values_can_be_rejected(batch: Batch, few: bool) -> None:
    one = compiled({"s": "sum(f) filter (where ok)"})
    records: Records = [{"f": float("nan"), "ok": False}, {"f": float("nan"), "ok": True}]
    assert fold(one, batch, records, few=few).unusable == {"not_finite": 1}


@BOTH
def test_a_sum_that_overflows_is_counted_and_gives_no_value(batch: Batch, few: bool) -> None:
    """Never an exception, which would stop the turn for ever, and never a float, which would lose digits."""
    one = compiled({"n": "count(*)", "s": "sum(n)", "twice": "sum(n) * 2"})
    partials = fold(one, batch, [{"n": 2**62}, {"n": 2**62}, {"n": 5}], few=few)
    assert partials.rows[0][4] == (OVERFLOW,)
    assert partials.unusable == {"overflow": 3}
    assert finished(one, partials) == [{"n": 3}]


@BOTH
def test_a_wide_integer_that_does_not_fit_is_counted_and_left_out(batch: Batch, few: bool) -> None:
    one = compiled({"s": "sum(wide)", "m": "max(wide)"})
    partials = fold(one, batch, [{"wide": 10**20}, {"wide": 3}], few=few)
    assert partials.unusable == {"overflow": 1}
    assert finished(one, partials) == [{"s": 3, "m": 3}]


@BOTH
def test_values_too_large_to_square_are_counted(batch: Batch, few: bool) -> None:
    one = compiled({"v": "variance(f)"})
    partials = fold(one, batch, [{"f": 1e200}, {"f": 1.0}, {"f": 3.0}], few=few)
    assert partials.unusable == {"overflow": 1}
    assert finished(one, partials) == [{"v": 2.0}]


@BOTH
def test_one_record_in_which_an_expression_fails_is_null_there(batch: Batch, few: bool) -> None:
    """A conversion error in one line of a log must not stop the block it is in."""
    one = compiled({"s": "sum(s::bigint)", "n": "count(*) filter (where s::bigint > 1)"})
    assert finished(one, fold(one, batch, [{"s": "2"}, {"s": "two"}], few=few)) == [{"s": 2, "n": 1}]
    failing = compiled({"n": "count(*)"}, where="s::bigint > 1")
    assert finished(failing, fold(failing, batch, [{"s": "2"}, {"s": "two"}], few=few)) == [{"n": 1}]


@BOTH
def test_first_and_last_follow_event_time_and_then_arrival(batch: Batch, few: bool) -> None:
    one = compiled({"a": "first(s)", "b": "last(s)", "c": "last(n)"})
    records: Records = [
        {"_t": NOON + 2, "_pos": 1, "s": "late"},
        {"_t": NOON + 1, "_pos": 9, "s": "second"},
        {"_t": NOON + 1, "_pos": 2, "s": "first", "n": 4},
        {"_t": NOON + 2, "_pos": 3, "s": "last"},
        {"_t": NOON + 3, "_pos": 4, "s": None},
    ]
    assert finished(one, fold(one, batch, records, few=few)) == [{"a": "first", "b": "last", "c": 4}]


@BOTH
def test_first_and_last_work_before_1970_and_for_large_positions(batch: Batch, few: bool) -> None:
    one = compiled({"a": "first(s)", "b": "last(s)"})
    records: Records = [{"_t": -5, "_pos": 2**62, "s": "x"}, {"_t": -5, "_pos": 2**62 + 1, "s": "y"}]
    partials = fold(one, batch, records, few=few)
    assert partials.rows[0][4] == ("x", -5, 2**62, "y", -5, 2**62 + 1)


@BOTH
def test_sums_of_decimals_are_exact(batch: Batch, few: bool) -> None:
    """A thousand times 0.1 is 100, not 99.9999999999986."""
    one = compiled({"s": "sum(d)", "ten": "sum(d) * 10", "m": "min(d)", "a": "avg(d)"})
    found = finished(one, fold(one, batch, [{"d": "0.1"}] * 100, few=few))
    assert found == [{"s": 10.0, "ten": 100.0, "m": 0.1, "a": 0.1}]


@BOTH
def test_booleans_become_0_and_1(batch: Batch, few: bool) -> None:
    one = compiled({"m": "max(ok)", "s": "sum(ok)", "any": "count(*) > 1"})
    found = finished(one, fold(one, batch, [{"ok": True}, {"ok": False}], few=few))
    assert found == [{"m": 1, "s": 1, "any": 1}]
    assert [type(value) for value in found[0].values()] == [int, int, int]


@BOTH
def test_zero_and_minus_zero_are_one_member(batch: Batch, few: bool) -> None:
    one = compiled({"u": "count(distinct f)"})
    assert finished(one, fold(one, batch, [{"f": 0.0}, {"f": -0.0}], few=few)) == [{"u": 1}]


@BOTH
@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
def test_a_calendar_day_counts_its_23_or_25_hours(batch: Batch, few: bool, day: str) -> None:
    one = compiled({"n": "count(*)"}, every=Duration(86400), timezone="Europe/Prague", labels=[])
    ((noon,),) = batch.query(f"select epoch_us(timestamp '{day} 12:00:00')")
    records: Records = [{"_t": noon + hour * 3600 * 1_000_000} for hour in range(-40, 41)]
    counts = sorted((row[0], row[2]) for row in fold(one, batch, records, few=few).rows)
    whole = [count for start, count in counts if start <= noon < start + DAY]
    assert whole == [23 if "03" in day else 25]
    assert sum(count for _, count in counts) == 81


@BOTH
def test_many_calendar_days_in_one_block(batch: Batch, few: bool) -> None:
    """A back-fill reads years at once."""
    one = compiled({"n": "count(*)"}, every=Duration(86400), timezone="Asia/Kathmandu", labels=[])
    records: Records = [{"_t": day * DAY + NOON % DAY} for day in range(0, 9000, 31)]
    assert [row[2] for row in fold(one, batch, records, few=few).rows] == [1] * len(records)


@BOTH
def test_a_column_that_a_source_lacks_is_null(batch: Batch, few: bool) -> None:
    """A metric reads several sources; what one of them does not have is missing, not an error."""
    one = compiled({"n": "count(*)", "s": "sum(n)", "u": "count(distinct s)"})
    given = table(batch, [{"n": 1, "s": "x"}], few=few)
    names = ("_t", "_pos", "s")
    lacking = given.batch.table(f"select {', '.join(names)} from ({given.sql})", {n: given.columns[n] for n in names})
    assert finished(one, one.fold(lacking, key)) == [{"n": 1, "u": 1}]


@BOTH
def test_a_column_of_another_type_is_converted(batch: Batch, few: bool) -> None:
    one = compiled({"s": "sum(n)"})
    given = table(batch, [{"s": "4"}, {"s": "four"}], few=few)
    other = given.with_columns({"n": "s"}, {"n": "VARCHAR"})
    assert finished(one, one.fold(other, key)) == [{"s": 4}]


def test_names_that_look_like_ours_are_columns_all_the_same(batch: Batch) -> None:
    """A log may have columns `_p`, `_x0` or `_s`."""
    columns = {"_p": "BIGINT", "_x0": "BIGINT", "_s": "VARCHAR", "_l0": "VARCHAR"}
    one = compile_metric(
        metric({"a": "sum(_p)", "b": "sum(_x0)", "u": "count(distinct _s)"}, labels=["_l0"]), columns, frozenset()
    )
    rows = ", ".join(f"({NOON}, {n}, {n}, 10, 's', 'l')" for n in range(3))
    sql = f"select * from (values {rows}) as given(_t, _pos, _p, _x0, _s, _l0)"
    given = batch.table(sql, {"_t": "BIGINT", "_pos": "BIGINT", **columns})
    assert finished(one, one.fold(given, key)) == [{"a": 3, "b": 30, "u": 1}]


def test_a_block_above_the_limit_is_folded_by_duckdb_with_the_same_result(batch: Batch) -> None:
    one = compiled({"n": "count(*)", "s": "sum(n)", "u": "count(distinct n % 100)", "q": "quantile(n, 0.5)"})
    records: Records = [{"n": number} for number in range(FEW + 1)]
    known, unknown = (finished(one, fold(one, batch, records, few=few)) for few in (True, False))
    assert known == unknown


def test_what_is_needed_is_what_is_read() -> None:
    """The formats parse only those columns."""
    one = compiled({"a": "sum(N)", "u": "count(distinct s) filter (where ok)"}, where="f > 1")
    assert one.needed == {"label", "n", "s", "ok", "f"}


def test_an_aggregate_that_appears_twice_is_one_partial() -> None:
    one = compiled(
        {"a": "sum(n)", "b": "sum( N ) / count(*)", "c": "avg(n)", "q": "quantile(f,0.5)", "r": "quantile(f,1)"}
    )
    assert [part.type for part in one.scalars] == ["INTEGER", "INTEGER"]
    assert len(one.buckets) == 1


def test_a_compiled_metric_can_be_sent_to_another_machine(batch: Batch) -> None:
    one = compiled({"s": "sum(n)", "v": "stddev(n)", "u": "count(distinct s)", "r": "1.0 * sum(n) / count(*)"})
    sent = pickle.loads(pickle.dumps(one))
    records: Records = [{"n": 1, "s": "a"}, {"n": 3, "s": "b"}]
    assert finished(sent, fold(sent, batch, records)) == finished(one, fold(one, batch, records))


@BOTH
def test_panes_before_1970_begin_before_their_records(batch: Batch, few: bool) -> None:
    partials = fold(compiled({"n": "count(*)"}), batch, [{"_t": -1}, {"_t": 0}], few=few)
    assert sorted((row[0], row[2]) for row in partials.rows) == [(-MINUTE, 1), (0, 1)]


def test_merged_rows_add_records_and_keep_the_earliest_time(batch: Batch) -> None:
    """The earliest time decides which series are admitted first."""
    one = compiled({"n": "count(*)"})
    parts = [fold(one, batch, [{"_t": NOON + offset}]) for offset in (5, 3, 9)]
    for order in ((0, 1, 2), (2, 1, 0)):
        merged = one.merge(one.merge(parts[order[0]], parts[order[1]]), parts[order[2]])
        assert merged.rows == [(NOON, ("",), 3, NOON + 3, ())]


def test_merging_partials_unites_sets(batch: Batch) -> None:
    one = compiled({"u": "count(distinct s)"})
    parts = [fold(one, batch, [{"s": text} for text in texts]) for texts in ("ab", "bc")]
    ((*_, members),) = one.merge(*parts).sets
    united: Members = members
    assert united.tolist() == sorted(member(text) for text in "abc")
