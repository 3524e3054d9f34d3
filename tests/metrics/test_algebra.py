"""One algebra, three engines: Python, the upsert in SQLite, and the fold in DuckDB agree."""

from __future__ import annotations

import math
import sqlite3
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from pegel.metrics.algebra import OVERFLOW, RULES, Rule
from pegel.metrics.partials import Scalar

LARGEST = 2**63 - 1
integers = st.integers(-LARGEST, LARGEST) | st.integers(-3, 3)
reals = st.floats(allow_nan=False, allow_infinity=False) | st.floats(-10, 10)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=4)
KINDS: dict[str, st.SearchStrategy[Any]] = {"INTEGER": integers, "REAL": reals, "TEXT": texts}


@st.composite
def partials(draw: st.DrawFn, name: str) -> tuple[Scalar, ...]:
    """Partials of a rule as a fold makes them: all there, or none."""
    rule = RULES[name]
    if draw(st.integers(0, 5)) == 0:
        return (0, None, None) if name == "moments" else (None,) * len(rule.types)
    if name == "moments":
        n = draw(st.integers(1, 1000))
        return n, draw(st.floats(-1e6, 1e6)), 0.0 if n == 1 else draw(st.floats(0, 1e9))
    if name.startswith(("first", "last")):
        return draw(KINDS[rule.types[0]]), draw(st.integers(0, 3)), draw(st.integers(0, 10**6))
    return tuple(draw(KINDS[kind]) for kind in rule.types)


def upserted(rule: Rule, rows: list[tuple[Scalar, ...]]) -> tuple[Scalar, ...]:
    """What SQLite has after merging the rows one by one."""
    names = [f"c{number}" for number in range(len(rule.types))]
    parts = rule.parts(names)
    columns = ", ".join(f"{part.name} {part.type}" for part in parts)
    merges = ", ".join(f"{part.name} = {part.merge.format(old='t.', new='excluded.')}" for part in parts)
    marks = ", ".join("?" * len(names))
    connection = sqlite3.connect(":memory:")
    connection.execute(f"create table panes (id integer primary key, {columns}) strict")
    for row in rows:
        connection.execute(f"insert into panes as t values (1, {marks}) on conflict do update set {merges}", row)
    found: tuple[Scalar, ...] = connection.execute("select * from panes").fetchone()[1:]
    connection.close()
    return found


def merged(rule: Rule, rows: list[tuple[Scalar, ...]]) -> tuple[Scalar, ...]:
    result = rows[0]
    for row in rows[1:]:
        result = rule.merge(result, row)
    return result


@pytest.mark.parametrize("name", RULES)
def test_sqlite_merges_as_python_does(name: str) -> None:
    """The state merges with SQL, preview and many machines in memory; both must say the same.

    The table is strict, so a merge that turned an integer into a float would fail here.
    """

    @settings(max_examples=60, deadline=None)
    @given(st.lists(partials(name), min_size=1, max_size=5))
    def check(rows: list[tuple[Scalar, ...]]) -> None:
        assert upserted(RULES[name], rows) == merged(RULES[name], rows)

    check()


@pytest.mark.parametrize("name", [name for name in RULES if name not in ("moments", "sum_real")])
def test_merging_in_any_order_and_grouping_is_the_same(name: str) -> None:
    rule = RULES[name]

    def distinct_places(rows: list[tuple[Scalar, ...]]) -> list[tuple[Scalar, ...]]:
        if len(rule.types) == 1:
            return rows
        return [(*row[:2], None if row[2] is None else number) for number, row in enumerate(rows)]

    small = partials(name).filter(lambda row: not isinstance(row[0], int) or abs(row[0]) < 2**60)

    @settings(max_examples=60, deadline=None)
    @given(st.lists(small, min_size=2, max_size=5), st.randoms(use_true_random=False), st.integers(1, 4))
    def check(drawn: list[tuple[Scalar, ...]], random: Any, cut: int) -> None:
        rows = distinct_places(drawn)
        shuffled = random.sample(rows, len(rows))
        cut = min(cut, len(rows) - 1)
        grouped = rule.merge(merged(rule, shuffled[:cut]), merged(rule, shuffled[cut:]))
        assert grouped == merged(rule, rows)

    check()


def test_merging_with_nothing_changes_nothing() -> None:
    for name, rule in RULES.items():
        nothing: tuple[Scalar, ...] = (None,) * len(rule.types)
        examples: dict[str, Scalar] = {"TEXT": "x", "REAL": 1.5, "INTEGER": 7}
        held: tuple[Scalar, ...] = (3, 2.0, 1.0) if name == "moments" else tuple(examples[t] for t in rule.types)
        assert rule.merge(held, nothing) == held == rule.merge(nothing, held)
        assert upserted(rule, [held, nothing]) == held == upserted(rule, [nothing, held])


def test_an_integer_sum_that_leaves_64_bits_stays_overflowed() -> None:
    """Wrapping would be wrong, and a float would lose the last digits without a word."""
    rule = RULES["sum_integer"]
    rows: list[tuple[Scalar, ...]] = [(LARGEST,), (1,), (-5,)]
    assert merged(rule, rows) == upserted(rule, rows) == (OVERFLOW,)


def test_variance_survives_a_large_mean() -> None:
    """Sums of squares give 0 or less for 1e9 + {0, 1}; moments give the variance."""
    n, _, squares = merged(RULES["moments"], [(1, 1e9, 0.0), (1, 1e9 + 1, 0.0)])
    assert (n, squares) == (2, 0.5)


def test_infinities_of_opposite_sign_stay_without_a_value_in_both_engines() -> None:
    """SQLite makes NULL of a NaN; the sum must not come back as a number."""
    rule = RULES["sum_real"]
    rows: list[tuple[Scalar, ...]] = [(math.inf,), (-math.inf,), (1.0,)]
    (found,) = merged(rule, rows)
    assert upserted(rule, rows) == (found,)
    assert isinstance(found, float)
    assert math.isinf(found)
