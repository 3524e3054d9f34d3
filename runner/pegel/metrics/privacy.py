"""Where a private column may be used: as a member that is counted by its keyed hash, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator

from pegel import sql
from pegel.metrics.expression import Call
from pegel.sql import ExpressionError, Node, Parsed

_ALLOWED = "count(distinct x), approx_count_distinct(x), arrivals(x) and `is null` tests"
_NULL_TESTS = ("OPERATOR_IS_NULL", "OPERATOR_IS_NOT_NULL")


def check_condition(parsed: Parsed, private: frozenset[str], node: Node | None = None) -> list[ExpressionError]:
    """A condition may ask whether a private column is there, not what it is."""
    return [_refusal(parsed, found) for found in _looked_at(node or parsed.root, private)]


def check_call(parsed: Parsed, private: frozenset[str], call: Call) -> list[ExpressionError]:
    """An aggregate may count the members of a private column; its filter is a condition."""
    errors = check_condition(parsed, private, call.filter) if call.filter is not None else []
    if call.argument is not None and not call.members:
        errors += [_refusal(parsed, found) for found in _read(call.argument, private)]
    return errors


def refused_label(name: str) -> ExpressionError:
    """The error for a private column among the labels."""
    return ExpressionError(f'"{name}" is private and cannot be a label; it is only possible in {_ALLOWED}')


def _refusal(parsed: Parsed, node: Node) -> ExpressionError:
    name = node["column_names"][0]
    return ExpressionError(f'"{name}" is private; it is only possible in {_ALLOWED}', parsed.position(node))


def _read(node: Node, private: frozenset[str]) -> Iterator[Node]:
    hidden = {name.lower() for name in private}
    for part in sql.walk(node):
        if part["class"] == "COLUMN_REF" and part["column_names"][0].lower() in hidden:
            yield part


def _looked_at(node: Node, private: frozenset[str]) -> Iterator[Node]:
    """The private columns whose value a condition looks at."""
    tested = {
        id(part)
        for test in sql.walk(node)
        if test["type"] in _NULL_TESTS
        for part in test["children"]
        if part["class"] == "COLUMN_REF" and len(part["column_names"]) == 1
    }
    return (part for part in _read(node, private) if id(part) not in tested)
