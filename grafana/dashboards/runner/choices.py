"""What the reader of the dashboard about the runners can choose, and what is marked in its charts."""

from __future__ import annotations

from dashboards.model import Variable
from dashboards.panels import promql
from dashboards.runner import OF_SOURCE, RUNNERS
from dashboards.runner.moments import moments

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

ANNOTATIONS = moments(RUNNERS, OF_SOURCE)
