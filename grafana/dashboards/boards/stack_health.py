"""The services of the stack by what they say about themselves."""

from __future__ import annotations

from dashboards.model import Dashboard, Link
from dashboards.services.all import CHANGES, RESOURCES, SERVICES, STARTS
from dashboards.services.grafana import GRAFANA
from dashboards.services.influxdb import INFLUXDB
from dashboards.services.prometheus import PROMETHEUS
from dashboards.services.pushgateway import PUSHGATEWAY

DASHBOARD = Dashboard(
    uid="stack-health",
    title="Stack health",
    question="Do the services of the stack work, and do they have room?",
    tags=["pegel", "stack", "prometheus"],
    rows=[SERVICES, PROMETHEUS, INFLUXDB, GRAFANA, PUSHGATEWAY, RESOURCES],
    annotations=[STARTS, CHANGES],
    links=[Link("Overview", "/d/overview"), Link("Pegel itself", "/d/pegel-itself")],
)
