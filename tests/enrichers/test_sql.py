from __future__ import annotations

import pytest

from enrichers.rows import enriched, table
from pegel.enrichers.sql import Sql
from pegel.sql import ExpressionErrors


def test_an_expression_becomes_a_column() -> None:
    added = enriched(Sql(columns={"ok": "status < 400", "class": "status // 100"}), {"status": [200, 503]})
    assert added == {"ok": [True, False], "class": [2, 5]}


def test_an_expression_may_use_those_before_it() -> None:
    columns = {"page": "split_part(request, '?', 1)", "section": "split_part(page, '/', 2)", "long": "strlen(section)"}
    assert enriched(Sql(columns=columns), {"request": ["/shop/cart?x=1"]})["long"] == [4]


def test_a_replaced_column_is_the_old_one_in_its_own_expression_and_the_new_one_behind_it() -> None:
    """DuckDB itself would let the second expression see the old column."""
    columns = {"name": "upper(name)", "first": "left(name, 1)"}
    assert enriched(Sql(columns=columns), {"name": ["anna"]}) == {"name": ["ANNA"], "first": ["A"]}


def test_two_columns_may_change_places() -> None:
    columns = {"c": "a", "a": "b", "b": "c"}
    assert enriched(Sql(columns=columns), {"a": [1], "b": [2]}) == {"c": [1], "a": [2], "b": [1]}


def test_a_value_that_an_expression_cannot_take_is_no_value_and_disturbs_no_other() -> None:
    """One odd record must not stop the log."""
    added = enriched(Sql(columns={"n": "text::bigint", "m": "n + 1"}), {"text": ["7", "seven", None, "8"]})
    assert added == {"n": [7, None, None, 8], "m": [8, None, None, 9]}


def test_only_what_comes_from_outside_is_needed() -> None:
    """What an enricher makes itself must not be asked of the format."""
    sql = Sql(columns={"a": "x + 1", "b": "a + y", "x": "b"})
    known = {"x": "BIGINT", "y": "BIGINT", "z": "BIGINT"}
    assert sql.needs(known) == {"x", "y"}
    assert sql.adds(known) == {"a": "BIGINT", "b": "BIGINT", "x": "BIGINT"}


def test_a_column_that_is_used_before_it_is_made_is_unknown() -> None:
    with pytest.raises(ExpressionErrors, match='unknown column "a"'):
        Sql(columns={"b": "a", "a": "1"}).adds({"x": "BIGINT"})


def test_an_aggregate_is_refused() -> None:
    with pytest.raises(ExpressionErrors, match="aggregate"):
        Sql(columns={"n": "count(*)"}).adds({"x": "BIGINT"})


def test_a_name_that_differs_by_case_only_is_refused() -> None:
    """DuckDB would call both columns ambiguous, at the first batch."""
    with pytest.raises(ExpressionErrors, match='there is a column "page" already'):
        Sql(columns={"Page": "page"}).adds({"page": "VARCHAR"})


@pytest.mark.parametrize("name", ["_reject", "_row", "", "a b", "1st"])
def test_a_name_that_is_no_column_is_refused(name: str) -> None:
    """`_reject` is how the runner counts bad records: a user must not be able to hide them."""
    with pytest.raises(ValueError, match=r"columns: .* is no name for a column"):
        Sql(columns={name: "1"})


def test_names_that_are_one_for_the_engine_are_refused() -> None:
    with pytest.raises(ValueError, match="there twice"):
        Sql(columns={"a": "1", "A": "2"})


def test_no_expression_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Sql(columns={})


def test_the_number_of_records_stays_known() -> None:
    """Few records are folded in a cheaper way."""
    with table({"x": [1, 2]}) as given:
        kept = given.batch.keep(given)
        assert Sql(columns={"y": "x"}).enrich(kept).at_most == 2
