"""`[[sinks]]`: where points go, and the embedded store where nothing is said."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence

from pegel.config.components import component
from pegel.config.document import Node
from pegel.config.entries import OutboxEntry, SinkEntry
from pegel.config.names import check_part, check_unique
from pegel.config.options import build, options
from pegel.config.problems import Problem, did_you_mean, listed
from pegel.listening import Address
from pegel.metrics.definition import Metric
from pegel.plan import OWN_PREFIX, SinkPlan
from pegel.sinks import BUILTIN, Sink

DEFAULT = "local"
"""The sink where the file names none."""


def draft_sinks(nodes: Sequence[Node], root: Node, problems: list[Problem]) -> list[SinkPlan]:
    """Read the sinks; those with problems are left out."""
    sinks = [_sink(node, problems) for node in nodes]
    check_unique([node.table.get("name", node.table.get("type", node)) for node in nodes], "sink", problems)
    _check_endpoints(nodes, sinks, problems)
    if not nodes:
        sinks = [_default(root, problems)]
    return [sink for sink in sinks if sink is not None]


def _check_endpoints(nodes: Sequence[Node], sinks: Sequence[SinkPlan | None], problems: list[Problem]) -> None:
    """Two sinks cannot answer at one address under one path."""
    taken: dict[tuple[Address, str], str] = {}
    for node, sink in zip(nodes, sinks, strict=True):
        for endpoint in sink.sink.endpoints() if sink else ():
            place = (endpoint.address, endpoint.path)
            if sink and place in taken:
                message = f'sink "{taken[place]}" is at {endpoint.address}{endpoint.path} already'
                problems.append(node.problem(f"{message}; give one another listen or path"))
            elif sink:
                taken[place] = sink.name


def is_off(node: Node) -> bool:
    """Whether a sink is switched off by an empty `only_if`."""
    condition = node.table.get("only_if")
    return condition is not None and condition.value == "" and condition.fault is None


def off_warnings(nodes: Sequence[Node]) -> list[Problem]:
    """A word about each sink that is off: nobody must look for its points in vain."""
    conditions = [node.table["only_if"] for node in nodes]
    return [
        node.problem(f"the sink is off, because {node.template or 'this'} is empty", at_key=True) for node in conditions
    ]


def pattern_warnings(nodes: Sequence[Node], metrics: Sequence[Metric]) -> list[Problem]:
    """Patterns that match no metric, where there are metrics: a configuration may begin without any."""
    names = [one.name for metric in metrics for one in metric.shown()]
    if not names:
        return []
    warnings = []
    for node in nodes:
        written = node.table.get("metrics")
        for pattern in (written.items or [written]) if written else []:
            own = str(pattern.value).startswith(OWN_PREFIX)
            if isinstance(pattern.value, str) and not own and not fnmatch.filter(names, pattern.value):
                message = f'"{pattern.value}" matches no metric; there is {listed(names)}'
                warnings.append(pattern.problem(message, did_you_mean(pattern.value, names)))
    return warnings


def _sink(node: Node, problems: list[Problem]) -> SinkPlan | None:
    shared = set(options(SinkEntry))
    entry = build(SinkEntry, node.only(shared), problems)
    sink = component(Sink, BUILTIN, node, problems, shared=shared)
    if "name" in node.table:
        check_part(node.table["name"], problems)
    elif entry and ":" in entry.type:
        problems.append(node.problem("required, but missing", missing="name"))
    if entry is None or sink is None:
        return None
    if "early_interval" in node.table and not sink.overwrites:
        message = f"a sink of type {entry.type} cannot take values of open windows back, so it gets none"
        problems.append(node.table["early_interval"].problem(message, at_key=True))
    return _plan(entry, sink)


def _plan(entry: SinkEntry, sink: Sink) -> SinkPlan:
    return SinkPlan(
        name=entry.name or entry.type,
        type=entry.type,
        sink=sink,
        metrics=(entry.metrics,) if isinstance(entry.metrics, str) else tuple(entry.metrics),
        early_interval=sink.early_interval if entry.early_interval is None else entry.early_interval,
        max_bytes=entry.outbox.max_bytes,
        max_age=entry.outbox.max_age,
        when_full=entry.outbox.when_full,
    )


def _default(root: Node, problems: list[Problem]) -> SinkPlan | None:
    """The embedded store."""
    word = Node(DEFAULT, ("sinks", 0, "type"), root.place, root.place, root.document)
    node = Node({"type": word}, ("sinks", 0), root.place, root.place, root.document)
    sink = component(Sink, BUILTIN, node, problems)
    return None if sink is None else _plan(SinkEntry(type=DEFAULT, outbox=OutboxEntry()), sink)
