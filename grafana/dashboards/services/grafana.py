"""Grafana: does it answer, and do its data sources answer it?"""

from __future__ import annotations

from dashboards.model import Row
from dashboards.services import curve

QUERIES = 'grafana_plugin_request_total{endpoint="queryData"}'
ANSWERED = 'grafana_plugin_request_duration_seconds_bucket{endpoint="queryData"}'

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
            "Queries to data sources by answer",
            "What panels ask, by the kind of source: ok; cancelled, when the reader went on; error, a panel that shows "
            "one. A source whose plug-in is gone is in none of them: Grafana's log says it.",
            "reqps",
            (
                f"sum by (plugin_id, status) (rate({QUERIES}[$__rate_interval]))",
                "{{plugin_id}}: {{status}}",
            ),
            no_value="Nobody has looked at a dashboard so far.",
        ),
        curve(
            "Time of a query to a data source",
            "Nine of ten are faster. By the kind of source, with the time that the store takes.",
            "s",
            (
                f"histogram_quantile(0.9, sum by (le, plugin_id) (rate({ANSWERED}[$__rate_interval])))",
                "{{plugin_id}}: 9 of 10",
            ),
            no_value="Nobody has looked at a dashboard so far.",
        ),
    ],
)
