"""What a configuration depends on outside this program, and which entry says so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pegel.config.document import Node
from pegel.config.problems import Problem
from pegel.enrichers import Enricher
from pegel.plan import SinkPlan


@dataclass(frozen=True)
class Endpoint:
    """An entry that can be tried before anything runs.

    Attributes:
        name: What people call it, such as `sink influx`.
        probe: Tries it: what is wrong, as sentences; takes up to 10 s.
    """

    name: str
    probe: Callable[[], Sequence[str]]
    node: Node

    def problem(self, sentence: str) -> Problem:
        """What is wrong, at the place of the entry."""
        return self.node.problem(sentence)


def endpoints(
    enrichers: Sequence[tuple[Node, Enricher]], nodes: Sequence[Node], sinks: Sequence[SinkPlan]
) -> list[Endpoint]:
    """All that can be tried, in the order of the flow; a sink that the file does not name is this program's own."""
    return [
        *(Endpoint(f"enricher {node.table['type'].value}", enricher.probe, node) for node, enricher in enrichers),
        *(Endpoint(f"sink {sink.name}", sink.sink.probe, node) for node, sink in zip(nodes, sinks, strict=False)),
    ]
