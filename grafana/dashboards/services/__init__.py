"""The rows of the dashboard about the stack: one module for each service, panels beside their PromQL.

What Prometheus 2.53, Pushgateway 1.11 and InfluxDB 2.7 show was read from them. What Grafana shows was read in its
source (`pkg/middleware/request_metrics.go`, `pkg/services/pluginsintegration/clientmiddleware/metrics_middleware.go`);
no Grafana ran where this was written.
"""

from __future__ import annotations

from typing import Any

from dashboards.model import Panel
from dashboards.panels import promql, timeseries

NOT_SCRAPED = "No data: does Prometheus reach this service? See the row Services."


def curve(title: str, description: str, unit: str, *queries: tuple[str, str], **panel: Any) -> Panel:
    """(query, legend) over time."""
    settings: dict[str, Any] = {"no_value": NOT_SCRAPED, "minimum": 0, "width": 8, "height": 8} | panel
    targets = [promql(text, legend) for text, legend in queries]
    return timeseries(title=title, description=description, unit=unit, targets=targets, **settings)
