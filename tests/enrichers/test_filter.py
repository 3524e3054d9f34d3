from __future__ import annotations

import pytest

from enrichers.rows import enriched
from pegel.enrichers.filter import Filter
from pegel.sql import ExpressionError


def test_only_records_for_which_the_condition_is_true_stay() -> None:
    assert enriched(Filter(where="n > 1"), {"n": [1, 2, None, 3]}) == {"n": [2, 3]}


def test_rejects_stay_whatever_their_columns_say() -> None:
    """They are counted later; a filter must not make a broken log look healthy."""
    kept = enriched(Filter(where="n > 1"), {"n": [1, 2, None]}, ["malformed", None, "too_long"])
    assert kept == {"n": [1, 2, None]}


def test_a_record_for_which_the_condition_fails_is_dropped() -> None:
    assert enriched(Filter(where="text::int = 1"), {"text": ["x", "1"]}) == {"text": ["1"]}


def test_a_condition_with_or_is_one_condition() -> None:
    """Without its own parentheses it would swallow the rule about rejects."""
    assert enriched(Filter(where="n = 1 or n = 2 and false"), {"n": [1, 2, 3]}) == {"n": [1]}


def test_it_adds_nothing_and_reads_its_columns() -> None:
    filter_ = Filter(where="a = 'x'")
    assert filter_.adds({"a": "VARCHAR", "b": "VARCHAR"}) == {}
    assert filter_.needs({"a": "VARCHAR", "b": "VARCHAR"}) == {"a"}


def test_what_is_no_condition_is_refused() -> None:
    with pytest.raises(ExpressionError, match="a condition is true or false, and this is BIGINT"):
        Filter(where="n").adds({"n": "BIGINT"})


def test_an_unknown_column_is_refused() -> None:
    with pytest.raises(ExpressionError, match='unknown column "m"'):
        Filter(where="m = 1").adds({"n": "BIGINT"})
