"""Grafana: does it answer, and do its data sources answer it?"""

from __future__ import annotations

from dashboards.model import Row
from dashboards.services import curve

QUERIES = 'grafana_plugin_request_total{endpoint="queryData"}'
# A mean, for a quantile over 30 days would read eleven buckets of every address that Grafana has.
TIME = (
    "sum(rate(grafana_http_request_duration_seconds_sum[$__rate_interval]))"
    " / sum(rate(grafana_http_request_duration_seconds_count[$__rate_interval]))"
)

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
            "Mean time of an answer",
            "Of the requests of browsers; those that wait for a data source among them.",
            "s",
            (TIME, "mean"),
        ),
    ],
)
