"""What a PromQL expression asks for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import promql_parser


def nodes(expression: str, kind: type) -> list[Any]:
    """Every part of an expression that is of one kind.

    Raises:
        ValueError: It is no PromQL; the sentence says why.
    """
    found: list[Any] = []

    def note(node: Any) -> bool:
        if isinstance(node, kind):
            found.append(node)
        return True

    promql_parser.walk(promql_parser.parse(expression), note)
    return found


def selected(expression: str) -> Iterator[tuple[str, set[str]]]:
    """The name of each metric that is asked for, and the labels by which its series are chosen.

    A pattern of names with one group of alternatives, `a_(b|c)_d`, is spelled out.
    """
    for selector in nodes(expression, promql_parser.VectorSelector):
        matchers = {one.name: one.value for one in selector.matchers.matchers}
        pattern = selector.name or matchers.pop("__name__")
        head, _, rest = pattern.partition("(")
        group, _, tail = rest.partition(")")
        for word in group.split("|"):
            yield f"{head}{word}{tail}", set(matchers)


def grouped(expression: str) -> set[str]:
    """The labels by which series are put together: `by`, `without`, `on`, `ignoring`."""
    found: set[str] = set()
    for aggregate in nodes(expression, promql_parser.AggregateExpr):
        found |= set(aggregate.modifier.labels) if aggregate.modifier else set()
    for binary in nodes(expression, promql_parser.BinaryExpr):
        matching = binary.modifier.matching if binary.modifier else None
        found |= set(matching.labels) if matching else set()
    return found
