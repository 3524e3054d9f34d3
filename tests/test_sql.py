"""Expressions of the config: what they may be, and what a wrong one is told."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import duckdb
import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from pegel import sql, sqlnames
from pegel.sql import Bound, ExpressionError, ExpressionErrors, bind, bind_all, parse

COLUMNS = {
    "n": "BIGINT",
    "guid": "VARCHAR",
    "f": "DOUBLE",
    "ok": "BOOLEAN",
    "list": "BIGINT[]",
    "box": "STRUCT(a INTEGER)",
    "json": "JSON",
    "Größe": "BIGINT",
    "two words": "VARCHAR",
}


TYPED = "n guid()+-*/,;'\"$#.<>=|[]{}:\\%\n\tä€1select from where sum lambda case when end"


def error(expression: str) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        bind(expression, COLUMNS)
    return caught.value


@pytest.mark.parametrize(
    ("expression", "kind", "used"),
    [
        ("n + 1", "BIGINT", {"n"}),
        ("N > 3 and guid like 'a%'", "BOOLEAN", {"n", "guid"}),
        ("größe", "BIGINT", {"Größe"}),
        ('"two words" || guid', "VARCHAR", {"two words", "guid"}),
        ("box.a", "INTEGER", {"box"}),
        ("json -> 'a' ->> 'b'", "VARCHAR", {"json"}),
        ("list_transform(list, lambda q: q + n)", "BIGINT[]", {"list", "n"}),
        ("list[1]", "BIGINT", {"list"}),
        ("nullif(n, 1)", "BIGINT", {"n"}),
        ("try_cast(guid as bigint)", "BIGINT", {"guid"}),
        ("date_diff('day', date '2020-01-01', date '2021-01-01')", "BIGINT", set()),
        ("age(timestamp '2020-01-01', timestamp '2021-01-01')", "INTERVAL", set()),
        ("null", "INTEGER", set()),
        ("/* why */ n -- because\n + 1", "BIGINT", {"n"}),
    ],
)
def test_an_expression_has_a_type_and_the_columns_that_it_reads(expression: str, kind: str, used: set[str]) -> None:
    assert bind(expression, COLUMNS) == Bound(kind, frozenset(used))


@pytest.mark.parametrize(
    ("expression", "position", "words"),
    [
        ("guids", 0, 'unknown column "guids"'),
        ("'ä€😀' || guids", 9, 'unknown column "guids"'),
        ("xx.n", 0, 'unknown column "xx"'),
        ("rowid", 0, "unknown column"),
        ("user", 0, "unknown column"),
        ("'ä' || foo(n)", 7, 'unknown function "foo"'),
        ("n::strange", 3, 'unknown type "strange"'),
        ("n + guid", 2, "+(BIGINT, VARCHAR) does not exist; cast"),
        ("box.b", 0, 'Could not find key "b"'),
        ("1 +", 2, "syntax error"),
        ("n; n", 3, "syntax error"),
        ("", 0, "empty"),
        ("   ", 0, "empty"),
        ("n, guid", 0, "not a list"),
        ("n,", 1, "without a comma"),
        ("n, /* c */", 9, "without a comma"),
        ("n -- why", 7, "without a comment"),
        ("n) + (n", 1, "syntax error"),
        ("n as m", 0, "an alias has no meaning"),
        ("n from t", 0, "not a list or a query"),
        ("n limit 1", 0, "not a list or a query"),
        ("distinct n", 0, "not a list or a query"),
        ("1 + sum(n)", 4, "sum is an aggregate over many records"),
        ("geomean(n)", 0, "geomean is an aggregate"),
        ("n + row_number() over ()", 4, "a window function looks at other records"),
        ("n in (select 1)", 5, "a subquery is not possible"),
        ("exists(select 1)", 0, "a subquery is not possible"),
        ("*", 0, "name the columns"),
        ("columns('n')", 0, "name the columns"),
        ("$1", 0, "a parameter has no value"),
        ("#1", 0, "write the name of the column"),
        ("default", 0, "no meaning"),
        ("n + random()", 4, "depends on when or where"),
        ("now()", 0, "depends on when or where"),
        ("current_timestamp", 0, "depends on when or where"),
        ("age(timestamp '2020-01-01')", 0, "depends on when or where"),
        ("uuid()", 0, "depends on when or where"),
        ("getenv('HOME')", 0, "depends on when or where"),
        ("current_setting('threads')", 0, "depends on when or where"),
        ("error('x')", 0, "depends on when or where"),
        ("read_text('/etc/passwd')", 0, "reads files"),
        ("glob('*')", 0, "reads files"),
        ("unnest(list)", 0, "makes several rows"),
    ],
)
def test_a_wrong_expression_is_refused_at_its_place(expression: str, position: int, words: str) -> None:
    found = error(expression)
    assert words in found.message
    assert found.position == position


def test_an_unknown_name_comes_with_those_that_may_be_meant() -> None:
    assert list(error("guids").candidates) == ["guid"]
    assert "floor" in error("flor(n)").candidates


def test_a_column_named_like_a_clock_is_a_column() -> None:
    assert bind('"user"', {"user": "VARCHAR"}).columns == {"user"}


def test_a_later_expression_may_use_an_earlier_one() -> None:
    bound = bind_all({"double": "n * 2", "text": "double || ''"}, COLUMNS)
    assert bound == {
        "double": Bound("BIGINT", frozenset({"n"})),
        "text": Bound("VARCHAR", frozenset({"double"})),
    }


def test_all_errors_are_reported_but_not_those_that_only_follow() -> None:
    with pytest.raises(ExpressionErrors) as caught:
        bind_all({"a": "nope", "b": "a + 1", "c": "1 +", "d": "n"}, COLUMNS)
    assert [name for name, _ in caught.value.errors] == ["a", "c"]


def test_the_span_of_a_function_holds_its_filter_and_counts_characters() -> None:
    parsed = parse("'ž' || count(*) filter (where ok) || guid")
    spans = {node.get("function_name", node["class"]): parsed.span(node) for node in sql.walk(parsed.root)}
    start, end = spans["count_star"] or (0, 0)
    assert parsed.source[start:end] == "count(*) filter (where ok)"
    start, end = spans["COLUMN_REF"] or (0, 0)
    assert parsed.source[start:end] in ("ok", "guid")


@pytest.mark.parametrize(
    "expression",
    [
        "case n when 1 then 'a' else guid end",
        "n not in (1, 2) and guid similar to 'a.*'",
        "n between 1 and 2 or f is not distinct from 3",
        "json ->> '$.a.b'",
        "date_part('hour', timestamp '2020-01-01 10:00:00')",
        "substring(guid from 2 for 3)",
        "'it''s' || \"two words\"",
        "-n ** 2 // 3 % 4",
        "list_filter(list, lambda q, i: q > i)",
        "{'a': n}.a",
        "try(guid::bigint)",
        "guid ilike '%x%' escape '!'",
    ],
)
def test_the_text_that_is_made_of_a_tree_means_the_same(expression: str) -> None:
    """The metric language takes expressions apart and writes the parts again."""
    (text,) = sql.render([parse(expression).root])
    assert sql.types([text], COLUMNS) == sql.types([f"({expression})"], COLUMNS)
    assert sql.render([parse(text).root]) == [text]
    empty = {**dict.fromkeys(COLUMNS, "NULL"), "n": "7", "guid": "'12'", "list": "[1, 2]", "f": "2.5"}
    row = ", ".join(f'{value}::{COLUMNS[name]} as "{name}"' for name, value in empty.items())
    ours, theirs = sql.evaluate(f"select ({text}), ({expression}) from (select {row})", {})[0]
    assert ours == theirs


def test_nothing_outside_can_be_reached() -> None:
    with pytest.raises(duckdb.Error):
        sql.evaluate("select * from read_text('/etc/hostname')", {})
    with pytest.raises(duckdb.Error):
        sql.evaluate("set enable_external_access = true", {})


def catalog(query: str) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = duckdb.connect().execute(query).fetchall()
    return found


def test_every_function_that_is_not_pure_is_refused() -> None:
    """A new version of DuckDB brings new functions; this says which of them need a decision."""
    rows = catalog(
        "select distinct function_name from duckdb_functions()"
        " where function_type = 'scalar' and stability = 'VOLATILE'"
    )
    assert len(rows) > 5
    for (name,) in rows:
        assert sql.impurity(parse(f"{name}()").root), name


def test_every_aggregate_of_duckdb_is_known_to_be_one() -> None:
    rows = catalog("select distinct function_name from duckdb_functions() where function_type = 'aggregate'")
    assert {name for (name,) in rows} <= sqlnames.AGGREGATES


def test_no_macro_hides_what_is_refused() -> None:
    rows = catalog("select function_name, macro_definition from duckdb_functions() where function_type = 'macro'")
    assert len(rows) > 50
    hidden = set()
    for name, definition in rows:
        root = parse(definition).root
        refused_itself = sql.impurity(parse(f'"{name}"()').root) is not None
        if not refused_itself and any(sql.impurity(node) for node in sql.walk(root)):
            hidden.add(name)
    assert not hidden


@settings(max_examples=150, deadline=None)
@given(
    st.text(
        st.sampled_from(TYPED),
        max_size=25,
    )
)
def test_any_text_is_bound_or_refused_inside_itself(text: str) -> None:
    """A typing error must never become a traceback, and the caret must point into the line."""
    try:
        bind(text, COLUMNS)
    except ExpressionError as error:
        found = error
    else:
        return
    assert 0 <= found.position <= len(text)
    assert found.message


def test_a_deeply_nested_expression_is_refused_not_crashed() -> None:
    with pytest.raises(ExpressionError):
        bind("(" * 3000 + "n" + ")" * 3000, COLUMNS)
    with pytest.raises(ExpressionError):
        bind("-" * 5000 + "n", COLUMNS)


def test_threads_may_bind_at_the_same_time() -> None:
    expressions = [f"n + {number}" for number in range(40)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda text: bind(text, COLUMNS).type, expressions))
    assert found == ["BIGINT"] * 40
