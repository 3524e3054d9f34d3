"""What the home page says about the CDN. It ends now, so it asks for what was complete four minutes ago."""

from __future__ import annotations

from dashboards.cdn77 import NOW_DELAY, WHO, WHO_LEGEND, asked, newest, of_cdn
from dashboards.model import Link, Row
from dashboards.panels import in_time, timeseries

NO_JOB = "This job does not run here; `pegel init --preset cdn77` begins one."
TO_JOB = [Link("CDN77 delivery", "/d/cdn77")]
TO_RUNNERS = [Link("Pegel itself", "/d/pegel-itself")]

CDN = Row(
    "CDN77 delivery",
    [
        in_time(
            title="CDN: alive?",
            description="By the time, in seconds, since the end of the newest minute with a request. Up to five "
            "minutes are usual.",
            targets=[asked(f"time() - {newest()}", instant=True)],
            no_value=NO_JOB,
            late=600,
            no=1200,
            links=TO_JOB,
        ),
        in_time(
            title="Runners with the CDN: fresh?",
            description="By the age, in seconds, of the newest row of each source of a runner that counts the CDN.",
            targets=[
                asked(
                    of_cdn(f"max by ({WHO}, source) (pegel_source_watermark_age_seconds)"),
                    "{{source}} on " + WHO_LEGEND,
                    instant=True,
                )
            ],
            no_value=NO_JOB,
            names=True,
            late=600,
            no=1800,
            links=TO_RUNNERS,
        ),
        timeseries(
            title="CDN: bandwidth",
            description=f"Bits sent per second, {NOW_DELAY} before the time at which it is drawn: what is newer is not "
            "complete. A click leads to the dashboard.",
            targets=[
                asked(f"8 * sum (rate(cdn77_transfer_bytes_total[$__rate_interval] offset {NOW_DELAY}))", "bandwidth")
            ],
            unit="bps",
            no_value=NO_JOB,
            minimum=0,
            width=12,
            height=6,
            links=TO_JOB,
        ),
    ],
)
