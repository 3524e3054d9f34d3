from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from enrichers.rows import enriched, table
from pegel.enrichers.lookup import Lookup
from pegel.sql import ExpressionError

CSV = 'id,plan,billing country\n1,gold,DE\n2,"silver, old",\n'


def customers(tmp_path: Path, text: str = CSV, name: str = "customers.csv", **options: Any) -> Lookup:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    return Lookup(**{"file": file, "column": "customer", "key": "id", "columns": ["plan"], **options})


def test_a_value_is_found_by_its_key(tmp_path: Path) -> None:
    added = enriched(customers(tmp_path), {"customer": ["2", "1", "1"]})
    assert added == {"plan": ["silver, old", "gold", "gold"]}


def test_what_is_not_there_gets_no_value_or_the_default(tmp_path: Path) -> None:
    records = {"customer": ["9", None, "1"]}
    assert enriched(customers(tmp_path), records)["plan"] == [None, None, "gold"]
    assert enriched(customers(tmp_path, default="none"), records)["plan"] == ["none", "none", "gold"]


def test_an_empty_field_is_no_value(tmp_path: Path) -> None:
    """A label that is empty in one row and missing in another would be two series of one thing."""
    lookup = customers(tmp_path, columns={"country": "billing country"}, default="XX")
    assert enriched(lookup, {"customer": ["1", "2", "3"]}) == {"country": ["DE", "XX", "XX"]}


def test_numbers_are_compared_as_they_are_written(tmp_path: Path) -> None:
    """A key that is no number must not be read as one."""
    lookup = customers(tmp_path, CSV + "new,none,\n01,other,\n")
    assert enriched(lookup, {"customer": [1, 3]})["plan"] == ["gold", None]


def test_a_toml_file_is_a_list_of_tables(tmp_path: Path) -> None:
    text = '[[customer]]\nid = 1\nplan = "gold"\nvip = true\n[[customer]]\nid = "2"\nvip = false\n'
    lookup = customers(tmp_path, text, "customers.toml", columns=["plan", "vip"])
    assert enriched(lookup, {"customer": ["1", "2"]}) == {"plan": ["gold", None], "vip": ["true", "false"]}


def test_a_new_column_may_replace_the_one_that_is_looked_up(tmp_path: Path) -> None:
    lookup = customers(tmp_path, columns={"customer": "plan"})
    assert enriched(lookup, {"customer": ["1"]}) == {"customer": ["gold"]}


def test_two_look_ups_in_a_row_do_not_disturb_each_other(tmp_path: Path) -> None:
    first, second = customers(tmp_path), customers(tmp_path, columns={"country": "billing country"})
    with table({"customer": ["1"]}) as given:
        assert second.enrich(first.enrich(given)).rows("plan", "country") == [("gold", "DE")]


def test_a_table_without_rows_finds_nothing(tmp_path: Path) -> None:
    assert enriched(customers(tmp_path, "id,plan\n"), {"customer": ["1"]}) == {"plan": [None]}


def test_the_rows_stay_in_order_and_their_number_is_known(tmp_path: Path) -> None:
    """Ties between equal times are decided by the order of arrival."""
    with table({"customer": [str(number % 3) for number in range(5000)]}) as given:
        kept = given.batch.keep(given)
        result = customers(tmp_path).enrich(kept)
        assert result.at_most == 5000
        assert result.rows("_row") == [(number,) for number in range(5000)]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", 'has no column "id"; it has no header'),
        ("id,name\n1,x\n", 'has no column "plan"; it has id, name'),
        ("id,plan\n1,gold\n1,silver\n", 'has the id "1" twice'),
        ("id,plan\n1\n", "has 1 values in line 2, and the header 2"),
        ('id,plan\n1,"gold\n', "is no CSV at line 2"),
    ],
)
def test_a_wrong_file_is_refused_with_its_name(tmp_path: Path, text: str, sentence: str) -> None:
    """`pegel check` shows it at the option `file`, which it finds by the name in quotes."""
    (lacks,) = customers(tmp_path, text).lacks()
    assert sentence in lacks
    assert lacks.startswith(f'"{tmp_path}/customers.csv" ')


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    lookup = Lookup(file=tmp_path / "none.csv", column="customer", key="id", columns=["plan"])
    assert "cannot be read: no such file" in lookup.lacks()[0]


def test_a_column_that_records_do_not_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExpressionError, match='unknown column "customer"'):
        customers(tmp_path).adds({"client": "VARCHAR"})


def test_options_are_checked(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="columns: name at least one"):
        customers(tmp_path, columns=[])
    with pytest.raises(ValueError, match=r"columns: .* no name for a column"):
        customers(tmp_path, columns=["billing country"])


def test_a_file_that_vanished_after_the_check_gives_the_default(tmp_path: Path) -> None:
    lookup = customers(tmp_path, default="none")
    lookup.file.unlink()
    with table({"customer": ["1"]}) as given:
        assert lookup.enrich(given).rows("plan") == [("none",)]
