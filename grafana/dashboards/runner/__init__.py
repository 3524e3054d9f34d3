"""The rows of the dashboard about the runners: one module each, panels beside their PromQL."""

from __future__ import annotations

NOTHING = "No data: is the runner up, and does Prometheus scrape it? The dashboard Stack health says it."
RUNNERS = 'instance=~"$instance"'
OF_SOURCE = f'{RUNNERS}, source=~"$source"'
OF_SINK = f'{RUNNERS}, sink=~"$sink"'


def grown(counter: str, by: str, conditions: str = RUNNERS) -> str:
    """How much a counter grew for each step of a chart; what did not grow is left out."""
    return f"sum by ({by}) (increase({counter}{{{conditions}}}[$__rate_interval])) > 0"
