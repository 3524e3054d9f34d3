"""From where it is delivered, and how fast."""

from __future__ import annotations

from dashboards.cdn77 import (
    CHOSEN,
    COLUMNS,
    DELIVERED,
    NOTHING,
    RECENT,
    SERVER_ERRORS,
    TWENTY,
    asked,
    delivered,
    errors,
    growth,
    hits,
)
from dashboards.columns import merged, texts
from dashboards.model import Override, Row
from dashboards.panels import table, timeseries

LEADING = f"topk(10, {delivered('requests', by='pop', width=CHOSEN, at=' @ end()')})"
"""The same ten all along a chart."""
WEIGHED = (
    "Prometheus has a mean for each minute, stream, resource, cache status and location. Of these the mean is drawn, "
    "each weighed by its requests; so it is close to that of the requests themselves, and not exactly it."
)


def first_byte(by: str, width: str = RECENT) -> str:
    """The time to the first byte, out of means and the requests behind them: both have the same labels."""
    means = f"avg_over_time(cdn77_time_to_first_byte_ms{{{DELIVERED}}}[{width}])"
    requests = growth("requests", width=width)
    return f"sum by ({by}) ({means} * {requests}) / (sum by ({by}) ({requests} and {means}) > 0)"


LOCATIONS = Row(
    "From where",
    [
        timeseries(
            title="Time to the first byte by location",
            description=f"The ten locations with most requests in the chosen time. {WEIGHED}",
            targets=[asked(f"{first_byte('pop')} and {LEADING}", "{{pop}}")],
            unit="ms",
            no_value=NOTHING,
            minimum=0,
            height=11,
            max_points=150,
        ),
        table(
            title="Locations",
            description=f"The twenty with most requests in the chosen time. Time to the first byte: {WEIGHED}",
            targets=[
                asked(column, table=True)
                for column in (
                    delivered("requests", by="pop", width=CHOSEN),
                    delivered("transfer_bytes", by="pop", width=CHOSEN),
                    hits(by="pop", width=CHOSEN),
                    errors(SERVER_ERRORS, by="pop", width=CHOSEN),
                    first_byte("pop", CHOSEN),
                )
            ],
            unit="short",
            no_value=NOTHING,
            decimals=0,
            overrides=[
                texts("Location"),
                *COLUMNS,
                Override("First byte", {"unit": "ms", "decimals": 0}),
            ],
            transformations=[
                *merged({"pop": "Location"}, ["Requests", "Bytes", "Hit ratio", "5xx", "First byte"], "Requests"),
                TWENTY,
            ],
        ),
    ],
)
