"""The speed tests of one provider, from InfluxDB; a click on its name leads here."""

from __future__ import annotations

from dashboards.model import Dashboard, Link
from dashboards.ookla import NOW_DELAY
from dashboards.ookla.choices import ANNOTATIONS, SERVERS
from dashboards.ookla.provider import ASN, OF_ONE

DASHBOARD = Dashboard(
    uid="ookla-provider",
    title="Ookla speed tests of a provider",
    question="Can the users of this provider test their line as usual?",
    tags=["pegel", "ookla", "influxdb"],
    rows=[OF_ONE],
    variables=[SERVERS, ASN],
    annotations=ANNOTATIONS,
    links=[Link("Overview", "/d/overview"), Link("All speed tests", "/d/ookla", variables=["server"])],
    now_delay=NOW_DELAY,
)
