"""SQL options of enrichers, bound once per set of columns: a batch must not wait for the binder."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from pegel.sql import Bound, ExpressionError, ExpressionErrors, bind, bind_all
from pegel.table import Columns

_KEPT = 128

Pairs = tuple[tuple[str, str], ...]


def bound_columns(expressions: Mapping[str, str], columns: Columns) -> Mapping[str, Bound]:
    """`pegel.sql.bind_all`, remembered.

    Raises:
        ExpressionErrors: All that is wrong.
    """
    return _bound_columns(tuple(expressions.items()), tuple(columns.items()))


def bound_condition(condition: str, columns: Columns) -> Bound:
    """A condition over one record, remembered.

    Raises:
        ExpressionError: It does not fit the columns, or is neither true nor false.
    """
    return _bound_condition(condition, tuple(columns.items()))


@functools.lru_cache(_KEPT)
def _bound_columns(expressions: Pairs, columns: Pairs) -> Mapping[str, Bound]:
    present = {name.lower(): name for name, _ in columns}
    misspelt = [name for name, _ in expressions if present.get(name.lower(), name) != name]
    if misspelt:
        raise ExpressionErrors([(name, _other_case(present[name.lower()])) for name in misspelt])
    return bind_all(dict(expressions), dict(columns))


def _other_case(name: str) -> ExpressionError:
    return ExpressionError(f'there is a column "{name}" already; write it the same way to replace it')


@functools.lru_cache(_KEPT)
def _bound_condition(condition: str, columns: Pairs) -> Bound:
    bound = bind(condition, dict(columns))
    if bound.type != "BOOLEAN":
        raise ExpressionError(f"a condition is true or false, and this is {bound.type}; write a comparison")
    return bound
