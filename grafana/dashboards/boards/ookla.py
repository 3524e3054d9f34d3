"""Speed tests of an Ookla server, from InfluxDB."""

from __future__ import annotations

from dashboards.model import Dashboard, Link
from dashboards.ookla import NOW_DELAY
from dashboards.ookla.choices import ANNOTATIONS, SERVERS, ZONE
from dashboards.ookla.devices import DEVICES
from dashboards.ookla.how_many import BUSY_ROW, HOW_MANY
from dashboards.ookla.now import NOW
from dashboards.ookla.providers import PROVIDERS

DASHBOARD = Dashboard(
    uid="ookla",
    title="Ookla speed tests",
    question="How many test their line on my servers, who are they, and can all of them?",
    tags=["pegel", "ookla", "influxdb"],
    rows=[NOW, HOW_MANY, PROVIDERS, DEVICES, BUSY_ROW],
    variables=[SERVERS, ZONE],
    annotations=ANNOTATIONS,
    links=[
        Link("Overview", "/d/overview"),
        Link("One provider", "/d/ookla-provider", variables=["server"]),
        Link("The same from Prometheus", "/d/ookla-prometheus", variables=["server"]),
    ],
    now_delay=NOW_DELAY,
)
