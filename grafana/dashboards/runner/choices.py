"""What the reader of the dashboard about the runners can choose, and what is marked in its charts."""

from __future__ import annotations

from dashboards.model import Annotation, Variable
from dashboards.panels import promql
from dashboards.runner import OF_SOURCE, RUNNERS

INSTANCES = Variable(
    name="instance",
    label="Runner",
    description="Runners to look at, by their addresses.",
    target=promql("label_values(pegel_runner_commits, instance)"),
    several=True,
)
SOURCES = Variable(
    name="source",
    label="Source",
    description="Sources to look at; a click on one in the table chooses it.",
    target=promql(f"label_values(pegel_source_failing{{{RUNNERS}}}, source)"),
    several=True,
)
SINKS = Variable(
    name="sink",
    label="Sink",
    description="Sinks to look at; a click on one in the table chooses it.",
    target=promql(f"label_values(pegel_sink_failing{{{RUNNERS}}}, sink)"),
    several=True,
)

# A runner that reads its configuration again begins anew in the same process: its CPU time goes on.
ANEW = f"changes(pegel_runner_start_timestamp_seconds{{{RUNNERS}}}[$__rate_interval]) > 0"
REBORN = f"resets(pegel_runner_cpu_seconds{{{RUNNERS}}}[$__rate_interval]) > 0"
STARTS = Annotation(
    name="Starts of a runner",
    color="orange",
    target=promql(REBORN),
    text="{{instance}} was started",
)
CHANGES = Annotation(
    name="Changes of a configuration",
    color="purple",
    target=promql(f"{ANEW} unless on (instance) {REBORN}"),
    text="{{instance}} took another configuration",
)
ROTATIONS = Annotation(
    name="Log rotations",
    color="blue",
    target=promql(f'increase(pegel_noticed_total{{{OF_SOURCE}, what="rotations"}}[$__rate_interval]) > 0'),
    text="The log of {{source}} rotated",
)
