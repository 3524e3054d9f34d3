"""SQL expressions of the config: bound against known columns before anything runs.

This module owns DuckDB's syntax tree, whose shape differs between versions: whatever else needs it (the metric
language) goes through here. DuckDB parses and binds, asked on a private connection that can reach nothing.
"""

from __future__ import annotations

import difflib
import functools
import itertools
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb

from pegel import sqlnames
from pegel.table import Columns, quote

Node = dict[str, Any]
"""A node of DuckDB's tree; what has a `class` is an expression."""

_SELECT = "select "
_NOWHERE = 2**64 - 1
_KEPT_RELATIONS = 64
_REMEMBERED = 1024

_BINDABLE = {"user", "version"}  # with quotes or without, these are columns first
_REFUSED = {
    "WINDOW": "a window function looks at other records; use an aggregate of a metric",
    "SUBQUERY": "a subquery is not possible here; an expression sees the columns of one record",
    "STAR": "name the columns; `*` is only possible in count(*)",
    "PARAMETER": "a parameter has no value here; write the constant",
    "POSITIONAL_REFERENCE": "write the name of the column, not its number",
    "DEFAULT": "`default` has no meaning here",
}


@dataclass
class ExpressionError(Exception):
    """An expression is wrong.

    Attributes:
        message: What is wrong, without the place.
        position: Character offset in the expression, 0 where unknown.
        candidates: Names that may have been meant, best first.
    """

    message: str
    position: int = 0
    candidates: Sequence[str] = ()

    def __str__(self) -> str:
        return self.message


@dataclass
class ExpressionErrors(Exception):
    """Several expressions are wrong.

    Attributes:
        errors: (name of the expression, what is wrong with it), in the order of the file.
    """

    errors: list[tuple[str, ExpressionError]]

    def __str__(self) -> str:
        return "\n".join(f"{name}: {error}" for name, error in self.errors)


@dataclass(frozen=True)
class Bound:
    """What an expression is.

    Attributes:
        type: Its DuckDB type.
        columns: The columns that it reads, spelled as they are declared.
    """

    type: str
    columns: frozenset[str]


@dataclass(frozen=True)
class Parsed:
    """An expression and its tree."""

    source: str
    root: Node
    _bytes: bytes = field(repr=False)

    def span(self, node: Node) -> tuple[int, int] | None:
        """Start and end of a node in `source`, in characters; exact for functions, columns and constants."""
        start = node.get("query_location", _NOWHERE)
        if start == _NOWHERE:
            return None
        first = start - len(_SELECT)
        return _characters(self._bytes, first), _characters(self._bytes, first + node["query_location_length"])

    def position(self, node: Node) -> int:
        """Where a node is, or the first part of it whose place is known."""
        return next((span[0] for part in walk(node) if (span := self.span(part)) is not None), 0)


def bind(expression: str, columns: Columns) -> Bound:
    """Check an expression over the columns of one record; nothing runs.

    The text may be used as it is wherever SQL takes an expression, in parentheses.

    Raises:
        ExpressionError: Syntax, an unknown column or function, types that do not fit, or something that is not
            a pure function of one record: aggregates, window functions, subqueries, clocks, random numbers, files.
    """
    parsed = parse(expression)
    problems = impurities(parsed)
    if problems:
        raise problems[0]
    used = used_columns(parsed, columns)
    try:
        (kind,) = types([f"({expression})"], columns)
    except duckdb.Error as error:
        raise _from_duckdb(error, parsed, columns, shift=len(_SELECT) + 1) from None
    return Bound(kind, used)


def bind_all(expressions: Mapping[str, str], columns: Columns) -> dict[str, Bound]:
    """Check several new columns in order; a later one may use an earlier one.

    Raises:
        ExpressionErrors: All that is wrong; what only follows from an earlier error is left out.
    """
    known = dict(columns)
    bound: dict[str, Bound] = {}
    errors: list[tuple[str, ExpressionError]] = []
    for name, expression in expressions.items():
        try:
            bound[name] = bind(expression, known)
        except ExpressionError as error:
            if not _follows(expression, [failed for failed, _ in errors]):
                errors.append((name, error))
        else:
            known[name] = bound[name].type
    if errors:
        raise ExpressionErrors(errors)
    return bound


@functools.lru_cache(maxsize=_REMEMBERED)  # presets repeat themselves, and a check should feel instant
def parse(expression: str) -> Parsed:
    """The tree of one expression; it is shared, so change only copies of it.

    Raises:
        ExpressionError: Not an expression, more than one, or one with an alias.
    """
    if not expression.strip():
        raise ExpressionError("the expression is empty")
    alone, enclosed = _serialize([_SELECT + expression, f"{_SELECT}({expression})"])
    root = _only(alone, expression)
    if enclosed["error"]:
        raise ExpressionError("write one expression, without a comment at its end", len(expression.rstrip()) - 1)
    inner = _only(enclosed, expression)
    if (root["class"], root.get("function_name")) != (inner["class"], inner.get("function_name")):
        raise ExpressionError("write one expression, without a comma at its end", len(expression.rstrip()) - 1)
    return Parsed(expression, root, expression.encode())


def walk(node: Any) -> Iterator[Node]:
    """An expression and all expressions in it, outermost first, in the order of the text."""
    waiting = [node]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            if "class" in part and part["class"] != "TYPE":
                yield part
            waiting.extend(reversed(part.values()))
        elif isinstance(part, list):
            waiting.extend(reversed(part))


def children(node: Node) -> list[Node]:
    """The expressions directly below a node."""
    found: list[Node] = []
    waiting = list(reversed(node.values()))
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict) and part.get("class", "TYPE") != "TYPE":
            found.append(part)
        elif isinstance(part, dict):
            waiting.extend(reversed(part.values()))
        elif isinstance(part, list):
            waiting.extend(reversed(part))
    return found


def arguments(node: Node) -> list[Node]:
    """The arguments of a function node."""
    return [argument["expression"] for argument in node["arguments"]]


def column(name: str) -> Node:
    """A node that reads a column."""
    place = {"query_location": _NOWHERE, "query_location_length": 0}
    return {"class": "COLUMN_REF", "type": "COLUMN_REF", "alias": "", **place, "column_names": [name]}


def replace(node: Any, replacements: Mapping[int, Node]) -> Any:
    """A copy of a tree with other nodes in the place of those whose `id` is given."""
    if isinstance(node, dict):
        if id(node) in replacements:
            return replacements[id(node)]
        return {key: replace(value, replacements) for key, value in node.items()}
    if isinstance(node, list):
        return [replace(part, replacements) for part in node]
    return node


def spelled(node: Node, columns: Columns) -> Node:
    """A copy of a tree whose columns are spelled as they are declared, so that equal expressions give equal text."""
    declared = {name.lower(): name for name in columns}
    renamed = {}
    for part in walk(node):
        if part["class"] == "COLUMN_REF":
            first, *rest = part["column_names"]
            renamed[id(part)] = {**part, "column_names": [declared.get(first.lower(), first), *rest]}
    copy: Node = replace(node, renamed)
    return copy


def render(nodes: Sequence[Node]) -> list[str]:
    """The SQL text of each node, in one spelling: equal expressions give equal text."""
    return list(_rendered(tuple(_document(node) for node in nodes)))


def types(expressions: Sequence[str], columns: Columns) -> list[str]:
    """The DuckDB types of SQL texts over the columns.

    Raises:
        duckdb.Error: One of them does not bind.
    """
    return list(_types(tuple(expressions), tuple(columns.items())))


def node_types(parsed: Parsed, nodes: Sequence[Node], texts: Sequence[str], columns: Columns) -> list[str]:
    """The types of rendered parts of an expression.

    Raises:
        ExpressionError: One of them does not bind; the position is that of the smallest part to blame.
    """
    try:
        return types([f"({text})" for text in texts], columns)
    except duckdb.Error:
        for node in nodes:
            _blame(parsed, node, columns)
        raise


def evaluate(statement: str, values: Mapping[str, Sequence[Any]]) -> list[tuple[Any, ...]]:
    """Run a SELECT over nothing but its parameters."""
    with _lock:
        return _connection().execute(statement, dict(values)).fetchall()


def impurities(parsed: Parsed, node: Node | None = None) -> list[ExpressionError]:
    """What keeps an expression from being a pure function of one record, in the order of the text."""
    known = ((part, impurity(part)) for part in walk(node or parsed.root))
    return [ExpressionError(message, parsed.position(part)) for part, message in known if message]


def used_columns(parsed: Parsed, columns: Columns, node: Node | None = None) -> frozenset[str]:
    """The columns that an expression reads.

    Raises:
        ExpressionError: A name is neither a column nor a parameter of a lambda.
    """
    top = node or parsed.root
    spelled = {name.lower(): name for name in columns}
    bindable = {name.lower() for part in walk(top) if part["class"] == "LAMBDA" for name in _lambda_names(part)}
    used = set()
    for part in walk(top):
        if part["class"] != "COLUMN_REF":
            continue
        name = part["column_names"][0]
        if name.lower() in spelled:
            used.add(spelled[name.lower()])
        elif name.lower() not in bindable:
            raise unknown_column(name, columns, parsed.position(part))
    return frozenset(used)


def unknown_column(name: str, columns: Columns, position: int) -> ExpressionError:
    """The error for a name that is not among the columns."""
    close = difflib.get_close_matches(name, list(columns), n=3, cutoff=0.5)
    return ExpressionError(f'unknown column "{name}"', position, close)


def impurity(node: Node) -> str | None:
    """Why a node, looked at alone, is not a pure function of one record; None if it is."""
    if node["class"] in _REFUSED:
        return _REFUSED[node["class"]]
    if node["type"] == "GROUPING_FUNCTION":
        return "grouping() has no meaning here"
    if node["class"] == "COLUMN_REF" and len(node["column_names"]) == 1:
        name = node["column_names"][0].lower()
        return sqlnames.changing(name) if name in sqlnames.CHANGING - _BINDABLE else None
    if node["class"] == "FUNCTION":
        return sqlnames.refusal(node["function_name"].lower(), len(node["arguments"]))
    return None


def _lambda_names(node: Node) -> list[str]:
    left = node["lhs"]
    named = [left] if left["class"] == "COLUMN_REF" else [p for p in children(left) if p["class"] == "COLUMN_REF"]
    return [part["column_names"][0] for part in named]


def _follows(expression: str, failed: Sequence[str]) -> bool:
    """Whether an expression uses a column whose own expression was wrong."""
    if not failed:
        return False
    try:
        tree = parse(expression)
    except ExpressionError:
        return False
    names = {name.lower() for name in failed}
    return any(p["column_names"][0].lower() in names for p in walk(tree.root) if p["class"] == "COLUMN_REF")


def _blame(parsed: Parsed, node: Node, columns: Columns) -> None:
    """Raise for the smallest part of a node that does not bind, if there is one."""
    if node["class"] != "LAMBDA":
        for child in children(node):
            _blame(parsed, child, columns)
    if node["class"] == "LAMBDA":  # binds only inside its function
        return
    (text,) = render([node])
    try:
        types([f"({text})"], columns)
    except duckdb.Error as error:
        found = _from_duckdb(error, parsed, columns)
        found.position = parsed.position(node)
        raise found from None


def _serialize(statements: Sequence[str]) -> list[Node]:
    with _lock:
        asked = ", ".join("json_serialize_sql(?::varchar)" for _ in statements)
        row = _connection().execute(f"select {asked}", list(statements)).fetchone()
    assert row is not None
    try:
        return [json.loads(document) for document in row]
    except RecursionError:
        raise ExpressionError("the expression is nested too deeply") from None


def _only(document: Node, expression: str) -> Node:
    """The one expression of a parsed statement that has nothing else."""
    if document["error"]:
        position = int(document.get("position", len(_SELECT))) - len(_SELECT)
        raise ExpressionError(document["error_message"], _clamped(expression, position))
    if len(document["statements"]) != 1:
        raise ExpressionError("write one expression, without a semicolon", max(0, expression.find(";")))
    select = document["statements"][0]["node"]
    listed = select.get("select_list", [])
    if len(listed) != 1 or select["from_table"]["type"] != "EMPTY" or _clauses(select):
        raise ExpressionError("write one expression, not a list or a query")
    root: Node = listed[0]
    if root["alias"]:
        raise ExpressionError("an alias has no meaning here; the name is given by the key")
    return root


def _clauses(select: Node) -> bool:
    parts = ("modifiers", "where_clause", "group_expressions", "group_sets", "having", "sample", "qualify")
    return any(select[part] for part in parts) or bool(select["cte_map"]["map"])


@functools.lru_cache(maxsize=_REMEMBERED)
def _types(expressions: tuple[str, ...], columns: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    selected = ", ".join(f"{text} as _{number}" for number, text in enumerate(expressions))
    with _lock:
        connection = _connection()
        connection.execute(f"{_SELECT}{selected} from {_relation(columns)} limit 0")
        names = [str(entry[1]) for entry in connection.description or ()]
    return tuple("INTEGER" if name == '"NULL"' else name for name in names)


@functools.lru_cache(maxsize=_REMEMBERED)
def _rendered(documents: tuple[str, ...]) -> tuple[str, ...]:
    if not documents:
        return ()
    statement = "select json_deserialize_sql(unnest(?::varchar[])::json)"
    with _lock:
        found = _connection().execute(statement, [list(documents)]).fetchall()
    return tuple(row[0].removeprefix(_SELECT.upper()).strip() for row in found)


def _document(node: Node) -> str:
    body = {**_template(), "select_list": [node]}
    return json.dumps({"error": False, "statements": [{"node": body, "named_param_map": []}]})


@functools.cache
def _template() -> Node:
    (document,) = _serialize(["select 1"])
    body: Node = document["statements"][0]["node"]
    return body


def _from_duckdb(error: duckdb.Error, parsed: Parsed, columns: Columns, shift: int = 0) -> ExpressionError:
    text = str(error)
    try:
        facts = json.loads(text[text.index("{") :])
    except ValueError:
        return ExpressionError(text.splitlines()[0])
    position = _clamped(parsed.source, int(facts.get("position", shift)) - shift)
    name, what = facts.get("name", ""), facts.get("error_subtype", "")
    if what == "COLUMN_NOT_FOUND":
        return unknown_column(name, columns, position)
    if what == "MISSING_ENTRY":
        kind = "type" if facts.get("type") == "Type" else "function"
        close = [candidate for candidate in facts.get("candidates", "").split(",") if candidate]
        return ExpressionError(f'unknown {kind} "{name}"', position, close)
    if what == "NO_MATCHING_FUNCTION":
        return ExpressionError(f"{facts['call']} does not exist; cast the arguments to types that fit", position)
    return ExpressionError(facts["exception_message"].splitlines()[0], position)


def _clamped(expression: str, byte: int) -> int:
    return _characters(expression.encode(), max(0, byte))


def _characters(text: bytes, count: int) -> int:
    return len(text[:count].decode(errors="ignore"))


_lock = threading.RLock()
_names = itertools.count()


@functools.cache
def _connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(
        config={
            "threads": 1,
            "async_threads": 0,
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        }
    )
    connection.execute("set TimeZone = 'UTC'; set errors_as_json = true")
    connection.execute("set enable_external_access = false; set lock_configuration = true")
    return connection


@functools.lru_cache(maxsize=_KEPT_RELATIONS)
def _relation(columns: tuple[tuple[str, str], ...]) -> str:
    """The name of an empty table with these columns."""
    name = f"pegel_columns_{next(_names)}"
    declared = ", ".join(f"{quote(column)} {kind}" for column, kind in columns) or "pegel_no_column integer"
    _connection().execute(f"create temp table {name} ({declared})")
    return name
