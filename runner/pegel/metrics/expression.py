"""An aggregate expression taken apart: which aggregates it has, and what is computed from them.

`count(*)`, `count(x)`, `sum`, `min`, `max`, `avg`, `stddev`, `stddev_samp`, `stddev_pop`, `variance`, `var_samp`,
`var_pop`, `count(distinct x)`, `approx_count_distinct(x)`, `quantile(x, q)`, `histogram(x, [bounds])`, `first(x)`,
`last(x)` and `arrivals(x)`, each with `filter (where …)`; between them any function of one record. What cannot be
merged is refused with what to use instead.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pegel import sql, sqlnames
from pegel.sql import ExpressionError, Node, Parsed

MERGEABLE = frozenset(
    {
        "approx_count_distinct",
        "arrivals",
        "avg",
        "count",
        "count_star",
        "first",
        "histogram",
        "last",
        "max",
        "min",
        "quantile",
        "stddev",
        "stddev_pop",
        "stddev_samp",
        "sum",
        "var_pop",
        "var_samp",
        "variance",
    }
)
"""The aggregates that split into partials, by DuckDB's names."""

_MEMBERS = frozenset({"approx_count_distinct", "arrivals"})

_QUANTILE, _LABEL, _FIRST, _LAST = "quantile(x, q)", 'count(*) with labels = ["x"]', "first(x)", "last(x)"
_INSTEAD = {
    "median": "quantile(x, 0.5)",
    "quantile_cont": _QUANTILE,
    "quantile_disc": _QUANTILE,
    "approx_quantile": _QUANTILE,
    "reservoir_quantile": _QUANTILE,
    "mean": "avg(x)",
    "favg": "avg(x)",
    "fsum": "sum(x)",
    "kahan_sum": "sum(x)",
    "sumkahan": "sum(x)",
    "sum_no_overflow": "sum(x)",
    "count_if": "count(*) filter (where x)",
    "countif": "count(*) filter (where x)",
    "bool_and": "min(x)",
    "bool_or": "max(x)",
    "any_value": _FIRST,
    "arbitrary": _FIRST,
    "arg_min": _FIRST,
    "argmin": _FIRST,
    "min_by": _FIRST,
    "arg_max": _LAST,
    "argmax": _LAST,
    "max_by": _LAST,
    "mode": _LABEL,
    "approx_top_k": _LABEL,
    "histogram_exact": _LABEL,
    "list": "count(distinct x)",
    "array_agg": "count(distinct x)",
    "string_agg": "count(distinct x)",
    "group_concat": "count(distinct x)",
    "listagg": "count(distinct x)",
    "geomean": "exp(avg(ln(x)))",
    "geometric_mean": "exp(avg(ln(x)))",
    "product": "exp(sum(ln(x)))",
    "sem": "stddev(x) / sqrt(count(x))",
    "wavg": "sum(x * weight) / sum(weight)",
    "weighted_avg": "sum(x * weight) / sum(weight)",
}
_ANY = "count, sum, min, max, avg, stddev, count(distinct x), quantile, histogram, first, last or arrivals"


@dataclass(frozen=True)
class Call:
    """One aggregate in an expression.

    Attributes:
        name: DuckDB's name; `count_distinct` for `count(distinct x)`, `count_star` for `count(*)`.
        argument: What is aggregated; None for `count(*)`.
        filter: The condition behind `filter (where …)`.
        constants: The q of a quantile, the bounds of a histogram.
    """

    node: Node
    name: str
    argument: Node | None
    filter: Node | None
    constants: tuple[float, ...] = ()

    @property
    def members(self) -> bool:
        """It looks at which values there are, not at their size; private columns may enter it."""
        return self.name in _MEMBERS or self.name == "count_distinct"


def split(parsed: Parsed) -> tuple[list[Call], list[ExpressionError]]:
    """The aggregates of an expression in the order of the text, and all that is wrong with it."""
    calls: list[Call] = []
    errors: list[ExpressionError] = []
    for node, problem in _outside(parsed.root):
        if problem is not None:
            errors.append(ExpressionError(problem, parsed.position(node)))
            continue
        try:
            calls.append(_call(parsed, node))
        except ExpressionError as error:
            errors.append(error)
    if not calls and not errors:
        errors.append(ExpressionError("a value needs an aggregate, such as count(*) or sum(x)"))
    for call in calls:
        errors += _impure_parts(parsed, call)
    return calls, errors


def _outside(root: Node) -> Iterator[tuple[Node, str | None]]:
    """The aggregates, and whatever may not stand outside of one with the reason."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node["class"] == "FUNCTION" and node["function_name"].lower() in sqlnames.AGGREGATES:
            yield node, None
            continue
        problem = _problem(node)
        if problem is not None:
            yield node, problem
        else:
            waiting.extend(reversed(sql.children(node)))


def _problem(node: Node) -> str | None:
    if node["class"] == "WINDOW":
        return "window functions are not possible; `every` and `over` say what a window is"
    problem = sql.impurity(node)
    if problem is None and node["class"] == "COLUMN_REF":
        name = node["column_names"][-1]
        return f'"{name}" is outside of an aggregate; write last({name}), or make it a label'
    if problem is None and node["class"] == "LAMBDA":
        return "a lambda is only possible inside an aggregate"
    return problem


def _call(parsed: Parsed, node: Node) -> Call:
    name, place = node["function_name"].lower(), parsed.position(node)
    if name not in MERGEABLE:
        raise ExpressionError(f"{name} cannot be merged over batches; use {_INSTEAD.get(name, _ANY)}", place)
    if node["schema"]:
        raise ExpressionError(f"write {name} without a schema", place)
    if node["order_bys"]["orders"]:
        raise ExpressionError("order by inside an aggregate is not possible; first and last follow event time", place)
    arguments = sql.arguments(node)
    if node["distinct"] and name != "count":
        raise ExpressionError(f"distinct is only possible in count(distinct x), not in {name}", place)
    if name == "count_star" or (name == "count" and not arguments):
        return Call(node, "count_star", None, node["filter"])
    if len(arguments) != (2 if name in ("quantile", "histogram") else 1):
        raise ExpressionError(_arity(name), place)
    name = "count_distinct" if node["distinct"] else name
    return Call(node, name, arguments[0], node["filter"], _constants(parsed, name, arguments[1:]))


def _arity(name: str) -> str:
    if name == "quantile":
        return "write quantile(x, q) with q from 0 to 1, such as quantile(bytes, 0.95)"
    if name == "histogram":
        return "write histogram(x, [bounds]), such as histogram(seconds, [0.1, 1, 10])"
    return f"{name} takes one expression"


def _constants(parsed: Parsed, name: str, nodes: Sequence[Node]) -> tuple[float, ...]:
    if not nodes:
        return ()
    (node,) = nodes
    if name == "quantile":
        q = constant(node)
        if q is None or not 0 <= q <= 1:
            raise ExpressionError("the q of quantile(x, q) is a constant from 0 to 1", parsed.position(node))
        return (q,)
    is_list = node["class"] == "FUNCTION" and node["function_name"] == "list_value"
    bounds = [constant(bound) for bound in sql.arguments(node)] if is_list else []
    kept = tuple(bound for bound in bounds if bound is not None)
    if not kept or len(kept) < len(bounds) or sorted(set(kept)) != list(kept):
        message = "the bounds of a histogram are a list of growing constants, such as [0.1, 1, 10]"
        raise ExpressionError(message, parsed.position(node))
    return kept


def constant(node: Node) -> float | None:
    """The value of a number written in the expression, None for anything else."""
    if node["class"] == "FUNCTION" and node["function_name"] == "-" and len(node["arguments"]) == 1:
        inner = constant(sql.arguments(node)[0])
        return None if inner is None else -inner
    if node["class"] != "CONSTANT" or node["literal"]["kind"] not in ("INTEGER", "NUMERIC"):
        return None
    value = float(node["literal"]["text"])
    return value if math.isfinite(value) else None


def _impure_parts(parsed: Parsed, call: Call) -> list[ExpressionError]:
    errors = []
    for part in (call.argument, call.filter):
        for node in sql.walk(part):
            if node["class"] == "FUNCTION" and node["function_name"].lower() in sqlnames.AGGREGATES:
                errors.append(ExpressionError("aggregates cannot be nested", parsed.position(node)))
            elif (problem := sql.impurity(node)) is not None:
                errors.append(ExpressionError(problem, parsed.position(node)))
    return errors
