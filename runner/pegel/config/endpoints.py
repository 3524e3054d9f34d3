"""What a configuration depends on outside this program, and which entry says so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pegel.config.document import Node
from pegel.config.problems import Problem, names_a_secret
from pegel.enrichers import Enricher
from pegel.plan import SinkPlan, SourcePlan
from pegel.sinks import Sink
from pegel.sources import Source


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
        """What is wrong, at the place of the entry; an answer that quotes a secret of it is masked."""
        for node in self.node.walk():
            if isinstance(node.value, str) and node.value and names_a_secret(str(node.path[-1])):
                sentence = sentence.replace(node.value, "***")
        return self.node.problem(sentence)


def endpoints(
    sources: Sequence[tuple[Node, SourcePlan]],
    enrichers: Sequence[tuple[Node, Enricher]],
    nodes: Sequence[Node],
    sinks: Sequence[SinkPlan],
) -> list[Endpoint]:
    """All that can be tried, in the order of the flow; most components depend on nothing outside."""
    found = [
        (f"source {plan.name}", plan.source.probe, node)
        for node, plan in sources
        if type(plan.source).probe is not Source.probe
    ]
    found += [
        (f"enricher {node.table['type'].value}", enricher.probe, node)
        for node, enricher in enrichers
        if type(enricher).probe is not Enricher.probe
    ]
    # without a sink in the file there is the embedded store, which nobody has to try
    found += [
        (f"sink {sink.name}", sink.sink.probe, node)
        for node, sink in zip(nodes, sinks, strict=False)
        if type(sink.sink).probe is not Sink.probe
    ]
    return [Endpoint(*one) for one in found]
