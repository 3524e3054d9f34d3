"""Whether the numbers are fresh and complete, as the runners say it."""

from __future__ import annotations

from dashboards.cdn77 import WHO, WHO_LEGEND, asked, of_cdn
from dashboards.model import Panel, Row
from dashboards.panels import timeseries

UNTOLD = "No data: Prometheus does not get what runners say about themselves; docs/dashboards.md tells how it does."
NONE = "None in this time."


def grown(title: str, description: str, counter: str, label: str, conditions: str = "") -> Panel:
    """A counter of the runners by one of its labels; what does not grow is left out."""
    rate = f"60 * sum by ({WHO}, {label}) (rate({counter}{{{conditions}}}[$__rate_interval])) > 0"
    return timeseries(
        title=title,
        description=description,
        targets=[asked(of_cdn(f"({rate})"), f"{WHO_LEGEND}: {{{{{label}}}}}")],
        unit="short",
        no_value=NONE,
        bars=True,
        minimum=0,
        width=8,
    )


def _late(counter: str) -> str:
    return f'60 * max by ({WHO}) (rate({counter}{{metric=~"cdn77_.*"}}[$__rate_interval])) > 0'


COMPLETE = Row(
    "Is it complete?",
    [
        timeseries(
            title="Age of the newest row",
            description="How far the runners that count the CDN have come in each of their sources, by the rows "
            "themselves. Up to four minutes are usual; a backlog after an outage falls from minute to minute.",
            targets=[
                asked(
                    of_cdn(f"max by ({WHO}, source) (pegel_source_watermark_age_seconds)"),
                    "{{source}} on " + WHO_LEGEND,
                )
            ],
            unit="s",
            no_value=UNTOLD,
            minimum=0,
        ),
        timeseries(
            title="Rows that came late, per minute",
            description="Late ones are in the counters a minute later, and in no mean or number of viewers. Those that "
            "are too late (2 h after their minute) are in nothing.",
            targets=[
                asked(_late("pegel_late_total"), f"{WHO_LEGEND}: late"),
                asked(_late("pegel_too_late_total"), f"{WHO_LEGEND}: too late"),
            ],
            unit="short",
            no_value=NONE,
            bars=True,
            minimum=0,
        ),
        grown(
            "Lines that are no rows, per minute",
            "By reason: no JSON, no object, no readable time, or a time in the future.",
            "pegel_rejects_total",
            "reason",
        ),
        grown(
            "Noticed about objects, per minute",
            "Put aside (quarantined), gone before they were read, replaced after they were counted, deleted. `pegel "
            "state` has each with its reason.",
            "pegel_noticed_total",
            "what",
            'what=~".*objects.*"',
        ),
        grown(
            "Values that Prometheus cannot take, per minute",
            "Means and numbers of viewers of minutes that late rows corrected after they were written, or that an "
            "outage kept for longer than the out-of-order window. Totals are in the next sample.",
            "pegel_missed_total",
            "sink",
        ),
    ],
)
