"""The delivery of a CDN, out of its real-time logs, from what the runners write to Prometheus."""

from __future__ import annotations

from dashboards.cdn77 import NOW_DELAY
from dashboards.cdn77.choices import ANNOTATIONS, RESOURCES, STREAMS
from dashboards.cdn77.complete import COMPLETE
from dashboards.cdn77.delivery import DELIVERY
from dashboards.cdn77.locations import LOCATIONS
from dashboards.cdn77.now import NOW
from dashboards.cdn77.streams import STREAMS as STREAM_ROW
from dashboards.cdn77.viewers import VIEWERS
from dashboards.model import Dashboard, Link

DASHBOARD = Dashboard(
    uid="cdn77",
    title="CDN77 delivery",
    question="How much does the CDN deliver, how well, and to whom?",
    tags=["pegel", "cdn77", "prometheus"],
    rows=[NOW, DELIVERY, VIEWERS, STREAM_ROW, LOCATIONS, COMPLETE],
    variables=[RESOURCES, STREAMS],
    annotations=ANNOTATIONS,
    links=[Link("Overview", "/d/overview"), Link("Pegel itself", "/d/pegel-itself")],
    now_delay=NOW_DELAY,
)
