"""Whether two machines would make the same of the same bytes: told by digests of all that decides it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace

import duckdb

from pegel import __version__
from pegel.metrics.compiled import CompiledMetric
from pegel.pipeline.changes import definition
from pegel.pipeline.summary import Summary
from pegel.plan import Plan, SourcePlan

_DECISIVE = ("type", "format", "time", "labels", "private", "enrichers")
"""Options of every source that decide what becomes of its bytes; where they come from and when does not."""


def likeness(source: SourcePlan, metrics: Iterable[CompiledMetric], plan: Plan) -> dict[str, str]:
    """What decides what a source's bytes are folded into, by names that people know."""
    digests = Summary.of(replace(plan, sources=[source], sinks=[])).sources[source.name]
    found = {"version": f"{__version__} on DuckDB {duckdb.__version__}"}
    found |= {name: digests[name] for name in (*_DECISIVE, *source.source.shared) if name in digests}
    for metric in metrics:
        found[f"metric {metric.metric.name}"] = _digest(source, metric)
    return found


def _digest(source: SourcePlan, metric: CompiledMetric) -> str:
    assert metric.program is not None
    alone = replace(metric.metric, sources=[source.name], help="", renamed_from=None)
    text = definition(alone, metric.program.columns)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def unlike(mine: Mapping[str, str], theirs: Mapping[str, str]) -> list[str]:
    """The names of what is not the same."""
    return [name for name in {**mine, **theirs} if mine.get(name) != theirs.get(name)]
