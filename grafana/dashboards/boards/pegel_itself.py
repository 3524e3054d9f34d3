"""The runners by what they say about themselves."""

from __future__ import annotations

from dashboards.model import Dashboard, Link
from dashboards.runner.choices import ANNOTATIONS, INSTANCES, SINKS, SOURCES
from dashboards.runner.counting import COUNTING
from dashboards.runner.footprint import FOOTPRINT
from dashboards.runner.now import NOW
from dashboards.runner.sinks import SINKS as SINK_ROW
from dashboards.runner.sources import SOURCES as SOURCE_ROW

DASHBOARD = Dashboard(
    uid="pegel-itself",
    title="Pegel itself",
    question="Do the runners read everything, count it, and get rid of it?",
    tags=["pegel", "prometheus"],
    rows=[NOW, SOURCE_ROW, COUNTING, SINK_ROW, FOOTPRINT],
    variables=[INSTANCES, SOURCES, SINKS],
    annotations=ANNOTATIONS,
    links=[Link("Overview", "/d/overview"), Link("Stack health", "/d/stack-health")],
)
