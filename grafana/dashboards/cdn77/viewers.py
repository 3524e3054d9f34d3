"""Who watches: how many, with what, and where they are."""

from __future__ import annotations

from dashboards.cdn77 import NOBODY, STREAMS, active, asked
from dashboards.maps import countries
from dashboards.model import Row
from dashboards.panels import bargauge, timeseries
from dashboards.speedtests import BEFORE

_WINDOW = "Different addresses within the viewer window, each counted once for a stream."
_BEFORE = f"sum (cdn77_active_viewers{{{STREAMS}}} offset 1d)"
_BY_COUNTRY = active("_by_country", by="country")
_BY_REGION = active("_by_region", by="country, region")

VIEWERS = Row(
    "Who watches",
    [
        timeseries(
            title="Active viewers",
            description=f"{_WINDOW} Dashed: the day before. A fall shows slowly, because the window is long; the "
            "viewers who come show it at once.",
            targets=[asked(active(), "viewers"), asked(_BEFORE, "the day before")],
            unit="short",
            no_value=NOBODY,
            minimum=0,
            overrides=[BEFORE],
        ),
        timeseries(
            title="Viewers who come, per minute",
            description="Addresses that were not seen on the stream within the viewer window. The first step of a new "
            "runner has all who came until then.",
            targets=[asked(f"60 * sum (rate(cdn77_viewers_total{{{STREAMS}}}[$__rate_interval]))", "viewers")],
            unit="short",
            no_value=NOBODY,
            minimum=0,
        ),
        timeseries(
            title="Active viewers by device",
            description=f"{_WINDOW} By the user agent; an address with two devices is in both.",
            targets=[asked(active("_by_device", by="device_type"), "{{device_type}}")],
            unit="short",
            no_value=NOBODY,
            stack="normal",
            minimum=0,
        ),
        bargauge(
            title="Active viewers by region",
            description="The twenty with most viewers at the end of the chosen time, by a GeoIP database.",
            targets=[asked(f"topk(20, {_BY_REGION})", "{{region}}, {{country}}", instant=True)],
            unit="short",
            decimals=0,
            no_value="No data: without a GeoIP database nothing is said by region.",
            width=12,
        ),
        countries(
            title="Where they are",
            description="Active viewers by country at the end of the chosen time: the larger the circle, the more. "
            "Outlines are Grafana's own, so nobody else is told what you look at.",
            targets=[asked(active("_by_country", 'country!="XX"', by="country"), table=True)],
            code="country",
            value="Viewers",
            no_value=NOBODY,
            width=16,
            height=13,
        ),
        bargauge(
            title="Active viewers by country",
            description="The twenty with most viewers at the end of the chosen time, by the country that the log says; "
            "XX is unknown.",
            targets=[asked(f"topk(20, {_BY_COUNTRY})", "{{country}}", instant=True)],
            unit="short",
            decimals=0,
            no_value=NOBODY,
            width=8,
            height=13,
        ),
    ],
)
