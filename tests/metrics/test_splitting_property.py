"""The promise of the language: any split into blocks, in any order, gives the numbers of one query over all."""

from __future__ import annotations

import functools
import math
from decimal import Decimal
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from metrics.making import MINUTE, NOON, compiled, fold, table
from pegel.metrics.closing import close
from pegel.metrics.compiled import CompiledMetric
from pegel.metrics.definition import Value
from pegel.metrics.partials import Partials
from pegel.sinks import Histogram
from pegel.table import Batch, Engine

PLAIN = {
    name: name
    for name in (
        *("count(*)", "count(n)", "count(s)", "count(f)", "sum(n)", "sum(f)", "sum(d)", "sum(ok)", "sum(wide)"),
        *("min(n)", "max(f)", "min(s)", "max(s)", "min(d)", "max(ok)", "avg(n)", "avg(f)", "avg(d)"),
        *("stddev(f)", "stddev_pop(n)", "variance(n)", "var_pop(d)", "count(distinct s)", "count(distinct n % 3)"),
    )
}
ORDERED = {
    "first(n)": "arg_min(n, (_t, _pos)) filter (where n is not null)",
    "last(s)": "arg_max(s, (_t, _pos)) filter (where s is not null)",
    "last(d)": "arg_max(d, (_t, _pos)) filter (where d is not null)",
}
QUANTILES = {f"quantile(f, {q})": f"quantile_disc(f, {q})" for q in (0, 0.05, 0.5, 0.95, 1)}
CONDITIONS = ["ok", "n > 2", "s is not null and f < 10", "label = 'a' or n is null"]
SHAPES = [
    "{0}",
    "{0} + {1}",
    "100.0 * {0} / {1}",
    "case when {0} > 2 then 1 else 1.5 end",
    "coalesce({0}, -1)",
    "round({0}::double, 2)",
    "{0} > {1}",
    "({0})::double / nullif({1}, 0)",
    "greatest({0}, {1}) - least({0}, {1})",
]
NUMBERS = [name for name in PLAIN if "(s)" not in name and "ok" not in name] + ["count(distinct s)"]

finite = st.floats(-1e6, 1e6, allow_subnormal=False).map(lambda value: round(value, 3))
record = st.fixed_dictionaries(
    {
        "_t": st.integers(NOON, NOON + 3 * MINUTE - 1),
        "label": st.sampled_from(["a", "b", None]),
        "n": st.none() | st.integers(-5, 5) | st.integers(-(2**40), 2**40),
        "f": st.none() | finite,
        "d": st.none() | st.decimals(-9999, 9999, places=2),
        "s": st.none() | st.sampled_from(["", "x", "y", "ž", "long text"]),
        "ok": st.none() | st.booleans(),
        "wide": st.none() | st.integers(-(2**60), 2**60).map(lambda value: value // 64),
    }
)
records = st.lists(record, min_size=1, max_size=25)


@st.composite
def values(draw: st.DrawFn) -> dict[str, tuple[str, str]]:
    """Some values: (our expression, the same for DuckDB)."""
    found = {}
    for number in range(draw(st.integers(1, 4))):
        pairs = [_filtered(draw, draw(st.sampled_from(NUMBERS))) for _ in range(2)]
        shape = draw(st.sampled_from(SHAPES))
        ours, theirs = (shape.format(*(pair[side] for pair in pairs)) for side in (0, 1))
        found[f"v{number}"] = (ours, theirs)
    return found


def _filtered(draw: st.DrawFn, name: str) -> tuple[str, str]:
    condition = draw(st.none() | st.sampled_from(CONDITIONS))
    suffix = f" filter (where {condition})" if condition else ""
    return name + suffix, name + suffix


@functools.cache
def _compiled(expressions: tuple[str, ...], where: str | None = None) -> CompiledMetric:
    return compiled({f"v{number}": text for number, text in enumerate(expressions)}, where=where)


def _split_and_merged(draw: Any, metric: CompiledMetric, batch: Batch, given_records: list[dict[str, Any]]) -> Partials:
    placed = [{"_pos": number, **one} for number, one in enumerate(given_records)]
    blocks: dict[int, list[dict[str, Any]]] = {}
    for one in draw(st.permutations(placed)):
        blocks.setdefault(draw(st.integers(0, 2)), []).append(one)
    merged = Partials()
    for block in blocks.values():
        merged = metric.merge(merged, fold(metric, batch, block, few=draw(st.booleans())))
    return merged


def _one_shot(batch: Batch, expressions: list[str], given_records: list[dict[str, Any]]) -> dict[Any, list[Any]]:
    everything = table(batch, given_records)
    picked = ", ".join(f"({text}) as v{number}" for number, text in enumerate(expressions))
    rows = batch.query(
        f"select _t // {MINUTE} * {MINUTE}, coalesce(label, ''), {picked} from ({everything.sql}) group by 1, 2"
    )
    return {(row[0], (row[1],)): [_outside(value) for value in row[2:]] for row in rows}


def _outside(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, Decimal):
        return float(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _compare(metric: CompiledMetric, merged: Partials, expected: dict[Any, list[Any]], tolerance: float) -> None:
    windows = close(metric, merged)
    assert {(window.start, window.labels) for window in windows} == set(expected)
    finished = metric.finish([window.pane for window in windows])
    for window, found in zip(windows, finished, strict=True):
        wanted = dict(zip(metric.metric.values, expected[window.start, window.labels], strict=True))
        for name, value in wanted.items():
            text = metric.metric.values[name].value
            assert _same(found.get(name), value, tolerance), (text, found.get(name), value)


def _same(found: Any, wanted: Any, tolerance: float) -> bool:
    if isinstance(wanted, float):
        return isinstance(found, float) and math.isclose(found, wanted, rel_tol=tolerance, abs_tol=1e-6)
    return type(found) is type(wanted) and found == wanted


quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@quick
@given(data=st.data(), given_records=records)
def test_every_aggregate_gives_the_same_however_the_records_are_split(
    data: st.DataObject, given_records: list[dict[str, Any]], engine: Engine
) -> None:
    """Batches are an accident of reading; a number that depends on them cannot be trusted."""
    pairs = PLAIN | ORDERED
    metric = _compiled(tuple(pairs))
    with engine.batch() as batch:
        merged = _split_and_merged(data.draw, metric, batch, given_records)
        _compare(metric, merged, _one_shot(batch, list(pairs.values()), given_records), 1e-12)


@quick
@given(data=st.data(), given_records=records, chosen=values())
def test_expressions_over_aggregates_are_those_of_duckdb(
    data: st.DataObject, given_records: list[dict[str, Any]], chosen: dict[str, tuple[str, str]], engine: Engine
) -> None:
    """The final expression sees the types of the original aggregates, so casts and divisions mean the same."""
    metric = compiled({name: ours for name, (ours, _) in chosen.items()})
    with engine.batch() as batch:
        merged = _split_and_merged(data.draw, metric, batch, given_records)
        _compare(metric, merged, _one_shot(batch, [theirs for _, theirs in chosen.values()], given_records), 1e-12)


@quick
@given(data=st.data(), given_records=records)
def test_quantiles_are_within_one_percent_however_the_records_are_split(
    data: st.DataObject, given_records: list[dict[str, Any]], engine: Engine
) -> None:
    """Negative values and zero too; the definition is that of quantile_disc: a value that occurred."""
    metric = _compiled(tuple(QUANTILES))
    with engine.batch() as batch:
        merged = _split_and_merged(data.draw, metric, batch, given_records)
        _compare(metric, merged, _one_shot(batch, list(QUANTILES.values()), given_records), 0.01 + 1e-9)


@quick
@given(data=st.data(), given_records=records)
def test_a_histogram_counts_every_record_in_its_bucket(
    data: st.DataObject, given_records: list[dict[str, Any]], engine: Engine
) -> None:
    bounds = (-10.0, 0.0, 0.5, 100.0)
    metric = compiled({"h": Value(value=f"histogram(f, {list(bounds)})", kind="histogram")})
    tests = [f"count(*) filter (where f <= {bound})" for bound in bounds]
    with engine.batch() as batch:
        merged = _split_and_merged(data.draw, metric, batch, given_records)
        expected = _one_shot(batch, [*tests, "count(f)", "coalesce(sum(f), 0.0)"], given_records)
    windows = close(metric, merged)
    for window, found in zip(windows, metric.finish([window.pane for window in windows]), strict=True):
        histogram = found["h"]
        *counts, total = expected[window.start, window.labels]
        assert isinstance(histogram, Histogram)
        assert histogram.counts == tuple(counts)
        assert histogram.sum == pytest.approx(total, abs=1e-6)


@quick
@given(data=st.data(), given_records=st.lists(record, min_size=1, max_size=60))
def test_both_ways_of_folding_give_the_same_partials(
    data: st.DataObject, given_records: list[dict[str, Any]], engine: Engine
) -> None:
    """Few records are merged in Python, many in DuckDB; which way is taken must not show."""
    chosen = data.draw(st.lists(st.sampled_from([*PLAIN, *ORDERED, *QUANTILES]), min_size=1, max_size=6, unique=True))
    where = data.draw(st.none() | st.sampled_from(CONDITIONS))
    metric = _compiled(tuple(chosen), where)
    with engine.batch() as batch:
        few, many = (fold(metric, batch, given_records, few=choice) for choice in (True, False))
    assert [row[:4] for row in sorted(few.rows)] == [row[:4] for row in sorted(many.rows)]
    for one, other in zip(sorted(few.rows), sorted(many.rows), strict=True):
        assert all(_same(a, b, 1e-9) for a, b in zip(one[4], other[4], strict=True)), (one, other)
    sets = [{entry[:4]: entry[4].tolist() for entry in partials.sets} for partials in (few, many)]
    assert sets[0] == sets[1]
    assert sorted(few.buckets) == sorted(many.buckets)
