"""Grafana: does it answer, and do its data sources answer it?"""

from __future__ import annotations

from dashboards.model import Row
from dashboards.services import curve

BUCKETS = "rate(grafana_http_request_duration_seconds_bucket[$__rate_interval])"

GRAFANA = Row(
    "Grafana",
    [
        curve(
            "Requests per second by answer",
            "Of browsers; 4xx without a login is usual.",
            "reqps",
            (
                "sum by (status_code) (rate(grafana_http_request_duration_seconds_count[$__rate_interval]))",
                "status {{status_code}}",
            ),
        ),
        curve(
            "Requests to data sources by answer",
            "What panels and alerts ask. Anything but 200 is a panel that shows an error.",
            "reqps",
            (
                "sum by (datasource, code) (rate(grafana_datasource_request_total[$__rate_interval]))",
                "{{datasource}}: {{code}}",
            ),
            no_value="Nobody has looked at a dashboard so far.",
        ),
        curve(
            "Time of an answer",
            "Nine of ten requests of browsers are faster.",
            "s",
            (
                f"histogram_quantile(0.9, sum by (le) ({BUCKETS}))",
                "9 of 10",
            ),
        ),
    ],
)
