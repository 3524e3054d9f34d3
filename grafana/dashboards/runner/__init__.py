"""The rows of the dashboard about the runners: one module each, panels beside their PromQL."""

from __future__ import annotations

NOTHING = "No data: is the runner up, and does Prometheus scrape it? The dashboard Stack health says it."
RUNNERS = 'instance=~"$instance"'
OF_SOURCE = f'{RUNNERS}, source=~"$source"'
OF_SINK = f'{RUNNERS}, sink=~"$sink"'


def grown(counter: str, by: str, conditions: str = RUNNERS) -> str:
    """How fast a counter grows, per minute; what does not grow is left out.

    Not how much for each step: what is looked at is wider than a step, so bars would add up to several times the truth.
    """
    return f"60 * sum by ({by}) (rate({counter}{{{conditions}}}[$__rate_interval])) > 0"
