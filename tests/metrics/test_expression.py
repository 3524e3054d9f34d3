"""What the metric language refuses, where, and with what remedy."""

from __future__ import annotations

import pytest

from metrics.making import COLUMNS, compiled, metric, refusals
from pegel import sql, sqlnames
from pegel.metrics.compiled import compile_metric
from pegel.metrics.definition import Value
from pegel.metrics.errors import MetricErrors
from pegel.metrics.expression import _INSTEAD, MERGEABLE, split
from pegel.units import Duration

VALUE = ("values", "v")


def refusal(expression: str, kind: str = "gauge", **options: object) -> tuple[int, str]:
    return refusals({"v": Value(value=expression, kind=kind)}, **options)[VALUE]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("expression", "position", "words"),
    [
        ("count(*) + sum(n) over ()", 11, "window functions are not possible"),
        ("1 + sum(count(*))", 8, "aggregates cannot be nested"),
        ("sum(n) filter (where count(*) > 1)", 21, "aggregates cannot be nested"),
        ("sum(distinct n)", 0, "distinct is only possible in count(distinct x)"),
        ("last(n order by f)", 0, "first and last follow event time"),
        ("n + 1", 0, "outside of an aggregate"),
        ("sum(n) + f", 9, "write last(f), or make it a label"),
        ("1 + 2", 0, "a value needs an aggregate"),
        ("sum(m)", 4, 'unknown column "m"'),
        ("'ž' || sum(n) || foo(sum(n))", 17, 'unknown function "foo"'),
        ("sum(n) / foo(2)", 9, 'unknown function "foo"'),
        ("sum(length(s, 1))", 4, "does not exist; cast"),
        ("sum(s)", 0, "sum needs a number, and this is VARCHAR"),
        ("stddev(s)", 0, "stddev needs a number"),
        ("min(list)", 0, "min needs a number or text, and this is BIGINT[]"),
        ("sum(n) filter (where s)", 21, "a condition is true or false, and this is VARCHAR"),
        ("quantile(n)", 0, "write quantile(x, q)"),
        ("quantile(n, 1.5)", 12, "constant from 0 to 1"),
        ("quantile(n, f)", 12, "constant from 0 to 1"),
        ("sum(random())", 4, "depends on when or where it runs"),
        ("sum(n) + random()", 9, "depends on when or where it runs"),
        ("sum((select 1))", 4, "a subquery is not possible"),
        ("sum(n, f)", 0, "sum takes one expression"),
        ("main.sum(n)", 0, "without a schema"),
        ("sum(n", 4, "syntax error"),
        ("count(*), 1", 0, "not a list"),
        ("make_date(max(n)::int, 1, 1)", 0, "a value is a number or text, and this is DATE"),
        ("arrivals(s)", 0, "arrivals(x) needs `over`"),
    ],
)
def test_what_cannot_be_merged_is_refused_at_its_place(expression: str, position: int, words: str) -> None:
    found, message = refusal(expression)
    assert words in message
    assert found == position


@pytest.mark.parametrize("name", sorted(sqlnames.AGGREGATES - MERGEABLE))
def test_every_other_aggregate_is_refused_with_what_to_use_instead(name: str) -> None:
    """DuckDB has a hundred of them; a sentence about the one at hand saves reading a manual."""
    calls, (error,) = split(sql.parse(f"{name}(n)"))
    assert not calls
    assert error.message.startswith(f"{name} cannot be merged over batches; use ")


@pytest.mark.parametrize("remedy", sorted({text.split(" with")[0] for text in _INSTEAD.values()}))
def test_every_remedy_is_itself_possible(remedy: str) -> None:
    text = (
        remedy.replace("where x", "where ok")
        .replace("weight", "f")
        .replace(", q)", ", 0.9)")
        .replace("(x", "(n")
        .replace("distinct x", "distinct s")
    )
    assert compiled({"v": text})


def test_all_problems_are_reported_at_once() -> None:
    found = refusals(
        {"a": "sum(m)", "b": "median(n)", "c": "count(*)"},
        where="nothing > 1",
        labels=["label", "lable"],
        every=Duration(7),
    )
    assert set(found) == {("values", "a"), ("values", "b"), ("where",), ("labels", 1), ("every",)}


def test_an_unknown_column_names_those_that_may_be_meant() -> None:
    with pytest.raises(MetricErrors) as caught:
        compile_metric(metric({"v": "sum(lable)"}), COLUMNS, frozenset())
    ((_, error),) = caught.value.errors
    assert list(error.candidates) == ["label"]


def test_an_unknown_zone_is_an_error_of_its_field() -> None:
    assert set(refusals({"v": "count(*)"}, every=Duration(86400), timezone="Mars/Base")) == {("timezone",)}


def test_a_where_clause_is_a_condition_on_records() -> None:
    assert refusals({"v": "count(*)"}, where="n + 1")[("where",)][1].startswith("a condition is true or false")
    assert "aggregate" in refusals({"v": "count(*)"}, where="count(*) > 1")[("where",)][1]


# --- kinds ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "expression",
    [
        "count(*)",
        "count(n)",
        "sum(f)",
        "count(*) + sum(n)",
        "2 * count(*)",
        "sum(n) * 8 / 1000",
        "coalesce(sum(n), 0)",
        "sum(n)::double",
        "count(*) filter (where ok)",
    ],
)
def test_a_counter_may_be_any_sum_of_multiples_of_sums(expression: str) -> None:
    assert compiled({"v": Value(value=expression, kind="counter")})


@pytest.mark.parametrize(
    ("expression", "position"),
    [
        ("count(distinct s)", 0),
        ("1 + count(*)", 0),
        ("count(*) - sum(n)", 9),
        ("-1 * count(*)", 0),
        ("sum(n) / count(*)", 0),
        ("1 / count(*)", 0),
        ("max(n)", 0),
        ("round(sum(f))", 0),
        ("count(*) + avg(n)", 11),
        ("case when ok then 1 end", 10),
    ],
)
def test_a_counter_that_does_not_grow_by_addition_is_refused(expression: str, position: int) -> None:
    """Its increments are added up for ever; an average or a distinct count would add up to nonsense."""
    found, message = refusal(expression, "counter")
    assert "counter" in message or "outside of an aggregate" in message
    assert found == position


def test_a_counter_of_arrivals_rolls_but_other_counters_do_not() -> None:
    """Rolling windows overlap: their sums would count each record many times."""
    assert compiled({"v": Value(value="arrivals(s)", kind="counter")}, over=Duration(3600))
    assert "overlap" in refusal("count(*)", "counter", over=Duration(3600))[1]
    assert "overlap" in refusal("histogram(f, [1])", "histogram", over=Duration(3600))[1]


def test_a_histogram_stands_alone_and_says_that_it_is_one() -> None:
    assert compiled({"v": Value(value="histogram(f, [0.1, 1])", kind="histogram")})
    assert 'needs kind = "histogram"' in refusal("histogram(f, [0.1, 1])")[1]
    assert "stands alone" in refusal("2 * histogram(f, [0.1, 1])", "histogram")[1]
    assert "nothing else" in refusal("count(*)", "histogram")[1]


@pytest.mark.parametrize("bounds", ["[]", "[1, 1]", "[2, 1]", "[n]", "3", "[1, null]"])
def test_the_bounds_of_a_histogram_are_growing_constants(bounds: str) -> None:
    assert "growing constants" in refusal(f"histogram(f, {bounds})", "histogram")[1]


def test_an_info_value_is_text_whatever_it_is_made_of() -> None:
    assert compiled({"v": Value(value="make_date(max(n)::int, 1, 1)", kind="info")})
    assert "is a number or text" in refusal("[max(n)]", "info")[1]


def test_a_counter_is_no_text() -> None:
    assert refusal("sum(n)::varchar", "counter") == (0, "a counter is a number")


# --- privacy ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "expression",
    [
        "count(distinct s)",
        "approx_count_distinct(s)",
        "count(distinct lower(s) || 'x')",
        "count(*) filter (where s is not null)",
        "count(distinct s) filter (where s is not null and n > 1)",
    ],
)
def test_a_private_column_may_be_counted(expression: str) -> None:
    assert compiled({"v": expression}, private=["s"])


@pytest.mark.parametrize(
    ("expression", "position"),
    [
        ("min(s)", 4),
        ("count(S)", 6),
        ("count(*) filter (where s = 'me')", 23),
        ("count(distinct n) filter (where length(s) is null)", 39),
        ("last(upper(s))", 11),
        ("quantile(length(s), 0.5)", 16),
    ],
)
def test_a_private_column_shows_its_content_nowhere(expression: str, position: int) -> None:
    """A device id in a label, a maximum or a condition leaves the process; its keyed hash does not tell who it is."""
    found, message = refusals({"v": expression}, private=["s"])[VALUE]
    assert '"' in message
    assert "is private" in message
    assert found == position


def test_a_private_column_is_no_label_and_no_condition() -> None:
    found = refusals({"v": "count(*)"}, private=["s"], labels=["s"], where="s like 'a%'")
    assert "cannot be a label" in found[("labels", 0)][1]
    assert "is private" in found[("where",)][1]
    assert compiled({"v": "count(*)"}, private=["s"], where="s is null")


def test_arrivals_of_a_private_column_are_counted() -> None:
    assert compiled({"v": "arrivals(s)"}, private=["s"], over=Duration(7200))


# --- sets -------------------------------------------------------------------------------------------------------


def test_only_sets_that_need_not_be_exact_may_become_estimates() -> None:
    one = compiled(
        {"a": "count(distinct s)", "b": "approx_count_distinct(s)", "c": "arrivals(n)", "d": "count(distinct n)"},
        over=Duration(7200),
    )
    assert [one.approximate(part) for part in range(len(one.sets))] == [None, 10_000, None]
    limited = compiled({"a": "count(distinct s)", "b": "arrivals(n)"}, over=Duration(7200), approx_over=500)
    assert [limited.approximate(part) for part in range(2)] == [500, None]


def test_arrivals_are_in_the_order_in_which_they_are_asked_for() -> None:
    one = compiled({"a": "count(distinct s)", "b": "arrivals(n)", "c": "arrivals(s)"}, over=Duration(7200))
    assert list(one.arrivals) == [1, 0]
