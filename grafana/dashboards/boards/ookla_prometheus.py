"""Speed tests of an Ookla server, from the pages of the runners; for those who have no InfluxDB."""

from __future__ import annotations

from dashboards.model import Dashboard, Link
from dashboards.ookla_prometheus.choices import ANNOTATIONS, SERVERS, ZONE
from dashboards.ookla_prometheus.devices import DEVICES
from dashboards.ookla_prometheus.how_many import BUSY_ROW, HOW_MANY
from dashboards.ookla_prometheus.now import NOW
from dashboards.ookla_prometheus.providers import PROVIDERS

DASHBOARD = Dashboard(
    uid="ookla-prometheus",
    title="Ookla speed tests (Prometheus)",
    question="How many test their line on my servers, who are they, and can all of them?",
    tags=["pegel", "ookla", "prometheus"],
    rows=[NOW, HOW_MANY, PROVIDERS, DEVICES, BUSY_ROW],
    variables=[SERVERS, ZONE],
    annotations=ANNOTATIONS,
    links=[
        Link("Overview", "/d/overview"),
        Link("The same from InfluxDB", "/d/ookla", variables=["server"]),
    ],
    timezone="utc",
)
