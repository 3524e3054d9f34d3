"""What each kind of value demands of its expression."""

from __future__ import annotations

from pegel import sql
from pegel.metrics.definition import Metric, Value
from pegel.metrics.expression import Call, constant
from pegel.sql import ExpressionError, Node, Parsed

_ADDITIVE = frozenset({"count", "count_star", "sum", "arrivals"})
_REFUSED = {
    "count_distinct": "distinct values of two windows do not add up; use arrivals(x) with `over`, or kind gauge",
    "approx_count_distinct": "distinct values of two windows do not add up; use arrivals(x) with `over`, or kind gauge",
    "histogram": 'a histogram has kind "histogram", which is cumulative too',
}


def check_kind(value: Value, parsed: Parsed, calls: list[Call], metric: Metric) -> list[ExpressionError]:
    """All reasons why a value cannot have the kind that it is given."""
    by_node = {id(call.node): call for call in calls}
    problems = [
        _histogram(value, parsed, by_node),
        _counter(value, parsed, by_node, metric),
        _arrivals(parsed, calls, metric),
    ]
    return [problem for problem in problems if problem is not None]


def _histogram(value: Value, parsed: Parsed, calls: dict[int, Call]) -> ExpressionError | None:
    inside = next((call for call in calls.values() if call.name == "histogram"), None)
    alone = inside is not None and inside.node is parsed.root
    if inside is not None and not alone:
        message = "a histogram stands alone; it is no number to compute with"
        return ExpressionError(message, parsed.position(inside.node))
    if alone and value.kind != "histogram":
        return ExpressionError('histogram(x, [bounds]) needs kind = "histogram"', 0)
    if value.kind == "histogram" and not alone:
        return ExpressionError('kind "histogram" needs histogram(x, [bounds]) and nothing else', 0)
    return None


def _counter(value: Value, parsed: Parsed, calls: dict[int, Call], metric: Metric) -> ExpressionError | None:
    if value.kind not in ("counter", "histogram"):
        return None
    if value.kind == "counter":
        problem = _not_additive(parsed.root, parsed, calls)
        if problem is not None:
            return problem
    overlapping = next((call for call in calls.values() if call.name != "arrivals"), None)
    if metric.over is not None and overlapping is not None:
        message = (
            f"windows with `over` overlap, so that a {value.kind} would count a record many times; leave out `over`"
        )
        return ExpressionError(message, parsed.position(overlapping.node))
    return None


def _not_additive(node: Node, parsed: Parsed, calls: dict[int, Call]) -> ExpressionError | None:
    """Why the value of two windows together would not be the sum of their values."""
    call = calls.get(id(node))
    if call is not None:
        if call.name in _ADDITIVE:
            return None
        reason = _REFUSED.get(call.name, f"{call.name} of two windows is not the sum of both; use kind gauge")
        return ExpressionError(f"a counter grows by addition: {reason}", parsed.position(node))
    parts = sql.children(node)
    scale = [constant(part) for part in parts]
    if _is_scaled(node, scale):
        return _not_additive(parts[scale.index(None)], parsed, calls)
    if node["class"] == "CAST" or _is_sum(node) or _is_nothing_as_zero(node, scale):
        inner = parts[:1] if node["type"] == "OPERATOR_COALESCE" else parts
        return next((found for part in inner if (found := _not_additive(part, parsed, calls))), None)
    message = "a counter grows by addition: it is a count, sum or arrivals, or a sum or a multiple of those"
    return ExpressionError(message, parsed.position(node))


def _is_sum(node: Node) -> bool:
    return bool(node["class"] == "FUNCTION" and node["function_name"] == "+")


def _is_nothing_as_zero(node: Node, constants: list[float | None]) -> bool:
    return node["type"] == "OPERATOR_COALESCE" and len(constants) == 2 and constants[1] == 0


def _is_scaled(node: Node, constants: list[float | None]) -> bool:
    """A multiple by a positive constant."""
    if node["class"] != "FUNCTION" or len(constants) != 2 or constants.count(None) != 1:
        return False
    factor = next(value for value in constants if value is not None)
    by: str = node["function_name"]
    return factor > 0 and (by == "*" or (by == "/" and constants[1] is not None))


def _arrivals(parsed: Parsed, calls: list[Call], metric: Metric) -> ExpressionError | None:
    found = next((call for call in calls if call.name == "arrivals"), None)
    if found is None or metric.over is not None:
        return None
    message = "arrivals(x) needs `over`: how long an x must have been away to arrive again"
    return ExpressionError(message, parsed.position(found.node))
