from __future__ import annotations

from datetime import date, datetime, time
from typing import Any

import tomli
from hypothesis import given, settings
from hypothesis import strategies as st

from pegel.config.writing import table, value

TEXT = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    st.text(st.sampled_from("a'\"\\\n\r\t "), max_size=12),
)
SCALAR = st.one_of(
    TEXT,
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.dates(),
    st.times(),
    st.datetimes(),
)
VALUE = st.recursive(
    SCALAR, lambda below: st.one_of(st.lists(below, max_size=6), st.dictionaries(TEXT, below, max_size=4))
)


@settings(max_examples=200, deadline=None)
@given(VALUE)
def test_what_is_written_reads_the_same(written: Any) -> None:
    """`pegel show` is only of use if its output can be put in place of the file."""
    (again,) = tomli.loads(f"x = {value(written)}").values()
    assert again == written
    assert type(again) is type(written)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(TEXT, VALUE, max_size=4))
def test_a_table_reads_the_same(entries: dict[str, Any]) -> None:
    assert tomli.loads(table("[[x]]", entries, dotted=tuple(entries)))["x"] == [entries]


def test_quotes_and_backslashes_are_easy_to_read() -> None:
    """Templates and regular expressions are full of both."""
    assert value('"{request}" \\d+') == "'\"{request}\" \\d+'"
    assert value("it's") == '"it\'s"'


def test_an_expression_of_several_lines_stays_one() -> None:
    assert value("case\n  when a = 'x' then 1\nend") == "'''\ncase\n  when a = 'x' then 1\nend'''"


def test_a_long_list_stands_on_several_lines() -> None:
    text = value(["a" * 40, "b" * 40, "c" * 40])
    assert len(text.splitlines()) == 5


def test_dates_are_dates() -> None:
    assert [value(of) for of in (date(2026, 3, 3), time(7, 32), datetime(2026, 3, 3, 7, 32))] == [  # noqa: DTZ001
        "2026-03-03",
        "07:32:00",
        "2026-03-03T07:32:00",
    ]
