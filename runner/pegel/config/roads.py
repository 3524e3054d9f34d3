"""A metric that reaches a Prometheus by two roads: scraped from a page and written by us, it is there twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pegel.config.document import Node
from pegel.config.problems import Problem, listed
from pegel.plan import Plan, SinkPlan, takes, wants_own


def double_roads(nodes: Sequence[Node], plan: Plan) -> Iterator[Problem]:
    """A warning at each sink that writes what a page shows as well; who sums up would count it twice."""
    pages = [sink for sink in plan.sinks if sink.type == "prometheus"]
    for node, sink in zip(nodes, plan.sinks, strict=False):
        if sink.type != "remote_write":
            continue
        for page in pages:
            shared = _shared(sink, page, plan)
            if shared:
                message = f'{listed(shared)} {"is" if len(shared) == 1 else "are"} on the page of "{page.name}" too'
                yield node.problem(f"{message}; if one server gets both, choose by metrics = [...]")


def _shared(one: SinkPlan, other: SinkPlan, plan: Plan) -> list[str]:
    names = [shown.name for metric in plan.metrics for shown in metric.shown()]
    own = ["pegel_*"] if wants_own(one) and wants_own(other) else []
    return [*(name for name in names if takes(one, name) and takes(other, name)), *own]
