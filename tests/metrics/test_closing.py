from __future__ import annotations

from typing import Any

from metrics.making import MINUTE, NOON, compiled, fold, table
from pegel.metrics.closing import close
from pegel.table import Batch
from pegel.units import Duration


def at(minute: float, **columns: Any) -> dict[str, Any]:
    return {"_t": NOON + round(minute * MINUTE), **columns}


def test_windows_come_by_time_and_labels(batch: Batch) -> None:
    one = compiled({"n": "count(*)"})
    windows = close(one, fold(one, batch, [at(1, label="b"), at(0, label="b"), at(1, label="a")]))
    assert [(w.start, w.end, w.labels) for w in windows] == [
        (NOON, NOON + MINUTE, ("b",)),
        (NOON + MINUTE, NOON + 2 * MINUTE, ("a",)),
        (NOON + MINUTE, NOON + 2 * MINUTE, ("b",)),
    ]


def test_a_rolling_window_counts_the_panes_that_it_spans_and_steps_down_to_one_last_zero(batch: Batch) -> None:
    one = compiled({"n": "count(*)", "u": "count(distinct s)"}, over=Duration(180))
    windows = close(one, fold(one, batch, [at(0, s="x"), at(0, s="y"), at(1, s="x"), at(9, s="z")]))
    values = one.finish([window.pane for window in windows])
    found = [((w.start - NOON) // MINUTE, v["n"], v["u"]) for w, v in zip(windows, values, strict=True)]
    assert found == [
        (0, 2, 2),
        (1, 3, 2),
        (2, 3, 2),
        (3, 1, 1),
        (4, 0, 0),
        (9, 1, 1),
        (10, 1, 1),
        (11, 1, 1),
        (12, 0, 0),
    ]


def test_arrivals_are_those_that_no_earlier_pane_of_the_window_had(batch: Batch) -> None:
    one = compiled({"a": "arrivals(s)"}, over=Duration(180))
    records = [at(0, s="x"), at(1, s="x"), at(1, s="y"), at(3, s="y"), at(4, s="x"), at(4, s="y")]
    windows = close(one, fold(one, batch, records))
    arrivals = [row["a"] for row in one.finish([window.pane for window in windows])]
    assert arrivals == [1, 1, 0, 0, 1, 0, 0, 0]


def test_a_window_over_midnight_counts_a_member_once(batch: Batch) -> None:
    """Its panes lie in two epochs with two keys; all of them are counted under the first."""
    one = compiled({"u": "count(distinct s)"}, over=Duration(180))
    midnight = 12 * 60
    records = [at(midnight - 1, s="x"), at(midnight - 1, s="y"), at(midnight, s="x"), at(midnight, s="z")]
    partials = one.fold(table(batch, records), lambda epoch: str(epoch).encode())
    assert [row["u"] for row in one.finish([window.pane for window in close(one, partials)])] == [2, 3, 3, 2, 0]
